"""What a fault plan does to a world: each strike goes to the part of the world that it is about."""

import builtins
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from duenna._node import Node
from duenna._runtime import Runtime
from duenna.faults import (
    MAX_STRIKES,
    ClockStep,
    Crash,
    DatabaseLost,
    DatabaseSlow,
    DiskFull,
    Fault,
    FaultPlan,
    Planned,
    Service,
    Strike,
    Suspend,
)
from duenna.machines.lifecycle import ChildState

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna.testing._world import World

_BOT = "bot"
_DISK = (DatabaseLost, DatabaseSlow, DiskFull)


@attrs.define(eq=False)
class Strikes:
    """Carries out a plan.

    Attributes:
        world: Where.
        runtimes: Those whose actors crash.
        count: Strikes so far.
    """

    world: "World"
    runtimes: list[Runtime] = attrs.field(factory=list[Runtime], init=False)
    count: int = attrs.field(default=0, init=False)
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(MAX_STRIKES + 1), init=False)

    async def run(self, plan: FaultPlan, seconds: float) -> None:
        """Strike when the plan says so, counted from now, and end what lasts."""
        start = trio.current_time()
        ends: list[tuple[float, int, Strike, Callable[[], None]]] = []
        for strike in plan.strikes(seconds):
            await self._end_until(start + strike.begin, ends)
            await trio.sleep_until(start + strike.begin)
            end = self._begin(strike)
            if strike.end is not None:
                heappush(ends, (start + strike.end, strike.number, strike, end))
        await self._end_until(start + seconds, ends)

    async def _end_until(self, when: float, ends: list[tuple[float, int, Strike, Callable[[], None]]]) -> None:
        while ends and ends[0][0] <= when:
            due, _, strike, over = heappop(ends)
            await trio.sleep_until(due)
            self._end(strike, over)

    def by_hand(self, planned: Planned) -> None:
        """Strike now, whatever the plan says, and end it in time."""
        now = self.world.clock.current_time()
        end = None if planned.duration is None else now + planned.duration
        strike = Strike(now, end, planned, next(self._numbers))
        over = self._begin(strike)
        if end is not None:
            self.world.clock.call_at(end, self._end, strike, over)

    def _begin(self, strike: Strike) -> Callable[[], None]:
        planned = strike.planned
        length = None if strike.end is None else strike.end - strike.begin
        fault = _told(planned.fault)
        if isinstance(planned.fault, Crash) and not any(self._cells(planned.target)):  # it must excuse nobody
            self.world.record("fault_missed", planned.target, number=strike.number, fault=fault)
            return _nothing
        self.count += 1
        self.world.record("fault_begin", planned.target, number=strike.number, fault=fault, duration=length)
        over = self._strike(planned.fault, planned.target, length)
        if over is None:
            self._end(strike, _nothing)
        return over or _nothing

    def _end(self, strike: Strike, over: Callable[[], None]) -> None:
        over()
        self.world.record("fault_end", strike.planned.target, number=strike.number, fault=_told(strike.planned.fault))

    def _strike(self, fault: Fault, target: str, duration: float | None) -> Callable[[], None] | None:
        """Begin *fault* and return what ends it; None if that is for the server to know, and it is over already."""
        match fault:
            case Service():
                is_over = self.world.services.strike(fault, target, duration)
                return None if is_over and duration is None else _nothing
            case Crash():
                for cell in self._cells(target):
                    cell.node.manager.start_background(cell, _crash, (fault,))
            case ClockStep(offset=offset):
                self.world.wall.step(offset)
            case Suspend(length=length):
                self.world.wall.sleep(length)
                self.world.network.vanish_all_of(_BOT)
            case _ if isinstance(fault, _DISK):
                return self.world.disk.begin(fault, target)
            case _:
                return self.world.network.begin(fault, target)
        return _nothing

    def _cells(self, target: str) -> "Iterator[Cell]":
        cells = [cell for runtime in self.runtimes for root in runtime.roots for cell in root.walk()]
        for cell in cells:
            is_live = cell.state is ChildState.RUNNING and not isinstance(cell, Node)
            if is_live and fnmatchcase(cell.path, target):
                yield cell


async def _crash(fault: Crash) -> None:
    raise getattr(builtins, fault.error)(fault.text)


def _told(fault: Fault) -> dict[str, Any]:
    return msgspec.to_builtins(fault)  # type: ignore[no-any-return]


def _nothing() -> None:
    pass
