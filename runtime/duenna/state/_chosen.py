"""Whose an entry is, and which entries somebody means who names a path."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from duenna.storage.entries import ACTOR, ASIDE, NAMESPACES, NOTE, PART, WORK, key_of, split_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna.storage import Entry

_WORK_KINDS: Final = frozenset({"operation", "intent"})
_GLOB: Final = frozenset("*?[")


def path_of(key: str, kind: str) -> str:
    """Return the path of the actor whose the entry of *kind* under *key* is; empty if it is nobody's.

    A `#` may stand in the name of an actor, never in the id that follows it.
    """
    space, name = split_key(key)
    if space == ASIDE:
        name = name.rpartition("#")[0]
        if kind in _WORK_KINDS:
            name = name.rpartition("#")[0]
    elif space == WORK:
        name = name.rpartition("#")[0]
    elif space != ACTOR:
        name = name.partition(":")[2] if space == PART else ""
    if not name.startswith("/"):  # of a part that was set aside
        name = name.partition(":")[2]
    return name if name.startswith("/") else ""


def is_at_or_below(path: str, top: str) -> bool:
    """Return whether *path* is *top* or lies below it."""
    return path == top or path.startswith(f"{top.rstrip('/')}/")


def chosen(entries: Mapping[str, Entry], wanted: str) -> list[str]:
    """Return the keys that *wanted* means, sorted: a path and all below it, a pattern of paths, or a key.

    Args:
        entries: All there are.
        wanted: Such as `/bot/ledger`, `/bot/*/btc` (a `*` stands for slashes, too), `part:guards`.

    Raises:
        ValueError: It is none of these.
    """
    space, name = split_key(wanted)
    if space in NAMESPACES and name:
        return [wanted] if wanted in entries else []
    if not wanted.startswith("/") or (wanted != "/" and wanted.endswith("/")) or "//" in wanted:
        message = f"a path such as /bot/ledger, a pattern, or a key such as part:guards is needed, got {wanted!r}"
        raise ValueError(message)
    is_glob = not _GLOB.isdisjoint(wanted)
    found: list[str] = []
    for key, entry in entries.items():
        path = path_of(key, entry.kind)
        if path and (is_at_or_below(path, wanted) or (is_glob and _fits(path, wanted))):
            found.append(key)
    return sorted(found)


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*")


def moved(key: str, kind: str, old: str, new: str) -> str | None:
    """Return *key* as it is when the path *old* with all below it has become *new*; None: it is not concerned."""
    path = path_of(key, kind)
    if not path or not is_at_or_below(path, old):
        return None
    space, name = split_key(key)
    head, found, tail = name.partition(path)  # a part has its name before the path
    assert found  # noqa: S101  # its path is a part of its name
    return key_of(space, f"{head}{new}{path[len(old) :]}{tail}")


def is_note(key: str) -> bool:
    """Return whether *key* is what the state says of itself."""
    return split_key(key)[0] == NOTE
