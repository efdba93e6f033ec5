"""Counts of errors: exact totals, windows of slices, and what chance alone does to a trend."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.error_tracker import (
    LONGEST_KEY,
    MOST_KEYS,
    OTHER,
    SPAN,
    Counts,
    ErrorTally,
    TallyMemory,
    Trend,
)


def tally(*times: float) -> ErrorTally:
    """Return a tally of errors at *times*."""
    made = ErrorTally()
    for time in times:
        made.record(time, "ValueError", "DATA", "/bot/a", "LOW")
    return made


def test_an_error_is_counted_by_type_category_service_and_severity() -> None:
    made = ErrorTally()

    made.record(0, "OSError", "NETWORK", "/bot/api", "MEDIUM")
    made.record(1, "KeyError", "DATA", "/bot/api", "LOW")
    made.record(1, "OSError", "NETWORK", "/bot/feed", "MEDIUM")

    assert made.total == 3
    assert made.by_type.ranked() == {"OSError": 2, "KeyError": 1}
    assert made.by_category.ranked() == {"NETWORK": 2, "DATA": 1}
    assert made.by_service.ranked() == {"/bot/api": 2, "/bot/feed": 1}
    assert made.by_severity.ranked() == {"MEDIUM": 2, "LOW": 1}


def test_counts_are_ranked_by_number_then_by_key() -> None:
    counts = Counts()
    for key in "bacbc":
        counts.add(key)

    assert list(counts.ranked().items()) == [("b", 2), ("c", 2), ("a", 1)]
    assert len(counts) == 3


def test_a_key_too_many_is_counted_under_other() -> None:
    """The first keys keep their own counts; nothing is lost from the sum."""
    counts = Counts()
    for number in range(MOST_KEYS):
        counts.add(f"key {number}")

    counts.add("one too many")
    counts.add("another")
    counts.add("key 7")

    ranked = counts.ranked()
    assert len(ranked) == len(counts) == MOST_KEYS + 1
    assert (ranked[OTHER], ranked["key 7"]) == (2, 2)
    assert sum(ranked.values()) == MOST_KEYS + 3


def test_a_key_that_is_named_as_other_takes_no_other_keys_place() -> None:
    counts = Counts()
    counts.add(OTHER)
    for number in range(MOST_KEYS + 5):
        counts.add(f"key {number}")

    assert counts.ranked()[OTHER] == 6
    assert len(counts) == MOST_KEYS + 1


def test_a_long_key_is_cut() -> None:
    counts = Counts()

    counts.add("x" * 10_000)
    counts.add("x" * LONGEST_KEY)
    counts.add("x" * 10_000_000)

    assert counts.ranked() == {"x" * LONGEST_KEY: 3}


@pytest.mark.parametrize(
    ("seconds", "now", "count"),
    [
        (1, 10, 1),  # the slice of now
        (1, 10.9, 1),
        (1, 11, 0),
        (0.5, 10, 1),
        (10, 10, 2),  # the slices 1 to 10
        (11, 10, 4),
        (60, 59.9, 4),
        (60, 60, 2),  # both of the first second have left together
        (60, 70, 0),
        (SPAN, 899, 4),
        (SPAN, 900, 2),
        (1e9, 900, 2),  # it reaches back no further
        (math.inf, 899, 4),
    ],
)
def test_a_window_is_so_many_slices_of_a_second(seconds: float, now: float, count: int) -> None:
    assert tally(0, 0.9, 5, 10).count_since(seconds, now) == count


def test_an_earlier_time_counts_as_the_latest() -> None:
    """Whoever reported an error from elsewhere may be late."""
    made = tally(100, 20)

    assert made.count_since(1, 100) == 2


def test_the_rate_is_the_errors_of_the_last_minute() -> None:
    made = tally(*range(120))

    assert (made.rate(119), made.rate(149), made.rate(179)) == (60.0, 30.0, 0.0)


@pytest.mark.parametrize(
    ("before", "recent", "trend"),
    [
        (0, 0, Trend.STEADY),
        (0, 4, Trend.STEADY),
        (0, 5, Trend.RISING),
        (4, 0, Trend.STEADY),
        (5, 0, Trend.FALLING),
        (100, 130, Trend.STEADY),
        (100, 131, Trend.RISING),
        (131, 100, Trend.FALLING),
        (1000, 1000, Trend.STEADY),
    ],
)
def test_a_trend_is_more_than_chance(before: int, recent: int, trend: Trend) -> None:
    """Two standard deviations of a difference of Poisson counts: 2 * sqrt(a + b)."""
    made = tally(*[150.0] * before, *[450.0] * recent)

    assert made.trend(599) is trend


@given(
    st.lists(
        st.tuples(st.floats(0, 50), st.text(max_size=3), st.sampled_from(["DATA", "API"]), st.sampled_from(["a", "b"]))
    )
)
def test_the_sums_are_always_the_total(errors: list[tuple[float, str, str, str]]) -> None:
    made, now = ErrorTally(), 0.0
    for step, kind, category, service in errors:
        now += step
        made.record(now, kind, category, service, "LOW")

    for counts in (made.by_type, made.by_category, made.by_service, made.by_severity):
        assert sum(counts.ranked().values()) == made.total == len(errors)
        assert list(counts.ranked().values()) == sorted(counts.ranked().values(), reverse=True)


@given(st.lists(st.floats(0, 2000), max_size=300), st.floats(0, 2000), st.integers(1, SPAN))
def test_a_window_holds_the_errors_that_it_reaches_back_to(times: list[float], later: float, seconds: int) -> None:
    times.sort()
    made, now = tally(*times), (times[-1] if times else 0.0) + later

    expected = sum(time // 1 > now // 1 - seconds for time in times)

    assert made.count_since(seconds, now) == expected


def test_the_totals_of_an_earlier_process_are_added() -> None:
    """Rates and trends are about this process alone."""
    before = tally(1, 2, 3)
    made = tally(1)
    made.record(1, "OSError", "NETWORK", "/bot/b", "HIGH")

    made.load(before.dump(repeated=2))

    assert made.dump() == TallyMemory(
        total=5,
        by_type={"ValueError": 4, "OSError": 1},
        by_category={"DATA": 4, "NETWORK": 1},
        by_service={"/bot/a": 4, "/bot/b": 1},
        by_severity={"LOW": 4, "HIGH": 1},
    )
    assert before.dump(repeated=2).repeated == 2
    assert made.rate(1) == 2


def test_more_keys_than_are_kept_are_added_under_other() -> None:
    counts = Counts()
    counts.add("mine")

    counts.add_all({f"key {number}": 2 for number in range(MOST_KEYS)})
    counts.add_all({OTHER: 5, "k" * 300: 1})

    ranked = counts.ranked()
    assert (ranked["mine"], ranked[OTHER], len(counts)) == (1, 2 + 5 + 1, MOST_KEYS + 1)
