"""Refusal by chance: the formula, the window, and what is counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.throttle import AdaptiveThrottle

if TYPE_CHECKING:
    from collections.abc import Callable

ALWAYS = math.nextafter(1, 0)  # the draw that is refused by no chance below 1


def load(throttle: AdaptiveThrottle, requests: int, accepts: int, now: float = 0) -> None:
    for _ in range(requests):
        throttle.admit(now, ALWAYS)
    for _ in range(accepts):
        throttle.settle(True, now)


@pytest.mark.parametrize(
    ("k", "cap", "requests", "accepts", "chance"),
    [
        (2, 0.9, 0, 0, 0),
        (2, 0.9, 1, 0, 0.5),
        (2, 0.9, 100, 100, 0),
        (2, 0.9, 100, 50, 0),  # half of them may fail
        (2, 0.9, 99, 25, 0.49),
        (2, 0.9, 99, 5, 0.89),
        (2, 0.9, 99, 0, 0.9),  # capped
        (2, 1, 99, 0, 0.99),
        (1, 0.9, 99, 49, 0.5),
        (1.5, 0.9, 99, 50, 0.24),
        (2, 0.9, 2, 10, 0),  # accepted in this window, attempted before it
    ],
)
def test_the_chance_of_being_refused(k: float, cap: float, requests: int, accepts: int, chance: float) -> None:
    """Source: Google SRE, "Handling Overload"; the cap is failsafe-go's."""
    throttle = AdaptiveThrottle(k, cap=cap, minimum_calls=0)

    load(throttle, requests, accepts)

    assert throttle.chance(0) == pytest.approx(chance)
    assert (throttle.requests(0), throttle.accepts(0)) == (requests, accepts)


def test_a_draw_below_the_chance_is_refused() -> None:
    throttle = AdaptiveThrottle(minimum_calls=0)
    assert throttle.admit(0, 0)
    assert throttle.chance(0) == 0.5

    assert not throttle.admit(0, 0.49)

    assert throttle.refused == 1
    assert throttle.chance(0) == pytest.approx(2 / 3)
    assert throttle.admit(0, 0.67)


def test_refused_calls_are_requests_too() -> None:
    """So the chance goes on growing while nothing answers."""
    throttle = AdaptiveThrottle(cap=1)
    load(throttle, 10, 0)

    for _ in range(1000):
        throttle.admit(0, 0)

    assert throttle.refused == 1000
    assert throttle.chance(0) == pytest.approx(1010 / 1011)


def test_few_calls_are_never_refused() -> None:
    """A bot with a call a minute is no overload, whatever comes of it."""
    throttle = AdaptiveThrottle()

    assert [throttle.admit(0, 0.5) for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_far_end_that_is_back_is_found() -> None:
    """Nothing accepted for a window, then everything: the tenth that gets through opens the rest."""
    throttle = AdaptiveThrottle(window=20)
    draws = [(n * 0.381966) % 1 for n in range(100_000)]
    for n in range(2000):  # 100 a second for 20 s, all failing
        if throttle.admit(n / 100, draws[n]):
            throttle.settle(False, n / 100)
    assert throttle.refused > 1700

    for n in range(2000, 6000):
        if throttle.admit(n / 100, draws[n]):
            throttle.settle(True, n / 100)

    assert throttle.chance(60) == 0


def test_a_cancelled_call_tells_nothing() -> None:
    throttle = AdaptiveThrottle(window=20, slots=20)
    load(throttle, 3, 1)

    throttle.release(0, 0)
    assert (throttle.requests(0), throttle.accepts(0)) == (2, 1)
    throttle.release(0, 19)
    assert throttle.requests(19) == 1

    throttle.admit(20, 0)
    throttle.release(0, 20)  # the slot is another's by now
    assert throttle.requests(20) == 1
    throttle.release(20, 20)
    throttle.release(20, 20)  # once too often
    assert throttle.requests(20) == 0


@pytest.mark.parametrize(
    ("now", "requests"),
    [(0, 10), (113.9, 10), (119.9, 10), (120, 4), (125.9, 4), (126, 0), (1e9, 0)],
)
def test_the_window_forgets_slot_by_slot(now: float, requests: int) -> None:
    throttle = AdaptiveThrottle()
    load(throttle, 6, 6, now=0)
    load(throttle, 4, 4, now=6)

    assert (throttle.requests(now), throttle.accepts(now)) == (requests, requests)


def test_a_clock_that_is_a_little_behind_counts_as_now() -> None:
    throttle = AdaptiveThrottle(window=20, slots=20)
    load(throttle, 1, 1, now=10)
    load(throttle, 1, 1, now=9)

    assert (throttle.requests(29), throttle.accepts(29)) == (2, 2)
    assert (throttle.requests(30), throttle.accepts(30)) == (0, 0)


def test_all_is_forgotten_by_hand() -> None:
    throttle = AdaptiveThrottle()
    load(throttle, 100, 0, now=50)
    assert throttle.chance(50) == 0.9

    throttle.reset()

    assert (throttle.chance(50), throttle.requests(50)) == (0, 0)
    load(throttle, 1, 1, now=50)
    assert (throttle.requests(50), throttle.accepts(50)) == (1, 1)


@attrs.define
class Naive:
    """The same window as lists that grow for ever."""

    slots: int
    width: float
    requests: list[float] = attrs.field(factory=list)
    accepts: list[float] = attrs.field(factory=list)

    def count(self, times: list[float], now: float) -> int:
        current = now // self.width
        return sum(1 for time in times if current - time // self.width < self.slots)


@given(
    st.integers(1, 8),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.lists(
        st.tuples(
            st.integers(0, 40).map(lambda n: n / 8), st.sampled_from(["admit", "ok", "failed", "release", "look"])
        ),
        max_size=80,
    ),
    st.floats(0, 1, exclude_max=True),
)
def test_the_window_equals_a_naive_count(slots: int, width: float, plan: list[tuple[float, str]], draw: float) -> None:
    throttle = AdaptiveThrottle(window=slots * width, slots=slots, minimum_calls=0)
    naive = Naive(slots, width)
    now, admitted = 0.0, list[float]()
    for gap, what in plan:
        now += gap
        if what == "admit":
            expected = draw >= throttle.chance(now)
            assert throttle.admit(now, draw) is expected
            naive.requests.append(now)
            if expected:
                admitted.append(now)
        elif what == "release" and admitted:
            at = admitted.pop(0)
            throttle.release(at, now)
            naive.requests.remove(at)
        elif what in {"ok", "failed"} and admitted:
            admitted.pop(0)
            throttle.settle(what == "ok", now)
            naive.accepts += [now] if what == "ok" else []
        assert throttle.requests(now) == naive.count(naive.requests, now)
        assert throttle.accepts(now) == naive.count(naive.accepts, now)
        assert 0 <= throttle.chance(now) <= 0.9
        assert len(throttle._requests) == len(throttle._accepts) == slots


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 1), st.floats(1, 5))
def test_the_share_above_the_cap_always_gets_through(requests: int, accepts: int, cap: float, k: float) -> None:
    throttle = AdaptiveThrottle(k, cap=cap, minimum_calls=0)
    load(throttle, requests, accepts)

    assert throttle.admit(0, cap) if cap < 1 else throttle.chance(0) < 1


@given(st.integers(0, 200), st.floats(1, 5))
def test_while_one_in_k_is_accepted_none_is_refused(accepts: int, k: float) -> None:
    throttle = AdaptiveThrottle(k, minimum_calls=0)
    load(throttle, math.floor(accepts * k), accepts)

    assert throttle.admit(0, 0)


def test_defaults() -> None:
    throttle = AdaptiveThrottle()

    assert (throttle.k, throttle.window, throttle.cap) == (2, 120, 0.9)
    assert (throttle.minimum_calls, throttle.slots) == (10, 20)


def test_two_throttles_are_two() -> None:
    assert AdaptiveThrottle() != AdaptiveThrottle()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: AdaptiveThrottle(0.9), ValueError, "AdaptiveThrottle: k must be >= 1 and finite, got 0.9"),
        (lambda: AdaptiveThrottle(math.inf), ValueError, "AdaptiveThrottle: k must be >= 1 and finite, got inf"),
        (lambda: AdaptiveThrottle(window=0), ValueError, "AdaptiveThrottle: window must be > 0 seconds, got 0"),
        (
            lambda: AdaptiveThrottle(window=math.inf),
            ValueError,
            "AdaptiveThrottle: window must be a finite number of seconds, got inf",
        ),
        (lambda: AdaptiveThrottle(cap=0), ValueError, "AdaptiveThrottle: cap must be > 0 and <= 1, got 0"),
        (lambda: AdaptiveThrottle(cap=1.1), ValueError, "AdaptiveThrottle: cap must be > 0 and <= 1, got 1.1"),
        (
            lambda: AdaptiveThrottle(minimum_calls=-1),
            ValueError,
            "AdaptiveThrottle: minimum_calls must be >= 0, got -1",
        ),
        (lambda: AdaptiveThrottle(slots=0), ValueError, "AdaptiveThrottle: slots must be >= 1, got 0"),
        (
            lambda: AdaptiveThrottle("2"),  # type: ignore[arg-type]
            TypeError,
            "AdaptiveThrottle: k must be a number, got '2'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    make: Callable[[], AdaptiveThrottle], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make()

    assert str(caught.value) == message


def test_after_a_reset_an_earlier_clock_is_believed() -> None:
    """A new world's clock may begin at 0 again."""
    throttle = AdaptiveThrottle(minimum_calls=0, window=10.0)
    throttle.admit(1000.0, 0.99)
    throttle.reset()
    throttle.admit(0.0, 0.99)

    assert (throttle.requests(0.0), throttle.requests(11.0)) == (1, 0)
