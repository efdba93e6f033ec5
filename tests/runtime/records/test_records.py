"""The actor that writes the logs: in order, off the loop, nothing lost at a stop, and never a crash."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import ErrorReported
from duenna.records import Records, RecordsFailed, RecordsLost, RecordsResumed, parse_recovery_line
from duenna.records.writer import BATCH_LINES, MOST_BYTES, MOST_LINES

from .kit import DAY, NEW_YEAR, attempted, bot, classified, errors_in, messages_in

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


NAME = "errors_20260101.jsonl"


def fill(folder: Path) -> Path:
    """Let the error log of New Year be written to a disk that is full."""
    file = folder / "data/errors" / NAME
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/full")
    return file


def recovery_lines(folder: Path) -> list[str]:
    return [line for file in sorted((folder / "logs/recovery").iterdir()) for line in file.read_text().splitlines()]


# -- writing ---------------------------------------------------------------------


async def test_errors_and_recoveries_are_in_their_files(tmp_path: Path) -> None:
    """With real threads and a real clock."""
    records = Records(tmp_path, wall=lambda: NEW_YEAR)

    async with bot(records):
        records.error(classified("one"))
        records.recovery(attempted(error="one"), "api")
        records.recovery(attempted(status="success"), "api")

    assert messages_in(tmp_path) == ["one"]
    assert [parse_recovery_line(line)[1:4] for line in recovery_lines(tmp_path)] == [
        ("api_network_retry", "started", "one"),
        ("api_network_retry", "success", ""),
    ]


async def test_lines_are_written_while_the_bot_runs(tmp_path: Path) -> None:
    records = Records(tmp_path)

    async with bot(records):
        for number in range(3):
            records.error(classified(str(number)))
            while records.statistics()["errors"].waiting:
                await trio.lowlevel.checkpoint()
            assert messages_in(tmp_path) == [str(n) for n in range(number + 1)]


async def test_nothing_is_lost_at_an_orderly_stop(tmp_path: Path) -> None:
    """In order, in as many batches as it takes."""
    records = Records(tmp_path, wall=lambda: NEW_YEAR)
    expected = [str(number) for number in range(5 * BATCH_LINES + 7)]

    async with bot(records):
        for number in expected:
            records.error(classified(number))
            records.recovery(attempted(error=number))

    assert messages_in(tmp_path) == expected
    assert [parse_recovery_line(line).error for line in recovery_lines(tmp_path)] == expected
    assert records.statistics()["errors"].written == len(expected)


async def test_lines_from_before_the_start_and_from_a_restart_are_written(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    records = Records(tmp_path)
    records.error(classified("before"))

    async with bot(records) as runtime:
        await runtime.stop_child("/system/records")
        records.error(classified("while it was down"))
        await runtime.restart_child("/system/records")
        await trio.testing.wait_all_tasks_blocked()

        assert messages_in(tmp_path) == ["before", "while it was down"]


async def test_errors_are_in_the_files_of_their_days(tmp_path: Path, autojump_clock: MockClock) -> None:
    records = Records(tmp_path, wall=lambda: NEW_YEAR + trio.current_time())

    async with bot(records):
        for number in range(3):
            records.error(classified(str(number), at=NEW_YEAR + trio.current_time()))
            await trio.sleep(DAY)

    assert {name: len(lines) for name, lines in errors_in(tmp_path).items()} == {
        "errors_20260101.jsonl": 1,
        "errors_20260102.jsonl": 1,
        "errors_20260103.jsonl": 1,
    }


async def test_nothing_is_on_disk_before_there_is_an_error(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bot(Records(tmp_path / "base", retention_days=3)):
        await trio.sleep(10 * DAY)

    assert not (tmp_path / "base").exists()


async def test_an_idle_actor_wakes_up_for_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with bot(Records(tmp_path)):
        await trio.sleep(60)  # the boot has a timer of its own, which is not taken back at once

        assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")


async def test_a_folder_deleted_under_the_bot_is_made_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    records = Records(tmp_path / "base")

    async with bot(records):
        records.error(classified("gone"))
        await trio.sleep(1)
        shutil.rmtree(tmp_path / "base")
        records.error(classified("there"))

    assert messages_in(tmp_path / "base") == ["there"]
    assert records.statistics()["errors"].failures == 0


# -- a disk that fails -----------------------------------------------------------


async def test_a_full_disk_is_an_event_and_a_counter_and_what_waited_is_written_when_it_is_over(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Tried again after 1, 2, 4 and 8 s; the other log goes on meanwhile."""
    file = fill(tmp_path)
    records = Records(tmp_path, wall=lambda: NEW_YEAR)

    async with bot(records) as runtime:
        with runtime.events(RecordsFailed, RecordsResumed, RecordsLost) as stream:
            await trio.sleep(1)
            records.error(classified("one"))
            records.recovery(attempted())
            await trio.sleep(7.5)  # tried at 1, 2, 4 and 8
            records.error(classified("two"))
            assert records.statistics()["errors"].failures == 4
            assert records.statistics()["errors"].error == "[Errno 28] No space left on device"
            assert len(recovery_lines(tmp_path)) == 1
            file.unlink()
            await trio.sleep(10)
            events = list(stream.drain())

    assert events == [
        RecordsFailed(
            time=1.0,
            path="/system/records",
            log="errors",
            file=str(file),
            error="[Errno 28] No space left on device",
            waiting=1,
        ),
        RecordsResumed(time=16.0, path="/system/records", log="errors", duration=15.0, lost=0),
    ]
    assert events[0].text() == (f"errors log is not written: [Errno 28] No space left on device ({file}); 1 lines wait")
    assert events[1].text() == "errors log is written again after 15.0 s, 0 lines were lost"
    assert messages_in(tmp_path) == ["one", "two"]
    assert records.statistics()["errors"].error == ""


async def test_another_error_is_another_event(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = fill(tmp_path)
    records = Records(tmp_path)

    async with bot(records) as runtime:
        with runtime.events(RecordsFailed) as stream:
            records.error(classified())
            await trio.sleep(0.5)
            file.unlink()
            file.mkdir()
            await trio.sleep(20)
            file.rmdir()
            events = [event.error for event in stream.drain() if isinstance(event, RecordsFailed)]

    assert events == [
        "[Errno 28] No space left on device",
        f"[Errno 21] Is a directory: '{file}'",
    ]
    assert len(messages_in(tmp_path)) == 1


async def test_a_base_directory_that_is_a_file_costs_no_crash(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "base").touch()
    records = Records(tmp_path / "base", retention_days=1)

    async with bot(records) as runtime:
        with runtime.events(RecordsFailed) as stream:
            records.error(classified())
            await trio.sleep(500)
            events = [event for event in stream.drain() if isinstance(event, RecordsFailed)]
        assert (runtime.tree("/system/records").state, runtime.tree("/system/records").restarts) == ("running", 0)

    assert [event.error for event in events] == [f"[Errno 20] Not a directory: '{tmp_path}/base/data/errors/{NAME}'"]


async def test_what_cannot_be_written_at_the_stop_is_told(tmp_path: Path, autojump_clock: MockClock) -> None:
    """One more try, and then the bot ends."""
    fill(tmp_path)
    records = Records(tmp_path)
    async with bot(records) as runtime:
        stream = runtime.events(RecordsFailed)
        records.error(classified())
        await trio.sleep(0.5)
        records.error(classified())
        began = trio.current_time()

    events = [event for event in stream.drain() if isinstance(event, RecordsFailed)]
    assert [(event.time, event.waiting) for event in events] == [(0.0, 1), (began, 2)]
    assert trio.current_time() == began
    assert records.statistics()["errors"].failures == 2


async def test_a_batch_of_two_days_is_not_written_twice(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What one file has got is not repeated because the other failed."""
    file = fill(tmp_path)
    records = Records(tmp_path)
    for at in (NEW_YEAR - 1, NEW_YEAR, NEW_YEAR - 2):
        records.error(classified(str(at), at=at))

    async with bot(records):
        await trio.sleep(20)
        file.unlink()
        await trio.sleep(60)

    assert {name: len(lines) for name, lines in errors_in(tmp_path).items()} == {
        "errors_20251231.jsonl": 2,
        "errors_20260101.jsonl": 1,
    }


# -- bounds ----------------------------------------------------------------------


async def test_of_too_many_lines_the_oldest_are_dropped_counted_and_told(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = fill(tmp_path)
    records = Records(tmp_path)

    async with bot(records) as runtime:
        stream = runtime.events(RecordsLost, RecordsResumed)
        records.error(classified("in hand"))
        await trio.sleep(0.5)
        event = classified("many")
        for _ in range(MOST_LINES + 100):
            records.error(event)
        records.error(classified("last"))
        file.unlink()

    statistics = records.statistics()["errors"]
    assert (statistics.lost, statistics.written) == (101, MOST_LINES + 1)
    lost = [event for event in stream.drain() if isinstance(event, RecordsLost)]
    assert [event.lost for event in lost] == [1, 2, 4, 8, 16, 32, 64]
    assert lost[0].text() == "errors log: 1 lines lost, too many wait to be written"
    messages = messages_in(tmp_path)
    assert (messages[0], messages[-1], len(messages)) == ("in hand", "last", MOST_LINES + 1)


async def test_a_flood_that_cost_lines_is_over_when_the_log_has_caught_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The disk never failed: so whoever was alerted by the loss is told of its end all the same."""
    records = Records(tmp_path)

    async with bot(records) as runtime:
        with runtime.events(RecordsFailed, RecordsLost, RecordsResumed) as stream:
            event = classified("many")
            for _ in range(MOST_LINES + 3):
                records.error(event)
            await trio.sleep(5)
            events = list(stream.drain())

    assert [type(event) for event in events] == [RecordsLost, RecordsLost, RecordsResumed]
    resumed = events[-1]
    assert isinstance(resumed, RecordsResumed)
    assert (resumed.duration, resumed.lost) == (0.0, 3)
    assert len(messages_in(tmp_path)) == MOST_LINES


def test_of_too_many_bytes_the_oldest_are_dropped(tmp_path: Path) -> None:
    records = Records(tmp_path)
    event = classified("x" * (1 << 20))

    for _ in range(100):
        records.error(event)

    statistics = records.statistics()["errors"]
    assert statistics.waiting == MOST_BYTES // (1 << 20) - 1
    assert statistics.waiting + statistics.lost == 100


def test_what_waits_does_not_keep_the_report(tmp_path: Path) -> None:
    """100,000 of them would; facts and verdict are no part of a line."""
    records = Records(tmp_path)
    records.error(classified())
    (log, _) = records.logs

    (held,) = log.batch().lines

    assert not hasattr(held, "facts")


# -- a disk that hangs -----------------------------------------------------------


async def test_a_disk_that_hangs_is_told_and_stops_nobody(tmp_path: Path) -> None:
    """A full pipe in the place of the file does not take a byte until it is read.

    The thread stays with it; what it had in hand is in the file when the disk answers.
    """
    file = tmp_path / "data/errors/errors_20260101.jsonl"
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    pipe = os.open(file, os.O_RDWR | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 65536)
    records = Records(tmp_path, slow_after=0.001)

    async with bot(records, shutdown=0.01) as runtime:
        stream = runtime.events(RecordsFailed)
        records.error(classified("in hand"))
        event: Any = await anext(stream)
        records.error(classified("behind it"))

    assert event.error == "the disk has not answered for 0.001 s"
    assert event.file.startswith(str(file.parent))  # the thread may not even have come to the file
    assert records.statistics()["errors"].waiting == 2
    assert runtime.report.overran == ("/system/records",)
    taken = b""
    while b"in hand" not in taken:
        await trio.lowlevel.wait_readable(pipe)
        taken = taken[-65536:] + os.read(pipe, 65536)

    file.unlink()
    async with bot(records):  # the next actor waits for the old one's thread, and goes on behind it
        pass
    os.close(pipe)

    assert messages_in(tmp_path) == ["behind it"]
    assert records.statistics()["errors"].written == 2


# -- retention -------------------------------------------------------------------


def old_files(folder: Path) -> None:
    for place, name in (("data/errors", "errors_202512{:02}.jsonl"), ("logs/recovery", "recovery-2025-12-{:02}.log")):
        (folder / place).mkdir(parents=True)
        for day in range(25, 32):
            (folder / place / name.format(day)).touch()


def days_left(folder: Path) -> list[int]:
    errors = sorted(int(file.name[13:15]) for file in (folder / "data/errors").iterdir())
    assert sorted(int(file.name[17:19]) for file in (folder / "logs/recovery").iterdir()) == errors
    return errors


async def test_old_files_are_removed_at_the_start_and_after_each_midnight(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A second after midnight, so that a clock corrected by little is past it too."""
    old_files(tmp_path)
    records = Records(tmp_path, retention_days=3, wall=lambda: NEW_YEAR + 3600 + trio.current_time())

    async with bot(records):
        await trio.sleep(1)
        assert days_left(tmp_path) == [29, 30, 31]
        await trio.sleep(23 * 3600 - 0.5)
        assert days_left(tmp_path) == [29, 30, 31]
        await trio.sleep(1)
        assert days_left(tmp_path) == [30, 31]
        await trio.sleep(2 * DAY)
        assert days_left(tmp_path) == []

    assert records.removed == 14


async def test_all_files_are_kept_unless_it_is_set(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Set while the bot runs, it holds at once."""
    old_files(tmp_path)
    records = Records(tmp_path, wall=lambda: NEW_YEAR + trio.current_time())

    async with bot(records):
        await trio.sleep(10 * DAY)
        assert len(days_left(tmp_path)) == 7
        records.keep_for(15)
        records.keep_for(15)
        await trio.testing.wait_all_tasks_blocked()
        assert days_left(tmp_path) == [27, 28, 29, 30, 31]
        records.keep_for(None)
        await trio.sleep(10 * DAY)
        assert len(days_left(tmp_path)) == 5

    assert records.retention_days is None


async def test_files_that_cannot_be_removed_are_reported(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/errors").touch()

    async with bot(Records(tmp_path, retention_days=1, wall=lambda: NEW_YEAR)) as runtime:
        with runtime.events(ErrorReported) as stream:
            await trio.sleep(DAY + 2)
            events = [event for event in stream.drain() if isinstance(event, ErrorReported)]

    assert [(event.time, event.path, event.details) for event in events] == [
        (DAY + 1, "/system/records", {"log": "errors", "files_not_removed": "1"})
    ]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"directory": 3}, TypeError, "records: directory must be a path, got 3"),
        ({"retention_days": 0}, ValueError, "records: retention_days must be >= 1, got 0"),
        ({"retention_days": 1.5}, TypeError, "records: retention_days must be a whole number, got 1.5"),
        ({"slow_after": 0}, ValueError, "records: slow_after must be > 0 seconds, got 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Records(**{"directory": "logs", **options})

    assert str(caught.value) == message


def test_a_wrong_number_of_days_is_refused_later_too(tmp_path: Path) -> None:
    records = Records(tmp_path, retention_days=2)

    with pytest.raises(ValueError, match=r"^records: retention_days must be >= 1, got -1$"):
        records.keep_for(-1)

    assert records.retention_days == 2
