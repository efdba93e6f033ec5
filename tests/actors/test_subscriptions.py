"""The book of a feed's subscriptions: acknowledged, live, stale, asked for again, given up."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors._subscriptions import GiveUp, Redrive, Subscription, SubscriptionBook, SubscriptionState

S = SubscriptionState
WALL = 1_700_000_000.0


def book_of(*keys: str, redrives: int = 1) -> SubscriptionBook:
    """Subscriptions that were asked for at 0: first data within 10 s, stale after 60."""
    book = SubscriptionBook(redrives)
    book.want([Subscription(key) for key in keys], 0.0)
    book.requested(keys, 0.0)
    return book


def state(book: SubscriptionBook, key: str = "a") -> SubscriptionState:
    return book.tracks[key].state


def test_an_acknowledgement_is_a_promise_and_only_data_is_live() -> None:
    book = SubscriptionBook()
    book.want([Subscription("a")], 0.0)
    assert state(book) is S.WANTED

    book.requested(["a"], 1.0)
    assert state(book) is S.REQUESTED
    book.acknowledged(["a"])
    assert state(book) is S.ACKNOWLEDGED
    book.data("a", 2.0, None, WALL)
    assert state(book) is S.LIVE


def test_what_is_only_wanted_has_no_deadline() -> None:
    book = SubscriptionBook()
    book.want([Subscription("a")], 0.0)

    assert book.next_due() == inf
    assert book.decide(1e9) is None


def test_no_first_data_is_asked_for_again_and_then_given_up() -> None:
    book = book_of("a", "b")
    book.data("b", 5.0, None, WALL)
    assert book.next_due() == 10.0
    assert book.decide(9.9) is None

    assert book.decide(10.0) == Redrive(("a",))
    assert (state(book), state(book, "b")) == (S.STALE, S.LIVE)
    assert book.next_due() == 20.0
    assert book.decide(20.0) == GiveUp(("a",))


def test_a_siblings_data_proves_nothing() -> None:
    """One symbol of many is mute: its own silence counts."""
    book = book_of("a", "b")
    for second in range(10):
        book.data("b", float(second), None, WALL)

    assert book.decide(10.0) == Redrive(("a",))


def test_silence_after_data_is_stale() -> None:
    book = book_of("a")
    book.data("a", 1.0, None, WALL)

    assert book.next_due() == 61.0
    assert book.decide(61.0) == Redrive(("a",))
    assert book.stale() == ["a"]


def test_data_after_a_redrive_makes_it_live_and_forgets_the_attempt() -> None:
    book = book_of("a")
    book.decide(10.0)

    book.data("a", 12.0, None, WALL)

    assert state(book) is S.LIVE
    assert book.recovered == ["a"]
    assert book.decide(72.0) == Redrive(("a",))


def test_no_redrives_gives_up_at_once() -> None:
    assert book_of("a", redrives=0).decide(10.0) == GiveUp(("a",))


def test_one_hopeless_subscription_is_enough() -> None:
    book = book_of("a")
    book.decide(10.0)
    book.want([Subscription("b")], 11.0)
    book.requested(["b"], 10.0)

    assert book.decide(20.0) == GiveUp(("a",))


def test_a_redrive_gives_the_first_data_deadline_again() -> None:
    """It begins when the request is really sent."""
    book = book_of("a")
    book.decide(10.0)

    book.requested(["a"], 12.0)

    assert book.next_due() == 22.0


@pytest.mark.parametrize(
    ("event_time", "fresh"),
    [(WALL, True), (WALL - 60.0, True), (WALL - 60.1, False), (WALL + 30.0, True)],
    ids=["now", "just young enough", "too old", "from a clock that is ahead"],
)
def test_an_old_event_arrives_without_being_fresh(event_time: float, fresh: bool) -> None:
    book = book_of("a")

    track = book.data("a", 5.0, event_time, WALL)

    assert track is not None
    assert (track.state is S.LIVE) is fresh
    assert track.old == (0 if fresh else 1)


def test_an_event_time_that_does_not_move_is_not_fresh() -> None:
    """A frozen feed that repeats itself looks alive to whoever counts messages."""
    book = book_of("a")
    book.data("a", 1.0, WALL, WALL)

    for second in range(2, 62):
        book.data("a", float(second), WALL, WALL)

    assert book.decide(61.0) == Redrive(("a",))
    assert book.tracks["a"].messages == 61


def test_a_burst_within_one_millisecond_is_not_old() -> None:
    book = book_of("a")
    book.data("a", 1.0, WALL, WALL)
    book.data("a", 1.0, WALL, WALL)

    assert book.tracks["a"].old == 0


def test_a_message_without_event_time_is_fresh() -> None:
    book = book_of("a")

    book.data("a", 1.0, None, WALL)

    assert state(book) is S.LIVE


def test_a_message_that_nobody_wants_is_told_apart() -> None:
    assert book_of("a").data("b", 1.0, None, WALL) is None


def test_a_stream_named_without_its_options_is_found() -> None:
    """Raw frames say `depthUpdate` of a symbol, not `btcusdt@depth@100ms`."""
    book = book_of("btcusdt@depth@100ms")

    track = book.data("btcusdt@depth", 1.0, None, WALL)

    assert track is not None
    assert track.spec.key == "btcusdt@depth@100ms"
    assert book.data("ethusdt@depth", 1.0, None, WALL) is None


def test_what_is_forgotten_has_no_deadline_and_is_not_wanted() -> None:
    book = book_of("a", "b")

    assert book.forget(["a", "x"]) == ["a"]
    assert book.data("a", 1.0, None, WALL) is None
    assert book.decide(10.0) == Redrive(("b",))


def test_wanting_it_twice_changes_its_deadlines_only() -> None:
    book = book_of("a")
    book.data("a", 1.0, None, WALL)

    assert book.want([Subscription("a", stale_after=5.0), Subscription("b")], 2.0) == ["b"]
    assert book.next_due() == 6.0


def test_silence_is_no_fault_where_none_is_expected() -> None:
    """Liquidations, or a market that is closed."""
    book = SubscriptionBook()
    book.want([Subscription("a", inf, inf)], 0.0)
    book.requested(["a"], 0.0)
    assert book.next_due() == inf
    assert not book.expects_data()

    book.data("a", 1.0, None, WALL)

    assert book.next_due() == inf


@pytest.mark.parametrize("seconds", [0.0, -1.0, nan])
def test_a_deadline_must_be_a_time(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^Subscription 'a': (first_data_within|stale_after) must be "):
        Subscription("a", seconds)
    with pytest.raises(ValueError, match="stale_after must be "):
        Subscription("a", 1.0, seconds)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["data", "old", "requested", "acknowledged", "decide"]),
        st.sampled_from("abc"),
        st.floats(0, 30),
    ),
    max_size=60,
)


@given(STEPS)
def test_nothing_that_is_due_stays_unsaid(steps: list[tuple[str, str, float]]) -> None:
    """After `decide`, the next deadline is in the future, and what is live has had fresh data in time."""
    book = book_of("a", "b", "c", redrives=2)
    now = 0.0
    for what, key, passed in steps:
        now += passed
        if what in {"data", "old"}:
            book.data(key, now, WALL + now - (1000 if what == "old" else 0), WALL + now)
        elif what == "requested":
            book.requested([key], now)
        elif what == "acknowledged":
            book.acknowledged([key])
        else:
            book.decide(now)
            assert book.next_due() > now
            assert all(
                now - track.fresh_at < track.spec.stale_after for track in book.tracks.values() if track.state is S.LIVE
            )
