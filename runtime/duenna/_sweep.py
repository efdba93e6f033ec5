"""Ordered work on several children: boot, the restart of a group, the end.

At most one sweep is under way in a supervisor. It stops its children from the last to
the first, waits, and starts them from the first to the last; it awaits nothing itself,
but goes on whenever a child has ended or become ready. A failure during a sweep begins
a new one, which takes the place of the old, and takes over those that the old one has not
started yet.
"""

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

import attrs

from duenna import events
from duenna._cell import Cell
from duenna.machines.lifecycle import ALIVE, ChildState, Step, after
from duenna.machines.plan import first_affected

if TYPE_CHECKING:
    from duenna._manager import Manager
    from duenna._timers import Alarm

_SLICE = 256


class Phase(Enum):
    """How far a sweep is."""

    STOPPING = "stopping"
    WAITING = "waiting"
    STARTING = "starting"


class Kind(Enum):
    """What a sweep is for."""

    BOOT = "boot"
    GROUP = "group"
    END = "end"


@attrs.define(eq=False)
class Sweep:
    """One sweep: whom to stop (the last first), whom to start, and how far it is."""

    kind: Kind
    stops: list[Cell]
    starts: list[Cell]
    phase: Phase
    trigger: Cell | None = None
    delay: float = 0.0
    timer: "Alarm | None" = None
    position: int = 0
    fresh: set[Cell] = attrs.field(factory=set[Cell])
    stuck: list[tuple[Cell, int]] = attrs.field(factory=list[tuple[Cell, int]])
    members: frozenset[Cell] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Note who belongs to it: ten thousand may ask."""
        self.members = frozenset(self.stops)

    def take_over(self, old: "Sweep") -> None:
        """Start also those whom *old* would have started and who are not in this group."""
        left = old.starts[old.position :]
        self.starts = [cell for cell in left if cell not in self.members] + self.starts
        self.fresh = old.fresh


class Sweeper:
    """Carry out the sweeps of one supervisor."""

    def __init__(self, manager: "Manager") -> None:
        """Work for *manager*."""
        self._manager = manager
        self._node = manager.node
        self._sweep: Sweep | None = None
        self._is_advancing = False

    # -- beginnings ------------------------------------------------------------

    def boot(self) -> None:
        """Start every child, each when the one before it is ready."""
        children = list(self._node.children.values())
        for cell in children:
            if cell.state is ChildState.FAILED:  # parked before its supervisor was restarted, and still so
                self._manager.restarts.await_unpark(cell)
            elif cell.state is ChildState.PENDING and cell.path in self._node.runtime.state.stops:
                self._manager.hold(cell)  # an operator stopped it, in this process or in the one before
        self._begin(Sweep(Kind.BOOT, [], children, Phase.STARTING, fresh=set(children)))

    def end(self) -> None:
        """Stop every child, the last first."""
        self._begin(Sweep(Kind.END, list(self._node.children.values()), [], Phase.STOPPING))

    def restart_group(self, trigger: Cell, delay: float) -> None:
        """Stop the group of *trigger* now, and start it in *delay* seconds."""
        children = list(self._node.children.values())
        first = first_affected(self._node.spec.strategy, children.index(trigger))
        members = children[first:]
        self._post_group(trigger, members, delay)
        self._begin(Sweep(Kind.GROUP, list(members), members, Phase.STOPPING, trigger, delay))

    def _begin(self, sweep: Sweep) -> None:
        old = self._sweep
        if old is not None and sweep.kind is Kind.GROUP:
            sweep.take_over(old)
        if old is not None and old.timer is not None:
            old.timer.cancel()
        trigger = old.trigger if old is not None else None
        if trigger is not None and trigger is not sweep.trigger and trigger.state is ChildState.BACKOFF:
            self._manager.cancel_due(trigger)
        self._sweep = sweep
        self.advance()

    # -- questions -------------------------------------------------------------

    def absorbs(self, cell: Cell) -> bool:
        """Return whether the end of *cell* is part of a group's stop: then it is not counted again."""
        sweep = self._sweep
        return sweep is not None and sweep.phase is Phase.STOPPING and cell in sweep.members

    def is_booting(self, cell: Cell) -> bool:
        """Return whether *cell* was being started for the first time, at boot."""
        return self._sweep is not None and cell in self._sweep.fresh

    def will_start(self, cell: Cell) -> bool:
        """Return whether a sweep has *cell* on its list of those to start."""
        return self._sweep is not None and cell in self._sweep.starts[self._sweep.position :]

    def due_of(self, cell: Cell) -> float | None:
        """Return when the group that *cell* triggered starts; None: it triggered none, or that does not wait."""
        sweep = self._sweep
        return sweep.timer.at if sweep is not None and sweep.trigger is cell and sweep.timer is not None else None

    def queued(self) -> tuple[Cell, ...]:
        """Return those that a sweep will start yet, in that order."""
        return () if self._sweep is None else tuple(self._sweep.starts[self._sweep.position :])

    def stopping(self) -> tuple[Cell, ...]:
        """Return those that a sweep will stop yet, in start order."""
        return () if self._sweep is None else tuple(self._sweep.stops)

    @property
    def is_starting(self) -> bool:
        """Whether the sweep under way has begun to start its children."""
        return self._sweep is not None and self._sweep.phase is Phase.STARTING

    def takes(self, cell: Cell) -> bool:
        """Take a child that is down, and shall start now, along with the group that is about to start; say so."""
        sweep = self._sweep
        if sweep is None or sweep.phase is Phase.STARTING or not self.will_start(cell):
            return False
        self._manager.cancel_due(cell)
        cell.state = after(cell.state, Step.RESET)
        return True

    def is_trigger(self, cell: Cell) -> bool:
        """Return whether the group that is being restarted is *cell*'s own."""
        return self._sweep is not None and self._sweep.trigger is cell

    def join(self, cell: Cell) -> bool:
        """Let a new child take its place at the end of a group that is being restarted."""
        if self._sweep is None or self._sweep.kind is not Kind.GROUP:
            return False
        self._sweep.starts.append(cell)
        return True

    def hurry(self) -> None:
        """Start a waiting group now: an operator asked for it."""
        if self._sweep is not None and self._sweep.kind is Kind.GROUP:
            self._sweep.delay = 0.0
            if self._sweep.phase is Phase.WAITING:
                self._start_phase(self._sweep)

    # -- going on --------------------------------------------------------------

    def advance(self) -> None:
        """Go on as far as possible without waiting; long work is done in slices."""
        if self._is_advancing or (
            self._manager.is_ending and self._sweep is not None and self._sweep.kind is not Kind.END
        ):
            return
        self._is_advancing = True
        try:
            for _ in range(_SLICE):
                if self._sweep is None or not self._step(self._sweep):
                    return
        finally:
            self._is_advancing = False
        self._manager.post(self.advance)

    def _step(self, sweep: Sweep) -> bool:
        """Do one thing; return False if there is something to wait for."""
        if sweep.phase is Phase.STOPPING:
            return self._stop_next(sweep) if sweep.stops else self._stopped(sweep)
        if sweep.phase is Phase.WAITING:
            return False
        return self._start_next(sweep)

    def _stop_next(self, sweep: Sweep) -> bool:
        cell = sweep.stops[-1]
        if cell.state in ALIVE:
            if not (cell.state is ChildState.STOPPING and cell.more.is_stuck):
                self._manager.life.stop(cell, self._manager.reset, why=self._why(sweep))
                if self._sweep is not sweep:
                    return True
            if cell.state in ALIVE and not cell.more.is_stuck:
                return False
        elif cell is not sweep.trigger or sweep.kind is Kind.END:
            if cell.state is ChildState.BACKOFF or sweep.kind is Kind.END:
                self._manager.cancel_due(cell)
            if cell.state is ChildState.FINISHED and sweep.kind is Kind.GROUP:
                cell.state = after(cell.state, Step.RESET)
        if cell.state in ALIVE:
            sweep.stuck.append((cell, cell.incarnation))
        sweep.stops.pop()
        return True

    def _stopped(self, sweep: Sweep) -> bool:
        if any(cell.state in ALIVE and cell.incarnation == old for cell, old in sweep.stuck):
            return False  # nothing is started beside one that is stuck, and nothing ends before it
        if sweep.kind is Kind.END:
            self._sweep = None
            self._manager.ended()
            return False
        if sweep.delay > 0:
            sweep.phase = Phase.WAITING
            call = partial(self._manager.post, self._start_phase, sweep)
            sweep.timer = self._node.runtime.timers.after(sweep.delay, call)
            return False
        sweep.phase = Phase.STARTING
        return True

    def _start_phase(self, sweep: Sweep) -> None:
        if self._sweep is sweep and sweep.phase is Phase.WAITING:
            if sweep.timer is not None:
                sweep.timer.cancel()
            sweep.phase = Phase.STARTING
            self.advance()

    def _start_next(self, sweep: Sweep) -> bool:
        if sweep.position >= len(sweep.starts):
            self._sweep = None
            if sweep.kind is Kind.BOOT or self._manager.is_booting:
                self._manager.booted()
            return False
        cell = sweep.starts[sweep.position]
        state = cell.state
        if state in {ChildState.STARTING, ChildState.STOPPING}:
            return False
        if state is ChildState.PENDING or (state is ChildState.BACKOFF and cell is sweep.trigger):
            self._manager.life.start(cell)
            return True
        sweep.fresh.discard(cell)
        sweep.position += 1
        return True

    def _why(self, sweep: Sweep) -> str:
        if sweep.trigger is None:
            return f"stopped by supervisor {self._node.path}"
        return f"stopped by supervisor {self._node.path}: {self._node.spec.strategy} of {sweep.trigger.name}"

    def _post_group(self, trigger: Cell, members: list[Cell], delay: float) -> None:
        bus = self._node.runtime.bus
        if bus.wants(events.GroupRestarting):
            bus.post(
                events.GroupRestarting(
                    time=self._node.runtime.now(),
                    path=self._node.path,
                    strategy=str(self._node.spec.strategy),
                    trigger=trigger.name,
                    members=tuple(cell.name for cell in members),
                    delay=delay,
                )
            )
