"""Incidents: the whole chain of an error as one line, from the events of a runtime.

```
/bot/feed  FeedClosedError: code 1006 -> NETWORK/MEDIUM transient -> network_retry -> ok after 1.3 s
```

`incident_log()` is a child for ``system=[...]`` that has each incident told when it is over.
"""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

import attrs
import trio
from loguru import logger

from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified, RecoveryAttempted, Source
from duenna.events import ChildRemoved, ChildStopped, Event, EventsLost, RuntimeStopping
from duenna.machines.backoff import Backoff
from duenna.machines.incident_chain import Action, Chain, Outcome
from duenna.machines.incidents import Incidents
from duenna.machines.link import ConnectionState
from duenna.spec import Child

if TYPE_CHECKING:
    from duenna._bus import EventStream
    from duenna.context import Context

__all__ = ["FOLLOWED", "Action", "Chain", "Incidents", "Outcome", "apply", "incident_log", "log_incident"]

FOLLOWED: Final[tuple[type[Event], ...]] = (
    ErrorClassified,
    RecoveryAttempted,
    ConnectionChanged,
    ChildStopped,
    ChildRemoved,
    RuntimeStopping,
)
"""The events that incidents are made of."""

MOST_EVENTS: Final = 10_000
"""Events that wait to be joined, at most; of more, the oldest are dropped, and outcomes may not be known."""

Tell = Callable[[Chain], object]
"""Takes an incident that is over."""


def apply(incidents: Incidents, event: Event) -> list[Chain]:
    """Have *incidents* take in one event; return those that are over by then."""
    now, path = event.time, event.path
    told: list[Chain] = []
    match event:
        case ErrorClassified():
            told = _judged(incidents, event)
        case RecoveryAttempted(attempt=attempt, report_id=number, error=error):
            told = incidents.action(now, path, event.action, event.status, attempt=attempt, number=number, error=error)
        case ConnectionChanged(state=state):
            told = incidents.link(now, path, is_well=state is ConnectionState.OPERATIONAL)
        case ChildStopped() | ChildRemoved():
            told = incidents.stopped(now, path)
        case EventsLost():
            told = incidents.lost(now)
        case RuntimeStopping():  # what is not over by now is told as it stands
            told = incidents.finish(now)
        case _:
            pass
    return told


def _judged(incidents: Incidents, event: ErrorClassified) -> list[Chain]:
    """Take in an error; it is of its actor, or else of the guard or the component that reported it."""
    report = event.report
    path = event.path if event.path != "/" else report.service or event.path
    is_crash = report.source is Source.CRASH
    return incidents.error(
        event.time, path, report.message, event.verdict, number=report.id, repeats=report.repeats, is_crash=is_crash
    )


def log_incident(chain: Chain) -> None:
    """Write the line of *chain* to loguru, bound to its path, at the level that its outcome deserves."""
    logger.bind(path=chain.path, event="Incident").log(chain.level, "{} {}", chain.path, chain.text())


def incident_log(tell: Tell = log_incident, *, settle: float = 1.0, longest: float = 60.0) -> Child:
    """Return a child for ``open_runtime(..., system=[...])`` that tells each incident of the bot when it is over.

    What is not over when the runtime begins to stop is told then, as it stands.

    Args:
        tell: Called with each; a plain function that returns soon. What it raises restarts the child.
        settle: Seconds that an incident must have been over before it is told, greater than 0.
        longest: Seconds after which a lasting stream of errors that nothing is done about is told in parts.

    Raises:
        TypeError: *tell* is no function, or a time is no number.
        ValueError: A time is out of range.
    """
    given: object = tell
    if not callable(given):
        raise TypeError(f"incident_log: tell must be a function of a Chain, got {tell!r}")
    joined = _Joined(Incidents(settle, longest), tell)
    return Child(
        "incidents",
        joined.follow,
        ready="manual",
        backoff=Backoff.steps(0.1, 1.0),
        max_failures=2,
        on_give_up="park",
        unpark_after=30.0,
    )


@attrs.define(eq=False)
class _Joined:
    """Follows a runtime; what is open outlives a restart."""

    incidents: Incidents
    tell: Tell
    _is_stopping: bool = attrs.field(default=False, init=False)

    async def follow(self, context: "Context") -> None:
        """Run: a function actor."""
        with context.runtime.events(*FOLLOWED, capacity=MOST_EVENTS) as stream:
            context.ready()
            if context.incarnation > 1:  # what happened meanwhile is not known
                self._tell(self.incidents.lost(context.now()))
            try:
                await self._read(stream, context.now)
            finally:
                for event in stream.drain():
                    self._take(event)
                if self._is_stopping:
                    self._tell(self.incidents.finish(context.now()))

    async def _read(self, stream: "EventStream", now: Callable[[], float]) -> None:
        """Take in events until they end; wakes up for what is due as well, and for nothing else."""
        while True:
            due = self.incidents.due
            event: Event | None = None
            with trio.move_on_at(inf if due is None else due):
                try:
                    event = await anext(stream)
                except StopAsyncIteration:
                    return
            if event is None:
                self._tell(self.incidents.advance(now()))
            else:
                self._take(event)

    def _take(self, event: Event) -> None:
        self._is_stopping = self._is_stopping or isinstance(event, RuntimeStopping)
        self._tell(apply(self.incidents, event))

    def _tell(self, chains: list[Chain]) -> None:
        for chain in chains:
            self.tell(chain)
