"""A second try beside the first: when it begins, who wins, what becomes of the others. Under trio."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.guards import Hedge
from duenna.guards.hedge import race, race_trio

if TYPE_CHECKING:
    from trio.testing import MockClock


class Late(Exception):  # noqa: N818
    """What a try raises, with its number."""


@attrs.define
class Course:
    """Where tries take so long each, and then answer with their number or fail; ``lines`` says what happened when."""

    tries: Iterable[tuple[float, bool]]
    allowed: Callable[[int], bool] = lambda _: True
    start: float = attrs.field(factory=trio.current_time)
    lines: list[tuple[float, str]] = attrs.field(factory=list)
    begun: int = 0
    asked: int = 0

    def note(self, what: str) -> None:
        self.lines.append((trio.current_time() - self.start, what))

    async def attempt(self) -> int:
        number, (takes, is_good) = self.begun, list(self.tries)[self.begun]
        self.begun += 1
        self.note(f"{number} begins")
        try:
            await trio.sleep(takes)
        except trio.Cancelled:
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
        return await race("trio", self.attempt, hedge, self.may_hedge)


async def test_an_answer_in_time_needs_no_second_try(autojump_clock: MockClock) -> None:
    course = Course([(0.5, True)])

    assert await course.run(Hedge(1.0)) == 0

    assert course.lines == [(0.0, "0 begins"), (0.5, "0 answers")]
    assert course.asked == 0


async def test_the_second_try_wins_and_the_first_is_cancelled(autojump_clock: MockClock) -> None:
    course = Course([(9.0, True), (0.5, True)])

    assert await course.run(Hedge(1.0)) == 1

    assert course.lines == [
        (0.0, "0 begins"),
        (1.0, "asks"),
        (1.0, "1 begins"),
        (1.5, "1 answers"),
        (1.5, "0 cancelled"),
    ]


async def test_the_first_try_may_win_after_all(autojump_clock: MockClock) -> None:
    course = Course([(1.25, True), (0.5, True)])

    assert await course.run(Hedge(1.0)) == 0

    assert course.lines[3:] == [(1.25, "0 answers"), (1.25, "1 cancelled")]


async def test_a_failure_in_time_is_the_retrys_business(autojump_clock: MockClock) -> None:
    course = Course([(0.5, False)])

    with pytest.raises(Late) as caught:
        await course.run(Hedge(1.0))

    assert caught.value.args == (0,)
    assert course.lines == [(0.0, "0 begins"), (0.5, "0 fails")]


@pytest.mark.parametrize("tries", [[(1.25, False), (1.0, True)], [(3.0, True), (0.25, False)]])
async def test_a_failure_leaves_the_answer_to_who_still_runs(
    autojump_clock: MockClock, tries: list[tuple[float, bool]]
) -> None:
    course = Course(tries)

    assert await course.run(Hedge(1.0)) == [is_good for _, is_good in tries].index(True)


async def test_when_all_fail_the_first_tries_error_comes_out(autojump_clock: MockClock) -> None:
    course = Course([(4.0, False), (0.5, False), (1.5, False)])

    with pytest.raises(Late) as caught:
        await course.run(Hedge(1.0, 2))

    assert caught.value.args == (0,)
    assert trio.current_time() - course.start == 4.0


async def test_after_a_failure_further_tries_begin_at_their_times(autojump_clock: MockClock) -> None:
    course = Course([(9.0, True), (0.5, False), (0.5, True)])

    assert await course.run(Hedge(1.0, most=5)) == 2

    assert course.lines == [
        (0.0, "0 begins"),
        (1.0, "asks"),
        (1.0, "1 begins"),
        (1.5, "1 fails"),
        (2.0, "asks"),
        (2.0, "2 begins"),
        (2.5, "2 answers"),
        (2.5, "0 cancelled"),
    ]


async def test_there_are_at_most_so_many_tries(autojump_clock: MockClock) -> None:
    course = Course([(9.0, True)] * 9)

    assert await course.run(Hedge(1.0, 3)) == 0

    assert [line for line in course.lines if "begins" in line[1]] == [
        (0.0, "0 begins"),
        (1.0, "1 begins"),
        (2.0, "2 begins"),
        (3.0, "3 begins"),
    ]


async def test_a_try_that_is_not_allowed_is_left_out(autojump_clock: MockClock) -> None:
    course = Course([(9.0, True), (0.5, True)], allowed=lambda asked: asked == 2)

    assert await course.run(Hedge(1.0, 2)) == 1

    assert course.asked == 2
    assert course.lines[1:5] == [(1.0, "asks"), (2.0, "asks"), (2.0, "1 begins"), (2.5, "1 answers")]


async def test_who_may_never_hedge_waits_for_the_first_and_asks_no_more_than_so_often(
    autojump_clock: MockClock,
) -> None:
    course = Course([(100.0, True)], allowed=lambda _: False)

    assert await course.run(Hedge(1.0, 2)) == 0

    assert (course.asked, trio.current_time() - course.start) == (2, 100.0)


async def test_after_nothing_both_begin_at_once(autojump_clock: MockClock) -> None:
    course = Course([(1.0, True), (0.5, True)])

    assert await course.run(Hedge(0.0)) in {0, 1}

    assert sorted(course.lines)[:3] == [(0.0, "0 begins"), (0.0, "1 begins"), (0.0, "asks")]
    assert trio.current_time() - course.start == 0.5


async def test_an_answer_at_the_very_moment_of_a_hedge_is_the_answer(autojump_clock: MockClock) -> None:
    """In whatever order trio runs them: no second try begins once there is an answer."""
    for _ in range(20):
        course = Course([(1.0, True), (1.0, True)])

        assert await course.run(Hedge(1.0)) == 0

        after = course.lines[course.lines.index((1.0, "0 answers")) :]
        assert (1.0, "asks") not in after
        assert (1.0, "1 begins") not in after


async def test_two_answers_at_one_moment_are_one() -> None:
    """The first, in whatever order trio runs them."""
    for _ in range(20):
        numbers, answers, both = iter(range(2)), list[int](), trio.Event()

        async def attempt(
            numbers: Iterator[int] = numbers, answers: list[int] = answers, both: trio.Event = both
        ) -> int:
            number = next(numbers)
            if number == 1:
                both.set()
            await both.wait()
            answers.append(number)
            return number

        winner = await race_trio(attempt, Hedge(0.0), lambda: True)

        assert answers[0] == winner


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.5, 2.5])
async def test_cancelled_at_any_time_it_cancels_all(autojump_clock: MockClock, at: float) -> None:
    course = Course([(9.0, True), (9.0, True), (9.0, True)])

    with trio.CancelScope(deadline=course.start + at) as scope:
        await course.run(Hedge(1.0, 2))

    assert scope.cancelled_caught
    assert trio.current_time() - course.start == at
    ended = [what for _, what in course.lines if "cancelled" in what]
    assert len(ended) == course.begun


async def test_cancelled_as_the_answer_comes_it_stays_cancelled_or_answers(autojump_clock: MockClock) -> None:
    for _ in range(20):
        course = Course([(1.5, True), (9.0, True)])
        answer = None

        with trio.CancelScope(deadline=course.start + 1.5) as scope:
            answer = await course.run(Hedge(1.0))

        assert (answer is None) is scope.cancelled_caught
        assert len([what for _, what in course.lines if what[0].isdigit() and "begins" not in what]) == course.begun


async def test_a_cancellation_comes_out_without_a_group() -> None:
    """A plain `except trio.Cancelled` must see it, however many tries it has ended."""
    seen: list[BaseException] = []

    async def run() -> None:
        try:
            await race_trio(trio.sleep_forever, Hedge(0.0, 3), lambda: True)
        except BaseException as error:
            seen.append(error)
            raise

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert [type(error) for error in seen] == [trio.Cancelled]


async def test_a_loser_that_fails_as_it_is_cancelled_is_of_no_interest(autojump_clock: MockClock) -> None:
    numbers = iter(range(2))

    async def attempt() -> int:
        number = next(numbers)
        try:
            await trio.sleep(9.0 if number == 0 else 0.5)
        except trio.Cancelled:
            async with trio.open_nursery() as nursery:  # both a Cancelled and an error, in one group
                nursery.start_soon(trio.sleep_forever)
                raise Late("clean up") from None
        return number

    assert await race_trio(attempt, Hedge(1.0), lambda: True) == 1


async def test_a_loser_has_ended_its_cleaning_up_when_the_answer_comes(autojump_clock: MockClock) -> None:
    numbers, cleaned = iter(range(2)), list[float]()
    start = trio.current_time()

    async def attempt() -> int:
        number = next(numbers)
        try:
            await trio.sleep(9.0 if number == 0 else 0.5)
        finally:
            if number == 0:
                with trio.CancelScope(shield=True):
                    await trio.sleep(2.0)
                cleaned.append(trio.current_time() - start)
        return number

    assert await race_trio(attempt, Hedge(1.0), lambda: True) == 1
    assert cleaned == [3.5] == [trio.current_time() - start]


async def test_an_end_of_the_program_comes_out_bare() -> None:
    async def attempt() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        await race_trio(attempt, Hedge(1.0), lambda: True)


async def test_an_end_of_the_program_in_the_second_try_ends_the_first(autojump_clock: MockClock) -> None:
    numbers = iter(range(2))

    async def attempt() -> None:
        if next(numbers):
            raise SystemExit(3)
        await trio.sleep_forever()

    with pytest.raises(SystemExit):
        await race_trio(attempt, Hedge(1.0), lambda: True)


async def test_a_group_that_a_try_raises_stays_a_group() -> None:
    async def attempt() -> None:
        raise ExceptionGroup("two", [Late(1), Late(2)])

    with pytest.raises(ExceptionGroup) as caught:
        await race_trio(attempt, Hedge(1.0), lambda: True)

    assert [error.args for error in caught.value.exceptions] == [(1,), (2,)]


async def test_a_bug_in_the_permission_comes_out_bare_and_ends_all(autojump_clock: MockClock) -> None:
    course = Course([(9.0, True)], allowed=lambda _: 1 // 0 > 0)

    with pytest.raises(ZeroDivisionError):
        await course.run(Hedge(1.0))

    assert course.lines[-1] == (1.0, "0 cancelled")


async def test_nothing_keeps_the_error_alive() -> None:
    async def attempt() -> None:
        raise Late

    async def run() -> weakref.ref[Late]:
        try:
            await race_trio(attempt, Hedge(1.0), lambda: True)
        except Late as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        assert (await run())() is None
    finally:
        gc.enable()


class Stop(BaseException):
    """The end of the program."""


async def test_nothing_keeps_the_end_of_the_program_alive() -> None:
    async def attempt() -> None:
        raise Stop

    async def run() -> weakref.ref[Stop]:
        try:
            await race_trio(attempt, Hedge(1.0), lambda: True)
        except Stop as error:
            return weakref.ref(error)
        raise AssertionError

    gc.collect()
    gc.disable()
    try:
        assert (await run())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"after": -0.1}, ValueError, "Hedge: after must be >= 0 seconds, got -0.1"),
        ({"after": math.inf}, ValueError, "Hedge: after must be a finite number of seconds, got inf"),
        ({"after": "1"}, TypeError, "Hedge: after must be a number, got '1'"),
        ({"after": 1, "most": 0}, ValueError, "Hedge: most must be >= 1, got 0"),
        ({"after": 1, "most": 1.5}, TypeError, "Hedge: most must be a whole number, got 1.5"),
    ],
)
def test_what_is_no_hedge_is_refused(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Hedge(**settings)

    assert str(caught.value) == message
