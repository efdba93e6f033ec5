"""Candidates that only a running bot knows; none if none answers, at once and without a word."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE: Final = 1.0
_TARGET: Final = ("bot", "socket", "url", "token", "token_file")


def actors(current: str, given: Mapping[str, Any]) -> list[str]:
    """Return the paths of all actors; also the names that only one has, unless a path is being written."""
    rows = _get("/api/v1/tree", given)["rows"]
    paths = [str(row["path"]) for row in rows]
    if current.startswith("/"):
        return paths
    names = [str(row["name"]) for row in rows]
    unique = [name for name in names if names.count(name) == 1 and not name.startswith("-")]
    return unique if current else paths


def breakers(_: str, given: Mapping[str, Any]) -> list[str]:
    """Return the names of the breakers."""
    return [str(row["name"]) for row in _get("/api/v1/breakers", given)["breakers"]]


def silences(_: str, given: Mapping[str, Any]) -> list[str]:
    """Return the ids of the silences, where one is to be deleted."""
    if given.get("what") != "delete":
        return []
    return [str(row["id"]) for row in _get("/api/v1/silences", given)["silences"]]


def incidents(_: str, given: Mapping[str, Any]) -> list[str]:
    """Return the ids of the incident files, or that a file is wanted."""
    if given.get("what") == "show":
        return ["files"]
    if given.get("what") != "get":
        return []
    return [str(row["id"]) for row in _get("/api/v1/incidents", given)["incidents"]]


def bots(_: str, __: Mapping[str, Any]) -> list[str]:
    """Return the names of the bots that left word of themselves."""
    from duenna_actors.client.address import known_bots  # noqa: PLC0415 - only when Tab is pressed

    return known_bots(os.environ)


def _get(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    from duenna_actors.client.address import find  # noqa: PLC0415 - only when Tab is pressed
    from duenna_actors.client.http import Client  # noqa: PLC0415

    named = {name: given.get(name) for name in _TARGET}
    client = Client(find(named.pop("bot"), **named), connect_timeout=_PATIENCE, read_timeout=_PATIENCE)
    return client.get(path)
