"""The life of one incarnation: make it, make it ready, unwind it, clean up, report its end.

An incarnation has up to three parts that end in their own time: a handler that has given
way (in a worker), its host task, and the task that runs an async ``stopping``. Unwinding
cancels the first two; when both have ended, cleanup runs; then the incarnation is over.
A child that has none of them, which is most, is made and unmade in one go.
"""

from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import trio

from duenna import events
from duenna._ask import Ask
from duenna._cell import Cell
from duenna._dispatcher import SLOW
from duenna._extra import Extra
from duenna._host import Host, background_body, class_body, function_body
from duenna._letters import fail_current
from duenna._options import ReadyMode
from duenna._restarts import uptime_of
from duenna._text import describe
from duenna._turn import turn_async, turn_sync
from duenna.actor import Actor, Hook, hooks_of
from duenna.context import Context
from duenna.fields import Codec, codec_of
from duenna.freshness import asked
from duenna.machines.lifecycle import ChildState, Step, after
from duenna.spec import Child

if TYPE_CHECKING:
    from duenna._manager import Manager
    from duenna.machines.classification import Verdict

NORMAL = "normal"
SHUTDOWN = "shutdown"


class Life:
    """Start and end the incarnations of one supervisor's children."""

    def __init__(self, manager: "Manager") -> None:
        """Work for *manager*, which decides what the ends mean."""
        self._manager = manager
        self._node = manager.node
        self._runtime = manager.node.runtime

    # -- starting --------------------------------------------------------------

    def start(self, cell: Cell) -> None:
        """Begin a new incarnation of *cell*, unless the supervisor is ending."""
        if self._manager.is_ending:
            return
        cell.state = after(cell.state, Step.START)
        cell.incarnation += 1
        if cell.extra is not None and cell.extra.due is not None:
            cell.extra.due.cancel()
            cell.extra.due = None
        bus = self._runtime.bus
        if bus.wants(events.ChildStarting):
            bus.post(events.ChildStarting(time=self._runtime.now(), path=cell.path, incarnation=cell.incarnation))
        spec = cell.spec
        if not isinstance(spec, Child):
            cell.launch(self._node.nursery)  # type: ignore[attr-defined]  # only a supervisor's spec is no Child
        elif spec.is_function:
            cell.context = Context(cell)
            self._host(cell, function_body)
            if spec.options.ready is ReadyMode.MANUAL:
                self._limit_start(cell)
        else:
            self._start_actor(cell, spec)

    def _start_actor(self, cell: Cell, spec: Child) -> None:
        try:
            actor = self._made(cell, spec)
            hooks = hooks_of(actor)
            if not hooks.needs_host and hooks.started is Hook.PLAIN:
                refuse_awaitable("started", actor.started())
        except BaseException as exc:  # noqa: BLE001  # a factory's failure is the child's, whatever it raised
            self._manager.fatal_or(exc, self.unwind, cell)
            return
        if hooks.needs_host:
            self._host(cell, class_body)
            self._limit_start(cell)
        elif spec.options.ready is ReadyMode.AUTO:
            self.ready(cell)
        elif cell.state is ChildState.STARTING:
            cell.more.was_started = True
            self._limit_start(cell)

    def _made(self, cell: Cell, spec: Child) -> Actor:
        actor = spec.start()
        if not isinstance(actor, Actor):
            refuse_awaitable("the factory", actor)
            message = f"the factory of {cell.path} must return a new Actor, got {actor!r}"
            raise TypeError(message)
        if hasattr(actor, "_context"):
            message = f"the factory of {cell.path} must return a new Actor each time, got one that was started before"
            raise ValueError(message)
        cell.context = actor._context = Context(cell)  # noqa: SLF001  # the one place that gives an actor its context
        cell.actor = actor
        codec = _codec_for(actor)
        if codec is not None:
            self._runtime.state.restore(cell, actor, codec)
        receive = hooks_of(actor).receive
        if receive is Hook.PLAIN:
            cell.turn = turn_sync
        elif receive is Hook.ASYNC:
            cell.turn = turn_async
        else:
            cell.more.refuses = "it has no receive()"
        return actor

    def _host(self, cell: Cell, body: Callable[[Host], Any], *, name: str = "") -> Host:
        host = Host(cell, cell.incarnation)
        self._node.nursery.start_soon(host.run, body, name=name or cell.path)
        if not name:
            cell.more.host = host
            cell.more.has_tasks = True
        return host

    def _limit_start(self, cell: Cell) -> None:
        timeout = cell.spec.options.start_timeout
        if timeout < inf and cell.state is ChildState.STARTING:
            late = partial(self._manager.post, self._start_late, cell, cell.incarnation)
            cell.more.limit = self._runtime.timers.after(timeout, late)

    def _start_late(self, cell: Cell, incarnation: int) -> None:
        if cell.incarnation == incarnation and cell.state is ChildState.STARTING:
            timeout = cell.spec.options.start_timeout
            self.unwind(cell, trio.TooSlowError(f"{cell.path} was not ready within {timeout} s"))

    def ready(self, cell: Cell, value: object = None) -> None:
        """Note that *cell* is ready, and serve its mailbox."""
        cell.state = after(cell.state, Step.READY)
        cell.started_at = self._manager.now
        extra = cell.extra
        if extra is not None:
            self._unlimit(extra)
            extra.ready_value = value
        bus = self._runtime.bus
        routine = cell.incarnation == 1
        if bus.wants_routine(events.ChildStarted) if routine else bus.wants(events.ChildStarted):
            event = events.ChildStarted(time=self._runtime.now(), path=cell.path, incarnation=cell.incarnation)
            bus.post(event, routine=routine)
        if extra is None:
            cell.open_gate()
            return
        if not extra.is_suspended:
            cell.open_gate()
        extra.fallback = None
        calls, extra.calls = extra.calls, []
        for call in calls:
            call.done(value)

    def background(self, cell: Cell, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run *function* in the host task of *cell*, which is made if there is none."""
        host = cell.more.host
        if not isinstance(host, Host) or not host.start_soon(function, args):
            self._host(cell, background_body).start_soon(function, args)

    # -- ending ----------------------------------------------------------------

    def stop(self, cell: Cell, intent: Callable[[Cell], None], *, why: str) -> None:
        """End the incarnation of *cell*, then do *intent*. An intent that is already there stands.

        A child that may drain is asked first, and cancelled when its drain time is over.
        """
        extra = cell.extra
        if extra is None and cell.state is ChildState.RUNNING and self._stop_at_once(cell, intent):
            return
        more = cell.more
        if more.intent is None:
            more.intent = intent
        if cell.state is ChildState.STOPPING or more.is_draining:
            return
        drain = cell.spec.options.drain
        if cell.state is ChildState.RUNNING and drain > 0 and not more.is_suspended:
            self._drain(cell, drain, why)
        else:
            self.unwind(cell, SHUTDOWN, why=why)

    def _stop_at_once(self, cell: Cell, intent: Callable[[Cell], None]) -> bool:
        """End a child that has nothing to unwind and nothing to clean up."""
        actor = cell.actor
        if actor is None or hooks_of(actor).stopping is not Hook.ABSENT or cell.spec.options.drain:
            return False
        cell.state = ChildState.STOPPING
        cell.serves = False
        cell.gate = SLOW
        if _codec_for(actor) is not None:
            self._runtime.state.ended(cell, was_interrupted=False)
        cell.actor = cell.turn = cell.context = None
        self._post_exit(cell, SHUTDOWN, "shutdown")
        intent(cell)
        return True

    def _drain(self, cell: Cell, drain: float, why: str) -> None:
        more = cell.more
        more.is_draining = True
        more.refuses = "it is stopping"
        cell.gate = SLOW  # so that nothing new gets in; what is there is served
        self._request_stop(more)
        over = partial(self._manager.post, self._drain_over, cell, cell.incarnation, why)
        more.limit = self._runtime.timers.after(drain, over)
        if more.reader is not None:
            task, more.reader = more.reader, None
            trio.lowlevel.reschedule(task)
        if more.worker is None and not cell.queue:
            self.drained(cell, cell.incarnation)

    def drained(self, cell: Cell, incarnation: int) -> None:
        """Note that a draining cell has emptied its mailbox; one with a body waits for that too."""
        extra = cell.extra
        if extra is None or cell.incarnation != incarnation or cell.state is not ChildState.RUNNING:
            return
        has_body = cell.actor is None or hooks_of(cell.actor).run is not Hook.ABSENT
        if not has_body:
            self.unwind(cell, NORMAL)

    def _drain_over(self, cell: Cell, incarnation: int, why: str) -> None:
        if cell.incarnation == incarnation and cell.state is ChildState.RUNNING:
            self.unwind(cell, SHUTDOWN, why=why)

    def unwind(self, cell: Cell, reason: str | BaseException, *, why: str = "") -> None:
        """Begin the end of the incarnation: cancel what it runs, then clean up."""
        more = cell.more
        if more.intent is not None and isinstance(reason, BaseException):
            self.cleanup_failed(cell, reason)
        more.was_ready = cell.state is ChildState.RUNNING
        if more.worker is not None or not more.was_ready or isinstance(reason, BaseException):
            more.was_interrupted = True
        more.exit = reason
        cell.state = after(cell.state, Step.UNWIND)
        cell.shut_gate()
        self._unlimit(more)
        self._request_stop(more)
        text = why or f"{cell.path} is ending"
        if more.worker is not None:
            more.worker.scope.cancel(text)
        if more.host is not None:
            more.host.cancel(text)
        self.settle(cell)
        shutdown = cell.spec.options.shutdown
        if cell.state is ChildState.STOPPING and shutdown < inf:
            late = partial(self._manager.post, self._overran, cell, cell.incarnation)
            cell.more.limit = self._runtime.timers.after(shutdown, late)

    def settle(self, cell: Cell) -> None:
        """Go on with the end of *cell* as far as its parts allow."""
        more = cell.more
        if more.worker is not None or more.host is not None or more.cleaner is not None:
            return
        if more.was_ready or more.was_started:
            more.was_started = False
            was_ready, more.was_ready = more.was_ready, False
            more.uptime = uptime_of(cell) if was_ready else None
            if self._clean_up(cell):
                return
        self._finish(cell, more)

    def _clean_up(self, cell: Cell) -> bool:
        """Run ``stopping``; return True if that takes a task of its own."""
        actor = cell.actor
        hook = hooks_of(actor).stopping if actor is not None else Hook.ABSENT
        if actor is None or hook is Hook.ABSENT:
            return False
        reason = cell.more.exit
        if hook is Hook.PLAIN:
            try:
                refuse_awaitable("stopping", actor.stopping(reason))
            except BaseException as exc:  # noqa: BLE001  # cleanup never keeps the supervisor from going on
                self._manager.fatal_or(exc, self.cleanup_failed, cell)
            return False

        async def body(_host: Host) -> bool:
            task = trio.lowlevel.current_task()
            self._runtime.cleaners.add(task)
            try:
                await actor.stopping(reason)
            finally:
                self._runtime.cleaners.discard(task)
            return True

        more = cell.more
        more.cleaner = self._host(cell, body, name=f"{cell.path} (stopping)")
        if more.is_stuck:
            more.cleaner.cancel(f"{cell.path} has used up its shutdown time")
        return True

    def cleanup_failed(self, cell: Cell, error: BaseException) -> None:
        """Report what *cell* raised while it was being stopped."""
        more = cell.more
        text = describe(error)
        more.cleanup_error = text
        self._runtime.reports.survived(cell, error, {"hook": "stopping"})
        if self._runtime.stopping.is_set():
            self._runtime.cleanup_errors.append(f"{cell.path}: {text}")
        if self._runtime.bus.wants(events.CleanupFailed):
            self._runtime.bus.post(
                events.CleanupFailed(time=self._runtime.now(), path=cell.path, incarnation=cell.incarnation, error=text)
            )

    def _overran(self, cell: Cell, incarnation: int) -> None:
        more = cell.more
        if cell.incarnation != incarnation or cell.state is not ChildState.STOPPING:
            return
        more.is_stuck = True
        if self._runtime.stopping.is_set():
            self._runtime.overran.append(cell.path)
        shutdown = cell.spec.options.shutdown
        if self._runtime.bus.wants(events.ChildStuck):
            self._runtime.bus.post(
                events.ChildStuck(time=self._runtime.now(), path=cell.path, incarnation=incarnation, after=shutdown)
            )
        if more.cleaner is not None:
            more.cleaner.cancel(f"{cell.path} overran its shutdown time of {shutdown} s")
        self._manager.sweeper.advance()

    def _finish(self, cell: Cell, more: Extra) -> None:
        """The incarnation is over: let go of all that was its own, tell the watchers, then decide."""
        reason = more.exit
        assert reason is not None  # noqa: S101  # unwind gave one
        self._unlimit(more)
        error = reason if isinstance(reason, BaseException) else None
        if error is not None:
            more.last_error = describe(error)
        fail_current(cell, error, "it ended while it was busy with this")
        self._let_go(cell, more, error)
        verdict = self._runtime.reports.crash(cell, error) if error is not None and more.intent is None else None
        self._save(cell, more, error, verdict)
        actor: Actor | None = cell.actor
        if actor is not None and type(actor).freshness is not Actor.freshness:
            more.freshness = asked(actor)  # how old its data is is wanted most while it is down
        cell.actor = cell.turn = cell.context = None
        intent, uptime, never_ready = more.intent, more.uptime, more.uptime is None
        context = self._exit_context(more, never_ready=never_ready, failed=error is not None)
        watchers, more.watchers = more.watchers, {}
        enders, more.enders = more.enders, []
        told = more.cleanup_error if intent is not None and error is None and more.cleanup_error else reason
        more.renew()
        self._post_exit(cell, told, context, uptime or 0.0)
        for watch in watchers:
            watch.notify(reason)
        if intent is not None:
            intent(cell)
        else:
            self._manager.restarts.decide(cell, reason, uptime, verdict)
        for call in enders:
            call.done()
        self._manager.sweeper.advance()

    def _save(self, cell: Cell, more: Extra, error: BaseException | None, verdict: "Verdict | None") -> None:
        """Save the fields of an incarnation that ends in order; nothing of one that crashed."""
        if cell.actor is None or _codec_for(cell.actor) is None:
            return
        if error is None:
            self._runtime.state.ended(cell, was_interrupted=more.was_interrupted)
        else:
            self._runtime.state.crashed(cell, more.uptime, verdict)

    def _let_go(self, cell: Cell, more: Extra, error: BaseException | None) -> None:
        for timer in tuple(more.timers):
            timer.cancel()
        for target, watch in more.watching.items():
            watch.is_live = False
            if target.extra is not None:
                target.extra.watchers.pop(watch, None)
        for kind in more.topics:
            self._runtime.topics.unsubscribe(cell, kind)
        for ask in tuple(more.deferred):
            if not ask.is_settled:
                cell.current = ask
                fail_current(cell, error, "it ended before it answered")
        for message in more.stash:
            if isinstance(message, Ask):
                message.is_deferred = False
        cell.put_back(more.stash)

    def _exit_context(self, more: Extra, *, never_ready: bool, failed: bool) -> str:
        if more.intent is not None:
            return "shutdown_error" if failed or more.cleanup_error else "shutdown"
        return "start_error" if never_ready else "child_terminated"

    def _post_exit(self, cell: Cell, reason: str | BaseException, context: str, uptime: float | None = None) -> None:
        bus = self._runtime.bus
        routine = isinstance(reason, str)
        if not (bus.wants_routine(events.ChildExited) if routine else bus.wants(events.ChildExited)):
            return
        now = self._runtime.now()
        if uptime is None:
            uptime = now - cell.started_at if cell.started_at is not None else 0.0
        text = reason if isinstance(reason, str) else describe(reason)
        bus.post(
            events.ChildExited(
                time=now, path=cell.path, incarnation=cell.incarnation, reason=text, context=context, uptime=uptime
            ),
            routine=routine,
        )

    def _request_stop(self, more: Extra) -> None:
        if more.stop_requested is not None:
            more.stop_requested.set()

    def _unlimit(self, more: Extra) -> None:
        if more.limit is not None:
            more.limit.cancel()
            more.limit = None


def _codec_for(actor: Actor) -> Codec | None:
    """Return how the fields of *actor* are saved, None if it has none that are."""
    return codec_of(type(actor))


def refuse_awaitable(hook: str, result: object) -> None:
    """Refuse what a plain hook returned if it would have to be awaited.

    Raises:
        TypeError: It would.
    """
    if result is not None and hasattr(result, "__await__"):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        message = f"{hook} returned {type(result).__name__}: make it `async def`, or await the result inside"
        raise TypeError(message)
