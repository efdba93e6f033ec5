"""Shows on a terminal how far something is that blocks the main thread; shows nothing anywhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TextIO

import attrs

if TYPE_CHECKING:
    from types import TracebackType

_EVERY = 0.5  # real seconds
_ERASE = "\r\x1b[K"


@attrs.define(eq=False)
class Progress:
    """A line that is written again and again until the `with` block ends.

    A thread, because a signal would wake the simulated loop, and so change the order of its tasks.
    """

    stream: TextIO
    _text: Callable[[], str] = attrs.field(default=lambda: "", init=False)
    _ended: threading.Event = attrs.field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)

    def show(self, text: Callable[[], str]) -> None:
        """Show what *text* returns, from now on; it is called in another thread."""
        self._text = text

    def __enter__(self) -> Self:
        if self.stream.isatty():
            self._thread = threading.Thread(target=self._write, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self.stream.write(_ERASE)
            self.stream.flush()

    def _write(self) -> None:
        while not self._ended.wait(_EVERY):
            self.stream.write(_ERASE + self._text())
            self.stream.flush()
