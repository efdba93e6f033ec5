"""Rule 12: waits within their bounds, attempts and deadline as the settings say."""

from __future__ import annotations

from typing import Any

import pytest

from duenna.testing.invariants import RetryDelays

from .support import Story


def begun() -> Story:
    """Begin call 1 at 10 s, and let its first attempt fail at once."""
    return Story().at(10.0).guarded("call_begun").tries()


def exponential(jitter: str = "full", **fields: Any) -> dict[str, Any]:
    return {"initial": 2.0, "factor": 2.0, "maximum": 6.0, "jitter": jitter, **fields}


def test_a_call_that_keeps_to_its_settings_is_right() -> None:
    story = begun().plans(delay=1.0).at(11.0).tries(1, 2).plans(1, 2, delay=1.0).at(12.0).tries(1, 3)

    assert story.guarded("call_ended").found(RetryDelays()) == []


BOUNDS: list[tuple[dict[str, Any], list[tuple[float, float]]]] = [
    ({"waits": [10.0, 30.0]}, [(10.0, 10.0), (30.0, 30.0), (30.0, 30.0)]),
    (exponential("none"), [(2.0, 2.0), (4.0, 4.0), (6.0, 6.0)]),
    (exponential("equal"), [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]),
    (exponential("full"), [(0.0, 2.0), (0.0, 4.0), (0.0, 6.0)]),
    (exponential("full", maximum=None), [(0.0, 2.0), (0.0, 4.0), (0.0, 8.0)]),
    (exponential("decorrelated"), [(2.0, 6.0), (2.0, 6.0), (2.0, 6.0)]),
]


@pytest.mark.parametrize(("backoff", "bounds"), BOUNDS)
@pytest.mark.parametrize("end", [0, 1])
def test_both_ends_of_the_bounds_are_right(
    backoff: dict[str, Any], bounds: list[tuple[float, float]], end: int
) -> None:
    story = begun()
    for attempt, waits in enumerate(bounds, 1):
        story.plans(1, attempt, attempts=4, backoff=backoff, delay=waits[end]).at(story.t + waits[end])
        story.tries(1, attempt + 1)

    assert story.found(RetryDelays()) == []


@pytest.mark.parametrize(("backoff", "bounds"), BOUNDS)
def test_a_wait_outside_of_its_bounds_is_found(backoff: dict[str, Any], bounds: list[tuple[float, float]]) -> None:
    least, longest = bounds[0]
    wanted = f"{least} s" if least == longest else f"{least} to {longest} s"

    assert begun().plans(backoff=backoff, delay=longest + 0.1).found(RetryDelays()) == [
        (
            f"retry_delay: 10.000 s, record 5, /bot/a: guard 'g', call 1, attempt 1: it waits {longest + 0.1} s, "
            f"and should {wanted}"
        )
    ]
    if least:
        assert len(begun().plans(backoff=backoff, delay=least - 0.1).found(RetryDelays())) == 1


def test_decorrelated_waits_look_at_the_one_before() -> None:
    backoff = exponential("decorrelated", maximum=100.0)
    story = begun().plans(attempts=9, backoff=backoff, delay=5.0).at(15.0).tries(1, 2)

    assert story.plans(1, 2, attempts=9, backoff=backoff, delay=15.0).found(RetryDelays()) == []
    story.records.pop()
    assert len(story.plans(1, 2, attempts=9, backoff=backoff, delay=15.1).found(RetryDelays())) == 1


def test_retry_after_is_a_floor() -> None:
    assert begun().plans(delay=7.0, retry_after=7.0).found(RetryDelays()) == []
    assert begun().plans(delay=1.0, retry_after=7.0).found(RetryDelays()) == [
        (
            "retry_delay: 10.000 s, record 5, /bot/a: guard 'g', call 1, attempt 1: it waits 1.0 s, "
            "and should 7.0 s, Retry-After was 7.0 s"
        )
    ]


def test_an_attempt_that_comes_too_early_is_found() -> None:
    assert begun().plans(delay=1.0).at(10.9).tries(1, 2).found(RetryDelays()) == [
        (
            "retry_delay: 10.900 s, record 6, /bot/a: guard 'g', call 1, attempt 2: it is sent 0.100 s before the wait "
            "is over (record 5, 10.000 s)"
        )
    ]


def test_an_attempt_too_many_is_found_when_it_is_planned() -> None:
    story = begun().plans(delay=1.0, attempts=2).at(11.0).tries(1, 2).plans(1, 2, delay=1.0, attempts=2)

    assert story.found(RetryDelays()) == [
        (
            "retry_delay: 11.000 s, record 9, /bot/a: guard 'g', call 1, attempt 2: attempt 3 is planned, "
            "and 2 are allowed"
        )
    ]


def test_an_attempt_that_nobody_planned_is_found() -> None:
    assert begun().tries(1, 2).found(RetryDelays()) == [
        "retry_delay: 10.000 s, record 5, /bot/a: guard 'g', call 1, attempt 2: it is sent, and no retry was planned"
    ]
    assert len(begun().plans(delay=1.0).at(11.0).tries(1, 2).tries(1, 3).found(RetryDelays())) == 1


def test_an_attempt_that_is_sent_twice_is_found() -> None:
    assert begun().tries().found(RetryDelays()) == [
        "retry_delay: 10.000 s, record 5, /bot/a: guard 'g', call 1, attempt 1: it is sent for the second time"
    ]


def test_a_hedge_needs_leave() -> None:
    assert begun().guarded("hedge_planned", 1, 1).tries(1, 1, hedge=1).found(RetryDelays()) == []
    assert begun().tries(1, 1, hedge=1).found(RetryDelays()) == [
        (
            "retry_delay: 10.000 s, record 5, /bot/a: guard 'g', call 1, attempt 1 (hedge 1): it is sent beside "
            "another, and nothing has allowed it"
        )
    ]


def test_a_wait_that_ends_after_the_deadline_is_found() -> None:
    assert begun().at(14.0).plans(delay=1.0, deadline=5.5).found(RetryDelays()) == []
    assert begun().at(14.5).plans(delay=1.0, deadline=5.0).found(RetryDelays()) == [
        (
            "retry_delay: 14.500 s, record 5, /bot/a: guard 'g', call 1, attempt 1: its wait ends 0.500 s after the "
            "deadline of 5.0 s"
        )
    ]


def test_waits_that_are_longer_than_the_deadline_are_found() -> None:
    story = begun().plans(delay=1.0, deadline=1.5).plans(1, 2, delay=1.0, deadline=1.5)

    assert story.found(RetryDelays()) == [
        (
            "retry_delay: 10.000 s, record 6, /bot/a: guard 'g', call 1, attempt 2: it waits 2.000 s in all, "
            "and its deadline is 1.5 s"
        )
    ]


def test_a_call_whose_begin_was_not_seen_is_not_judged() -> None:
    assert Story().tries(1, 3).plans(1, 7, delay=50.0).found(RetryDelays()) == []


def test_a_worker_thread_may_be_ahead_of_the_world() -> None:
    story = begun().plans(delay=1.0).guarded("attempt_begun", 1, 2, time=11.0)

    assert story.found(RetryDelays()) == []
