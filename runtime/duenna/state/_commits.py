"""What waits to become durable, and who waits for it: group commit.

Theory of operation. Whoever has changes *stages* them: they go into the *batch* that is open, where
the newest change of a key takes the place of an older one, so no more waits than there are keys.
The one writer takes the batch, opens the next, and gives all of it to the store at once; who
waits for a batch is told when the store has answered. What a store refused stays, and goes with the
next batch: who waited is told so, and that it is tried again.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from duenna.storage import Change, NotDurableError

RETRY_FIRST: Final = 0.5
"""Seconds until a store that has failed is tried again."""

RETRY_LONGEST: Final = 5.0
"""The same, at most: doubled after each failure until then."""


@attrs.define(eq=False)
class Batch:
    """Changes that become durable together.

    Attributes:
        changes: By key.
        done: Set when the store has answered.
        error: What it said, None if all is durable.
        seq: The store's commit.
        before: Batches whose writing was cut short: their changes are in this one.
    """

    changes: dict[str, Change] = attrs.field(factory=dict[str, Change])
    done: trio.Event = attrs.field(factory=trio.Event)
    error: Exception | None = None
    seq: int = 0
    before: "list[Batch]" = attrs.field(factory=list[Any])

    def end(self, seq: int, error: Exception | None) -> None:
        """Tell who waits for this, or for what was cut short before it."""
        self.seq, self.error = seq, error
        self.done.set()
        for batch in self.before:
            batch.end(seq, error)


@attrs.define(eq=False)
class Commits:
    """The batches of one store.

    Attributes:
        store: What people know the store by.
        waiting: The changes that are not durable yet, by key, those that are being written included.
        failures: How often in a row the store has failed.
        is_closed: Whether nothing is taken in any more.
        is_held: Whether the writer was stopped in order, and nothing is written until it is started again.
    """

    store: str
    waiting: dict[str, Change] = attrs.field(factory=dict[str, Change], init=False)
    failures: int = attrs.field(default=0, init=False)
    is_closed: bool = attrs.field(default=False, init=False)
    is_held: bool = attrs.field(default=False, init=False)
    _open: Batch = attrs.field(factory=Batch, init=False)
    _writing: Batch | None = attrs.field(default=None, init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)

    def stage(self, changes: Sequence[Change]) -> Batch:
        """Take *changes* in; return the batch that they are in."""
        batch = self._open
        for change in changes:
            batch.changes[change.key] = change
            self.waiting[change.key] = change
        if changes:
            self._news.set()
        return batch

    async def until_waiting(self) -> None:
        """Return when there is something to write."""
        while not self.waiting:
            self._news = trio.Event()
            await self._news.wait()
        await trio.lowlevel.checkpoint()

    def last(self) -> Batch | None:
        """Return the batch after which all that was staged so far is durable; None: all of it is."""
        if self._open.changes or (self._writing is None and self.waiting):
            return self._open
        return self._writing

    def take(self) -> Batch:
        """Return what to write now; what is staged from now on is written next."""
        batch, self._open = self._open, Batch()
        self._writing = batch
        for key, change in self.waiting.items():  # what the store refused before goes along
            batch.changes.setdefault(key, change)
        return batch

    def settle(self, batch: Batch, seq: int) -> None:
        """Note that the store has *batch* as its commit *seq*; tell who waits."""
        self.failures = 0
        self._writing = None
        for key, change in batch.changes.items():
            if self.waiting.get(key) is change:
                del self.waiting[key]
        batch.end(seq, None)

    def put_back(self, batch: Batch) -> None:
        """Note that the writing of *batch* was cut short: it is written again, with the next."""
        self._writing = None
        self._open.before.append(batch)

    def fail(self, batch: Batch, error: Exception) -> None:
        """Note that the store does not take *batch*: its changes stay; tell who waits."""
        self.failures += 1
        self._writing = None
        told = NotDurableError(self.store, str(error) or type(error).__name__)
        told.__cause__ = error
        batch.end(0, told)

    @property
    def retry_in(self) -> float:
        """Seconds until a store that has failed is tried again."""
        return float(min(RETRY_LONGEST, RETRY_FIRST * 2 ** min(self.failures - 1, 10)))

    def close(self, error: Exception) -> None:
        """Take nothing in any more; who still waits is told *error*."""
        self.is_closed = True
        for batch in (self._open, self._writing):
            if batch is not None:
                batch.end(0, error)


async def durable(batch: Batch) -> int:
    """Wait until *batch* is durable; return the store's commit. Cancelled, the batch goes on.

    Raises:
        NotDurableError: The store does not take it now; it is tried again.
        StoppedError: The runtime has ended.
    """
    await batch.done.wait()
    if batch.error is not None:
        raise batch.error
    return batch.seq
