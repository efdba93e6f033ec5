"""One time for whoever shares a guard: trio, asyncio and plain threads have clocks that begin where they like.

The time is that of the clock which was used first, exactly; another one is brought in line
when it is seen for the first time. A run under another virtual clock is another world,
which shares no past with this one: then everything begins anew, so that a guard of a module
behaves the same in each test.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import attrs
import trio
from sniffio import thread_local as library

from duenna._thread_clock import THREADS

_MOST_CLOCKS = 8


@attrs.define(eq=False)
class _Clock:
    """A clock, and what makes its time the timeline's."""

    owner: Any
    read: Callable[[], float]
    is_virtual: bool
    offset: float = 0.0


@attrs.define(eq=False)
class Timeline:
    """Tells one time to all.

    Attributes:
        on_new_world: Called when the past has become meaningless.
        may_end: Whether this world may give way to another, unseen: it has a virtual clock, or none yet.
    """

    on_new_world: Callable[[], None] = lambda: None
    may_end: bool = attrs.field(default=True, init=False)
    _clock: _Clock | None = None
    _known: list[_Clock] = attrs.field(factory=list[_Clock], init=False)
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)

    def now(self) -> float:
        """Return the time in seconds; of the thread, loop or run that asks."""
        if library.name == "trio":
            owner: Any = trio.lowlevel.current_clock()
        else:
            owner = asyncio._get_running_loop() or THREADS  # noqa: SLF001  # get_running_loop raises
        clock = self._clock
        if clock is None or clock.owner is not owner:
            clock = self._change(owner)
        return clock.read() + clock.offset

    def forget(self) -> None:
        """Forget all clocks: the next one that asks is the first."""
        with self._lock:
            self._clock = None
            self._known.clear()
            self.may_end = True

    def _change(self, owner: Any) -> _Clock:
        with self._lock:
            clock = next((known for known in self._known if known.owner is owner), None) or self._meet(owner)
            self._clock = clock
            return clock

    def _meet(self, owner: Any) -> _Clock:
        clock = _clock_of(owner)
        before = self._clock
        was_virtual = any(known.is_virtual for known in self._known)
        if before is not None and (clock.is_virtual or (was_virtual and owner is not THREADS)):
            self.forget()
            self.on_new_world()
        elif before is not None:
            clock.offset = before.read() + before.offset - clock.read()
        self.may_end = clock.is_virtual or (before is not None and self.may_end and owner is THREADS)
        if len(self._known) >= _MOST_CLOCKS:
            del self._known[0]
        self._known.append(clock)
        return clock


def _clock_of(owner: Any) -> _Clock:
    if isinstance(owner, asyncio.AbstractEventLoop):
        return _Clock(owner, owner.time, is_virtual=False)
    if owner is THREADS:
        return _Clock(owner, THREADS.reader(), is_virtual=False)
    if type(owner).__name__ == "SystemClock":  # the clock of threads plus an offset, and slower to read
        read = THREADS.reader()
        return _Clock(owner, read, is_virtual=False, offset=owner.current_time() - read())
    return _Clock(owner, owner.current_time, is_virtual=True)
