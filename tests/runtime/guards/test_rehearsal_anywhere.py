"""Rehearsals leave everything as it is, run anywhere, end, and refuse what makes no sense."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, Child, Context, Supervisor, open_runtime
from duenna.guard_events import GuardEvent
from duenna.guards import (
    Breaker,
    Guard,
    RateLimit,
    Retry,
    RetryBudget,
)
from duenna.testing import HANGS, Plan, World, fresh_guards, rehearse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


class OddError(Exception):
    """Cannot be copied: its constructor wants more than it keeps."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():
        yield


def steady(attempts: int = 3, wait: float = 1.0, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(wait), **settings)


def guard(**policies: Any) -> Guard:
    return Guard("api", **({"retry": None, "breaker": None} | policies))


class TestTheCopy:
    def test_the_guard_itself_neither_changes_nor_matters(self) -> None:
        mine = guard(retry=steady(), breaker=Breaker.consecutive(2, open_for=10.0))
        before = mine.statistics()
        mine.force_open()

        plan = rehearse(mine, calls=2)

        assert plan.moves[0].state == "open"
        assert mine.state == "forced_open"
        assert mine.statistics().attempts == before.attempts

    def test_a_budget_of_ones_own_is_not_spent(self) -> None:
        budget = RetryBudget(cap=2.0, free=0)

        rehearse(guard(retry=steady(9, budget=budget)))

        assert budget.balance == 2.0

    async def test_a_runtime_hears_nothing(self, autojump_clock: MockClock) -> None:
        async def idle(_: Context) -> None:
            await trio.sleep_forever()

        mine = guard(retry=Retry(), breaker=Breaker.consecutive(1, open_jitter=0.1))
        async with open_runtime(Supervisor("bot", [Child("idle", idle)]), seed=1, log_level=None) as runtime:
            before, known = runtime.rng.getstate(), list(runtime.guards)
            with runtime.events(GuardEvent) as stream:
                plan = rehearse(mine)

                assert plan.moves
                assert list(stream.drain()) == []
            assert runtime.rng.getstate() == before
            assert list(runtime.guards) == known

    def test_errors_are_given_as_they_are_each_time_anew(self) -> None:
        cause = OSError("far end")
        error = ConnectionError("mine")
        error.__cause__ = cause
        error.add_note("noted")

        plan = rehearse(guard(retry=steady()), [error])

        ended = plan.ends[0].error
        assert isinstance(ended, ConnectionError)
        assert ended is not error
        assert ended.__cause__ is cause
        assert ended.__notes__[0] == "noted"
        assert error.__notes__ == ["noted"]
        assert error.__traceback__ is None
        assert len({id(attempt.error) for attempt in plan.attempts}) == 3

    def test_an_error_that_cannot_be_copied_is_raised_itself(self) -> None:
        error = OddError("a", "b")

        assert rehearse(guard(), [error]).ends[0].error is error


class TestAnywhere:
    async def test_inside_a_loop_of_trio(self, autojump_clock: MockClock) -> None:
        before = trio.current_time()

        assert rehearse(guard(retry=steady()), takes=3.0).ends[0].at == 11.0
        assert trio.current_time() == before

    def test_inside_a_loop_of_asyncio(self) -> None:
        async def main() -> Plan:
            return rehearse(guard(retry=steady()))

        assert asyncio.run(main()).ends[0].at == 2.0

    def test_inside_a_world(self) -> None:
        world = World(1)

        async def main() -> float:
            return rehearse(guard(retry=steady())).ends[0].at

        assert world.run(main) == 2.0
        assert world.leaks == []

    def test_no_thread_is_left(self) -> None:
        rehearse(guard())

        assert [thread.name for thread in threading.enumerate() if "rehearsal" in thread.name] == []

    def test_a_long_one_takes_no_time(self) -> None:
        plan = rehearse(guard(attempt_timeout=3600.0), [HANGS], limit=1e9, calls=50)

        assert plan.ends[-1].at == 50 * 3600.0

    def test_what_fails_in_the_rehearsal_itself_is_raised_here(self) -> None:
        def weight(*_: object) -> float:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            rehearse(guard(rate_limit=RateLimit(10, 1.0), weight=weight))


class TestEnds:
    def test_what_goes_on_at_the_limit(self) -> None:
        plan = rehearse(guard(retry=steady(100, 60.0)), limit=150.0)

        end = plan.ends[0]
        assert (end.at, end.is_over, end.error, end.value) == (150.0, False, None, None)
        assert [attempt.at for attempt in plan.attempts] == [0.0, 60.0, 120.0]

    def test_attempts_without_end(self) -> None:
        plan = rehearse(guard(retry=Retry(10**9, backoff=Backoff.none(), budget=None)))

        assert not plan.ends[0].is_over
        assert len(plan.attempts) == 10_001


class TestWrongUse:
    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            ({"outcomes": "abc"}, TypeError, "outcomes must be a list of exceptions, values and HANGS, got 'abc'"),
            (
                {"outcomes": OSError("x")},
                TypeError,
                "outcomes must be a list of exceptions, values and HANGS, got OSError('x')",
            ),
            ({"outcomes": 5}, TypeError, "outcomes must be a list of exceptions, values and HANGS, got 5"),
            (
                {"outcomes": [1, KeyboardInterrupt]},
                TypeError,
                "outcome 2 must be an Exception, HANGS or a value, got KeyboardInterrupt()",
            ),
            ({"takes": -1.0}, ValueError, "takes must be >= 0 seconds, got -1.0"),
            ({"takes": [0.0, math.inf]}, ValueError, "takes, attempt 2 must be a finite number of seconds, got inf"),
            ({"calls": 0}, ValueError, "calls must be >= 1, got 0"),
            ({"every": -1.0}, ValueError, "every must be >= 0 seconds, got -1.0"),
            ({"draws": [0.5, 1.5]}, ValueError, "draw 2 must be within [0, 1], got 1.5"),
            ({"breaker_draws": [-1]}, ValueError, "breaker draw 1 must be within [0, 1], got -1"),
            ({"limit": 0.0}, ValueError, "limit must be > 0 seconds, got 0.0"),
        ],
    )
    def test_an_argument(self, given: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error) as caught:
            rehearse(guard(), **given)

        assert str(caught.value).startswith("rehearse")
        assert message in str(caught.value)

    def test_no_guard(self) -> None:
        with pytest.raises(TypeError, match=r"^rehearse: a Guard is needed, got 5$"):
            rehearse(5)  # type: ignore[arg-type]
