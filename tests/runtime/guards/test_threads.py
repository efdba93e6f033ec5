"""Guards that many threads use at once: nothing is lost, nothing is counted twice, nobody slips through."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from duenna import Backoff
from duenna.guards import Breaker, Bulkhead, CircuitOpenError, Fallback, Guard, Retry, RetryBudget
from tests.runtime.guards.far_end import BoomError, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREADS = 8
EACH = 1500


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    with no_other_guards():
        yield
    sys.setswitchinterval(interval)


def together(work: Callable[[int], None], threads: int = THREADS) -> None:
    """Run *work* in so many threads that begin at once; raise what one of them raises."""
    barrier, errors = threading.Barrier(threads), list[BaseException]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    all_of_them = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in all_of_them)
    for error in errors:
        raise error


class Flaky:
    """Fails every third time that a thread calls it."""

    def __init__(self) -> None:
        self.made = [0] * THREADS
        self.failed = [0] * THREADS

    def call(self, number: int) -> int:
        self.made[number] += 1
        if self.made[number] % 3 == 0:
            self.failed[number] += 1
            raise BoomError
        return number


WAYS: dict[str, dict[str, Any]] = {
    "short": {"breaker": Breaker(window=1000, failure_rate=0.9)},
    "no breaker": {"breaker": None},
    "disabled": {"breaker": None, "fallback": None},
    "slow calls": {"breaker": Breaker(window=1000, failure_rate=0.9, slow_call=60.0)},
    "seconds": {"breaker": Breaker(window=60.0, per="seconds", failure_rate=0.9)},
    "bulkhead": {"breaker": None, "bulkhead": Bulkhead(THREADS)},
    "deadline": {"breaker": None, "deadline": 600.0},
}


class TestCounters:
    @pytest.mark.parametrize("policies", WAYS.values(), ids=WAYS)
    def test_of_calls_that_are_made_once(self, policies: Any) -> None:
        guard, far = Guard("api", retry=None, **policies), Flaky()
        decorated = guard(far.call)

        def work(number: int) -> None:
            for turn in range(EACH):
                with suppress(BoomError):
                    decorated(number) if turn % 2 else guard.call_sync(far.call, number)

        together(work)

        counted = guard.statistics()
        assert counted.calls == counted.attempts == THREADS * EACH
        assert counted.failures == counted.failed_first == sum(far.failed) == THREADS * EACH // 3
        assert counted.successes == counted.succeeded_first == THREADS * EACH - sum(far.failed)
        assert (counted.rejected, counted.ignored, counted.late, counted.retries) == (0, 0, 0, 0)

    def test_of_calls_that_are_tried_again(self) -> None:
        guard, far = Guard("api", retry=Retry(2, backoff=Backoff.none(), budget=None), breaker=None), Flaky()

        def work(number: int) -> None:
            for _ in range(EACH):
                assert guard.call_sync(far.call, number) == number

        together(work)

        counted = guard.statistics()
        assert counted.attempts == sum(far.made) == THREADS * EACH + sum(far.failed)
        assert counted.successes == counted.calls == THREADS * EACH
        assert counted.succeeded_retried == counted.retries == sum(far.failed)
        assert counted.failures == 0

    def test_of_fallbacks_and_budget(self) -> None:
        budget = RetryBudget(ratio=0.0, cap=100.0, free=0)
        guard = Guard(
            "api",
            retry=Retry(2, backoff=Backoff.none(), budget=budget, adaptive=False),
            breaker=None,
            fallback=Fallback.value(-1),
        )
        sent = [0] * THREADS

        def fail(number: int) -> int:
            sent[number] += 1
            raise BoomError

        def work(number: int) -> None:
            for _ in range(200):
                assert guard.call_sync(fail, number) == -1

        together(work)

        counted = guard.statistics()
        assert sum(sent) == counted.attempts == THREADS * 200 + 100
        assert (counted.fallbacks, counted.failures) == (THREADS * 200, THREADS * 200)
        assert (counted.retries, counted.budget_denied) == (100, THREADS * 200 - 100)
        assert (budget.retrying, budget.balance) == (0, 0.0)

    def test_the_window_is_that_of_the_last_calls(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker(window=500, failure_rate=1.0))
        far = Flaky()

        def work(number: int) -> None:
            for _ in range(EACH):
                with suppress(BoomError):
                    guard.call_sync(far.call, number)

        together(work)

        window = guard.statistics().window
        assert window is not None
        assert window.calls == 500
        assert 100 <= window.failures <= 240


class TestBreaker:
    def test_open_it_lets_nobody_through(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(10, open_for=3600.0))
        sent: list[int] = []

        def fail(number: int) -> None:
            sent.append(number)
            raise BoomError

        def work(number: int) -> None:
            for _ in range(300):
                with suppress(BoomError, CircuitOpenError):
                    guard.call_sync(fail, number)

        together(work)

        # Ten that open it, and one of each other thread that was under way meanwhile.
        assert 10 <= len(sent) <= 10 + THREADS - 1
        counted = guard.statistics()
        assert counted.opened == 1
        assert counted.rejected == THREADS * 300 - len(sent)
        assert counted.late == len(sent) - 10

    def test_one_probe_at_a_time_whatever_becomes_of_them(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=1e-9, success_threshold=10**9))
        probing, most = list[int](), list[int]()

        def probe(number: int) -> None:
            probing.append(number)
            most.append(len(probing))
            try:
                if number % 3 == 1:
                    raise BoomError
                if number % 3 == 2:
                    raise KeyboardInterrupt
            finally:
                probing.remove(number)

        def work(number: int) -> None:
            for _ in range(300):
                with suppress(BoomError, CircuitOpenError, KeyboardInterrupt):
                    guard.call_sync(probe, number)

        with suppress(BoomError):
            guard.call_sync(probe, 1)
        together(work)

        assert set(most) == {1}
        assert guard.statistics().attempts == len(most)
        guard.close()
        assert guard.call_sync(int) == 0


class TestBulkhead:
    def test_never_more_than_may_be_and_none_is_lost(self) -> None:
        guard = Guard("api", retry=None, breaker=None, bulkhead=Bulkhead(3, max_wait=60.0))
        inside, most = list[int](), list[int]()

        def visit(number: int) -> None:
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)
            if number % 2:
                raise BoomError

        def work(number: int) -> None:
            for _ in range(100):
                with suppress(BoomError):
                    guard.call_sync(visit, number)

        together(work)

        assert max(most) <= 3
        assert len(most) == THREADS * 100
        assert (guard.statistics().in_flight, guard.statistics().waiting) == (0, 0)
