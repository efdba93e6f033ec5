"""How often something lost is tried again: waits, rounds, what resets the count, and what waits for a hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.reconnect import Attempt, ReconnectCounter, ReconnectPolicy

# -- the policy ------------------------------------------------------------------------


def test_as_it_stands_it_waits_10_30_and_60_seconds() -> None:
    policy = ReconnectPolicy()

    assert [policy.delay(attempt) for attempt in (1, 2, 3, 4, 5000)] == [10.0, 30.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 5.0), (0.5, 7.5), (1.0, 10.0)])
def test_jitter_shortens_a_wait_to_half_of_it_at_most(draw: float, wait: float) -> None:
    assert ReconnectPolicy(jitter=True).delay(1, draw) == wait


def test_a_base_of_0_never_waits() -> None:
    assert ReconnectPolicy(base=0.0).delay(3) == 0.0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"max_attempts": -1}, ValueError, "ReconnectPolicy: max_attempts must be >= 0, got -1"),
        ({"max_attempts": 1.5}, TypeError, "ReconnectPolicy: max_attempts must be a whole number, got 1.5"),
        ({"base": -1.0}, ValueError, "ReconnectPolicy: base must be >= 0 seconds, got -1.0"),
        ({"maximum": 5.0}, ValueError, "ReconnectPolicy: maximum must be >= base (10.0 s), got 5.0"),
        ({"factor": 0.5}, ValueError, "Backoff: factor must be >= 1 and finite, got 0.5"),
        ({"jitter": "full"}, TypeError, "ReconnectPolicy: jitter must be True or False, got 'full'"),
        ({"reset_after": -1.0}, ValueError, "ReconnectPolicy: reset_after must be >= 0 seconds, got -1.0"),
        ({"unpark_after": -1.0}, ValueError, "ReconnectPolicy: unpark_after must be >= 0 seconds, got -1.0"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        ReconnectPolicy(**given)

    assert str(caught.value) == message


def test_unpark_after_may_be_none() -> None:
    assert ReconnectPolicy(unpark_after=None).unpark_after is None


# -- the counter -----------------------------------------------------------------------


def test_a_round_has_so_many_attempts_and_no_more() -> None:
    counter = ReconnectCounter(ReconnectPolicy())

    assert counter.begin(0.0)
    assert [counter.next() for _ in range(5)] == [Attempt(1, 10.0), Attempt(2, 30.0), Attempt(3, 60.0), None, None]
    assert counter.attempts == 3


def test_what_the_far_end_asks_for_is_a_floor_under_the_wait() -> None:
    counter = ReconnectCounter(ReconnectPolicy())

    assert counter.next(floor=45.0) == Attempt(1, 45.0)
    assert counter.next(floor=5.0) == Attempt(2, 30.0)


def test_a_policy_of_no_attempts_gives_none() -> None:
    assert ReconnectCounter(ReconnectPolicy(max_attempts=0)).next() is None


def test_an_attempt_that_is_called_off_is_given_back() -> None:
    counter = ReconnectCounter(ReconnectPolicy())
    counter.next()

    counter.release()
    counter.release()

    assert counter.next() == Attempt(1, 10.0)


@pytest.mark.parametrize(("lost_at", "first"), [(59.9, 2), (60.0, 1), (61.0, 1)])
def test_only_a_success_that_held_resets_the_count(lost_at: float, first: int) -> None:
    """A far end that accepts and throws out again does not pin the waits to the first."""
    counter = ReconnectCounter(ReconnectPolicy())
    counter.begin(-10.0)
    counter.next()
    counter.succeed(0.0)

    assert counter.begin(lost_at)
    attempt = counter.next()

    assert attempt is not None
    assert attempt.number == first


def test_a_success_counts_once_however_often_it_is_lost() -> None:
    """The uptime of a success that was lost does not reset a later loss."""
    counter = ReconnectCounter(ReconnectPolicy())
    counter.next()
    counter.succeed(0.0)
    counter.begin(1.0)

    counter.begin(1000.0)

    assert counter.attempts == 1


@pytest.mark.parametrize(
    ("unpark_after", "needs_a_hand", "again_at", "may"),
    [
        (300.0, False, 299.9, False),
        (300.0, False, 300.0, True),
        (None, False, 1e9, False),
        (300.0, True, 1e9, False),
        (0.0, False, 0.0, True),
    ],
)
def test_a_new_round_begins_after_a_time_unless_a_hand_is_needed(
    unpark_after: float | None, needs_a_hand: bool, again_at: float, may: bool
) -> None:
    counter = ReconnectCounter(ReconnectPolicy(unpark_after=unpark_after))
    for _ in range(4):
        counter.next()
    counter.give_up(0.0, needs_a_hand=needs_a_hand)
    assert counter.has_given_up

    assert counter.begin(again_at) is may

    assert counter.has_given_up is not may
    assert counter.attempts == (0 if may else 3)


def test_a_hand_resets_everything() -> None:
    counter = ReconnectCounter(ReconnectPolicy())
    counter.next()
    counter.give_up(0.0, needs_a_hand=True)

    counter.reset()

    assert not counter.has_given_up
    assert not counter.needs_a_hand
    assert counter.begin(0.0)
    assert counter.next() == Attempt(1, 10.0)


def test_a_success_ends_what_was_given_up() -> None:
    counter = ReconnectCounter(ReconnectPolicy())
    counter.give_up(0.0, needs_a_hand=True)

    counter.succeed(1.0)

    assert counter.begin(2.0)


def test_a_policy_may_change_in_the_middle_of_a_round() -> None:
    counter = ReconnectCounter(ReconnectPolicy())
    counter.next()

    counter.policy = ReconnectPolicy(max_attempts=2, base=1.0)

    assert [counter.next(), counter.next()] == [Attempt(2, 3.0), None]


steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "next", "release", "succeed", "give up", "by hand", "reset"]), st.floats(0, 100)
    ),
    max_size=60,
)


@given(st.integers(0, 5), st.one_of(st.none(), st.floats(0, 500)), steps)
def test_whatever_happens_a_round_has_no_more_attempts_than_allowed(
    allowed: int, unpark_after: float | None, steps: list[tuple[str, float]]
) -> None:
    """And what waits for a hand is never tried again by time alone."""
    counter = ReconnectCounter(ReconnectPolicy(max_attempts=allowed, unpark_after=unpark_after))
    now = 0.0
    for step, pause in steps:
        now += pause
        waits_for_a_hand = counter.has_given_up and counter.needs_a_hand
        match step:
            case "begin":
                assert not (counter.begin(now) and waits_for_a_hand)
            case "next":
                before = counter.attempts
                attempt = counter.next()
                assert (attempt is None) is (before >= allowed)
            case "release":
                counter.release()
            case "succeed":
                counter.succeed(now)
            case "give up" | "by hand":
                counter.give_up(now, needs_a_hand=step == "by hand")
            case _:
                counter.reset()
        assert 0 <= counter.attempts <= allowed


@given(st.integers(1, 2000), st.floats(0, 1), st.booleans(), st.floats(0, 1000), st.floats(1, 100))
def test_no_wait_is_longer_than_the_longest(
    attempt: int, draw: float, jitter: bool, base: float, factor: float
) -> None:
    policy = ReconnectPolicy(base=base, factor=factor, maximum=1000.0, jitter=jitter)

    assert 0.0 <= policy.delay(attempt, draw) <= 1000.0
