"""The states that actors came to, from the events of the runtime. Bounded: 200 of each of 1,000 actors."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna import events
from duenna.connection_events import ConnectionChanged
from duenna.machines.link import UP
from duenna_actors.console.view.model import Transition
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.events import Event

MOST_ACTORS: Final = 1000
MOST_STATES: Final = 200
DAY: Final = 86_400.0

_AT_ONCE: Final = 0.001
"""Seconds within which two states are steps of one change: only the last one is kept."""


@attrs.define(eq=False)
class History:
    """The states of actors over time. Of more than 1,000, those that have not changed for the longest are forgotten."""

    _states: OrderedDict[str, deque[Transition]] = attrs.field(factory=OrderedDict[str, deque[Transition]], init=False)
    _links: dict[str, None] = attrs.field(factory=dict[str, None], init=False)

    def hear(self, event: Event) -> None:
        """Take in *event* if it tells of a state."""
        tell = _TOLD.get(type(event))
        if tell is None:
            return
        state, why = tell(event)
        path = event.path
        known = self._states.get(path)
        if known is None:
            if len(self._states) >= MOST_ACTORS:
                gone, _ = self._states.popitem(last=False)
                self._links.pop(gone, None)
            known = self._states[path] = deque(maxlen=MOST_STATES)
        else:
            self._states.move_to_end(path)
        if isinstance(event, ConnectionChanged):
            self._links[path] = None
        if known and event.time - known[-1].time < _AT_ONCE:
            known.pop()
        known.append(Transition(event.time, state, brief(why, 200)))

    def of(self, path: str, since: float = -float("inf")) -> tuple[Transition, ...]:
        """Return the states that the actor at *path* came to at *since* or later, oldest first."""
        return tuple(each for each in self._states.get(path, ()) if each.time >= since)

    def since(self, path: str) -> float | None:
        """Return when the actor at *path* came to its present state; None: nobody heard of it."""
        states = self._states.get(path)
        return states[-1].time if states else None

    def troubled(self, since: float, most: int) -> dict[str, tuple[Transition, ...]]:
        """Return the states since then of connections, and of actors that were not running at some time.

        Of more than *most*, those that changed last.
        """
        found: dict[str, tuple[Transition, ...]] = {}
        for path in reversed(self._states):
            if len(found) >= most:
                break
            states = self.of(path, since)
            if states and (path in self._links or any(each.state not in _WELL for each in states)):
                found[path] = states
        return found

    def forget(self, path: str) -> None:
        """Forget the actor at *path*."""
        self._states.pop(path, None)
        self._links.pop(path, None)


_WELL: Final = frozenset({"running", "starting", "connecting", "operational"})


def _moved(event: ConnectionChanged) -> tuple[str, str]:
    return str(event.state), "" if event.state in UP and not event.why else event.why


def _exited(event: events.ChildExited) -> tuple[str, str]:
    """Say what an end leads to as far as it tells: what follows at once takes its place."""
    return ("pending" if event.context.startswith("shutdown") else "finished"), event.reason


_TOLD: Final[dict[type[Event], Callable[[Any], tuple[str, str]]]] = {
    events.ChildStarting: lambda event: ("starting", f"incarnation {event.incarnation}"),
    events.ChildStarted: lambda _event: ("running", ""),
    events.ChildExited: _exited,
    events.ChildRestarting: lambda event: ("backoff", event.reason),
    events.ChildParked: lambda event: ("failed", event.reason),
    events.ChildStopped: lambda _event: ("stopped", "by an operator"),
    events.ChildSuspended: lambda _event: ("suspended", "by an operator"),
    events.ChildResumed: lambda _event: ("running", "resumed by an operator"),
    ConnectionChanged: _moved,
}
