"""Rules 1 and 15: what was acknowledged is restored."""

from __future__ import annotations

from duenna.testing.invariants import Acknowledged

from .support import Story


def saved(version: int = 3, *, is_durable: bool = True) -> Story:
    """Return a story in which /bot/a has saved *version*, and has crashed."""
    story = Story().bot("a").start("/bot/a")
    return story.at(1.0).add("actor_saved", "/bot/a", 1, version=version, is_durable=is_durable).crash("/bot/a")


def test_what_was_acknowledged_or_later_is_right() -> None:
    for version in (3, 4):
        story = saved().add("child_starting", "/bot/a", 2).add("actor_restored", "/bot/a", 2, version=version)

        assert story.add("child_started", "/bot/a", 2).found(Acknowledged()) == []


def test_an_older_state_is_found() -> None:
    story = saved().at(2.0).add("child_starting", "/bot/a", 2).add("actor_restored", "/bot/a", 2, version=2)

    (found,) = story.found(Acknowledged())
    assert "incarnation 2 begins with version 2, but version 3 was acknowledged (record 5, 1.000 s)" in found


def test_a_clean_start_is_found() -> None:
    story = saved().add("child_starting", "/bot/a", 2).add("child_started", "/bot/a", 2)

    (found,) = story.found(Acknowledged())
    assert "incarnation 2 begins clean, but version 3 was acknowledged" in found


def test_a_clean_start_that_was_told_is_right() -> None:
    story = saved().add("state_set_aside", "/bot/a", 0).add("child_starting", "/bot/a", 2)

    assert story.add("child_started", "/bot/a", 2).found(Acknowledged()) == []


def test_the_next_process_owes_what_a_durable_store_acknowledged() -> None:
    for is_durable, count in ((True, 1), (False, 0)):
        story = saved(is_durable=is_durable).add("child_starting", "/bot/a", 1).add("child_started", "/bot/a", 1)

        assert len(story.found(Acknowledged())) == count


def test_a_loss_that_nobody_is_told_of_is_found() -> None:
    story = Story().bot("a").add("state_damaged", "/system/persistence", 0, loss="acknowledged")

    (found,) = story.found(Acknowledged())
    assert "and trading went on: it should begin to reconcile" in found
    assert story.add("reconcile_began", "/", 0).found(Acknowledged()) == []
