"""The manager of one supervisor: one task that owns all of its state.

Everything that happens to the children comes in as a call in the inbox: a handler
crashed, a task ended, a timer is due, an operator asks. Due timers are served before
calls. The manager awaits no child, so a slow one never delays another.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import trio
from loguru import logger
from trio.lowlevel import cancel_shielded_checkpoint, current_task, reschedule, wait_task_rescheduled

from duenna import events
from duenna._cell import Cell
from duenna._frames import frames_of
from duenna._host import Host
from duenna._letters import bury_below, fail_current
from duenna._life import NORMAL, Life
from duenna._options import ReadyMode
from duenna._promise import RESUME, Promise
from duenna._restarts import Restarts
from duenna._sweep import Sweeper
from duenna._text import describe
from duenna.errors import GaveUpError, StoppedError
from duenna.machines.lifecycle import ChildState, Step, after
from duenna.machines.verdict import RestartType

if TYPE_CHECKING:
    from duenna._dispatcher import Worker
    from duenna._node import Node

_SLICE = 128


class Phase(Enum):
    """Where the supervisor is in its own life."""

    BOOTING = "booting"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class Manager:
    """Owns the children of one incarnation of a supervisor."""

    def __init__(self, node: "Node") -> None:
        """Manage the children of *node*."""
        self.node = node
        self.now = node.runtime.now()
        self.outcome: BaseException | None = None
        self.phase: Phase = Phase.BOOTING
        self.life = Life(self)
        self.restarts = Restarts(self)
        self.sweeper = Sweeper(self)
        self.restarting: deque[tuple[Cell, int]] = deque()
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._calls: dict[Promise, None] = {}
        self._task: trio.lowlevel.Task | None = None

    @property
    def is_booting(self) -> bool:
        """Whether not every child has been started yet."""
        return self.phase is Phase.BOOTING

    @property
    def is_ending(self) -> bool:
        """Whether the children are being stopped for good."""
        return self.phase is Phase.ENDING or self.phase is Phase.ENDED

    @property
    def has_ended(self) -> bool:
        """Whether every child has ended."""
        return self.phase is Phase.ENDED

    # -- the loop --------------------------------------------------------------

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Have the manager make *call* soon."""
        self._inbox.append((call, args))
        if self._task is not None:
            task, self._task = self._task, None
            reschedule(task, RESUME)

    async def run(self) -> None:
        """Serve the inbox until every child has ended; then let go whoever still waits for an answer."""
        try:
            await self._serve()
        finally:
            self.phase = Phase.ENDED
            self.let_go()

    def let_go(self) -> None:
        """Fail every call that waits for this supervisor, or for one below it that will not be started."""
        for promise in tuple(self._calls):
            promise.fail(StoppedError(self.node.path))
        for cell in self.node.children.values():
            self.restarts.let_go(cell)

    @trio.lowlevel.enable_ki_protection
    async def _serve(self) -> None:
        timers = self.node.runtime.timers
        inbox = self._inbox
        args: tuple[Any, ...] = ()
        self.sweeper.boot()
        while not self.has_ended:
            timers.fire_due()
            self.now = self.node.runtime.now()
            try:
                for _ in range(min(len(inbox), _SLICE)):
                    call, args = inbox.popleft()
                    call(*args)
            except Exception as exc:  # noqa: BLE001  # a defect of ours: still stop in order, and say so
                self._break_down(exc)
            args = ()  # a crash that stays here would keep its frames, and so its actor, alive
            if self.has_ended:
                break
            for _ in range(len(self.restarting)):  # in the same tick as the crash: it would cost another
                self.restarts.start_now(*self.restarting.popleft())
            if inbox or self.restarting:
                await cancel_shielded_checkpoint()
            else:
                self._task = current_task()
                await wait_task_rescheduled(self._abort)

    def _break_down(self, error: Exception) -> None:
        """End the supervisor because the manager itself failed; if it fails at that too, the error leaves."""
        where = "\n".join(frames_of(error)[0])  # not the exception itself: a sink may show the values in its frames
        told = "{}: the supervisor failed, this is a defect of duenna: {}\n{}"
        logger.critical(told, self.node.path, describe(error), where)
        failure = GaveUpError(self.node.path, f"the supervisor itself failed: {describe(error)}")
        failure.__cause__ = error
        if self.is_ending:
            raise failure
        self.end(failure)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def call(self, command: Callable[..., None], *args: object) -> Any:
        """Have the manager carry out *command*, and wait for the outcome.

        Cancelled, the caller stops waiting; the command goes on.

        Raises:
            StoppedError: The supervisor has ended, or ends first.
        """
        if self.has_ended or self.node.manager is not self or not self.node.may_run():
            raise StoppedError(self.node.path)
        promise = Promise()
        self._calls[promise] = None
        self.post(self._carry_out, command, promise, args)
        try:
            return await promise.result()
        finally:
            self._calls.pop(promise, None)

    def _carry_out(self, command: Callable[..., None], promise: Promise, args: tuple[Any, ...]) -> None:
        if self.is_ending:
            promise.fail(StoppedError(self.node.path))
            return
        try:
            command(self, promise, *args)
        except Exception as exc:  # noqa: BLE001  # a refusal belongs to whoever asked
            promise.fail(exc)

    # -- what children and workers say, from any task --------------------------

    def turn_ended(self, cell: Cell, worker: "Worker | None", error: BaseException | None) -> None:
        """Note that a handler of *cell* crashed, or came back when the cell was not running any more."""
        cell.shut_gate()
        if worker is not None and cell.is_blocked_in(worker):
            cell.more.worker = None
        if error is not None:
            cell.more.was_interrupted = True  # from now on, whatever comes first: nothing of it is saved
            fail_current(cell, error, "")
        self.post(self._turn_ended, cell, cell.incarnation, error)

    def _turn_ended(self, cell: Cell, incarnation: int, error: BaseException | None) -> None:
        if cell.incarnation != incarnation:
            return
        if cell.state is ChildState.RUNNING:
            if error is not None:
                self.fatal_or(error, self.life.unwind, cell)
            elif cell.more.leaves:
                self.life.unwind(cell, NORMAL)
        elif cell.state is ChildState.STOPPING:
            self._part_ended(cell, error)

    def host_ended(self, cell: Cell, incarnation: int, host: object, error: BaseException | None) -> None:
        """Note that a task of *cell* has ended."""
        if error is not None and cell.incarnation == incarnation and cell.state is not ChildState.STOPPING:
            cell.more.was_interrupted = True
        self.post(self._host_ended, cell, incarnation, host, error)

    def _host_ended(self, cell: Cell, incarnation: int, host: object, error: BaseException | None) -> None:
        extra = cell.more
        if cell.incarnation != incarnation:
            return
        if extra.host is host:
            extra.host = None
        elif extra.cleaner is host:
            extra.cleaner = None
        if cell.state is ChildState.STOPPING:
            self._part_ended(cell, error)
        elif error is not None:
            self.fatal_or(error, self.life.unwind, cell)
        elif isinstance(host, Host) and not host.returned:
            return  # it only held background tasks
        elif cell.state is ChildState.STARTING:
            self.life.unwind(cell, RuntimeError(f"{cell.path} returned before it was ready"))
        else:
            self.life.unwind(cell, NORMAL)

    def _part_ended(self, cell: Cell, error: BaseException | None) -> None:
        if error is not None:
            self.fatal_or(error, self.life.cleanup_failed, cell)
        self.life.settle(cell)

    def has_started(self, cell: Cell, incarnation: int) -> None:
        """Note that ``started`` has returned, or that a function's task begins."""
        self.post(self._has_started, cell, incarnation)

    def _has_started(self, cell: Cell, incarnation: int) -> None:
        if cell.incarnation != incarnation:
            return
        cell.more.was_started = True  # cut short or not, what it acquired will be cleaned up
        if cell.state is ChildState.STARTING and cell.spec.options.ready is ReadyMode.AUTO:
            self.life.ready(cell)
            self.sweeper.advance()

    def says_ready(self, cell: Cell, incarnation: int, value: object) -> None:
        """Note that a child with ``ready="manual"`` says that it is ready."""
        if cell.spec.options.ready is ReadyMode.MANUAL:
            self.post(self.child_ready, cell, incarnation, value)

    def child_ready(self, cell: Cell, incarnation: int, value: object = None) -> None:
        """Note that *cell* is ready, unless it is not starting any more."""
        if cell.incarnation == incarnation and cell.state is ChildState.STARTING:
            cell.more.was_started = True
            self.life.ready(cell, value)
            self.sweeper.advance()

    def child_ending(self, cell: Cell, outcome: BaseException | None) -> None:
        """Note that a supervisor below has begun to end; only the summit has something to do then."""

    def drained(self, cell: Cell) -> None:
        """Note that a draining cell has emptied its mailbox."""
        self.post(self.life.drained, cell, cell.incarnation)

    def stops_itself(self, cell: Cell, incarnation: int) -> None:
        """End a child that called ``context.stop()``, when the message at hand is handled."""
        if cell.incarnation != incarnation or cell.state is not ChildState.RUNNING:
            return
        if cell.more.worker is None:
            self.life.unwind(cell, NORMAL)

    def start_background(self, cell: Cell, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run *function* in a background task of *cell*."""
        self.life.background(cell, function, args)

    # -- what the parts of the manager ask of it -------------------------------

    def fatal_or(self, error: BaseException, handle: Callable[[Cell, Any], None], cell: Cell) -> None:
        """Have *error* handled as the child's failure; KeyboardInterrupt and its like end the supervisor."""
        is_fatal = not isinstance(error, Exception)
        if is_fatal:
            self.phase = Phase.ENDING
            self.outcome = error
            self.node.parent.manager.child_ending(self.node, error)
        handle(cell, error)
        if is_fatal:
            self.sweeper.end()

    def will_start(self, cell: Cell) -> bool:
        """Return whether *cell* is down only until its turn in a sweep comes."""
        return not self.is_ending and not cell.more.is_held and self.sweeper.will_start(cell)

    def reset(self, cell: Cell) -> None:
        """Set a child that was stopped with its group, or with everything, back to wait for its start."""
        is_temporary = cell.spec.options.restart is RestartType.TEMPORARY
        if is_temporary and not self.is_ending and not self.sweeper.is_trigger(cell):
            self.remove(cell)
            return
        extra = cell.extra
        if extra is not None and (extra.calls or extra.enders) and not self.will_start(cell):
            self.restarts.let_go(cell)
        if cell.extra is not None and cell.extra.is_held:
            self.hold(cell)
        else:
            cell.state = after(cell.state, Step.RESET)
            if self.node.runtime.is_stopping:
                bury_below(cell, "the runtime is stopping")

    def hold(self, cell: Cell) -> None:
        """Keep a child down until an operator starts it; a temporary one goes for good."""
        self.restarts.let_go(cell)
        if cell.spec.options.restart is RestartType.TEMPORARY and not self.is_ending:
            self.remove(cell)
            return
        cell.more.is_held = True
        cell.state = after(cell.state, Step.HOLD)
        bury_below(cell, "it is stopped")
        bus = self.node.runtime.bus
        if bus.wants(events.ChildStopped):
            bus.post(events.ChildStopped(time=self.node.runtime.now(), path=cell.path))

    def remove(self, cell: Cell) -> None:
        """Forget a child and its spec."""
        runtime = self.node.runtime
        cell.state = after(cell.state, Step.REMOVE)
        bury_below(cell, "it is removed")
        self.restarts.let_go(cell)
        if self.node.children.get(cell.name) is cell:
            del self.node.children[cell.name]
        for one in cell.walk():
            runtime.cell_count -= 1
            one.state = ChildState.REMOVED
            runtime.state.removed(one.path)
        if runtime.bus.wants(events.ChildRemoved):
            runtime.bus.post(events.ChildRemoved(time=runtime.now(), path=cell.path))

    def cancel_due(self, cell: Cell) -> None:
        """Cancel the pending restart of *cell*: its group's, or the end, takes its place."""
        extra = cell.extra
        if extra is not None and extra.due is not None:
            extra.due.cancel()
            extra.due = None
        if cell.state is ChildState.BACKOFF:
            cell.state = after(cell.state, Step.RESET)

    def booted(self) -> None:
        """Note that every child has been started: the supervisor is ready."""
        self.phase = Phase.RUNNING
        parent = self.node.parent
        parent.manager.post(parent.manager.child_ready, self.node, self.node.incarnation)

    def end(self, outcome: BaseException | None) -> None:
        """Stop every child, then end with *outcome*; a second call changes nothing."""
        if self.is_ending:
            return
        self.phase = Phase.ENDING
        self.outcome = outcome
        self.node.parent.manager.child_ending(self.node, outcome)
        self.sweeper.end()

    def ended(self) -> None:
        """Note that every child has ended."""
        self.phase = Phase.ENDED
