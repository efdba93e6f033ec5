"""Whatever is called when, fails how and is cancelled when: what a guard promises holds, and it keeps nothing back."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from random import Random
from typing import Any

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
    Breaker,
    Bulkhead,
    Fallback,
    Guard,
    GuardStatistics,
    Hedge,
    RateLimit,
    RejectedError,
    Retry,
    RetryBudget,
    UnavailableError,
)
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import HANGS, BoomError, Draws, FarEnd, HttpError, give, no_other_guards

QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)
OUTCOMES = st.sampled_from(["up", "up", BoomError, BoomError, HttpError(404), HttpError(503, 1.0), TypeError, HANGS])


@attrs.frozen
class Plan:
    """One call: when it begins, when it is cancelled, and what its attempts come to after which time."""

    start: float
    patience: float
    attempts: tuple[tuple[Any, float], ...]


PLANS = st.lists(
    st.builds(
        Plan,
        start=QUARTERS,
        patience=st.sampled_from([0.25, 0.5, 1.0, 2.0, 5.0, 30.0, 200.0]),
        attempts=st.lists(st.tuples(OUTCOMES, st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=3).map(
            tuple
        ),
    ),
    min_size=1,
    max_size=12,
)
BREAKERS = st.one_of(
    st.none(),
    st.builds(
        Breaker.consecutive,
        st.integers(1, 3),
        open_for=st.sampled_from([0.25, 1.0, 3.0]),
        probes=st.integers(1, 3),
        success_threshold=st.integers(1, 3),
        probe_timeout=st.just(math.inf),
        slow_call=st.sampled_from([None, None, 0.5]),
    ),
    st.builds(Breaker, window=st.integers(1, 4), open_for=st.just(1.0), probe_timeout=st.just(math.inf)),
    st.just(AdaptiveThrottle(window=10.0, minimum_calls=2)),
)
POLICIES = st.fixed_dictionaries(
    {
        "breaker": BREAKERS,
        "retry": st.one_of(
            st.none(),
            st.builds(
                Retry,
                st.integers(1, 4),
                backoff=st.sampled_from([Backoff.none(), Backoff.steps(0.25, 1.0), Backoff.steps(0.5)]),
                on=st.sampled_from([Exception, BoomError]),
            ),
        ),
    },
    optional={
        "attempt_timeout": st.sampled_from([0.5, 2.0]),
        "deadline": st.sampled_from([0.5, 3.0, 10.0]),
        "bulkhead": st.builds(
            Bulkhead, st.integers(1, 3), queue=st.integers(0, 3), max_wait=st.sampled_from([0.0, 0.5, 5.0])
        ),
        "gate": st.sampled_from([0.0, 0.5, 5.0]),
        "hedge": st.builds(Hedge, st.sampled_from([0.0, 0.25, 1.0]), st.integers(1, 2)),
        "fallback": st.sampled_from(
            [Fallback.value("old"), Fallback.call(lambda plan: give(KeyError)), Fallback.last_good(9.0)]
        ),
    },
)


class Field:
    """Makes calls by plan, and watches those that reach the far end."""

    def __init__(self, policies: dict[str, Any], library: str) -> None:
        policies = dict(policies)
        gate = policies.pop("gate", None)
        self.gate = None if gate is None else RateLimit(8, 4.0, burst=2, max_wait=gate)
        self.library = library
        self.guard = Guard("api", rate_limit=self.gate, rng=Draws(0.5), **policies)
        self.sent = 0
        self.tries: dict[int, int] = {}
        self.probing: dict[int, int] = {}
        self.answers: list[object] = []
        self.cancelled = 0

    async def sleep(self, seconds: float) -> None:
        await (trio.sleep if self.library == "trio" else asyncio.sleep)(min(seconds, 1e9))

    async def fetch(self, plan: Plan) -> Any:
        """Be the far end."""
        circuit = self.guard.dependency.circuit
        assert circuit.state not in {"open", "forced_open"}
        generation = circuit.generation if circuit.state == "half_open" else -1
        self.probing[generation] = self.probing.get(generation, 0) + 1
        if generation >= 0:
            assert self.probing[generation] <= circuit.settings.probes
        if self.guard.dependency.slots is not None:
            assert self.guard.dependency.slots.in_use <= self.guard.dependency.slots.limit
        self.sent += 1
        number = self.tries.get(id(plan), 0)
        self.tries[id(plan)] = number + 1
        outcome, takes = plan.attempts[min(number, len(plan.attempts) - 1)]
        try:
            await self.sleep(math.inf if outcome is HANGS else takes)
            return give(outcome)
        finally:
            self.probing[generation] -= 1

    async def call(self, plan: Plan) -> None:
        """Make one call."""
        await self.sleep(plan.start)
        try:
            self.answers.append(await self.guard.call(self.fetch, plan))
        except Exception as error:  # noqa: BLE001 - whatever it comes to
            self.answers.append(error)

    async def run_trio(self, plans: list[Plan]) -> None:
        async def one(plan: Plan) -> None:
            with trio.move_on_after(plan.start + plan.patience) as scope:
                await self.call(plan)
            self.cancelled += scope.cancelled_caught

        async with trio.open_nursery() as nursery:
            for plan in plans:
                nursery.start_soon(one, plan)
        await self.check(plans)

    async def run_asyncio(self, plans: list[Plan]) -> None:
        async def one(plan: Plan) -> None:
            try:
                async with asyncio.timeout(plan.start + plan.patience):
                    await self.call(plan)
            except TimeoutError:
                self.cancelled += 1

        async with asyncio.TaskGroup() as group:
            for plan in plans:
                group.create_task(one(plan))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await self.check(plans)

    async def check(self, plans: list[Plan]) -> None:
        """Check that everything was given back, and that the numbers add up."""
        guard, dependency = self.guard, self.guard.dependency
        assert len(self.answers) + self.cancelled == len(plans)
        assert not any(self.probing.values())
        assert dependency.budget.retrying == 0
        statistics = guard.statistics()
        self.check_numbers(statistics)
        if dependency.slots is not None:
            assert (statistics.in_flight, statistics.waiting) == (0, 0)
        if self.gate is not None:
            assert self.gate.statistics().waiting == 0
        if dependency.throttle is not None:
            return
        await self.sleep(1000.0)  # an open breaker has become half open
        anybody = guard.with_(retry=None, fallback=None, hedge=None, deadline=None, attempt_timeout=None)
        quick = Plan(0.0, 1.0, (("up", 0.0),))
        for _ in range(2 * dependency.circuit.settings.probes):
            await self.sleep(10.0)
            assert await anybody.call(self.fetch, quick) == "up"

    def check_numbers(self, counted: GuardStatistics) -> None:
        assert counted.attempts == self.sent
        assert counted.calls == counted.successes + counted.failures
        assert counted.successes == counted.succeeded_first + counted.succeeded_retried
        assert counted.failures == counted.failed_first + counted.failed_retried
        assert counted.retries <= counted.attempts
        if counted.window is not None:
            assert 0 <= max(counted.window.failures, counted.window.slow) <= counted.window.calls
        assert 0 <= counted.budget_left <= 10.0
        answers = [answer for answer in self.answers if answer == "up"]
        refused = [answer for answer in self.answers if isinstance(answer, RejectedError)]
        both = [answer for answer in self.answers if isinstance(answer, UnavailableError)]
        assert counted.fallbacks >= self.answers.count("old")
        assert counted.calls <= len(self.answers)
        if not counted.fallbacks and not both:
            assert counted.successes == len(answers)
            assert counted.failures == len(self.answers) - len(answers) - len(refused)


@settings(max_examples=300)
@given(policies=POLICIES, plans=PLANS)
def test_under_trio(policies: dict[str, Any], plans: list[Plan]) -> None:
    with no_other_guards():
        trio.run(Field(policies, "trio").run_trio, plans, clock=MockClock(autojump_threshold=0))


@settings(max_examples=300)
@given(policies=POLICIES, plans=PLANS)
def test_under_asyncio(policies: dict[str, Any], plans: list[Plan]) -> None:
    with no_other_guards():
        virtual_asyncio.run(Field(policies, "asyncio").run_asyncio(plans))


@given(
    script=st.lists(st.sampled_from(["up", BoomError, HttpError(404), KeyboardInterrupt, None]), max_size=40),
    policies=st.fixed_dictionaries(
        {
            "retry": st.sampled_from(
                [  # strain is forgotten in time, and a thread's is real
                    None,
                    Retry(3, backoff=Backoff.none(), adaptive=False),
                    Retry(3, backoff=Backoff.none(), budget=None, on=BoomError, adaptive=False),
                ]
            ),
            "breaker": st.sampled_from(
                [None, Breaker(window=6, open_for=1e6), Breaker.consecutive(4, open_for=1e6), Breaker(minimum_calls=3)]
            ),
            "fallback": st.sampled_from([None, None, Fallback.value("old")]),
        }
    ),
)
def test_the_short_way_and_the_long_way_do_the_same(script: list[Any], policies: dict[str, Any]) -> None:
    """Under asyncio and in threads a call takes the short way where it can, on a virtual clock of trio the long one."""
    results = []
    for way in ("decorated", "call", "outcome"):
        with no_other_guards():
            results.append(trio.run(play, policies, script, way, clock=MockClock(autojump_threshold=0)))
    for way in ("decorated", "call"):
        with no_other_guards():
            results.append(virtual_asyncio.run(play(policies, script, way)))
        with no_other_guards():
            results.append(play_sync(policies, script, way))

    for result in results[1:]:
        assert result == results[0]


async def play(policies: dict[str, Any], script: list[Any], way: str) -> list[Any]:
    """Make the calls of a script one after the other; return what is seen after each."""
    guard, far = Guard("api", **policies), FarEnd(script)
    guarded = guard(far.fetch)
    seen_so_far: list[Any] = []
    for _ in script:
        try:
            if way == "outcome":
                answer = (await guard.outcome(far.fetch)).value
            else:
                answer = await (guarded() if way == "decorated" else guard.call(far.fetch))
        except BaseException as error:  # noqa: BLE001 - an interruption is one of the outcomes
            answer = type(error)
        seen_so_far.append((answer, far.calls, seen(guard)))
    return seen_so_far


def play_sync(policies: dict[str, Any], script: list[Any], way: str) -> list[Any]:
    """Do the same with a plain function."""
    guard, far = Guard("api", **policies), FarEnd(script)
    guarded = guard(far.get)
    seen_so_far: list[Any] = []
    for _ in script:
        try:
            answer = guarded() if way == "decorated" else guard.call_sync(far.get)
        except BaseException as error:  # noqa: BLE001 - an interruption is one of the outcomes
            answer = type(error)
        seen_so_far.append((answer, far.calls, seen(guard)))
    return seen_so_far


def seen(guard: Guard) -> GuardStatistics:
    counted = guard.statistics()
    return attrs.evolve(counted, since=0.0, last_error=None, budget_left=round(counted.budget_left, 9))


@given(
    starts=st.lists(QUARTERS, min_size=1, max_size=60),
    attempts=st.integers(2, 6),
    ratio=st.sampled_from([0.0, 0.1, 0.5]),
    cap=st.sampled_from([0.0, 2.0, 5.0]),
    wait=st.sampled_from([0.25, 1.0, 3.0]),
)
def test_sends_are_at_most_the_tries_and_the_budget_over_any_window(
    starts: list[float], attempts: int, ratio: float, cap: float, wait: float
) -> None:
    budget = RetryBudget(ratio=ratio, cap=cap, free=0)
    retry = Retry(attempts, backoff=Backoff.steps(wait), budget=budget, adaptive=False)
    firsts, granted = list[float](), list[float]()

    async def one(guard: Guard, start: float) -> None:
        await trio.sleep(start)
        sent = 0

        async def fail() -> None:
            nonlocal sent
            sent += 1
            if sent == 1:
                firsts.append(trio.current_time())
            else:
                granted.append(trio.current_time() - wait)
            raise BoomError

        with suppress(BoomError):
            await guard.call(fail)

    async def main() -> None:
        guard = Guard("api", retry=retry, breaker=None)
        async with trio.open_nursery() as nursery:
            for start in starts:
                nursery.start_soon(one, guard, start)

    with no_other_guards():
        trio.run(main, clock=MockClock(autojump_threshold=0))

    granted.sort()
    for begin, since in enumerate(granted):
        for end in range(begin, len(granted)):
            tries = sum(since <= first <= granted[end] for first in firsts)
            assert end - begin + 1 <= cap + ratio * tries + 1e-9
    assert budget.retrying == 0


@given(
    backoff=st.one_of(
        st.builds(
            Backoff.exponential,
            st.floats(0.01, 5.0),
            st.floats(1.0, 10.0),
            st.floats(5.0, 60.0),
            st.sampled_from(["none", "equal", "full"]),
        ),
        st.builds(Backoff.decorrelated, st.floats(0.01, 5.0), st.floats(5.0, 60.0)),
    ),
    hints=st.lists(st.one_of(st.just(0.0), st.floats(0.01, 100.0)), min_size=12, max_size=12),
    takes=st.floats(0.0, 2.0),
    deadline=st.one_of(st.none(), st.floats(0.1, 200.0)),
    patience=st.floats(0.0, 100.0),
    seed=st.integers(0, 2**32),
)
def test_waits_are_within_bounds_and_their_sum_is_within_the_deadline(  # noqa: PLR0917 - hypothesis gives them
    backoff: Backoff, hints: list[float], takes: float, deadline: float | None, patience: float, seed: int
) -> None:
    """The cap holds after jitter, Retry-After is a floor, more than there is patience for ends the call."""
    began, ended = list[float](), list[float]()

    async def fail() -> None:
        began.append(trio.current_time())
        hint = hints[len(began) - 1]
        await trio.sleep(takes)
        ended.append(trio.current_time())
        raise HttpError(503, hint)

    async def main() -> float:
        rng = Random(seed)  # noqa: S311 - from hypothesis
        retry = Retry(12, backoff=backoff, patience=patience, budget=None)
        with suppress(HttpError, TimeoutError):
            await Guard("api", retry=retry, breaker=None, deadline=deadline, rng=rng).call(fail)
        return trio.current_time()

    with no_other_guards():
        over = trio.run(main, clock=MockClock(autojump_threshold=0))

    slack = 1e-9 * (1 + over)
    for number, (end, begin) in enumerate(zip(ended, began[1:], strict=False)):
        wait, hint = begin - end, hints[number]
        assert hint <= patience
        assert hint - slack <= wait <= max(backoff.maximum, hint) + slack
    if deadline is not None:
        assert over <= deadline + slack
        assert all(each <= deadline for each in began)
    assert len(began) <= 12
