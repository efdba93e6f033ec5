"""The wall clock: the one module that reads it.

For what has a date: an exchange's timestamps, the end of a ban, the name of a daily file.
Durations and deadlines are trio's clock instead. Whoever needs the date takes a `WallTime`
as an argument and defaults it to `wall_time`, so that a test runs the bot on another day.
"""

import time
from collections.abc import Callable

WallTime = Callable[[], float]
"""Gives the time of day, in seconds since 1970-01-01T00:00:00Z."""


def wall_time() -> float:
    """Return the time of day, in seconds since 1970-01-01T00:00:00Z."""
    return time.time()  # noqa: TID251  # this module owns the wall clock
