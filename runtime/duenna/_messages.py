"""The mailbox of a function actor, read by its own task."""

from typing import TYPE_CHECKING, Any, Self

import trio

from duenna._ask import Ask
from duenna.errors import NoReplyError
from duenna.mailbox import NOTHING, Envelope

if TYPE_CHECKING:
    from duenna._cell import Cell

_BATCH = 64
_MOST_SECONDS = 0.0005


class Messages:
    """The mailbox of a function actor, as an async iterator."""

    def __init__(self, cell: "Cell", incarnation: int) -> None:
        """Read the mailbox of *cell* while it is at *incarnation*."""
        self._cell = cell
        self._incarnation = incarnation
        self._credit = 0
        self._until = 0.0
        self._now = cell.node.runtime.now

    def __aiter__(self) -> Self:
        """Iterate over the messages as they come."""
        return self

    async def __anext__(self) -> Any:
        """Return the next message; up to 64, or as many as come within half a millisecond, cost one checkpoint.

        Cancelled, no message is taken.

        Raises:
            RuntimeError: Another task is waiting already.
        """
        cell = self._cell
        self._finish_current()
        while True:
            if self._credit <= 0 or self._now() > self._until or not self._has_mail():
                await self._wait()
                self._credit = _BATCH
                self._until = self._now() + _MOST_SECONDS
            while self._has_mail():
                self._credit -= 1
                message = cell.queue.popleft()
                cell.count_served(1)
                if isinstance(message, Envelope):
                    if not message.is_wanted(self._incarnation):
                        continue
                    cell.current = message
                    return message.message
                cell.current = message
                return message

    def _finish_current(self) -> None:
        current, self._cell.current = self._cell.current, NOTHING
        if isinstance(current, Ask) and not current.is_deferred:
            current.fail(NoReplyError(self._cell.path))

    def _has_mail(self) -> bool:
        cell = self._cell
        return bool(cell.queue) and not (cell.extra is not None and cell.extra.is_suspended)

    async def _wait(self) -> None:
        await trio.lowlevel.checkpoint()
        more = self._cell.more
        while not self._has_mail():
            if more.is_draining:
                raise StopAsyncIteration
            if more.reader is not None:
                text = f"{self._cell.path}: one task reads messages(), another one is waiting already"
                raise RuntimeError(text)
            more.reader = trio.lowlevel.current_task()

            def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
                more.reader = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
