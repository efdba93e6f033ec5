"""The budget of one child: consecutive failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.failures import FailureCount

uptimes = st.lists(st.floats(0, 1000), max_size=30)


@pytest.mark.parametrize(
    ("uptimes", "counts"),
    [
        ([0, 0, 0], [1, 2, 3]),
        ([0, 59.9, 59.9], [1, 2, 3]),
        ([0, 0, 60], [1, 2, 1]),  # exactly reset_after counts as success
        ([0, 0, 60.1, 0], [1, 2, 1, 2]),
        ([100, 100, 100], [1, 1, 1]),
    ],
)
def test_failures_are_forgotten_after_uptime(uptimes: list[float], counts: list[int]) -> None:
    """C38. The count is that of failures since an incarnation stayed up for ``reset_after``."""
    count = FailureCount()

    assert [count.record(uptime, reset_after=60) for uptime in uptimes] == counts


def test_success_forgets_the_last_wait_too() -> None:
    count = FailureCount(failures=3, previous_delay=12.5)

    count.record(10, reset_after=60)
    assert count.previous_delay == 12.5

    count.record(60, reset_after=60)
    assert count.previous_delay == 0


def test_reset_after_nothing_forgets_at_every_failure() -> None:
    count = FailureCount()

    assert [count.record(0, reset_after=0) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("failures", "max_failures", "is_spent", "left"),
    [
        (0, 3, False, 3),
        (2, 3, False, 1),
        (3, 3, False, 0),  # three restarts are allowed
        (4, 3, True, 0),
        (9, 3, True, 0),
        (0, 0, False, 0),
        (1, 0, True, 0),
        (0, None, False, None),
        (10_000, None, False, None),
    ],
)
def test_the_failure_after_the_last_allowed_restart_spends_the_budget(
    failures: int, max_failures: int | None, is_spent: bool, left: int | None
) -> None:
    count = FailureCount(failures)

    assert (count.is_spent(max_failures), count.left(max_failures)) == (is_spent, left)


@given(uptimes, st.floats(0, 1000))
def test_the_count_is_that_of_failures_since_the_last_success(uptimes: list[float], reset_after: float) -> None:
    count = FailureCount()
    expected = 0
    for uptime in uptimes:
        expected = 1 if uptime >= reset_after else expected + 1
        assert count.record(uptime, reset_after) == expected == count.failures


@given(uptimes, st.integers(0, 10))
def test_restarts_left_run_out_one_by_one(uptimes: list[float], max_failures: int) -> None:
    """As long as something is left the budget is not spent, and a spent one has nothing left."""
    count = FailureCount()
    for uptime in uptimes:
        count.record(uptime, 60)
        left = count.left(max_failures)
        assert left is not None
        assert 0 <= left <= max_failures
        assert not (left and count.is_spent(max_failures))
        assert count.is_spent(max_failures) is (count.failures > max_failures)
