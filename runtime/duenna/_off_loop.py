"""Work that blocks, kept off the event loop."""

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


def is_virtual() -> bool:
    """Return whether the time of this run is not the machine's: it stands still, or leaps, while a thread works.

    trio's MockClock jumps to the next deadline while a thread is busy, so whatever has one would be
    cut off after no time at all, and a simulated world would not be the same for the same seed.
    """
    return type(trio.lowlevel.current_clock()).__name__ != "SystemClock"


async def off_the_loop(
    function: Callable[[], T], limiter: trio.CapacityLimiter | None = None, *, abandon: bool = True
) -> T:
    """Call *function* in a worker thread, or on the spot in virtual time; a checkpoint.

    Cancelled, it returns at once and leaves the thread to itself: a disk that hangs keeps nobody
    from ending. The thread holds its token of *limiter* until it has ended.

    Args:
        function: Takes no arguments.
        limiter: Bounds the threads; None: trio's own for all.
        abandon: Whether the thread may be left; if not, cancellation waits for it.
    """
    if is_virtual():
        await trio.lowlevel.checkpoint()
        return function()
    return await trio.to_thread.run_sync(function, abandon_on_cancel=abandon, limiter=limiter)
