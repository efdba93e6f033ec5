"""The state in an SQLite file."""

from __future__ import annotations

import os
import socket
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from duenna.storage import (
    Change,
    Compacted,
    Entry,
    Fs,
    Loaded,
    OsFs,
    StateLockedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna.wallclock import WallTime, wall_time
from duenna_actors.stores._lock_file import LockFile, Witness, is_for_want_of_room
from duenna_actors.stores._rows import Ledger, NotOursError, Plan, RowDamagedError, carried_out
from duenna_actors.stores._sqlite_file import chance
from duenna_actors.stores._sqlite_recovery import Anew, recover
from duenna_actors.stores._sqlite_writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.define(eq=False)
class SqliteStore:
    """Keeps the state in one SQLite file: a row an entry, a transaction a commit, durable when it returns.

    It is written with a write-ahead log and `synchronous = FULL`. Others may read it with whatever reads
    SQLite. Only its owner writes: whoever has the file named as *path* with `.lock` at its end locked
    (flock: not over NFS). One that wrote all the same is noticed by the next commit, which fails, as do
    all after it. The owner's name is in that file, and the number of the last commit: remove it when you
    put the database back from a backup on purpose, or what is missing in the backup is reported as lost.

    Each row has a checksum, and so has the whole. What is damaged is reported, what is well is read,
    and the first commit moves the file to `*.corrupt` and writes a new one. A new one is also written
    by the next commit when the disk has failed to write to the old one, for that file cannot be trusted
    any more.

    Attributes:
        path: The file; made by the first commit.
        busy_timeout: Seconds to wait for another program that is writing to the file.
        name: *path* as text.
        fs: The disk, for what is not SQLite's to write.
        wall: Gives the time of day, for the owner's name.
    """

    path: str | os.PathLike[str]
    busy_timeout: float = attrs.field(default=1.0, kw_only=True, validator=attrs.validators.ge(0))
    name: str = attrs.field(init=False)
    is_durable: bool = attrs.field(default=True, init=False)
    _fs: Fs = attrs.field(factory=OsFs, kw_only=True)
    _wall: WallTime = attrs.field(default=wall_time, kw_only=True)
    _lock: LockFile = attrs.field(init=False)
    _writer: Writer = attrs.field(init=False)
    _is_open: bool = attrs.field(default=False, init=False)
    _token: str = attrs.field(default="", init=False)
    _ledger: Ledger = attrs.field(factory=Ledger, init=False)
    _entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry], init=False)

    def __attrs_post_init__(self) -> None:
        """Find the file, wherever the process may go."""
        self.name = os.fspath(self.path)
        if not self.name or self.name.startswith(":"):
            raise ValueError(f"SqliteStore: path must be that of a file, got {self.name!r}")
        file = os.path.realpath(self.name)
        self._lock = LockFile(f"{file}.lock", self.name)
        self._writer = Writer(self._fs, file, self.busy_timeout)

    def open(self) -> Loaded:
        """Take possession and read everything; changes nothing that was stored.

        Raises:
            StateFormatError: It was written by a later version; it is left as it is.
            StateLockedError: Somebody else has it.
            StateUnreadableError: The file cannot be read, or is another program's.
        """
        if self._is_open:
            raise StateLockedError(self.name, "this very store, which is open")
        file = self._writer.path
        try:
            self._make_folder()
            self._lock.take(self._owner())
            recovered = recover(self._fs, file, store=self.name, witness=self._lock.witness())
        except OSError as exc:
            self._lock.release()
            raise StateUnreadableError(self.name, exc.filename or file, exc.strerror or str(exc)) from exc
        except BaseException:
            self._lock.release()
            raise
        self._writer.begin(recovered.anew)
        self._ledger = recovered.ledger
        self._entries = dict(recovered.loaded.entries)
        self._token = chance()
        self._is_open = True
        return recovered.loaded

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out all *changes* or none of them; return their number, when they are durable.

        Args:
            changes: At least one, of different keys.
            at: The time of day, in seconds since 1970.

        Raises:
            StateWriteError: They are not known to be durable; give them again.
        """
        number = self._ledger.seq + 1
        try:
            self._check_it_is_ours()
            self._writer.notice_removal()
            plan = self._write_anew(changes, at) if self._writer.anew else self._transact(changes, at)
        except (sqlite3.Error, OSError, NotOursError, RowDamagedError, OverflowError, StateLockedError) as exc:
            self._writer.doubt(exc)
            raise StateWriteError(self.name, f"commit {number}", _text(exc)) from exc
        carried_out(self._entries, changes)
        self._lock.acknowledge(Witness(plan.mark.origin, plan.mark.seq))
        return plan.mark.seq

    @property
    def wants_compacting(self) -> bool:
        """Whether the write-ahead log is longer than the database, and than 1 MiB."""
        return self._writer.has_big_log

    def compact(self, at: float) -> Compacted | None:  # noqa: ARG002  # the port's
        """Bring the write-ahead log into the database; None: there is none, or somebody reads it at the moment.

        Raises:
            StateWriteError: It failed; nothing that was committed is lost.
        """
        try:
            if not self._writer.checkpoint():
                return None
            size = os.path.getsize(self._writer.path)  # noqa: PTH202  # text, as SQLite has it
        except (sqlite3.Error, OSError) as exc:
            self._writer.doubt(exc)
            raise StateWriteError(self.name, "the write-ahead log", _text(exc)) from exc
        return Compacted(self._ledger.seq, len(self._entries), size)

    def close(self, at: float, *, is_clean: bool) -> None:  # noqa: ARG002  # the port's
        """Let go; with *is_clean*, leave the mark of an orderly end first.

        Where nothing was committed, none is left on what was damaged: the next one is to see it, too.

        Raises:
            StateWriteError: The mark could not be left; the store is closed all the same.
        """
        try:
            if is_clean:
                self._leave_mark()
        except (sqlite3.Error, OSError, NotOursError) as exc:
            self._writer.doubt(exc)
            raise StateWriteError(self.name, "the mark of an orderly end", _text(exc)) from exc
        finally:
            self._writer.close()
            self._writer.begin(Anew.NO)
            self._lock.release()
            self._is_open = False
            self._entries, self._ledger = {}, Ledger()

    def _owner(self) -> str:
        since = datetime.fromtimestamp(self._wall(), UTC)
        return f"process {os.getpid()} on {socket.gethostname()}, since {since:%Y-%m-%d %H:%M:%S} UTC"

    def _make_folder(self) -> None:
        try:
            self._fs.make_directory(self._writer.folder)
        except OSError as exc:
            if not is_for_want_of_room(exc):  # the first commit tries again, and fails of it if need be
                raise

    def _check_it_is_ours(self) -> None:
        if not self._is_open:
            raise NotOursError("it is not open")
        if not self._lock.is_held:  # nothing could be written when it was opened
            self._make_folder()
            self._lock.take(self._owner())

    def _plan(self, ledger: Ledger, changes: Sequence[Change], at: float) -> Plan:
        return ledger.plan(changes, at, origin=self._token, token=self._token)

    def _transact(self, changes: Sequence[Change], at: float) -> Plan:
        plan = self._plan(self._ledger, changes, at)
        self._writer.transact(self._ledger, plan)
        self._ledger.settle(plan)
        return plan

    def _write_anew(self, changes: Sequence[Change], at: float) -> Plan:
        ledger = Ledger(self._ledger.mark)
        entries = carried_out(dict(self._entries), changes)
        plan = self._plan(ledger, [Change(key, entry) for key, entry in entries.items()], at)
        self._writer.write_anew(plan)
        ledger.settle(plan)
        self._ledger = ledger
        return plan

    def _leave_mark(self) -> None:
        mark = self._ledger.mark
        if self._writer.anew is Anew.DOUBTFUL:
            raise NotOursError(str(self._writer.anew))
        if self._writer.anew or mark is None or mark.is_clean:
            return
        self._writer.transact(self._ledger, Plan(attrs.evolve(mark, is_clean=True), [], []))


def _text(exc: Exception) -> str:
    name = getattr(exc, "sqlite_errorname", "")
    return f"{exc} ({name})" if name else str(exc)
