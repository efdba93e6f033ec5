"""A second try beside the first, under asyncio: the same winners, the same times, the same care."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest

from duenna.guards import Hedge
from duenna.guards.hedge import race, race_asyncio
from tests.runtime.guards import virtual_asyncio


class Late(Exception):  # noqa: N818
    """What a try raises, with its number."""


def now() -> float:
    return asyncio.get_running_loop().time()


@attrs.define
class Course:
    """Where tries take so long each, and then answer with their number or fail; ``lines`` says what happened when."""

    tries: Sequence[tuple[float, bool]]
    allowed: Callable[[int], bool] = lambda _: True
    lines: list[tuple[float, str]] = attrs.field(factory=list)
    begun: int = 0
    asked: int = 0

    def note(self, what: str) -> None:
        self.lines.append((now(), what))

    async def attempt(self) -> int:
        number, (takes, is_good) = self.begun, self.tries[self.begun]
        self.begun += 1
        self.note(f"{number} begins")
        try:
            await asyncio.sleep(takes)
        except asyncio.CancelledError:
            self.note(f"{number} cancelled")
            raise
        self.note(f"{number} {'answers' if is_good else 'fails'}")
        if not is_good:
            raise Late(number)
        return number

    def may_hedge(self) -> bool:
        self.asked += 1
        self.note("asks")
        return self.allowed(self.asked)

    async def run(self, hedge: Hedge) -> int:
        try:
            return await race("asyncio", self.attempt, hedge, self.may_hedge)
        finally:
            self.note("over")
            assert len(asyncio.all_tasks()) == 1  # nobody is left behind


@pytest.mark.parametrize(
    ("tries", "hedge", "answer", "lines"),
    [
        ([(0.5, True)], Hedge(1.0), 0, [(0.0, "0 begins"), (0.5, "0 answers"), (0.5, "over")]),
        (
            [(9.0, True), (0.5, True)],
            Hedge(1.0),
            1,
            [
                (0.0, "0 begins"),
                (1.0, "asks"),
                (1.0, "1 begins"),
                (1.5, "1 answers"),
                (1.5, "0 cancelled"),
                (1.5, "over"),
            ],
        ),
        (
            [(1.25, True), (0.5, True)],
            Hedge(1.0),
            0,
            [
                (0.0, "0 begins"),
                (1.0, "asks"),
                (1.0, "1 begins"),
                (1.25, "0 answers"),
                (1.25, "1 cancelled"),
                (1.25, "over"),
            ],
        ),
        (
            [(1.25, False), (1.0, True)],
            Hedge(1.0),
            1,
            [(0.0, "0 begins"), (1.0, "asks"), (1.0, "1 begins"), (1.25, "0 fails"), (2.0, "1 answers"), (2.0, "over")],
        ),
        (
            [(9.0, True), (0.5, False), (0.5, True)],
            Hedge(1.0, 5),
            2,
            [
                (0.0, "0 begins"),
                (1.0, "asks"),
                (1.0, "1 begins"),
                (1.5, "1 fails"),
                (2.0, "asks"),
                (2.0, "2 begins"),
                (2.5, "2 answers"),
                (2.5, "0 cancelled"),
                (2.5, "over"),
            ],
        ),
    ],
)
def test_the_first_answer_wins_and_the_others_are_cancelled(
    tries: list[tuple[float, bool]], hedge: Hedge, answer: int, lines: list[tuple[float, str]]
) -> None:
    async def main() -> None:
        course = Course(tries)
        assert await course.run(hedge) == answer
        assert course.lines == lines

    virtual_asyncio.run(main())


def test_when_all_fail_the_first_tries_error_comes_out() -> None:
    async def main() -> None:
        with pytest.raises(Late) as caught:
            await Course([(4.0, False), (0.5, False), (1.5, False)]).run(Hedge(1.0, 2))
        assert (caught.value.args, now()) == ((0,), 4.0)

    virtual_asyncio.run(main())


def test_a_try_that_is_not_allowed_is_left_out() -> None:
    async def main() -> None:
        course = Course([(100.0, True), (0.5, True)], allowed=lambda _: False)
        assert await course.run(Hedge(1.0, 2)) == 0
        assert (course.asked, now()) == (2, 100.0)

    virtual_asyncio.run(main())


def test_an_answer_at_the_very_moment_of_a_hedge_is_the_answer() -> None:
    """Whether its timer goes off before that of the hedge, or after it."""

    async def main() -> None:
        for tries in [(1.0, True), (1.0, True)], [(2.0, True), (9.0, True), (9.0, True)]:
            course = Course(tries)
            start = now()
            assert await course.run(Hedge(1.0, len(tries) - 1)) == 0
            assert now() - start == tries[0][0]
            answered = next(place for place, (_, what) in enumerate(course.lines) if what == "0 answers")
            assert [what for _, what in course.lines[answered:] if what in {"asks", "1 begins", "2 begins"}] == []

    virtual_asyncio.run(main())


def test_two_answers_at_one_moment_are_one() -> None:
    async def main() -> None:
        numbers, answers, both = iter(range(2)), list[int](), asyncio.Event()

        async def attempt() -> int:
            number = next(numbers)
            if number == 1:
                both.set()
            await both.wait()
            answers.append(number)
            return number

        winner = await race_asyncio(attempt, Hedge(0.0), lambda: True)
        assert answers[0] == winner

    virtual_asyncio.run(main())


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
def test_cancelled_at_any_time_it_cancels_all(at: float) -> None:
    async def main() -> None:
        course = Course([(9.0, True), (9.0, True), (9.0, True)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(at):
                await course.run(Hedge(1.0, 2))
        assert now() == at
        assert len([what for _, what in course.lines if "cancelled" in what]) == course.begun

    virtual_asyncio.run(main())


def test_cancelled_again_while_the_losers_end_it_still_waits_for_them() -> None:
    ended: list[float] = []

    async def attempt() -> None:
        try:
            await asyncio.sleep(9.0)
        finally:
            await asyncio.shield(asyncio.sleep(2.0))
            ended.append(now())

    async def main() -> None:
        task = asyncio.create_task(race_asyncio(attempt, Hedge(1.0), lambda: True))
        await asyncio.sleep(1.5)
        task.cancel()
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [3.5, 3.5]
        assert now() == 3.5

    virtual_asyncio.run(main())


def test_cancelled_while_the_losers_of_an_answer_end_it_is_cancelled() -> None:
    numbers = iter(range(2))

    async def attempt() -> int:
        number = next(numbers)
        try:
            await asyncio.sleep(9.0 if number == 0 else 0.5)
        finally:
            if number == 0:
                await asyncio.shield(asyncio.sleep(2.0))
        return number

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await race_asyncio(attempt, Hedge(1.0), lambda: True)
        assert now() == 3.5

    virtual_asyncio.run(main())


def test_a_try_that_cancels_itself_has_failed() -> None:
    """As without a hedge: the CancelledError of something inside comes out, and nothing hangs."""

    async def attempt() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await race_asyncio(attempt, Hedge(1.0), lambda: True)
        assert now() == 0.0

    virtual_asyncio.run(main())


def test_a_loser_that_fails_as_it_is_cancelled_is_of_no_interest() -> None:
    numbers = iter(range(2))
    complaints: list[dict[str, Any]] = []

    async def attempt() -> int:
        number = next(numbers)
        try:
            await asyncio.sleep(9.0 if number == 0 else 0.5)
        except asyncio.CancelledError:
            raise Late("clean up") from None
        return number

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        assert await race_asyncio(attempt, Hedge(1.0), lambda: True) == 1
        gc.collect()

    virtual_asyncio.run(main())
    assert complaints == []


def test_a_bug_in_the_permission_comes_out_bare_and_ends_all() -> None:
    async def main() -> None:
        course = Course([(9.0, True)], allowed=lambda _: 1 // 0 > 0)
        with pytest.raises(ZeroDivisionError):
            await course.run(Hedge(1.0))
        assert course.lines[-2:] == [(1.0, "0 cancelled"), (1.0, "over")]

    virtual_asyncio.run(main())


def test_a_group_that_a_try_raises_stays_a_group() -> None:
    async def attempt() -> None:
        raise ExceptionGroup("two", [Late(1), Late(2)])

    with pytest.raises(ExceptionGroup):
        virtual_asyncio.run(race_asyncio(attempt, Hedge(1.0), lambda: True))


def test_an_end_of_the_program_comes_out_and_ends_all() -> None:
    numbers, complaints = iter(range(2)), list[dict[str, Any]]()

    async def attempt() -> None:
        if next(numbers):
            raise SystemExit(3)
        await asyncio.sleep(9.0)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await race_asyncio(attempt, Hedge(1.0), lambda: True)

    with pytest.raises(SystemExit):
        virtual_asyncio.run(main())
    gc.collect()
    assert complaints == []
