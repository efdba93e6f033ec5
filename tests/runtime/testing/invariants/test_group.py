"""Rule 6: a group has the right members, and stops before it starts."""

from __future__ import annotations

from duenna.testing.invariants import GroupRestarts

from .support import Story


def crashed(strategy: str, trigger: str, *members: str, delay: float = 0.0) -> Story:
    story = Story().bot("a", "b", "c", strategy=strategy).start("/bot/a", "/bot/b", "/bot/c").at(10.0)
    story.crash(f"/bot/{trigger}").retry(f"/bot/{trigger}")
    return story.group("/bot", strategy, trigger, *members, delay=delay)


def test_one_for_all_in_order_is_right() -> None:
    story = crashed("one_for_all", "b", "a", "b", "c", delay=2.0).stop("/bot/c", "/bot/a").at(12.0)

    assert story.start("/bot/a", "/bot/b", "/bot/c", incarnation=2).found(GroupRestarts()) == []


def test_rest_for_one_in_order_is_right() -> None:
    story = crashed("rest_for_one", "b", "b", "c").stop("/bot/c").start("/bot/b", "/bot/c", incarnation=2)

    assert story.found(GroupRestarts()) == []


def test_a_wrong_set_is_found() -> None:
    assert crashed("rest_for_one", "b", "a", "b", "c").found(GroupRestarts()) == [
        "group_restart: 10.000 s, record 13, /bot: rest_for_one because of b restarts a, b, c: it should be b, c"
    ]


def test_a_child_that_was_added_belongs_to_the_group() -> None:
    story = Story().bot("a", strategy="one_for_all").start("/bot/a").worker("/bot/new").start("/bot/new")
    story.crash("/bot/a").group("/bot", "one_for_all", "a", "a")

    assert "restarts a: it should be a, new" in story.found(GroupRestarts())[0]


def test_a_start_before_all_have_stopped_is_found() -> None:
    story = crashed("one_for_all", "b", "a", "b", "c").stop("/bot/c").at(11.0).start("/bot/b", incarnation=2)

    assert story.found(GroupRestarts()) == [
        (
            "group_restart: 11.000 s, record 15, /bot/b: it starts before /bot/a has ended: "
            "the group (record 13, 10.000 s) stops first"
        ),
        (
            "group_restart: 11.000 s, record 15, /bot/b: it starts before /bot/a: "
            "the group (record 13, 10.000 s) starts in start order"
        ),
    ]


def test_a_start_out_of_order_is_found() -> None:
    story = crashed("one_for_all", "b", "a", "b", "c").stop("/bot/c", "/bot/a").start("/bot/c", incarnation=2)

    assert story.found(GroupRestarts()) == [
        (
            "group_restart: 10.000 s, record 16, /bot/c: it starts before /bot/a: "
            "the group (record 13, 10.000 s) starts in start order"
        )
    ]


def test_a_start_before_the_one_before_is_ready_is_found() -> None:
    story = crashed("rest_for_one", "b", "b", "c").stop("/bot/c").add("child_starting", "/bot/b", 2)

    assert story.add("child_starting", "/bot/c", 2).found(GroupRestarts()) == [
        "group_restart: 10.000 s, record 16, /bot/c: it starts before /bot/b (record 15, 10.000 s) is ready"
    ]


def test_a_start_before_the_wait_is_over_is_found() -> None:
    story = crashed("rest_for_one", "c", "c", delay=30.0).at(15.0).start("/bot/c", incarnation=2)

    assert story.found(GroupRestarts()) == [
        (
            "group_restart: 15.000 s, record 14, /bot/c: it starts after 5.000 s: "
            "the group (record 13, 10.000 s) waits 30.000 s"
        )
    ]


def test_an_operator_may_cut_the_wait_short() -> None:
    story = crashed("rest_for_one", "c", "c", delay=30.0).at(15.0).add("command", "/bot/c", verb="restart_child")

    assert story.start("/bot/c", incarnation=2).found(GroupRestarts()) == []


def test_whoever_is_kept_down_is_not_waited_for() -> None:
    story = crashed("one_for_all", "b", "a", "b", "c").stop("/bot/c", "/bot/a").add("child_stopped", "/bot/a")

    assert story.start("/bot/b", "/bot/c", incarnation=2).found(GroupRestarts()) == []


def test_a_failure_during_the_start_begins_a_new_group() -> None:
    story = crashed("one_for_all", "b", "a", "b", "c").stop("/bot/c", "/bot/a").start("/bot/a", incarnation=2)
    story.add("child_starting", "/bot/b", 2).crash("/bot/b", 2).group("/bot", "one_for_all", "b", "a", "b", "c")

    assert story.stop("/bot/a", incarnation=2).start("/bot/a", incarnation=3).found(GroupRestarts()) == []
