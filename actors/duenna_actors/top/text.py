"""Short texts for narrow places: what a bot sent made harmless, durations, counts, sparklines."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Control characters, format characters (bidirectional overrides, joiners of no width), surrogates, private use,
# what is not assigned, and separators of lines: a terminal obeys some, and the width of the others is anybody's guess.
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS: Final = frozenset({"Mn", "Me"})
_MARKS_BORNE: Final = 2  # accents on one letter; more pile up over other lines
_SELECTORS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))  # they change a width after the fact
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BARS: Final = "▁▂▃▄▅▆▇█"
_MINUTE: Final = 60.0
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0
_THOUSAND: Final = 1_000
_TEN: Final = 10


def harmless(value: Any, limit: int = 400) -> str:
    r"""Return *value* as one line that a terminal only shows: other than printable characters as `\x1b`.

    Args:
        value: What a bot sent; what is no text is shown as Python shows it.
        limit: Characters that are looked at; what is longer ends with an ellipsis. Greater than 0.
    """
    text = value if isinstance(value, str) else "" if value is None else str(value)
    if len(text) > limit:
        text = f"{text[: limit - 1]}…"
    if text.isascii() and text.isprintable():
        return text
    made: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        is_safe = category not in _UNSAFE and character not in _SELECTORS and marks <= _MARKS_BORNE
        made.append(character if is_safe else _escaped(character))
    return "".join(made)


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:  # noqa: PLR2004 - as many as two digits hold
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - and four


def brief(seconds: float | None) -> str:
    """Return a duration in at most 5 characters: `3ms`, `1.9s`, `41s`, `12m`, `3h`, `5d`; `-` for none."""
    if seconds is None:
        return "-"
    seconds = max(seconds, 0.0)
    if seconds < 0.0995:  # noqa: PLR2004 - what rounds to 0.1
        return f"{seconds * 1_000:.0f}ms"
    if seconds < 9.95:  # noqa: PLR2004 - what rounds to 10
        return f"{seconds:.1f}s"
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if seconds >= 2 * unit or (unit != _MINUTE and seconds >= unit):
            return f"{min(seconds / unit, 9_999):.0f}{letter}"
    return f"{seconds:.0f}s"


def uptime(seconds: float) -> str:
    """Return a duration as `3d 04:11`, or `04:11:07` of less than a day."""
    whole = max(int(seconds), 0)
    days, rest = divmod(whole, int(_DAY))
    hours, rest = divmod(rest, int(_HOUR))
    minutes, left = divmod(rest, int(_MINUTE))
    return f"{days}d {hours:02}:{minutes:02}" if days else f"{hours:02}:{minutes:02}:{left:02}"


def count(number: float) -> str:
    """Return a number in at most 5 characters: `0.4`, `412`, `1.2k`, `34k`, `5M`."""
    if number < _TEN:
        return f"{number:.1f}".removesuffix(".0")
    for suffix in ("", "k", "M", "G"):
        if number < 999.5:  # noqa: PLR2004 - what rounds to 1,000
            digits = f"{number:.1f}".removesuffix(".0") if suffix and number < 9.95 else f"{number:.0f}"  # noqa: PLR2004
            return f"{digits}{suffix}"
        number /= _THOUSAND
    return f"{number:.0f}T"


def sparkline(values: Iterable[float], width: int) -> str:
    """Return the last of *values* as *width* bars at most, the highest as high as can be."""
    kept: Sequence[float] = list(values)[-width:]
    top = max(kept, default=0)
    if top <= 0:
        return _BARS[0] * len(kept)
    return "".join(_BARS[0 if value <= 0 else max(1, round(value / top * (len(_BARS) - 1)))] for value in kept)


def pips(left: int, of: int, most: int = 5) -> str:
    """Return what is left of a budget as pips, `▮▮▯`; nothing where they would be more than *most*."""
    return "▮" * max(0, min(left, of)) + "▯" * max(0, of - max(0, left)) if 0 < of <= most else ""
