"""What was stored inside of a field, and would be passed over in silence when it is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import inspect as types

from duenna.fields._kinds import inner_types, is_array, is_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Unknown: TypeAlias = tuple[str, Any]
"""Where in the field, and what is there."""


def unknown(value: Any, info: types.Type) -> Unknown | None:
    """Return what in *value*, as it was stored, *info* has no field for; None: nothing.

    It was renamed or removed without a migration, or a later version of the program added it.
    """
    if isinstance(info, types.Metadata):
        return unknown(value, info.type)
    if isinstance(info, types.UnionType):
        return _in_union(value, info)
    if is_map(value):
        return _in_map(value, info)
    return _in_array(value, info) if is_array(value) else None


def has_objects(info: types.Type) -> bool:
    """Return whether there are objects in values of *info*, whose fields may be unknown."""
    if isinstance(info, types.StructType | types.DataclassType | types.TypedDictType):
        return True
    return any(has_objects(inner) for inner in inner_types(info))


def _in_map(value: dict[Any, Any], info: types.Type) -> Unknown | None:
    if isinstance(info, types.DictType):
        return _first((f"[{key!r}]", item, info.value_type) for key, item in value.items())
    if not isinstance(info, types.StructType | types.DataclassType | types.TypedDictType):
        return None
    known = {field.encode_name: field.type for field in info.fields}
    tag = info.tag_field if isinstance(info, types.StructType) else None
    for key, item in value.items():
        if key not in known and key != tag:
            return f".{key}", item
    return _first((f".{key}", item, known[key]) for key, item in value.items() if key in known)


def _in_array(value: Sequence[Any], info: types.Type) -> Unknown | None:
    if isinstance(info, types.CollectionType):
        return _first((f"[{index}]", item, info.item_type) for index, item in enumerate(value))
    if isinstance(info, types.TupleType):
        both = enumerate(zip(value, info.item_types, strict=False))
        return _first((f"[{index}]", item, inner) for index, (item, inner) in both)
    return None


def _in_union(value: Any, info: types.UnionType) -> Unknown | None:
    """Look at the one member of the union that *value* can be: msgspec allows one array, one map, or many tags."""
    for option in info.types:
        inner = option.type if isinstance(option, types.Metadata) else option
        if isinstance(inner, types.StructType) and inner.tag is not None:
            is_it = is_map(value) and value.get(inner.tag_field) == inner.tag
        else:
            is_it = True  # what is of another shape is passed over
        if is_it and (found := unknown(value, inner)):
            return found
    return None


def _first(parts: Iterable[tuple[str, Any, types.Type]]) -> Unknown | None:
    for where, item, info in parts:
        if found := unknown(item, info):
            return where + found[0], found[1]
    return None
