"""Rule 11: what a guard refuses it neither tries again nor counts."""

from __future__ import annotations

from duenna.testing.invariants import Rejections

from .support import Story


def refused(attempt: int = 1, hedge: int = 0) -> Story:
    """Refuse an attempt of call 1."""
    return Story().guarded("call_begun").guarded("attempt_refused", 1, attempt, hedge=hedge, by="bulkhead")


def test_a_refused_call_that_ends_is_right() -> None:
    assert refused().guarded("call_ended", outcome="error").found(Rejections()) == []


def test_a_refused_call_that_is_to_be_tried_again_is_found() -> None:
    assert refused().plans().found(Rejections()) == [
        (
            "rejection: 0.000 s, record 3, /bot/a: guard 'g', call 1, attempt 1: it is to be tried again, "
            "but was refused (record 2, 0.000 s)"
        )
    ]


def test_a_refused_call_that_is_tried_again_is_found() -> None:
    assert refused().tries(1, 2, outcome="ok").found(Rejections()) == [
        (
            "rejection: 0.000 s, record 3, /bot/a: guard 'g', call 1, attempt 2: it is tried again, "
            "but was refused (record 2, 0.000 s)"
        )
    ]


def test_another_call_may_be_made() -> None:
    assert refused().tries(2).plans(2).tries(2, 2).found(Rejections()) == []


def test_a_refused_hedge_is_nothing_to_the_call() -> None:
    """The attempt beside it goes on, and may fail and be tried again."""
    assert refused(hedge=1).tries().plans().tries(1, 2).found(Rejections()) == []


def test_a_hedge_may_come_through_where_the_first_was_refused() -> None:
    """The first waited for the bulkhead, the hedge found room."""
    assert refused().tries(1, 1, outcome="ok", hedge=1).found(Rejections()) == []


def test_an_attempt_that_fails_is_counted_once() -> None:
    assert Story().tries(1).tries(2).tries(3, outcome="ok").found(Rejections()) == []
    assert Story().tries(1).guarded("failure_counted", 0).found(Rejections()) == [
        "rejection: 0.000 s, record 4, /bot/a: guard 'g': a failure is counted, and no attempt has failed just now"
    ]


def test_a_rejection_that_is_counted_as_a_failure_is_found() -> None:
    assert len(refused().guarded("failure_counted", 0).found(Rejections())) == 1


def test_a_success_that_is_counted_as_a_failure_is_found() -> None:
    assert len(Story().tries(outcome="ok").guarded("failure_counted", 0).found(Rejections())) == 1


def test_an_error_may_be_ignored() -> None:
    story = Story().guarded("attempt_begun", 1, 1).guarded("attempt_ended", 1, 1, outcome="error")

    assert story.guarded("call_ended").found(Rejections()) == []


def test_an_error_that_was_ignored_makes_no_room_for_another() -> None:
    story = Story().guarded("attempt_begun", 1, 1).guarded("attempt_ended", 1, 1, outcome="error").plans()

    assert len(story.guarded("failure_counted", 0).found(Rejections())) == 1
