"""What a runtime keeps of its own across restarts of the process, beside the fields of actors.

Breakers that are open or were moved by a hand, failures in a row, the counts of errors and of
recovery, pauses, and the last good values of sources. Operator stops and the trading mode are `duenna.state`'s.
Nothing of it is kept where the state does not outlive the process.
"""

from typing import TYPE_CHECKING, Any

import attrs

from duenna._bus import EventStream
from duenna._failing import FailureMemory
from duenna.events import ChildParked, ChildRestarting, Event
from duenna.guard_events import BreakerChanged
from duenna.guards._memory import BreakerMemories, BreakerMemory
from duenna.machines.error_tracker import TallyMemory
from duenna.recovery.attempts import RecoveryMemory
from duenna.recovery.data import GoodMemory
from duenna.state import Part

if TYPE_CHECKING:
    from duenna._runtime import Runtime

_PROMPT = (BreakerChanged, ChildParked, ChildRestarting)


@attrs.define(eq=False)
class _Ear(EventStream):
    """Has the state saved soon when something has happened that the next process must know."""

    _runtime: "Runtime" = attrs.field(kw_only=True, alias="runtime")

    def offer(self, event: Event) -> None:
        """Take in *event*, and keep none."""
        if isinstance(event, _PROMPT):
            self._runtime.system.failing.heard(event)
            self._runtime.state.save_soon()


def add_standard_parts(runtime: "Runtime") -> BreakerMemories | None:
    """Have *runtime* keep what is its own, if its state outlives the process; return what it knows of breakers then."""
    state, system = runtime.state, runtime.system
    if not state.store.is_durable:
        return None
    breakers = BreakerMemories(lambda: state.wall())  # noqa: PLW0108  # whichever it goes by then
    recovery, data, errors, failing = system.recovery, system.recovery.data, system.errors, system.failing
    parts: list[Part[Any]] = [
        Part(name="guards", type=dict[str, BreakerMemory], dump=breakers.dump, load=breakers.load),
        Part(name="failures", type=dict[str, FailureMemory], dump=failing.dump, load=failing.load),
        Part(name="errors", type=TallyMemory, dump=errors.dump, load=errors.load),
        Part(
            name="recovery",
            type=RecoveryMemory,
            dump=lambda: recovery.dump(state.to_wall),
            load=lambda memory: recovery.load(memory, state.from_wall),
        ),
        Part(
            name="data",
            type=dict[str, GoodMemory],
            dump=lambda: data.dump(state.to_wall),
            load=lambda memory: data.load(memory, state.age),
        ),
    ]
    for part in parts:
        state.add(part)
    runtime.bus.attach(_Ear(1, runtime.bus, _PROMPT, runtime.clock, runtime=runtime, skips_routine=True))
    return breakers
