"""Texts for people: bounded, in one line, in plain words. Nothing here waits or raises."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


def brief(text: str, most: int) -> str:
    """Return *text* as one line of at most *most* characters, of which there must be at least 4."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 3]}..."


def lasting(seconds: float) -> str:
    """Return a duration in words: `41 s`, `12 min`, `3 h`, `2 days`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} days"


def two_digits(value: float) -> float:
    """Return *value* rounded to two significant digits, so that noise is no news."""
    return float(f"{value:.2g}")


def counted(number: int, what: str) -> str:
    """Return `1 restart`, `2 restarts`."""
    return f"{number} {what}{'' if number == 1 else 's'}"
