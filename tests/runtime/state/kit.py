"""Actors and stores that the tests of the state share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from duenna import Actor, Child, Supervisor, persistent
from duenna.events import Event
from duenna.storage import MemoryStore, StateWriteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna import EventStream
    from duenna.storage import Change

E = TypeVar("E", bound=Event)


class DurableStore(MemoryStore):
    """A store in memory that passes for a durable one; what it is told to refuse it refuses."""

    def __init__(self) -> None:
        super().__init__("durable")
        self.is_durable = True
        self.commits: list[tuple[Change, ...]] = []
        self.refuses = ""

    def copy(self) -> DurableStore:
        """Return what a process finds if the one that holds this is killed now."""
        made = DurableStore()
        made._entries, made._seq, made._saved_at = dict(self._entries), self._seq, self._saved_at
        return made

    def commit(self, changes: Sequence[Change], at: float) -> int:
        if self.refuses:
            raise StateWriteError(self.name, f"{len(changes)} changes", self.refuses)
        self.commits.append(tuple(changes))
        return super().commit(changes, at)


@attrs.define
class Ledger(Actor):
    """Counts; a message makes it do what is asked."""

    fills: int = persistent(default=0)
    notes: list[str] = persistent(factory=list)
    seen: int = 0

    async def receive(self, message: str) -> Any:
        match message.split():
            case ["fill"]:
                self.fills += 1
                self.seen += 1
            case ["note", text]:
                self.notes.append(text)
            case ["save"]:
                await self.context.save()
            case ["fills"]:
                return self.fills
            case ["seen"]:
                return self.seen
            case ["notes"]:
                return list(self.notes)
            case ["restored"]:
                return self.context.restored
            case ["crash"]:
                raise ValueError("crash")
            case _:
                raise AssertionError(message)
        return None


def bot(*children: Child, **options: Any) -> Supervisor:
    """Return a tree with these children, which may crash as often as they like."""
    return Supervisor("bot", list(children), intensity=1000, period=1.0, **options)


def one(stream: EventStream, kind: type[E]) -> E:
    """Return the one event that is in *stream*, which is of *kind*."""
    (event,) = stream.drain()
    assert isinstance(event, kind)
    return event
