"""Rules 19 and 20: the stop ends in time and leaves nothing; without a fault there is no error."""

from __future__ import annotations

from typing import Any

import pytest

from duenna.testing.invariants import Explained, Shutdown, WorldEnd

from .support import Story


def stopping() -> Story:
    return Story().bot("a", "b").start("/bot/a", "/bot/b").at(100.0).add("runtime_stopping", "/", reason="stop")


def test_a_stop_in_time_is_right() -> None:
    story = stopping().at(110.0).stop("/bot/b", "/bot/a").add("runtime_stopped", "/").add("world_end")

    assert story.found(Shutdown()) == []


def test_a_stop_that_takes_too_long_is_found() -> None:
    story = stopping().at(105.0).add("child_stuck", "/bot/b", 1, after=5.0).at(111.0).stop("/bot/b", "/bot/a")

    assert story.add("runtime_stopped", "/").found(Shutdown()) == [
        (
            "shutdown: 111.000 s, record 12: the stop that began (record 8, 100.000 s) took 11.000 s, its "
            "children have 10.000 s together; stuck: /bot/b"
        )
    ]


def test_a_child_without_a_limit_has_none() -> None:
    story = Story().bot("a").worker("/bot/b", shutdown=None).start("/bot/a", "/bot/b").add("runtime_stopping", "/")
    story.at(900.0).stop("/bot/b", "/bot/a").add("runtime_stopped", "/")

    assert story.found(Shutdown()) == []


def test_children_that_are_removed_on_the_way_have_had_their_time() -> None:
    story = stopping().at(108.0).stop("/bot/b").add("child_removed", "/bot/b").stop("/bot/a")

    assert story.add("runtime_stopped", "/").found(Shutdown()) == []


def test_who_is_left_alive_is_found() -> None:
    assert stopping().stop("/bot/b").add("runtime_stopped", "/").found(Shutdown()) == [
        (
            "shutdown: 100.000 s, record 10, /bot/a: the runtime has stopped, and incarnation 1 (record 4, 0.000 s) "
            "is still alive"
        )
    ]


def test_a_stop_that_does_not_end_is_found() -> None:
    assert stopping().at(500.0).add("world_end").found(Shutdown()) == [
        (
            "shutdown: 500.000 s, at the end: the stop that began (record 8, 100.000 s) has not ended; "
            "still alive: /bot/a, /bot/b"
        )
    ]


def test_a_trace_that_was_cut_off_is_not_blamed() -> None:
    assert stopping().found(Shutdown()) == []


def test_a_stop_that_was_cut_is_found() -> None:
    assert stopping().at(160.0).add("stop_overdue", limit=10.0).found(Shutdown()) == [
        (
            "shutdown: 160.000 s, record 9: the stop that began (record 8, 100.000 s) takes so long that it was cut; "
            "still alive: /bot/a, /bot/b"
        )
    ]


def test_a_world_that_ends_empty_is_right() -> None:
    assert Story().add("world_end", open_sockets=[], tasks=[], leaks=[]).found(WorldEnd()) == []


def test_whatever_is_left_is_found() -> None:
    story = Story().at(3.0).add("world_end", open_sockets=["bot:1>x:80"], tasks=["t"], leaks=["thread at bot.py:3"])

    assert story.found(WorldEnd()) == [
        "world_end: 3.000 s, record 1: socket bot:1>x:80 was never closed",
        "world_end: 3.000 s, record 1: task t still runs: nobody owns it",
        "world_end: 3.000 s, record 1: something real was touched: thread at bot.py:3",
    ]


def test_an_error_without_any_fault_is_found() -> None:
    assert Story().at(70.0).crash("/bot/a").found(Explained(30.0)) == [
        "explained: 70.000 s, record 1, /bot/a: it ended with OSError: gone, and no fault explains it: there was none"
    ]


def test_an_error_long_after_a_fault_is_found() -> None:
    story = Story().fault().at(10.0).fault_over().at(41.0).crash("/bot/a")

    assert "the last was over at 10.000 s" in story.found(Explained(30.0))[0]


@pytest.mark.parametrize("t", [5.0, 10.0, 40.0])
def test_a_fault_explains_errors_until_the_bound(t: float) -> None:
    story = Story().at(0.0).fault()
    if t >= 10.0:
        story.at(10.0).fault_over()

    assert story.at(t).crash("/bot/a").found(Explained(30.0)) == []


def test_an_own_crash_is_a_fault_without_a_length() -> None:
    story = Story().at(5.0).fault(duration=0.0, kind="own").crash("/bot/a").at(36.0).crash("/bot/a")

    assert len(story.found(Explained(30.0))) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("child_stuck", {"after": 5.0}, "it has not ended 5.0 s after it was told to"),
        ("cleanup_failed", {"error": "OSError"}, "its cleanup failed: OSError"),
        ("error_reported", {"error": "OSError"}, "it reported OSError"),
        ("supervisor_gave_up", {"reason": "too many"}, "it gave up: too many"),
        ("loop_blocked", {"actor": "/bot/a"}, "the event loop was blocked by /bot/a"),
    ],
)
def test_every_kind_of_error_needs_a_fault(kind: str, fields: dict[str, Any], text: str) -> None:
    assert f"{text}, and no fault" in Story().add(kind, "/bot/a", **fields).found(Explained(30.0))[0]


def test_orderly_ends_are_no_errors() -> None:
    assert Story().stop("/bot/a").crash("/bot/a", reason="normal").found(Explained(30.0)) == []
