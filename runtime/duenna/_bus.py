"""The event bus: who wants which events, and the two readers, streams and the log.

An event that nobody wants is not built: a poster asks ``wants(kind)`` first.
"""

import sys
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import attrs
import trio
from loguru import logger

from duenna.events import DeadLetter, Event, EventsLost, MessageDropped
from duenna.guard_events import CallRejected, CallRetried, FallbackUsed

_THINNED = (DeadLetter, MessageDropped, CallRejected, CallRetried, FallbackUsed)


class EventBus:
    """Hand each event to the streams that want it, and to the log."""

    def __init__(self, log_level: str | None) -> None:
        """Log what is at *log_level* or above; None logs nothing.

        Raises:
            ValueError: There is no such level.
        """
        self._least = None if log_level is None else _level(log_level)
        self._streams: list[EventStream] = []
        self._wanted: dict[type[Event], bool] = {}
        self._wanted_routine: dict[type[Event], bool] = {}
        self.lost_lines = 0
        self.lost_events = 0
        self._thinning: dict[tuple[type[Event], str, str], int] = {}

    def wants(self, kind: type[Event]) -> bool:
        """Return whether anybody would see an event of *kind*; from any thread."""
        known = self._wanted  # another one when the streams change, so that no thread writes an old answer into it
        wanted = known.get(kind)
        if wanted is None:
            wanted = known[kind] = self._logs(kind) or any(s.takes(kind) for s in self._streams)
        return wanted

    def wants_routine(self, kind: type[Event]) -> bool:
        """Return whether anybody would see an event of *kind* that tells of nothing unusual."""
        known = self._wanted_routine
        wanted = known.get(kind)
        if wanted is None:
            wanted = known[kind] = self._logs(kind) or any(
                not stream.skips_routine and stream.takes(kind) for stream in self._streams
            )
        return wanted

    def post(self, event: Event, *, routine: bool = False) -> None:
        """Give *event* to everybody who wants it; never blocks, never raises.

        Args:
            event: The event.
            routine: Whether it tells of nothing unusual: a first start, an orderly end. Who
                watches for trouble skips it, so that starting a million actors costs no more for it.
        """
        self.offer(event, routine=routine)
        self.log(event)

    def offer(self, event: Event, *, routine: bool = False) -> None:
        """Give *event* to the streams."""
        for stream in tuple(self._streams):
            if not (routine and stream.skips_routine):
                stream.offer(event)

    def log(self, event: Event) -> None:
        """Write the line of *event*; from any thread."""
        if self._logs(type(event)) and not self._is_thinned(event):
            try:
                line = logger.bind(path=event.path, event=type(event).__name__)
                line.log(event.level, "{} {}", event.path, event.text())
            except Exception as exc:  # noqa: BLE001  # a sink's failure is not the bot's
                self.lost_lines += 1
                if self.lost_lines == 1:
                    sys.stderr.write(f"duenna: a log sink failed, lines are lost: {exc!r}\n")

    def attach(self, stream: "EventStream") -> None:
        """Begin to feed *stream*."""
        self._streams.append(stream)
        self._wanted = {}
        self._wanted_routine = {}

    def detach(self, stream: "EventStream") -> None:
        """Stop feeding *stream*; does nothing the second time."""
        if stream in self._streams:
            self._streams.remove(stream)
            self._wanted = {}
            self._wanted_routine = {}

    def close(self) -> None:
        """End every stream: each reader gets what it has not read yet, then its loop ends."""
        for stream in tuple(self._streams):
            stream.close()

    def _logs(self, kind: type[Event]) -> bool:
        return self._least is not None and _level(kind.level) >= self._least

    def _is_thinned(self, event: Event) -> bool:
        """Say whether a flood of this kind, path and guard has had its line: at 1, 2, 4, 8, ... there is one."""
        if not isinstance(event, _THINNED):
            return False
        key = (type(event), event.path, getattr(event, "guard", ""))
        if key not in self._thinning and len(self._thinning) >= _MOST_THINNED:
            del self._thinning[next(iter(self._thinning))]
        seen = self._thinning[key] = self._thinning.get(key, 0) + 1
        return seen & (seen - 1) != 0


_MOST_THINNED = 1000


def _level(name: str) -> int:
    return logger.level(name).no


@attrs.define(eq=False)
class EventStream:
    """A bounded subscription to events; made by ``runtime.events()``.

    Iterate it with ``async for``, in one task. A reader that is slower than the events
    loses the oldest, and is given an `EventsLost` with their number in their place. The
    loop ends when the stream is closed or the runtime has ended.

    Attributes:
        capacity: Events that wait for the reader, at most.
        skips_routine: Whether it takes no first starts and no orderly ends.
    """

    capacity: int
    _bus: EventBus
    _types: tuple[type[Event], ...]
    _clock: trio.abc.Clock
    skips_routine: bool = attrs.field(default=False, kw_only=True)
    _events: deque[Event] = attrs.field(factory=deque[Event], init=False)
    _lost: int = attrs.field(default=0, init=False)
    _reader: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def takes(self, kind: type[Event]) -> bool:
        """Return whether this stream wants events of *kind*."""
        return not self._types or issubclass(kind, self._types)

    def offer(self, event: Event) -> None:
        """Append *event* if it is wanted, at the cost of the oldest when there is no room."""
        if not self.takes(type(event)):
            return
        if len(self._events) >= self.capacity:
            self._events.popleft()
            self._lost += 1
            self._bus.lost_events += 1
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """End the stream; what is in it can still be read."""
        self._closed = True
        self._bus.detach(self)
        self._wake()

    def drain(self) -> Iterator[Event]:
        """Yield what has arrived so far, without waiting."""
        while self._lost or self._events:
            yield self._take()

    def __enter__(self) -> Self:
        """Use the stream in a ``with`` block that closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over the events as they come."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event, waiting for it if need be.

        Raises:
            RuntimeError: Another task is already waiting.
            StopAsyncIteration: The stream is closed and everything in it was read.
        """
        await trio.lowlevel.checkpoint()
        while not self._events and not self._lost:
            if self._closed:
                raise StopAsyncIteration
            if self._reader is not None:
                message = "an event stream has one reader, another task is already waiting on it"
                raise RuntimeError(message)
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        return self._take()

    def _take(self) -> Event:
        if self._lost:
            lost, self._lost = self._lost, 0
            return EventsLost(time=self._clock.current_time(), path="/", count=lost)
        return self._events.popleft()

    def _wake(self) -> None:
        if self._reader is not None:
            task, self._reader = self._reader, None
            trio.lowlevel.reschedule(task)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED
