"""The state in memory: what a runtime has that was given no place for it, and the fake of all stores."""

from collections.abc import Sequence

import attrs

from duenna.storage.entries import Change, Entry
from duenna.storage.errors import StateLockedError
from duenna.storage.store import Compacted, Loaded


@attrs.define(eq=False)
class MemoryStore:
    """Keeps the state for as long as this object lives: an actor's restart finds it, the next process does not.

    A runtime that ended leaves it to the next one that is given the same object.

    Attributes:
        name: What people know it by.
    """

    name: str = "memory"
    is_durable: bool = attrs.field(default=False, init=False)
    _entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)
    _seq: int = attrs.field(default=0, init=False)
    _saved_at: float | None = attrs.field(default=None, init=False)
    _is_open: bool = attrs.field(default=False, init=False)
    _was_clean: bool = attrs.field(default=False, init=False)

    def open(self) -> Loaded:
        """Take possession.

        Raises:
            StateLockedError: It is open already.
        """
        if self._is_open:
            raise StateLockedError(self.name, "another runtime of this process")
        self._is_open = True
        loaded = Loaded(
            entries=dict(self._entries),
            seq=self._seq,
            existed=self._seq > 0,
            was_clean=self._was_clean,
            saved_at=self._saved_at,
            source="memory",
        )
        self._was_clean = False
        return loaded

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out *changes*; they are as durable as this object."""
        for change in changes:
            if change.entry is None:
                self._entries.pop(change.key, None)
            else:
                self._entries[change.key] = change.entry
        self._seq += 1
        self._saved_at = at
        return self._seq

    @property
    def wants_compacting(self) -> bool:
        """Never."""
        return False

    def compact(self, at: float) -> Compacted | None:  # noqa: ARG002  # the port's
        """There is nothing to tidy up."""
        return None

    def close(self, at: float, *, is_clean: bool) -> None:  # noqa: ARG002  # the port's
        """Let go."""
        self._is_open = False
        self._was_clean = is_clean
