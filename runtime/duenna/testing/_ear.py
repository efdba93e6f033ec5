"""Hears every event of a runtime at once, and keeps none."""

from collections.abc import Callable, Sequence

import attrs

from duenna._bus import EventStream
from duenna.events import Event


@attrs.define(eq=False)
class Ear(EventStream):
    """A subscription without a queue: whoever posts an event calls the listeners."""

    _heard: Sequence[Callable[[Event], object]]

    def offer(self, event: Event) -> None:
        """Pass *event* on."""
        for hear in self._heard:
            hear(event)
