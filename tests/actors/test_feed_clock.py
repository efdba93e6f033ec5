"""How old an event is, when a clock is set: this machine's, or the exchange's."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors._feed_clock import EventClock
from duenna_actors._subscriptions import GiveUp, Redrive, Subscription, SubscriptionBook, SubscriptionState

WALL = 1_700_000_000.0


def clock_that_knows(*, seconds: int = 10) -> EventClock:
    """A clock that has seen an event each second from 0 on, when all clocks were right."""
    clock = EventClock(60.0)
    for now in range(seconds):
        assert clock.observe(WALL + now, float(now), WALL + now) == 0.0
    return clock


@pytest.mark.parametrize(
    ("lag", "step", "age"),
    [
        (0.0, 0.0, 0.0),
        (60.1, 0.0, 60.1),
        (300.0, 0.0, 300.0),
        (0.0, 90.0, 0.0),
        (0.0, -90.0, 0.0),
        (0.0, 3600.0, 0.0),
        (0.0, -3600.0, 0.0),
        (300.0, 90.0, 300.0),
        (300.0, 3600.0, 300.0),
        (300.0, -3600.0, 300.0),
        (300.0, -280.0, 20.0),
        (-90.0, 0.0, -90.0),
    ],
    ids=[
        "all is well",
        "too old",
        "far too old",
        "our clock set forward",
        "our clock set back",
        "far forward",
        "far back",
        "too old, our clock set forward",
        "too old, far forward",
        "too old, far back",
        "not seen: our clock is behind by just as much",
        "the exchange's clock set forward",
    ],
)
def test_the_clock_that_is_nearer_to_the_event_judges(lag: float, step: float, age: float) -> None:
    clock = clock_that_knows()

    assert clock.observe(WALL + 10.0 - lag, 10.0, WALL + 10.0 + step) == pytest.approx(age)


def test_before_the_first_events_the_time_of_day_judges() -> None:
    """There is nothing else: a stream that lags cannot be told from a clock that is ahead."""
    clock = EventClock(60.0)

    assert clock.observe(WALL, 0.0, WALL + 90.0) == 90.0
    assert clock.observe(WALL + 1.0, 1.0, WALL + 91.0) == 90.0
    assert clock.observe(WALL + 2.0, 2.0, WALL + 2.0) == 0.0


def test_a_clock_that_is_behind_from_the_start_hides_no_lag() -> None:
    """A machine that boots in 1970: events come from the future, and those that lag are old all the same."""
    clock = EventClock(60.0)
    clock.observe(WALL, 0.0, 0.0)

    assert clock.observe(WALL + 1.0, 1.0, 1.0) == 0.0
    assert clock.observe(WALL + 1.0, 101.0, 101.0) == 100.0


def test_after_a_sleep_the_time_of_day_is_right_and_soon_the_memory_too() -> None:
    """The monotonic clock stands still while the machine is suspended."""
    clock = clock_that_knows()
    assert clock.observe(WALL + 3610.0, 10.0, WALL + 3610.0) == 0.0

    assert clock.observe(WALL + 3611.0, 11.0, WALL + 3611.0 + 90.0) == 0.0


def test_one_event_from_next_year_is_not_believed() -> None:
    clock = clock_that_knows()
    clock.observe(WALL + 3e7, 10.0, WALL + 10.0)

    assert clock.observe(WALL + 11.0, 11.0, WALL + 101.0) == 0.0


def test_an_exchange_that_sets_its_clock_forward_and_back_is_believed_both_times() -> None:
    clock = clock_that_knows()
    clock.observe(WALL + 10.0 + 50.0, 10.0, WALL + 10.0)

    assert clock.observe(WALL + 11.0, 11.0, WALL + 11.0) == 0.0


def test_a_machine_whose_clocks_run_too_fast_ages_no_event_by_the_memory() -> None:
    """Both of them gain 5 s a day, for two months; then the time of day is set forward."""
    clock = EventClock(60.0)
    gained, hour = 5 / 86_400, 3_600.0
    for count in range(60 * 24):
        now = count * hour
        clock.observe(WALL + now * (1 - gained), now, WALL + now * (1 - gained))

    now = 60 * 24 * hour
    assert abs(clock.observe(WALL + now * (1 - gained), now, WALL + now + 3600.0)) < 1.0


def test_a_stream_that_lags_ever_more_becomes_old() -> None:
    """It loses a second per minute."""
    clock = clock_that_knows()

    ages = [clock.observe(WALL + now * 59 / 60, float(now), WALL + now) for now in range(0, 7200, 10)]

    assert ages[-1] > 60.0


@given(st.floats(-1e6, 1e6), st.lists(st.floats(0.0, 60.0), min_size=1, max_size=50), st.floats(-1e5, 1e5))
def test_no_step_makes_a_stream_old_that_keeps_up(offset: float, waits: list[float], step: float) -> None:
    """Whatever our clock was and is: what advances as the monotonic clock does is fresh, once it was."""
    clock = EventClock(60.0)
    clock.observe(WALL + max(offset, -59.0), 0.0, WALL)

    now = 0.0
    for wait in waits:
        now += wait
        assert clock.observe(WALL + max(offset, -59.0) + now, now, WALL + now + step) <= 60.0


@given(st.floats(121.0, 1e6), st.floats(0.0, 1e6))
def test_no_step_forward_hides_a_stream_that_lags(lag: float, step: float) -> None:
    assert clock_that_knows().observe(WALL + 10.0 - lag, 10.0, WALL + 10.0 + step) > 60.0


def test_any_age_is_fresh_if_so_wished() -> None:
    book = SubscriptionBook(clock=EventClock(inf))
    book.want([Subscription("a")], 0.0)

    book.data("a", 1.0, 0.0, WALL)

    assert book.tracks["a"].state is SubscriptionState.LIVE


def test_books_share_what_they_know_of_the_exchanges_clock() -> None:
    """The next websocket is no less wise than the last: after a step it is neither fooled nor afraid."""
    clock = clock_that_knows()
    book = SubscriptionBook(clock=clock)
    book.want([Subscription("fresh"), Subscription("lagging")], 10.0)

    book.data("fresh", 10.0, WALL + 10.0, WALL + 100.0)
    book.data("lagging", 10.0, WALL - 290.0, WALL + 100.0)

    assert book.tracks["fresh"].state is SubscriptionState.LIVE
    assert book.tracks["lagging"].state is SubscriptionState.WANTED
    assert book.tracks["lagging"].old == 1


def test_an_event_time_that_stands_still_is_stale_after_a_step_too() -> None:
    book = SubscriptionBook(clock=clock_that_knows())
    book.want([Subscription("a")], 9.0)
    book.requested(["a"], 9.0)

    for now in range(10, 90):
        book.data("a", float(now), WALL + 10.0, WALL + now + 90.0)

    assert book.decide(70.0) == Redrive(("a",))


def test_whoever_gives_up_says_whose_clock_it_blames() -> None:
    """The one who reads it may know that this machine's clock is wrong."""
    book = SubscriptionBook(0)
    book.want([Subscription("a"), Subscription("b")], 0.0)
    book.requested(["a", "b"], 0.0)
    book.data("a", 1.0, WALL, WALL + 90.4)

    assert book.decide(10.0) == GiveUp(("a", "b"))
    assert book.why_stale(["a", "b"]) == "its events are 90 s old by this machine's clock"
    assert book.why_stale(["b", "gone"]) == "silent, or repeating what is old"


def test_after_a_suspend_events_that_agree_are_believed_although_our_clock_is_ahead() -> None:
    """600 s asleep, 100 s ahead: both clocks are wrong, and the exchange's own events say so."""
    clock = clock_that_knows()

    ages = [clock.observe(WALL + 610.0 + n, 10.0 + n, WALL + 710.0 + n) for n in range(4)]

    assert ages == [100.0, 100.0, 0.0, 0.0]


def test_a_single_event_of_next_year_is_not_believed() -> None:
    clock = clock_that_knows()

    clock.observe(WALL + 3e7, 10.0, WALL + 10.0)

    assert clock.observe(WALL + 11.0 - 300.0, 11.0, WALL + 11.0 + 3600.0) == pytest.approx(300.0, abs=0.1)


def test_no_number_of_late_events_makes_a_lag_fresh() -> None:
    clock = clock_that_knows()

    ages = [clock.observe(WALL + 10.0 + n - 300.0, 10.0 + n, WALL + 10.0 + n + 90.0) for n in range(50)]

    assert min(ages) > 60.0
