"""Queries and bodies, read strictly: what is not understood is refused, never left out.

A query and a body are msgspec structs, which say both what is allowed and what the OpenAPI document
tells of it. The complaint about a value names the field, the value, and what was expected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from duenna_actors.console.api.problems import ProblemError, near, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T", bound=msgspec.Struct)

_MISSING: Final = re.compile(r"Object missing required field `(?P<name>.*)`")
_LONGEST: Final = 100


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """A query without parameters."""


def read_query(kind: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """Return the query as a *kind*.

    Raises:
        ProblemError: A parameter is unknown, comes twice, or has a value that it cannot have.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise _wrong("parameter", name, value, "there once")
        given[name] = value
    return _converted("parameter", given, kind, strict=False)


def read_body(kind: type[T], body: bytes) -> T:
    """Return the body as a *kind*; an empty one is an empty object.

    Raises:
        ProblemError: It is no JSON, or a field is missing, unknown, or has a value that it cannot have.
    """
    try:
        given: Any = msgspec.json.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        why = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise ProblemError(400, "unreadable body", f"the body must be a JSON object: {why}") from None
    if not isinstance(given, dict):
        raise ProblemError(422, "wrong body", f"the body must be a JSON object, got {shown(given)}")
    return _converted("field", cast("dict[str, Any]", given), kind, strict=True)


def _converted(what: str, given: dict[str, Any], kind: type[T], *, strict: bool) -> T:
    fields = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in given:
        if name not in fields:
            raise _unknown(what, name, fields)
    try:
        return msgspec.convert(given, kind, strict=strict)
    except msgspec.ValidationError as exc:
        raise _complaint(what, given, kind, str(exc)) from None


def _unknown(what: str, name: str, fields: list[str]) -> ProblemError:
    known = f"; known are {', '.join(fields)}" if fields else "; there are none here"
    detail = f"{what} {shown(name)} is not known{known}"
    return ProblemError(422, f"unknown {what}", detail, field=name[:_LONGEST], names=near(name, fields))


def _complaint(what: str, given: dict[str, Any], kind: type[msgspec.Struct], text: str) -> ProblemError:
    """Return the problem of which msgspec says *text*."""
    if (missing := _MISSING.fullmatch(text)) is not None:
        name = missing["name"]
        return ProblemError(422, f"missing {what}", f"{what} {name} is needed: {_expected(kind, name)}", field=name)
    rule, _, place = text.removesuffix("`").rpartition(" - at `$.")  # the rule may quote the value
    name = place.partition("[")[0]
    expected = _expected(kind, name) if place == name else rule.removeprefix("Expected ")
    return _wrong(what, place, given.get(name), expected)


def _wrong(what: str, field: str, value: object, expected: str) -> ProblemError:
    detail = f"{what} {field[:_LONGEST]} must be {expected}, got {shown(value)}"
    return ProblemError(422, f"wrong {what}", detail, field=field[:_LONGEST], expected=expected)


def _expected(kind: type[msgspec.Struct], name: str) -> str:
    """Return in words what the field *name* of *kind* may be."""
    info: Any = msgspec.inspect.type_info(kind)
    types = {field.encode_name: field.type for field in info.fields}
    return _in_words(types[name])


def _in_words(kind: msgspec.inspect.Type) -> str:  # noqa: PLR0911  # a table
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return _in_words(inner)
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(_in_words(each) for each in types if not isinstance(each, msgspec.inspect.NoneType))
        case msgspec.inspect.LiteralType(values=values):
            return f"one of {', '.join(str(value) for value in values if value != '')}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType():
            return f"a whole number{_range(kind)}"
        case msgspec.inspect.FloatType():
            return f"a number{_range(kind)}"
        case msgspec.inspect.StrType(min_length=least, max_length=most):
            return f"a text of {least or 0} to {most} characters" if most is not None else "a text"
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            size = f" of {kind.min_length or 0} to {kind.max_length}" if kind.max_length is not None else ""
            return f"a list{size}, each {_in_words(kind.item_type)}"
        case _:
            return "something else"


def _range(kind: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    least = (
        f" of at least {kind.ge:g}"
        if kind.ge is not None
        else f" greater than {kind.gt:g}"
        if kind.gt is not None
        else ""
    )
    if kind.le is None:
        return least
    return f" from {kind.ge:g} to {kind.le:g}" if kind.ge is not None else f"{least} and at most {kind.le:g}"
