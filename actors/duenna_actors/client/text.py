"""Text for a terminal: what a far end wrote cannot move the cursor, forge a line or turn the reading direction."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Control characters, line ends of other alphabets, marks that turn the direction, and what is no Unicode.
_UNSAFE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def visible(text: object, limit: int | None = None) -> str:
    r"""Return *text* on one line, with whatever is not plain text as an escape: `\n`, `\x1b`, `\u202e`.

    Args:
        text: Any value; its ``str``.
        limit: The most characters to return; what is longer ends with an ellipsis. None: all of it.
    """
    whole = text if isinstance(text, str) else str(text)
    if limit is None:
        return _UNSAFE.sub(_escaped, whole)
    shown = _UNSAFE.sub(_escaped, whole[: limit + 1])
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def width(text: str) -> int:
    """Return how many columns *text*, which is visible, takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def fit(text: str, columns: int, *, right: bool = False) -> str:
    """Return *text*, which is visible, in exactly so many *columns*: filled up, or cut with an ellipsis."""
    cut = clip(text, columns)
    room = " " * (columns - width(cut))
    return room + cut if right else cut + room


def clip(text: str, columns: int) -> str:
    """Return *text*, which is visible, in at most so many *columns*; what is longer ends with an ellipsis."""
    if columns <= 0:
        return ""
    if width(text) <= columns:
        return text
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > columns - 1:
            return text[:index] + "…"
    return text


def span(seconds: float | None) -> str:
    """Return a length of time for a person: `0.3 s`, `41 s`, `12 min`, `4 h 11 min`, `3 d 04 h`; None: `-`."""
    if seconds is None:
        return "-"
    whole = max(seconds, 0.0)
    if whole < 10:  # noqa: PLR2004 - one digit more where it says something
        return f"{whole:.1f} s"
    if whole < 2 * _MINUTE:
        return f"{whole:.0f} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE:.0f} min"
    if whole < _DAY:
        return f"{whole // _HOUR:.0f} h {whole % _HOUR // _MINUTE:02.0f} min"
    return f"{whole // _DAY:.0f} d {whole % _DAY // _HOUR:02.0f} h"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")  # noqa: PLR2004


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
