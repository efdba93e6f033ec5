"""Short texts: harmless, and never wider than promised."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.top.plain import columns, fitted
from duenna_actors.top.text import brief, count, harmless, pips, sparkline, uptime


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain [/bad] <b>text</b>", "plain [/bad] <b>text</b>"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x00 \x7f \x9b", "\\x00 \\x7f \\x9b"),
        ("\u202eevil\u2066\u200b", "\\u202eevil\\u2066\\u200b"),
        ("\ud800 \u2028", "\\ud800 \\u2028"),
        ("漢字 ñ e\u0301", "漢字 ñ e\u0301"),
        ("a\u0301\u0301\u0301", "a\u0301\u0301\\u0301"),
        ("\U000e0041", "\\U000e0041"),
        (None, ""),
        (12, "12"),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(given: object, shown: str) -> None:
    assert harmless(given) == shown


@given(st.text(st.characters(), max_size=60))
def test_nothing_that_is_not_printable_is_left(text: str) -> None:
    shown = harmless(text)

    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_a_long_text_is_cut_before_it_is_looked_at() -> None:
    assert harmless("\x1b" * 100_000, 3) == "\\x1b\\x1b…"


@given(st.text(max_size=40), st.integers(1, 30))
def test_a_fitted_line_is_never_too_wide(text: str, width: int) -> None:
    assert columns(fitted(harmless(text), width)) <= width


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (-1.0, "0ms"),
        (0.0034, "3ms"),
        (0.0996, "0.1s"),
        (1.94, "1.9s"),
        (9.97, "10s"),
        (41.4, "41s"),
        (119.0, "119s"),
        (720.0, "12m"),
        (3_600.0, "1h"),
        (86_400.0 * 5, "5d"),
        (1e12, "9999d"),
    ],
)
def test_a_brief_duration(seconds: float | None, shown: str) -> None:
    assert brief(seconds) == shown


@given(st.floats(0, 1e12))
def test_a_brief_duration_has_at_most_five_characters(seconds: float) -> None:
    assert len(brief(seconds)) <= 5


@pytest.mark.parametrize(("number", "shown"), [(0, "0"), (0.4, "0.4"), (412, "412"), (1_000, "1k"), (1_240, "1.2k")])
def test_a_count(number: float, shown: str) -> None:
    assert count(number) == shown


@given(st.floats(0, 1e14))
def test_a_count_has_at_most_five_characters(number: float) -> None:
    assert len(count(number)) <= 5


def test_an_uptime() -> None:
    assert (uptime(3 * 86_400 + 4 * 3_600 + 11 * 60), uptime(15_067.9)) == ("3d 04:11", "04:11:07")


def test_a_sparkline_shows_the_last_values_and_every_error() -> None:
    """One error is seen beside a thousand."""
    assert sparkline([9, 0, 1, 1_000], 3) == "▁▂█"
    assert sparkline([0, 0], 3) == "▁▁"
    assert sparkline([], 3) == ""


def test_pips_show_what_is_left() -> None:
    assert (pips(2, 3), pips(0, 3), pips(-1, 2), pips(9, 30)) == ("▮▮▯", "▯▯▯", "▯▯", "")
