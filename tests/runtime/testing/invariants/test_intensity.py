"""Rule 5: so many restarts within a period, and no more."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import Intensity

from .support import Story


def restarts(*times: float) -> Story:
    story = Story().bot("a", intensity=2, period=5.0)
    for t in times:
        story.at(t).retry("/bot/a")
    return story


@pytest.mark.parametrize("times", [(0.0, 1.0), (0.0, 4.0, 5.1), (0.0, 1.0, 6.0, 7.0)])
def test_a_budget_that_holds_is_right(times: tuple[float, ...]) -> None:
    assert restarts(*times).found(Intensity()) == []


def test_one_restart_too_many_is_found_with_both_ends_counted() -> None:
    assert restarts(0.0, 1.0, 5.0).found(Intensity()) == [
        (
            "intensity: 5.000 s, record 5, /bot: 3 restarts within 5.0 s (records 3, 4, 5), and /bot allows 2: "
            "it must give up, it restarts /bot/a instead"
        )
    ]


def test_restarts_of_all_children_are_summed() -> None:
    story = Story().bot("a", "b", intensity=1).retry("/bot/a").retry("/bot/b")

    assert len(story.found(Intensity())) == 1


def test_restarts_of_a_connection_that_follows_the_settings_do_not_count() -> None:
    story = Story().bot("b", intensity=1).worker("/bot/a", is_reconnecting=True)
    story.retry("/bot/a").retry("/bot/a").retry("/bot/a").retry("/bot/b")

    assert story.found(Intensity()) == []


def test_giving_up_with_the_budget_spent_is_right() -> None:
    assert restarts(0.0, 1.0).at(2.0).add("supervisor_gave_up", "/bot", reason="", restarts=2).found(Intensity()) == []


def test_giving_up_too_early_is_found() -> None:
    story = restarts(0.0).at(2.0).add("supervisor_gave_up", "/bot", reason="", restarts=2)

    assert story.found(Intensity()) == [
        (
            "intensity: 2.000 s, record 4, /bot: it gives up after 1 restarts within 5.0 s, and 2 are allowed; "
            "no child of it has a budget of its own"
        )
    ]


def test_a_child_may_give_up_its_own_budget() -> None:
    story = Story().supervisor("/bot", "a").worker("/bot/a", max_failures=0).add("supervisor_gave_up", "/bot")

    assert story.found(Intensity()) == []


def test_a_start_after_giving_up_is_found() -> None:
    story = restarts(0.0, 0.0).add("supervisor_gave_up", "/bot", reason="", restarts=2).at(1.0).start("/bot/a")

    assert story.found(Intensity()) == [
        "intensity: 1.000 s, record 6, /bot/a: it starts after its supervisor /bot gave up (record 5, 0.000 s)"
    ]


def test_a_supervisor_that_begins_anew_has_a_fresh_budget() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a", intensity=1).worker("/bot/s/a")
    story.start("/bot/s").retry("/bot/s/a").add("supervisor_gave_up", "/bot/s").crash("/bot/s")

    assert story.start("/bot/s", incarnation=2).retry("/bot/s/a").start("/bot/s/a").found(Intensity()) == []
