"""Stand-ins for the clocks: `time`, `datetime`."""

from __future__ import annotations

import datetime as dt
import threading
import time
from functools import wraps
from typing import TYPE_CHECKING, Any

from duenna.testing._leaks import refuse
from duenna.testing._presence import Presence, present

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.testing._patches import Patches

_NANO = 1_000_000_000
_MONOTONIC = ("monotonic", "perf_counter", "process_time", "thread_time")
_WITHOUT_TIME = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions that take a time, and mean the present one when called with so many arguments."""


def patch_times(patches: Patches) -> None:
    """Let the clocks show the world's time, in UTC."""
    for name, stand_in in _STAND_INS.items():
        patches.function(time, name, stand_in)
    for name, stand_in in _DATES.items():
        patches.class_function(dt.datetime, name, stand_in)
    patches.attribute(threading.Condition, "wait", _WAIT)
    if hasattr(time, "tzset"):  # datetime asks the C library, so nothing smaller will do
        patches.on_undo(time.tzset)
        patches.environment("TZ", "UTC0")
        time.tzset()


def _seconds(real: Callable[[], float], virtual: Callable[[Presence], float]) -> Callable[[], float]:
    @wraps(real)
    def stand_in() -> float:
        here = present()
        return real() if here is None else virtual(here)

    return stand_in


def _nanoseconds(real: Callable[[], int], virtual: Callable[[Presence], float]) -> Callable[[], int]:
    @wraps(real)
    def stand_in() -> int:
        here = present()
        return real() if here is None else int(virtual(here) * _NANO)

    return stand_in


def _of_clock(real: Callable[[int], Any], scale: int) -> Callable[[int], Any]:
    @wraps(real)
    def stand_in(clk_id: int) -> Any:
        here = present()
        if here is None:
            return real(clk_id)
        seconds = here.time() if clk_id == time.CLOCK_REALTIME else here.now()
        return int(seconds * scale) if scale != 1 else seconds

    return stand_in


def _of_date(real: Callable[..., Any], fewest: int) -> Callable[..., Any]:
    wants_tuple = real.__name__ in {"asctime", "strftime"}
    broken_down = time.localtime  # the real one: this module is imported where no world runs

    @wraps(real)
    def stand_in(*args: Any) -> Any:
        here = present()
        is_present = len(args) == fewest or (len(args) == fewest + 1 and args[fewest] is None)
        if here is None or not is_present:
            return real(*args)
        now = here.time()
        return real(*args[:fewest], broken_down(now) if wants_tuple else now)

    return stand_in


def _sleep(real: Callable[[float], None]) -> Callable[[float], None]:
    @wraps(real)
    def stand_in(seconds: float, /) -> None:
        here = present()
        if here is None:
            real(seconds)
        elif here.call is not None and seconds >= 0:
            here.ahead += seconds
        else:
            refuse(here, "real sleep", "time.sleep", "use trio.sleep: this one blocks every actor")

    return stand_in


def _wait(real: Callable[..., bool]) -> Callable[..., bool]:
    """Stand in for `threading.Condition.wait`, on which the waits of `threading`, `queue` and futures are built."""

    @wraps(real)
    def stand_in(self: threading.Condition, timeout: float | None = None) -> bool:
        here = present()
        if here is None:
            return real(self, timeout)
        if here.call is not None and timeout is not None:  # no other thread is there to end it early
            here.ahead += max(0.0, timeout)
            return False
        what = "wait for another thread, of which a world has none,"
        return refuse(here, what, "threading.Condition.wait", "wait in a task, with trio.Event or a memory channel")

    return stand_in


def _now(real: Callable[..., dt.datetime]) -> Callable[..., dt.datetime]:
    def now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
        here = present()
        return real.__get__(None, cls)(tz) if here is None else cls.fromtimestamp(here.time(), tz)

    return now


def _utcnow(real: Callable[..., dt.datetime]) -> Callable[..., dt.datetime]:
    def utcnow(cls: type[dt.datetime]) -> dt.datetime:
        here = present()
        if here is None:
            return real.__get__(None, cls)()  # type: ignore[no-any-return]
        return cls.fromtimestamp(here.time(), dt.UTC).replace(tzinfo=None)

    return utcnow


# The real functions are kept in closures only: a name of this module would be found, and replaced, as a copy.
_STAND_INS: dict[str, Any] = {
    "time": _seconds(time.time, Presence.time),  # noqa: TID251  # it is replaced
    "time_ns": _nanoseconds(time.time_ns, Presence.time),
    **{name: _seconds(getattr(time, name), Presence.now) for name in _MONOTONIC if hasattr(time, name)},
    **{
        f"{name}_ns": _nanoseconds(getattr(time, f"{name}_ns"), Presence.now)
        for name in _MONOTONIC
        if hasattr(time, f"{name}_ns")
    },
    **{name: _of_date(getattr(time, name), fewest) for name, fewest in _WITHOUT_TIME.items()},
    **{
        name: _of_clock(getattr(time, name), scale)
        for name, scale in {"clock_gettime": 1, "clock_gettime_ns": _NANO}.items()
        if hasattr(time, name)
    },
    "sleep": _sleep(time.sleep),  # noqa: TID251  # it is replaced
}
_DATES: dict[str, Any] = {
    "now": _now(vars(dt.datetime)["now"]),
    "utcnow": _utcnow(vars(dt.datetime)["utcnow"]),
}
_WAIT = _wait(threading.Condition.wait)
