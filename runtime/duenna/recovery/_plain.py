"""Which values come back as they were, whoever reads them: plain ones, small enough to be stored with every save."""

from typing import Any, Final, cast

import msgspec

MOST_ITEMS: Final = 1000
"""Items of one value, those in lists and dicts included."""

MOST_BYTES: Final = 16 * 1024
"""Bytes of one value."""

_DEEPEST: Final = 32


def encoded(value: object) -> bytes:
    """Return *value* as bytes that `msgspec.msgpack.decode` makes the same value of, without being told what it is.

    That is None, a bool, an int of 64 bits, a float, a str, bytes, or a list or a dict by str of these.

    Raises:
        ValueError: It is something else, or too large; says what.
    """
    _check(value)
    try:
        data = msgspec.msgpack.encode(value)
    except Exception as error:
        raise ValueError(str(error)) from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has {len(data)} bytes, at most {MOST_BYTES} are kept")
    return data


def _check(value: object) -> None:
    """Look at no more than is kept: a value may be of any size."""
    todo: list[tuple[object, int]] = [(value, 0)]
    items = 0
    while todo:
        one, depth = todo.pop()
        items += 1
        inner = _inner(one)
        if items + len(todo) + len(inner) > MOST_ITEMS:
            raise ValueError(f"it has more than {MOST_ITEMS} items")
        if inner and depth == _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
        todo += [(each, depth + 1) for each in inner]


def _inner(one: Any) -> list[Any]:
    """Return what is in *one*.

    Raises:
        ValueError: It would come back as something else.
    """
    kind = cast("type[object]", type(one))
    if kind in _SIMPLE:
        return []
    if kind in _SIZED:
        if len(one) > _SIZED[kind]:
            raise ValueError(f"it has more than {_SIZED[kind]} {'items' if kind in {list, dict} else 'bytes'}")
        if kind is list:
            found: list[Any] = one
            return found
        if kind is not dict:
            return []
        if all(type(key) is str for key in one):
            return [*one.values()]
    what = "a dict whose keys are no texts" if kind is dict else f"a {kind.__qualname__}"
    raise ValueError(f"{what} in it would not come back as it was")


_SIMPLE: Final[frozenset[type]] = frozenset({type(None), bool, int, float})

_SIZED: Final[dict[type, int]] = {str: MOST_BYTES, bytes: MOST_BYTES, list: MOST_ITEMS, dict: MOST_ITEMS}
