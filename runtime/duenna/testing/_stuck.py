"""A task that spins while the time stands still: the world would never end, so it ends the task."""

from operator import attrgetter
from typing import Any, NoReturn, cast

import attrs
import outcome
import trio
from trio._core._run import GLOBAL_RUN_CONTEXT

from duenna._cell import Cell
from duenna._host import Host
from duenna._run import alive
from duenna._runtime import Runtime
from duenna.testing._clock import WorldClock

_PASSES = 200_000


class WorldStuckError(BaseException):
    """A task ran again and again while the virtual time stood still, as one does that swallows its `Cancelled`."""


@attrs.define(eq=False)
class SpinGuard(trio.abc.Instrument):
    """Counts the passes of the loop at one virtual time, and throws into whatever keeps it busy.

    Attributes:
        clock: The world's.
        passes: How many are too many.
        found: Names of the tasks that were ended, in the order of their making.
    """

    clock: WorldClock
    passes: int = _PASSES
    found: list[str] = attrs.field(factory=list[str], init=False)
    _time: float = attrs.field(default=-1.0, init=False)
    _count: int = attrs.field(default=0, init=False)

    def before_io_wait(self, timeout: float) -> None:
        """Count one pass."""
        del timeout
        now = self.clock.current_time()
        if now != self._time:
            self._time, self._count = now, 0
            return
        self._count += 1
        if self._count >= self.passes:
            self._count = 0
            self._end_them()

    def _end_them(self) -> None:
        runner = cast("Any", GLOBAL_RUN_CONTEXT).runner  # nothing public tells
        tasks: list[Any] = sorted(runner.runq, key=attrgetter("_counter"))
        for task in tasks:
            text = f"{task.name} ran {self.passes} times while the virtual time stood still at {self._time}"
            self.found.append(task.name)
            task._next_send_fn = outcome.Error(WorldStuckError(text)).send  # noqa: SLF001
            task._next_send = task.coro  # noqa: SLF001


def end_by_force(runtime: Runtime, why: str) -> list[str]:
    """Throw `WorldStuckError` into whatever the actors of *runtime* still wait for, shielded or not.

    Returns:
        The paths of those actors.
    """

    def refuse() -> NoReturn:
        raise WorldStuckError(why)

    stuck = list(alive(runtime))
    for cell in stuck:
        for task in _waiting(cell):
            task._attempt_abort(refuse)  # noqa: SLF001  # nothing public wakes a task that is shielded
    return [cell.path for cell in stuck]


def _waiting(cell: Cell) -> list[Any]:
    """Return the tasks of *cell* that wait for something but for their own children, in the order of their making."""
    hosts = [part for part in (cell.more.host, cell.more.cleaner) if isinstance(part, Host)]
    waiting: list[Any] = [host.nursery.parent_task for host in hosts if host.nursery is not None]
    found: list[Any] = []
    while waiting:
        task = waiting.pop()
        below = [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        waiting += below
        if not below and task._abort_func is not None:  # noqa: SLF001
            found.append(task)
    return sorted(found, key=attrgetter("_counter"))
