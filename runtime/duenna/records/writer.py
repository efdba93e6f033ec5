"""One log on its way to the disk: a bounded queue of lines, and the batch that is being written.

Theory of operation. Whoever has a line puts it into the queue and goes on: that is all that the
event loop ever does for it. The actor takes a batch from the queue and has a worker thread write
it. A batch that could not be written is kept, in front of the queue, and written again: a file
that has got its part is not written twice. Only one thread at a time works for a log (its limiter
has one token), so a batch that was left to its thread by a cancelled task is simply written
"again": that waits for the thread, and finds the work done.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from duenna.records.files import append

MOST_LINES: Final = 100_000
"""Lines of one log that wait to be written; of more, the oldest are dropped, and counted."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes, about, of one log's lines that wait to be written; of more, the oldest are dropped, and counted."""

BATCH_LINES: Final = 1000
"""Lines that are written at once, at most."""

BATCH_BYTES: Final = 1024 * 1024
"""Bytes, about, after which no more lines are written at once."""

Form = Callable[[Sequence[Any]], dict[str, bytes]]
"""Makes lines of what the queue holds, by the name of the file that they belong to; never raises."""


@attrs.define(eq=False)
class Batch:
    """Lines that are written together.

    Attributes:
        folder: Where the files are.
        lines: What to write; empty once the bytes of it are made.
        count: How many lines there were.
        parts: What is still to be written, by the name of the file.
        error: Why the last try failed; None: it did not.
        file: The file at hand.
    """

    folder: Path
    form: Form
    lines: list[Any]
    count: int = attrs.field(init=False)
    parts: dict[str, bytes] = attrs.field(factory=dict[str, bytes], init=False)
    error: Exception | None = attrs.field(default=None, init=False)
    file: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        """Note how many lines there are."""
        self.count = len(self.lines)

    @property
    def is_done(self) -> bool:
        """Whether every line is in its file."""
        return not self.lines and not self.parts

    def write(self) -> None:
        """Write what is left of it; called in a worker thread. What goes wrong is noted, not raised."""
        self.error = None
        try:
            if self.lines:
                self.parts, self.lines = self.form(self.lines), []
            for name in tuple(self.parts):
                self.file = name
                append(self.folder / name, self.parts[name])
                del self.parts[name]
        except Exception as exc:  # noqa: BLE001  # whatever it is, the lines are kept and the bot goes on
            self.error = exc.with_traceback(None)


@attrs.define(eq=False)
class Log:
    """One log: what waits, what is being written, and how that goes.

    Attributes:
        name: `errors` or `recovery`.
        folder: Where its files are.
        pattern: Of its files' names; the groups are year, month and day.
        form: Makes its lines.
        written: Lines written so far.
        lost: Lines dropped so far, since too many waited.
        failures: Tries to write that failed, so far.
        failing_since: When it could first not be written, or first lost a line, in seconds of
            trio's clock; None: no more than a batch waits.
        error: Why, in words; empty if it can.
        lost_before: Lines lost before that.
        limiter: Lets one thread at a time work for it.
    """

    name: str
    folder: Path
    pattern: re.Pattern[str]
    form: Form
    written: int = attrs.field(default=0, init=False)
    lost: int = attrs.field(default=0, init=False)
    failures: int = attrs.field(default=0, init=False)
    failing_since: float | None = attrs.field(default=None, init=False)
    error: str = attrs.field(default="", init=False)
    lost_before: int = attrs.field(default=0, init=False)
    limiter: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)
    _queue: deque[tuple[int, Any]] = attrs.field(factory=deque[tuple[int, Any]], init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _batch: Batch | None = attrs.field(default=None, init=False)
    _sleeper: trio.Event | None = attrs.field(default=None, init=False)

    @property
    def waiting(self) -> int:
        """Lines that wait to be written."""
        return len(self._queue) + (self._batch.count if self._batch is not None else 0)

    def put(self, line: Any, size: int) -> bool:
        """Append *line*, of about *size* bytes; return whether there was room without dropping the oldest."""
        queue = self._queue
        queue.append((size, line))
        self._bytes += size
        if self._sleeper is not None:
            self._sleeper.set()
            self._sleeper = None
        if len(queue) <= MOST_LINES and self._bytes <= MOST_BYTES:
            return True
        while len(queue) > MOST_LINES or self._bytes > MOST_BYTES:
            self._bytes -= queue.popleft()[0]
            self.lost += 1
        return False

    def begin_failing(self, now: float, lost_before: int | None = None) -> None:
        """Note that from *now* on lines wait too long, or are lost; does nothing while that is so already."""
        if self.failing_since is None:
            self.failing_since = now
            self.lost_before = self.lost if lost_before is None else lost_before

    async def until_waiting(self) -> None:
        """Wait until there is something to write; a checkpoint."""
        await trio.lowlevel.checkpoint()
        while not self.waiting:
            self._sleeper = trio.Event()
            await self._sleeper.wait()

    def batch(self) -> Batch:
        """Return what to write next: what could not be written before, or else the oldest lines."""
        if self._batch is None:
            lines, size = list[Any](), 0
            while self._queue and len(lines) < BATCH_LINES and size < BATCH_BYTES:
                one, line = self._queue.popleft()
                size += one
                lines.append(line)
            self._bytes -= size
            self._batch = Batch(self.folder, self.form, lines)
        return self._batch

    def settle(self, batch: Batch) -> bool:
        """Note how it went with *batch*; return whether it is written."""
        if batch.is_done:
            self.written += batch.count
            self._batch = None
        else:
            self.failures += 1
        return batch.is_done
