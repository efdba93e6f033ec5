"""Weights, bans and rates."""

from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox._limits import Admitted, Banned, Limited, Rate, WeightLimit


def test_weight_adds_up_within_a_minute_and_starts_anew_in_the_next() -> None:
    limit = WeightLimit(limit=10)

    assert limit.admit(0.0, 4) == Admitted(4)
    assert limit.admit(59.9, 6) == Admitted(10)
    assert limit.admit(60.0, 1) == Admitted(1)


def test_a_request_above_the_limit_has_to_wait_for_the_next_minute() -> None:
    limit = WeightLimit(limit=10)
    limit.admit(0.0, 10)

    assert limit.admit(45.0, 1) == Limited(15.0, 10)
    assert limit.admit(60.0, 1) == Admitted(1)


def test_who_goes_on_is_banned() -> None:
    limit = WeightLimit(limit=10, patience=2, ban=120.0)
    limit.admit(0.0, 10)

    assert [type(limit.admit(1.0, 1)) for _ in range(3)] == [Limited, Limited, Banned]
    assert limit.admit(100.0, 1) == Banned(121.0, 21.0, 0)
    assert limit.admit(121.0, 1) == Admitted(1)


def test_the_next_ban_is_twice_as_long_up_to_three_days() -> None:
    limit = WeightLimit(limit=1, patience=0, ban=120.0)
    now = 0.0
    spans = []
    for _ in range(15):
        limit.admit(now, 1)
        verdict = limit.admit(now, 1)
        assert isinstance(verdict, Banned)
        spans.append(verdict.retry_after)
        now = verdict.until

    assert spans[:3] == [120.0, 240.0, 480.0]
    assert spans[-1] == 3 * 86_400.0


def test_who_waits_is_forgiven() -> None:
    """Requests that were refused in one minute do not count against the next."""
    limit = WeightLimit(limit=1, patience=2)
    for minute in range(5):
        assert limit.admit(60.0 * minute, 1) == Admitted(1)
        assert isinstance(limit.admit(60.0 * minute, 1), Limited)
        assert isinstance(limit.admit(60.0 * minute + 1.0, 1), Limited)


def test_the_fault_uses_up_the_weight() -> None:
    limit = WeightLimit()
    limit.exhaust(100.0, retry_after=5.0, patience=1, ban=30.0)

    assert limit.admit(101.0, 1) == Limited(4.0, 0)
    assert limit.admit(102.0, 1) == Banned(132.0, 30.0, 0)
    limit.pardon()
    assert limit.admit(103.0, 1) == Admitted(1)


def test_the_fault_ends_by_itself() -> None:
    limit = WeightLimit()
    limit.exhaust(100.0, retry_after=5.0, patience=1, ban=30.0)

    assert limit.admit(105.0, 1) == Admitted(1)


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(0, 50)), max_size=100))
def test_no_minute_has_more_than_the_limit(requests: list[tuple[float, int]]) -> None:
    limit = WeightLimit(limit=100, patience=3, ban=10.0)
    now = 0.0
    passed: dict[int, int] = {}
    for wait, weight in requests:
        now += wait
        if isinstance(limit.admit(now, weight), Admitted):
            passed[int(now // 60)] = passed.get(int(now // 60), 0) + weight

    assert all(used <= 100 for used in passed.values())


def test_a_rate_counts_the_last_period() -> None:
    rate = Rate(2, 10.0)

    assert [rate.record(now) for now in (0.0, 5.0, 10.0, 10.1, 15.0)] == [True, True, False, True, False]
    assert rate.count(20.2) == 0


@given(st.lists(st.floats(0.0, 3.0), max_size=60))
def test_no_period_has_more_than_the_rate(waits: list[float]) -> None:
    rate = Rate(3, 5.0)
    now = 0.0
    kept: list[float] = []
    for wait in waits:
        now += wait
        if rate.record(now):
            kept.append(now)

    for last in kept:
        assert sum(last - 5.0 <= time <= last for time in kept) <= 3
