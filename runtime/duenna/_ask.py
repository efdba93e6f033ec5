"""Asks: a message that somebody waits on, and the handle to answer it later."""

from typing import TYPE_CHECKING

from trio.lowlevel import reschedule

from duenna._promise import RESUME, Promise
from duenna.errors import AskCycleError, AskTimeoutError
from duenna.mailbox import Envelope

if TYPE_CHECKING:
    from collections import deque

    from duenna._cell import Cell
    from duenna._extra import Sender
    from duenna._timers import TimerHeap


class Ask(Promise, Envelope):
    """One question to an actor, and the timer of its own timeout."""

    __slots__ = ("_heap", "_line", "_timeout", "cell", "is_deferred", "message")

    period = 0.0

    def __init__(self, cell: "Cell", message: object) -> None:
        """Ask *cell*."""
        self._task = self._value = self._error = None
        self._heap: TimerHeap | None = None
        self._line: deque[Sender] | None = None
        self.is_settled = self.is_deferred = False
        self.cell = cell
        self.message = message

    @property
    def is_live(self) -> bool:
        """Whether the timeout still matters."""
        return not self.is_settled

    def limit(self, heap: "TimerHeap", timeout: float) -> None:
        """Wait *timeout* seconds at most."""
        self._heap = heap
        self._timeout = timeout
        heap.arm(timeout, self)

    def wait_in(self, line: "deque[Sender]") -> None:
        """Stand last in the *line* of those who wait for room, for as long as somebody waits for the answer."""
        self._line = line

    def fire(self) -> None:
        """The time is over."""
        self._heap = None
        self.fail(AskTimeoutError(self.cell.path, self._timeout))

    def answer(self, value: object) -> None:
        """Give the asker *value*; a dead letter if it has gone."""
        if self.is_settled:
            self.cell.late_answer(value)
            return
        if self.is_deferred or self._line is not None:
            self.done(value)
            return
        # The same as done(), in one piece: most answers come this way.
        self.is_settled = True
        self._value = value
        heap = self._heap
        if heap is not None:
            self._heap = None
            heap.forget_one()
        task = self._task
        if task is not None:
            self._task = None
            reschedule(task, RESUME)

    def left(self) -> None:
        """Disarm the timeout; a deferred reply is owed no more."""
        if self.is_deferred and self.cell.extra is not None:
            self.cell.extra.deferred.pop(self, None)
        line, self._line = self._line, None
        if line is not None:
            for place, sender in enumerate(line):
                if sender.message is self:
                    del line[place]
                    break
        heap = self._heap
        if heap is not None:
            self._heap = None
            heap.forget_one()


class Reply:
    """The right to answer one ask later; made by ``context.defer_reply()``.

    If the incarnation that holds it ends first, the asker gets `ActorDiedError`. An answer
    after that, after the asker's timeout, or a second one is a dead letter.
    """

    __slots__ = ("_ask",)

    def __init__(self, ask: Ask) -> None:
        """Hold the right to answer *ask*."""
        self._ask = ask

    @property
    def is_open(self) -> bool:
        """Whether the asker still waits."""
        return not self._ask.is_settled

    def send(self, value: object) -> None:
        """Answer with *value*."""
        self._ask.answer(value)

    def fail(self, error: Exception) -> None:
        """Raise *error* at the asker; the actor itself goes on.

        Raises:
            TypeError: *error* is no exception.
        """
        if not isinstance(error, Exception):
            message = f"Reply.fail: error must be an Exception, got {error!r}"
            raise TypeError(message)
        self._ask.fail(error)


def refuse_cycle(asker: "Cell", asked: "Cell") -> None:
    """Refuse an ask that could only wait for itself: follow who waits for whom.

    Raises:
        AskCycleError: *asked* waits, directly or not, for *asker*, or is it.
    """
    paths = [asker.path]
    cell: Cell | None = asked
    while cell is not None and len(paths) <= _LONGEST_CYCLE:
        paths.append(cell.path)
        if cell is asker:
            raise AskCycleError(paths)
        waits = cell.extra.waits if cell.extra is not None else None
        cell = waits.cell if waits is not None else None


_LONGEST_CYCLE = 1000
