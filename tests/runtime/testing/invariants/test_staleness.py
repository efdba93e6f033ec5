"""Rule 18: a silent feed does not say that all is well."""

from __future__ import annotations

from duenna.testing.invariants import Staleness

from .support import Story

FEED = "/bot/feed"


def well() -> Story:
    story = Story().add("connection_changed", FEED, kind="websocket", state="operational")
    return story.at(10.0).add("data", FEED)


def test_data_in_time_is_right() -> None:
    assert well().at(40.0).add("data", FEED).at(70.0).add("world_end").found(Staleness(30.0)) == []


def test_a_silence_that_is_hidden_is_found() -> None:
    assert well().at(41.0).add("data", FEED).found(Staleness(30.0)) == [
        (
            "staleness: 41.000 s, record 3, /bot/feed: no data for 31.000 s, since record 2 at 10.000 s, "
            "while its connection says operational: 30.0 s are allowed"
        )
    ]


def test_a_silence_at_the_end_is_found() -> None:
    assert "at the end" in well().at(41.0).add("data", "/bot/other").found(Staleness(30.0))[0]


def test_a_feed_that_says_that_it_is_not_well_is_right() -> None:
    story = well().at(35.0).add("connection_changed", FEED, kind="websocket", state="degraded").at(900.0)

    assert story.add("data", FEED).found(Staleness(30.0)) == []


def test_silence_counts_from_when_it_says_that_it_is_well_again() -> None:
    story = well().add("connection_changed", FEED, state="cooldown").at(900.0)
    story.add("connection_changed", FEED, state="operational").at(929.0).add("data", FEED)

    assert story.found(Staleness(30.0)) == []


def test_a_feed_may_say_how_old_its_data_may_be() -> None:
    assert well().add("data", FEED, max_age=100.0).at(99.0).add("data", FEED).found(Staleness(30.0)) == []


def test_an_operator_may_hold_it() -> None:
    story = well().add("child_suspended", FEED).at(900.0).add("child_resumed", FEED).at(910.0).add("data", FEED)

    assert story.found(Staleness(30.0)) == []


def test_one_that_has_ended_says_nothing() -> None:
    assert well().crash(FEED).at(900.0).add("data", "/bot/other").found(Staleness(30.0)) == []


def test_a_connection_without_data_is_no_feed() -> None:
    story = Story().add("connection_changed", "/bot/db", kind="database", state="operational").at(900.0)

    assert story.add("world_end").found(Staleness(30.0)) == []
