"""What the operator sees when the event loop is blocked, and when the disk is full."""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from loguru import logger

from duenna import Actor, Child, NotDurableError, persistent
from duenna.incident_files.show import render
from tests.runtime.storage.mounts import mounted, needs

from .support import Idle, decoded, running_console, small_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duenna import Context

    from .support import Sse

BLOCKER = "/bot/blocker"
FULL = "the console on a full disk"


class Blocker(Actor):
    """Holds the event loop until the watchdog has noticed; then it tells that it has."""

    def __init__(self, noticed: threading.Event) -> None:
        self.noticed = noticed

    def receive(self, message: Any) -> bool:
        return self.noticed.wait(30)


class Probe:
    """Asks `/livez` on a connection of its own while the loop is blocked, from the thread that notices it.

    Attributes:
        noticed: Set when the loop may go on.
        was_answered: Whether there was an answer before.
        answer: What came afterwards.
    """

    def __init__(self, path: str, noticed: threading.Event) -> None:
        self.noticed = noticed
        self.was_answered: bool | None = None
        self.answer = b""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)

    def sink(self, _line: object) -> None:
        """Be the log: the watchdog writes its line at once, from its thread."""
        self._socket.connect(self._path)
        self._socket.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.was_answered = bool(select.select([self._socket], [], [], 0.05)[0])
        self.noticed.set()

    def listen(self) -> None:
        """Take the answer; in a thread."""
        with self._socket:
            self._socket.settimeout(30)
            while chunk := self._socket.recv(65_536):
                self.answer += chunk


async def test_who_blocks_the_loop_is_named_and_the_probe_gets_no_answer_meanwhile() -> None:
    """In the snapshot, in the metrics, in the stream of events and in an incident file."""
    noticed = threading.Event()
    tree = small_tree(Child("idle", Idle), Child("blocker", lambda: Blocker(noticed)))
    options = {"watchdog": 0.5, "log_level": "CRITICAL"}
    async with running_console(tree, runtime_options=options) as running:
        probe = Probe(running.socket, noticed)
        number = logger.add(probe.sink, level="CRITICAL", filter=lambda record: record["extra"].get("path") == BLOCKER)
        try:
            async with running.stream("/api/v1/events") as events:
                assert await running.runtime.ref(BLOCKER).ask("go", timeout=60.0)
                blocked = decoded(await events.until("LoopBlocked"))
                while blocked["path"] != BLOCKER:  # on a crowded machine it may be found blocked otherwise
                    blocked = decoded(await events.until("LoopBlocked"))
        finally:
            logger.remove(number)
        await trio.to_thread.run_sync(probe.listen)
        snapshot = decoded((await running.get("/api/v1/snapshot")).content)
        metrics = (await running.get("/metrics")).text
        made = decoded((await running.post("/api/v1/incidents", {"reason": "it was slow"})).content)
        document = decoded((await running.get(f"/api/v1/incidents/{made['id']}")).content)

    assert probe.was_answered is False
    assert probe.answer.startswith(b"HTTP/1.1 200 ")
    assert blocked["level"] == "CRITICAL"
    loop = snapshot["header"]["loop"]
    assert (loop["blocked"] >= 1, loop["blocked_at"] is not None) == (True, True)
    assert re.search(rf'^duenna_loop_blocked_total\{{actor="{BLOCKER}"\}} 1(\.0)?$', metrics, re.MULTILINE)
    assert f"event loop blocked for 0.5 s by {BLOCKER}" in "\n".join(render(document, width=1000))


async def fails(context: Context) -> None:
    """Crash once told to."""
    async for _ in context.messages():
        raise ConnectionError("hung up")


@attrs.define
class Counter(Actor):
    """Has something to save."""

    count: int = persistent(default=0)

    async def receive(self, message: Any) -> None:
        self.count += 1
        with suppress(NotDurableError):
            await self.context.save()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 2 MiB."""
    needs(FULL)
    with mounted(FULL, tmp_path / "disk", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as point:
        yield point


def fill(disk: Path) -> Path:
    """Write a file that leaves no byte of *disk*."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


async def every(events: Sse, *kinds: str) -> dict[str, str]:
    """Return the text of the first event of each of *kinds*, in whatever order they come."""
    found: dict[str, str] = {}
    async for kind, data in events:
        if kind in kinds:
            found.setdefault(kind, decoded(data)["text"])
        if len(found) == len(kinds):
            break
    return found


async def test_a_full_disk_is_told_and_the_bot_and_its_console_go_on(disk: Path) -> None:
    """What cannot be written is in the stream of events and among the issues, and what is in memory can be read."""
    parked = Child("fails", fails, max_failures=0, on_give_up="park", unpark_after=None)
    tree = small_tree(Child("counter", Counter), parked)
    async with running_console(tree, runtime_options={"directory": disk}) as running:
        others = fill(disk)
        async with running.stream("/api/v1/events") as events:
            running.runtime.ref("/bot/fails").tell("now")
            running.runtime.ref("/bot/counter").tell("more")
            told = await every(events, "RecordsFailed", "IncidentFileFailed", "StateNotDurable")
            snapshot = decoded((await running.get("/api/v1/snapshot")).content)
            probes = [(await running.get(path, token=None)).status_code for path in ("/livez", "/readyz", "/startupz")]
            (incident,) = decoded((await running.get("/api/v1/incidents")).content)["incidents"]
            document = decoded((await running.get(f"/api/v1/incidents/{incident['id']}")).content)
            others.unlink()
            again = await every(events, "StateDurable", "IncidentFileTaken")

    assert all("No space left on device" in text for text in told.values()), told
    header = snapshot["header"]
    assert header["overall"] == "unhealthy"  # something is parked
    assert any("No space left on device" in issue for issue in header["issues"])
    assert (header["state"]["is_durable"], "No space left" in header["state"]["problem"]) == (False, True)
    assert {row["path"]: row["state"] for row in snapshot["rows"]}["/bot/counter"] == "running"
    assert probes[0] == 200
    assert (incident["path"], document["summary"]["id"]) == ("/bot/fails", incident["id"])
    assert again["IncidentFileTaken"].startswith(f"incident file {disk}/incidents/incident-{incident['id']}.json")
    assert len(list((disk / "incidents").iterdir())) == 1
