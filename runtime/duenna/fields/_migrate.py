"""From what an earlier version of a class stored to what this one would have stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from duenna.fields._kinds import is_map
from duenna.fields._trial import say, tell
from duenna.fields.errors import StateMismatchError

Migration: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of what one version of a class stored what the next would have stored.

It is given the fields as MessagePack has them: a Decimal, a UUID and a date are text, a set and
a tuple are lists, an object is a dict. What it returns may hold either.
"""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


def check_migrations(kind: str, schema: int, migrations: Any) -> Mapping[int, Migration]:
    """Return *migrations* if they lead to *schema* without a gap.

    Raises:
        TypeError: They do not.
    """
    expected = f"{kind}.migrations must be a dict from each version to what makes the next of it"
    if not is_map(migrations):
        raise TypeError(f"{expected}, got {migrations!r}")
    steps = migrations
    for version, migration in steps.items():
        if type(version) is not int or not callable(migration):
            raise TypeError(f"{expected}, got {migration!r} for {version!r}")
    if steps and (min(steps) < 1 or sorted(steps) != list(range(min(steps), schema))):
        raise TypeError(f"{expected}, without a gap up to schema {schema}, got {sorted(steps)}")
    return steps


def migrate(kind: str, migrations: Mapping[int, Migration], schema: int, known: int, data: bytes) -> bytes:
    """Return what the class would have stored with the schema *known* in the place of *data*, of *schema*.

    Raises:
        StateMismatchError: A step is missing, or failed.
    """
    values: Any = read(kind, data)
    was = f"schema {schema}"
    for version in range(schema, known):
        if version not in migrations:
            raise StateMismatchError(kind, "", was, f"there is no migration from schema {version} to {version + 1}")
        step = f"the migration from schema {version} to {version + 1}"
        try:
            values = migrations[version](values)
        except Exception as exc:
            raise StateMismatchError(kind, "", was, f"{step} raised {type(exc).__name__}: {tell('', exc)}") from exc
        if not is_map(values):
            raise StateMismatchError(kind, "", was, f"{step} must return a dict, got {say('', values)}")
    try:
        return _encode(values)
    except Exception as exc:
        why = f"the migrations made of it what cannot be stored: {tell('', exc)}"
        raise StateMismatchError(kind, "", was, why) from exc


def read(kind: str, data: bytes) -> dict[str, Any]:
    """Return the fields in *data*, as MessagePack has them.

    Raises:
        StateMismatchError: It is no map of fields.
    """
    try:
        stored: Any = _decode(data)
    except Exception as exc:
        raise StateMismatchError(kind, "", f"{len(data)} bytes", f"they are no MessagePack ({exc})") from exc
    if not is_map(stored) or not all(isinstance(name, str) for name in stored):
        raise StateMismatchError(kind, "", say("", stored), "it must be a map from the names of fields")
    return stored
