"""Times of day as logs show them: always UTC, whatever they are given."""

import math
from datetime import UTC, datetime
from functools import lru_cache

_LAST = 253402300799.0  # the end of the year 9999, the last that a datetime can be
_MICROS = 1_000_000

DAY = 86400.0
"""Seconds of a day of UTC; leap seconds are not counted in seconds since 1970."""


def moment(at: float) -> datetime:
    """Return *at* (seconds since 1970-01-01T00:00:00Z) as a datetime; what is no such time as the nearest one.

    A clock that is not set gives nonsense, and what it happened to is written all the same.
    """
    return datetime.fromtimestamp(_clamped(at), UTC)


def timestamp(at: float) -> str:
    """Return *at* in ISO 8601, always of the same length: `2026-01-02T03:04:05.000678Z`."""
    at = _clamped(at)
    second = int(at)
    micro = round((at - second) * 1e6)  # as a datetime rounds
    if micro == _MICROS:
        second, micro = second + 1, 0
    return f"{_to_second(second)}.{micro:06d}Z"


def until_midnight(at: float) -> float:
    """Return the seconds from *at* to the next midnight of UTC: more than 0, at most a day."""
    return DAY - at % DAY if math.isfinite(at) else DAY


def _clamped(at: float) -> float:
    if 0.0 <= at <= _LAST:
        return at
    return _LAST if at > 0 else 0.0  # nan is not greater than 0


@lru_cache(maxsize=64)  # errors come in bursts: 1.5 us less for each that shares a second
def _to_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()
