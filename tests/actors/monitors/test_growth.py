"""The slope of a size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.monitors._growth import MOST_SAMPLES, Growth


def test_nothing_is_known_before_the_window_is_full() -> None:
    growth = Growth(60.0)
    for time in (0.0, 30.0):
        growth.add(time, 100)
    assert growth.per_minute() is None
    growth.add(59.0, 100)
    assert growth.per_minute() is None
    growth.add(60.0, 100)
    assert growth.per_minute() == 0


def test_a_straight_line_is_its_own_slope() -> None:
    growth = Growth(60.0)
    for time in (0.0, 20.0, 40.0, 60.0):
        growth.add(time, int(1_000 + 2 * time))
    assert growth.per_minute() == 120


def test_samples_out_of_the_window_do_not_count() -> None:
    growth = Growth(60.0)
    growth.add(0.0, 1_000_000)
    for time in (100.0, 120.0, 140.0, 160.0):
        growth.add(time, 500)
    assert growth.per_minute() == 0


def test_after_a_cut_it_begins_anew() -> None:
    growth = Growth(60.0)
    for time in (0.0, 30.0, 60.0):
        growth.add(time, int(time))
    growth.forget()
    assert growth.per_minute() is None


def test_one_peak_counts_for_little() -> None:
    growth = Growth(600.0)
    for number in range(21):
        growth.add(30.0 * number, 1_000 if number == 10 else 0)
    assert growth.per_minute() == 0


@given(st.lists(st.tuples(st.floats(0.1, 100), st.integers(0, 1 << 40)), max_size=200))
def test_the_memory_is_bounded(samples: list[tuple[float, int]]) -> None:
    growth, now = Growth(50.0), 0.0
    for step, size in samples * 10:
        now += step
        growth.add(now, size)
        growth.per_minute()
    assert len(growth._samples) <= MOST_SAMPLES
