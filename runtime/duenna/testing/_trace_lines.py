"""Records as lines that a terminal has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from duenna.testing.trace import Record

LEAST_WIDTH = 60
"""Columns below which nothing is readable any more."""


def line_of(record: Record, width: int) -> str:
    """Return *record* as one line of at most *width* columns.

    Args:
        record: The record.
        width: At least 60 are taken.
    """
    who = record.path + (f" #{record.incarnation}" if record.incarnation else "")
    fields = " ".join(f"{name}={value_of(value)}" for name, value in record.fields.items())
    return cut(f"{record.seq:>7} {record.t:>12.3f}  {record.kind:<18} {who}  {fields}".rstrip(), width)


def value_of(value: Any) -> str:
    """Return *value* as JSON, or as itself if it is a text without spaces."""
    if isinstance(value, str) and value and not any(char.isspace() for char in value):
        return value
    return msgspec.json.encode(value, enc_hook=repr).decode()


def cut(text: str, width: int) -> str:
    """Return the beginning of *text*, at most *width* columns of it."""
    width = max(width, LEAST_WIDTH)
    return text if len(text) <= width else f"{text[: width - 3]}..."
