"""The last events, kept as they are: a line is made only of what somebody reads."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

from duenna.events import Event
from duenna_actors.console.view.model import EventRow
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from collections.abc import Iterator


KEPT: Final = 1000
LONGEST: Final = 2000
"""Characters of a line that are shown."""


@attrs.define(eq=False)
class EventRing:
    """The last 1,000 events that were heard, numbered from 1 without gaps.

    Attributes:
        last_id: The number of the newest; 0: there was none.
    """

    last_id: int = attrs.field(default=0, init=False)
    _events: deque[Event] = attrs.field(factory=lambda: deque(maxlen=KEPT), init=False)

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._events)

    @property
    def first_id(self) -> int:
        """The number of the oldest that is kept; one more than ``last_id`` if none is."""
        return self.last_id - len(self._events) + 1

    def append(self, event: Event) -> None:
        """Keep *event* as the newest."""
        self.last_id += 1
        self._events.append(event)

    def lost_after(self, after: int) -> int:
        """Return how many of the events that came after number *after* are not kept any more."""
        return max(0, self.first_id - 1 - after)

    def after(self, after: int) -> list[tuple[int, Event]]:
        """Return the events after number *after* that are kept, with their numbers, oldest first."""
        return list(self._newest(after, None))[::-1]

    def rows(self, after: int = 0, most: int = KEPT, *, path: str | None = None) -> tuple[EventRow, ...]:
        """Return the events after number *after*, oldest first; of more than *most*, the newest.

        Args:
            after: A number; one that has not been given yet leaves none.
            most: How many.
            path: Only those of this actor; None: all.
        """
        found = list(islice(self._newest(after, path), most))
        return tuple(row_of(number, event) for number, event in reversed(found))

    def _newest(self, after: int, path: str | None) -> Iterator[tuple[int, Event]]:
        for number, event in zip(range(self.last_id, after, -1), reversed(self._events), strict=False):
            if path is None or event.path == path:
                yield number, event


def row_of(number: int, event: Event) -> EventRow:
    """Return *event* for a person; one whose own text fails says so."""
    try:
        text = event.text()
    except Exception as exc:  # noqa: BLE001  # the text of a user's own event: it must not end the stream
        text = f"its text failed: {type(exc).__name__}"
    return EventRow(
        id=number,
        time=event.time,
        type=type(event).__name__,
        level=event.level,
        path=event.path,
        text=_bounded(text),
    )


def _bounded(text: str) -> str:
    if "\n" in text:  # a stack: the lines are worth keeping
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return text if len(text) <= LONGEST else brief(text, LONGEST)
