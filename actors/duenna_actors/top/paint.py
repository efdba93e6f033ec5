"""Colours, and the making of styled text; nothing here reads markup."""

from __future__ import annotations

from typing import Any, Final

from rich.style import Style
from rich.text import Text

from duenna_actors.top import shapes
from duenna_actors.top.text import harmless

TONES: Final = {
    shapes.GOOD: Style(color="#6fd08c"),
    shapes.WARN: Style(color="#f2c14e"),
    shapes.BAD: Style(color="#ff6b6b", bold=True),
    shapes.QUIET: Style(color="#8592a6"),
    "plain": Style(color="#d7dee8"),
    "strong": Style(color="#ffffff", bold=True),
    "accent": Style(color="#7cc4ff"),
    "key": Style(color="#0d1520", bgcolor="#7cc4ff", bold=True),
    "guide": Style(color="#4a5668"),
}
"""The style of each tone."""


def style(tone: str) -> Style:
    """Return the style of *tone*."""
    return TONES[tone]


def piece(value: Any, tone: str = "plain", limit: int = 400) -> Text:
    """Return *value*, which a bot may have sent, as harmless text in a tone."""
    return Text(harmless(value, limit), style=TONES[tone], no_wrap=True, end="")


def line(*parts: Text | str) -> Text:
    """Return *parts* one after the other, without anything between them."""
    made = Text(no_wrap=True, overflow="ellipsis", end="")
    for part in parts:
        made.append_text(part if isinstance(part, Text) else Text(part, style=TONES["plain"]))
    return made


def cut(text: Text, width: int) -> Text:
    """Return *text* at most *width* columns wide, with an ellipsis where it is cut."""
    made = text.copy()
    made.truncate(max(width, 0), overflow="ellipsis")
    return made


def cell(text: Text, width: int, align: str = "left") -> Text:
    """Return *text* exactly *width* columns wide, cut with an ellipsis or filled with blanks."""
    made = cut(text, width)
    room = width - made.cell_len
    if room > 0:
        (made.pad_left if align == "right" else made.pad_right)(room)
    return made


def look(which: shapes.Look) -> Text:
    """Return shape and word in the tone of *which*."""
    return piece(f"{which.shape} {which.word}", which.tone)
