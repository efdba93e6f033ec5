"""The restart budget of a supervisor: more than so many within so many seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.intensity import IntensityWindow

times = st.lists(st.floats(0, 100), max_size=40).map(sorted)


@pytest.mark.parametrize(
    ("max_restarts", "period", "times", "allowed"),
    [
        (1, 5, [0, 4.9], [True, False]),
        (1, 5, [0, 5.0], [True, False]),  # exactly one period ago still counts
        (1, 5, [0, 5.1], [True, True]),
        (0, 5, [0], [False]),
        (3, 5, [0, 1, 2, 3], [True, True, True, False]),
        (3, 5, [0, 1, 2, 5.5, 6.5], [True] * 5),
        (2, 5, [0, 0, 0], [True, True, False]),
        (1, 5, [0, 6, 12, 18], [True] * 4),
    ],
)
def test_more_than_so_many_within_the_period_is_too_many(
    max_restarts: int, period: float, times: list[float], allowed: list[bool]
) -> None:
    """C33, C34. Both ends of the period are included."""
    window = IntensityWindow(max_restarts, period)

    assert [window.record(now) for now in times] == allowed


def test_left_counts_down_and_recovers() -> None:
    window = IntensityWindow(2, 5)
    assert window.left(0) == 2

    window.record(0)
    window.record(1)

    assert [window.left(now) for now in (1, 5, 5.1, 6, 6.1)] == [0, 0, 1, 1, 2]


def test_left_is_never_negative() -> None:
    window = IntensityWindow(1, 5)
    for now in (0, 1, 2):
        window.record(now)

    assert window.left(2) == 0


@given(st.integers(0, 5), st.floats(0.1, 50), times)
def test_a_restart_is_allowed_if_the_period_before_it_holds_no_more_than_the_limit(
    max_restarts: int, period: float, times: list[float]
) -> None:
    """Source: OTP, supervisor.erl, ``add_restart/3``, without its whole seconds."""
    window = IntensityWindow(max_restarts, period)
    for position, now in enumerate(times):
        within = [then for then in times[: position + 1] if then >= now - period]
        before = window.left(now)
        assert window.record(now) is (len(within) <= max_restarts) is (before > 0)
        assert window.left(now) == max(0, max_restarts - len(within))
