"""The peers of a guard: libraries of one policy or of several, each as its documentation uses it, with its defaults.

Each job is named ``what.where.who``: `success.trio.tenacity`. Breakers open after 5 failures, for so long that they
stay so; where failures are measured they never do.
"""

import functools
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiobreaker
import circuitbreaker
import hyx.circuitbreaker
import hyx.circuitbreaker.exceptions
import hyx.retry
import purgatory
import purgatory.domain.model
import pybreaker
import pyresilience
import stamina
import tenacity
from _calls import (
    Flaky,
    errors,
    errors_async,
    fail,
    fail_async,
    fetch,
    fetch_async,
    in_asyncio,
    in_trio,
    opened,
    opened_async,
    successes,
    successes_async,
)
from _worker import Measure, Sample, serve

NEVER = 10**9
LONG = 3_600

Protect = Callable[[Any], Any]
Breaker = Callable[[int], Protect]


def with_circuitbreaker(threshold: int) -> Protect:
    """Make a breaker of circuitbreaker."""
    return circuitbreaker.circuit(failure_threshold=threshold, recovery_timeout=LONG)


def with_pybreaker(threshold: int) -> Protect:
    """Make a breaker of pybreaker, in memory."""
    return pybreaker.CircuitBreaker(fail_max=threshold, reset_timeout=LONG)


def with_aiobreaker(threshold: int) -> Protect:
    """Make a breaker of aiobreaker, in memory."""
    return aiobreaker.CircuitBreaker(fail_max=threshold, timeout_duration=timedelta(seconds=LONG))


def with_purgatory(threshold: int) -> Protect:
    """Make a breaker of purgatory, in memory, for plain functions."""
    return purgatory.SyncCircuitBreakerFactory()("x", threshold=threshold, ttl=LONG)


def with_purgatory_async(threshold: int) -> Protect:
    """Make a breaker of purgatory, in memory, for async functions."""
    return purgatory.AsyncCircuitBreakerFactory()("x", threshold=threshold, ttl=LONG)


def with_hyx(threshold: int) -> Protect:
    """Make a breaker of hyx."""
    return hyx.circuitbreaker.consecutive_breaker(failure_threshold=threshold, recovery_time_secs=LONG)


def with_pyresilience(threshold: int) -> Protect:
    """Make a breaker of pyresilience, and nothing else of it."""
    settings = pyresilience.CircuitBreakerConfig(failure_threshold=threshold, recovery_timeout=LONG)
    return pyresilience.resilient(circuit_breaker=settings)


def stacked(function: Any) -> Any:
    """Put stamina round circuitbreaker: the cheapest of each policy that works under trio too."""
    return stamina.retry(on=Exception)(with_circuitbreaker(NEVER)(function))


RETRIES: dict[str, Protect] = {
    "tenacity": tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_random_exponential()),
    "stamina": stamina.retry(on=Exception, attempts=3),
    "pyresilience retry": pyresilience.resilient(retry=pyresilience.RetryConfig()),
    "pyresilience both": pyresilience.resilient(
        retry=pyresilience.RetryConfig(), circuit_breaker=pyresilience.CircuitBreakerConfig(sliding_window_size=20)
    ),
    "stamina + circuitbreaker": stacked,
}
RETRIES_ASYNC = RETRIES | {
    "hyx retry": hyx.retry.retry(),
    "hyx both": lambda function: hyx.retry.retry()(hyx.circuitbreaker.consecutive_breaker()(function)),
}
BREAKERS: dict[str, tuple[Breaker, type[Exception]]] = {
    "circuitbreaker": (with_circuitbreaker, circuitbreaker.CircuitBreakerError),
    "pybreaker": (with_pybreaker, pybreaker.CircuitBreakerError),
    "aiobreaker": (with_aiobreaker, aiobreaker.CircuitBreakerError),
    "purgatory": (with_purgatory, purgatory.domain.model.OpenedState),
    "pyresilience": (with_pyresilience, pyresilience.CircuitOpenError),
}
BREAKERS_ASYNC: dict[str, tuple[Breaker, type[Exception]]] = {
    "circuitbreaker": (with_circuitbreaker, circuitbreaker.CircuitBreakerError),
    "aiobreaker": (with_aiobreaker, aiobreaker.CircuitBreakerError),
    "purgatory": (with_purgatory_async, purgatory.domain.model.OpenedState),
    "hyx": (with_hyx, hyx.circuitbreaker.exceptions.BreakerFailing),
    "pyresilience": (with_pyresilience, pyresilience.CircuitOpenError),
}


def success(protect: Protect, size: int) -> Sample:
    """Time calls that succeed."""
    return successes(protect(fetch), size)


async def success_async(protect: Protect, size: int) -> Sample:
    """Time calls that succeed."""
    return await successes_async(protect(fetch_async), size)


def rejected(breaker: Breaker, refusal: type[Exception], size: int) -> Sample:
    """Time rejections."""
    return errors(opened(breaker(5)(fail), refusal), size)


async def rejected_async(breaker: Breaker, refusal: type[Exception], size: int) -> Sample:
    """Time rejections."""
    return await errors_async(await opened_async(breaker(5)(fail_async), refusal), size)


def failed(breaker: Breaker, size: int) -> Sample:
    """Time failures that the breaker counts."""
    return errors(breaker(NEVER)(plain(Flaky().fetch)), size)


async def failed_async(breaker: Breaker, size: int) -> Sample:
    """Time failures that the breaker counts."""
    return await errors_async(breaker(NEVER)(plain_async(Flaky().fetch_async)), size)


def plain(method: Any) -> Any:
    """Return a function: some decorators take no method."""

    def function(symbol: str) -> Any:
        return method(symbol)

    return function


def plain_async(method: Any) -> Any:
    """Return an async function: some decorators take no method."""

    async def function(symbol: str) -> Any:
        return await method(symbol)

    return function


def measures() -> dict[str, Measure]:
    """Return every job by its name."""
    jobs: dict[str, Measure] = {}
    for who, protect in {**RETRIES, **{name: each(5) for name, (each, _) in BREAKERS.items()}}.items():
        jobs[f"success.sync.{who}"] = functools.partial(success, protect)
    for who, protect in {**RETRIES_ASYNC, **{name: each(5) for name, (each, _) in BREAKERS_ASYNC.items()}}.items():
        job = functools.partial(success_async, protect)
        jobs[f"success.trio.{who}"] = functools.partial(in_trio, job)
        jobs[f"success.asyncio.{who}"] = functools.partial(in_asyncio, job)
    for who, (breaker, refusal) in BREAKERS.items():
        jobs[f"rejected.sync.{who}"] = functools.partial(rejected, breaker, refusal)
        jobs[f"failed.sync.{who}"] = functools.partial(failed, breaker)
    for who, (breaker, refusal) in BREAKERS_ASYNC.items():
        job = functools.partial(rejected_async, breaker, refusal)
        jobs[f"rejected.trio.{who}"] = functools.partial(in_trio, job)
        jobs[f"failed.trio.{who}"] = functools.partial(in_trio, functools.partial(failed_async, breaker))
    return jobs


if __name__ == "__main__":
    logging.disable()  # stamina's retries and hyx's say what they do
    serve(measures())
