"""What the tests of the tap share: a bot whose records are kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs

from duenna import Child, Runtime, Supervisor
from duenna._open import opened
from duenna.testing._tap import tap
from tests.runtime.messaging.support import tree


@attrs.frozen
class Entry:
    """One record."""

    kind: str
    path: str
    incarnation: int
    fields: dict[str, Any]


@attrs.define
class Book:
    """All records of a run."""

    entries: list[Entry] = attrs.field(factory=list[Entry])

    def record(self, kind: str, path: str = "", incarnation: int = 0, **fields: Any) -> None:
        """Add one, unless it is about the runtime's own actors."""
        if path == "/system" or path.startswith("/system/"):
            return
        self.entries.append(Entry(kind, path, incarnation, fields))

    def of(self, *kinds: str) -> list[Entry]:
        """Give those of *kinds*."""
        return [entry for entry in self.entries if entry.kind in kinds]

    def life(self, path: str, number: int, sender: str = "") -> list[str]:
        """Give what became of one message, in a word each; for `handled`, how."""
        return [
            str(entry.fields.get("outcome", entry.kind))
            for entry in self.entries
            if entry.path == path and entry.fields.get("number") == number and entry.fields.get("sender") == sender
        ]

    def lives(self, path: str, sender: str = "") -> list[list[str]]:
        """Give the lives of all messages from *sender* to *path*, in order."""
        return [
            self.life(path, entry.fields["number"], sender)
            for entry in self.of("sent")
            if entry.path == path and entry.fields["sender"] == sender
        ]


@asynccontextmanager
async def tapped(
    *children: Child | Supervisor, messages: bool = True, **options: Any
) -> AsyncIterator[tuple[Runtime, Book]]:
    """Run ``/bot`` with *children*, tapped."""
    runtime = Runtime(tree(*children, **options), system=(), seed=1, log_level=None)
    book = Book()
    with tap(runtime, book.record, messages=messages):
        async with opened(runtime, None):
            yield runtime, book
