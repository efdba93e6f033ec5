"""Which field is to blame, in an error that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duenna.fields._migrate import read
from duenna.fields._probe import FaultError
from duenna.fields._trial import Found, find, places, say, tell, twice
from duenna.fields._unknown import unknown
from duenna.fields.errors import StateMismatchError, UnencodableStateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from duenna.fields._field import PersistentField


def unencodable(
    kind: str, fields: Sequence[PersistentField], values: Sequence[Any], cause: Exception | None
) -> UnencodableStateError:
    """Return the error that says which of *values* would not come back as it is."""
    found = _fault(fields, dict(zip((field.name for field in fields), values, strict=True)), cause)
    return UnencodableStateError(kind, found.where, found.value, found.why)


def mismatch(kind: str, fields: Sequence[PersistentField], data: bytes, cause: Exception) -> StateMismatchError:
    """Return the error that says what in *data* does not fit."""
    try:
        stored = read(kind, data)
    except StateMismatchError as error:
        return error
    known = {field.name: field for field in fields}
    for name, value in stored.items():
        if name not in known:
            why = f"{kind} has no such persistent field: migrate it, or start the version that wrote it"
            return StateMismatchError(kind, name, say(name, value), why)
        if found := find(name, value, known[name].decode, is_stored=True):
            return StateMismatchError(kind, found.where, found.value, found.why)
    return StateMismatchError(kind, "", say("", stored), tell("", cause))


def refuse_unknown(kind: str, fields: Sequence[PersistentField], data: bytes) -> None:
    """Raise if there is a field inside of *fields* that the classes there do not have.

    Raises:
        StateMismatchError: There is, and it would be lost in silence.
    """
    stored = read(kind, data)
    for field in fields:
        if field.name in stored and (found := unknown(stored[field.name], field.info)):
            where = field.name + found[0]
            why = "there is no such field any more: migrate it, or start the version that wrote it"
            raise StateMismatchError(kind, where, say(where, found[1]), why)


def _fault(fields: Sequence[PersistentField], values: Mapping[str, Any], cause: Exception | None) -> Found:
    for field in fields:
        if found := find(field.name, values[field.name], field.decode):
            return found
    if isinstance(cause, FaultError):
        where = next(where for where, value in places(values) if value is cause.value)
        return Found(where, say(where, cause.value), cause.why)
    if both := twice(values):
        first, second, value = both
        why = f"it is in {first} as well, and would come back as two: keep it once, or make it immutable"
        return Found(second, say(second, value), why)
    name = fields[0].name
    return Found(name, say(name, values[name]), "it, or another field, changed while it was encoded")
