"""Which types come back as they were saved, in this version of a program and in later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from msgspec import inspect as types

from duenna.fields._hints import shown
from duenna.fields._kinds import inner_types

if TYPE_CHECKING:
    from collections.abc import Iterator


def checked(cls: type, name: str, hint: Any) -> types.Type:
    """Return what msgspec makes of *hint*, the type of the field *name* of *cls*.

    Raises:
        TypeError: What is of this type would not come back as it was; says why.
    """
    where = f"{cls.__qualname__}.{name}: {shown(hint)} cannot be persistent"
    try:
        info = types.type_info(hint)
    except Exception as exc:
        raise TypeError(f"{where}: {exc}") from exc
    for reason in _reasons(info, set()):
        raise TypeError(f"{where}: {reason}")
    return info


def _reasons(info: Any, seen: set[int]) -> Iterator[str]:
    if id(info) in seen:
        return
    seen.add(id(info))
    yield from _own(info)
    if isinstance(info, types.DictType) and not _is_key(info.key_type):
        yield "the keys of a dict must be text, numbers, times or tuples of them"
    for inner in inner_types(info):
        yield from _reasons(inner, seen)


def _own(info: Any) -> Iterator[str]:
    if isinstance(info, types.CustomType):
        if info.cls is not object:
            yield f"msgspec does not know {shown(info.cls)}: use one of its types, or a msgspec.Struct of them"
    elif isinstance(info, types.RawType | types.ExtType | types.MemoryViewType):
        yield f"{type(info).__name__.removesuffix('Type')} is bytes without a meaning of their own: use bytes"
    elif isinstance(info, types.NamedTupleType):
        yield f"{shown(info.cls)} is stored by position, and changed fields would be swapped in silence: use a Struct"
    elif isinstance(info, types.StructType):
        yield from _struct(info.cls, info.array_like, info.tag)
    elif isinstance(info, types.DataclassType) and attrs.has(info.cls):
        for field in info.fields:
            if field.name.startswith("_"):
                name = f"{shown(info.cls)}.{field.name}"
                yield f"{name} is private, and msgspec would leave it out in silence: give it a public name"


def _struct(cls: Any, array_like: bool, tag: Any) -> Iterator[str]:
    cls = getattr(cls, "__origin__", cls)
    name = shown(cls)
    if array_like:
        yield f"{name} is array_like, and changed fields would be swapped in silence: store it as a map"
    if tag is not None and tag in (cls.__name__, cls.__qualname__):
        yield (
            f"{name} has its own name as its tag, and could not be renamed: give it a tag in other letters, "
            f"such as tag={cls.__name__.lower()!r}"
        )
    if cls.__struct_config__.omit_defaults:
        yield f"{name} has omit_defaults, and what it leaves out would change with its defaults: store them"


def _is_key(info: types.Type) -> bool:
    if isinstance(info, types.Metadata):
        return _is_key(info.type)
    if isinstance(info, types.UnionType):
        return all(map(_is_key, info.types))
    if isinstance(info, types.TupleType):
        return all(map(_is_key, info.item_types))
    if isinstance(info, types.VarTupleType):
        return _is_key(info.item_type)
    return not isinstance(info, types.StructType | types.DataclassType | types.TypedDictType | types.FrozenSetType)
