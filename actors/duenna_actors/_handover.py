"""From one websocket to the next without a gap and without a message twice: a pure machine.

Both deliver the same streams for a while, one of them a little behind the other. The next
line's messages are held until the present line has delivered what the next one began with;
from there on the next line has everything. What it repeats is told by its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator

import attrs

from duenna_actors.feed_protocol import Data


@attrs.define(eq=False)
class Handover:
    """Decides which message of which line reaches the consumer.

    Attributes:
        capacity: Messages of the next line that are held, at most; then the oldest go.
        lost: Held messages that went that way.
    """

    capacity: int = 10_000
    lost: int = 0
    _present: Hashable = None
    _next: Hashable = None
    _last: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _first: dict[str, int | None] = attrs.field(factory=dict[str, "int | None"], init=False)
    _held: deque[Data] = attrs.field(factory=deque[Data], init=False)
    _behind: set[str] = attrs.field(factory=set[str], init=False)

    def start(self, line: Hashable) -> None:
        """Begin with *line*, and with no memory of another."""
        self._present, self._next = line, None
        self._last.clear()
        self._forget_next()
        self._behind.clear()

    def prepare(self, line: Hashable) -> None:
        """Hold the messages of *line*, which is to be the next."""
        self._next = line
        self._forget_next()

    def abandon(self) -> None:
        """Stay with the present line."""
        self._next = None
        self._forget_next()

    def offer(self, line: Hashable, data: Data) -> bool:
        """Take in a message of *line*; return whether the consumer gets it now."""
        if line is self._present:
            return self._passes(data)
        if line is self._next:
            self._first.setdefault(data.key, data.order)
            if len(self._held) >= self.capacity:
                self._held.popleft()
                self.lost += 1
            self._held.append(data)
        return False

    def is_ready(self, keys: Iterable[str]) -> bool:
        """Return whether the next line delivers each of *keys*, from where the present one has got to."""
        return all(self._has_met(key) for key in keys)

    def switch(self) -> Iterator[Data]:
        """Make the next line the present one; yield what it has held and nobody has had."""
        self._present, self._next = self._next, None
        self._behind = {key for key, order in self._first.items() if order is not None and key in self._last}
        held, self._held = self._held, deque()
        self._forget_next()
        for data in held:
            if self._passes(data):
                yield data

    def settle(self) -> None:
        """Believe the present line's numbers whatever they are: the exchange may have begun to count anew."""
        self._behind.clear()

    def _passes(self, data: Data) -> bool:
        order = data.order
        if order is None:
            return True
        if self._behind and data.key in self._behind:
            if order <= self._last[data.key]:
                return False
            self._behind.discard(data.key)
        self._last[data.key] = order
        return True

    def _has_met(self, key: str) -> bool:
        if key not in self._first:
            return False
        first = self._first[key]
        return first is None or self._last.get(key, first - 1) >= first

    def _forget_next(self) -> None:
        self._first.clear()
        self._held = deque()
