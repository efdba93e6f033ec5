"""What is down since when, and how long it took to run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from duenna import events
from duenna.machines.link import UP, ConnectionState
from duenna_actors.console.metrics.histogram import Histogram

if TYPE_CHECKING:
    from duenna.connection_events import ConnectionChanged

_MOST: Final = 10_000


@attrs.define(eq=False)
class Outages:
    """Measures each outage of an actor, from the event that tells of it to the one that tells of its end.

    A connection is up when its link is; anything else when it has started. What a person stopped,
    or removed, is no outage. Of more than 10,000 that are down at once, the rest is not measured.

    Attributes:
        recovery: Where each is counted when it is over.
    """

    recovery: Histogram
    _since: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _links: set[str] = attrs.field(factory=set[str], init=False)

    def __len__(self) -> int:
        """Return how many are down."""
        return len(self._since)

    def went_down(self, event: events.Event) -> None:
        """Note that a child has failed; nothing if it was down."""
        if len(self._since) < _MOST:
            self._since.setdefault(event.path, event.time)

    def came_up(self, event: events.Event) -> None:
        """Note that a child has started."""
        if event.path not in self._links:
            self._end(event)

    def moved(self, event: ConnectionChanged) -> None:
        """Note where a connection is."""
        if len(self._links) < _MOST:
            self._links.add(event.path)
        if event.state in UP:
            self._end(event)
        elif event.state is ConnectionState.CLOSED:
            self._since.pop(event.path, None)
        elif event.state is not ConnectionState.CONNECTING:
            self.went_down(event)

    def was_put_down(self, event: events.Event) -> None:
        """Note that somebody has stopped or removed a child, and with it all below it."""
        path = event.path
        for name in [name for name in self._since if name == path or name.startswith(f"{path}/")]:
            del self._since[name]
        if isinstance(event, events.ChildRemoved):
            self._links.discard(path)

    def _end(self, event: events.Event) -> None:
        since = self._since.pop(event.path, None)
        if since is not None:
            self.recovery.observe(event.time - since)
