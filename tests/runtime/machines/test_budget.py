"""Retries as a share of calls: what a lone caller is promised, and what a crowd is held to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.budget import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Callable

exact_ratios = st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 2.0])
costs = st.sampled_from([1.0, 2.0])


@attrs.define
class Books:
    """What went in and out, in order."""

    budget: RetryBudget
    lines: list[tuple[int, float]] = attrs.field(factory=list)

    def deposit(self, calls: int) -> None:
        self.budget.deposit(calls)
        self.lines.append((calls, 0.0))

    def withdraw(self, cost: float) -> bool:
        spared = self.budget.spared
        allowed = self.budget.withdraw(cost)
        if allowed and self.budget.spared == spared:
            self.lines.append((0, cost))
        return allowed

    def assert_bound(self) -> None:
        """In any window, what was paid for is at most the cap and the share of the calls in it."""
        for start in range(len(self.lines)):
            calls, paid = 0, 0.0
            for deposited, cost in self.lines[start:]:
                calls += deposited
                paid += cost
                assert paid <= self.budget.cap + self.budget.ratio * calls


def test_it_starts_full() -> None:
    budget = RetryBudget()

    assert budget.balance == 10
    assert [budget.withdraw() for _ in range(11)] == [True] * 10 + [False]
    assert (budget.granted, budget.denied, budget.spared, budget.balance) == (10, 1, 0, 0)


def test_the_tenth_call_pays_for_a_retry() -> None:
    """0.1 ten times over is less than 1 in floats: the balance is kept in calls."""
    budget = RetryBudget()
    while budget.withdraw():
        pass

    for _ in range(9):
        budget.deposit(1)
    assert not budget.withdraw()
    budget.deposit(1)

    assert budget.withdraw()
    assert budget.balance == 0


def test_a_timeout_costs_more() -> None:
    budget = RetryBudget()

    assert [budget.withdraw(budget.timeout_cost) for _ in range(6)] == [True] * 5 + [False]


def test_savings_end_at_the_cap() -> None:
    budget = RetryBudget(cap=3)

    budget.deposit(10**9)

    assert budget.balance == 3


def test_without_a_ratio_it_never_refills() -> None:
    budget = RetryBudget(ratio=0, cap=2)
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]

    budget.deposit(10**9)

    assert not budget.withdraw()
    assert budget.balance == 0


def test_filled_by_hand() -> None:
    budget = RetryBudget()
    budget.withdraw(7)

    budget.refill()

    assert (budget.balance, budget.granted) == (10, 1)


def test_a_crowd_is_denied_what_a_lone_caller_gets() -> None:
    """An empty bucket lets one call at a time retry, not two."""
    budget = RetryBudget(cap=0)

    budget.enter()
    assert budget.withdraw()
    budget.enter()
    assert not budget.withdraw()
    budget.leave()
    assert budget.withdraw(2)

    assert (budget.granted, budget.spared, budget.denied) == (0, 2, 1)


def test_a_lone_caller_pays_while_he_can() -> None:
    budget = RetryBudget(cap=3)
    budget.enter()

    assert [budget.withdraw(2), budget.withdraw(2), budget.withdraw(1), budget.withdraw(1)] == [True] * 4

    assert (budget.granted, budget.spared, budget.balance) == (2, 2, 0)


def test_a_hundred_calls_that_fail_together() -> None:
    """Attempts alone would send 300; sends <= tries + cap + share of the tries + who was spared."""
    budget = RetryBudget()
    budget.deposit(100)
    sends, waiting = 100, 0
    for _ in range(100):  # the first failures, all at once
        budget.enter()
        if budget.withdraw():
            waiting += 1
        else:
            budget.leave()
    sends += waiting
    while waiting:  # the second ones, one after the other
        if budget.withdraw():
            sends += 1
        waiting -= 1
        budget.leave()

    assert sends == 100 + 10 + 1
    assert (budget.spared, budget.retrying) == (1, 0)


def test_nobody_leaves_who_has_not_entered() -> None:
    budget = RetryBudget()
    budget.enter()
    budget.leave()

    with pytest.raises(RuntimeError, match=r"^RetryBudget: leave\(\) without enter\(\)$"):
        budget.leave()

    assert budget.retrying == 0


@given(
    st.sampled_from([(0.1, 10.0), (0.0, 0.0), (0.2, 2.0), (0.0, 5.0)]),
    st.lists(st.tuples(st.integers(1, 50), st.lists(costs, max_size=10)), max_size=100),
)
def test_a_lone_caller_always_gets_what_he_configured(
    settings: tuple[float, float], calls: list[tuple[int, list[float]]]
) -> None:
    """One call after the other, however many of them fail, and however often each is tried."""
    ratio, cap = settings
    budget = RetryBudget(ratio, cap)
    for made, retries in calls:
        budget.deposit(made)
        budget.enter()
        for cost in retries:
            assert budget.withdraw(cost)
        budget.leave()

    assert budget.denied == 0


@given(
    exact_ratios,
    st.sampled_from([0.0, 2.0, 10.0]),
    st.lists(st.one_of(st.integers(0, 30), costs.map(float)), max_size=60),
)
def test_a_bare_bucket_bounds_the_retries_in_any_window(
    ratio: float, cap: float, steps: list[int] | list[float]
) -> None:
    """Sends <= tries + cap + ratio * tries. Without `enter` nobody is spared."""
    books = Books(RetryBudget(ratio, cap))
    for step in steps:
        if isinstance(step, int):
            books.deposit(step)
        else:
            books.withdraw(step)

    books.assert_bound()
    assert books.budget.spared == 0


@given(
    exact_ratios,
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(["call", "enter", "leave", "withdraw"]), costs), max_size=80),
)
def test_a_crowd_is_bounded_and_never_starves(ratio: float, free: int, steps: list[tuple[str, float]]) -> None:
    """Denied only with more than `free` retrying; spared only with at most so many; the rest is paid for."""
    budget = RetryBudget(ratio, 2.0, free=free)
    books, retrying = Books(budget), 0
    for what, cost in steps:
        if what == "call":
            books.deposit(1)
        elif what == "enter":
            budget.enter()
            retrying += 1
        elif what == "leave" and retrying:
            budget.leave()
            retrying -= 1
        elif retrying:
            spared = budget.spared
            assert books.withdraw(cost) or retrying > free
            assert budget.spared == spared or retrying <= free
        assert budget.retrying == retrying
        assert 0 <= budget.balance <= budget.cap

    books.assert_bound()


@given(st.sampled_from([0.1, 0.15, 0.2, 0.3, 1.0]), st.lists(st.integers(0, 200), max_size=30), st.integers(0, 10))
def test_it_matters_not_when_calls_are_paid_in(ratio: float, calls: list[int], taken: int) -> None:
    """The counters of a guard are looked at only when a call fails."""
    eager, lazy = RetryBudget(ratio), RetryBudget(ratio)
    for budget in (eager, lazy):
        for _ in range(taken):
            budget.withdraw()

    for made in calls:
        eager.deposit(made)
    lazy.deposit(sum(calls))

    assert eager.balance == pytest.approx(lazy.balance, abs=1e-9)


def test_defaults() -> None:
    budget = RetryBudget()

    assert (budget.ratio, budget.cap, budget.timeout_cost, budget.free) == (0.1, 10, 2, 1)
    budget.withdraw()
    assert budget.balance == 9


def test_two_budgets_are_two() -> None:
    assert RetryBudget() != RetryBudget()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RetryBudget(-0.1), ValueError, "RetryBudget: ratio must be >= 0 and finite, got -0.1"),
        (lambda: RetryBudget(math.inf), ValueError, "RetryBudget: ratio must be >= 0 and finite, got inf"),
        (lambda: RetryBudget("1"), TypeError, "RetryBudget: ratio must be a number, got '1'"),  # type: ignore[arg-type]
        (
            lambda: RetryBudget(5e-324),
            ValueError,
            "RetryBudget: ratio must be 0 or large enough to be divided by, got 5e-324",
        ),
        (
            lambda: RetryBudget(5e-324, 0),
            ValueError,
            "RetryBudget: ratio must be 0 or large enough to be divided by, got 5e-324",
        ),
        (lambda: RetryBudget(cap=math.nan), ValueError, "RetryBudget: cap must be a number, got nan"),
        (lambda: RetryBudget(cap=-1), ValueError, "RetryBudget: cap must be >= 0 and finite, got -1"),
        (
            lambda: RetryBudget(cap=1.5),
            ValueError,
            "RetryBudget: cap must be 0 or >= 2.0 (the dearest retry), got 1.5",
        ),
        (
            lambda: RetryBudget(cap=0.5, timeout_cost=0.5),
            ValueError,
            "RetryBudget: cap must be 0 or >= 1.0 (the dearest retry), got 0.5",
        ),
        (lambda: RetryBudget(timeout_cost=0), ValueError, "RetryBudget: timeout_cost must be > 0 and finite, got 0"),
        (lambda: RetryBudget(free=-1), ValueError, "RetryBudget: free must be >= 0, got -1"),
    ],
)
def test_what_makes_no_budget_is_refused(make: Callable[[], RetryBudget], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message


def test_who_has_not_entered_is_not_spared() -> None:
    """A hedge: from an empty bucket a lone retry is let go, and nothing else."""
    budget = RetryBudget(0.1, 0.0)
    budget.enter()

    assert not budget.withdraw(may_spare=False)
    assert budget.withdraw()
    assert (budget.denied, budget.spared) == (1, 1)
