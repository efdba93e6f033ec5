"""Values of records as JSON can hold them, and texts that are the same in every process and on every Python."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from duenna._text import describe

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")  # as in <Reader object at 0x7f1c>; 0x16 and the like stay
_SOURCE_LINE = re.compile(r"\b_ssl\.c:\d+")  # OpenSSL's errors name a line of CPython's own source
_MAPS: tuple[type, ...] = (Mapping,)
_SETS: tuple[type, ...] = (AbstractSet,)
_MANY: tuple[type, ...] = (Mapping, AbstractSet, Sequence)
_BYTES: tuple[type, ...] = (bytes, bytearray, memoryview)
_MOST = 200
_DEEPEST = 8


def steady(text: str) -> str:
    """Return *text* without what differs from run to run: addresses in memory, line numbers in CPython's C."""
    if "0x" in text:
        text = _ADDRESS.sub("0x", text)
    if "_ssl.c:" in text:
        text = _SOURCE_LINE.sub("_ssl.c", text)
    return text


_ADDRESS_BYTES = re.compile(rb"0x[0-9a-fA-F]{6,}")
_SOURCE_LINE_BYTES = re.compile(rb"\b_ssl\.c:\d+")


def steady_block(block: bytes) -> bytes:
    """Do as `steady` does, with many encoded lines at a time."""
    if b"0x" in block:
        block = _ADDRESS_BYTES.sub(b"0x", block)
    if b"_ssl.c:" in block:
        block = _SOURCE_LINE_BYTES.sub(b"_ssl.c", block)
    return block


def text_of(value: object) -> str:
    """Return a text for what JSON has no form for, at most 200 characters, whatever its methods do."""
    if isinstance(value, BaseException):
        return steady(describe(value))
    try:
        text = repr(value)
    except BaseException as exc:  # noqa: BLE001  # a broken __repr__ must not end a simulation
        return f"<{type(value).__qualname__}, its __repr__ raised {type(exc).__name__}>"
    text = steady(text).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."


def plain(value: Any, depth: int = 0) -> Any:
    """Return *value* as nothing but JSON's own types, for when the encoder has refused it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, _BYTES) or not isinstance(value, _MANY):
        return text_of(value)
    return f"<{type(value).__qualname__}>" if depth >= _DEEPEST else _plain_many(value, depth + 1)


def _plain_many(value: Any, depth: int) -> Any:
    many: Any = value  # of whatever inside
    if isinstance(value, _MAPS):
        return {_key(key): plain(one, depth) for key, one in many.items()}
    inside = [plain(one, depth) for one in many]
    return sorted(inside, key=repr) if isinstance(value, _SETS) else inside


def _key(key: object) -> str:
    return plain(key) if isinstance(key, str) else text_of(key)
