"""The windows of a breaker: exact against the textbook's, and bounded."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.window import SLICES, CountWindow, TimeWindow

Held = tuple[int, int, int]
outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=200)


def held(window: CountWindow | TimeWindow) -> Held:
    return window.calls, window.failures, window.slow


@pytest.mark.parametrize(
    ("size", "outcomes", "after"),
    [
        (3, ".", [(1, 0, 0)]),
        (3, "f", [(1, 1, 0)]),
        (3, "fff", [(1, 1, 0), (2, 2, 0), (3, 3, 0)]),
        (3, "f...", [(1, 1, 0), (2, 1, 0), (3, 1, 0), (3, 0, 0)]),
        (3, "ff..f.", [(1, 1, 0), (2, 2, 0), (3, 2, 0), (3, 1, 0), (3, 1, 0), (3, 1, 0)]),
        (3, "sfb.", [(1, 0, 1), (2, 1, 1), (3, 2, 2), (3, 2, 1)]),
        (1, "f.f", [(1, 1, 0), (1, 0, 0), (1, 1, 0)]),
    ],
)
def test_a_window_over_calls_holds_the_last_so_many(size: int, outcomes: str, after: list[Held]) -> None:
    """f: failed, s: slow, b: both, a dot: neither."""
    window, seen = CountWindow(size), list[Held]()
    for number, outcome in enumerate(outcomes, 1):
        window.record(number, 0.0, failed=outcome in "fb", slow=outcome in "sb")
        seen.append(held(window))

    assert seen == after


@given(st.integers(1, 30), outcomes)
def test_a_window_over_calls_equals_a_naive_count(size: int, outcomes: list[tuple[bool, bool]]) -> None:
    """Good calls are numbered and never recorded."""
    window, naive = CountWindow(size), deque[tuple[bool, bool]](maxlen=size)
    for number, (failed, slow) in enumerate(outcomes, 1):
        naive.append((failed, slow))
        if failed or slow:
            window.record(number, 0.0, failed=failed, slow=slow)
            assert held(window) == (len(naive), sum(f for f, _ in naive), sum(s for _, s in naive))
    window.forget(len(outcomes), 0.0)

    assert held(window) == (len(naive), sum(f for f, _ in naive), sum(s for _, s in naive))


def test_a_window_over_calls_is_bounded() -> None:
    window = CountWindow(10)
    for number in range(1, 10_001):
        window.record(number, 0.0, failed=True, slow=True)

    assert (len(window._failed), len(window._slow)) == (10, 10)


@pytest.mark.parametrize(
    ("now", "after"),
    [
        (0.0, (1, 1, 1)),
        (19.0, (1, 1, 1)),
        (19.99, (1, 1, 1)),
        (20.0, (0, 0, 0)),
        (1000.0, (0, 0, 0)),
        (-5.0, (1, 1, 1)),  # a thread that was overtaken
    ],
)
def test_a_window_over_seconds_forgets_a_slice_at_a_time(now: float, after: Held) -> None:
    """20 s are 20 slices of 1 s; what came within the first second leaves at 20 s."""
    window = TimeWindow(20.0)
    window.record(1, 0.5, failed=True, slow=True)

    window.forget(1, now)

    assert held(window) == after


# Sums of 1/8 are exact, so the model and the machine cut time at the same places.
steps = st.integers(-8, 80).map(lambda eighths: eighths / 8)


@given(st.integers(1, 8), st.lists(st.tuples(steps, st.booleans(), st.booleans()), max_size=100), steps)
def test_a_window_over_seconds_equals_a_naive_count(
    width: int, calls: list[tuple[float, bool, bool]], last: float
) -> None:
    window, naive = TimeWindow(width * SLICES / 4), list[tuple[int, bool, bool]]()

    def slice_of(time: float) -> int:
        return int(time * 4 // width)

    def count(time: float) -> Held:
        there = [call for call in naive if call[0] > slice_of(time) - SLICES]
        return len(there), sum(f for _, f, _ in there), sum(s for *_, s in there)

    now = latest = 0.0
    for number, (step, failed, slow) in enumerate(calls, 1):
        now = max(0.0, now + step)
        latest = max(latest, now)
        naive.append((slice_of(latest), failed, slow))
        window.record(number, now, failed=failed, slow=slow)
        assert held(window) == count(latest)
        assert len(window._slices) <= SLICES
    window.forget(len(calls), latest + last)

    assert held(window) == count(max(latest, latest + last))


def test_a_window_over_seconds_is_bounded() -> None:
    window = TimeWindow(1.25)
    for number in range(10_000):
        window.record(number, number / 1024, failed=True, slow=False)

    assert len(window._slices) == SLICES
    assert held(window) == (1232, 1232, 0)  # 19 slices of 64, and 16 of 64 in the latest
