"""No path of a guard leaves a cycle error -> traceback -> frame -> error: what failed is freed at once."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
    Breaker,
    Bulkhead,
    CircuitOpenError,
    Fallback,
    Guard,
    Hedge,
    RateLimit,
    Retry,
)
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import BoomError, give, no_other_guards, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


AGAIN = Retry(3, backoff=Backoff.none())

PLAIN: dict[str, dict[str, Any]] = {
    "once": {"retry": None},
    "retried": {"retry": AGAIN},
    "not retried": {"retry": Retry(3, on=OSError)},
    "no breaker": {"retry": AGAIN, "breaker": None},
    "deadline": {"retry": AGAIN, "deadline": 60.0},
    "deadline too near": {"retry": Retry(3, backoff=Backoff.steps(60.0)), "deadline": 30.0},
    "not idempotent": {"retry": AGAIN, "idempotent": False},
    "breaker opens": {"retry": AGAIN, "breaker": Breaker.consecutive(2)},
    "slow calls": {"retry": AGAIN, "breaker": Breaker(slow_call=1.0)},
    "throttle": {"retry": AGAIN, "breaker": AdaptiveThrottle(minimum_calls=1)},
    "bulkhead": {"retry": AGAIN, "bulkhead": 1},
    "rate limit": {"retry": AGAIN, "rate_limit": RateLimit(1000, 1.0)},
    "fallback": {"retry": AGAIN, "fallback": Fallback.value(None)},
    "fallback, once": {"retry": None, "fallback": Fallback.value(None)},
    "no fallback for this": {"retry": AGAIN, "fallback": Fallback.value(None, on=OSError)},
    "fallback fails": {"retry": AGAIN, "fallback": Fallback.call(lambda: give(BoomError))},
    "nothing remembered": {"retry": AGAIN, "fallback": Fallback.last_good(60.0)},
    "rule": {"retry": Retry(3, on=lambda error: isinstance(error, BoomError), backoff=Backoff.none())},
}
ASYNC: dict[str, dict[str, Any]] = {
    "attempt timeout": {"retry": AGAIN, "attempt_timeout": 1.0},
    "hedge": {"retry": AGAIN, "hedge": Hedge(after=0.5)},
    "hedge, once": {"retry": None, "hedge": Hedge(after=0.5)},
    "all": {
        "retry": AGAIN,
        "attempt_timeout": 1.0,
        "deadline": 60.0,
        "bulkhead": Bulkhead(5),
        "rate_limit": RateLimit(1000, 1.0),
        "hedge": Hedge(after=0.5),
        "fallback": Fallback.last_good(60.0),
    },
}


class Errors:
    """Makes errors, and sees which of them are still there."""

    def __init__(self) -> None:
        self.refs: list[weakref.ref[BaseException]] = []

    def watch(self, error: BaseException) -> BaseException:
        self.refs.append(weakref.ref(error))
        return error

    def fail(self) -> None:
        raise self.watch(BoomError("failed", object()))

    def alive(self) -> list[BaseException]:
        return [error for ref in self.refs if (error := ref()) is not None]


def assert_freed(use: Callable[[Errors], None]) -> None:
    """Check that nothing but the garbage collector is needed to free what *use* fails with."""
    gc.disable()
    try:
        errors = Errors()
        use(errors)
        assert errors.refs
        assert errors.alive() == []
    finally:
        gc.enable()


@pytest.mark.parametrize("policies", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("way", ["decorated", "called", "outcome"])
def test_a_plain_function(policies: Any, way: str) -> None:
    guarded = Guard("api", **policies)

    def use(errors: Errors) -> None:
        ways: dict[str, Callable[[], Any]] = {
            "decorated": guarded(errors.fail),
            "called": lambda: guarded.call_sync(errors.fail),
            "outcome": lambda: guarded.outcome_sync(errors.fail),
        }
        for _ in range(3):
            try:
                ways[way]()
            except Exception as error:  # noqa: BLE001 - any of them
                errors.watch(error)

    guarded.call_sync(int)  # the first call of all takes the long way
    assert_freed(use)


@pytest.mark.parametrize("policies", (PLAIN | ASYNC).values(), ids=PLAIN | ASYNC)
@pytest.mark.parametrize("way", ["decorated", "called", "outcome"])
@pytest.mark.parametrize("library", ["trio", "asyncio"])
def test_an_async_function(policies: Any, way: str, library: str) -> None:
    guarded = Guard("api", **policies)

    async def main(errors: Errors) -> None:
        async def fail() -> None:
            await pause(0.75)
            errors.fail()

        ways: dict[str, Callable[[], Any]] = {
            "decorated": guarded(fail),
            "called": lambda: guarded.call(fail),
            "outcome": lambda: guarded.outcome(fail),
        }
        for _ in range(3):
            try:
                await ways[way]()
            except Exception as error:  # noqa: BLE001 - any of them
                errors.watch(error)
        await pause(0.0)

    def use(errors: Errors) -> None:
        if library == "trio":
            trio.run(main, errors, clock=MockClock(autojump_threshold=0))
        else:
            virtual_asyncio.run(main(errors))

    assert_freed(use)


@pytest.mark.parametrize(
    "policies", [{"attempt_timeout": 1.0}, {"deadline": 1.5}, {"attempt_timeout": 1.0, "deadline": 9.0}]
)
@pytest.mark.parametrize("library", ["trio", "asyncio"])
def test_attempts_that_are_cut_off(policies: Any, library: str) -> None:
    guarded = Guard("api", retry=AGAIN, breaker=None, **policies)

    async def main(errors: Errors) -> None:
        async def hang() -> None:
            try:
                await pause(1e9)
            except BaseException as cancelled:
                errors.watch(cancelled)
                raise

        try:
            await guarded.call(hang)
        except TimeoutError as error:
            errors.watch(error)

    def use(errors: Errors) -> None:
        if library == "trio":
            trio.run(main, errors, clock=MockClock(autojump_threshold=0))
        else:
            virtual_asyncio.run(main(errors))

    assert_freed(use)


@pytest.mark.parametrize("policies", [{"retry": None}, {"bulkhead": 1, "deadline": 60.0}, {"hedge": Hedge(after=5.0)}])
async def test_calls_that_are_cancelled(policies: Any, autojump_clock: MockClock) -> None:
    guarded = Guard("api", breaker=Breaker.consecutive(3), **policies)
    errors = Errors()

    async def hang() -> None:
        try:
            await trio.sleep_forever()
        except BaseException as cancelled:
            errors.watch(cancelled)
            raise

    gc.disable()
    try:
        with trio.move_on_after(1.0):
            await guarded.call(hang)
        await trio.sleep(1.0)

        assert len(errors.refs) == 1
        assert errors.alive() == []
    finally:
        gc.enable()


def test_refusals() -> None:
    guarded = Guard("api", retry=AGAIN, fallback=None)
    guarded.force_open()

    def use(errors: Errors) -> None:
        for call in (
            lambda: guarded.call_sync(errors.fail),
            guarded(errors.fail),
            lambda: guarded.outcome_sync(errors.fail),
        ):
            try:
                call()
            except CircuitOpenError as error:
                errors.watch(error)

    assert_freed(use)


def test_an_error_that_is_kept_keeps_none_of_those_before_it() -> None:
    """Its traceback keeps our frames, and these must not keep what they worked on."""
    errors = Errors()
    gc.disable()
    try:
        with pytest.raises(BoomError) as caught:
            Guard("api", retry=AGAIN).call_sync(errors.fail)

        assert errors.alive() == [caught.value]
        assert len(errors.refs) == 3
    finally:
        gc.enable()
