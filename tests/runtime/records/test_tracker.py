"""The error tracker: exact totals, the latest thousand, what is left out and said to be, and the export."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.machines.classification import Category, Severity
from duenna.machines.error_tracker import Trend
from duenna.tracker import KEPT, ErrorTracker, ExportError

from .kit import NEW_YEAR, classified

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


def tracker(now: float = 0.0) -> ErrorTracker:
    return ErrorTracker(lambda: now, wall=lambda: NEW_YEAR)


def test_the_summary_counts_by_service_type_category_and_severity() -> None:
    errors = tracker()
    errors.record(classified("a", service="api", category=Category.NETWORK, severity=Severity.MEDIUM))
    errors.record(classified("b", service="api", label="order_rejected", category=Category.API))
    errors.record(classified("c", error_type="KeyError"))

    summary = errors.summary()

    assert summary.total_errors == errors.total == 3
    assert summary.errors_by_service == {"api": 2, "/bot/a": 1}
    assert summary.errors_by_type == {"KeyError": 1, "ValueError": 1, "order_rejected": 1}
    assert summary.errors_by_category == {"API": 1, "DATA": 1, "NETWORK": 1}
    assert summary.errors_by_severity == {"LOW": 2, "MEDIUM": 1}
    assert [record.error_message for record in summary.recent_errors] == ["a", "b", "c"]
    assert (summary.rate_per_minute, summary.trend, summary.complete) == (3.0, Trend.STEADY, True)
    assert errors.distinct == 3


@pytest.mark.parametrize(
    ("latest", "named"), [(0, []), (1, ["c"]), (2, ["b", "c"]), (3, ["a", "b", "c"]), (9, ["a", "b", "c"])]
)
@pytest.mark.parametrize("service", [None, "api"])
def test_as_many_of_the_latest_are_named_as_are_asked_for(latest: int, named: list[str], service: str | None) -> None:
    """All are counted."""
    errors = tracker()
    for message in "abc":
        errors.record(classified(message, service="api"))

    summary = errors.summary(latest=latest, service=service)

    assert summary.total_errors == 3
    assert [record.error_message for record in summary.recent_errors] == named


def test_an_error_that_was_reported_before_is_not_counted_again() -> None:
    """A guard reports it, the actor that crashes of it does too: it is one error."""
    errors = tracker()
    errors.record(classified(id=7))

    errors.record(classified(id=8, repeats=7))

    summary = errors.summary()
    assert (summary.total_errors, summary.repeated, len(summary.recent_errors)) == (1, 1, 1)


def test_only_the_latest_are_kept_but_all_are_counted() -> None:
    errors = tracker()
    for number in range(KEPT + 5):
        errors.record(classified(str(number)))

    summary = errors.summary()

    assert (summary.total_errors, len(summary.recent_errors), summary.complete) == (KEPT + 5, KEPT, True)
    assert (summary.recent_errors[0].error_message, errors.recent[-1].report.message) == ("5", str(KEPT + 4))


def test_a_million_distinct_types_take_no_more_room_than_a_thousand() -> None:
    errors = tracker()
    for number in range(20_000):
        errors.record(classified(error_type=f"type {number}", service=f"service {number}"))

    summary = errors.summary()

    assert errors.distinct == len(summary.errors_by_type) == len(summary.errors_by_service) == 1001
    assert sum(summary.errors_by_type.values()) == summary.total_errors == 20_000
    assert next(iter(summary.errors_by_type.items())) == ("(other)", 19_000)


# -- filters ---------------------------------------------------------------------


def some_errors() -> ErrorTracker:
    errors = tracker(now=100.0)
    errors.record(classified("old", time=10.0, service="api", severity=Severity.CRITICAL))
    errors.record(classified("ValueError: low", time=90.0, service="api"))
    errors.record(classified("high", time=95.0, service="db", severity=Severity.HIGH, error_type="OSError"))
    return errors


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({}, ["old", "ValueError: low", "high"]),
        ({"since": 10}, ["ValueError: low", "high"]),  # the start included
        ({"since": 9.9}, ["high"]),
        ({"since": 0}, []),
        ({"since": float("inf")}, ["old", "ValueError: low", "high"]),
        ({"service": "api"}, ["old", "ValueError: low"]),
        ({"service": "nobody"}, []),
        ({"min_severity": "LOW"}, ["old", "ValueError: low", "high"]),
        ({"min_severity": Severity.HIGH}, ["old", "high"]),
        ({"min_severity": "CRITICAL"}, ["old"]),
        ({"since": 50, "service": "db", "min_severity": "MEDIUM"}, ["high"]),
    ],
)
def test_a_filter_leaves_some(arguments: dict[str, Any], messages: list[str]) -> None:
    summary = some_errors().summary(**arguments)

    assert [record.error_message for record in summary.recent_errors] == messages
    assert summary.total_errors == sum(summary.errors_by_type.values()) == len(messages)
    assert summary.complete


def test_a_filter_says_when_it_could_not_see_all() -> None:
    """Errors of the first 5 s are no longer kept: only what began after them is complete."""
    errors = tracker(now=1000.0)
    for number in range(KEPT + 5):
        errors.record(classified(str(number), time=float(number)))

    assert errors.summary().complete
    assert errors.summary(since=995.5).complete
    assert not errors.summary(since=996.0).complete
    assert not errors.summary(service="/bot/a").complete
    assert errors.summary(service="/bot/a").total_errors == KEPT
    assert "1000 errors among those still kept" in errors.summary(service="/bot/a").text()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"since": -1}, ValueError, "errors: since must be >= 0 seconds, got -1"),
        ({"since": "1h"}, TypeError, "errors: since must be a number, got '1h'"),
        ({"service": 3}, TypeError, "errors: service must be a str, got 3"),
        ({"latest": -1}, ValueError, "errors: latest must be >= 0, got -1"),
        (
            {"min_severity": "bad"},
            ValueError,
            "errors: min_severity must be one of 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL', got 'bad'",
        ),
    ],
)
def test_a_filter_that_cannot_be_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        tracker().summary(**arguments)

    assert str(caught.value) == message


# -- rates -----------------------------------------------------------------------


async def test_the_rate_slides_with_the_clock(autojump_clock: MockClock) -> None:
    errors = ErrorTracker()
    for _ in range(120):
        errors.record(classified(time=trio.current_time()))
        await trio.sleep(1)

    assert (errors.rate(), errors.count_since(30), errors.count_since(900)) == (59.0, 29, 120)
    await trio.sleep(60)
    assert (errors.rate(), errors.rate(now=119.0), errors.trend()) == (0.0, 60.0, Trend.RISING)
    await trio.sleep(300)
    assert errors.trend() is Trend.FALLING


@pytest.mark.parametrize(("seconds", "why"), [(901, "at most 900, got 901.0"), (0, "> 0 seconds, got 0")])
def test_a_window_longer_than_what_is_kept_is_refused(seconds: float, why: str) -> None:
    with pytest.raises(ValueError, match=f"^errors: seconds must be {why}$"):
        tracker().count_since(seconds)


# -- for a person ----------------------------------------------------------------


def test_the_summary_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    errors = some_errors()

    errors.print_summary()

    assert capsys.readouterr().out == (
        "3 errors (0 reported again), 2 in the last minute, steady\n"
        "  by severity: CRITICAL 1, HIGH 1, LOW 1\n"
        "  by category: DATA 3\n"
        "  by service: api 2, db 1\n"
        "  by type: ValueError 2, OSError 1\n"
        "  latest:\n"
        "    2026-01-01T00:00:00.000000Z CRITICAL DATA api: ValueError: old\n"
        "    2026-01-01T00:00:00.000000Z LOW DATA api: ValueError: low\n"
        "    2026-01-01T00:00:00.000000Z HIGH DATA db: OSError: high\n"
    )


def test_a_long_summary_shows_the_most_and_the_latest() -> None:
    errors = tracker()
    for number in range(30):
        errors.record(classified(str(number), service=f"service {number:02}"))
    output = io.StringIO()

    errors.print_summary(service=None, file=output)

    assert "service 09 1, 20 more\n" in output.getvalue()
    assert output.getvalue().count("ValueError: ") == 10


def test_nothing_is_printed_of_no_errors() -> None:
    assert tracker().summary().text() == "0 errors (0 reported again), 0 in the last minute, steady"


def test_clear_forgets_all() -> None:
    errors = some_errors()
    errors.record(classified(repeats=1))

    errors.clear()

    empty = errors.summary()
    assert (empty.total_errors, empty.repeated, empty.recent_errors, errors.distinct) == (0, 0, (), 0)
    assert (errors.rate(), errors.count_since(900), empty.complete) == (0.0, 0, True)


# -- export ----------------------------------------------------------------------


async def test_the_export_is_the_summary_as_json(tmp_path: Path) -> None:
    errors = some_errors()
    file = tmp_path / "exports/errors.json"

    await errors.export(file)
    await errors.export(str(file))

    written = json.loads(file.read_text())
    assert written["exported_at"] == "2026-01-01T00:00:00.000000Z"
    assert (written["total_errors"], written["errors_by_service"]) == (3, {"api": 2, "db": 1})
    assert [error["error_message"] for error in written["recent_errors"]] == ["old", "ValueError: low", "high"]
    assert [entry.name for entry in file.parent.iterdir()] == ["errors.json"]


async def test_an_export_takes_any_text(tmp_path: Path, autojump_clock: MockClock) -> None:
    errors = tracker()
    errors.record(classified('\udcff "\u2028" 取引'))

    await errors.export(tmp_path / "errors.json")

    assert json.loads((tmp_path / "errors.json").read_bytes())["recent_errors"][0]["error_message"] == (
        '\udcff "\u2028" 取引'
    )


async def test_an_export_that_fails_says_so_and_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")

    with pytest.raises(ExportError) as caught:
        await some_errors().export(tmp_path / "file/errors.json")

    assert str(caught.value) == f"cannot export the errors to {tmp_path}/file/errors.json: Not a directory"
    assert (caught.value.file, caught.value.why) == (f"{tmp_path}/file/errors.json", "Not a directory")
    assert isinstance(caught.value.__cause__, OSError)
    assert (tmp_path / "file").read_text() == "kept"


async def test_an_export_needs_a_path() -> None:
    wrong: Any = 3

    with pytest.raises(TypeError, match=r"^errors: path must be a path, got 3$"):
        await tracker().export(wrong)


def test_one_error_costs_the_same_however_many_there_were() -> None:
    """No list is walked: the number of interpreter steps for one error does not grow."""

    def steps(errors: ErrorTracker) -> int:
        event, count = classified(time=5.0), 0

        def count_one(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(count_one)
        try:
            errors.record(event)
        finally:
            sys.setprofile(None)
        return count

    few, many = tracker(), tracker()
    for errors, count in ((few, 2000), (many, 20_000)):
        for number in range(count):
            errors.record(classified(error_type=str(number), time=float(number)))

    assert steps(many) == steps(few)
