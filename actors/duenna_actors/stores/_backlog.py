"""What one store has and another has not got yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.storage import Change, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTE: Final = "note:replica"
"""The key under which both stores have the number of the last commit, so that it is known which is ahead."""


@attrs.frozen
class Lag:
    """How far a remote store is behind.

    Attributes:
        commits: Acknowledged commits that are not known to be there.
        seconds: How long the oldest of them has waited.
        keys: Entries that are to be sent.
        size: Their bytes.
        is_resyncing: Whether the whole state is to be compared first: at the start, and after too many keys waited.
        is_refused: Whether what was found there is not overwritten: nothing is sent any more.
        last_error: What the last attempt failed of; empty if it went well.
    """

    commits: int = 0
    seconds: float = 0.0
    keys: int = 0
    size: int = 0
    is_resyncing: bool = False
    is_refused: bool = False
    last_error: str = ""

    @property
    def is_behind(self) -> bool:
        """Whether there is anything that the remote store may not have."""
        return self.commits > 0 or self.is_resyncing


class _Replica(msgspec.Struct, frozen=True):
    line: str


@attrs.frozen
class Place:
    """Where in the course of which state a store is.

    Attributes:
        line: Drawn when the state was first replicated: another one's is another; empty: it never was.
        number: The commits since then.
    """

    line: str = ""
    number: int = 0

    def note(self, at: float) -> Entry:
        """Return the entry that says so."""
        data = msgspec.msgpack.encode(_Replica(self.line))
        return Entry(kind="replica", schema=1, version=self.number, at=at, data=data)


def place_of(entries: Mapping[str, Entry]) -> Place:
    """Return what the note in *entries* says; no line if there is none."""
    note = entries.get(NOTE)
    if note is None:
        return Place()
    try:
        return Place(msgspec.msgpack.decode(note.data, type=_Replica).line, note.version)
    except msgspec.DecodeError:
        return Place()


@attrs.frozen
class Batch:
    """What is to be sent at once: it takes the remote store from one state of the local one to a later one.

    Attributes:
        entries: The whole state; None: only *changes* are sent.
        changes: What changed.
        number: The last commit in it.
        at: When that was made, in seconds since 1970.
        since: When the first one was.
        size: The bytes of *changes*.
    """

    entries: dict[str, Entry] | None
    changes: list[Change]
    number: int
    at: float
    since: float
    size: int


@attrs.define
class Backlog:
    """The keys that are to be sent, each once, with what they hold when they are sent.

    So it needs no more memory than the state itself, however long the remote store is away. Keys
    that come and go would still pile up: when more than ``most_keys`` wait, they are forgotten,
    and the whole state is compared instead.

    Attributes:
        most_keys: How many keys may wait.
        entries: The state.
        number: The last commit in it.
        sent: The last commit that the remote store is known to have.
        at: When the last commit was made, in seconds since 1970.
        is_begun: Whether the local store holds the note, without which nobody could say whose the copy is.
        is_everything: Whether the whole state is to be compared, as it is at the beginning.
    """

    most_keys: int
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    number: int = 0
    sent: int = 0
    at: float = 0.0
    is_begun: bool = True
    is_everything: bool = True
    _keys: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _size: int = attrs.field(default=0, init=False)
    _since: float | None = attrs.field(default=None, init=False)
    _flying: Batch | None = attrs.field(default=None, init=False)

    @property
    def has_work(self) -> bool:
        """Whether there is anything to send."""
        return self.is_begun and (self.is_everything or bool(self._keys))

    def put(self, changes: Sequence[Change], number: int, at: float) -> None:
        """Take in commit *number*."""
        for change in changes:
            if change.entry is None:
                self.entries.pop(change.key, None)
            else:
                self.entries[change.key] = change.entry
            self._wait(change.key)
        self.number, self.at, self.is_begun = number, at, True
        if self._since is None:
            self._since = at
        self._bound()

    def take(self) -> Batch:
        """Return all that is to be sent; to be settled by ``done`` or ``give_back`` before the next."""
        since = self.at if self._since is None else self._since
        if self.is_everything:
            batch = Batch(dict(self.entries), [], self.number, self.at, since, 0)
        else:
            changes = [Change(key, self.entries.get(key)) for key in self._keys]
            batch = Batch(None, changes, self.number, self.at, since, self._size)
        self.is_everything, self._since, self._flying = False, None, batch
        self._keys.clear()
        self._size = 0
        return batch

    def done(self, batch: Batch) -> None:
        """The remote store has *batch*."""
        self._flying = None
        self.sent = batch.number

    def give_back(self, batch: Batch) -> None:
        """The remote store may have *batch* or not: it is to be sent again, with what came since."""
        self._flying = None
        self._since = batch.since
        if batch.entries is not None:
            self.is_everything = True
        for change in batch.changes:
            self._wait(change.key)
        self._bound()

    def lag(self, now: float) -> Lag:
        """Return how far behind the remote store is at *now*, in seconds since 1970."""
        flying = self._flying
        since = flying.since if flying else self._since
        commits = self.number - self.sent
        return Lag(
            commits=commits,
            seconds=max(0.0, now - since) if commits and since is not None else 0.0,
            keys=len(self._keys) + (len(flying.changes) if flying else 0),
            size=self._size + (flying.size if flying else 0),
            is_resyncing=self.is_begun and (self.is_everything or (flying is not None and flying.entries is not None)),
        )

    def _wait(self, key: str) -> None:
        entry = self.entries.get(key)
        size = len(entry.data) if entry else 0
        self._size += size - self._keys.get(key, 0)
        self._keys[key] = size

    def _bound(self) -> None:
        if self.is_everything or len(self._keys) > self.most_keys:
            self.is_everything = True
            self._keys.clear()
            self._size = 0


_UNSURE: Final[Any] = object()


@attrs.define
class Known:
    """What a remote store holds, as far as is known.

    Attributes:
        entries: By key; something that equals no entry where it is not known.
    """

    entries: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def needed(self, entries: Mapping[str, Entry]) -> list[Change]:
        """Return what makes *entries* of it."""
        puts = [Change(key, entry) for key, entry in entries.items() if self.entries.get(key) != entry]
        return [*puts, *(Change(key, None) for key in self.entries if key not in entries)]

    def doubt(self, changes: Sequence[Change]) -> None:
        """Take *changes* for carried out or not."""
        self.entries.update((change.key, _UNSURE) for change in changes)

    def settle(self, changes: Sequence[Change]) -> None:
        """Take *changes* for carried out."""
        for change in changes:
            if change.entry is None:
                self.entries.pop(change.key, None)
            else:
                self.entries[change.key] = change.entry
