"""What the types inside of a field are like."""

from __future__ import annotations

from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from weakref import WeakKeyDictionary

import attrs
import msgspec
from msgspec import inspect as types

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN: Final = (
    types.NoneType,
    types.BoolType,
    types.IntType,
    types.FloatType,
    types.StrType,
    types.BytesType,
    types.DateType,
    types.TimeDeltaType,
    types.UUIDType,
    types.DecimalType,
    types.EnumType,
    types.LiteralType,
)
_FIXED: Final = (
    types.DateTimeType,
    types.FrozenSetType,
    types.Metadata,
    types.TimeType,
    types.TupleType,
    types.UnionType,
    types.VarTupleType,
)


class Look(Enum):
    """What of a value must be looked at, even if its bytes are right."""

    NOTHING = "nothing"
    """It cannot change, and is what its type says."""
    ITSELF = "itself"
    """It is a container of such."""
    ALL = "all"
    """What is in it, too."""


@attrs.frozen
class Contents:
    """What is in the objects of a class.

    Attributes:
        is_frozen: Whether their fields cannot be set.
        names: Their fields, without those of plain values.
    """

    is_frozen: bool
    names: tuple[str, ...]


_known: WeakKeyDictionary[type, Contents] = WeakKeyDictionary()


def is_plain(info: types.Type) -> bool:
    """Return whether values of *info* cannot change, hold nothing else, and are the same if they are equal."""
    if isinstance(info, types.Metadata):
        return is_plain(info.type)
    if isinstance(info, types.UnionType):
        return all(map(is_plain, info.types))
    return isinstance(info, _PLAIN)


def look_of(info: types.Type) -> Look:
    """Return what of values of *info* must be looked at."""
    if is_plain(info):
        return Look.NOTHING
    members = list(inner_types(info)) if isinstance(info, types.UnionType | types.Metadata) else [info]
    return Look.ITSELF if all(map(_is_flat, members)) else Look.ALL


def is_sure(info: types.Type) -> bool:
    """Return whether values of *info* come back if they are what their type says: there is no `Any` in it."""
    return _is_sure(info, set())


def is_fixed(info: types.Type) -> bool:
    """Return whether values of *info* cannot change, and neither can what is in them."""
    return _is_fixed(info, set())


def inner_types(info: Any) -> Iterator[types.Type]:
    """Return the types of what is directly in values of *info*."""
    if isinstance(info, types.Metadata):
        yield info.type
    elif isinstance(info, types.UnionType):
        yield from info.types
    elif isinstance(info, types.TupleType):
        yield from info.item_types
    elif isinstance(info, types.CollectionType):
        yield info.item_type
    elif isinstance(info, types.DictType):
        yield info.key_type
        yield info.value_type
    else:
        for field in getattr(info, "fields", ()):
            yield field.type


def kind_of(value: object) -> type[object]:
    """Return the class of *value*, of which a type checker knows nothing."""
    return type(value)


def is_map(value: Any) -> TypeGuard[dict[Any, Any]]:
    """Return whether *value* is a dict."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Return whether *value* is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_set(value: Any) -> TypeGuard[set[Any] | frozenset[Any]]:
    """Return whether *value* is a set or a frozenset."""
    return isinstance(value, set | frozenset)


def class_of(info: Any) -> Any:
    """Return the class of *info*, a Struct, attrs or dataclass type, without what fills in its type variables."""
    return getattr(info.cls, "__origin__", info.cls)


def is_frozen(kind: Any) -> bool:
    """Return whether the fields of *kind*, a Struct, attrs or dataclass class, cannot be set."""
    if issubclass(kind, msgspec.Struct):
        return bool(kind.__struct_config__.frozen)
    if attrs.has(kind):
        return bool(kind.__setattr__.__name__ == "_frozen_setattrs")  # attrs has no other way to ask
    return bool(kind.__dataclass_params__.frozen)


def contents(kind: type) -> Contents:
    """Return what is in the objects of *kind*, a Struct, attrs or dataclass class."""
    known = _known.get(kind)
    if known is None:
        info: Any = types.type_info(kind)
        names = tuple(field.name for field in info.fields if not is_plain(field.type))
        _known[kind] = known = Contents(is_frozen(kind), names)
    return known


def is_mutable(value: Any) -> bool:
    """Return whether *value* can change: a list, dict, set or bytearray, or an object that is not frozen."""
    if isinstance(value, list | dict | set | bytearray):
        return True
    kind = kind_of(value)
    return (issubclass(kind, msgspec.Struct) or attrs.has(kind) or is_dataclass(kind)) and not is_frozen(kind)


def field_names(value: Any) -> Iterator[str]:
    """Name the fields of a Struct, an attrs object or a dataclass; nothing for other values."""
    kind = kind_of(value)
    if issubclass(kind, msgspec.Struct):
        yield from kind.__struct_fields__
    elif attrs.has(kind):
        yield from (attribute.name for attribute in attrs.fields(kind))
    elif is_dataclass(kind):
        yield from (field.name for field in dataclass_fields(kind))


def _is_flat(info: types.Type) -> bool:
    is_container = isinstance(info, types.CollectionType | types.DictType | types.TupleType)
    return is_plain(info) or (is_container and all(map(is_plain, inner_types(info))))


def _is_sure(info: types.Type, seen: set[int]) -> bool:
    if isinstance(info, types.AnyType | types.CustomType):
        return False
    if id(info) in seen:
        return True
    seen.add(id(info))  # a type that holds itself
    return all(_is_sure(inner, seen) for inner in inner_types(info))


def _is_fixed(info: types.Type, seen: set[int]) -> bool:
    if id(info) in seen or is_plain(info):
        return True
    seen.add(id(info))  # a type that holds itself
    if isinstance(info, types.StructType | types.DataclassType):
        if not is_frozen(class_of(info)):
            return False
    elif not isinstance(info, _FIXED):
        return False
    return all(_is_fixed(inner, seen) for inner in inner_types(info))
