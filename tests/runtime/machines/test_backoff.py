"""How long to wait: the formulas in tables, and what holds for every rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.backoff import Backoff, Jitter

if TYPE_CHECKING:
    from collections.abc import Callable

draws = st.floats(0, 1, exclude_max=True)
failures = st.integers(1, 5000)


@st.composite
def exponentials(draw: st.DrawFn) -> Backoff:
    initial = draw(st.floats(0.001, 100))
    maximum = draw(st.floats(initial, 10_000))
    jitter = draw(st.sampled_from(["none", "equal", "full"]))
    return Backoff.exponential(initial, draw(st.floats(1, 10)), maximum, jitter)


@pytest.mark.parametrize(
    ("waits", "delays"),
    [
        ((10, 30, 60), [10, 30, 60, 60, 60]),
        ((5,), [5, 5, 5, 5, 5]),
        ((0, 0.5), [0, 0.5, 0.5, 0.5, 0.5]),
        ((60, 1), [60, 1, 1, 1, 1]),
    ],
)
def test_the_last_step_repeats(waits: tuple[float, ...], delays: list[float]) -> None:
    backoff = Backoff.steps(*waits)

    assert [backoff.delay(failure, draw=0.9) for failure in range(1, 6)] == delays


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff.exponential(1, jitter="none"), [1, 2, 4, 8, 16, 32, 60, 60]),
        (Backoff.exponential(1, 3, 100, "none"), [1, 3, 9, 27, 81, 100, 100, 100]),
        (Backoff.exponential(5, 1, jitter="none"), [5] * 8),
        (Backoff.exponential(10, maximum=10, jitter="none"), [10] * 8),
        (Backoff.exponential(1, maximum=1e9, jitter="none"), [1, 2, 4, 8, 16, 32, 64, 128]),
        (Backoff.exponential(0, maximum=0, jitter="none"), [0] * 8),
        (Backoff.none(), [0] * 8),
    ],
)
def test_the_wait_grows_by_the_factor_up_to_the_cap(backoff: Backoff, delays: list[float]) -> None:
    assert [backoff.delay(failure) for failure in range(1, 9)] == delays


@pytest.mark.parametrize(
    ("jitter", "draw", "delay"),
    [
        ("none", 0.5, 8),
        ("full", 0, 0),
        ("full", 0.5, 4),
        ("full", 0.75, 6),
        ("equal", 0, 4),
        ("equal", 0.5, 6),
        ("equal", 0.75, 7),
    ],
)
def test_jitter_takes_its_part_of_the_wait(jitter: str, draw: float, delay: float) -> None:
    assert Backoff.exponential(1, jitter=jitter).delay(4, draw) == delay


@pytest.mark.parametrize(
    ("previous", "draw", "delay"),
    [
        (0, 0, 1),
        (0, 0.5, 2),  # within [1, 3]
        (1, 0.5, 2),
        (4, 0, 1),
        (4, 0.5, 6.5),  # within [1, 12]
        (10, 0.5, 15.5),  # within [1, 30]
        (20, 0.75, 20),  # 45.25, capped
        (0.1, 0.5, 2),  # never below the first wait
    ],
)
def test_decorrelated_draws_between_the_first_and_three_times_the_last_wait(
    previous: float, draw: float, delay: float
) -> None:
    backoff = Backoff.decorrelated(1, maximum=20)

    assert [backoff.delay(failure, draw, previous) for failure in (1, 7)] == [delay, delay]


def test_the_power_may_leave_the_floats() -> None:
    """2 ** 1024 is no float; the wait is the cap long before."""
    assert Backoff.exponential(1, jitter="none").delay(100_000) == 60
    assert Backoff.exponential(0, jitter="none").delay(100_000) == 0


@given(exponentials(), failures, draws)
def test_a_wait_is_never_negative_and_never_above_the_cap(backoff: Backoff, failure: int, draw: float) -> None:
    """C39. The cap holds after jitter."""
    wait = backoff.delay(failure, draw)

    assert 0 <= wait <= backoff.maximum


@given(exponentials(), failures, draws)
def test_jitter_only_shortens_the_wait(backoff: Backoff, failure: int, draw: float) -> None:
    least = {Jitter.NONE: 1.0, Jitter.EQUAL: 0.5, Jitter.FULL: 0.0}[backoff.jitter]
    plain = Backoff.exponential(backoff.initial, backoff.factor, backoff.maximum, "none").delay(failure)

    assert least * plain <= backoff.delay(failure, draw) <= plain


@given(exponentials(), failures, draws)
def test_a_later_failure_never_waits_less_for_the_same_draw(backoff: Backoff, failure: int, draw: float) -> None:
    assert backoff.delay(failure, draw) <= backoff.delay(failure + 1, draw)


@given(st.floats(0.001, 100), st.floats(100, 1000), st.lists(draws, max_size=50))
def test_decorrelated_stays_between_the_first_wait_and_the_cap(
    initial: float, maximum: float, chances: list[float]
) -> None:
    backoff = Backoff.decorrelated(initial, maximum)
    wait = 0.0
    for failure, draw in enumerate(chances, 1):
        previous, wait = wait, backoff.delay(failure, draw, wait)
        assert initial <= wait <= min(maximum, max(initial, 3 * max(previous, initial)))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=10), failures, draws, st.floats(0, 1e6))
def test_steps_know_no_chance(waits: list[float], failure: int, draw: float, previous: float) -> None:
    backoff = Backoff.steps(*waits)

    assert backoff.delay(failure, draw, previous) == waits[min(failure, len(waits)) - 1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (Backoff.steps, ValueError, "Backoff.steps: at least one wait in seconds is needed, got none"),
        (lambda: Backoff.steps(1, -1), ValueError, "Backoff.steps: wait 2 must be >= 0 seconds, got -1"),
        (
            lambda: Backoff.steps(math.inf),
            ValueError,
            "Backoff.steps: wait 1 must be a finite number of seconds, got inf",
        ),
        (lambda: Backoff.steps("1"), TypeError, "Backoff.steps: wait 1 must be a number, got '1'"),  # type: ignore[arg-type]
        (lambda: Backoff.exponential(-1), ValueError, "Backoff.exponential: initial must be >= 0 seconds, got -1"),
        (
            lambda: Backoff.exponential(1, maximum=math.inf),
            ValueError,
            "Backoff.exponential: maximum must be a finite number of seconds, got inf",
        ),
        (
            lambda: Backoff.exponential(61),
            ValueError,
            "Backoff.exponential: maximum must be >= initial (61.0 s), got 60.0",
        ),
        (
            lambda: Backoff.exponential(1, 0.5),
            ValueError,
            "Backoff: factor must be >= 1 and finite, got 0.5",
        ),
        (
            lambda: Backoff.exponential(1, math.inf),
            ValueError,
            "Backoff: factor must be >= 1 and finite, got inf",
        ),
        (
            lambda: Backoff.exponential(1, jitter="some"),
            ValueError,
            "Backoff.exponential: jitter must be one of 'none', 'equal', 'full', 'decorrelated', got 'some'",
        ),
        (
            lambda: Backoff.exponential(1, jitter="decorrelated"),
            ValueError,
            "Backoff.exponential: jitter 'decorrelated' has a rule of its own, use Backoff.decorrelated(...)",
        ),
        (
            lambda: Backoff.decorrelated(1, 0.5),
            ValueError,
            "Backoff.decorrelated: maximum must be >= initial (1.0 s), got 0.5",
        ),
        (lambda: Backoff(waits=(1, -1)), ValueError, "Backoff: wait 2 must be >= 0 seconds, got -1"),
        (lambda: Backoff(initial=-1), ValueError, "Backoff: initial must be >= 0 seconds, got -1"),
        (lambda: Backoff(maximum=math.nan), ValueError, "Backoff: maximum must be a number, got nan"),
        (
            lambda: Backoff(jitter="some"),  # type: ignore[arg-type]
            ValueError,
            "Backoff: jitter must be one of 'none', 'equal', 'full', 'decorrelated', got 'some'",
        ),
        (lambda: Backoff.decorrelated(math.nan), ValueError, "Backoff.decorrelated: initial must be a number, got nan"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    make: Callable[[], Backoff], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message


def test_rules_are_values() -> None:
    assert Backoff.steps(1, 2) == Backoff.steps(1.0, 2.0)
    assert hash(Backoff.none()) == hash(Backoff.none())
