"""Writing on from a state: the journal of this life, and snapshots of what it has come to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs

from duenna.storage._contents import Snapshot, encode_snapshot
from duenna.storage._disk import Disk, is_full
from duenna.storage._format import Header, Kind, Piece, encode_changes, encode_header, encode_record, seed_of
from duenna.storage._layout import JOURNAL, SNAPSHOT, File
from duenna.storage._recovery import LastCommit
from duenna.storage.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.storage._recovery import Found
    from duenna.storage.entries import Change


@attrs.define(on_setattr=attrs.setters.NO_OP)
class Writer:
    """Brings commits, snapshots and the mark of an orderly end to a disk; each raises `OSError` if it cannot.

    After an error the journal is given up for good, and the next commit begins another one. Unless all that
    was wrong was a full disk, it writes a whole snapshot before it.

    Attributes:
        disk: Where.
        seq: The last commit, all of which are durable, but for the one that was read last; 0: there is none.
        entries: What the state holds after it.
        saved_at: When it was made, in seconds since 1970; None: there is none.
        last: The commit that was read and may not be durable: the first journal of this life repeats it.
        snapshot_seq: The last commit in the last snapshot; 0: there is none.
        snapshot_size: Bytes of that snapshot.
        journals: Journals since.
        journal_size: Bytes of these.
    """

    disk: Disk
    seq: int = 0
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    saved_at: float | None = None
    last: LastCommit | None = None
    snapshot_seq: int = 0
    snapshot_size: int = 0
    journals: int = 0
    journal_size: int = 0
    _journal: int | None = attrs.field(default=None, init=False)
    _seed: int = attrs.field(default=0, init=False)
    # What was written may not be what the disk has: only a snapshot can be relied on.
    _is_distrusted: bool = attrs.field(default=False, init=False)

    @classmethod
    def after(cls, found: Found, disk: Disk) -> Writer:
        """Return who goes on from what was *found* on *disk*."""
        loaded, base = found.loaded, found.base
        return cls(
            disk,
            loaded.seq,
            dict(loaded.entries),
            loaded.saved_at,
            found.last,
            base.seq,
            base.size,
            found.journals,
            found.journal_size,
        )

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Make *changes* durable, and carry them out; return their number."""
        seq = self.seq + 1
        self._write(Kind.COMMIT, seq, at, encode_changes(changes, len(changes)))
        for change in changes:
            if change.entry is None:
                self.entries.pop(change.key, None)
            else:
                self.entries[change.key] = change.entry
        self.seq, self.saved_at = seq, at
        return seq

    def mark(self, at: float) -> None:
        """Leave the mark of an orderly end."""
        self._write(Kind.CLEAN, self.seq, at, [b"\xc0"])

    def snapshot(self, at: float) -> int:
        """Write all entries anew, and end the journal; return the number of the file."""
        file = self.disk.new_file(SNAPSHOT)
        header = Header(SNAPSHOT, file.number, self.seq, at, self.disk.salt())
        whole = Snapshot(self.seq, self.entries, self.saved_at)
        written, size = self.disk.prepare(file, encode_snapshot(header, whole))
        self.disk.close(written)
        # From here on there may be a snapshot that is later than the journal: what went to it would not be read.
        self.retire()
        self._publish(file)
        self.snapshot_seq, self.snapshot_size = self.seq, size
        self.journals = self.journal_size = 0
        return file.number

    def retire(self) -> None:
        """End the journal, if there is one: it is never written again."""
        if self._journal is not None:
            journal, self._journal = self._journal, None
            self.disk.close(journal)

    def _write(self, kind: Kind, seq: int, at: float, payload: Sequence[Piece]) -> None:
        """Make a record durable, in whatever journal can be relied on."""
        if self._is_distrusted and self.seq:
            self.snapshot(at)
        if self._journal is None:
            self._begin_journal(kind, seq, at, payload)
        else:
            self._append(self._journal, encode_record(kind, seq, at, payload, self._seed))

    def _append(self, journal: int, record: Sequence[Piece]) -> None:
        """Append *record* to the *journal* of this life."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.retire)
            self._is_distrusted = True
            try:
                size = self.disk.write(journal, record)
            except OSError as exc:
                self._is_distrusted = not is_full(exc)
                raise
            self.disk.fs.sync(journal)
            self._is_distrusted = False
            undo.pop_all()
        self.journal_size += size

    def _begin_journal(self, kind: Kind, seq: int, at: float, payload: Sequence[Piece]) -> None:
        """Begin a journal with a record: once it has its name, the record is durable."""
        file = self.disk.new_file(JOURNAL)
        header = encode_header(Header(JOURNAL, file.number, self.seq + 1, at, self.disk.salt()))
        seed = seed_of(header)
        pieces: list[Piece] = [header]
        if self.last is not None:
            pieces += encode_record(Kind.REPEAT, self.last.seq, self.last.at, [self.last.payload], seed)
        pieces += encode_record(kind, seq, at, payload, seed)
        self._journal, size = self.disk.prepare(file, pieces)
        self._publish(file)
        self._seed, self.last = seed, None
        self.journals += 1
        self.journal_size += size

    def _publish(self, file: File) -> None:
        """Give *file* its name; after an error, nobody knows which files are there."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.retire)
            self._is_distrusted = True
            self.disk.publish(file)
            self._is_distrusted = False
            undo.pop_all()
