"""A limit on concurrency that finds its own height."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.aimd import Aimd

if TYPE_CHECKING:
    from collections.abc import Callable


def fill(aimd: Aimd, calls: int) -> None:
    for _ in range(calls):
        assert aimd.admit()


def test_it_starts_as_a_plain_bulkhead() -> None:
    aimd = Aimd(3)

    assert [aimd.admit() for _ in range(5)] == [True] * 3 + [False] * 2

    assert (aimd.limit, aimd.inflight, aimd.room, aimd.refused) == (3, 3, 0, 2)


@pytest.mark.parametrize(
    ("decrease", "limits"),
    [
        (0.9, [18, 16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1]),
        (0.5, [10, 5, 2, 1, 1]),
        (0.01, [1, 1]),
    ],
)
def test_each_drop_lowers_the_limit_down_to_one(decrease: float, limits: list[int]) -> None:
    aimd = Aimd(20, decrease=decrease)
    seen = list[int]()
    for _ in limits:
        fill(aimd, 1)
        aimd.settle(False)
        seen.append(aimd.limit)

    assert seen == limits
    assert aimd.dropped == len(limits)


@pytest.mark.parametrize(
    ("limit", "busy", "after"),
    [(1, 1, 2), (2, 1, 3), (3, 1, 3), (3, 2, 4), (8, 3, 8), (8, 4, 9), (8, 8, 9), (10, 10, 10)],
)
def test_the_limit_rises_where_half_of_it_is_used(limit: int, busy: int, after: int) -> None:
    """What is not used proves nothing; the call that ended counts among the busy ones."""
    aimd = Aimd(10, initial=limit)
    fill(aimd, busy)

    aimd.settle(True)

    assert (aimd.limit, aimd.inflight) == (after, busy - 1)


@pytest.mark.parametrize(
    ("timeout", "duration", "limit"), [(5, 5, 10), (5, 5.1, 9), (math.inf, 1e9, 10), (0.5, 0.6, 9)]
)
def test_a_slow_call_is_a_dropped_one(timeout: float, duration: float, limit: int) -> None:
    aimd = Aimd(10, timeout=timeout)
    fill(aimd, 1)

    aimd.settle(True, duration)

    assert aimd.limit == limit


def test_a_limit_that_falls_ends_no_call() -> None:
    aimd = Aimd(10, decrease=0.1)
    fill(aimd, 10)

    aimd.settle(False)

    assert (aimd.limit, aimd.inflight, aimd.room) == (1, 9, 0)
    assert not aimd.admit()


def test_a_cancelled_call_moves_nothing() -> None:
    aimd = Aimd(10, initial=1)
    fill(aimd, 1)

    aimd.release()

    assert (aimd.limit, aimd.inflight, aimd.dropped) == (1, 0, 0)


@pytest.mark.parametrize("end", [lambda a: a.settle(True), lambda a: a.settle(False), lambda a: a.release()])
def test_no_call_ends_twice(end: Callable[[Aimd], None]) -> None:
    aimd = Aimd(10)
    fill(aimd, 1)
    aimd.release()

    with pytest.raises(RuntimeError, match=r"^Aimd: a call ended that was not admitted$"):
        end(aimd)

    assert (aimd.limit, aimd.inflight, aimd.dropped) == (10, 0, 0)


def test_it_finds_what_the_far_end_can_take() -> None:
    """The far end drops what is beyond 6 at a time: the limit stays about there."""
    aimd = Aimd(20)
    limits = list[int]()
    for _ in range(200):
        while aimd.admit():
            pass
        busy = aimd.inflight
        for number in range(busy):
            aimd.settle(number >= busy - 6)
        limits.append(aimd.limit)

    assert min(limits[20:]) >= 5
    assert max(limits[20:]) <= 12


@given(
    st.integers(1, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.lists(st.sampled_from(["admit", "ok", "dropped", "slow", "release"]), max_size=200),
)
def test_the_limit_stays_within_its_bounds(
    minimum: int, above: int, more: int, decrease: float, plan: list[str]
) -> None:
    """And a call is admitted exactly while there is room; nothing leaks whatever comes of it."""
    aimd = Aimd(minimum + above + more, minimum=minimum, initial=minimum + above, decrease=decrease)
    inflight = 0
    for what in plan:
        before = aimd.limit
        if what == "admit":
            assert aimd.admit() is (inflight < before)
            inflight += inflight < before
        elif inflight:
            inflight -= 1
            if what == "release":
                aimd.release()
            else:
                aimd.settle(what != "dropped", 6 if what == "slow" else 1)
        assert aimd.inflight == inflight
        assert aimd.minimum <= aimd.limit <= aimd.maximum
        assert aimd.limit <= before + 1
        assert aimd.room == max(0, aimd.limit - inflight)


@given(st.integers(2, 10**6), st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_every_drop_lowers_a_limit_that_can_be_lowered(maximum: int, decrease: float) -> None:
    aimd = Aimd(maximum, decrease=decrease)
    fill(aimd, 1)

    aimd.settle(False)

    assert 1 <= aimd.limit < maximum


def test_defaults() -> None:
    aimd = Aimd()

    assert (aimd.maximum, aimd.minimum, aimd.initial, aimd.limit) == (20, 1, None, 20)
    assert (aimd.decrease, aimd.timeout) == (0.9, 5)


def test_two_limits_are_two() -> None:
    assert Aimd() != Aimd()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Aimd(0), ValueError, "Aimd: maximum must be >= 1, got 0"),
        (lambda: Aimd(2.5), TypeError, "Aimd: maximum must be a whole number, got 2.5"),  # type: ignore[arg-type]
        (lambda: Aimd(minimum=0), ValueError, "Aimd: minimum must be >= 1, got 0"),
        (lambda: Aimd(3, minimum=4), ValueError, "Aimd: maximum must be >= minimum (4), got 3"),
        (lambda: Aimd(initial=0), ValueError, "Aimd: initial must be >= 1, got 0"),
        (lambda: Aimd(minimum=3, initial=2), ValueError, "Aimd: initial must be >= 3, got 2"),
        (lambda: Aimd(3, initial=4), ValueError, "Aimd: initial must be <= maximum (3), got 4"),
        (lambda: Aimd(decrease=1), ValueError, "Aimd: decrease must be > 0 and < 1, got 1"),
        (lambda: Aimd(decrease=0), ValueError, "Aimd: decrease must be > 0 and < 1, got 0"),
        (lambda: Aimd(timeout=0), ValueError, "Aimd: timeout must be > 0 seconds, got 0"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(
    make: Callable[[], Aimd], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message
