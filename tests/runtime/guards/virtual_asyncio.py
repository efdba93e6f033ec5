"""An asyncio loop on a virtual clock: time stands still while anything can run, and jumps when nothing can.

As trio's ``MockClock(autojump_threshold=0)``, and blind for threads like that: a timer that is
pending goes off while a thread is at work. A test that has both waits without a limit.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_PATIENCE = 20.0  # real seconds in which a thread has to speak up when no task can run, ever


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time begins at 0 and is exactly that of the timer that went off last."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # as it is there
        """Wait for the threads as long as it takes: a limit of virtual seconds is over at once."""
        del timeout
        await super().shutdown_default_executor()

    def jump(self) -> None:
        """Go to the time of the next timer."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]  # a heap
        self._now = max(self._now, timers[0].when())


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else _PATIENCE)
        if timeout is None and not ready:
            raise RuntimeError("deadlock: no task can run, no timer is pending, and no thread has called")
        if not ready and timeout:
            self._loop.jump()
        return ready


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* to its end, as ``asyncio.run`` does, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
