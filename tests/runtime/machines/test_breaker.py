"""The settings of a breaker, and the table of its moves."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.breaker import BY_HAND, BY_ITSELF, TRANSITIONS, Breaker, BreakerState, Cause, Per

if TYPE_CHECKING:
    from collections.abc import Callable

S = BreakerState


def test_the_defaults_are_half_of_the_last_twenty_calls() -> None:
    breaker = Breaker()

    assert (breaker.failure_rate, breaker.window, breaker.per, breaker.least_calls) == (0.5, 20, "calls", 20)
    assert (breaker.open_for, breaker.open_jitter, breaker.probes, breaker.success_threshold) == (5.0, 0.2, 1, 1)


def test_so_many_in_a_row_is_all_of_the_last_so_many() -> None:
    assert Breaker.consecutive(5, open_for=60.0, success_threshold=2) == Breaker(
        failure_rate=1.0, window=5, minimum_calls=None, open_for=60.0, open_jitter=0.0, success_threshold=2
    )
    assert Breaker.consecutive() == Breaker.consecutive(5, open_for=60.0, success_threshold=2)


def test_settings_are_values() -> None:
    assert Breaker(per="calls") == Breaker(per=Per.CALLS)
    assert len({Breaker(), Breaker(per="calls"), Breaker(probes=2)}) == 2


@pytest.mark.parametrize(
    ("breaker", "least"),
    [
        (Breaker(), 20),
        (Breaker(window=7), 7),
        (Breaker(minimum_calls=3), 3),
        (Breaker(minimum_calls=20), 20),
        (Breaker(window=60.0, per="seconds"), 10),
        (Breaker(window=0.5, per="seconds", minimum_calls=1000), 1000),
        (Breaker.consecutive(3), 3),
    ],
)
def test_a_window_is_judged_from_so_many_calls(breaker: Breaker, least: int) -> None:
    assert breaker.least_calls == least


@pytest.mark.parametrize(
    ("breaker", "draw", "openings"),
    [
        (Breaker(), 0.5, [5, 5, 5, 5]),
        (Breaker(), 0.0, [4, 4, 4, 4]),
        (Breaker(), 0.75, [5.5, 5.5, 5.5, 5.5]),
        (Breaker.consecutive(), 0.0, [60, 60, 60, 60]),
        (Breaker(open_for=10, growth=2), 0.5, [10, 20, 40, 80]),
        (Breaker(open_for=10, growth=2), 0.0, [8, 16, 32, 64]),
        (Breaker(open_for=10, growth=4), 0.5, [10, 40, 100, 100]),
        (Breaker(open_for=10, growth=4, longest_open=30), 0.5, [10, 30, 30, 30]),
        (Breaker(open_for=10, growth=4, longest_open=30), 0.0, [8, 24, 24, 24]),
        (Breaker(open_for=10, growth=4, longest_open=30), 0.75, [11, 30, 30, 30]),
        (Breaker(open_for=10, longest_open=10), 0.75, [10, 10, 10, 10]),
    ],
)
def test_an_opening_grows_up_to_its_cap_and_is_drawn_round_that(
    breaker: Breaker, draw: float, openings: list[float]
) -> None:
    assert [breaker.opening(number, draw) for number in range(1, 5)] == openings


def test_the_power_may_leave_the_floats() -> None:
    assert Breaker(growth=2.0).opening(10**6, 0.5) == 50
    assert Breaker(open_for=1e300, growth=1e300, longest_open=1e308).opening(2, 0.5) == 1e308


@given(
    open_for=st.floats(0.001, 1e6),
    times=st.floats(1, 100),
    growth=st.floats(1, 10),
    jitter=st.floats(0, 1, exclude_max=True),
    number=st.integers(1, 5000),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_an_opening_is_never_above_the_cap_nor_below_what_the_jitter_leaves(
    *, open_for: float, times: float, growth: float, jitter: float, number: int, draw: float
) -> None:
    longest = open_for * times
    breaker = Breaker(open_for=open_for, growth=growth, longest_open=longest, open_jitter=jitter)

    assert open_for * (1 - jitter) * (1 - 1e-9) <= breaker.opening(number, draw) <= longest


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"failure_rate": 0}, ValueError, "failure_rate must be > 0 and <= 1, got 0"),
        ({"failure_rate": 1.01}, ValueError, "failure_rate must be > 0 and <= 1, got 1.01"),
        ({"failure_rate": "half"}, TypeError, "failure_rate must be a number, got 'half'"),
        ({"failure_rate": math.nan}, ValueError, "failure_rate must be a number, got nan"),
        ({"window": 0}, ValueError, "window must be >= 1, got 0"),
        ({"window": 20.0}, TypeError, "window must be a whole number, got 20.0"),
        ({"window": 0, "per": "seconds"}, ValueError, "window must be > 0 seconds, got 0"),
        (
            {"window": math.inf, "per": "seconds"},
            ValueError,
            "window must be a finite number of seconds, got inf",
        ),
        ({"per": "minutes"}, ValueError, "per must be one of 'calls', 'seconds', got 'minutes'"),
        ({"per": None}, ValueError, "per must be one of 'calls', 'seconds', got None"),
        ({"minimum_calls": 0}, ValueError, "minimum_calls must be >= 1, got 0"),
        ({"minimum_calls": 21}, ValueError, "minimum_calls must be <= window (20), got 21"),
        ({"minimum_calls": True}, TypeError, "minimum_calls must be a whole number, got True"),
        ({"open_for": 0}, ValueError, "open_for must be > 0 seconds, got 0"),
        ({"open_for": math.inf}, ValueError, "open_for must be a finite number of seconds, got inf"),
        ({"open_jitter": 1}, ValueError, "open_jitter must be >= 0 and < 1, got 1"),
        ({"open_jitter": -0.1}, ValueError, "open_jitter must be >= 0 and < 1, got -0.1"),
        ({"growth": 0.9}, ValueError, "growth must be >= 1 and finite, got 0.9"),
        ({"growth": math.inf}, ValueError, "growth must be >= 1 and finite, got inf"),
        ({"longest_open": 4.9}, ValueError, "longest_open must be >= open_for (5.0 s), got 4.9"),
        ({"longest_open": math.inf}, ValueError, "longest_open must be a finite number of seconds, got inf"),
        ({"probes": 0}, ValueError, "probes must be >= 1, got 0"),
        ({"probe_timeout": 0}, ValueError, "probe_timeout must be > 0 seconds, got 0"),
        ({"success_threshold": 0}, ValueError, "success_threshold must be >= 1, got 0"),
        ({"slow_call": 0}, ValueError, "slow_call must be > 0 seconds, got 0"),
        ({"slow_call": math.inf}, ValueError, "slow_call must be a finite number of seconds, got inf"),
        ({"slow_call": 1.0, "slow_rate": 0}, ValueError, "slow_rate must be > 0 and <= 1, got 0"),
        ({"slow_rate": 0.5}, ValueError, "slow_rate must come with slow_call, got 0.5 alone"),
    ],
)
def test_a_breaker_that_cannot_work_is_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape('Breaker: ' + message)}$"):
        Breaker(**options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Breaker.consecutive(0), ValueError, "Breaker.consecutive: failures must be >= 1, got 0"),
        (lambda: Breaker.consecutive(1, open_for=-1), ValueError, "Breaker: open_for must be > 0 seconds, got -1"),
    ],
)
def test_so_many_in_a_row_must_be_so_many(make: Callable[[], Breaker], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        make()


def test_what_is_asked_for_may_be_at_the_edge() -> None:
    Breaker(
        failure_rate=1, slow_call=0.1, slow_rate=1, growth=1, longest_open=5.0, open_jitter=0, probe_timeout=math.inf
    )


def test_a_hand_can_move_it_from_everywhere() -> None:
    assert {(state, cause): TRANSITIONS[state, cause] for state in S for cause in BY_HAND} == {
        (state, cause): then for state in S for cause, then in BY_HAND.items()
    }


def test_only_a_hand_leaves_what_a_hand_entered() -> None:
    by_hand = {S.FORCED_OPEN, S.DISABLED, S.METRICS_ONLY}

    assert not by_hand & {state for state, _ in BY_ITSELF}
    assert not by_hand & set(BY_ITSELF.values())
    assert set(TRANSITIONS.values()) == set(S)
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_it_trusts_again_only_after_a_probe() -> None:
    """By itself it closes from half_open and from nowhere else."""
    assert {state for (state, _), then in BY_ITSELF.items() if then is S.CLOSED} == {S.HALF_OPEN}
    assert {state for (state, _), then in BY_ITSELF.items() if then is S.HALF_OPEN} == {S.OPEN}
