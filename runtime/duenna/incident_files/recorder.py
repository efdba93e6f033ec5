"""The flight recorder: the last events of a runtime, and the ear for those that an incident is taken of."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

import attrs

from duenna._bus import EventStream
from duenna.events import ChildParked, DeadLetter, ErrorReported, Event, MessageDropped, SupervisorGaveUp
from duenna.guard_events import CallRejected, CallRetried, FallbackUsed
from duenna.incident_files.document import Trigger

if TYPE_CHECKING:
    from duenna._runtime import Runtime

KEPT: Final = 1_000
"""Events that are kept; of more, the oldest are gone."""

_UNWANTED: Final = (DeadLetter, MessageDropped, CallRejected, CallRetried, FallbackUsed, ErrorReported)
"""They come by the thousand, and are not made unless somebody wants them: their numbers are in the document.

An `ErrorReported` is told by the `ErrorClassified` of the same error, too.
"""

_QUIET: Final = frozenset({"TRACE", "DEBUG"})
_TRIGGERS: Final[dict[type[Event], Trigger]] = {SupervisorGaveUp: Trigger.GAVE_UP, ChildParked: Trigger.PARKED}

Heard = Callable[[Trigger, Event], None]
"""Is told of an event that an incident is to be taken of; at once, and must not raise."""


@attrs.define(eq=False)
class Recorder(EventStream):
    """Keeps the last events. It wants none that would not be made without it: no routine, no floods, no details."""

    _heard: Heard = attrs.field(kw_only=True, alias="heard")
    _kinds: dict[type[Event], bool] = attrs.field(factory=dict[type[Event], bool], init=False)
    _kept: deque[Event] = attrs.field(factory=lambda: deque[Event](maxlen=KEPT), init=False)

    @classmethod
    def of(cls, runtime: "Runtime", heard: Heard) -> Self:
        """Return one that listens to *runtime*."""
        recorder = cls(1, runtime.bus, (), runtime.clock, heard=heard, skips_routine=True)
        runtime.bus.attach(recorder)
        return recorder

    def takes(self, kind: type[Event]) -> bool:
        """Return whether events of *kind* are kept."""
        return kind.level not in _QUIET and not issubclass(kind, _UNWANTED)

    def offer(self, event: Event) -> None:
        """Keep *event* if it is one that is kept, and have an incident taken if it is one of those."""
        kind = type(event)
        is_kept = self._kinds.get(kind)
        if is_kept is None:
            is_kept = self._kinds[kind] = self.takes(kind)
        if is_kept:
            self._kept.append(event)
            trigger = _TRIGGERS.get(kind)
            if trigger is not None:
                self._heard(trigger, event)

    @property
    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._kept)
