"""Rule 22: a timer ends with the incarnation that armed it."""

from __future__ import annotations

from duenna.testing.invariants import OldTimers

from .support import Story


def test_a_timer_of_who_is_alive_is_right() -> None:
    story = Story().bot("a").start("/bot/a").add("timer", "/bot/a", 1, to="/bot/a")

    assert story.add("timer_received", "/bot/a", 1, receiver_incarnation=1).found(OldTimers()) == []


def test_a_timer_that_fires_after_the_end_is_found() -> None:
    story = Story().bot("a").start("/bot/a").crash("/bot/a").at(5.0).add("timer", "/bot/a", 1, to="/bot/b")

    assert story.found(OldTimers()) == [
        (
            "old_timer: 5.000 s, record 6, /bot/a: a timer that incarnation 1 armed fires, and tells /bot/b, "
            "but none is alive: timers end with their incarnation"
        )
    ]


def test_a_timer_that_fires_in_the_next_life_is_found() -> None:
    story = Story().bot("a").start("/bot/a").crash("/bot/a").start("/bot/a", incarnation=2)

    assert "but incarnation 2 is alive" in story.add("timer", "/bot/a", 1, to="/bot/a").found(OldTimers())[0]


def test_a_tick_that_is_delivered_to_the_next_incarnation_is_found() -> None:
    story = Story().bot("a").add("timer_received", "/bot/a", 1, receiver_incarnation=2)

    assert story.found(OldTimers()) == [
        (
            "old_timer: 0.000 s, record 3, /bot/a: incarnation 2 gets the tick of a timer that incarnation 1 armed: "
            "timers end with their incarnation"
        )
    ]
