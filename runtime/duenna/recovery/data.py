"""The last good value of each source of data, and which of them stand in for a bad one."""

from collections import OrderedDict
from typing import Any, Final

import attrs
import msgspec

from duenna.recovery._ports import EventSink, NoSink, Now
from duenna.recovery.events import DataFallbackUsed

MOST_SOURCES: Final = 1000


class Remembered(msgspec.Struct, frozen=True):
    """A good value.

    Attributes:
        value: The value.
        time: When it came, in seconds of the clock.
    """

    value: Any
    time: float


@attrs.define(eq=False, repr=False)
class LastGoodData:
    """Remembers one good value a source, of 1,000 sources: of more, those used least recently are forgotten.

    Whoever gets data puts what is good (`put`), and asks for it (`get`) when the next is not.
    `data_fallback` has a source *fall back*: it stands on its last good value until the next
    `put`, and everybody can see so (`is_fallen_back`).
    """

    _now: Now
    _events: EventSink = attrs.field(factory=NoSink)
    _values: OrderedDict[str, Remembered] = attrs.field(factory=OrderedDict[str, Remembered], init=False)
    _fallen: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _stood_in: OrderedDict[str, float] = attrs.field(factory=OrderedDict[str, float], init=False)

    def __len__(self) -> int:
        """Return how many sources are remembered."""
        return len(self._values)

    def put(self, source: str, value: Any) -> None:
        """Remember the *value* of *source*, which is good: it no longer stands on an old one."""
        self._values[source] = Remembered(value, self._now())
        self._values.move_to_end(source)
        self._fallen.pop(source, None)
        if len(self._values) > MOST_SOURCES:
            forgotten, _ = self._values.popitem(last=False)
            self._fallen.pop(forgotten, None)

    def get(self, source: str, *, max_age: float = float("inf")) -> Remembered | None:
        """Return the last good value of *source*; None if there is none, or it is older than *max_age* seconds."""
        known = self._values.get(source)
        if known is None or self._now() - known.time > max_age:
            return None
        self._values.move_to_end(source)
        return known

    def is_fallen_back(self, source: str) -> bool:
        """Return whether *source* stands on its last good value."""
        return source in self._fallen

    def fall_back(self, source: str, why: str, *, path: str = "/") -> bool:
        """Have *source* stand on its last good value; return whether there is one."""
        known = self.get(source)
        if known is None:
            return False
        now = self._now()
        if source not in self._fallen:
            self._fallen[source] = now
            if self._events.wants(DataFallbackUsed):
                used = DataFallbackUsed(time=now, path=path, source=source, age=now - known.time, why=why)
                self._events.post(used)
        return True

    def stood_in(self, guard: str, time: float) -> None:
        """Note that a guard answered with its own last good value at *time*: then nobody need fall back."""
        self._stood_in[guard] = time
        self._stood_in.move_to_end(guard)
        if len(self._stood_in) > MOST_SOURCES:
            self._stood_in.popitem(last=False)

    def has_stood_in(self, guard: str, since: float) -> bool:
        """Return whether a guard answered with its own last good value at *since* or later."""
        return self._stood_in.get(guard, float("-inf")) >= since
