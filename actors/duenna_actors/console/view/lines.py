"""The newest events as encoded lines: each is made once, and only if somebody reads it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import attrs

from duenna_actors.console.view.frames import encoded, message
from duenna_actors.console.view.ring import KEPT, EventRing, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duenna_actors.console.view.model import EventRow
    from duenna_actors.console.view.slices import Slices

_Line = tuple["EventRow", bytes]


@attrs.define(eq=False)
class Lines:
    """The lines of events without gaps up to ``last_id``, as far back as somebody needed them; at most 1,000.

    Attributes:
        last_id: The newest event that there is a line of.
    """

    _ring: EventRing
    last_id: int = attrs.field(default=0, init=False)
    _lines: deque[_Line] = attrs.field(factory=lambda: deque[_Line](maxlen=KEPT), init=False)

    @property
    def first_id(self) -> int:
        """The oldest event that there is a line of; one more than ``last_id`` if there is none."""
        return self.last_id - len(self._lines) + 1

    async def catch_up(self, after: int, slices: Slices) -> None:
        """Have lines of all events after number *after* that are kept, up to the newest of now."""
        if after < self.first_id - 1 or after > self.last_id:
            self._lines.clear()
            self.last_id = after
        slices.begin()
        try:
            for number, event in self._ring.after(self.last_id):
                if number != self.last_id + 1:
                    self._lines.clear()
                row = row_of(number, event)
                self._lines.append((row, encoded(row)))
                self.last_id = number
                if slices.is_full:
                    await slices.pause()
        finally:
            slices.end()

    def live(self, after: int) -> tuple[bytes, int]:
        """Return the events after number *after* as one message of the live stream, and how many they are.

        The message has the id of the last.
        """
        found = [data for _, data in self._since(after)]
        return message("events", b"[%s]" % b",".join(found), self.last_id), len(found)

    def plain(self, after: int, accepts: Callable[[EventRow], bool] | None = None) -> tuple[bytes, int]:
        """Return the events after number *after* that are accepted, each a message of its own type; and how many."""
        found = [message(row.type, data, row.id) for row, data in self._since(after) if accepts is None or accepts(row)]
        return b"".join(found), len(found)

    def _since(self, after: int) -> Iterator[_Line]:
        skipped = after - self.first_id + 1
        return (line for place, line in enumerate(self._lines) if place >= skipped)
