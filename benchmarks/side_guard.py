"""duenna's guard, in its settings, and what stands without it: the bare function and an empty wrapper.

Each job is named ``what.where.who``: `success.trio.guard`. Everything that no setting asks for is at its default.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import trio
from _calls import (
    FAILURES,
    Flaky,
    Function,
    errors,
    errors_async,
    fail,
    fail_async,
    fetch,
    fetch_any,
    fetch_any_async,
    fetch_async,
    in_asyncio,
    in_trio,
    opened,
    opened_async,
    successes,
    successes_async,
)
from _worker import Measure, Sample, Stopwatch, serve

from duenna import Backoff
from duenna.guards import Breaker, CircuitOpenError, Fallback, Guard, Retry

NAME = "binance_ohlcv"
OPEN_FOR = 3_600.0

FORMS: dict[str, Callable[[], Guard]] = {
    "guard": lambda: Guard(NAME),
    "last_good": lambda: Guard(NAME, fallback=Fallback.last_good(60.0)),
    "deadline": lambda: Guard(NAME, deadline=10.0),
    "bulkhead": lambda: Guard(NAME, bulkhead=10),
}
FORMS_ASYNC = FORMS | {"attempt_timeout": lambda: Guard(NAME, attempt_timeout=1.0)}


def wrapped(function: Function) -> Function:
    """Return *function* in a wrapper that does nothing."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def wrapped_async(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return *function* in a wrapper that does nothing."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return wrapper


def bare(size: int) -> Sample:
    """Time calls without a guard."""
    return successes(fetch, size)


async def bare_async(size: int) -> Sample:
    """Time calls without a guard."""
    return await successes_async(fetch_async, size)


def wrapper(size: int) -> Sample:
    """Time calls through an empty wrapper."""
    return successes(wrapped(fetch), size)


async def wrapper_async(size: int) -> Sample:
    """Time calls through an empty wrapper."""
    return await successes_async(wrapped_async(fetch_async), size)


def success(make: Callable[[], Guard], size: int) -> Sample:
    """Time calls that succeed."""
    return successes(make()(fetch), size)


async def success_async(make: Callable[[], Guard], size: int) -> Sample:
    """Time calls that succeed."""
    return await successes_async(make()(fetch_async), size)


def any_arguments(size: int) -> Sample:
    """Time calls that succeed, of a function whose parameters say nothing."""
    return successes(Guard(NAME)(fetch_any), size)


async def any_arguments_async(size: int) -> Sample:
    """Time calls that succeed, of a function whose parameters say nothing."""
    return await successes_async(Guard(NAME)(fetch_any_async), size)


def call(size: int) -> Sample:
    """Time `guard.call_sync`."""
    guard: Any = Guard(NAME)
    return successes(functools.partial(guard.call_sync, fetch), size)


async def call_async(size: int) -> Sample:
    """Time `guard.call`."""
    guard: Any = Guard(NAME)
    return await successes_async(functools.partial(guard.call, fetch_async), size)


def rejected(size: int) -> Sample:
    """Time rejections by an open breaker; the guard has its retry."""
    guard = Guard(NAME, breaker=Breaker(open_for=OPEN_FOR))
    opened(guard.with_(retry=None)(fail), CircuitOpenError)
    return errors(guard(fail), size)


async def rejected_async(size: int) -> Sample:
    """Time rejections by an open breaker; the guard has its retry."""
    guard = Guard(NAME, breaker=Breaker(open_for=OPEN_FOR))
    await opened_async(guard.with_(retry=None)(fail_async), CircuitOpenError)
    return await errors_async(guard(fail_async), size)


def failed(retry: Retry | None, size: int) -> Sample:
    """Time failures that the breaker counts."""
    return errors(Guard(NAME, breaker=Breaker(failure_rate=1.0), retry=retry)(Flaky().fetch), size)


async def failed_async(retry: Retry | None, size: int) -> Sample:
    """Time failures that the breaker counts."""
    return await errors_async(Guard(NAME, breaker=Breaker(failure_rate=1.0), retry=retry)(Flaky().fetch_async), size)


def failed_bare(size: int) -> Sample:
    """Time failures without a guard."""
    return errors(Flaky().fetch, size)


async def failed_bare_async(size: int) -> Sample:
    """Time failures without a guard."""
    return await errors_async(Flaky().fetch_async, size)


async def retried_async(size: int) -> Sample:
    """Time calls that succeed at the fourth attempt, an attempt each."""
    retry = Retry(FAILURES + 1, backoff=Backoff.none(), budget=None)
    guarded = Guard(NAME, breaker=Breaker(failure_rate=1.0), retry=retry)(Flaky().fetch_async)
    sample = await successes_async(guarded, size // (FAILURES + 1))
    return {"seconds": sample["seconds"] / (FAILURES + 1)}


async def checkpoint(size: int) -> Sample:
    """Time trio's checkpoint, by which the limits in microseconds are scaled."""
    watch = Stopwatch()
    for _ in range(size):
        await trio.lowlevel.checkpoint()
    return {"seconds": watch.stop() / size}


def measures() -> dict[str, Measure]:
    """Return every job by its name."""
    listed = Retry(on=ConnectionError)  # FarEndError is none, so that it is counted and not tried again
    jobs: dict[str, Measure] = {
        "success.sync.bare": bare,
        "success.sync.wrapper": wrapper,
        "success.sync.guard, any arguments": any_arguments,
        "success.sync.guard.call": call,
        "rejected.sync.guard": rejected,
        "failed.sync.bare": failed_bare,
        "failed.sync.guard": functools.partial(failed, None),
        "failed.sync.guard, not retried": functools.partial(failed, listed),
    }
    under_trio: dict[str, Callable[[int], Any]] = {
        "rejected.trio.guard": rejected_async,
        "failed.trio.bare": failed_bare_async,
        "failed.trio.guard": functools.partial(failed_async, None),
        "failed.trio.guard, not retried": functools.partial(failed_async, listed),
        "failed.trio.guard, retried": retried_async,
        "failed.trio.checkpoint": checkpoint,
    }
    anywhere = {"bare": bare_async, "wrapper": wrapper_async, "guard.call": call_async}
    anywhere["guard, any arguments"] = any_arguments_async
    anywhere |= {who: functools.partial(success_async, make) for who, make in FORMS_ASYNC.items()}
    jobs |= {f"success.sync.{who}": functools.partial(success, make) for who, make in FORMS.items()}
    jobs |= {name: functools.partial(in_trio, job) for name, job in under_trio.items()}
    jobs |= {f"success.trio.{who}": functools.partial(in_trio, job) for who, job in anywhere.items()}
    jobs |= {f"success.asyncio.{who}": functools.partial(in_asyncio, job) for who, job in anywhere.items()}
    return jobs


if __name__ == "__main__":
    serve(measures())
