"""Rule 23: nobody is stopped for nothing."""

from __future__ import annotations

from duenna.testing.invariants import UnexplainedStops

from .support import Story


def running(**options: str) -> Story:
    return Story().bot("a", "b", **options).start("/bot/a", "/bot/b").at(7.0)


def test_a_sibling_that_is_stopped_along_is_found() -> None:
    story = running().crash("/bot/a").stop("/bot/b").at(8.0).start("/bot/a", incarnation=2)

    assert story.found(UnexplainedStops()) == [
        (
            "unexplained_stop: 8.000 s, record 10, /bot/b: it was stopped (record 9, 7.000 s) by no operator and "
            "with no group, and its supervisor /bot goes on: it starts /bot/a"
        )
    ]


def test_the_members_of_a_group_are_stopped_for_it() -> None:
    story = running(strategy="one_for_all").crash("/bot/a").group("/bot", "one_for_all", "a", "a", "b").stop("/bot/b")

    assert story.start("/bot/a", incarnation=2).found(UnexplainedStops()) == []


def test_an_operator_stops_whom_he_likes() -> None:
    story = running().add("command", "/bot/b", 1, verb="stop_child").stop("/bot/b").crash("/bot/a")

    assert story.start("/bot/a", incarnation=2).found(UnexplainedStops()) == []


def test_the_end_of_the_supervisor_explains_all() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a").start("/bot/s", "/bot/s/a")
    story.stop("/bot/s/a").crash("/bot/s").start("/bot/s", incarnation=2)

    assert story.start("/bot/s/a", incarnation=2).found(UnexplainedStops()) == []
