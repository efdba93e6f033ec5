"""Rule 9: a transient child is not restarted after a normal end, a temporary one never."""

from __future__ import annotations

from duenna.testing.invariants import RestartTypes

from .support import Story


def ended(restart: str, reason: str, strategy: str = "one_for_one") -> Story:
    story = Story().supervisor("/bot", "a", strategy=strategy).worker("/bot/a", restart=restart)
    return story.start("/bot/a").at(3.0).crash("/bot/a", reason=reason)


def test_a_transient_one_that_crashed_is_restarted() -> None:
    assert ended("transient", "OSError").retry("/bot/a").start("/bot/a", incarnation=2).found(RestartTypes()) == []


def test_a_transient_one_that_had_finished_is_not() -> None:
    assert ended("transient", "normal").at(4.0).retry("/bot/a").found(RestartTypes()) == [
        (
            "restart_type: 4.000 s, record 6, /bot/a: it is transient and ended with 'normal' (record 5, 3.000 s), "
            "yet it is to be restarted"
        )
    ]


def test_a_temporary_one_never_is() -> None:
    assert ended("temporary", "OSError").at(4.0).start("/bot/a", incarnation=2).found(RestartTypes()) == [
        (
            "restart_type: 4.000 s, record 6, /bot/a: it is temporary and ended with 'OSError' (record 5, 3.000 s), "
            "yet it starts again, and nobody asked for it"
        )
    ]


def test_an_operator_may_start_it() -> None:
    story = ended("transient", "normal").add("command", "/bot/a", verb="restart_child")

    assert story.start("/bot/a", incarnation=2).found(RestartTypes()) == []


def test_a_group_may_take_it_along() -> None:
    story = ended("transient", "normal", "one_for_all").group("/bot", "one_for_all", "b", "a")

    assert story.start("/bot/a", incarnation=2).found(RestartTypes()) == []


def test_a_start_that_failed_is_retried_whatever_the_type() -> None:
    story = Story().supervisor("/bot", "a").worker("/bot/a", restart="temporary").add("child_starting", "/bot/a", 1)
    story.add("child_exited", "/bot/a", 1, reason="OSError", context="start_error", uptime=0.0)

    assert story.retry("/bot/a").found(RestartTypes()) == []


def test_a_supervisor_that_begins_anew_starts_all() -> None:
    story = Story().supervisor("/bot", "s").supervisor("/bot/s", "a").worker("/bot/s/a", restart="transient")
    story.start("/bot/s", "/bot/s/a").crash("/bot/s/a", reason="normal").crash("/bot/s")

    assert story.start("/bot/s", incarnation=2).start("/bot/s/a", incarnation=2).found(RestartTypes()) == []
