"""The clocks of a world."""

from __future__ import annotations

import datetime as dt
import email.utils
import logging
import sys
import threading
import time
from datetime import datetime as copied_datetime
from time import monotonic as copied_monotonic
from time import time as copied_time
from typing import TYPE_CHECKING, Any

import pytest
import trio
from loguru import logger

from .support import WALL, Bare, run

if TYPE_CHECKING:
    from collections.abc import Callable

LATER = dt.datetime(2026, 1, 1, 1, 0)


def after_an_hour(read: Callable[[], Any]) -> Any:
    async def main() -> Any:
        await trio.sleep(3600.0)
        return read()

    return run(main)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: time.time(), WALL + 3600.0),
        (lambda: copied_time(), WALL + 3600.0),
        (lambda: time.time_ns(), 1_767_229_200_000_000_000),
        (lambda: time.monotonic(), 3600.0),
        (lambda: copied_monotonic(), 3600.0),
        (lambda: time.monotonic_ns(), 3_600_000_000_000),
        (lambda: time.perf_counter(), 3600.0),
        (lambda: time.perf_counter_ns(), 3_600_000_000_000),
        (lambda: time.process_time(), 3600.0),
        (lambda: time.thread_time(), 3600.0),
        (lambda: time.clock_gettime(time.CLOCK_REALTIME), WALL + 3600.0),
        (lambda: time.clock_gettime(time.CLOCK_MONOTONIC), 3600.0),
        (lambda: time.clock_gettime_ns(time.CLOCK_REALTIME), 1_767_229_200_000_000_000),
        (lambda: tuple(time.localtime())[:5], (2026, 1, 1, 1, 0)),
        (lambda: tuple(time.localtime(0.0))[:5], (1970, 1, 1, 0, 0)),
        (lambda: tuple(time.gmtime())[:5], (2026, 1, 1, 1, 0)),
        (lambda: tuple(time.gmtime(None))[:5], (2026, 1, 1, 1, 0)),
        (lambda: time.ctime(), "Thu Jan  1 01:00:00 2026"),
        (lambda: time.ctime(0.0), "Thu Jan  1 00:00:00 1970"),
        (lambda: time.asctime(), "Thu Jan  1 01:00:00 2026"),
        (lambda: time.strftime("%Y-%m-%dT%H:%M"), "2026-01-01T01:00"),
        (lambda: time.strftime("%Y", time.gmtime(0.0)), "1970"),
        (lambda: dt.datetime.now(), LATER),
        (lambda: copied_datetime.now(), LATER),
        (lambda: dt.datetime.now(dt.UTC), LATER.replace(tzinfo=dt.UTC)),
        (lambda: dt.datetime.now(tz=dt.timezone(dt.timedelta(hours=2))).hour, 3),
        (lambda: dt.datetime.today(), LATER),
        (lambda: dt.date.today(), dt.date(2026, 1, 1)),
        (lambda: LATER.astimezone().utcoffset(), dt.timedelta(0)),
        (lambda: email.utils.formatdate(usegmt=True), "Thu, 01 Jan 2026 01:00:00 GMT"),
        (lambda: logging.makeLogRecord({}).created, WALL + 3600.0),
    ],
)
def test_every_clock_shows_the_time_of_the_world(read: Callable[[], Any], value: Any) -> None:
    assert after_an_hour(read) == value


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_utcnow_shows_the_time_of_the_world() -> None:
    assert after_an_hour(lambda: dt.datetime.utcnow()) == LATER


def test_a_subclass_of_datetime_gives_its_own_kind() -> None:
    class Stamp(dt.datetime):
        pass

    seen = after_an_hour(lambda: Stamp.now())

    assert (type(seen), seen) == (Stamp, LATER)


def test_the_type_of_a_datetime_is_the_real_one() -> None:
    """There are copies of it everywhere; a class in its place would be another one."""
    assert after_an_hour(lambda: type(dt.datetime.now())) is dt.datetime


def test_a_step_of_the_wall_clock_is_no_step_of_the_monotonic_one() -> None:
    bare = Bare(step=-30.0)

    async def main() -> tuple[float, float, dt.datetime]:
        await trio.sleep(60.0)
        return time.time(), time.monotonic(), dt.datetime.now()

    assert bare.run(main) == (WALL + 30.0, 60.0, dt.datetime(2026, 1, 1, 0, 0, 30))


def test_after_the_world_the_clocks_are_real_and_the_same_objects() -> None:
    before = [time.time, time.monotonic, time.sleep, time.localtime, copied_time, threading.Condition.wait]
    entries = dict(vars(dt.datetime))
    assert not hasattr(copied_time, "__wrapped__")  # nor has any test before left one
    zone = time.tzname

    run(trio.sleep, 3600.0)

    assert [time.time, time.monotonic, time.sleep, time.localtime, copied_time, threading.Condition.wait] == before
    assert dict(vars(dt.datetime)) == entries
    assert time.tzname == zone
    assert abs(dt.datetime.now(dt.UTC).timestamp() - time.time()) < 60.0 < abs(time.time() - WALL)


def test_everything_is_put_back_after_an_error() -> None:
    before = time.time

    async def main() -> None:
        raise KeyError("out")

    with pytest.raises(KeyError, match="out"):
        run(main)
    assert time.time is before
    assert time.monotonic() > 0.0


def test_a_copy_that_was_taken_in_a_world_is_real_after_it() -> None:
    """As a module that is imported meanwhile takes one."""
    taken: list[Callable[[], float]] = []

    async def main() -> None:
        from time import time as late_copy  # noqa: PLC0415

        taken.append(late_copy)

    run(main)

    assert abs(taken[0]() - time.time()) < 60.0
    assert Bare().call(taken[0]) == WALL


def test_another_thread_sees_real_time() -> None:
    seen: list[float] = []
    asked, told = threading.Event(), threading.Event()

    def look() -> None:
        asked.wait()
        seen.append(time.time())
        told.set()

    thread = threading.Thread(target=look)
    thread.start()
    wait = threading.Event.wait
    real = time.time()

    def main() -> None:
        asked.set()
        while not told.is_set():
            pass

    Bare().call(main)
    wait(told)
    thread.join()
    assert abs(seen[0] - real) < 60.0


def test_loguru_logs_with_the_time_of_the_world() -> None:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), format="{time:YYYY-MM-DD HH:mm:ss} {message}")

    async def main() -> None:
        await trio.sleep(5.0)
        logger.info("hello")

    try:
        run(main)
    finally:
        logger.remove(sink)

    assert lines == ["2026-01-01 00:00:05 hello\n"]


def test_the_time_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that names a file by its date does the same on every machine."""
    monkeypatch.setenv("TZ", "XYZ-5")
    time.tzset()

    seen = after_an_hour(lambda: (dt.datetime.now(), time.tzname[0]))

    assert seen == (LATER, "UTC")
    assert time.tzname[0] == "XYZ"
    monkeypatch.undo()
    time.tzset()


def test_a_module_that_refuses_to_be_looked_at_stays_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "odd", Odd())

    assert run(trio.sleep, 1.0) is None
