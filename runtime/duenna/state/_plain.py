"""Plain values: what the records of work in progress are made of, for they come back as they were, in any program."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from duenna.secrets import HIDDEN, is_secret_name, redact_to

DEEPEST: Final = 16
"""Lists and dicts inside of each other."""

_PLAIN: Final = frozenset({type(None), bool, float, bytes})
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_SHOWN: Final = 100
_WRITTEN: Final = 256
_EXPECTED: Final = "None, a bool, int, float, str, bytes, or a list or dict of these"


def copied(owner: str, what: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of *values* that is as it will be when it is read back, and that nobody else changes.

    Args:
        owner: Whose they are, for the message.
        what: What each of them is, for the message: `argument`.
        values: Plain values by name.

    Raises:
        TypeError: One is something else; says which.
        ValueError: One is out of range, or its name is that of a secret.
    """
    for name, value in values.items():
        _check(owner, f"{what} {name}", name, value, 1)
    return copy_of(values)


def copy_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of plain *values*, and of all that is in them."""
    copy: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(values))
    return copy


def identity(values: dict[str, Any]) -> bytes:
    """Return what equal plain values have in common, and no others: 1, 1.0 and True are three."""
    return msgspec.msgpack.encode(values, order="deterministic")


def shown(values: dict[str, Any]) -> str:
    """Return *values* as they are written in a call: `symbol='BTCUSDT', limit=500`."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _check(owner: str, where: str, name: str, value: Any, depth: int) -> None:
    if is_secret_name(name):
        raise ValueError(f"{owner}: {where} has the name of a secret: secrets are never stored, got {HIDDEN}")
    _text(owner, where, name)
    given: object = value
    kind = type(given)
    if kind in _PLAIN:
        return
    if kind is str:
        _text(owner, where, value)
    elif kind is int:
        if not _LEAST <= value <= _MOST:
            raise ValueError(f"{owner}: {where} must fit into 64 bits, got {_number(value)}")
    elif kind is list or kind is dict:
        if depth > DEEPEST:
            raise ValueError(f"{owner}: {where} must have at most {DEEPEST} lists and dicts inside of each other")
        _check_inside(owner, where, name, value, depth)
    else:
        given = redact_to(repr(value), _SHOWN)
        raise TypeError(f"{owner}: {where} must be {_EXPECTED}, got {given}")


def _check_inside(owner: str, where: str, name: str, value: Any, depth: int) -> None:
    given: object = value
    if type(given) is list:
        for index, item in enumerate(value):
            _check(owner, f"{where}[{index}]", name, item, depth + 1)
        return
    for key, item in value.items():
        if type(key) is not str:
            raise TypeError(f"{owner}: the keys of {where} must be str, got {redact_to(repr(key), _SHOWN)}")
        _check(owner, f"{where}[{key!r}]", key, item, depth + 1)


def _number(value: int) -> str:
    """Return *value*, or how large it is: Python refuses to write numbers of many thousand digits."""
    bits = value.bit_length()
    return str(value) if bits <= _WRITTEN else f"one of {bits} bits"


def _text(owner: str, where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{owner}: {where} must be text of whole characters, got {ascii(text)[:_SHOWN]}") from None
