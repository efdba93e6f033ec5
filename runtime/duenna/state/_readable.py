"""What was stored, as JSON that a person can read: without the program that stored it, and without secrets."""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from duenna.secrets import HIDDEN, is_secret_name, redact

DEEPEST: Final = 100
"""Levels of lists and maps in each other that are shown; what lies deeper is named and left out."""

_UNSAFE: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # JSON escapes those below by itself
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


def unpacked(data: bytes) -> object:
    """Return what the MessagePack in *data* says, as values that JSON has; what is none says why it cannot be read."""
    try:
        value: Any = msgspec.msgpack.decode(data)
    except (ValueError, RecursionError, OverflowError, msgspec.MsgspecError) as exc:  # also of text that is no UTF-8
        return {"unreadable": f"{len(data)} bytes that are no MessagePack: {exc}"}
    return readable(value)


def packed(value: object) -> object:
    """Return any *value* of a program as values that JSON has; what is of no kind that is stored becomes its text."""
    try:
        return unpacked(_encode(value))
    except Exception as exc:  # noqa: BLE001  # a value with faulty methods of its own; what it is is for people only
        return {"unreadable": f"a {type(value).__qualname__}: {type(exc).__name__}"}


def readable(value: object, name: str = "", depth: int = 0) -> object:
    """Return *value*, which stands under *name*, as values that JSON has.

    Bytes become `{"base64": ...}`, times ISO 8601, numbers that JSON has not their names. Keys of a
    map that are no text become text; if two would then be the same, the map becomes a list of pairs.
    """
    if value is None or isinstance(value, bool):
        return value
    if depth > DEEPEST:
        return {"unreadable": f"it lies deeper than {DEEPEST} levels"}
    if isinstance(value, dict):
        return _map(value, depth)  # pyright: ignore[reportUnknownArgumentType]  # whatever was stored
    if isinstance(value, list | tuple):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        shown: list[object] = []
        for item in items:
            shown.append(readable(item, name, depth + 1))  # noqa: PERF401  # a frame a level, on every Python
        return shown
    return _scalar(value, name)


def text_of(document: object) -> bytes:
    """Return *document* as JSON for people; what is no Unicode, or moves a cursor, becomes an escape."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return f"{_UNSAFE.sub(_escaped, text)}\n".encode()


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _map(value: dict[object, object], depth: int) -> object:
    pairs: list[tuple[str, object]] = []
    for key, item in value.items():
        name = key if isinstance(key, str) else _key(key, depth)
        hidden = item is not None and is_secret_name(name)
        pairs.append((redact(name), HIDDEN if hidden else readable(item, name, depth + 1)))
    shown = dict(pairs)
    return shown if len(shown) == len(pairs) else [list(pair) for pair in pairs]


def _key(key: object, depth: int) -> str:
    plain = readable(key, "", depth + 1)
    return plain if isinstance(plain, str) else json.dumps(plain)


def _scalar(value: object, name: str) -> object:
    if isinstance(value, str):
        return _told(value, name)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return _bytes(value, name)
    if isinstance(value, msgspec.msgpack.Ext):
        return {"extension": value.code, **_bytes(bytes(value.data), name)}
    return _told(str(value), name)


def _number(value: float) -> object:
    text = str(value)
    told = redact(text)  # no name makes a number a secret, but one may be registered
    return value if told == text and math.isfinite(value) else told


def _bytes(value: bytes, name: str) -> dict[str, object]:
    text = value.decode("utf-8", "surrogateescape")
    shown = base64.b64encode(value).decode()
    is_secret = _told(text, name) != text or _told(shown, name) != shown
    return {"base64": HIDDEN if is_secret else shown}


def _told(text: str, name: str) -> str:
    """Return *text* without secrets; with its name, a value may be known for what it is."""
    if not name:
        return redact(text)
    label = f"{name}="
    told = redact(label + text)
    return told[len(label) :] if told.startswith(label) else HIDDEN
