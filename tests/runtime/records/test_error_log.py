"""The error log's lines: the ten keys, one object a line whatever it holds, one file a day."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.classification import Category, Severity
from duenna.records.dates import DAY, moment, timestamp, until_midnight
from duenna.records.error_log import ErrorRecord, encode, error_lines, held, record_of, size_of

from .kit import NEW_YEAR, classified

KEYS = [
    "timestamp",
    "error_type",
    "error_message",
    "severity",
    "category",
    "service_name",
    "function_name",
    "retry_count",
    "stack_trace",
    "context",
]


def lines_of(*events: Any) -> dict[str, bytes]:
    return error_lines([held(event) for event in events])


def test_a_line_has_exactly_the_ten_keys() -> None:
    event = classified(
        "httpx.ConnectError: no route",
        error_type="httpx.ConnectError",
        at=NEW_YEAR + 3.25,
        category=Category.NETWORK,
        severity=Severity.MEDIUM,
        frames=('File "a.py", line 1, in poll', 'File "b.py", line 22, in get'),
        function="get",
        retry_count=2,
        context={"symbol": "BTCUSDT"},
    )

    written = lines_of(event)

    assert list(written) == ["errors_20260101.jsonl"]
    line = json.loads(written["errors_20260101.jsonl"])
    assert list(line) == KEYS
    assert line == {
        "timestamp": "2026-01-01T00:00:03.250000Z",
        "error_type": "httpx.ConnectError",
        "error_message": "httpx.ConnectError: no route",
        "severity": "MEDIUM",
        "category": "NETWORK",
        "service_name": "/bot/a",
        "function_name": "get",
        "retry_count": 2,
        "stack_trace": 'File "a.py", line 1, in poll\nFile "b.py", line 22, in get',
        "context": {"symbol": "BTCUSDT"},
    }


def test_a_label_and_a_service_stand_for_the_type_and_the_path() -> None:
    record = record_of(classified(label="order_rejected", service="gateway"))

    assert (record.error_type, record.service_name) == ("order_rejected", "gateway")


def test_the_operation_is_part_of_the_context() -> None:
    assert record_of(classified(operation="fetch", context={"a": "1"})).context == {"a": "1", "operation": "fetch"}
    assert record_of(classified(operation="fetch", context={"operation": "mine"})).context == {"operation": "mine"}


def test_an_error_is_in_the_file_of_its_day_in_utc() -> None:
    """A microsecond decides: the file's day is always that of the timestamp."""
    last = classified("last", at=NEW_YEAR + DAY - 0.000001)
    rounded = classified("rounded up", at=math.nextafter(NEW_YEAR + DAY, 0))

    written = lines_of(classified("first"), last, rounded)

    assert list(written) == ["errors_20260101.jsonl", "errors_20260102.jsonl"]
    assert [json.loads(line)["error_message"] for line in written["errors_20260101.jsonl"].splitlines()] == [
        "first",
        "last",
    ]
    assert json.loads(written["errors_20260102.jsonl"])["timestamp"] == "2026-01-02T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("a\nb\r\nc", b"a\\nb\\r\\nc"),
        ('"quoted" \\', b'\\"quoted\\" \\\\'),
        ("\x00\x1b[31m", b"\\u0000\\u001b[31m"),
        ("a\u2028b\u2029c\x85d", b"a\\u2028b\\u2029c\\u0085d"),
        ("Überweisung 取引", "Überweisung 取引".encode()),
    ],
)
def test_a_text_is_on_one_line_and_comes_back(text: str, raw: bytes) -> None:
    (written,) = lines_of(classified(text)).values()

    assert raw in written
    assert written.count(b"\n") == 1
    assert len(written.decode().splitlines()) == 1
    assert json.loads(written)["error_message"] == text


def test_what_is_no_unicode_is_written_as_an_escape() -> None:
    """A file name that the system could not decode is such a text; the lines round it are not lost."""
    (written,) = lines_of(classified("before"), classified("file \udcff", context={"\ud800": "x"})).values()

    first, second = map(json.loads, written.splitlines())
    assert first["error_message"] == "before"
    assert (second["error_message"], second["context"]) == ("file \\udcff", {"\\ud800": "x"})


class Rude:
    def __str__(self) -> str:
        raise RuntimeError


def test_what_is_no_text_at_all_is_written_all_the_same() -> None:
    """The types forbid it; a line is lost for nothing less."""
    wrong: Any = {
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "error_type": Rude(),
        "error_message": b"\xff",
        "severity": None,
        "category": 3,
        "service_name": "x" * 1_000_000,
        "function_name": math.nan,
        "retry_count": 1 << 80,
        "stack_trace": "",
        "context": {"key": Rude(), "more": object},
    }

    line = json.loads(encode([ErrorRecord(**wrong)]))

    assert line["error_type"] == "<its __str__ raised RuntimeError>"
    assert line["context"] == {"key": "<its __str__ raised RuntimeError>", "more": "<class 'object'>"}
    assert (line["retry_count"], len(line["service_name"])) == (0, 100_000)


@given(st.lists(st.tuples(st.text(st.characters()), st.floats(0, 4e9)), min_size=1, max_size=20))
def test_each_error_is_one_line_in_the_file_of_its_day(errors: list[tuple[str, float]]) -> None:
    written = lines_of(*(classified(text, at=at) for text, at in errors))

    found = [json.loads(line) for data in written.values() for line in data.decode().splitlines()]

    assert len(found) == len(errors)
    for name, data in written.items():
        assert {json.loads(line)["timestamp"][:10].replace("-", "") for line in data.splitlines()} == {name[7:15]}


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1.5, "1970-01-01T00:00:01.500000Z"),
        (-5, "1970-01-01T00:00:00.000000Z"),
        (math.nan, "1970-01-01T00:00:00.000000Z"),
        (-math.inf, "1970-01-01T00:00:00.000000Z"),
        (math.inf, "9999-12-31T23:59:59.000000Z"),
        (1e300, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_a_timestamp_is_made_of_any_number(at: float, text: str) -> None:
    """A clock that is not set must not cost the record of what happened."""
    assert timestamp(at) == text


@given(st.floats(0, 4e9))
def test_a_timestamp_is_the_datetime_s(at: float) -> None:
    assert timestamp(at) == moment(at).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


@pytest.mark.parametrize(("at", "wait"), [(0, DAY), (1, DAY - 1), (DAY - 0.5, 0.5), (DAY, DAY), (math.nan, DAY)])
def test_the_time_until_midnight(at: float, wait: float) -> None:
    assert until_midnight(at) == wait


def test_the_size_grows_with_what_is_held() -> None:
    small = size_of(held(classified("")))

    assert size_of(held(classified("12345", frames=("1234", "1"), context={"a": "123"}))) == small + 13
