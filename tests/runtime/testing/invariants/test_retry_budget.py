"""Rule 13: retries are a share of the calls, and a lone caller has his."""

from __future__ import annotations

from typing import Any

from duenna.testing.invariants import RetryBudgets

from .support import Story

NAMED = {"name": "g", "ratio": 0.1, "cap": 2.0, "free": 1}


def crowd(story: Story, *calls: int, **fields: Any) -> Story:
    """Have calls retry, all at the same time; a lone one beforehand, which is free."""
    for call in calls:
        story.guarded("call_begun", call).tries(call).plans(call, budget=NAMED, **fields)
    return story


def test_what_the_bucket_holds_may_be_spent() -> None:
    """The first is alone, and free; each has paid a tenth."""
    assert crowd(Story(), 1, 2, 3).found(RetryBudgets()) == []


def test_a_retry_too_many_is_found() -> None:
    assert crowd(Story(), 1, 2, 3, 4).found(RetryBudgets()) == [
        (
            "retry_budget: 0.000 s, record 20, /bot/a: guard 'g', call 4, attempt 1: a retry too many: 2.800 are spent "
            "of 'g', which holds 2.0 and gets 0.1 for each call; the last was paid (record 15, 0.000 s)"
        )
    ]


def test_ten_calls_pay_for_a_retry() -> None:
    story = crowd(Story(), 1, 2, 3)
    for call in range(11, 20):  # the ninth of them brings it to the cap, and call 4 pays for itself
        story.tries(call, outcome="ok")

    assert crowd(story, 4).found(RetryBudgets()) == []
    assert len(crowd(story, 5).found(RetryBudgets())) == 1


def test_no_more_is_saved_than_the_bucket_holds() -> None:
    story = Story()
    for call in range(11, 100):
        story.tries(call, outcome="ok")

    assert len(crowd(story, 1, 2, 3, 4).found(RetryBudgets())) == 1


def test_retries_do_not_pay_for_retries() -> None:
    story = crowd(Story(), 1, 2, 3)
    for attempt in range(2, 30):
        story.tries(1, attempt)

    assert len(crowd(story, 4).found(RetryBudgets())) == 1


def test_hedges_pay_for_nothing_and_cost_one() -> None:
    story = crowd(Story(), 1, 2)
    for _ in range(20):
        story.tries(1, 1, hedge=1)
    story.guarded("hedge_planned", 3, 1, budget=NAMED, cost=1.0)

    assert story.found(RetryBudgets()) == []
    assert len(story.guarded("hedge_planned", 4, 1, budget=NAMED, cost=1.0).found(RetryBudgets())) == 1


def test_a_timeout_costs_more() -> None:
    assert crowd(Story(), 1, 2, cost=2.0).found(RetryBudgets()) == []
    assert len(crowd(Story(), 1, 2, 3, cost=2.0).found(RetryBudgets())) == 1


def test_a_lone_caller_is_never_at_fault() -> None:
    story = Story()
    for call in range(1, 50):
        crowd(story, call, cost=2.0).guarded("call_ended", call)

    assert story.found(RetryBudgets()) == []


def test_a_lone_caller_who_is_denied_is_found() -> None:
    story = Story().guarded("call_begun").tries().guarded("call_ended", why="budget", budget=NAMED)

    assert story.found(RetryBudgets()) == [
        (
            "retry_budget: 0.000 s, record 5, /bot/a: guard 'g', call 1: its budget denies it a retry; 0 others retry, "
            "and 1 calls may at any time"
        )
    ]


def test_who_is_denied_beside_others_is_right() -> None:
    story = crowd(Story(), 1).guarded("call_begun", 2).tries(2)

    assert story.guarded("call_ended", 2, why="budget", budget=NAMED).found(RetryBudgets()) == []


def test_a_strict_budget_denies_anybody() -> None:
    story = Story().guarded("call_begun").tries().guarded("call_ended", why="budget", budget=NAMED | {"free": 0})

    assert story.found(RetryBudgets()) == []


def test_a_reset_fills_the_bucket() -> None:
    story = crowd(crowd(Story(), 1, 2, 3).guarded("guard_reset", 0), 4, 5)

    assert story.found(RetryBudgets()) == []
    assert len(crowd(story, 6).found(RetryBudgets())) == 1


def test_who_has_no_budget_is_not_counted() -> None:
    story = Story()
    for call in range(1, 50):
        story.guarded("call_begun", call).tries(call).plans(call)

    assert story.found(RetryBudgets()) == []


def test_budgets_are_kept_apart() -> None:
    story = crowd(Story(), 1, 2, 3)
    for call in (4, 5, 6):
        story.guarded("call_begun", call).tries(call).plans(call, budget=NAMED | {"name": "budget 1"})

    assert story.found(RetryBudgets()) == []
