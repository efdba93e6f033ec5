"""A child as its supervisor keeps it, and as everybody else addresses it: one small slotted object.

A hundred thousand of these must fit, so what most children never need lies in an
`Extra` that is made on demand.

``gate`` makes the common ``tell`` cheap. `IDLE`: the cell is running with nothing to do,
so a message also queues it for its dispatcher; `QUEUED`: it will look at its mailbox
anyway; `SLOW`: anything else (blocked in a handler, not running, suspended, a function
actor), and the long way decides.
"""

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, current_task, wait_task_rescheduled

from duenna._ask import Ask, refuse_cycle
from duenna._dispatcher import IDLE, MANY_CELLS, QUEUED, SLOW, trimmed
from duenna._extra import Extra, Sender
from duenna._letters import dead_letter, drop
from duenna._turn import checked, turn_sync
from duenna._watch import Notice
from duenna.errors import ActorDiedError, MailboxFullError
from duenna.machines import checks
from duenna.machines.lifecycle import GONE, ChildState
from duenna.mailbox import NOTHING, Envelope, LatestQueue, Mailbox, Overflow, Queue
from duenna.ref import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna._dispatcher import Worker
    from duenna._node import Node
    from duenna.context import Context
    from duenna.spec import Child, Supervisor


_PARKED = frozenset({ChildState.FAILED})


class Cell(Ref):
    """One child: its spec, its present incarnation, its mailbox."""

    __slots__ = (
        "actor",
        "capacity",
        "context",
        "current",
        "extra",
        "gate",
        "incarnation",
        "is_inline",
        "name",
        "node",
        "queue",
        "queued",
        "received",
        "serves",
        "spec",
        "started_at",
        "state",
        "turn",
    )

    def __init__(self, node: "Node", spec: "Child | Supervisor") -> None:
        """Keep the child of *node* that *spec* describes."""
        self.node = node
        self.spec = spec
        self.name = spec.name
        self.capacity = spec.options.mailbox.capacity
        self.state = ChildState.PENDING
        self.incarnation = 0
        self.received = 0
        self.started_at: float | None = None
        self.gate = SLOW
        self.serves = False
        self.is_inline = False
        self.queued = False
        self.queue: Any = None
        self.actor: Any = None
        self.context: Context | None = None
        self.turn: Any = None
        self.current: Any = NOTHING
        self.extra: Extra | None = None

    def __repr__(self) -> str:
        """Return the path and the state."""
        return f"<Ref {self.path} {self.state}>"

    @property
    def path(self) -> str:
        """The child's path."""
        return f"{self.node.path}/{self.name}"

    def walk(self) -> "Iterator[Cell]":
        """Yield the cell and all below it."""
        yield self

    def let_go_below(self) -> None:
        """Let go whoever waits for a child of this one: only a supervisor has any."""

    @property
    def ready_value(self) -> Any:
        """What the present incarnation passed to ``context.ready(value)``."""
        return self.extra.ready_value if self.extra is not None else None

    @property
    def more(self) -> Extra:
        """The rare fields, made now if they were not."""
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    # -- sending ---------------------------------------------------------------

    def tell(self, message: object) -> None:
        """Put *message* into the mailbox."""
        gate = self.gate
        if gate != SLOW:
            queue = self.queue
            if queue is None:
                queue = self.queue = self.spec.options.mailbox.queue()
            if len(queue) < self.capacity:
                queue.append(message)
                if gate == IDLE:
                    self.gate = QUEUED
                    self.queued = True
                    dispatcher = self.node.dispatcher
                    dispatcher.ready.append(self)
                    if dispatcher.is_asleep:
                        dispatcher.wake()
                return
        self._tell_slowly(message)

    async def send(self, message: object) -> None:
        """Put *message* into the mailbox, waiting for room as long as it takes."""
        await checkpoint_if_cancelled()
        self._check_key(message)
        if self._has_room(message):
            self.tell(message)
            await cancel_shielded_checkpoint()
            return
        sender = Sender(message, current_task())
        senders = self._queue_up(sender)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            if sender in senders:
                senders.remove(sender)
            return trio.lowlevel.Abort.SUCCEEDED

        await wait_task_rescheduled(abort)

    async def ask(self, message: object, timeout: float = 5.0, *, wait: bool = True) -> Any:
        """Send *message* and return the answer."""
        if timeout.__class__ is not float or not timeout >= 0:
            timeout = checks.duration(f"ask to {self.path}", "timeout", timeout)
        await checkpoint_if_cancelled()
        asker: Cell | None = None
        if self.gate == IDLE and self.turn is turn_sync:
            value, ask = self._ask_inline(message)
            if ask is None:
                await cancel_shielded_checkpoint()
                return value
        else:
            self._refuse_ask(wait=wait)
            part = self.node.runtime.askers.get(current_task())
            if part is not None and (asker := part.cell) is not None:
                refuse_cycle(asker, self)
            ask = Ask(self, message)
            if self._has_room(ask):
                self.enqueue(ask)
            else:
                ask.wait_in(self._queue_up(Sender(ask, None)))
        if timeout < inf and not ask.is_settled:
            ask.limit(self.node.runtime.timers, timeout)
        if asker is None:
            return await ask.result()
        more = asker.more
        more.waits = ask
        try:
            return await ask.result()
        finally:
            if more.waits is ask:
                more.waits = None

    def _ask_inline(self, message: object) -> tuple[object, Ask | None]:
        """Handle *message* in the caller's task: the actor is idle and its handler cannot block.

        Returns:
            The answer; and None, or the ask if the handler crashed, answered by itself, or will later.
        """
        self.gate = QUEUED
        self.is_inline = True
        self.current = message
        self.received += 1
        try:
            value = self.node.dispatcher.run_outside(self, message)
            if value is not None:
                checked(value)
        except BaseException as exc:  # noqa: BLE001  # the crash is the actor's: its supervisor gets it, whatever it is
            if not isinstance(self.current, Ask):
                self.current = Ask(self, message)
            ask: Ask = self.current
            self.is_inline = False
            self.node.manager.turn_ended(self, None, trimmed(exc))
            return None, ask
        self.is_inline = False
        made = None
        if self.current is not message:
            made, self.more.inline = self.more.inline, None
        self.current = NOTHING
        if self.queue:
            self.schedule()
        elif self.extra is None and self.serves:
            self.gate = IDLE
        else:
            self.rest()
        return value, made

    def at_hand(self) -> Any:
        """Return the message that the handler is busy with; an ask that is served inline is made one now."""
        if self.is_inline and self.current is not NOTHING and not isinstance(self.current, Ask):
            self.current = self.more.inline = Ask(self, self.current)
        return self.current

    def _refuse_ask(self, *, wait: bool) -> None:
        state = self.state
        if self.gate != SLOW:
            return
        why = self._why_dead()
        if not why and (state is ChildState.FAILED or self._above(_PARKED)):
            why = "it is parked: manual intervention required"
        if not why and not wait:
            if state is not ChildState.RUNNING:
                why = f"it is {state}"
            elif self.extra is not None and self.extra.is_suspended:
                why = "it is suspended"
        if why:
            raise ActorDiedError(self.path, why)

    # -- the mailbox -----------------------------------------------------------

    def _queue_up(self, sender: Sender) -> "deque[Sender]":
        more = self.more
        if more.senders is None:
            more.senders = deque()
        more.senders.append(sender)
        return more.senders

    def _check_key(self, message: object) -> None:
        """Let a message without a key be its sender's error, now rather than when there is room."""
        mailbox = self.spec.options.mailbox
        if mailbox.key is not None:
            if self.queue is None:
                self.queue = mailbox.queue()
            self.queue.has(message)

    def _has_room(self, message: object) -> bool:
        if self.gate == SLOW and self._why_dead():
            return True
        if self.extra is not None and self.extra.senders:
            return False
        queue = self.queue
        return queue is None or len(queue) < self.capacity or (isinstance(queue, LatestQueue) and queue.has(message))

    def _tell_slowly(self, message: object) -> None:
        why = self._why_dead()
        if why:
            dead_letter(self, message, why)
            return
        queue = self.queue
        if (
            queue is not None
            and len(queue) >= self.capacity
            and not (isinstance(queue, LatestQueue) and queue.has(message))
            and not self._make_room(queue)
        ):
            drop(self, message)
            return
        self.enqueue(message)

    def _why_dead(self) -> str:
        """Say why nobody will read a message now; empty if somebody will."""
        state = self.state
        if state in GONE:
            return f"it is {state}"
        if state is not ChildState.RUNNING and (above := self._above(GONE)):
            return above
        if self.node.runtime.is_over or (self.node.runtime.is_stopping and state is not ChildState.RUNNING):
            return "the runtime is stopping"
        if self.extra is not None and self.extra.refuses:
            return self.extra.refuses
        return ""

    def _above(self, states: "frozenset[ChildState]") -> str:
        """Say which supervisor above is in one of *states*; empty if none is."""
        node: Any = self.node
        while node.parent is not None:
            if node.state in states:
                return f"{node.path} is {node.state}"
            node = node.parent
        return ""

    def _make_room(self, queue: Queue) -> bool:
        """Apply the overflow rule; return whether there is room now.

        Raises:
            MailboxFullError: The rule is `fail`.
        """
        mailbox: Mailbox = self.spec.options.mailbox
        if mailbox.overflow is Overflow.FAIL:
            raise MailboxFullError(self.path, self.capacity)
        if mailbox.overflow is Overflow.DROP_NEWEST:
            return False
        place = next((place for place, one in enumerate(queue) if not isinstance(one, Notice)), None)
        if place is None:
            return False
        if place == 0:
            self._forget_times(1)
        dropped = queue[place]
        del queue[place]
        drop(self, dropped)
        return True

    def enqueue(self, message: object) -> None:
        """Put *message* into the mailbox, room or not; control messages come this way."""
        queue = self.queue
        if queue is None:
            queue = self.queue = self.spec.options.mailbox.queue()
        queue.append(message)
        if self.gate == IDLE:
            self.schedule()
        elif self.gate == SLOW:
            more = self.more
            self.stamp()
            if more.reader is not None and not more.is_suspended:
                task, more.reader = more.reader, None
                trio.lowlevel.reschedule(task)

    def put_back(self, messages: list[Any]) -> None:
        """Put *messages* in front of the mailbox, the first of them first."""
        if not messages:
            return
        if self.queue is None:
            self.queue = self.spec.options.mailbox.queue()
        more = self.more
        now = self.node.runtime.now()
        for message in reversed(messages):
            self.queue.appendleft(message)
            if more.times is not None:
                more.times.appendleft(now)
        messages.clear()
        if self.gate == IDLE:
            self.schedule()

    def schedule(self) -> None:
        """Queue the cell for its dispatcher."""
        self.gate = QUEUED if self.extra is None or not self.extra.is_draining else SLOW
        if not self.queued:
            self.queued = True
            dispatcher = self.node.dispatcher
            dispatcher.ready.append(self)
            if dispatcher.is_asleep:
                dispatcher.wake()

    # -- being served ----------------------------------------------------------

    def open_gate(self) -> None:
        """Serve the mailbox from now on."""
        if self.turn is None:
            if self.extra is not None and self.extra.reader is not None and self.queue:
                task, self.extra.reader = self.extra.reader, None
                trio.lowlevel.reschedule(task)
            return
        self.serves = True
        if self.queue or self.queued:
            self.schedule()
        else:
            self.rest()

    def shut_gate(self) -> None:
        """Serve the mailbox no more; messages wait in it."""
        self.serves = False
        self.gate = SLOW
        if self.queue:
            self.stamp()

    def rest(self) -> None:
        """Everything is handled: wait for the next message."""
        if not self.serves:
            return
        self.gate = IDLE if self.extra is None or not self.extra.is_draining else SLOW
        if self.node.runtime.cell_count > MANY_CELLS and type(self.queue) is deque:
            self.queue = None  # an empty deque is twice the size of the rest of the cell
        if self.extra is not None:
            self.extra.times = None
            if self.extra.is_draining:
                self.node.manager.drained(self)

    def block(self, worker: "Worker") -> None:
        """Note that the handler has given way in *worker*; nothing else is handled meanwhile."""
        self.more.worker = worker
        self.serves = False
        self.gate = SLOW
        self.stamp()
        self.admit()

    def unblock(self) -> bool:
        """Note that the handler has come back; return False if the manager must decide what is next."""
        more = self.more
        more.worker = None
        if more.wants_saving:
            more.wants_saving = False
            self.node.runtime.state.not_busy(self)
        if self.state is not ChildState.RUNNING and not more.is_draining:
            return False
        if more.leaves:
            return False
        if not more.is_suspended:
            self.open_gate()
        return True

    def is_blocked_in(self, worker: "Worker") -> bool:
        """Return whether the handler has given way in *worker*."""
        return self.extra is not None and self.extra.worker is worker

    def stamp(self) -> None:
        """Begin to note when messages come: from now on they may have to wait."""
        more = self.more
        if isinstance(self.queue, LatestQueue):
            return
        if more.times is None:
            more.times = deque()
        missing = len(self.queue or ()) - len(more.times)
        if missing > 0:
            more.times.extend([self.node.runtime.now()] * missing)

    def count_served(self, count: int) -> None:
        """Count messages that were taken out; let waiting senders in."""
        self.received += count
        if self.extra is not None:
            self.count_extra(count)

    def count_extra(self, count: int) -> None:
        """Do the part of that which only a child with an `Extra` needs."""
        extra = self.more
        if extra.times:
            self._forget_times(count)
        if extra.senders:
            self.admit()

    def _forget_times(self, count: int) -> None:
        times = self.extra.times if self.extra is not None else None
        if times:
            now, timings = self.node.runtime.now(), self.node.runtime.timings
            for _ in range(min(count, len(times))):
                since = times.popleft()
                if timings.is_on:
                    timings.waited.add(now - since)

    def admit(self) -> None:
        """Let waiting senders in while there is room."""
        senders = self.more.senders
        if senders is None:
            return
        while senders and (self.queue is None or len(self.queue) < self.capacity):
            sender = senders.popleft()
            message = sender.message
            result: outcome.Outcome[None] = outcome.Value(None)
            if not (isinstance(message, Ask) and message.is_settled):
                try:
                    self.enqueue(message)
                except TypeError as exc:  # the key function of `Mailbox.latest`: its error is the sender's
                    result = outcome.Error(exc)
            if sender.task is not None:
                trio.lowlevel.reschedule(sender.task, result)

    def answer(self, envelope: Envelope, value: object) -> None:
        """Answer an ask with what its handler returned, unless it is to be answered later."""
        if isinstance(envelope, Ask) and not envelope.is_deferred:
            envelope.answer(value)

    def late_answer(self, value: object) -> None:
        """Count an answer whose asker had gone."""
        dead_letter(self, value, "the answer came after its asker had stopped waiting")
