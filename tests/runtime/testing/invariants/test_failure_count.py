"""Rule 24: failures add up until an incarnation stays up long enough."""

from __future__ import annotations

import pytest

from duenna.testing.invariants import FailureCount

from .support import Story


def failing(*lives: tuple[float, int]) -> Story:
    story = Story().bot("a")
    for incarnation, (uptime, failures) in enumerate(lives, 1):
        story.start("/bot/a", incarnation=incarnation).crash("/bot/a", incarnation, uptime=uptime)
        story.retry("/bot/a", failures=failures)
    return story


@pytest.mark.parametrize("lives", [[(1.0, 1), (59.9, 2), (0.0, 3)], [(1.0, 1), (60.0, 1), (1.0, 2)]])
def test_a_count_that_adds_up_is_right(lives: list[tuple[float, int]]) -> None:
    assert failing(*lives).found(FailureCount()) == []


def test_a_count_that_is_forgotten_too_early_is_found() -> None:
    assert failing((1.0, 1), (1.0, 1)).found(FailureCount()) == [
        (
            "failure_count: 0.000 s, record 10, /bot/a: failure 1 after failure 1 and 1.000 s of uptime "
            "(record 9, 0.000 s): it should be 2, only 60.0 s of uptime make failures forgotten"
        )
    ]


def test_a_count_that_is_never_forgotten_is_found() -> None:
    assert len(failing((1.0, 1), (61.0, 2)).found(FailureCount())) == 1


@pytest.mark.parametrize("kind", ["child_parked", "child_stopped"])
def test_a_hand_forgives(kind: str) -> None:
    story = failing((1.0, 1), (1.0, 2)).add(kind, "/bot/a").start("/bot/a", incarnation=3).crash("/bot/a", 3)

    assert story.retry("/bot/a", failures=1).found(FailureCount()) == []


@pytest.mark.parametrize("failures", [1, 2])
def test_a_child_that_is_started_by_hand_may_be_forgiven(failures: int) -> None:
    """One that had finished is, one in backoff is not; the records do not tell which it was."""
    story = failing((1.0, 1)).add("command", "/bot/a", verb="restart_child").start("/bot/a", incarnation=2)

    assert story.crash("/bot/a", 2).retry("/bot/a", failures=failures).found(FailureCount()) == []


def test_a_supervisor_that_begins_anew_forgets() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a").start("/bot/s", "/bot/s/a")
    story.crash("/bot/s/a").retry("/bot/s/a").crash("/bot/s").start("/bot/s", incarnation=2)

    assert story.start("/bot/s/a", incarnation=2).crash("/bot/s/a", 2).retry("/bot/s/a").found(FailureCount()) == []
