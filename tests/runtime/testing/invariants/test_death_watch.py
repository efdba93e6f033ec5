"""Rule 8: one Down for each watch, not before the end, none after it was taken back."""

from __future__ import annotations

from typing import Any

from duenna.testing.invariants import DeathWatch

from .support import Story

W, T = "/bot/w", "/bot/t"


def watching(target_incarnation: int = 1) -> Story:
    story = Story().bot("t", "w").start(T, W).at(5.0)
    return story.add("watch", W, 1, number=1, target=T, target_incarnation=target_incarnation)


def down(story: Story, number: int = 1, **more: Any) -> Story:
    return story.add(
        "down", W, 1, **{"number": number, "target": T, "target_incarnation": 1, "reason": "normal", **more}
    )


def got(story: Story, incarnation: int = 1) -> Story:
    return story.add("down_received", W, incarnation, number=1, target=T)


def test_one_down_at_the_end_is_right() -> None:
    assert got(down(watching().at(9.0).crash(T)).at(10.0)).found(DeathWatch()) == []


def test_a_watch_of_nobody_is_answered_at_once() -> None:
    assert got(down(watching(0), reason="noproc")).found(DeathWatch()) == []


def test_a_lost_down_is_found() -> None:
    story = watching().at(9.0).crash(T).at(12.0).crash("/bot/other")

    assert story.found(DeathWatch()) == [
        (
            "death_watch: 12.000 s, record 10, /bot/w: incarnation 1 watches /bot/t (record 8, 5.000 s), "
            "which has ended (record 9, 9.000 s), and no Down came"
        )
    ]


def test_a_down_that_is_lost_at_the_end_of_the_trace_is_found() -> None:
    assert len(watching().at(9.0).crash(T).found(DeathWatch())) == 1


def test_a_down_that_comes_late_is_lost() -> None:
    assert len(down(watching().at(9.0).crash(T).at(10.0)).found(DeathWatch())) == 1


def test_a_down_before_the_end_is_found() -> None:
    assert down(watching()).found(DeathWatch()) == [
        (
            "death_watch: 5.000 s, record 9, /bot/w: a Down of /bot/t comes for the watch (record 8, 5.000 s), "
            "and its target has not ended"
        )
    ]


def test_a_second_down_is_found() -> None:
    assert down(down(watching().crash(T))).found(DeathWatch()) == [
        (
            "death_watch: 5.000 s, record 11, /bot/w: a Down of /bot/t comes for the watch (record 8, 5.000 s), "
            "which has brought one (record 10, 5.000 s)"
        )
    ]


def test_a_down_without_a_watch_is_found() -> None:
    assert len(down(Story().bot("t", "w"), number=7).found(DeathWatch())) == 1


def test_a_down_after_it_was_taken_back_is_found() -> None:
    story = watching().add("unwatch", W, 1, number=1, target=T).crash(T)

    assert down(story).found(DeathWatch()) == [
        (
            "death_watch: 5.000 s, record 11, /bot/w: a Down of /bot/t comes for the watch (record 8, 5.000 s), "
            "which was taken back (record 9, 5.000 s)"
        )
    ]


def test_a_watch_that_was_taken_back_brings_none() -> None:
    assert watching().add("unwatch", W, 1, number=1, target=T).crash(T).at(9.0).crash(W).found(DeathWatch()) == []


def test_a_down_that_is_delivered_although_it_was_taken_back_is_found() -> None:
    story = down(watching().crash(T)).add("unwatch", W, 1, number=1, target=T)

    assert got(story).found(DeathWatch()) == [
        (
            "death_watch: 5.000 s, record 12, /bot/w: it gets a Down of /bot/t although it has taken the watch back "
            "(record 11, 5.000 s)"
        )
    ]


def test_a_down_that_is_delivered_twice_is_found() -> None:
    assert len(got(got(down(watching().crash(T)))).found(DeathWatch())) == 1


def test_a_down_for_the_incarnation_before_is_found() -> None:
    story = down(watching().crash(T)).add("child_starting", W, 2)

    assert "for which incarnation 1 had watched" in got(story, 2).found(DeathWatch())[0]


def test_the_end_of_the_watcher_ends_its_watches() -> None:
    assert watching().crash(W).at(9.0).crash(T).at(10.0).crash("/bot/other").found(DeathWatch()) == []


def test_another_incarnation_of_the_target_is_another_target() -> None:
    assert watching(2).crash(T, 1).at(9.0).crash("/bot/other").found(DeathWatch()) == []
