"""Bots that give up, park and wait, and the incident files that they leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna import Actor, Backoff, Child, Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from duenna import Context

NO_WAIT = Backoff.none()


async def crasher(_context: Context) -> None:
    """Crash after a second."""
    await trio.sleep(1)
    raise ConnectionError("hung up")


@attrs.frozen
class Query:
    """A message with something in it."""

    text: str


class Database(Actor):
    """Takes an hour for each query."""

    async def receive(self, message: Query) -> None:
        await trio.sleep(3600)


class Idle(Actor):
    """Answers, and has no task."""

    def receive(self, message: Any) -> None:
        del message


def parking(*others: Child | Supervisor, name: str = "feed") -> Supervisor:
    """Return a bot with a child that is parked at its second crash, after two seconds."""
    feed = Child(name, crasher, backoff=NO_WAIT, max_failures=1, on_give_up="park", unpark_after=None)
    return Supervisor("bot", [feed, *others], intensity=1000)


def giving_up(*others: Child | Supervisor) -> Supervisor:
    """Return a bot that gives up at the second crash, after two seconds."""
    return Supervisor("bot", [Child("feed", crasher, backoff=NO_WAIT), *others], intensity=1, period=60.0)


def files_in(directory: Path) -> list[Path]:
    """Return the incident files below the base *directory*, oldest first."""
    folder = directory / "incidents"
    return sorted(folder.glob("incident-*.json")) if folder.is_dir() else []


def documents_in(directory: Path) -> list[dict[str, Any]]:
    """Return what is in them."""
    return [json.loads(file.read_bytes()) for file in files_in(directory)]


def node(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the row of the tree of *path*."""
    (found,) = [row for row in document["tree"] if row["path"] == path]
    return dict(found)
