"""What becomes of incident files on disks: kept to a number, listed by the next process, and never in anybody's way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Child,
    GaveUpError,
    IncidentFileFailed,
    IncidentFileTaken,
    Supervisor,
    UnknownIncidentError,
    open_runtime,
)
from tests.runtime.storage.mounts import mounted, needs

from .kit import Idle, documents_in, files_in, giving_up, parking

if TYPE_CHECKING:
    from pathlib import Path

BOT = Supervisor("bot", [Child("idle", Idle)])
FULL = "incident files on a full disk"


async def written(runtime_directory: Path, reasons: list[str]) -> None:
    """Take an incident for each of *reasons*, and end when all are written."""
    async with open_runtime(BOT, directory=runtime_directory, log_level=None) as runtime:
        for reason in reasons:
            runtime.incident_files.take(reason)
            await trio.sleep(1)


def reasons_in(directory: Path) -> list[str]:
    return [document["summary"]["reason"] for document in documents_in(directory)]


async def test_the_last_50_files_are_kept_and_the_last_20_in_memory(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with open_runtime(BOT, directory=tmp_path, log_level=None) as runtime:
        files = runtime.incident_files
        for number in range(55):
            files.take(f"number {number}")
            await trio.sleep(1)
        listed = files.list()
        oldest = json.loads(await files.read(listed[-1].id))
        for file in files_in(tmp_path):
            file.unlink()
        in_memory = json.loads(await files.read(listed[19].id))
        with pytest.raises(UnknownIncidentError, match=r"and 44 more$"):
            await files.read(listed[20].id)

    assert [each.reason for each in listed] == [f"number {number}" for number in range(54, 4, -1)]
    assert oldest["summary"]["reason"] == "number 5"
    assert in_memory["summary"]["reason"] == "number 35"


async def test_the_next_process_lists_them_and_clears_what_a_kill_left(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    await written(tmp_path, ["one", "two"])
    folder = tmp_path / "incidents"
    (folder / ".incident-20260101T000000Z-0001.json.abc").write_text("{")
    (folder / "incident-20260101T000000Z-0001.json").write_text('{\n"format": "duenna-incident",')
    (folder / "incident-20260101T000000Z-0002.json").mkdir()
    os.mkfifo(folder / "incident-20260101T000000Z-0003.json")
    (folder / "notes.txt").write_text("mine")

    async with open_runtime(BOT, directory=tmp_path, log_level=None) as runtime:
        await trio.sleep(1)
        listed = runtime.incident_files.list()
        data = await runtime.incident_files.read(listed[0].id)
        third = runtime.incident_files.take("three")

    assert [each.id[-5:] for each in (*reversed(listed), third)] == ["-0001", "-0002", "-0003"]
    assert [each.reason for each in listed] == ["two", "one"]
    assert len(data) == listed[0].size
    assert not list(folder.glob(".*"))
    assert (folder / "notes.txt").read_text() == "mine"


async def test_what_was_taken_before_the_body_began_is_written_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    class Early(Idle):
        async def started(self) -> None:
            self.context.runtime.incident_files.take("while it started")

    async with open_runtime(Supervisor("bot", [Child("early", Early)]), directory=tmp_path, log_level=None):
        pass

    (document,) = documents_in(tmp_path)
    assert document["bot"]["phase"] == "starting"


async def test_a_cancelled_runtime_has_written_its_files(tmp_path: Path) -> None:
    """With threads: cancellation does not take back a write."""
    with trio.CancelScope() as scope:
        async with open_runtime(BOT, directory=tmp_path, log_level=None) as runtime:
            runtime.incident_files.take("just before")
            scope.cancel()
            await trio.sleep_forever()

    assert reasons_in(tmp_path) == ["just before"]


async def test_what_cannot_be_written_is_told_once_stays_in_memory_and_is_written_when_it_can(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "incidents").write_text("a file in its place")
    async with open_runtime(parking(), directory=tmp_path, log_level=None) as runtime:
        with runtime.events(IncidentFileFailed, IncidentFileTaken) as told:
            failed = await anext(told)
            await trio.sleep(600)
            (summary,) = runtime.incident_files.list()
            document = json.loads(await runtime.incident_files.read(summary.id))
            (tmp_path / "incidents").unlink()
            taken = await anext(told)
            waited = runtime.now()

    assert isinstance(failed, IncidentFileFailed)
    assert (failed.id, failed.path, failed.waiting) == (summary.id, "/bot/feed", 1)
    assert failed.file == str(tmp_path / "incidents" / f"incident-{summary.id}.json")
    assert "incident file" in failed.text()
    assert (summary.file, document["summary"]["id"]) == ("", summary.id)
    assert isinstance(taken, IncidentFileTaken)  # the only other event: the failure is told once
    assert waited <= 602 + 60
    assert len(files_in(tmp_path)) == 1


async def test_a_file_that_is_there_is_never_touched(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Nobody else should write here, but who does loses nothing."""
    async with open_runtime(BOT, directory=tmp_path, log_level=None) as runtime:
        runtime.incident_files.wall = lambda: 1_767_225_600.0
        summary = runtime.incident_files.take("mine")
        file = tmp_path / "incidents" / f"incident-{summary.id}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text("another's")
        await trio.sleep(1)
        (listed,) = runtime.incident_files.list()

    assert summary.id == "20260101T000000Z-0001"
    assert file.read_text() == "another's"
    assert listed.file != str(file)
    assert len(files_in(tmp_path)) == 2


def test_a_full_disk_costs_the_files_and_nothing_else(tmp_path: Path) -> None:
    """A real one of 1 MiB: the old files are whole, the bot does not notice, and the end is as ever."""
    needs(FULL)

    async def main(disk: Path) -> tuple[list[str], str]:
        await written(disk, ["before"])
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        told: list[str] = []
        state = ""
        with pytest.raises(GaveUpError):  # noqa: PT012  # what is told before
            async with open_runtime(
                giving_up(Child("idle", Idle)), directory=disk, state=tmp_path / "state", log_level=None
            ) as runtime:
                with runtime.events(IncidentFileFailed) as failures:
                    runtime.incident_files.take("no room")
                    event = await anext(failures)
                    assert isinstance(event, IncidentFileFailed)
                    told.append(event.error)
                    state = runtime.tree("/bot/idle").state
                await trio.sleep_forever()
        assert reasons_in(disk) == ["before"]
        assert not list((disk / "incidents").glob(".*"))
        return told, state

    with mounted(FULL, tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        told, state = trio.run(main, disk, clock=MockClock(autojump_threshold=0))

    assert told == ["No space left on device"]
    assert state == "running"


KILLED = """
import sys
import trio
from duenna import Child, Supervisor, open_runtime

async def main():
    async def idle(context):
        await trio.sleep_forever()
    bot = Supervisor("bot", [Child(f"a{number}", idle) for number in range(300)])
    async with open_runtime(bot, directory=sys.argv[1], log_level=None) as runtime:
        for number in range(10_000):
            runtime.incident_files.take(f"number {number}")
            print(number, flush=True)
            await trio.sleep(0)

trio.run(main)
"""


def test_a_kill_in_the_middle_of_a_write_leaves_whole_files(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        assert process.stdout is not None
        for _ in range(40):
            next(process.stdout)
        process.send_signal(signal.SIGKILL)
        process.wait()

    for document in documents_in(tmp_path):  # each is whole
        assert document["settings"]
        assert len(document["tree"]) > 300

    async def again() -> int:
        async with open_runtime(BOT, directory=tmp_path, log_level=None) as runtime:
            runtime.incident_files.take("again")
        return len(runtime.incident_files.list())

    before = len(files_in(tmp_path))
    assert trio.run(again) == min(50, before + 1)
    assert not list((tmp_path / "incidents").glob(".*"))
