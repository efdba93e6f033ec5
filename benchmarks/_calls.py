"""How one call is timed: the same for a bare function, a guard and a peer. Needs the standard library and trio only."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import repeat
from typing import Any

import trio
from _worker import Sample, Stopwatch, require

PARTS = 5
"""A sample is the best of so many parts."""

FAILURES = 3
"""Failures in a row before a call succeeds, where failures are measured, so that no breaker opens."""

ARGUMENT = "BTCUSDT"

Function = Callable[[str], Any]
AsyncFunction = Callable[[str], Awaitable[Any]]


class FarEndError(Exception):
    """What a failing call raises."""


def fetch(symbol: str) -> str:
    """Succeed."""
    return symbol


async def fetch_async(symbol: str) -> str:
    """Succeed, without a checkpoint."""
    return symbol


def fetch_any(*args: Any, **kwargs: Any) -> Any:
    """Succeed, whatever the arguments."""
    del kwargs
    return args


async def fetch_any_async(*args: Any, **kwargs: Any) -> Any:
    """Succeed, whatever the arguments, without a checkpoint."""
    del kwargs
    return args


def fail(symbol: str) -> str:
    """Fail."""
    raise FarEndError(symbol)


async def fail_async(symbol: str) -> str:
    """Fail, without a checkpoint."""
    raise FarEndError(symbol)


class Flaky:
    """A call that fails `FAILURES` times, succeeds, and so on."""

    def __init__(self) -> None:
        """Begin with the first failure."""
        self._count = 0

    def fetch(self, symbol: str) -> str:
        """Fail, or succeed."""
        self._count += 1
        if self._count % (FAILURES + 1):
            raise FarEndError(symbol)
        return symbol

    async def fetch_async(self, symbol: str) -> str:
        """Fail, or succeed, without a checkpoint."""
        self._count += 1
        if self._count % (FAILURES + 1):
            raise FarEndError(symbol)
        return symbol


def successes(function: Function, size: int) -> Sample:
    """Time calls that succeed."""
    return {"seconds": min(_successes(function, size // PARTS) for _ in range(PARTS))}


def errors(function: Function, size: int) -> Sample:
    """Time calls that raise, or nearly all of which do, catching what they raise."""
    return {"seconds": min(_errors(function, size // PARTS) for _ in range(PARTS))}


async def successes_async(function: AsyncFunction, size: int) -> Sample:
    """Time calls that succeed."""
    return {"seconds": min([await _successes_async(function, size // PARTS) for _ in range(PARTS)])}


async def errors_async(function: AsyncFunction, size: int) -> Sample:
    """Time calls that raise, or nearly all of which do, catching what they raise."""
    return {"seconds": min([await _errors_async(function, size // PARTS) for _ in range(PARTS)])}


def _successes(function: Function, size: int) -> float:
    watch = Stopwatch()
    for _ in repeat(None, size):
        function(ARGUMENT)
    return watch.stop() / size


def _errors(function: Function, size: int) -> float:
    watch = Stopwatch()
    for _ in repeat(None, size):
        try:  # noqa: SIM105 - `suppress` would cost more than what is measured
            function(ARGUMENT)
        except Exception:  # noqa: BLE001, S110
            pass
    return watch.stop() / size


async def _successes_async(function: AsyncFunction, size: int) -> float:
    watch = Stopwatch()
    for _ in repeat(None, size):
        await function(ARGUMENT)
    return watch.stop() / size


async def _errors_async(function: AsyncFunction, size: int) -> float:
    watch = Stopwatch()
    for _ in repeat(None, size):
        try:  # noqa: SIM105 - `suppress` would cost more than what is measured
            await function(ARGUMENT)
        except Exception:  # noqa: BLE001, S110
            pass
    return watch.stop() / size


def opened(function: Function, refusal: type[Exception]) -> Function:
    """Fail until the breaker round *function* refuses; return *function*."""
    for _ in range(100):
        try:
            function(ARGUMENT)
        except refusal:
            return function
        except FarEndError:
            pass
    require(holds=False)
    return function


async def opened_async(function: AsyncFunction, refusal: type[Exception]) -> AsyncFunction:
    """Fail until the breaker round *function* refuses; return *function*."""
    for _ in range(100):
        try:
            await function(ARGUMENT)
        except refusal:
            return function
        except FarEndError:
            pass
    require(holds=False)
    return function


def in_trio(measure: Callable[[int], Coroutine[Any, Any, Sample]], size: int) -> Sample:
    """Take a sample under trio."""
    return trio.run(measure, size)


def in_asyncio(measure: Callable[[int], Coroutine[Any, Any, Sample]], size: int) -> Sample:
    """Take a sample under asyncio."""
    return asyncio.run(measure(size))
