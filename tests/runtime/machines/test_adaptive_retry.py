"""Retries that keep failing become fewer and later, and come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.adaptive_retry import AdaptiveRetry, Strained, stretched
from duenna.machines.classification import Category

NETWORK, API = Category.NETWORK, Category.API


def strained(failures: int, *, now: float = 0.0) -> AdaptiveRetry:
    adaptive = AdaptiveRetry()
    for _ in range(failures):
        adaptive.failed(NETWORK, now)
    return adaptive


@pytest.mark.parametrize(
    ("failures", "limit", "stretch"),
    [
        (0, 5, 1.0),
        (10, 5, 1.0),  # up to the tolerance nothing changes
        (11, 5, 8**0.1),
        (12, 4, 8**0.2),
        (15, 3, 8**0.5),
        (18, 2, 8**0.8),
        (19, 1, 8**0.9),
        (20, 1, 8.0),
        (1000, 1, 8.0),  # never less than the first attempt
    ],
)
def test_attempts_and_pace_shrink_with_the_failing_retries(failures: int, limit: int, stretch: float) -> None:
    adaptive = strained(failures)

    assert adaptive.limit(NETWORK, 5, 0.0) == limit
    assert adaptive.stretch(NETWORK, 0.0) == pytest.approx(stretch)


def test_a_call_of_one_attempt_keeps_it() -> None:
    assert strained(50).limit(NETWORK, 1, 0.0) == 1


def test_categories_are_apart() -> None:
    adaptive = strained(20)

    assert (adaptive.limit(NETWORK, 3, 0.0), adaptive.limit(API, 3, 0.0)) == (1, 3)
    assert list(adaptive.strained(0.0)) == [Strained(NETWORK, 1.0, 8.0)]


@pytest.mark.parametrize(("successes", "limit"), [(0, 1), (1, 2), (2, 3), (3, 3)])
def test_a_success_makes_up_for_four_failures(successes: int, limit: int) -> None:
    adaptive = strained(20)
    for _ in range(successes):
        adaptive.succeeded(NETWORK, 0.0)

    assert adaptive.limit(NETWORK, 3, 0.0) == limit


@pytest.mark.parametrize(("after", "limit"), [(0.0, 1), (11.0, 1), (12.0, 2), (40.0, 2), (41.0, 3), (60.0, 3)])
def test_time_brings_them_back(after: float, limit: int) -> None:
    """Half is forgotten in a minute; a first retry is tried after 12 s."""
    assert strained(20).limit(NETWORK, 3, after) == limit


def test_a_probe_that_fails_closes_the_way_again() -> None:
    adaptive = strained(20)
    assert adaptive.limit(NETWORK, 3, 12.0) == 2

    adaptive.failed(NETWORK, 12.0)

    assert adaptive.limit(NETWORK, 3, 12.0) == 1


def test_successes_leave_nothing_behind() -> None:
    adaptive = strained(3)
    assert not adaptive.is_calm

    adaptive.succeeded(NETWORK, 0.0)

    assert adaptive.is_calm
    adaptive.succeeded(NETWORK, 0.0)  # nothing to make up for
    assert adaptive.is_calm


def test_one_in_four_that_succeeds_keeps_it_calm_and_one_in_six_does_not() -> None:
    calm, busy = AdaptiveRetry(), AdaptiveRetry()
    for number in range(240):
        (calm.succeeded if number % 4 == 3 else calm.failed)(NETWORK, 0.0)
        (busy.succeeded if number % 6 == 5 else busy.failed)(NETWORK, 0.0)

    assert calm.level(NETWORK, 0.0) == 0.0
    assert busy.level(NETWORK, 0.0) > 0.0


def test_a_time_before_the_last_one_counts_as_that() -> None:
    """Threads overtake one another."""
    adaptive = strained(20, now=100.0)

    assert adaptive.level(NETWORK, 40.0) == 1.0
    adaptive.succeeded(NETWORK, 40.0)
    assert adaptive.level(NETWORK, 100.0) == pytest.approx(0.6)


def test_reset_forgets() -> None:
    adaptive = strained(20)

    adaptive.reset()

    assert (adaptive.is_calm, adaptive.limit(NETWORK, 3, 0.0)) == (True, 3)


def test_what_is_strained_no_more_is_not_told() -> None:
    assert list(strained(20).strained(3600.0)) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tolerance": 0}, "AdaptiveRetry: tolerance must be > 0 and finite, got 0"),
        ({"tolerance": math.inf}, "AdaptiveRetry: tolerance must be > 0 and finite, got inf"),
        ({"half_life": 0}, "AdaptiveRetry: half_life must be > 0 seconds, got 0"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        AdaptiveRetry(**settings)


EVENTS = st.lists(
    st.tuples(st.sampled_from(list(Category)), st.booleans(), st.floats(0, 1e6)),
    max_size=60,
)


@given(events=EVENTS, attempts=st.integers(1, 100), later=st.floats(0, 1e6))
def test_the_bounds_hold_whatever_happens(
    events: list[tuple[Category, bool, float]], attempts: int, later: float
) -> None:
    adaptive = AdaptiveRetry()
    now = 0.0
    for category, ok, now in events:
        (adaptive.succeeded if ok else adaptive.failed)(category, now)

    for category in Category:
        limit, stretch = adaptive.limit(category, attempts, now), adaptive.stretch(category, now)
        assert 1 <= limit <= attempts
        assert 1.0 <= stretch <= 8.0
        assert adaptive.limit(category, attempts, now + later) >= limit  # time alone never makes it worse
        assert adaptive.stretch(category, now + later) <= stretch


@given(events=st.lists(st.tuples(st.sampled_from(list(Category)), st.floats(0, 1e6)), max_size=10))
def test_up_to_the_tolerance_nothing_changes(events: list[tuple[Category, float]]) -> None:
    adaptive = AdaptiveRetry()
    for category, now in events:
        adaptive.failed(category, now)

        assert all(adaptive.limit(each, 6, now) == 6 for each in Category)


def test_a_stretched_wait_keeps_to_its_cap() -> None:
    assert (stretched(1.0, 3.0, 5.0), stretched(2.0, 3.0, 5.0), stretched(5.0, 1.0, 5.0)) == (3.0, 5.0, 5.0)
