"""What the types of fields are, when annotations are text and classes are generic."""

from __future__ import annotations

import re
import sys
from collections import abc
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DICTS: Final = frozenset({dict, abc.Mapping, abc.MutableMapping})
_ITEMS: Final[Mapping[Any, type]] = {
    list: list,
    abc.Collection: list,
    abc.MutableSequence: list,
    abc.Sequence: list,
    set: set,
    abc.MutableSet: set,
    abc.Set: set,
    frozenset: frozenset,
}
_MODULE: Final = re.compile(r"\b(?:\w+\.)+(?=\w)")


def resolve(cls: type, attribute: Any) -> Any:
    """Return the type of *attribute* of the attrs class *cls*, with the type variables that *cls* has filled in.

    Raises:
        TypeError: There is none, or it names what does not exist at run time.
    """
    where = f"{cls.__qualname__}.{attribute.name}"
    if attribute.type is None:
        raise TypeError(f"{where} is persistent, so it must have a type, such as `{attribute.name}: int`")
    owner = _owner(cls, attribute.name)
    module = sys.modules.get(owner.__module__)
    parameters = {parameter.__name__: parameter for parameter in getattr(owner, "__type_params__", ())}
    carrier = type(owner.__name__, (), {"__annotations__": {attribute.name: attribute.type}})
    try:
        hints = get_type_hints(carrier, vars(module) if module else {}, parameters, include_extras=True)
    except Exception as exc:
        raise TypeError(
            f"{where} has the type {shown(attribute.type)}, which cannot be resolved ({exc}): what it names must "
            "exist at run time, above the class, and neither under TYPE_CHECKING nor inside a function"
        ) from exc
    return _filled(hints[attribute.name], _bindings(cls).get(owner, {}))


def shown(hint: Any) -> str:
    """Return *hint* as it is written."""
    if isinstance(hint, str):
        return hint
    if isinstance(hint, type) and not get_args(hint):
        return hint.__qualname__
    return _MODULE.sub("", repr(hint))


def containers(hint: Any) -> Iterator[tuple[type, tuple[Any, ...]]]:
    """Name the classes of values of *hint* that may hold many others, and the types of what they hold.

    Containers whose length is limited are left out: a slice of them is no such container.
    A Struct is given with its own type, as it has many types in it.
    """
    hint = _bare(hint)
    origin: Any = get_origin(hint) or hint
    arguments = get_args(hint)
    if origin in (Union, UnionType):
        for argument in arguments:
            yield from containers(argument)
    elif origin in (Any, object) or isinstance(origin, TypeVar):
        yield dict, (Any, Any)
        yield list, (Any,)
    elif isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        yield origin, (hint,)
    elif origin in _DICTS:
        yield dict, arguments or (Any, Any)
    elif origin is tuple:
        if not arguments or arguments[1:] == (...,):
            yield tuple, (arguments[0] if arguments else Any,)
    elif kind := _ITEMS.get(origin):
        yield kind, arguments or (Any,)


def _bare(hint: Any) -> Any:
    """Return what *hint* stands for: the type of a NewType, an alias, or an Annotated that limits nothing."""
    while True:
        if get_origin(hint) is Annotated and not any(isinstance(extra, msgspec.Meta) for extra in hint.__metadata__):
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif hasattr(hint, "__value__") and not get_args(hint):
            hint = hint.__value__
        else:
            return hint


def _owner(cls: type, name: str) -> type:
    """Return the base of *cls* in whose module the annotation of *name* stands."""
    return next(
        base
        for base in cls.__mro__
        for attribute in vars(base).get("__attrs_attrs__", ())
        if attribute.name == name and not attribute.inherited
    )


def _bindings(cls: type) -> dict[type, dict[Any, Any]]:
    """Return for the bases of *cls* what their type variables stand for in *cls*."""
    bound: dict[type, dict[Any, Any]] = {}
    for base in cls.__mro__:
        for alias in vars(base).get("__orig_bases__", ()):
            origin: Any = get_origin(alias)
            parameters = getattr(origin, "__parameters__", ())
            if isinstance(origin, type) and len(parameters) == len(get_args(alias)):
                filled = [_filled(argument, bound.get(base, {})) for argument in get_args(alias)]
                bound.setdefault(origin, dict(zip(parameters, filled, strict=True)))
    return bound


def _filled(hint: Any, bound: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or not get_args(hint):
        return hint
    return hint[tuple(bound.get(parameter, parameter) for parameter in parameters)]
