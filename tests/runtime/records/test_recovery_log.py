"""The recovery log's lines: five parts, whatever the error says, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.records import RecoveryRecord, RecoveryStatus, format_recovery_line, parse_recovery_line
from duenna.records.dates import DAY, moment
from duenna.records.escapes import escape, unescape, visible
from duenna.records.recovery_log import recovery_lines, recovery_record

from .kit import NEW_YEAR, attempted


def line_of(event: Any, kind: str = "") -> str:
    return format_recovery_line(recovery_record(event, kind, NEW_YEAR))


@pytest.mark.parametrize(
    ("event", "kind", "line"),
    [
        (attempted(error="TimeoutError"), "", "network_retry | started | TimeoutError | 1"),
        (attempted(status="success", attempt=2), "", "network_retry | success |  | 2"),
        (attempted(status="failed", error="no", attempt=3), "api", "api_network_retry | failed | no | 3"),
        (attempted(error="no"), "actor", "network_retry | started | no | 1"),
        (attempted(error="no"), "function", "network_retry | started | no | 1"),
        (
            attempted(status="gave_up", error="no", attempt=3, attempts=3),
            "",
            "network_retry | failed | Maximum restart attempts (3) reached | 3",
        ),
        (attempted(status="gave_up", error="bad key"), "", "network_retry | failed | bad key | 1"),
        (attempted(status="gave_up"), "", "network_retry | failed | gave up | 1"),
        (attempted(status="exploded", error="?"), "", "network_retry | failed | ? | 1"),
        (attempted(action="my|own", error="a | b\nc"), "", "my\\|own | started | a \\| b\\nc | 1"),
    ],
)
def test_a_line(event: Any, kind: str, line: str) -> None:
    assert line_of(event, kind) == f"2026-01-01T00:00:00.000000Z | {line}"


def test_a_long_error_is_cut() -> None:
    assert len(recovery_record(attempted(error="x" * 1_000_000), "", 0).error) == 1000


def test_each_line_is_in_the_file_of_its_day() -> None:
    records = [recovery_record(attempted(attempt=n), "", NEW_YEAR + n * DAY / 2) for n in (1, 2, 3)]

    assert recovery_lines(records) == {
        "recovery-2026-01-01.log": b"2026-01-01T12:00:00.000000Z | network_retry | started |  | 1\n",
        "recovery-2026-01-02.log": b"2026-01-02T00:00:00.000000Z | network_retry | started |  | 2\n"
        b"2026-01-02T12:00:00.000000Z | network_retry | started |  | 3\n",
    }


TEXTS = st.text(st.characters(codec=None), max_size=50) | st.text("a |\\\n\r\t\x1bn\u2028", max_size=20)


@given(
    st.builds(
        RecoveryRecord,
        st.integers(0, 4_000_000_000_000_000).map(lambda micro: moment(micro / 1e6).timestamp()),
        TEXTS,
        st.sampled_from(RecoveryStatus),
        TEXTS,
        st.integers(0, 1 << 70),
    )
)
def test_a_line_is_read_back_as_it_was(record: RecoveryRecord) -> None:
    line = format_recovery_line(record)

    assert parse_recovery_line(line) == parse_recovery_line(f"{line}\n") == record
    assert len(line.split(" | ")) == 5
    assert len(line.splitlines()) == 1
    line.encode()  # whatever it was made of, it can be written


@given(TEXTS)
def test_an_escaped_text_has_no_separator_of_its_own(text: str) -> None:
    escaped = escape(text)

    assert unescape(escaped) == text
    assert " | " not in escaped
    assert len(f"{escaped}.".splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026-01-01T00:00:00Z | a | started |  ",
        "2026-01-01T00:00:00Z | a | started |  | 1 | 2",
        "yesterday | a | started |  | 1",
        "2026-01-01T00:00:00Z | a | begun |  | 1",
        "2026-01-01T00:00:00Z | a | started |  | one",
        "2026-01-01T00:00:00Z | a | started | \\q | 1",
        "2026-01-01T00:00:00Z | a | started | \\x1 | 1",
        "2026-01-01T00:00:00Z | a\\ | started |  | 1",
    ],
)
def test_a_line_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^recovery log: line must be 'time \| action \| status \| error \| count', "):
        parse_recovery_line(line)


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_recovery_line("2026-01-01T00:00:00 | a | started |  | 1").at == NEW_YEAR


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain | \\ text", "plain | \\ text"),
        ("two\nlines\r\nor three", "two\n    lines\n    or three"),
        ("\x1b[2J\rforged", "\\x1b[2J\\rforged"),
        ("a\u2028b\udcff\x85", "a\\u2028b\\udcff\\x85"),
    ],
)
def test_a_text_for_a_person_cannot_forge_a_line(text: str, shown: str) -> None:
    assert visible(text) == shown
