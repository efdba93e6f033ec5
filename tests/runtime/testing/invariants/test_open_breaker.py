"""Rule 10: an open breaker lets nothing through, a half-open one its probes."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import OpenBreaker

from .support import Story

LEGAL = [
    ("closed", "open", "failures"),
    ("closed", "open", "slow_calls"),
    ("closed", "open", "restored"),
    ("open", "half_open", "waited"),
    ("half_open", "open", "probe_failed"),
    ("half_open", "closed", "probes_passed"),
    ("open", "forced_open", "force_open"),
    ("forced_open", "disabled", "disable"),
    ("half_open", "metrics_only", "metrics_only"),
    ("metrics_only", "closed", "close"),
    ("disabled", "closed", "reset"),
]
ILLEGAL = [
    ("closed", "half_open", "waited"),
    ("open", "closed", "probes_passed"),
    ("open", "closed", "waited"),
    ("disabled", "open", "failures"),
    ("metrics_only", "open", "failures"),
    ("half_open", "closed", "disable"),
    ("half_open", "open", "failures"),
]


def opened(open_for: float = 5.0, t: float = 10.0) -> Story:
    """Open the breaker at *t*."""
    return Story().at(t).moves("closed", "open", "failures", open_for=open_for)


def half_open(probes: int = 1) -> Story:
    """Open it, and let it wait for its time."""
    return opened().at(15.0).moves("open", "half_open", "waited", probes=probes)


@pytest.mark.parametrize(("previous", "state", "cause"), LEGAL)
def test_breakers_move_as_breakers_do(previous: str, state: str, cause: str) -> None:
    open_for = 5.0 if state == "open" else None

    assert Story().moves(previous, state, cause, open_for=open_for).found(OpenBreaker()) == []


@pytest.mark.parametrize(("previous", "state", "cause"), ILLEGAL)
def test_a_move_that_no_breaker_makes_is_found(previous: str, state: str, cause: str) -> None:
    assert Story().moves(previous, state, cause, open_for=5.0).found(OpenBreaker()) == [
        (
            f"open_breaker: 0.000 s, record 1, /bot/a: guard 'g': it moves from {previous} to {state} ({cause}), "
            "which no breaker does"
        )
    ]


def test_a_move_from_another_state_than_the_last_is_found() -> None:
    story = opened().at(15.0).moves("half_open", "closed", "probes_passed")

    assert story.found(OpenBreaker()) == [
        (
            "open_breaker: 15.000 s, record 2, /bot/a: guard 'g': it moves from half_open to closed (probes_passed), "
            "but it was open (record 1, 10.000 s)"
        )
    ]


def test_a_call_through_an_open_breaker_is_found() -> None:
    assert opened().at(12.0).tries().found(OpenBreaker()) == [
        (
            "open_breaker: 12.000 s, record 2, /bot/a: guard 'g', call 1, attempt 1: it reaches the function, but the "
            "breaker is open for another 3.000 s (record 1, 10.000 s)"
        )
    ]


def test_a_call_through_one_that_is_held_open_by_hand_is_found() -> None:
    story = Story().moves("closed", "forced_open", "force_open", open_for=None).at(99.0).tries()

    assert story.found(OpenBreaker()) == [
        (
            "open_breaker: 99.000 s, record 2, /bot/a: guard 'g', call 1, attempt 1: it reaches the function, but the "
            "breaker is forced_open until a probe, or a hand, says otherwise (record 1, 0.000 s)"
        )
    ]


def test_a_probe_before_the_time_is_found() -> None:
    story = opened().at(14.5).moves("open", "half_open", "waited").tries(outcome="ok")

    assert story.found(OpenBreaker()) == [
        (
            "open_breaker: 14.500 s, record 2, /bot/a: guard 'g': it moves from open to half_open (waited), "
            "0.500 s before its time: it opened (record 1, 10.000 s)"
        )
    ]


def test_a_call_after_its_time_that_is_no_probe_is_found() -> None:
    """Time alone moves no breaker: the first call after it does, and is a probe."""
    assert len(opened().at(16.0).tries().found(OpenBreaker())) == 1


@pytest.mark.parametrize("open_for", [3.9, 6.1, None])
def test_an_opening_that_the_settings_do_not_allow_is_found(open_for: float | None) -> None:
    lasts = float("inf") if open_for is None else open_for

    assert Story().moves("closed", "open", "failures", open_for=open_for).found(OpenBreaker()) == [
        (
            "open_breaker: 0.000 s, record 1, /bot/a: guard 'g': it moves from closed to open (failures) "
            f"for {lasts} s, and should for 4.0 to 6.0 s"
        )
    ]


def test_probes_one_after_the_other_are_right() -> None:
    assert half_open().tries(1, outcome="ok").tries(2, outcome="cancelled").tries(3).found(OpenBreaker()) == []


def test_a_probe_too_many_is_found() -> None:
    story = half_open(probes=2)
    for call in (1, 2, 3):
        story.guarded("attempt_begun", call, 1)

    assert story.found(OpenBreaker()) == [
        (
            "open_breaker: 15.000 s, record 5, /bot/a: guard 'g', call 3, attempt 1: it is probe 3 at once of a "
            "half-open breaker, and 2 may be under way (record 2, 15.000 s)"
        )
    ]


def test_a_probe_that_is_out_for_too_long_loses_its_place() -> None:
    story = half_open().guarded("attempt_begun", 1, 1)

    assert story.at(75.0).guarded("attempt_begun", 2, 1).found(OpenBreaker()) == []
    assert len(half_open().guarded("attempt_begun", 1, 1).at(74.9).guarded("attempt_begun", 2, 1).found(OpenBreaker()))


def test_a_probe_is_as_old_as_its_permit() -> None:
    """It may have waited in the bulkhead since."""
    story = half_open().at(20.0).guarded("attempt_begun", 1, 1, admitted=15.0)

    assert story.at(75.0).guarded("attempt_begun", 2, 1).found(OpenBreaker()) == []


def test_calls_from_before_are_no_probes() -> None:
    story = Story().guarded("attempt_begun", 7, 1).at(10.0).moves("closed", "open", "failures", open_for=5.0)
    story.at(15.0).moves("open", "half_open", "waited").guarded("attempt_begun", 8, 1)

    assert story.guarded("attempt_ended", 7, 1, outcome="ok").found(OpenBreaker()) == []


def test_what_was_before_a_reset_does_not_matter() -> None:
    assert opened().guarded("guard_reset", 0).tries().moves("open", "closed", "reset").found(OpenBreaker()) == []


def test_a_worker_thread_may_be_ahead_of_the_world() -> None:
    """The time of a record is then that of the world, and ``time`` that of the thread."""
    story = opened().guarded("breaker_moved", 0, previous="open", state="half_open", cause="waited", time=15.0)

    assert story.found(OpenBreaker()) == []


def test_a_restored_breaker_may_have_little_of_its_time_left_but_not_more_than_all() -> None:
    assert Story().moves("closed", "open", "restored", open_for=0.5).found(OpenBreaker()) == []
    assert Story().moves("closed", "open", "restored", open_for=7.0).found(OpenBreaker()) == [
        (
            "open_breaker: 0.000 s, record 1, /bot/a: guard 'g': it moves from closed to open (restored) for 7.0 s, "
            "and should for 4.0 to 6.0 s"
        )
    ]
