"""What a far end wrote is shown, and cannot do anything to a terminal."""

from __future__ import annotations

import pytest

from duenna_actors.client.terminal import wall_text
from duenna_actors.client.text import clip, fit, span, visible, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 東 [/red] <b> \\x1b", "plain ü 東 [/red] <b> \\x1b"),
        ("a\x1b[31m\x07\x00\x7f\x9b", "a\\x1b[31m\\x07\\x00\\x7f\\x9b"),
        ("two\nlines\r\n\t", "two\\nlines\\r\\n\\t"),
        ("\u202eevil\u2066\u200b\ufeff\u2028", "\\u202eevil\\u2066\\u200b\\ufeff\\u2028"),
        ("\udcff\ud800", "\\udcff\\ud800"),
        (7, "7"),
    ],
)
def test_what_is_no_plain_text_is_an_escape(text: object, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_is_cut_before_it_is_looked_at() -> None:
    assert visible("x" * 100_000, 10) == "x" * 9 + "…"
    assert visible("x" * 10, 10) == "x" * 10
    assert len(visible("\x00" * 100_000, 10)) <= 10


@pytest.mark.parametrize(
    ("text", "columns", "filled"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 5, "abcd…"),
        ("東京都", 5, "東京…"),
        ("東京都", 4, "東… "),
        ("e\u0301", 3, "e\u0301  "),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_text_fits_its_columns(text: str, columns: int, filled: str) -> None:
    assert fit(text, columns) == filled
    assert width(filled) == columns
    assert width(clip(text, columns)) <= columns


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1.0, "0.0 s"),
        (0.34, "0.3 s"),
        (41.0, "41 s"),
        (119.0, "119 s"),
        (720.0, "12 min"),
        (15_060.0, "4 h 11 min"),
        (273_600.0, "3 d 04 h"),
    ],
)
def test_a_length_of_time_is_short(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_a_moment_that_is_none_is_no_failure() -> None:
    assert wall_text(float("nan"), 0.0) == "-"
    assert wall_text(1e300, 0.0) == "-"
