"""What guards once did wrong, in corners that no single policy has."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Backoff, Breaker, Fallback, Guard, Hedge, RateLimit, Retry, RetryBudget
from duenna.guards import (
    AttemptTimeoutError,
    BadResultError,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    RateLimitedError,
    ThrottledError,
    UnavailableError,
    UnknownGuardError,
)
from duenna.guards._hints import is_failure, is_outcome_known, is_rate_limit, is_timeout, is_transient, retry_after
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ATTRIBUTES = ("guard", "retry_after", "limit", "timeout", "attempts", "value", "chance", "state", "last_error", "name")
ONCE = Breaker.consecutive(1, open_for=10.0, success_threshold=1)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    with fresh_guards():
        yield


class StatusError(Exception):
    def __init__(self, status: object) -> None:
        super().__init__(f"status {status}")
        self.status = status


async def fails() -> None:
    raise OSError("down")


def broken_rule(error: BaseException) -> bool:
    return bool(error.no_such_attribute)  # type: ignore[attr-defined]


class TestBrokenRules:
    @pytest.mark.parametrize("rule", ["record", "ignore"])
    async def test_a_breaker_counts_what_its_rule_cannot_judge_and_nothing_leaks(
        self, rule: str, autojump_clock: MockClock
    ) -> None:
        breaker = Breaker.consecutive(2, open_for=5.0, success_threshold=1, **{rule: broken_rule})  # type: ignore[arg-type]
        guard = Guard("rules", retry=None, breaker=breaker, bulkhead=1)

        for _ in range(2):
            with pytest.raises(OSError, match="down") as caught:
                await guard.call(fails)
            assert "could not judge this error, it raised AttributeError" in caught.value.__notes__[0]

        assert (guard.state, guard.statistics().in_flight) == ("open", 0)
        await trio.sleep(5.0)
        with pytest.raises(OSError, match="down"):
            await guard.call(fails)
        await trio.sleep(5.0)
        await guard.call(trio.lowlevel.checkpoint)
        assert guard.state == "closed"


class TestAnswersThatAreExceptions:
    def test_the_end_of_an_iterator_is_an_answer(self) -> None:
        guard = Guard("items", breaker=ONCE)
        items = iter([1])

        assert guard.call_sync(next, items) == 1
        with pytest.raises(StopIteration):
            guard.call_sync(next, items)

        assert (guard.state, guard.statistics().retries) == ("closed", 0)

    async def test_so_is_that_of_an_async_one(self) -> None:
        async def numbers() -> AsyncIterator[int]:
            return
            yield 1

        guard = Guard("items", breaker=ONCE)
        with pytest.raises(StopAsyncIteration):
            await guard.call(partial(anext, numbers()))

        assert guard.state == "closed"


class TestHints:
    def test_a_status_may_be_an_enum(self) -> None:
        limited, missing = StatusError(HTTPStatus.TOO_MANY_REQUESTS), StatusError(HTTPStatus.NOT_FOUND)

        assert (is_rate_limit(limited), is_failure(limited), is_transient(limited)) == (True, False, True)
        assert (is_failure(missing), is_transient(missing)) == (False, False)
        assert is_failure(StatusError(True))

    def test_a_group_among_the_causes_must_be_certain_as_a_whole(self) -> None:
        error = RuntimeError("both")
        error.__cause__ = ExceptionGroup("", [ConnectionRefusedError(), ConnectionResetError()])

        assert not is_outcome_known(error)
        error.__cause__ = ExceptionGroup("", [ConnectionRefusedError(), ConnectionRefusedError()])
        assert is_outcome_known(error)


class TestUnfinishedWork:
    def test_a_context_manager_is_refused(self) -> None:
        @contextmanager
        def block() -> Iterator[None]:
            yield

        @asynccontextmanager
        async def async_block() -> AsyncIterator[None]:
            yield

        guard = Guard("blocks")
        for function in block, async_block:
            for _ in range(2):
                with pytest.raises(TypeError, match="its work would be done outside of the guard"):
                    guard(function)()

    def test_whatever_can_be_awaited_is_refused(self) -> None:
        class Later:
            def __await__(self) -> Iterator[None]:
                yield

        def make() -> Later:
            return Later()

        with pytest.raises(TypeError, match="returned a Later"):
            Guard("later").call_sync(make)

    async def test_an_object_that_says_that_it_is_async_is_taken_for_it(self) -> None:
        """Such as a mock, whose class has a plain ``__call__``."""
        guarded = Guard("marked", retry=None)(AsyncMock(side_effect=OSError("down")))

        with pytest.raises(OSError, match="down"):
            await guarded()


@pytest.mark.parametrize(
    "error",
    [
        CircuitOpenError("a", "open", 1.5, (ValueError, "x")),
        ThrottledError("a", 0.5),
        BulkheadFullError("a", 3, "2 wait already"),
        RateLimitedError("a", 2.0),
        AttemptTimeoutError("a", 1.0),
        DeadlineExceededError("a", 1.0, 2),
        BadResultError("a", {"x": 1}),
        UnavailableError("a", ValueError("x"), OSError("y")),
        UnknownGuardError("a", "b, c"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_go_through_pickle_and_copy(error: Exception) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own
        assert (type(twin), str(twin)) == (type(error), str(error))
        for name in (
            "guard",
            "retry_after",
            "limit",
            "timeout",
            "attempts",
            "value",
            "chance",
            "state",
            "last_error",
            "name",
        ):
            assert getattr(twin, name, None) == getattr(error, name, None)


class TestBudgets:
    async def test_a_hedge_is_never_spared(self, autojump_clock: MockClock) -> None:
        """From an empty bucket a lone retry is let go; hedges, of which there may be many, are not."""
        budget = RetryBudget(0.0, 0.0)
        guard = Guard("hedged", retry=Retry(2, backoff=Backoff.steps(100.0), budget=budget), hedge=Hedge(1.0))
        calls = 0

        async def slow() -> None:
            nonlocal calls
            calls += 1
            await trio.sleep(2.0)

        async def retrier() -> None:
            with pytest.raises(OSError, match="down"):
                await guard.call(fails)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(retrier)
            await trio.sleep(1.0)
            for _ in range(10):
                await guard.call(slow)

        assert (calls, budget.spared) == (10, 1)

    def test_two_budgets_of_one_name_are_paid_each_its_own(self) -> None:
        first, second = RetryBudget(0.1, 2.0), RetryBudget(0.1, 2.0)
        retry = Retry(2, backoff=Backoff.none(), budget=first, on=OSError)
        guard = Guard("two", retry=retry, breaker=None)
        other = guard.with_(retry=Retry(2, backoff=Backoff.none(), budget=second, on=OSError))

        def down() -> None:
            raise OSError("down")

        for _ in range(3):
            with pytest.raises(OSError, match="down"):
                guard.call_sync(down)
        for _ in range(20):
            guard.call_sync(int)
        with pytest.raises(OSError, match="down"):
            other.call_sync(down)
        assert first.balance == pytest.approx(0.2)  # of the two calls between its first look and its last
        with pytest.raises(OSError, match="down"):
            guard.call_sync(down)

        assert first.balance == 1.0

    def test_a_reset_fills_budgets_of_ones_own(self) -> None:
        budget = RetryBudget(0.1, 2.0)
        guard = Guard("own", retry=Retry(2, backoff=Backoff.none(), budget=budget), breaker=None)

        def down() -> None:
            raise OSError("down")

        with pytest.raises(OSError, match="down"):
            guard.call_sync(down)
        assert budget.balance == 1.0
        guard.reset()
        assert budget.balance == 2.0


async def test_another_deadline_keeps_the_last_good_values(autojump_clock: MockClock) -> None:
    guard = Guard("memory", retry=None, fallback=Fallback.last_good(60.0))
    is_up = True

    async def price(symbol: str) -> str:
        if not is_up:
            raise OSError("down")
        return symbol

    assert await guard.call(price, "BTC") == "BTC"
    assert await guard.with_(deadline=3.0).call(price, "ETH") == "ETH"
    is_up = False

    assert await guard.with_(deadline=3.0).call(price, "BTC") == "BTC"
    assert await guard.call(price, "ETH") == "ETH"


def test_a_look_from_outside_does_not_tie_two_worlds_together() -> None:
    guard = Guard("worlds", retry=None, breaker=Breaker.consecutive(1, open_for=1e6))

    async def trip() -> None:
        with pytest.raises(OSError, match="down"):
            await guard.call(fails)

    trio.run(trip, clock=MockClock(autojump_threshold=0))
    assert guard.statistics().state == "open"
    asyncio.run(guard.call(asyncio.sleep, 0))

    assert guard.state == "closed"


class TestMoreHints:
    def test_an_absurd_wait_is_a_week(self) -> None:
        error = StatusError(429)
        error.retry_after = 9e11  # type: ignore[attr-defined]

        assert retry_after(error) == 7 * 86_400.0

    def test_the_timeout_of_trio_is_one(self) -> None:
        assert is_timeout(trio.TooSlowError())

    def test_a_status_in_words_hides_no_code(self) -> None:
        error = StatusError("FAILED")
        error.status_code = 429  # type: ignore[attr-defined]

        assert is_rate_limit(error)


async def test_half_open_it_says_to_come_back_soon(autojump_clock: MockClock) -> None:
    """The probe may hold its place for a minute, but nobody else should be kept away as long."""
    guard = Guard("soon", retry=None, breaker=ONCE)
    with pytest.raises(OSError, match="down"):
        await guard.call(fails)
    await trio.sleep(10.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guard.call, partial(trio.sleep, 0.1))
        await wait_all_tasks_blocked()
        with pytest.raises(CircuitOpenError) as caught:
            await guard.call(fails)

    assert (caught.value.state, caught.value.retry_after) == ("half_open", 10.0)


async def test_an_inner_guard_of_the_same_name_is_one_of_its_own(autojump_clock: MockClock) -> None:
    outer = Guard("same", retry=Retry(3, backoff=Backoff.steps(1.0)), breaker=Breaker.consecutive(2, open_for=60.0))
    inner = outer.with_(retry=None)
    calls = 0

    async def nested() -> None:
        nonlocal calls
        calls += 1
        await inner.call(fails)

    with pytest.raises(OSError, match="down"):
        await outer.call(nested)

    statistics = outer.statistics()
    assert (calls, statistics.state, statistics.retries) == (1, "open", 0)


async def test_a_hedge_whose_turn_comes_too_late_takes_nothing_from_its_call(autojump_clock: MockClock) -> None:
    guard = Guard("late", retry=None, deadline=1.0, hedge=Hedge(0.5), rate_limit=RateLimit(1, 0.5, max_wait=10.0))

    with pytest.raises(DeadlineExceededError) as caught:
        await guard.call(trio.sleep_forever)

    assert caught.value.attempts == 1


async def test_what_the_waits_before_it_left_no_time_for_is_no_failure_of_the_far_end(
    autojump_clock: MockClock,
) -> None:
    guard = Guard("waits", retry=None, breaker=ONCE, deadline=1.0, bulkhead=1)

    async def healthy() -> None:
        await trio.sleep(0.6)

    async def late() -> None:
        with pytest.raises(DeadlineExceededError):
            await guard.call(healthy)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(guard.call, healthy)
        await wait_all_tasks_blocked()
        nursery.start_soon(late)

    assert (guard.state, guard.statistics().in_flight) == ("closed", 0)
    with pytest.raises(DeadlineExceededError):
        await guard.call(trio.sleep_forever)
    assert guard.state == "open"


async def test_no_hedge_is_paid_for_beside_a_probe(autojump_clock: MockClock) -> None:
    guard = Guard("probe", retry=None, breaker=ONCE, hedge=Hedge(0.1))
    with pytest.raises(OSError, match="down"):
        await guard.call(fails)
    await trio.sleep(10.0)

    await guard.call(partial(trio.sleep, 1.0))

    assert (guard.statistics().hedges, guard.statistics().budget_left) == (0, 10.0)


def test_a_weight_that_could_never_pass_is_refused_where_it_is_written() -> None:
    limit = RateLimit(100, 60.0)

    with pytest.raises(
        ValueError, match=r"^Guard 'heavy': weight must be <= 10\.0, the burst of its rate_limit, got 20$"
    ):
        Guard("heavy", rate_limit=limit, weight=20)


def test_a_signature_that_is_not_the_functions_own_is_not_believed() -> None:
    def honest(*args: int) -> tuple[int, ...]:
        return args

    honest.__signature__ = inspect.signature(lambda a: a)  # type: ignore[attr-defined]

    assert Guard("honest").call_sync(Guard("honest")(honest), 1, 2, 3) == (1, 2, 3)
