"""A remote store in memory, which may be down, hang, and lose its answers."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import attrs

from duenna.storage import Change, Entry, MemoryStore, StateError, StateUnreadableError, StateWriteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.storage import Compacted, Loaded


@attrs.define(eq=False)
class Remote:
    """What it holds outlives its owners, as a server's tables do.

    Attributes:
        troubles: What the next calls meet, one each: `down` (nothing is done), `lost` (it is done, the answer
            does not come), or nothing if empty.
        is_up: Cleared, every call waits for it to be set again.
        is_waiting: Set while a call waits.
        commits: What was committed.
        states: What it held after each commit.
        ends: How it was closed: in order or not.
    """

    memory: MemoryStore = attrs.field(factory=lambda: MemoryStore("far"))
    name: str = "far"
    is_durable: bool = True
    troubles: deque[str] = attrs.field(factory=deque[str])
    is_up: threading.Event = attrs.field(factory=threading.Event)
    is_waiting: threading.Event = attrs.field(factory=threading.Event)
    commits: list[list[Change]] = attrs.field(factory=list[list[Change]])
    states: list[dict[str, Entry]] = attrs.field(factory=list[dict[str, Entry]])
    ends: list[bool] = attrs.field(factory=list[bool])

    def __attrs_post_init__(self) -> None:
        self.is_up.set()

    def open(self) -> Loaded:
        self._meet(StateUnreadableError(self.name, "the table", "connection refused"))
        return self.memory.open()

    def commit(self, changes: Sequence[Change], at: float) -> int:
        error = StateWriteError(self.name, "a commit", "connection refused")
        is_lost = self._meet(error) == "lost"
        seq = self.memory.commit(changes, at)
        self.commits.append(list(changes))
        self.states.append(self.entries)
        if is_lost:
            raise error
        return seq

    @property
    def wants_compacting(self) -> bool:
        return False

    def compact(self, at: float) -> Compacted | None:
        return None

    def close(self, at: float, *, is_clean: bool) -> None:
        self.memory.close(at, is_clean=is_clean)
        self.ends.append(is_clean)

    @property
    def entries(self) -> dict[str, Entry]:
        """All but the note of how far it is."""
        return {key: entry for key, entry in self.memory._entries.items() if key != "note:replica"}

    def _meet(self, error: StateError) -> str:
        if not self.is_up.is_set():
            self.is_waiting.set()
            self.is_up.wait()
        trouble = self.troubles.popleft() if self.troubles else ""
        if trouble == "down":
            raise error
        return trouble
