"""What a store holds: one entry a key, of bytes that nobody but its owner needs to understand."""

from __future__ import annotations

from typing import Final

import msgspec

ACTOR: Final = "actor"
"""The persistent fields of the actor at a path: `actor:/bot/ledger`."""

ASIDE: Final = "aside"
"""What was set aside of a path, and when (unix seconds): `aside:/bot/ledger#1764000000.125`."""

WORK: Final = "work"
"""An operation or intent of a path that is not finished: `work:/bot/backfill#7f3a-2-1`."""

PART: Final = "part"
"""What a runtime, or an actor beside its fields, keeps under a name: `part:guards`."""

NOTE: Final = "note"
"""What the state says of itself: `note:life`."""

NAMESPACES: Final = (ACTOR, ASIDE, WORK, PART, NOTE)


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One blob as it was saved.

    Attributes:
        kind: Whose it is, for people: a class's name, `operation`, `guards`.
        schema: Version of what *data* means, counted from 1; its owner's business.
        version: Saves of this key so far, counted from 1: what is restored is never older than what was acknowledged.
        at: When it was taken, in seconds since 1970.
        money: Whether it may be set aside by a hand only.
        data: A MessagePack map.
    """

    kind: str
    schema: int
    version: int
    at: float
    money: bool = False
    data: bytes  # last, so that a store can write it from where it is


class Change(msgspec.Struct, frozen=True, gc=False):
    """What happens to one key.

    Attributes:
        key: Namespace, `:`, and a name.
        entry: What it holds from now on; None: it is gone.
    """

    key: str
    entry: Entry | None


def key_of(namespace: str, name: str) -> str:
    """Return the key of *name* in *namespace*."""
    return f"{namespace}:{name}"


def split_key(key: str) -> tuple[str, str]:
    """Return the namespace and the name of *key*; the namespace is empty if it has none."""
    namespace, colon, name = key.partition(":")
    return (namespace, name) if colon else ("", key)
