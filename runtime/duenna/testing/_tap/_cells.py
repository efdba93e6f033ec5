"""Children and supervisors with a tap.

Nothing in the kernel knows of these classes: an object becomes one of them when it is
tapped, by changing its class. None of them has a slot of its own, so the layouts are the
same, and none of them decides anything: each records, and then does what its base does.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from duenna._cell import Cell
from duenna._extra import Sender
from duenna._manager import Manager
from duenna._node import Node
from duenna._promise import Promise
from duenna._runtime import Runtime
from duenna.context import Context
from duenna.mailbox import NOTHING
from duenna.spec import Child, Supervisor
from duenna.testing._tap._context import TracedContext
from duenna.testing._tap._doors import TracedDispatcher
from duenna.testing._tap._log import Log, log_of, put_log
from duenna.testing._tap._mail import Mail
from duenna.testing._tap._queues import TracedLine, traced_queue
from duenna.testing._tap._specs import record_spec

_queue: Any = vars(Cell)["queue"]  # the slots that the properties below stand before
_current: Any = vars(Cell)["current"]
_context: Any = vars(Cell)["context"]
_manager: Any = vars(Node)["manager"]


class Traced(Cell):
    """What tapped children and supervisors have in common."""

    __slots__ = ()

    @property
    def mail(self) -> Mail:
        """The books."""
        return self.queue.mail  # type: ignore[no-any-return]  # a traced queue

    @property
    def queue(self) -> Any:
        """The mailbox, which is always there."""
        queue = _queue.__get__(self)
        if queue is None:
            queue = traced_queue(Mail(log_of(self.node.runtime.timers), self))
            _queue.__set__(self, queue)
        return queue

    @queue.setter
    def queue(self, queue: None) -> None:
        assert queue is None  # noqa: S101  # the kernel makes a queue only where there is none
        old = self.queue
        old.bury()
        old.mail.let_in = None
        _queue.__set__(self, traced_queue(old.mail))

    @property
    def current(self) -> Any:
        """The message at hand."""
        return _current.__get__(self)

    @current.setter
    def current(self, message: Any) -> None:
        _current.__set__(self, message)
        if message is NOTHING:
            self.mail.let_go()

    @property
    def context(self) -> Any:
        """What the incarnation sees of its runtime."""
        return _context.__get__(self)

    @context.setter
    def context(self, context: Context | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # it stands before the slot
        if context is not None:
            context.__class__ = TracedContext
        _context.__set__(self, context)

    def admit(self) -> None:
        """Let waiting senders in while there is room."""
        super().admit()
        self.mail.let_in = None

    def _queue_up(self, sender: Sender) -> deque[Sender]:
        more = self.more
        if more.senders is None:
            more.senders = TracedLine(self.mail)
        return super()._queue_up(sender)

    def _ask_inline(self, message: object) -> Any:
        mail = self.mail
        mail.taken(mail.sent(message, self.queue.length))
        mail.received()
        return super()._ask_inline(message)

    def _tell_slowly(self, message: object) -> None:
        mail = self.mail
        if self._why_dead():
            mail.dead(mail.sent(message, self.queue.length))
            super()._tell_slowly(message)
            return
        before = mail.got_in
        super()._tell_slowly(message)  # if it raises, the message is its sender's again
        if mail.got_in == before:
            mail.dropped(mail.sent(message, self.queue.length))


class TracedCell(Traced):
    """A child."""

    __slots__ = ()


class TracedManager(Manager):
    """Carries out the operators' commands."""

    def _carry_out(self, command: Callable[..., None], promise: Promise, args: tuple[Any, ...]) -> None:
        log = log_of(self.node.runtime.timers)
        if command.__name__ == "start_children":
            for spec in args[0]:
                log.record("command", f"{self.node.path}/{spec.name}", verb="start_child")
        else:
            cell = self.node.children.get(args[0])
            present = cell.incarnation if cell is not None else 0
            log.record("command", f"{self.node.path}/{args[0]}", present, verb=command.__name__)
        super()._carry_out(command, promise, args)


class CommandNode(Node):
    """A supervisor that records the specs of its children, and the commands that it is given."""

    __slots__ = ()

    @property
    def manager(self) -> Any:
        """The manager of the present incarnation."""
        return _manager.__get__(self)

    @manager.setter
    def manager(self, manager: Manager) -> None:
        manager.__class__ = TracedManager
        _manager.__set__(self, manager)

    def add(self, spec: Child | Supervisor) -> Cell:
        """Add a child, tapped."""
        cell = super().add(spec)
        self._adopt(cell)
        return cell

    def _adopt(self, cell: Cell) -> None:
        _adopt(cell, log_of(self.runtime.timers), messages=False)


class TracedNode(Traced, CommandNode):  # pyright: ignore[reportIncompatibleVariableOverride]  # the same
    """A supervisor whose children's messages are recorded."""

    __slots__ = ()

    def _adopt(self, cell: Cell) -> None:
        _adopt(cell, log_of(self.runtime.timers), messages=True)


def adopt(runtime: Runtime, log: Log, *, messages: bool) -> None:
    """Tap every cell of *runtime*, from now on."""
    put_log(runtime.timers, log)
    for root in runtime.roots:
        _adopt(root, log, messages=messages)


def _adopt(cell: Cell, log: Log, *, messages: bool) -> None:
    for one in cell.walk():
        record_spec(log, one.path, one.spec, one.node.runtime.policies.plan(one.spec.options))
        log.know(one.path)
        if isinstance(one, Node):
            one.__class__ = TracedNode if messages else CommandNode
            one.manager = one.manager  # it gets its class
            if messages:
                TracedDispatcher.adopt(one.dispatcher)
        elif messages:
            one.__class__ = TracedCell
