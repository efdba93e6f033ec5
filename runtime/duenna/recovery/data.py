"""The last good value of each source of data, and which of them stand in for a bad one."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import attrs
import msgspec

from duenna.recovery._plain import encoded
from duenna.recovery._ports import EventSink, NoSink, Now
from duenna.recovery.events import DataFallbackUsed

MOST_SOURCES: Final = 1000

MOST_KEPT: Final = 256 * 1024
"""Bytes of values that outlive the process, at most: those that were used last."""

_AT_ONCE: Final = 32 * 1024
"""Bytes of new values that one save encodes, about; of more, others have their turn with the next."""


class Remembered(msgspec.Struct, frozen=True):
    """A good value.

    Attributes:
        value: The value.
        time: When it came, in seconds of the clock.
    """

    value: Any
    time: float


class GoodMemory(msgspec.Struct, frozen=True):
    """A good value, for the next process.

    Attributes:
        value: The value.
        at: When it came, in seconds since 1970.
    """

    value: Any
    at: float


@attrs.define(eq=False, repr=False)
class LastGoodData:
    """Remembers one good value a source, of 1,000 sources: of more, those used least recently are forgotten.

    Whoever gets data puts what is good (`put`), and asks for it (`get`) when the next is not.
    `data_fallback` has a source *fall back*: it stands on its last good value until the next
    `put`, and everybody can see so (`is_fallen_back`).

    Where the state outlives the process, so do values that are plain and small: None, bool, int, float, str, bytes,
    lists, and dicts by str of these, of at most 1,000 items and 16 KiB; 256 KiB in all. They come back with
    the age that they have by then.

    Attributes:
        unsaved: Why the value of a source does not outlive the process, by source, as of the last save.
    """

    _now: Now
    _events: EventSink = attrs.field(factory=NoSink)
    unsaved: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    _values: OrderedDict[str, Remembered] = attrs.field(factory=OrderedDict[str, Remembered], init=False)
    _fallen: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _stood_in: OrderedDict[str, float] = attrs.field(factory=OrderedDict[str, float], init=False)
    _saved: dict[str, tuple[Remembered, bytes]] = attrs.field(factory=dict[str, tuple[Remembered, bytes]], init=False)
    _refused: dict[str, Remembered] = attrs.field(factory=dict[str, Remembered], init=False)

    def __len__(self) -> int:
        """Return how many sources are remembered."""
        return len(self._values)

    def put(self, source: str, value: Any) -> None:
        """Remember the *value* of *source*, which is good: it no longer stands on an old one."""
        self._remember(source, Remembered(value, self._now()))
        self._fallen.pop(source, None)

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

    # -- for the next process --------------------------------------------------

    def dump(self, to_wall: Callable[[float], float]) -> dict[str, GoodMemory] | None:
        """Return what outlives the process; None: nothing does. A value is encoded once, as it is at its first save."""
        self._encode_new()
        found: dict[str, GoodMemory] = {}
        room = MOST_KEPT
        for source in reversed(self._values):
            if source not in self._saved:
                continue
            known, data = self._saved[source]
            room -= len(data) + len(source)
            if room < 0:
                self.unsaved[source] = f"there is no room: {MOST_KEPT} bytes are kept in all"
            else:
                found[source] = GoodMemory(msgspec.Raw(data), to_wall(known.time))
        return dict(sorted(found.items())) or None

    def load(self, memory: dict[str, GoodMemory], age: Callable[[float], float]) -> None:
        """Remember what an earlier process has stored, where nothing newer is known.

        Args:
            memory: By source.
            age: Gives the seconds that have passed since a date.
        """
        now = self._now()
        oldest_first = sorted(memory.items(), key=lambda each: each[1].at)
        for source, good in oldest_first:
            if source not in self._values:
                self._remember(source, Remembered(good.value, now - age(good.at)))

    def _remember(self, source: str, remembered: Remembered) -> None:
        self._values[source] = remembered
        self._values.move_to_end(source)
        if len(self._values) > MOST_SOURCES:
            forgotten, _ = self._values.popitem(last=False)
            self._fallen.pop(forgotten, None)

    def _encode_new(self) -> None:
        """Encode values that are new since the last save, those first whose saved ones are the oldest."""
        values, saved, refused = self._values, self._saved, self._refused
        for gone in [source for source in (*saved, *refused) if source not in values]:
            saved.pop(gone, None)
            refused.pop(gone, None)
        self.unsaved = {source: why for source, why in self.unsaved.items() if source in refused}
        new = [
            source
            for source, known in values.items()
            if refused.get(source) is not known and (source not in saved or saved[source][0] is not known)
        ]
        left = _AT_ONCE
        for source in sorted(new, key=lambda name: saved[name][0].time if name in saved else float("-inf")):
            left -= self._encode(source, values[source])
            if left < 0:
                return

    def _encode(self, source: str, known: Remembered) -> int:
        self._refused.pop(source, None)
        self.unsaved.pop(source, None)
        try:
            data = encoded(known.value)
        except ValueError as error:
            self._saved.pop(source, None)  # an older value would pass for the last
            self._refused[source] = known
            self.unsaved[source] = str(error)
            return 1024  # it had to be looked at, as far as it goes
        self._saved[source] = known, data
        return len(data)
