"""Rule 7: never two incarnations of one child."""

from __future__ import annotations

from duenna.testing.invariants import OneIncarnation

from .support import Story


def test_a_life_in_order_is_right() -> None:
    story = (
        Story().bot("a").start("/bot/a").crash("/bot/a").start("/bot/a", incarnation=2).stop("/bot/a", incarnation=2)
    )

    assert story.found(OneIncarnation()) == []


def test_a_second_start_is_found() -> None:
    story = Story().bot("a").at(1.5).start("/bot/a").at(2.0).start("/bot/a", incarnation=2)

    assert story.found(OneIncarnation())[0] == (
        "one_incarnation: 2.000 s, record 5, /bot/a: incarnation 2 starts while incarnation 1 (record 3, 1.500 s) "
        "has not ended: two would run at a time"
    )


def test_a_number_that_does_not_grow_is_found() -> None:
    story = Story().bot("a").start("/bot/a", incarnation=2).crash("/bot/a", 2).start("/bot/a", incarnation=2)

    assert story.found(OneIncarnation()) == [
        (
            "one_incarnation: 0.000 s, record 6, /bot/a: incarnation 2 starts after incarnation 2 (record 5, 0.000 s): "
            "the number must grow"
        )
    ]


def test_a_child_that_is_added_again_begins_anew() -> None:
    story = Story().bot("a").start("/bot/a", incarnation=7).crash("/bot/a", 7).add("child_removed", "/bot/a")

    assert story.worker("/bot/a").start("/bot/a").found(OneIncarnation()) == []


def test_a_second_runtime_in_one_world_begins_anew() -> None:
    story = Story().bot("a").start("/bot/a", incarnation=7).stop("/bot/a", incarnation=7).add("runtime_stopped", "/")

    assert story.bot("a").start("/bot/a").found(OneIncarnation()) == []


def test_an_end_without_a_life_is_found() -> None:
    story = Story().bot("a").start("/bot/a").crash("/bot/a").crash("/bot/a")

    assert story.found(OneIncarnation()) == [
        (
            "one_incarnation: 0.000 s, record 6, /bot/a: incarnation 1 ends, but is not alive: "
            "it has ended (record 5, 0.000 s)"
        )
    ]


def test_the_end_of_another_incarnation_is_found() -> None:
    story = Story().bot("a").start("/bot/a", incarnation=2).crash("/bot/a", 1)

    assert story.found(OneIncarnation()) == [
        (
            "one_incarnation: 0.000 s, record 5, /bot/a: incarnation 1 ends, but incarnation 2 (record 3, 0.000 s) "
            "is the one that is alive"
        )
    ]


def test_an_orphan_is_found() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a")
    story.add("child_starting", "/bot/s", 1).start("/bot/s/a").add("child_started", "/bot/s", 1).crash("/bot/s")

    assert story.found(OneIncarnation()) == [
        (
            "one_incarnation: 0.000 s, record 8, /bot/s: it ends while its child /bot/s/a (record 5, 0.000 s) is "
            "alive: an orphan is left"
        )
    ]


def test_a_start_below_a_supervisor_that_is_down_is_found() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a")
    story.start("/bot/s").crash("/bot/s").at(3.0).start("/bot/s/a")

    assert story.found(OneIncarnation()) == [
        (
            "one_incarnation: 3.000 s, record 7, /bot/s/a: it starts while its supervisor /bot/s is down "
            "(record 6, 0.000 s)"
        )
    ]
