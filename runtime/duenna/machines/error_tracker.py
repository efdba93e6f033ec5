"""Counts of errors: totals by what they are about, how many a minute, and whether that grows.

Every error is one step: a few dictionary entries and the slice of time that it falls into.
Nothing grows with the number of errors, of distinct types or of services. What has no key
of its own any more is counted under `OTHER`, so a sum over the keys is always the total.
"""

import math
from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import attrs
import msgspec

MOST_KEYS: Final = 1000
"""So many keys are counted one by one, the first that came; the rest is `OTHER`."""

LONGEST_KEY: Final = 200
"""Characters of a key that are kept."""

OTHER: Final = "(other)"
"""The key of what came when there were `MOST_KEYS` keys already."""

SPAN: Final = 900
"""Seconds that the sliding windows reach back, and slices of one second that are kept for it."""

_MINUTE: Final = 60
_TREND: Final = 300
_DEVIATIONS: Final = 2


class Trend(StrEnum):
    """Whether errors become more.

    The errors of the last five minutes are compared with those of the five minutes before. They
    are rising or falling if the difference is more than two standard deviations of what chance
    alone gives, that is more than 2 * sqrt(all of them) (counts are Poisson): 5 after none is
    rising, 4 is not; 130 after 100 is not, 131 is.
    """

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"


@attrs.define(eq=False)
class Counts:
    """How often each key came; at most `MOST_KEYS` of them, and `OTHER`."""

    _counts: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    def __len__(self) -> int:
        """Return how many keys came; `OTHER` counts as one."""
        return len(self._counts)

    def add(self, key: str) -> None:
        """Count *key*."""
        known = self._counts.get(key)
        if known is not None:
            self._counts[key] = known + 1
        else:
            self._add_new(key)

    def ranked(self) -> dict[str, int]:
        """Return the counts, the largest first, equal ones by key."""
        return dict(sorted(self._counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def add_all(self, counted: Mapping[str, int]) -> None:
        """Add what was *counted* elsewhere: how often each key came."""
        for key, count in counted.items():
            self._add_new(key, count)

    def _add_new(self, key: str, count: int = 1) -> None:
        counts, key = self._counts, key[:LONGEST_KEY]
        if key not in counts and len(counts) - (OTHER in counts) >= MOST_KEYS:
            key = OTHER
        counts[key] = counts.get(key, 0) + count


class TallyMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted of errors, for the next process.

    Attributes:
        total: Errors so far.
        by_type: How many of each type.
        by_category: How many of each category.
        by_service: How many of each service.
        by_severity: How many of each severity.
        repeated: Reports of errors that had been reported before.
    """

    total: int
    by_type: dict[str, int]
    by_category: dict[str, int]
    by_service: dict[str, int]
    by_severity: dict[str, int]
    repeated: int = 0


@attrs.define(eq=False)
class ErrorTally:
    """What is counted of errors.

    Attributes:
        total: Errors so far.
        by_type: How many of each type.
        by_category: How many of each category.
        by_service: How many of each service.
        by_severity: How many of each severity.
    """

    total: int = attrs.field(default=0, init=False)
    by_type: Counts = attrs.field(factory=Counts, init=False)
    by_category: Counts = attrs.field(factory=Counts, init=False)
    by_service: Counts = attrs.field(factory=Counts, init=False)
    by_severity: Counts = attrs.field(factory=Counts, init=False)
    _slices: deque[list[float]] = attrs.field(factory=lambda: deque[list[float]](maxlen=SPAN), init=False)

    def record(self, now: float, kind: str, category: str, service: str, severity: str) -> None:
        """Count an error of *now* (monotonic seconds).

        A time that is earlier than one seen before counts as the later one.
        """
        self.total += 1
        self.by_type.add(kind)
        self.by_category.add(category)
        self.by_service.add(service)
        self.by_severity.add(severity)
        slices, index = self._slices, now // 1
        if slices and slices[-1][0] >= index:
            slices[-1][1] += 1
        else:
            slices.append([index, 1])

    def dump(self, repeated: int = 0) -> TallyMemory:
        """Return the totals; rates and trends are about the last minutes of this process."""
        return TallyMemory(
            total=self.total,
            by_type=self.by_type.ranked(),
            by_category=self.by_category.ranked(),
            by_service=self.by_service.ranked(),
            by_severity=self.by_severity.ranked(),
            repeated=repeated,
        )

    def load(self, memory: TallyMemory) -> None:
        """Add the totals of an earlier process."""
        self.total += memory.total
        self.by_type.add_all(memory.by_type)
        self.by_category.add_all(memory.by_category)
        self.by_service.add_all(memory.by_service)
        self.by_severity.add_all(memory.by_severity)

    def count_since(self, seconds: float, now: float) -> int:
        """Return how many errors fell into the last *seconds* seconds before *now*, to a second.

        Time is cut into slices of one second: the window is the slice of *now* and as many before
        it as make up *seconds*. It reaches back `SPAN` seconds at most.
        """
        gone = now // 1 - min(seconds, SPAN)
        found = 0.0
        for index, count in reversed(self._slices):
            if index <= gone:
                break
            found += count
        return int(found)

    def rate(self, now: float) -> float:
        """Return the errors of the last 60 seconds before *now*: the rate per minute."""
        return float(self.count_since(_MINUTE, now))

    def trend(self, now: float) -> Trend:
        """Return whether errors become more at *now*: see `Trend`."""
        both = self.count_since(2 * _TREND, now)
        recent = self.count_since(_TREND, now)
        difference, chance = 2 * recent - both, _DEVIATIONS * math.sqrt(both)
        if difference > chance:
            return Trend.RISING
        return Trend.FALLING if -difference > chance else Trend.STEADY
