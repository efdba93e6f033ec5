"""One viewer: a bounded queue of chunks that somebody reads, at his own speed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, Self

import attrs
import trio

from duenna_actors.console.view.frames import message
from duenna_actors.console.view.model import EventRow

if TYPE_CHECKING:
    from types import TracebackType


PING: Final = 15.0
"""Seconds without a chunk after which a comment is sent, so that both ends know of each other."""

MOST_CHUNKS: Final = 64
MOST_BYTES: Final = 4 * 1024 * 1024

_PING: Final = b": ping\n\n"
_BYE: Final = message("bye", b"{}")


class Feeder(Protocol):
    """Who feeds viewers."""

    def joined(self, viewer: Viewer) -> None:
        """Take in *viewer*."""
        ...

    def left(self, viewer: Viewer) -> None:
        """Forget *viewer*; does nothing the second time."""
        ...

    def wake(self) -> None:
        """Tick soon: somebody waits for a snapshot."""
        ...


@attrs.define(eq=False)
class Viewer:
    """A reader of a stream of server-sent events. Iterate it in one task, inside its ``with`` block.

    At most 64 chunks wait for it, and 4 MiB beside the whole snapshot that it began with, which
    may be larger. When more come, all that waits is lost, and nothing is queued until it reads again.

    Attributes:
        is_live: Whether it wants snapshots and what changed, and not the events alone.
        after: The last event that it was given, or has no use for.
        accepts: Says which events it wants; None: all.
        needs_whole: Whether it needs a whole snapshot before it can use a delta.
        is_behind: Whether what was queued is lost, and it has not been told.
        lost_events: Events that it lost since it was told last.
        lost_frames: Chunks that it lost since then.
    """

    _hub: Feeder
    is_live: bool
    after: int
    accepts: Callable[[EventRow], bool] | None = None
    needs_whole: bool = attrs.field(default=True, init=False)
    is_behind: bool = attrs.field(default=False, init=False)
    lost_events: int = attrs.field(default=0, init=False)
    lost_frames: int = attrs.field(default=0, init=False)
    _chunks: deque[tuple[bytes, int]] = attrs.field(factory=deque[tuple[bytes, int]], init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _most: int = attrs.field(default=MOST_BYTES, init=False)
    _is_over: bool = attrs.field(default=False, init=False)
    _news: trio.Event | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Self:
        """Join the hub."""
        self._hub.joined(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        self._hub.left(self)

    def __aiter__(self) -> Self:
        """Iterate over the chunks of the stream."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk; a comment after 15 s without one.

        Raises:
            StopAsyncIteration: The hub has closed.
        """
        await trio.lowlevel.checkpoint()
        if not self._chunks and not self._is_over:
            if self.is_behind or self.needs_whole:
                self._hub.wake()
            await self._wait()
        if self._chunks:
            chunk, _ = self._chunks.popleft()
            self._bytes -= len(chunk)
            return chunk
        if self._is_over:
            raise StopAsyncIteration
        return _PING

    async def _wait(self) -> None:
        try:
            with trio.move_on_after(PING):
                while not self._chunks and not self._is_over:
                    self._news = trio.Event()
                    await self._news.wait()
        finally:
            self._news = None

    @property
    def is_reading(self) -> bool:
        """Whether it waits for the next chunk."""
        return self._news is not None

    def begin(self, whole: bytes) -> None:
        """Queue the whole snapshot *whole*: deltas follow. There is always room for it."""
        self.needs_whole = False
        self._most = MOST_BYTES + len(whole)
        self.put(whole)

    def put(self, chunk: bytes, events: int = 0) -> None:
        """Queue *chunk*, which tells of so many *events*; if there is no room, all that is queued is lost."""
        if self.is_behind:
            self.lose(events)
            return
        if self._chunks and (len(self._chunks) >= MOST_CHUNKS or self._bytes + len(chunk) > self._most):
            self.lost_frames += len(self._chunks)
            self.lost_events += sum(count for _, count in self._chunks)
            self._chunks.clear()
            self._bytes = 0
            self.is_behind = self.needs_whole = True
            self.lose(events)
            return
        self._chunks.append((chunk, events))
        self._bytes += len(chunk)
        if self._news is not None:
            self._news.set()

    def lose(self, events: int) -> None:
        """Count a chunk that it does not get, with so many *events*."""
        self.lost_frames += 1
        self.lost_events += events

    def end(self) -> None:
        """Say good-bye after what is queued, and end."""
        if not self._is_over:
            self._is_over = True
            self._chunks.append((_BYE, 0))
            self._bytes += len(_BYE)
            if self._news is not None:
                self._news.set()
