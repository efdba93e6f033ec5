"""What an actor sees of its runtime: its own address, timers, watches, messages, and ways to end."""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio
from loguru import logger

from duenna import events
from duenna._ask import Ask, Reply
from duenna._messages import Messages
from duenna._reporting import clean_context
from duenna._state_context import StateContext
from duenna._text import describe
from duenna._timers import Timer
from duenna._watch import Watch
from duenna.errors import MailboxFullError, StoppedError, UnknownPathError
from duenna.machines import checks
from duenna.machines.lifecycle import ALIVE, ChildState
from duenna.mailbox import NOTHING
from duenna.ref import Ref

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime


class Context(StateContext):
    """One incarnation's way to its runtime.

    Everything set up through it (timers, watches, subscriptions, background tasks,
    deferred replies) ends with the incarnation.
    """

    __slots__ = ("_cell", "_incarnation")

    def __init__(self, cell: "Cell") -> None:
        """Belong to the present incarnation of *cell*."""
        self._cell = cell
        self._incarnation = cell.incarnation

    # -- who and where ---------------------------------------------------------

    @property
    def path(self) -> str:
        """The actor's path."""
        return self._cell.path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._cell.name

    @property
    def incarnation(self) -> int:
        """The number of this incarnation, counted from 1."""
        return self._incarnation

    @property
    def ref(self) -> "Ref":
        """The actor's own address."""
        return self._cell

    @property
    def runtime(self) -> "Runtime":
        """The runtime that the actor lives in."""
        return self._cell.node.runtime

    @property
    def rng(self) -> random.Random:
        """The runtime's random generator: all chance comes from here, so that a seed repeats a run."""
        return self.runtime.rng

    @property
    def log(self) -> Any:
        """A loguru logger bound to the path and the incarnation."""
        return logger.bind(path=self.path, incarnation=self._incarnation)

    def now(self) -> float:
        """Return the time in seconds of the runtime's clock (trio's)."""
        return self.runtime.now()

    def lookup(self, path: str) -> "Ref":
        """Return the ref of *path*: `/bot/db`, or relative to the actor's supervisor: `db`, `../feeds/btc`.

        Raises:
            UnknownPathError: There is no such child.
        """
        if not path:
            raise UnknownPathError(path)
        return self.runtime.ref(path if path.startswith("/") else f"{self._cell.node.path}/{path}")

    # -- timers ----------------------------------------------------------------

    def tell_after(self, delay: float, message: object, *, to: "Ref | None" = None) -> Timer:
        """Tell *message* in *delay* seconds, to the actor itself or to *to*.

        Returns:
            The timer; ``cancel()`` takes it back.

        Raises:
            StoppedError: The incarnation has ended.
            ValueError: *delay* is negative or nan.
        """
        if delay.__class__ is not float or not delay >= 0:  # the message is made only when it is needed
            delay = checks.duration(f"tell_after of {self.path}", "delay", delay)
        return self._arm(delay, 0.0, message, to)

    def tell_every(self, period: float, message: object, *, to: "Ref | None" = None) -> Timer:
        """Tell *message* every *period* seconds, the first time in *period* seconds.

        Ticks that were missed in a stall are skipped, never made up for in a burst.

        Returns:
            The timer; ``cancel()`` ends it.

        Raises:
            StoppedError: The incarnation has ended.
            ValueError: *period* is not greater than 0, or nan.
        """
        period = checks.duration(f"tell_every of {self.path}", "period", period, zero=False)
        return self._arm(period, period, message, to)

    def _arm(self, delay: float, period: float, message: object, to: "Ref | None") -> Timer:
        cell = self._alive()
        target: Any = cell if to is None else _checked_ref(f"tell of {self.path}", to)
        heap = cell.node.runtime.timers
        timer = Timer(heap, cell.more.timers, target, self._incarnation if target is cell else 0, message, period)
        heap.arm(delay, timer)
        return timer

    # -- death watch -----------------------------------------------------------

    def watch(self, target: "Ref | str") -> None:
        """Send the actor one `Down` when the present incarnation of *target* ends, restarted or not.

        If there is none now, `Down` comes at once with the reason `noproc`. Watching a target
        again before its `Down` came changes nothing. The notice passes a full mailbox.

        Raises:
            StoppedError: The watcher's incarnation has ended.
            UnknownPathError: There is no such child.
        """
        cell = self._alive()
        other = self._cell_of(target)
        watching = cell.more.watching
        if other in watching and not watching[other].has_fired:
            return
        watch = watching[other] = Watch(cell, self._incarnation, other)
        if other.state in ALIVE:
            other.more.watchers[watch] = None
        else:
            watch.notify("noproc")

    def unwatch(self, target: "Ref | str") -> None:
        """Take a watch back; a `Down` that is in the mailbox already is not delivered either."""
        other = self._cell_of(target)
        watch = self._alive().more.watching.pop(other, None)
        if watch is not None:
            watch.is_live = False
            if other.extra is not None:
                other.extra.watchers.pop(watch, None)

    def _cell_of(self, target: "Ref | str") -> "Cell":
        found: Any = self.lookup(target) if isinstance(target, str) else _checked_ref(f"watch of {self.path}", target)
        return found  # type: ignore[no-any-return]  # every Ref is a Cell

    # -- the message at hand ---------------------------------------------------

    def stash(self) -> None:
        """Put the message at hand aside; ``unstash_all`` brings it back. An ask stays unanswered.

        Raises:
            MailboxFullError: As many messages are put aside as the mailbox holds.
            RuntimeError: No message is at hand.
        """
        cell = self._alive()
        if len(cell.more.stash) >= cell.capacity:
            raise MailboxFullError(self.path, cell.capacity)
        message = self._at_hand("stash")
        if isinstance(message, Ask):
            message.is_deferred = True
        cell.more.stash.append(message)
        cell.current = NOTHING

    def unstash_all(self) -> None:
        """Put the messages put aside back in front of the mailbox, in the order in which they came."""
        cell = self._alive()
        for message in cell.more.stash:
            if isinstance(message, Ask):
                message.is_deferred = False
        cell.put_back(cell.more.stash)

    def defer_reply(self) -> Reply:
        """Take the right to answer the ask at hand later; what the handler returns is then not its answer.

        For a message that was told, not asked, the reply goes nowhere.

        Raises:
            RuntimeError: No message is at hand.
        """
        ask = self._ask_at_hand("defer_reply")
        ask.is_deferred = True
        if not ask.is_settled:
            self._cell.more.deferred[ask] = None
        return Reply(ask)

    def reply(self, value: object = None) -> None:
        """Answer the ask at hand now; does nothing for a message that was told. A function actor answers so.

        Raises:
            RuntimeError: No message is at hand.
        """
        ask = self._ask_at_hand("reply")
        ask.is_deferred = True
        ask.done(value)

    def _at_hand(self, verb: str) -> Any:
        message = self._alive().at_hand()
        if message is NOTHING:
            text = f"{verb}() needs a message at hand: call it while receive() handles one"
            raise RuntimeError(text)
        return message

    def _ask_at_hand(self, verb: str) -> Ask:
        message = self._at_hand(verb)
        if isinstance(message, Ask):
            return message
        told = Ask(self._cell, message)
        told.is_settled = True
        return told

    def messages(self) -> "Messages":
        """Return an async iterator over the mailbox; for function actors.

        An ask must be answered with ``reply`` or ``defer_reply`` before the next message is
        taken; otherwise its asker gets `NoReplyError`.

        Raises:
            RuntimeError: The actor is a class, whose mailbox is served by ``receive``.
        """
        if self._cell.actor is not None:
            text = f"messages() is for function actors; {self.path} is a class: write receive()"
            raise RuntimeError(text)
        return Messages(self._alive(), self._incarnation)

    # -- publish and subscribe -------------------------------------------------

    def publish(self, message: object) -> int:
        """Tell *message* to every actor that subscribed to its type; return how many did.

        Never blocks and never raises for a full mailbox: there it is dropped and counted.
        """
        return self.runtime.publish(message)

    def subscribe(self, *types: type) -> None:
        """Get every message of these types, or of their subclasses, that is published from now on.

        Raises:
            StoppedError: The incarnation has ended.
            TypeError: One is no type.
        """
        cell = self._alive()
        for kind in types:
            if not isinstance(kind, type):
                text = f"subscribe of {self.path}: a message type is needed, got {kind!r}"
                raise TypeError(text)
            cell.more.topics[kind] = None
            self.runtime.topics.subscribe(cell, kind)

    def unsubscribe(self, *types: type) -> None:
        """Get no more messages of these types."""
        cell = self._alive()
        for kind in types:
            if cell.more.topics.pop(kind, self) is None:
                self.runtime.topics.unsubscribe(cell, kind)

    # -- life ------------------------------------------------------------------

    def ready(self, value: object = None) -> None:
        """Say that the actor is ready (``ready="manual"``); *value* goes to whoever started it.

        Does nothing under ``ready="auto"``, or a second time.
        """
        self._alive().node.manager.says_ready(self._cell, self._incarnation, value)

    def start_soon(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run *function* in a background task of the actor; its crash is the actor's.

        The task ends with the incarnation.

        Raises:
            StoppedError: The incarnation has ended.
        """
        cell = self._alive()
        given: object = function
        if not callable(given):
            text = f"start_soon of {cell.path}: an async function is needed, got {given!r}"
            raise TypeError(text)
        if cell.state is ChildState.STOPPING:
            raise StoppedError(f"{cell.path} (incarnation {self._incarnation})")
        cell.node.manager.start_background(cell, function, args)

    def stop(self) -> None:
        """End the actor after the message at hand, with the reason `normal`.

        What that means is its restart type's to say: a permanent child is started again.
        """
        cell = self._alive()
        cell.more.leaves = True
        cell.shut_gate()
        cell.node.manager.post(cell.node.manager.stops_itself, cell, self._incarnation)

    @property
    def stop_requested(self) -> trio.Event:
        """An event that is set when the actor is told to stop, before it is cancelled (``drain``)."""
        more = self._alive().more
        if more.stop_requested is None:
            more.stop_requested = trio.Event()
            if more.is_draining or self._cell.state is ChildState.STOPPING:
                more.stop_requested.set()
        return more.stop_requested

    @property
    def is_suspended(self) -> bool:
        """Whether an operator holds the mailbox."""
        extra = self._cell.extra
        return extra is not None and extra.is_suspended

    async def resumed(self) -> None:
        """Wait until the actor is not suspended; a checkpoint."""
        await trio.lowlevel.checkpoint()
        while self.is_suspended:
            more = self._cell.more
            if more.resumed is None:
                more.resumed = trio.Event()
            await more.resumed.wait()

    async def suspended(self) -> None:
        """Wait until the actor is suspended; a checkpoint."""
        await trio.lowlevel.checkpoint()
        while not self.is_suspended:
            more = self._cell.more
            if more.suspended is None:
                more.suspended = trio.Event()
            await more.suspended.wait()

    def unstable(self) -> None:
        """Stop the uptime: until ``stable()``, running does not count towards ``reset_after``.

        A connection is ready before it is connected; only the time it was may forget failures.
        """
        more = self._alive().more
        more.is_unstable = True
        more.stable_since = None

    def stable(self) -> None:
        """Start the uptime anew, from now."""
        more = self._alive().more
        if more.is_unstable and more.stable_since is None:
            more.stable_since = self.now()

    # -- reporting -------------------------------------------------------------

    def report(self, error: BaseException, **details: object) -> None:
        """Report an error that the actor survives: posts `ErrorReported`, logs it, has it classified.

        Raises:
            TypeError: *error* is no exception.
        """
        if not isinstance(error, BaseException):
            raise TypeError(f"report of {self.path}: error must be an exception, got {error!r}")
        text = describe(error)
        self._cell.more.last_error = text
        if self.runtime.bus.wants(events.ErrorReported):
            self.post(
                events.ErrorReported(
                    time=self.now(),
                    path=self.path,
                    incarnation=self._incarnation,
                    error=text,
                    details=clean_context(details),
                )
            )
        self.runtime.reports.survived(self._cell, error, details)

    def post(self, event: events.Event) -> None:
        """Post an event of the actor's own."""
        self.runtime.bus.post(event)

    def _alive(self) -> "Cell":
        cell = self._cell
        if cell.incarnation != self._incarnation or cell.state not in ALIVE:
            raise StoppedError(f"{cell.path} (incarnation {self._incarnation})")
        return cell


def _checked_ref(owner: str, target: object) -> Ref:
    if not isinstance(target, Ref):
        text = f"{owner}: a Ref is needed, got {target!r}"
        raise TypeError(text)
    return target
