"""What a setting may be: read off the types of the model, checked by msgspec, said in words."""

import math
from functools import lru_cache
from typing import Any, TypeGuard, cast

import attrs
import msgspec
from msgspec import inspect

_SHOWN = 80


@attrs.frozen
class Field:
    """One setting of a block.

    Attributes:
        name: As in the files.
        wanted: Its type, for msgspec.
        info: The same as msgspec sees it, without its unit.
        unit: Of a number, in words; empty if it has none.
        block: The struct that it is a block of; None if it is a value.
        entry: The struct of each entry if it is a mapping from names to blocks; else None.
    """

    name: str
    wanted: Any
    info: Any
    unit: str
    block: type[msgspec.Struct] | None
    entry: type[msgspec.Struct] | None

    def checked(self, value: object) -> Any:
        """Return *value* in the field's own type (a whole number as a float, say).

        Raises:
            ValueError: It is not what the field expects; the message is what it expects.
        """
        try:
            made = msgspec.convert(value, self.wanted)
        except (msgspec.ValidationError, RecursionError):
            raise ValueError(self.expects(value)) from None
        if isinstance(made, float) and not math.isfinite(made):
            raise ValueError(self.expects(value))
        return made

    def expects(self, value: object = None, *, unit: str = "", scale: float = 1.0) -> str:
        """Say in words what the field expects, and the upper limit only where *value* is beyond it.

        Args:
            value: What is there instead.
            unit: Another unit than the field's own, in which *value* is.
            scale: So many of those are one of the field's own.
        """
        return _words(self.info, unit or self.unit, scale, value)


@lru_cache(maxsize=64)
def fields_of(struct: type[msgspec.Struct]) -> dict[str, Field]:
    """Return the settings of *struct* by name, in order."""
    return {field.name: _field(field.name, field.type) for field in msgspec.structs.fields(struct)}


def check(settings: msgspec.Struct) -> None:
    """Check what *settings* were made of, and give each value the type of its field; for ``__post_init__``.

    Raises:
        ValueError: A setting is not what it must be; names it, the expectation and the value.
    """
    for name, field in fields_of(type(settings)).items():
        value = getattr(settings, name)
        try:
            made = _checked(field, value)
        except ValueError as error:
            message = f"{name} must be {error}, got {in_words(value)}"
            raise ValueError(message) from None
        msgspec.structs.force_setattr(settings, name, made)


def _checked(field: Field, value: object) -> Any:
    if field.block is not None:
        if not isinstance(value, field.block):
            raise ValueError(f"of type {field.block.__name__}")
        return value
    if field.entry is not None:
        if not _is_mapping_of(value, field.entry):
            raise ValueError(f"a mapping from names to {field.entry.__name__}")
        return value
    return field.checked(value)


def in_words(value: object) -> str:
    """Show *value* in one short line, in the words of the files; what is in a mapping or a list is not shown."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:  # long enough, Python refuses to write it at all
        return f"a number of {value.bit_length()} bits"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."


def _is_mapping_of(value: object, entry: type[msgspec.Struct]) -> bool:
    if not isinstance(value, dict):
        return False
    pairs = cast("dict[object, object]", value).items()
    return all(isinstance(name, str) and isinstance(each, entry) for name, each in pairs)


def _field(name: str, type_: Any) -> Field:
    info, unit = _bare(inspect.type_info(type_))
    if isinstance(info, inspect.UnionType):  # a number or null: the unit is the number's
        unit = max(_bare(part)[1] for part in info.types)
    entry = info.value_type if isinstance(info, inspect.DictType) else None
    return Field(
        name,
        type_,
        info,
        unit,
        block=info.cls if isinstance(info, inspect.StructType) else None,
        entry=entry.cls if isinstance(entry, inspect.StructType) else None,
    )


def _bare(info: Any) -> tuple[Any, str]:
    if isinstance(info, inspect.Metadata):
        extra: dict[str, Any] = getattr(info, "extra", None) or {}  # whose own annotation is but `dict`
        return info.type, str(extra.get("unit", ""))
    return info, ""


def _words(info: Any, unit: str, scale: float, value: object) -> str:
    if isinstance(info, inspect.UnionType):
        return ", or ".join(_words(_bare(part)[0], unit, scale, value) for part in info.types)
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return _number(info, unit, scale, value)
    return _WORDS[type(info)]


_WORDS: dict[type, str] = {
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.VarTupleType: "a list of mappings",
    inspect.DictType: "a mapping",
    inspect.StructType: "a mapping",
}


def _number(info: inspect.IntType | inspect.FloatType, unit: str, scale: float, value: object) -> str:
    kind = "a whole number" if isinstance(info, inspect.IntType) else "a number"
    if info.le is not None and _is_number(value) and value > info.le * scale:
        limit = f"of at most {info.le * scale:.15g}"
    elif info.ge is not None:
        limit = f"of at least {info.ge * scale:.15g}"
    else:
        limit = f"greater than {(info.gt or 0) * scale:.15g}"
    return " ".join(word for word in (kind, unit and f"of {unit}", limit) if word)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
