"""Writes that are accepted and not yet committed: a bounded queue that outlives the connection; a pure machine.

Every write has a number. The database keeps the number of the last one that it has
committed, in the same transaction as the writes themselves, under a name that only this
buffer has. So after a commit whose answer was lost, the connection that comes next learns
what was done and what was not.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import attrs

from duenna import Reply
from duenna_actors.database_messages import Write, WriteBufferFullError, WriteDroppedError


class Overflow(StrEnum):
    """What happens to a write when the buffer is full."""

    REFUSE = "refuse"
    DROP_OLDEST = "drop_oldest"


@attrs.define(eq=False)
class Pending:
    """One accepted write and whoever waits for it."""

    number: int
    write: Write
    reply: Reply | None


@attrs.define(eq=False)
class WriteBuffer:
    """The queue.

    Attributes:
        capacity: Writes it holds, at least 1.
        overflow: `refuse` keeps what was accepted and refuses the new write;
            `drop_oldest` gives up the oldest that is not being written.
        token: The name under which the database keeps the number; empty before the first
            connection.
        accepted: The number of the last write accepted.
    """

    capacity: int = attrs.field(default=10_000, validator=attrs.validators.ge(1))
    overflow: Overflow = attrs.field(default=Overflow.REFUSE, converter=Overflow)
    token: str = attrs.field(default="", init=False)
    accepted: int = attrs.field(default=0, init=False)
    written: int = attrs.field(default=0, init=False)
    rejected: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)
    dropped: int = attrs.field(default=0, init=False)
    _queue: deque[Pending] = attrs.field(factory=deque[Pending], init=False)
    _taken: int = attrs.field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._queue)

    def accept(self, write: Write, reply: Reply | None) -> None:
        """Take *write* in.

        Raises:
            WriteBufferFullError: There is no room, and the rule is to refuse or everything
                in the buffer is being written.
        """
        if len(self._queue) >= self.capacity:
            if self.overflow is Overflow.REFUSE or self._taken >= len(self._queue):
                self.refused += 1
                raise WriteBufferFullError(self.capacity)
            oldest = self._queue[self._taken]
            del self._queue[self._taken]
            self.dropped += 1
            _fail(oldest, WriteDroppedError())
        self.accepted += 1
        self._queue.append(Pending(self.accepted, write, reply))

    def take(self, most: int) -> list[Pending]:
        """Return the oldest writes, *most* of them at most; they stay in the buffer until they are settled."""
        self._taken = min(most, len(self._queue))
        return [self._queue[place] for place in range(self._taken)]

    def put_back(self) -> None:
        """Note that what was taken is not being written any more."""
        self._taken = 0

    def forget_askers(self) -> None:
        """Note that nobody waits any more: the incarnation that could answer has ended."""
        self._taken = 0
        for pending in self._queue:
            pending.reply = None

    def committed(self, number: int) -> None:
        """Forget the writes up to *number*: they are in the database."""
        self._taken = 0
        while self._queue and self._queue[0].number <= number:
            done = self._queue.popleft()
            self.written += 1
            if done.reply is not None and done.reply.is_open:
                done.reply.send(done.number)

    def reject(self, number: int, error: Exception) -> bool:
        """Forget the write *number*, the oldest: the database will never take it. Return whether somebody was told."""
        self._taken = 0
        if not self._queue or self._queue[0].number != number:
            message = f"write {number} is not the oldest in the buffer"
            raise ValueError(message)
        self.rejected += 1
        return _fail(self._queue.popleft(), error)


def _fail(pending: Pending, error: Exception) -> bool:
    if pending.reply is None or not pending.reply.is_open:
        return False
    pending.reply.fail(error)
    return True
