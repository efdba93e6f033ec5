"""Quiet time after an alert, for each kind and target."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import attrs

from duenna.machines.alert_memory import HeldMemory, QuietMemory
from duenna.machines.alert_words import Condition

MOST: Final = 10_000
"""Kinds and targets whose last alert is remembered; of more, the oldest is forgotten, and may alert again at once."""

MOST_HELD: Final = 1000
"""Conditions that wait for the end of their quiet time; of more, the newest are dropped."""

MOST_KEPT: Final = 1000
"""Quiet times that outlive the process, those that began last."""

Key = tuple[str, str]
"""Kind and target."""


@attrs.define
class Cooldown:
    """Which alerts began lately, and which conditions wait until they may become alerts again."""

    _began: OrderedDict[Key, float] = attrs.field(factory=OrderedDict[Key, float], init=False)
    _held: dict[Key, tuple[Condition, float]] = attrs.field(factory=dict[Key, tuple[Condition, float]], init=False)

    def begin(self, key: Key, now: float) -> None:
        """Note that an alert of *key* begins at *now*."""
        self._began[key] = now
        self._began.move_to_end(key)
        if len(self._began) > MOST:
            self._began.popitem(last=False)

    def is_quiet(self, key: Key, period: float, now: float) -> bool:
        """Return whether an alert of *key* began less than *period* seconds before *now*."""
        began = self._began.get(key)
        return began is not None and now < began + period

    def hold(self, condition: Condition, now: float) -> bool:
        """Keep *condition*, met at *now*, for the end of its quiet time; return whether there is room."""
        key = (condition.kind, condition.target)
        if key not in self._held and len(self._held) >= MOST_HELD:
            return False
        self._held[key] = (condition, now)
        return True

    def drop(self, key: Key) -> bool:
        """Forget what is kept of *key*, for it is over; return whether there was anything."""
        return self._held.pop(key, None) is not None

    def due(self, period: float, now: float) -> list[tuple[Condition, float]]:
        """Take out what has waited for the end of a quiet time of *period* seconds; each with when it was met last."""
        keys = [key for key in self._held if not self.is_quiet(key, period, now)]
        return [self._held.pop(key) for key in keys]

    def next_at(self, period: float) -> float:
        """Return when the next quiet time ends for which something waits; inf if nothing does."""
        never = float("-inf")
        return min((self._began.get(key, never) + period for key in self._held), default=float("inf"))

    def dump(self, period: float, now: float, ahead: float) -> tuple[tuple[QuietMemory, ...], tuple[HeldMemory, ...]]:
        """Return the quiet times of *period* seconds that last at *now*, and what waits for their ends.

        Args:
            period: Seconds.
            now: Monotonic seconds.
            ahead: Seconds by which the clock is ahead on which they are stored.
        """
        quiet = [(key, began) for key, began in self._began.items() if now < began + period][-MOST_KEPT:]
        return (
            tuple(QuietMemory(*key, began + ahead) for key, began in quiet),
            tuple(HeldMemory.of(condition, met + ahead) for condition, met in self._held.values()),
        )

    def load(self, quiet: Iterable[QuietMemory], held: Iterable[HeldMemory], now: float, ahead: float) -> None:
        """Go on with quiet times, and with what waits for their ends; none began later than *now*."""
        for each in quiet:
            self.begin((each.kind, each.target), min(now, each.began - ahead))
        for memory in held:
            self.hold(memory.condition(), min(now, memory.met - ahead))
