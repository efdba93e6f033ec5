"""Who waits for a socket, and for a port that takes connections."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import outcome
import trio
from trio.lowlevel import current_task, reschedule, wait_task_rescheduled

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from duenna.testing._net._end import End

_BUSY = "another task is already reading / writing this fd"
_CLOSED = "another task closed this fd"
_ABORTED = trio.lowlevel.Abort.SUCCEEDED


class Waiters:
    """The two tasks at most that wait for a socket: one to read (or accept), one to write (or connect).

    Attributes:
        reader: Who waits for something to read.
        writer: Who waits until there is room.
    """

    __slots__ = ("reader", "writer")

    def __init__(self) -> None:
        self.reader: trio.lowlevel.Task | None = None
        self.writer: trio.lowlevel.Task | None = None

    def wait_readable(self) -> Awaitable[Any]:
        """Wait to be woken, once; what it was for has to be looked up."""
        if self.reader is not None:
            raise trio.BusyResourceError(_BUSY)
        self.reader = current_task()
        return wait_task_rescheduled(self._stop_reading)  # noqa: ASYNC105  # the caller awaits it, one frame less

    def wait_writable(self) -> Awaitable[Any]:
        """Wait to be woken, once; what it was for has to be looked up."""
        if self.writer is not None:
            raise trio.BusyResourceError(_BUSY)
        self.writer = current_task()
        return wait_task_rescheduled(self._stop_writing)  # noqa: ASYNC105  # the caller awaits it, one frame less

    def wake_reader(self) -> None:
        """Wake who waits to read."""
        task, self.reader = self.reader, None
        if task is not None:
            reschedule(task)

    def wake_writer(self) -> None:
        """Wake who waits to write."""
        task, self.writer = self.writer, None
        if task is not None:
            reschedule(task)

    def turn_away(self) -> None:
        """Tell both that the socket was closed."""
        for task in (self.reader, self.writer):
            if task is not None:
                reschedule(task, outcome.Error(trio.ClosedResourceError(_CLOSED)))
        self.reader = self.writer = None

    def _stop_reading(self, _raise_cancel: Any) -> trio.lowlevel.Abort:
        self.reader = None
        return _ABORTED

    def _stop_writing(self, _raise_cancel: Any) -> trio.lowlevel.Abort:
        self.writer = None
        return _ABORTED


class Listening(Waiters):
    """A port that takes connections.

    Attributes:
        limit: How many may wait to be accepted.
        queue: Those that wait, in order.
        expected: How many are about to.
        is_closed: Whether it takes none any more.
    """

    __slots__ = ("expected", "is_closed", "limit", "queue")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = max(limit, 1)
        self.queue: deque[End] = deque()
        self.expected = 0
        self.is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return len(self.queue) + self.expected >= self.limit

    def take(self, end: End) -> None:
        """Queue a connection, for `accept`."""
        self.queue.append(end)
        self.wake_reader()

    def close(self) -> None:
        """Take no more, and reset those that wait."""
        self.is_closed = True
        while self.queue:
            self.queue.popleft().close(resets=True)
