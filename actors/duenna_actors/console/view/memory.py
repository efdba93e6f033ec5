"""What the console knows from events. It outlives the console's restarts: one object for the runtime's life.

It hears events where they are posted and keeps few of them. Events that come in floods, and
those that tell of nothing unusual, are wanted only while somebody looks: otherwise they are
not even built.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna import EventStream
from duenna.error_events import ErrorClassified
from duenna.events import ChildRemoved, ChildStarting, DeadLetter, Event, MessageDropped
from duenna.guard_events import BreakerChanged, CallHedged, CallRejected, CallRetried, FallbackUsed
from duenna.incidents import FOLLOWED
from duenna.state.events import ActorRestored, ActorSaved
from duenna_actors.console.metrics.meter import Meter
from duenna_actors.console.view.history import History
from duenna_actors.console.view.ring import EventRing
from duenna_actors.console.view.rings import ErrorRings
from duenna_actors.console.view.why import WhyTimeline

if TYPE_CHECKING:
    from duenna import Runtime

FLOODS: Final = (
    *(ChildStarting, DeadLetter, MessageDropped),
    *(CallHedged, CallRejected, CallRetried, FallbackUsed),
    *(ActorRestored, ActorSaved),
)
"""Events that may come by the thousand; nobody has them built for a console that nobody looks at."""

MOST_GUARDS: Final = 1000
MOST_USERS: Final = 20


@attrs.define(eq=False)
class ConsoleMemory:
    """What happened, as far as a viewer may ask for it.

    Attributes:
        why: The why-timeline.
        history: States of actors over time.
        ring: The last events.
        errors_by_minute: Errors over time.
        meter: Counters for the metrics.
        guards: Paths of the actors that called a guard when its breaker moved, by its name: the latest 20.
        told_guards: The guards that a viewer was told of.
        ticks: Number of the last snapshot; it grows over all restarts of the console.
    """

    why: WhyTimeline = attrs.field(factory=WhyTimeline, init=False)
    history: History = attrs.field(factory=History, init=False)
    ring: EventRing = attrs.field(factory=EventRing, init=False)
    errors_by_minute: ErrorRings = attrs.field(factory=ErrorRings, init=False)
    meter: Meter = attrs.field(factory=Meter, init=False)
    guards: OrderedDict[str, OrderedDict[str, None]] = attrs.field(factory=OrderedDict[str, Any], init=False)
    told_guards: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    ticks: int = attrs.field(default=0, init=False)
    _ear: _Ear | None = attrs.field(default=None, init=False)
    _lookers: int = attrs.field(default=0, init=False)

    def attach(self, runtime: Runtime) -> None:
        """Listen to *runtime* from now on, for its whole life; does nothing the second time."""
        if self._ear is not None:
            return
        self._ear = _Ear(1, runtime.bus, (), runtime.clock, memory=self, skips_routine=True)
        runtime.bus.attach(self._ear)
        self.meter.attach(runtime)

    @property
    def is_looked_at(self) -> bool:
        """Whether somebody looks at events as they come."""
        return self._lookers > 0

    def look(self) -> None:
        """Note that one more looks: from the first on, every event is wanted."""
        self._lookers += 1
        if self._lookers == 1 and self._ear is not None:
            self._ear.listen(closely=True)

    def look_away(self) -> None:
        """Note that one has gone; after the last one, floods and routine are not wanted any more."""
        self._lookers -= 1
        if self._lookers == 0 and self._ear is not None:
            self._ear.listen(closely=False)

    def hear(self, event: Event) -> None:
        """Take in *event*; never raises."""
        self.ring.append(event)
        hear = _HEARD.get(type(event))
        if hear is not None:
            hear(self, event)
        if isinstance(event, FOLLOWED):
            self.why.hear(event)
        self.history.hear(event)

    def erred(self, event: ErrorClassified) -> None:
        """Count an error, unless it is one that was counted already."""
        if event.report.repeats is None:
            self.errors_by_minute.add(event.time, str(event.verdict.severity), event.path)

    def breaker_changed(self, event: BreakerChanged) -> None:
        """Note who called a guard when its breaker moved."""
        if event.path == "/":
            return
        users = self.guards.get(event.guard)
        if users is None:
            if len(self.guards) >= MOST_GUARDS:
                self.guards.popitem(last=False)
            users = self.guards[event.guard] = OrderedDict()
        users[event.path] = None
        if len(users) > MOST_USERS:
            users.popitem(last=False)

    def removed(self, event: ChildRemoved) -> None:
        """Forget a child that is gone; what was below it ages out."""
        self.history.forget(event.path)


_HEARD: Final[dict[type[Event], Any]] = {
    ErrorClassified: ConsoleMemory.erred,
    BreakerChanged: ConsoleMemory.breaker_changed,
    ChildRemoved: ConsoleMemory.removed,
}


@attrs.define(eq=False)
class _Ear(EventStream):
    """Hears events as they are posted and keeps none."""

    _memory: ConsoleMemory = attrs.field(kw_only=True, alias="memory")

    def takes(self, kind: type[Event]) -> bool:
        """Return whether events of *kind* are wanted now."""
        return self._memory.is_looked_at or not issubclass(kind, FLOODS)

    def offer(self, event: Event) -> None:
        """Take in *event* if it is wanted: it may have been built for another."""
        if self.takes(type(event)):
            self._memory.hear(event)

    def listen(self, *, closely: bool) -> None:
        """Want every event, or only what is neither routine nor a flood; the bus asks each stream anew."""
        self.skips_routine = not closely
        self._bus.detach(self)
        self._bus.attach(self)
