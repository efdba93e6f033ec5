"""Label values: any text as a bounded one that every reader of metrics takes for what it is."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 200
"""Characters of a label that are kept."""

_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
_LAST_ASCII_CONTROL: Final = 0x1F
_HIGH_CONTROLS: Final = range(0x7F, 0xA0)
_SURROGATES: Final = range(0xD800, 0xE000)


def clean(text: str) -> str:
    """Return *text*, at most 200 characters, without control characters and surrogates.

    A NUL ends the page for Prometheus's parser, and a lone surrogate cannot be encoded: either stands
    as U+FFFD. A line feed stays.
    """
    text = text[:LONGEST]
    return text if text.isprintable() else "".join(map(_plain, text))


def quoted(text: str) -> str:
    """Return what `clean` returned as it stands between the quotes of a label."""
    if '"' in text or "\\" in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text


def _plain(char: str) -> str:
    code = ord(char)
    if char != "\n" and (code <= _LAST_ASCII_CONTROL or code in _HIGH_CONTROLS or code in _SURROGATES):
        return _UNKNOWN
    return char
