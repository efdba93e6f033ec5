"""Waiting for a word from anybody: a trio task, an asyncio task or a plain thread waits, any of them wakes it.

A waiter belongs to one wait, and to the task or thread that made it. It says whether a word
came; what the word means, and that nothing is lost if it came at the very end of the wait,
is for whoever made it to see to, under a lock of its own.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Protocol

import trio

from duenna.guards._backend import TRIO, current_backend


class Waiter(Protocol):
    """Somebody who waits."""

    def wake(self) -> bool:
        """End the wait, from any thread; return False if nobody can wait any more, for the loop has ended."""
        ...


class AsyncWaiter(Waiter, Protocol):
    """A task that waits."""

    async def wait(self, seconds: float) -> bool:
        """Wait for at most so many *seconds* (`inf`: for ever); return whether a word came. A checkpoint."""
        ...


def async_waiter() -> AsyncWaiter:
    """Return a waiter for the current task."""
    return TrioWaiter() if current_backend() is TRIO else AsyncioWaiter()


class TrioWaiter:
    """A trio task that waits."""

    __slots__ = ("_event", "_token")

    def __init__(self) -> None:
        """Belong to the current task."""
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    async def wait(self, seconds: float) -> bool:
        """Wait for at most so many *seconds*; return whether a word came."""
        with trio.CancelScope(relative_deadline=seconds):
            await self._event.wait()
        return self._event.is_set()

    def wake(self) -> bool:
        """End the wait: at once in the same run, else as soon as that comes round."""
        if trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self._token:
            self._event.set()
            return True
        try:
            self._token.run_sync_soon(self._event.set)
        except trio.RunFinishedError:
            return False
        return True


class AsyncioWaiter:
    """An asyncio task that waits."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        """Belong to the current task."""
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[bool] = self._loop.create_future()

    async def wait(self, seconds: float) -> bool:
        """Wait for at most so many *seconds*; return whether a word came."""
        timer = None if seconds == float("inf") else self._loop.call_later(seconds, self._settle, False)
        try:
            return await self._future
        finally:
            if timer is not None:
                timer.cancel()

    def wake(self) -> bool:
        """End the wait: at once in the same loop, else as soon as that comes round."""
        if asyncio._get_running_loop() is self._loop:  # noqa: SLF001  # get_running_loop raises
            self._settle(True)
            return True
        try:
            self._loop.call_soon_threadsafe(self._settle, True)
        except RuntimeError:  # it is closed
            return False
        return True

    def _settle(self, came: bool) -> None:
        if not self._future.done():
            self._future.set_result(came)


class ThreadWaiter:
    """A plain thread that waits."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        """Belong to the current thread."""
        self._event = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait for at most so many *seconds*; return whether a word came."""
        return self._event.wait(seconds if seconds < threading.TIMEOUT_MAX else None)

    def wake(self) -> bool:
        """End the wait."""
        self._event.set()
        return True
