"""What is stored as a document of JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from duenna.records.dates import timestamp
from duenna.secrets import redact
from duenna.state._chosen import path_of
from duenna.state._readable import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duenna.state._look import Seen
    from duenna.storage import Damage, Entry


def entry_document(key: str, entry: Entry, now: float, *, has_values: bool) -> dict[str, object]:
    """Return what is known of the *entry* under *key*; *now* in seconds since 1970."""
    document = {"path": redact(path_of(key, entry.kind)) or None, **entry_row(entry, now)}
    if has_values:
        document["values"] = unpacked(entry.data)
    return document


def entry_row(entry: Entry, now: float) -> dict[str, object]:
    """Return what is known of *entry* without its values."""
    return {
        "kind": entry.kind,
        "schema": entry.schema,
        "version": entry.version,
        **dated(entry.at, now),
        "size": len(entry.data),
        "money": entry.money,
    }


def entry_documents(
    entries: Mapping[str, Entry], keys: Iterable[str], now: float, *, has_values: bool
) -> dict[str, object]:
    """Return what is known of *keys*, by key."""
    return {redact(key): entry_document(key, entries[key], now, has_values=has_values) for key in keys}


def damage_document(damage: Damage) -> dict[str, str]:
    """Return what is known of *damage*."""
    return {"where": damage.where, "what": damage.what, "loss": str(damage.loss), "kept_as": damage.kept_as}


def seen_document(seen: Seen, now: float) -> dict[str, object]:
    """Return what is known of a whole state."""
    loaded = seen.loaded
    return {
        "store": seen.folder,
        "commit": loaded.seq,
        **dated(loaded.saved_at, now),
        "was_clean": loaded.was_clean,
        "in_use_by": seen.holder or None,
        "source": loaded.source,
        "size": loaded.size,
        "damages": [damage_document(damage) for damage in seen.damages],
    }


def dated(at: float | None, now: float) -> dict[str, object]:
    """Return when something was saved, and how many seconds ago."""
    if at is None:
        return {"saved_at": None, "age": None}
    age = now - at
    return {"saved_at": timestamp(at), "age": round(age, 3) if math.isfinite(age) else None}
