"""Which actor is meant by what somebody types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from duenna_actors.client.errors import UsageError

if TYPE_CHECKING:
    from duenna_actors.client.http import Client

_MOST: Final = 10


def resolve(client: Client, target: str) -> str:
    """Return the path of the actor that *target* is: a path, the end of one, a name, or a kind such as `database`.

    Raises:
        UsageError: It means several, or none.
    """
    if target.startswith("/"):
        return target
    rows: list[dict[str, Any]] = client.get("/api/v1/tree")["rows"]
    paths = [str(row["path"]) for row in rows if row["name"] == target or row["path"].endswith(f"/{target}")]
    if not paths:
        kind = target.replace("-", "_")
        paths = [str(row["path"]) for row in rows if str(row["kind"]).replace("-", "_") == kind]
    if len(paths) == 1:
        return paths[0]
    if paths:
        raise UsageError(f"{target!r} means {len(paths)} actors, say which: {_some(paths)}")
    raise UsageError(f"no actor has the name {target!r}; there are {_some(sorted({str(row['name']) for row in rows}))}")


def resolve_if_given(client: Client, target: str | None) -> str | None:
    """Return what `resolve` does; None: None."""
    return None if target is None else resolve(client, target)


def _some(words: list[str]) -> str:
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more
