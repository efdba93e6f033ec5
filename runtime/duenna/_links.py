"""The connections of one runtime: how each was left, and what its supervisor does to it while it is down.

A connection reports its own life while it has one. Parked, or stopped while it waits in
backoff, there is nobody to say so; then this does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from duenna._bus import EventStream
from duenna.connection_events import ConnectionChanged
from duenna.events import ChildParked, ChildRemoved, ChildStopped, Event
from duenna.machines.link import RESTING, TRANSITIONS, ConnectionState, LinkEvent

if TYPE_CHECKING:
    from duenna._runtime import Runtime


@attrs.define(eq=False)
class Links(EventStream):
    """Where each connection of a runtime is, by path; hears events at once, and keeps none."""

    _states: dict[str, tuple[str, ConnectionState]] = attrs.field(
        factory=dict[str, tuple[str, ConnectionState]], init=False
    )

    def left(self, path: str) -> ConnectionState:
        """Return how the connection at *path* was left: a state in which connecting begins."""
        _, state = self._states.get(path, ("", ConnectionState.CLOSED))
        return state if state in RESTING else ConnectionState.CLOSED

    def offer(self, event: Event) -> None:
        """Note *event*; report what it means for a connection that is down."""
        match event:
            case ConnectionChanged():
                self._states[event.path] = (event.kind, event.state)
            case ChildParked() if event.path in self._states:
                self._move(event, LinkEvent.GAVE_UP, event.reason)
            case ChildStopped() if event.path in self._states:
                self._move(event, LinkEvent.CLOSE, "stopped by operator")
            case ChildRemoved():
                self._states.pop(event.path, None)
            case _:
                pass

    def _move(self, event: Event, move: LinkEvent, why: str) -> None:
        kind, state = self._states[event.path]
        then = TRANSITIONS.get((state, move))
        if then is not None and state in RESTING:  # one that is up reports its own end
            changed = ConnectionChanged(
                time=event.time, path=event.path, kind=kind, previous=state, state=then, why=why
            )
            self._bus.post(changed)


_LINKS: WeakKeyDictionary[Runtime, Links] = WeakKeyDictionary()


def links_of(runtime: Runtime) -> Links:
    """Return the one `Links` of *runtime*, made when its first connection starts."""
    links = _LINKS.get(runtime)
    if links is None:
        kinds = (ConnectionChanged, ChildParked, ChildStopped, ChildRemoved)
        links = _LINKS[runtime] = Links(1, runtime.bus, kinds, runtime.clock)
        runtime.bus.attach(links)
    return links
