"""Which book gets the next snapshot, and when."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna import Backoff
from duenna_actors.binance._resync import Fetch, GiveUp, ResyncPlan, Wait


def plan(**changed: Any) -> ResyncPlan:
    given: dict[str, Any] = {
        "backoff": Backoff.steps(1.0, 2.0, 4.0),
        "max_attempts": 5,
        "max_in_flight": 10,
        "interval": 0.0,
        "stable_after": 60.0,
    }
    return ResyncPlan(**(given | changed))


def test_who_wants_nothing_gets_nothing() -> None:
    assert plan().take(0.0) == Wait(inf)


def test_a_book_is_asked_for_at_once_and_once() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.want("A", 0.0, 0.5)

    assert resync.take(0.0) == Fetch("A")
    assert resync.take(0.0) == Wait(inf)


def test_all_books_are_asked_for_in_turn_so_far_apart() -> None:
    resync = plan(interval=0.5)
    for symbol in "ABC":
        resync.want(symbol, 0.0, 0.5)

    assert resync.take(0.0) == Fetch("A")
    assert resync.take(0.0) == Wait(0.5)
    assert resync.take(0.5) == Fetch("B")
    assert resync.take(1.0) == Fetch("C")


def test_so_many_are_under_way_at_the_same_time_and_no_more() -> None:
    resync = plan(max_in_flight=2)
    for symbol in "ABC":
        resync.want(symbol, 0.0, 0.5)
    assert [resync.take(0.0) for _ in range(3)] == [Fetch("A"), Fetch("B"), Wait(inf)]

    resync.done("A", 1.0)
    resync.settle("A", 1.0, 0.5)

    assert resync.take(1.0) == Fetch("C")


def test_what_did_not_help_is_tried_again_later_and_later() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    now = 0.0
    starts: list[float] = []
    for _ in range(5):
        assert resync.take(now) == Fetch("A")
        starts.append(now)
        resync.settle("A", now, 0.5)
        match resync.take(now):
            case Wait(until):
                now = until
            case other:
                raise AssertionError(other)

    assert starts == [0.0, 1.0, 3.0, 7.0, 11.0]
    assert resync.take(15.0) == GiveUp("A", 5)


def test_a_book_that_was_given_up_can_be_tried_on_no_sooner_than_before() -> None:
    resync = plan(max_attempts=2)
    resync.want("A", 0.0, 0.5)
    for now in (0.0, 1.0):
        assert resync.take(now) == Fetch("A")
        resync.settle("A", now, 0.5)
    assert resync.take(3.0) == GiveUp("A", 2)

    resync.spare("A")

    for now in (3.0, 7.0):
        assert resync.take(now) == Fetch("A")
        resync.settle("A", now, 0.5)
        assert resync.take(now) == Wait(now + 4.0)
    assert resync.take(11.0) == GiveUp("A", 4)


def test_after_a_reconnect_it_is_the_turn_of_those_that_waited_in_vain_before_it() -> None:
    resync = plan(interval=1.0)
    for symbol in "ABCD":
        resync.want(symbol, 0.0, 0.5)
    assert [resync.take(0.0), resync.take(1.0)] == [Fetch("A"), Fetch("B")]

    resync.reset()
    for symbol in "ABCD":
        resync.want(symbol, 1.5, 0.5)

    assert [resync.take(now) for now in (2.0, 3.0, 4.0, 5.0)] == [Fetch(symbol) for symbol in "CDAB"]


def test_a_book_that_waits_for_its_backoff_keeps_nobody_else_waiting() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.take(0.0)
    resync.settle("A", 0.0, 0.5)
    resync.want("B", 0.5, 0.5)

    assert resync.take(0.5) == Fetch("B")
    assert resync.take(0.5) == Wait(1.0)


def test_a_book_that_loses_its_sync_again_and_again_is_not_asked_for_at_once() -> None:
    """Otherwise a stream with a gap a second would use up the weight of all."""
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.take(0.0)
    resync.done("A", 0.1)
    resync.settle("A", 0.1, 0.5)

    resync.want("A", 10.0, 0.5)

    assert resync.take(10.0) == Wait(11.0)
    assert resync.attempts("A") == 1


def test_attempts_are_forgotten_when_it_has_held() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.take(0.0)
    resync.done("A", 0.1)
    resync.settle("A", 0.1, 0.5)

    resync.want("A", 60.1, 0.5)

    assert resync.take(60.1) == Fetch("A")
    assert resync.attempts("A") == 1


def test_who_is_told_to_wait_makes_all_wait_and_that_is_no_attempt() -> None:
    resync = plan(max_attempts=1)
    resync.want("A", 0.0, 0.5)
    resync.want("B", 0.0, 0.5)
    resync.take(0.0)

    resync.settle("A", 0.0, 0.5, retry_after=30.0)

    assert resync.attempts("A") == 0
    assert resync.take(0.0) == Wait(30.0)
    assert resync.take(30.0) == Fetch("B")
    assert resync.take(30.0) == Fetch("A")


def test_a_ban_outlives_a_reconnect() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.take(0.0)
    resync.settle("A", 0.0, 0.5, retry_after=30.0)

    resync.reset()
    resync.want("B", 1.0, 0.5)

    assert resync.take(1.0) == Wait(30.0)
    assert not resync.wants("A")


def test_a_book_that_is_gone_is_forgotten() -> None:
    resync = plan()
    resync.want("A", 0.0, 0.5)
    resync.take(0.0)

    resync.forget("A")
    resync.settle("A", 1.0, 0.5)

    assert resync.take(100.0) == Wait(inf)


def test_the_longest_wait_of_all_is_known() -> None:
    resync = plan()
    resync.want("A", 1.0, 0.5)
    resync.want("B", 3.0, 0.5)
    assert resync.wanted_for(4.0) == 3.0

    resync.done("A", 4.0)

    assert resync.wanted_for(4.0) == 1.0
    resync.done("B", 4.0)
    assert resync.wanted_for(4.0) == 0.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"max_attempts": 0}, r"^ResyncPlan: max_attempts must be >= 1, got 0$"),
        ({"max_in_flight": 0}, r"^ResyncPlan: max_in_flight must be >= 1, got 0$"),
        ({"interval": -1.0}, r"^ResyncPlan: interval must be >= 0"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**changed)


@given(
    st.lists(
        st.tuples(st.sampled_from("ABCDE"), st.sampled_from(["want", "done", "settle", "ban", "take"])), max_size=80
    ),
    st.integers(1, 3),
)
def test_bounds_hold_whatever_happens(moves: list[tuple[str, str]], most: int) -> None:
    resync = plan(max_in_flight=most, interval=0.3, max_attempts=1000)
    under_way: list[str] = []
    starts: list[float] = []
    banned_until = -inf
    for number, (symbol, move) in enumerate(moves):
        now = number * 0.25
        match move:
            case "want":
                resync.want(symbol, now, 0.5)
            case "done":
                resync.done(symbol, now)
            case "take":
                taken = resync.take(now)
                if isinstance(taken, Fetch):
                    assert taken.symbol not in under_way
                    assert now >= banned_until
                    under_way.append(taken.symbol)
                    starts.append(now)
            case _ if symbol in under_way:
                under_way.remove(symbol)
                wait = 2.0 if move == "ban" else 0.0
                resync.settle(symbol, now, 0.5, wait)
                banned_until = max(banned_until, now + wait) if wait else banned_until
            case _:
                pass
        assert len(under_way) <= most
    assert all(late - early >= 0.3 for early, late in pairwise(starts))
