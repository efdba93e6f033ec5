"""Rule 19: the last started stops first."""

from __future__ import annotations

from duenna.testing.invariants import StopOrder

from .support import Story


def running() -> Story:
    return Story().bot("a", "b", "c").start("/bot/a", "/bot/b", "/bot/c").at(9.0)


def test_reverse_order_is_right() -> None:
    assert running().stop("/bot/c", "/bot/b", "/bot/a").found(StopOrder()) == []


def test_start_order_is_found() -> None:
    assert running().stop("/bot/a").found(StopOrder()) == [
        (
            "stop_order: 9.000 s, record 11, /bot/a: it is stopped while /bot/c (record 9, 0.000 s), which comes "
            "after it in start order, is alive: the last started stops first"
        )
    ]


def test_a_crash_has_no_order() -> None:
    assert running().crash("/bot/a").found(StopOrder()) == []


def test_an_operator_may_stop_any_child() -> None:
    assert running().add("command", "/bot/a", 1, verb="stop_child").stop("/bot/a").found(StopOrder()) == []


def test_one_that_was_started_again_after_a_command_has_its_order_back() -> None:
    story = running().add("command", "/bot/a", 1, verb="restart_child").stop("/bot/a").start("/bot/a", incarnation=2)

    assert len(story.stop("/bot/a", incarnation=2).found(StopOrder())) == 1


def test_one_that_is_stuck_is_not_waited_for() -> None:
    story = running().add("child_stuck", "/bot/c", 1, after=5.0).stop("/bot/b", "/bot/a", "/bot/c")

    assert story.found(StopOrder()) == []


def test_a_child_that_was_added_stops_first() -> None:
    story = running().worker("/bot/new").start("/bot/new").stop("/bot/c")

    assert "while /bot/new" in story.found(StopOrder())[0]


def test_a_supervisor_that_begins_anew_has_its_first_order_back() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a", "b").worker("/bot/s/a").worker("/bot/s/b")
    story.start("/bot/s", "/bot/s/a", "/bot/s/b").crash("/bot/s/a").add("child_removed", "/bot/s/a")
    story.stop("/bot/s/b").crash("/bot/s").add("child_starting", "/bot/s", 2).worker("/bot/s/a")

    assert (
        story.start("/bot/s/a")
        .start("/bot/s/b", incarnation=2)
        .stop("/bot/s/b", incarnation=2)
        .stop("/bot/s/a")
        .found(StopOrder())
        == []
    )
