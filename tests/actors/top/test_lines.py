"""What a narrow screen leaves out: never what helps, and never how it ended."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rich", reason="the screen needs the extra `tui`")
from duenna_actors.top import lines, shapes
from duenna_actors.top.mirror import Mirror

LONG = "is parked after 1 failure, restart it when the cause is gone: " + "x" * 200


def mirror(**header: Any) -> Mirror:
    """Return what is known of a bot with this header."""
    made = Mirror()
    made.header = {"now": 0.0, "at": 0.0, "needs": [], "why": [], **header}
    return made


def need(text: str, *actions: str) -> dict[str, Any]:
    """Return a need."""
    return {"path": "/polybot/risk", "severity": "critical", "text": text, "since": None, "actions": list(actions)}


def incident(**more: Any) -> dict[str, Any]:
    """Return a line of the timeline."""
    verdict = {"category": "RATE_LIMIT", "severity": "MEDIUM", "transient": True}
    action = {"name": "rate_limit_wait", "attempt": 12, "status": "gave_up"}
    made = {"id": 1234, "path": "/polybot/exchange/rest-binance-spot-and-futures", "began": 0.0, "took": 30.2}
    return {
        **made,
        "error": "E" * 300,
        "errors": 17,
        "verdicts": [verdict],
        "actions": [action],
        "outcome": "gave_up",
        **more,
    }


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_need_shows_what_helps_and_how_many_there_are_more(width: int) -> None:
    """The sentence gives way; the last line that fits counts the others."""
    shown = lines.needs(mirror(needs=[need(LONG, "restart") for _ in range(5)]), 2, width)

    assert [each.cell_len <= width for each in shown] == [True, True]
    assert shown[0].plain.endswith("…  [restart]")
    assert shown[1].plain.endswith("…  [restart]  (+3 more)")


def test_needs_that_all_fit_are_not_counted() -> None:
    shown = lines.needs(mirror(needs=[need("short"), need("too", "reset")]), 2, 80)

    assert [each.plain for each in shown] == [" ✖ short", " ✖ too  [reset]"]


@pytest.mark.parametrize(
    ("width", "has"),
    [
        (200, ["RATE_LIMIT/MEDIUM", "rate_limit_wait #12 gave up", "gave up in 30s  #1234"]),
        (100, ["rate_limit_wait #12 gave up", "→ gave up in 30s"]),
        (80, ["→ gave up in 30s"]),
        (60, ["→ gave up in 30s"]),
    ],
)
def test_a_line_of_the_timeline_shows_its_outcome_at_any_width(width: int, has: list[str]) -> None:
    """First the name is cut, then verdict and actions go; some of the error and the outcome stay."""
    (shown,) = lines.why(mirror(why=[incident()]), 5, width)

    assert shown.cell_len <= width
    assert [part for part in has if part not in shown.plain] == []
    assert "EEEE" in shown.plain
    assert " 17 times" in shown.plain


@pytest.mark.parametrize(("took", "end"), [(None, "→ open"), (0.0002, "→ open"), (0.002, "→ open in 2ms")])
def test_what_took_no_time_has_none(took: float | None, end: str) -> None:
    (shown,) = lines.why(mirror(why=[incident(took=took, outcome="open", verdicts=[], actions=[])]), 5, 200)

    assert end in shown.plain
    assert ("in " in shown.plain) == ("in " in end)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"state": "running"}, "running"),
        ({"state": "running", "is_suspended": True}, "suspended"),
        ({"state": "failed", "is_suspended": True}, "parked"),
        ({"state": "running", "status": "degraded"}, "degraded"),
        ({"state": "hibernating"}, "hibernating"),
    ],
)
def test_a_row_has_the_word_for_what_a_person_should_know(row: dict[str, Any], word: str) -> None:
    assert shapes.of_row(row).word == word


@pytest.mark.parametrize(("rate", "tone"), [(0.0, False), (3.0, True)])
def test_errors_that_are_over_are_not_red(rate: float, tone: bool) -> None:
    """The trend of nothing is no alarm."""
    found = lines._tone({"rate": rate, "trend": "rising"})

    assert (found == "bad") is tone


def test_who_is_connected_and_was_told_nothing_yet_is_not_live() -> None:
    told = lines.header(Mirror(), lines.Contact(is_live=True), at=0.0, width=80)

    assert told.plain == " ◌ connected, the bot has said nothing yet"
