"""Sets in one order, so that what has not changed has the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec import inspect as types

from duenna.fields import _limits
from duenna.fields._kinds import inner_types, is_array, is_map, is_set

if TYPE_CHECKING:
    from collections.abc import Iterable

Ordering: TypeAlias = Callable[[Any], Any]

_NATURAL: Final = (types.IntType, types.StrType, types.BytesType)
_encode: Final = msgspec.msgpack.Encoder().encode


class SetOrder:
    """Makes lists of sets of one type."""

    __slots__ = ("_is_natural", "_item")

    def __init__(self, item: types.Type) -> None:
        """Prepare for sets of *item*."""
        self._is_natural: Final = isinstance(item, _NATURAL)
        self._item: Final = ordering(item)

    def __call__(self, value: Any) -> Any:
        """Return the set *value* as a list, in order if it is not large, and what is in it too."""
        if not is_set(value):
            return value
        values = self.arranged(value)
        return values if self._item is None else list(map(self._item, values))

    def arranged(self, value: Iterable[Any]) -> list[Any]:
        """Return what is in the set *value*, in order if it is not large.

        Raises:
            Exception: What is in it is none of its type.
        """
        values = list(value)
        if len(values) < _limits.LARGE:
            values.sort(key=None if self._is_natural else self._key)
        return values

    def _key(self, item: Any) -> bytes:
        return _encode(item if self._item is None else self._item(item))


def ordering(info: types.Type) -> Ordering | None:
    """Return what makes lists of the sets in a value of *info*; None: there is nothing to do.

    Large sets stay as they are, for to sort them takes its time, and so do those inside of
    objects. A value of another type stays as it is.
    """
    if isinstance(info, types.SetType | types.FrozenSetType):
        return SetOrder(info.item_type)
    if isinstance(info, types.DictType | types.ListType | types.VarTupleType):
        is_dict = isinstance(info, types.DictType)
        item = ordering(info.value_type if isinstance(info, types.DictType) else info.item_type)
        return None if item is None else _of_items(item, is_dict=is_dict)
    if isinstance(info, types.TupleType):
        return _of_tuple([ordering(item) for item in info.item_types])
    if isinstance(info, types.UnionType | types.Metadata):
        return _of_any([found for option in inner_types(info) if (found := ordering(option)) is not None])
    return None


def _of_any(orderings: list[Ordering]) -> Ordering | None:
    def order(value: Any) -> Any:
        for one in orderings:  # each passes over what is not for it
            value = one(value)
        return value

    return order if orderings else None


def _of_items(item: Ordering, *, is_dict: bool) -> Ordering:
    if is_dict:
        return lambda value: {key: item(one) for key, one in value.items()} if is_map(value) else value
    return lambda value: list(map(item, value)) if is_array(value) else value


def _of_tuple(orderings: list[Ordering | None]) -> Ordering | None:
    if not any(orderings):
        return None

    def order(value: Any) -> Any:
        if not is_array(value) or len(value) != len(orderings):
            return value
        return [item if inner is None else inner(item) for inner, item in zip(orderings, value, strict=True)]

    return order
