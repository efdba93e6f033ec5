"""Rules 14 and 25: nothing is done twice by accident, and nothing is kept."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import AmbiguousRetries, GivenBack

from .support import Story


@pytest.mark.parametrize(("idempotent", "known"), [(True, False), (True, True), (False, True)])
def test_a_retry_that_does_no_harm_is_right(idempotent: bool, known: bool) -> None:
    assert Story().plans(idempotent=idempotent, outcome_known=known).found(AmbiguousRetries()) == []


def test_a_retry_of_what_may_have_had_its_effect_is_found() -> None:
    assert Story().plans(idempotent=False).found(AmbiguousRetries()) == [
        (
            "ambiguous_retry: 0.000 s, record 1, /bot/a: guard 'g', call 1, attempt 1: it is not idempotent and may "
            "have had its effect, and is to be sent again"
        )
    ]


def test_a_hedge_of_what_must_not_be_done_twice_is_found() -> None:
    assert Story().guarded("hedge_planned", 1, 1, idempotent=True).found(AmbiguousRetries()) == []
    assert Story().guarded("hedge_planned", 1, 1, idempotent=False).found(AmbiguousRetries()) == [
        (
            "ambiguous_retry: 0.000 s, record 1, /bot/a: guard 'g', call 1, attempt 1: it is not idempotent, and sent "
            "twice at the same time"
        )
    ]


def test_an_end_with_nothing_left_is_right() -> None:
    assert Story().guarded("call_ended", outcome="cancelled").found(GivenBack()) == []


def test_what_is_left_at_the_end_is_found() -> None:
    assert Story().guarded("call_ended", permits=1, slots=2).found(GivenBack()) == [
        (
            "given_back: 0.000 s, record 1, /bot/a: guard 'g', call 1: no call is under way any more, but it still has "
            "1 permits of its breaker, 2 places in its bulkhead"
        )
    ]
