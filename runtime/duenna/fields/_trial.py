"""Finding out which value of many does not come back, or does not fit, and saying so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from reprlib import Repr
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from duenna.fields._kinds import field_names, is_array, is_map, is_mutable, is_set
from duenna.fields._same import same
from duenna.secrets import HIDDEN, is_secret_name, redact_to

Decode: TypeAlias = Callable[[bytes], Any]
Pairs: TypeAlias = list[tuple[Any, Any]]

_MOST: Final = 200
_NONE: Final[Pairs] = []
_ADDRESS: Final = re.compile(r" at 0x[0-9A-Fa-f]+\b")  # another one each time
_WORD: Final = re.compile(r"\w+")
_encode: Final = msgspec.msgpack.Encoder().encode
_repr: Final = Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother = 3, 80, 160


@attrs.frozen
class Found:
    """What is wrong where, as bounded text without secrets.

    Attributes:
        where: The field, and where in it: `orders['BTCUSDT']`.
        value: What is there.
        why: What is wrong with it.
    """

    where: str
    value: str
    why: str


def find(name: str, value: Any, decode: Decode, *, is_stored: bool = False) -> Found | None:
    """Return what in *value* does not come back as it was; None: it does.

    Args:
        name: The field.
        value: What it holds.
        decode: What reads it back.
        is_stored: *value* is made of what MessagePack knows, and may come back as something else.
    """

    def fault(one: Any, where: str = name) -> str | None:
        try:
            back = decode(_encode(one))
        except RecursionError:
            return "it holds itself, or is too deep"
        except Exception as exc:  # noqa: BLE001  # whatever it is, it does not fit
            return tell(where, exc)
        if is_stored or same(one, back):
            return None
        before, after = say(where, one), say(where, back)
        return f"it would come back as {after}" if before != after else "it would not be equal to what would come back"

    why = fault(value)
    if why is None:
        return None
    if is_map(value):
        for key, item in _culprit(list(value.items()), dict, fault):
            where = inside(name, key)
            return Found(where, say(where, item), fault({key: item}, where) or why)
    elif is_array(value) and isinstance(value, list):
        for index, item in _culprit(list(enumerate[Any](value)), _items, fault):
            where = inside(name, index)
            return Found(where, say(where, item), fault([item], where) or why)
    return Found(name, say(name, value), why)


def twice(values: Mapping[str, Any]) -> tuple[str, str, Any] | None:
    """Return the two places of an object that can change and is in two, and the object."""
    seen: dict[int, str] = {}
    for where, value in places(values):
        if is_mutable(value):
            if first := seen.get(id(value)):
                return first, where, value
            seen[id(value)] = where
    return None


def places(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give *values*, all that is in them, and where it is."""
    waiting: list[Iterator[tuple[str, Any]]] = [iter(values.items())]
    while waiting:
        for where, value in waiting[-1]:
            yield where, value
            waiting.append(_in(where, value))
            break
        else:
            waiting.pop()


def inside(where: str, key: Any) -> str:
    """Return the place of *key* in what is at *where*."""
    return redact_to(f"{where}[{say('', key)}]", _MOST)


def say(where: str, value: Any) -> str:
    """Return *value*, which is at *where*, as bounded text without secrets."""
    if any(map(is_secret_name, _WORD.findall(where))):
        return HIDDEN
    try:
        text = _repr.repr(value)
    except Exception:  # noqa: BLE001  # an int of 5,000 digits, a repr of the user's: what is wrong is said all the same
        text = f"<{type(value).__name__} object>"
    return redact_to(_ADDRESS.sub("", text), _MOST)


def tell(where: str, exc: BaseException) -> str:
    """Return what *exc* says of the value that is at *where*, bounded and without secrets."""
    if any(map(is_secret_name, _WORD.findall(where))):
        return f"{type(exc).__name__}, whose text may hold the secret"
    first = exc.args[0] if exc.args else ""  # attrs adds the field and the value to it
    return redact_to(first if first and isinstance(first, str) else f"{type(exc).__name__}: {exc}", _MOST)


def _in(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_map(value):
        return ((inside(where, key), item) for key, item in value.items())
    if is_array(value) or is_set(value):
        return ((inside(where, index), item) for index, item in enumerate(value))
    return ((redact_to(f"{where}.{name}", _MOST), getattr(value, name)) for name in field_names(value))


def _items(pairs: Pairs) -> list[Any]:
    return [item for _, item in pairs]


def _culprit(pairs: Pairs, pack: Callable[[Pairs], Any], fault: Callable[[Any], str | None]) -> Pairs:
    """Return the one of *pairs* that is wrong by itself; none, if it is all of them together."""
    while len(pairs) > 1:
        half = len(pairs) // 2
        pairs = next((part for part in (pairs[:half], pairs[half:]) if fault(pack(part)) is not None), _NONE)
    return pairs if pairs and fault(pack(pairs)) is not None else []
