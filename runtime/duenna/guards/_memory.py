"""What breakers were in one process, for the next one: those that are open, and those that a hand has moved.

Theory of operation. Guards belong to the process, the state to a runtime. A runtime whose state outlives
the process stores every breaker that is not as it begins, by the name of its guards, with times of the wall
clock. What the next one finds stored is *pending* until a dependency of that name is there: at once if
there is one when the runtime opens, else when the first guard of that name is made. It is used for a
dependency that has had no call yet, and that no hand has moved; whatever else a dependency is, it is
newer. So two runtimes of one process do not undo each other, and a breaker is restored once. Windows,
counters and health are not stored: they are about calls that this process has not made.
"""

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs
import msgspec

from duenna.guards._registry import MOST, registry
from duenna.guards.breaker import Breaker
from duenna.machines.breaker import BreakerState
from duenna.wallclock import WallTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.guards._dependency import Dependency
    from duenna.machines.permit import Change

OUTDATED: Final = 86_400.0
"""Seconds after its end for which an opening is kept although no guard of that name was made."""

_TIMED: Final = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN})


class BreakerMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a breaker was.

    Attributes:
        state: `open`; or what a hand made of it, until a hand says otherwise. A half-open one is
            stored as one that was open until now.
        since: When it began, in seconds since 1970.
        until: When a probe is let through, likewise; None: only a hand changes it.
        openings: Openings in a row.
    """

    state: BreakerState
    since: float
    until: float | None = None
    openings: int = 0


@attrs.define(eq=False)
class BreakerMemories:
    """What one runtime keeps of the breakers of its process.

    Attributes:
        wall: Gives the time of day.
        pending: What was stored of breakers that are not there yet, by name.
    """

    wall: WallTime
    pending: dict[str, BreakerMemory] = attrs.field(factory=dict[str, BreakerMemory], init=False)
    _known: "WeakKeyDictionary[Dependency, tuple[int, float, BreakerMemory]]" = attrs.field(
        factory=WeakKeyDictionary[Any, Any], init=False
    )
    _restored: "WeakKeyDictionary[Dependency, int]" = attrs.field(factory=WeakKeyDictionary[Any, Any], init=False)

    def load(self, stored: dict[str, BreakerMemory]) -> None:
        """Take what an earlier process has stored; what began in the future, by a clock that was wrong, begins now."""
        wall = self.wall()
        for name, memory in stored.items():
            ahead = memory.since - wall
            if ahead > 0:
                until = None if memory.until is None else memory.until - ahead
                stored[name] = msgspec.structs.replace(memory, since=wall, until=until)
        self.pending = stored

    def dump(self) -> dict[str, BreakerMemory] | None:
        """Return what the next process needs to know; None if every breaker is as it begins. At most 1,000 names."""
        guards = list(registry.guards.items())
        for name, dependency in guards:
            if self._restored.get(dependency, dependency.circuit.generation) != dependency.circuit.generation:
                self.pending.pop(name, None)
        oldest = self.wall() - OUTDATED
        found = {name: each for name, each in self.pending.items() if each.until is None or each.until > oldest}
        for name, dependency in guards:
            memory = None if dependency.state is at_rest(dependency) else self._memory_of(dependency)
            if memory is not None:
                found[name] = memory
        return dict(sorted(found.items())[:MOST]) or None

    def recall(self, dependency: "Dependency", *, is_outer: bool = False) -> "Change | None":
        """Have *dependency* be what it was, once and unless it was used already; return its move, to be told.

        Args:
            dependency: That is there from now on, or for this runtime.
            is_outer: Whether the name may yet come to mean another one: a test has names of its own.
        """
        memory = self.pending.get(dependency.name) if self.pending else None
        if memory is None:
            return None
        if not is_outer:
            del self.pending[dependency.name]
        now = dependency.timeline.now()
        with dependency.lock:
            if not dependency.circuit.is_unused or dependency.state is not at_rest(dependency):
                return None
            change = self._move(dependency, memory, now)
            dependency._watch()  # noqa: SLF001  # as each of its own moves does
            self._restored[dependency] = dependency.circuit.generation
        return change

    def _move(self, dependency: "Dependency", memory: BreakerMemory, now: float) -> "Change | None":
        if memory.until is None:
            return self._by_hand(dependency, memory.state)(now)
        if not isinstance(dependency.settings.breaker, Breaker):
            return None
        wall = self.wall()
        left, lasted = memory.until - wall, wall - memory.since
        return dependency.circuit.restore(now, openings=memory.openings, left=left, lasted=lasted)

    def _by_hand(self, dependency: "Dependency", state: BreakerState) -> "Callable[[float], Change | None]":
        circuit = dependency.circuit
        moves = {
            BreakerState.FORCED_OPEN: circuit.force_open,
            BreakerState.DISABLED: circuit.disable,
            BreakerState.METRICS_ONLY: circuit.metrics_only,
        }
        return moves.get(state, lambda _now: None)

    def _memory_of(self, dependency: "Dependency") -> BreakerMemory | None:
        """Return what *dependency* is; the same for as long as it is, so that nothing is stored twice."""
        now, wall = dependency.timeline.now(), self.wall()  # in another world than its last, this begins it anew
        with dependency.lock:
            circuit = dependency.circuit
            state, generation, until = circuit.state, circuit.generation, circuit.until
            if state is at_rest(dependency):
                return None
            known = self._known.get(dependency)
            if known is not None and known[:2] == (generation, until):
                return known[2]
            is_timed = state in _TIMED
            memory = BreakerMemory(
                state=BreakerState.OPEN if is_timed else state,
                since=wall - (now - circuit.since),
                until=wall + until - now if is_timed else None,
                openings=circuit.openings,
            )
        self._known[dependency] = (generation, until, memory)
        return memory


def at_rest(dependency: "Dependency") -> BreakerState:
    """Return the state in which *dependency* begins."""
    return BreakerState.CLOSED if isinstance(dependency.settings.breaker, Breaker) else BreakerState.DISABLED
