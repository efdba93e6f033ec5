"""From a crash to the line on the disk: what a bot with a base directory leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import trio

from duenna import Actor, Backoff, Child, Supervisor, open_runtime
from duenna.records import parse_recovery_line

from .kit import errors_in

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from trio.testing import MockClock

    from duenna import Context


async def feed(context: Context) -> None:
    await trio.sleep(5)
    raise ConnectionError("hung up, api_key=k7Fq0Zp1xW")


class Reporter(Actor):
    """Reports an error for each message, and one last one when it is stopped."""

    def receive(self, message: Any) -> None:
        self.context.report(ValueError(f"bad tick {message}"), symbol="BTCUSDT")

    def stopping(self, reason: Any) -> None:
        self.context.report(ValueError("last words"))


def written(folder: Path) -> list[dict[str, Any]]:
    return [line for lines in errors_in(folder).values() for line in lines]


async def test_a_crash_is_a_line_in_each_log_and_counted(tmp_path: Path, autojump_clock: MockClock) -> None:
    bot = Supervisor("bot", [Child("feed", feed, backoff=Backoff.steps(10))])

    async with open_runtime(bot, directory=tmp_path, log_level=None) as runtime:
        await trio.sleep(17)
        summary = runtime.errors.summary()

    (line,) = written(tmp_path)
    assert (line["error_type"], line["error_message"]) == ("ConnectionError", "ConnectionError: hung up, api_key=***")
    assert (line["service_name"], line["function_name"], line["retry_count"]) == ("/bot/feed", "feed", 0)
    assert line["stack_trace"].splitlines()[-1].endswith(", in feed")
    assert (summary.total_errors, summary.errors_by_service) == (1, {"/bot/feed": 1})
    (log,) = (tmp_path / "logs/recovery").iterdir()
    records = [parse_recovery_line(text) for text in log.read_text().splitlines()]
    assert [(record.action_type, record.status, record.retry_count) for record in records] == [
        ("network_retry", "started", 1),
        ("network_retry", "success", 1),
    ]
    assert "k7Fq0Zp1xW" not in log.read_text()


async def test_every_error_up_to_the_last_is_on_disk_after_an_orderly_stop(tmp_path: Path) -> None:
    """With threads and a real clock: the stop comes while thousands are on their way."""
    bot = Supervisor("bot", [Child("reporter", Reporter)])

    async with open_runtime(bot, directory=tmp_path, log_level=None) as runtime:
        for number in range(5000):
            await runtime.ref("/bot/reporter").send(number)
        await runtime.ref("/bot/reporter").ask("the last")

    messages = [line["error_message"] for line in written(tmp_path)]
    assert messages == [f"ValueError: bad tick {n}" for n in [*range(5000), "the last"]] + ["ValueError: last words"]
    assert all(line["context"]["symbol"] == "BTCUSDT" for line in written(tmp_path)[:-1])


async def test_without_a_directory_nothing_is_written(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async with open_runtime(Supervisor("bot", [Child("feed", feed)]), log_level=None) as runtime:
        await trio.sleep(60)
        assert runtime.errors.total > 1

    assert on_disk(tmp_path) == b""
    assert not any(tmp_path.rglob("*"))  # noqa: ASYNC240 - the bot has ended


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.glob("data/errors/*")))


KILLED = """
import sys, trio
from duenna import Child, Supervisor, run

async def broken(context):
    number = 0
    while True:
        context.report(ValueError(f"number {number}"))
        number += 1
        await trio.sleep(0.001)
        print(number, flush=True)

run(Supervisor("bot", [Child("broken", broken)]), directory=".", log_level=None)
"""


def test_a_bot_that_was_killed_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """What was written stays, whole line by whole line; the next start appends."""
    command, before = [sys.executable, "-c", KILLED], b""
    for _ in range(2):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
            assert process.stdout is not None
            while len(on_disk(tmp_path)) <= len(before) + 1000:
                next(process.stdout)
            process.kill()
            process.wait()
        assert on_disk(tmp_path).startswith(before)
        before = on_disk(tmp_path)

    assert {len(json.loads(line)) for line in before.splitlines()} == {10}
    first = [json.loads(line)["error_message"] for line in before.splitlines()].count("ValueError: number 0")
    assert first == 2
