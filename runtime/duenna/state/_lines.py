"""What is stored, as lines for a terminal: one an entry, with ages and sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from duenna.records.escapes import visible
from duenna.secrets import redact
from duenna.state._chosen import is_note
from duenna.state.work import INTENT, OPERATION, WorkRecord
from duenna.storage.entries import ACTOR, ASIDE, PART, WORK, split_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duenna.storage import Damage, Entry

_ORDER: Final = {space: number for number, space in enumerate((ACTOR, WORK, PART, ASIDE))}
_SPANS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_KIBI: Final = 1024
_HEADS: Final = ("key", "kind", "schema", "version", "age", "size", "remark")
_NUMBERS_FROM: Final = 2
_COSTS: Final = {
    "nothing": "nothing is lost",
    "unknown": "as a write under way is left by a crash; nothing acknowledged is known to be lost",
    "acknowledged": "ACKNOWLEDGED STATE IS LOST",
}


def entry_lines(entries: Mapping[str, Entry], now: float) -> list[str]:
    """Return a table of *entries*, what the state says of itself left out; *now* in seconds since 1970."""
    keys = sorted((key for key in entries if not is_note(key)), key=_order)
    rows = [_row(key, entries[key], now) for key in keys]
    return table([_HEADS, *rows]) if rows else ["nothing is stored"]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return *rows*, the first of which is the head, in columns: two of words, then numbers, and words in the last."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if _NUMBERS_FROM <= number < len(widths) - 1 else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def damage_line(damage: Damage) -> str:
    """Return what is wrong, and what it costs."""
    return one_line(f"{damage.where}: {damage.what}; {cost(damage.loss)}")


def cost(loss: str) -> str:
    """Return what a damage of *loss* costs, in words."""
    return _COSTS.get(loss, loss)


def span(seconds: float) -> str:
    """Return a time in seconds for people: `4.2 s`, `3.5 h`; what lies ahead is `in 4.2 s`."""
    if seconds < 0:
        return f"in {span(-seconds)}"
    for unit, name in _SPANS:
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.1f} s"


def ago(seconds: float) -> str:
    """Return how long ago something was: `4.2 s ago`; of a clock that was set back, `in 4.2 s`."""
    return span(seconds) if seconds < 0 else f"{span(seconds)} ago"


def size_text(size: int) -> str:
    """Return a size in bytes for people."""
    if size < _KIBI:
        return f"{size} B"
    return f"{size / _KIBI:,.1f} KiB" if size < _KIBI * _KIBI else f"{size / _KIBI / _KIBI:,.1f} MiB"


def one_line(text: str) -> str:
    """Return *text* without secrets, on one line, with nothing in it that a terminal would obey."""
    return visible(" ".join(redact(text).splitlines()))


def _order(key: str) -> tuple[int, str]:
    space, name = split_key(key)
    return _ORDER.get(space, len(_ORDER)), name


def _row(key: str, entry: Entry, now: float) -> tuple[str, ...]:
    return (
        one_line(key),
        one_line(entry.kind),
        str(entry.schema),
        str(entry.version),
        span(now - entry.at),
        size_text(len(entry.data)),
        one_line(remark(key, entry)),
    )


def remark(key: str, entry: Entry) -> str:
    """Return what else is to be known of the *entry* under *key*: that it is money, what the work is about."""
    words = ["money"] if entry.money else []
    if entry.kind in {OPERATION, INTENT} and split_key(key)[0] in {WORK, ASIDE}:
        try:
            words.append(msgspec.msgpack.decode(entry.data, type=WorkRecord).text())
        except (ValueError, RecursionError, msgspec.MsgspecError) as exc:
            words.append(f"unreadable: {exc}")
    return ", ".join(words)
