"""Serve the cells of one supervisor with few tasks and few checkpoints.

A message costs no checkpoint of its own: the worker that holds the *runner* role takes
one real checkpoint, then serves cells until 2,048 messages or half a millisecond are
over. A handler that gives way to trio in the middle (its first yield is seen, because
turns are driven by hand) blocks its own cell only: the role passes to another worker. A
worker whose handler comes back takes the role if it is free, and otherwise rests; eight
rest at most, so there are never more workers than blocked handlers and eight.

Each turn runs in a fresh copy of the supervisor's context, so that a context variable set
by one cell is not seen by the next.
"""

from collections import deque
from collections.abc import Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import TYPE_CHECKING, Any

import attrs
import trio
from trio.lowlevel import cancel_shielded_checkpoint, current_task, wait_task_rescheduled

from duenna._promise import RESUME
from duenna._turn import Blocked, turn_async, turn_sync
from duenna.mailbox import NOTHING

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._node import Node
    from duenna.timings import Timings

_MOST_SPARES = 8
_MOST_MESSAGES = 2048
_MOST_SECONDS = 0.0005
_MOST_IN_A_TURN = 64
_CLOCK_EVERY = 16
_ROUNDS = 8  # of which one is timed
IDLE, QUEUED, SLOW = 0, 1, 2
"""The gates of a cell; see there."""

MANY_CELLS = 10_000
"""With more cells than this, an empty mailbox gives its deque back."""


@attrs.define(eq=False)
class Worker:
    """A task that serves cells.

    Attributes:
        spares: Those that rest.
        cell: Whose handler it runs, None between turns.
        scope: What cancels that handler.
        is_runner: Whether it holds the role.
        task: Its task.
        turn: The coroutine of a handler that has given way, None between those: `duenna.stacks` looks into it.
    """

    spares: "list[Worker]"
    cell: "Cell | None" = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    is_runner: bool = True
    task: trio.lowlevel.Task | None = None
    turn: Any = None

    def abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Rest no more."""
        self.spares.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


Halted = tuple["Cell", Blocked, Context]


class Dispatcher:
    """The queue of cells that have mail, and the workers that serve it."""

    __slots__ = (
        "_clock",
        "_context",
        "_is_closed",
        "_limit",
        "_node",
        "_probe",
        "_skipped",
        "_spares",
        "_timings",
        "_woken_at",
        "is_asleep",
        "ready",
    )

    def __init__(self, node: "Node") -> None:
        """Serve the children of *node*."""
        self._node = node
        self._clock = node.runtime.clock
        self._context = copy_context()
        self._timings = node.runtime.timings
        self._woken_at: float | None = None
        self._probe: tuple[Cell, int, float] | None = None
        self._skipped = 0  # rounds that are not timed before the next one that is
        self._spares: list[Worker] = []
        self._limit = 16
        self._is_closed = True
        self.ready: deque[Cell] = deque()
        self.is_asleep = True

    def open(self) -> None:
        """Begin to serve: the node's nursery is there."""
        self._is_closed = False
        self._context = copy_context()
        if self.ready and self.is_asleep:
            self.wake()

    def close(self) -> None:
        """Stop serving; resting workers end."""
        self._is_closed = True
        self.is_asleep = True
        spares = self._spares.copy()
        self._spares.clear()
        for worker in spares:
            assert worker.task is not None  # noqa: S101  # it rests, so it has a task
            trio.lowlevel.reschedule(worker.task, RESUME)

    def wake(self) -> None:
        """Give the free runner role to a worker."""
        if self._is_closed:
            return
        self.is_asleep = False
        if not self._skipped and self._timings.is_on:
            self._woken_at = self._clock.current_time()
        if self._spares:
            worker = self._spares.pop()
            worker.is_runner = True
            assert worker.task is not None  # noqa: S101  # it rests, so it has a task
            trio.lowlevel.reschedule(worker.task, RESUME)
        else:
            name = f"{self._node.path} (worker)"
            self._context.run(self._node.nursery.start_soon, self._work, Worker(self._spares), name=name)

    def run_outside(self, cell: "Cell", message: object) -> object:
        """Handle *message* at once in the caller's task, in a context of its own; for an inline ask."""
        return self._context.copy().run(handle, cell, message)

    @trio.lowlevel.enable_ki_protection
    async def _work(self, worker: Worker) -> None:
        worker.task = current_task()
        askers = self._node.runtime.askers
        askers[worker.task] = worker
        try:
            while await self._work_until_cancelled(worker):
                pass
        finally:
            del askers[worker.task]

    async def _work_until_cancelled(self, worker: Worker) -> bool:
        """Serve until the worker is not needed (False) or its scope is used up (True)."""
        error: BaseException | None = None
        try:
            with trio.CancelScope(shield=True) as worker.scope:
                while worker.is_runner or not self._has_enough(self._spares):
                    if not worker.is_runner:
                        self._spares.append(worker)
                        await wait_task_rescheduled(worker.abort)
                        if not worker.is_runner:
                            return False
                    halted = self._drain(worker)
                    if halted is not None:
                        if not await self._see_through(worker, *halted):
                            break
                    elif self.ready and not self._is_closed:
                        await cancel_shielded_checkpoint()
                    else:
                        worker.is_runner = False
                        self.is_asleep = True
                else:
                    return False
        except BaseException as exc:  # noqa: BLE001  # whatever it is, it goes to the manager as the cell's end
            error = exc
        cell, worker.cell = worker.cell, None
        if cell is not None:
            self._node.manager.turn_ended(cell, worker, error)
        self._take_role(worker)
        return True

    def _has_enough(self, spares: list[Worker]) -> bool:
        """Return whether no more workers need rest: there are enough without a blocked handler."""
        return self._is_closed or len(spares) + (not self.is_asleep) >= _MOST_SPARES

    def _drain(self, worker: Worker) -> "Halted | None":  # noqa: C901, PLR0912  # the one loop every message goes through, flat for speed
        """Serve as the runner until there is no mail, or the budget is spent; a plain function, for speed.

        Whoever calls has just come from a checkpoint.

        Returns:
            The turn that has given way to trio, if one has.
        """
        ready = self.ready
        runtime = self._node.runtime
        now = self._clock.current_time
        start = timed = now()
        timings = self._timings_of_a_round(start) if self._timings.is_on else None
        left = untimed = _MOST_MESSAGES
        check = left - min(_CLOCK_EVERY, self._limit)
        while ready and left > 0 and not self._is_closed:
            cell = ready.popleft()
            cell.queued = False
            if not cell.serves:
                continue
            left += cell.received
            worker.cell = cell
            context = self._context.copy()
            try:
                blocked = context.run(cell.turn, cell, self._limit)
            except BaseException as exc:  # noqa: BLE001  # whatever it is, it goes to the manager as the cell's end
                worker.cell = None
                self._node.manager.turn_ended(cell, worker, trimmed(exc))
            else:
                if blocked is not None:
                    if timings is not None and (count := untimed - left + cell.received - 1) > 0:
                        timings.handled.add(now() - timed, count)
                    return cell, blocked, context
                worker.cell = None
                if cell.queue:
                    if cell.serves and not cell.queued:
                        cell.queued = True
                        ready.append(cell)
                elif cell.extra is None and cell.serves and runtime.cell_count <= MANY_CELLS:
                    cell.gate = IDLE
                else:
                    cell.rest()
            left -= cell.received
            if left <= check:
                seconds = (time := now()) - start
                if timings is not None:
                    timings.handled.add(time - timed, untimed - left)
                    timed, untimed = time, left
                self._adapt(seconds, _MOST_MESSAGES - left)
                if seconds > _MOST_SECONDS:
                    break
                check = left - min(_CLOCK_EVERY, self._limit)
        if timings is not None:
            self._time_rest(timings, timed, untimed - left)
        if self._probe is not None:
            self._end_wait(*self._probe)
        return None

    def _timings_of_a_round(self, start: float) -> "Timings | None":
        """Return where a round that begins at *start* is timed; None: it is one of those that are not."""
        self._skipped = (self._skipped or _ROUNDS) - 1
        if self._skipped != _ROUNDS - 1:
            return None
        if self._woken_at is not None:
            self._timings.waited.add(start - self._woken_at)
            self._woken_at = None
        return self._timings

    def _time_rest(self, timings: "Timings", timed: float, count: int) -> None:
        """Time the last *count* messages of a round, and begin to time the wait of the last of a backlog."""
        now = self._clock.current_time()
        if count:
            timings.handled.add(now - timed, count)
        if self.ready and self._probe is None:
            cell = self.ready[-1]
            self._probe = (cell, cell.received + len(cell.queue or ()), now)

    def _end_wait(self, cell: "Cell", received: int, since: float) -> None:
        """Time a wait if it is over: *cell* has had so many messages, or nobody serves it any more."""
        if cell.received >= received or not cell.queue or not cell.serves:
            self._probe = None
            self._timings.waited.add(self._clock.current_time() - since)

    async def _see_through(self, worker: Worker, cell: "Cell", blocked: Blocked, context: Context) -> bool:
        """Drive a turn that has given way to its end; return False if the worker's scope is used up."""
        self._give_way(worker, cell)
        error: BaseException | None = None
        worker.turn = blocked[0]
        began = self._clock.current_time() if self._timings.is_on else None
        try:
            await _resume(blocked[0], blocked[1], context)
        except BaseException as exc:
            if worker.scope.cancel_called:
                raise
            error = trimmed(exc)
        finally:
            worker.turn = None
        if began is not None:
            self._timings.handled.add(self._clock.current_time() - began)
        if worker.scope.cancel_called:
            return False
        self._take_role(worker)
        worker.cell = None
        if error is None:
            cell.current = NOTHING
            if cell.unblock():
                return True
        self._node.manager.turn_ended(cell, worker, error)
        return True

    def _give_way(self, worker: Worker, cell: "Cell") -> None:
        """The handler of *cell* blocks: block the cell, and pass the role on."""
        cell.block(worker)
        worker.is_runner = False
        self.is_asleep = True
        if self.ready:
            self.wake()

    def _take_role(self, worker: Worker) -> None:
        if self.is_asleep and not self._is_closed:
            self.is_asleep = False
            worker.is_runner = True

    def _adapt(self, seconds: float, served: int) -> None:
        """Make turns short when handlers are slow, so that the time budget means something."""
        if seconds > _MOST_SECONDS:
            self._limit = max(1, min(_MOST_IN_A_TURN, served // 4))
        elif self._limit < _MOST_IN_A_TURN:
            self._limit *= 2


def handle(cell: "Cell", message: object) -> object:
    """Let *cell* handle one message; the watchdog reads ``cell`` from this frame."""
    return cell.actor.receive(message)


@coroutine
def _resume(turn: Generator[Any, Any, Any], trap: object, context: Context) -> Generator[Any, Any, None]:
    """Drive a turn that has given way to its end, in its own context."""
    while True:
        error: BaseException | None = None
        value: object = None
        try:
            value = yield trap
        except BaseException as exc:  # noqa: BLE001  # it belongs to the handler, which is where it goes
            error = exc
        try:
            trap = context.run(turn.send, value) if error is None else context.run(turn.throw, error)
        except StopIteration:
            return


_OURS = frozenset(
    id(function.__code__)  # by identity: a code object's own hash walks all its names and constants
    for function in (Dispatcher._drain, Dispatcher._see_through, turn_sync, turn_async, _resume, handle)  # noqa: SLF001  # their code, not they
)


def trimmed(error: BaseException) -> BaseException:
    """Return *error* without the dispatcher's frames on top of its traceback: they say nothing, and pin the worker."""
    trace = error.__traceback__
    while trace is not None and id(trace.tb_frame.f_code) in _OURS:
        trace = trace.tb_next
    return error.with_traceback(trace)
