"""The async library that a caller runs in: trio or asyncio, found when it matters and not before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import sniffio
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


class ExpiredError(Exception):
    """A call took longer than it was given, and was cancelled."""


class Backend(Protocol):
    """What guards need of an async library."""

    name: str

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def within(
        self, seconds: float, call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return what *call* gives.

        Raises:
            ExpiredError: It took longer than *seconds*.
        """
        ...


class _Trio:
    name = "trio"

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def within(
        self, seconds: float, call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        with trio.CancelScope(relative_deadline=seconds) as scope:
            return await call(*args, **kwargs)
        assert scope.cancelled_caught  # noqa: S101  # nothing else ends the block without a value
        raise ExpiredError


class _Asyncio:
    name = "asyncio"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def within(
        self, seconds: float, call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await call(*args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            raise ExpiredError from None


TRIO: Backend = _Trio()
ASYNCIO: Backend = _Asyncio()


def current_backend() -> Backend:
    """Return the library that runs the current task.

    Raises:
        sniffio.AsyncLibraryNotFoundError: None does.
        RuntimeError: Another one does.
    """
    name = sniffio.current_async_library()
    if name == "trio":
        return TRIO
    if name == "asyncio":
        return ASYNCIO
    message = f"an async guard runs under trio or asyncio, not under {name}"
    raise RuntimeError(message)


def is_in_loop() -> bool:
    """Return whether an event loop runs in this thread, which a plain function must not keep waiting."""
    return trio.lowlevel.in_trio_run() or asyncio._get_running_loop() is not None  # noqa: SLF001  # get_running_loop raises
