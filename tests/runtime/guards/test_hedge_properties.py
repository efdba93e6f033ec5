"""A second try beside the first: who wins and when, against a plan made without any tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import attrs
import trio
from hypothesis import assume, given
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna.guards import Hedge
from duenna.guards.hedge import race
from tests.runtime.guards import virtual_asyncio

END = "cancelled from outside"


@attrs.frozen
class Try:
    """How long it takes, and whether it answers then; whether it may begin at all, if it is not the first."""

    takes: float
    is_good: bool
    is_allowed: bool


@attrs.frozen
class Race:
    """All tries that could be made, and when the whole is cancelled."""

    hedge: Hedge
    tries: tuple[Try, ...]
    cancelled_at: float

    def plan(self) -> tuple[object, float]:
        """Return what comes out, and when: the number of a try that answers, an error's, or the cancellation."""
        ends: list[tuple[float, int, bool]] = []
        for number, each in enumerate(self.tries):
            begins = number * self.hedge.after
            over = self._over(ends)
            if over is not None and over[1] <= begins:
                break
            if number == 0 or each.is_allowed:
                ends.append((begins + each.takes, len(ends), each.is_good))
        result = self._over(ends)
        assert result is not None
        times = [
            self.cancelled_at,
            *(end for end, _, _ in ends),
            *(n * self.hedge.after for n in range(len(self.tries))),
        ]
        assume(len(set(times)) == len(times))  # what happens at one moment may happen in any order
        return result if result[1] < self.cancelled_at else (END, self.cancelled_at)

    @staticmethod
    def _over(ends: list[tuple[float, int, bool]]) -> tuple[object, float] | None:
        good = [end for end in ends if end[2]]
        if good:
            end, number, _ = min(good)
            return number, end
        return ("error 0", max(ends)[0]) if ends else None


@attrs.define
class Course:
    """Makes the tries of a race."""

    race: Race
    sleep: Callable[[float], Coroutine[object, object, None]]
    begun: int = 0
    asked: int = 0
    running: int = 0

    async def attempt(self) -> int:
        number = self.begun
        self.begun += 1
        made = [each for place, each in enumerate(self.race.tries) if place == 0 or each.is_allowed][number]
        self.running += 1
        try:
            await self.sleep(made.takes)
        finally:
            self.running -= 1
        if not made.is_good:
            raise LookupError(number)
        return number

    def may_hedge(self) -> bool:
        self.asked += 1
        return self.race.tries[self.asked].is_allowed

    async def run(self, library: str) -> object:
        try:
            return await race(library, self.attempt, self.race.hedge, self.may_hedge)
        except LookupError as error:
            return f"error {error.args[0]}"
        finally:
            assert self.running == 0


def in_trio(plan: Race) -> tuple[object, float]:
    async def main() -> tuple[object, float]:
        start = trio.current_time()
        result: object = END
        with trio.CancelScope(deadline=start + plan.cancelled_at):
            result = await Course(plan, trio.sleep).run("trio")
        return result, trio.current_time() - start

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def in_asyncio(plan: Race) -> tuple[object, float]:
    async def main() -> tuple[object, float]:
        result: object = END
        try:
            async with asyncio.timeout_at(plan.cancelled_at):
                result = await Course(plan, asyncio.sleep).run("asyncio")
        except TimeoutError:
            pass
        assert len(asyncio.all_tasks()) == 1
        return result, asyncio.get_running_loop().time()

    return virtual_asyncio.run(main())


times = st.integers(1, 64).map(lambda n: n / 16)
tries = st.builds(Try, times, st.booleans(), st.booleans())
races = st.integers(1, 4).flatmap(
    lambda most: st.builds(
        Race,
        times.map(lambda after: Hedge(after, most)),
        st.tuples(*[tries] * (most + 1)),
        st.integers(1, 256).map(lambda n: n / 32),
    )
)


@given(races)
def test_the_first_answer_comes_out_as_soon_as_it_is_there_under_trio(plan: Race) -> None:
    assert plan.plan() == in_trio(plan)


@given(races)
def test_the_first_answer_comes_out_as_soon_as_it_is_there_under_asyncio(plan: Race) -> None:
    assert plan.plan() == in_asyncio(plan)
