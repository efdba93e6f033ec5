"""Writes to an SQLite file that nobody else writes to, and knows when that file is not to be trusted any more."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs

from duenna.storage import Fs
from duenna_actors.stores._in_place import free_name, put_in_place
from duenna_actors.stores._rows import NotOursError
from duenna_actors.stores._sqlite_file import SELECT_MARK, abandon, carry_out, connect, image, is_damage, is_harmless
from duenna_actors.stores._sqlite_recovery import Anew

if TYPE_CHECKING:
    from duenna_actors.stores._rows import Ledger, Plan

_BIG_LOG: Final = 1 << 20


@attrs.define(eq=False)
class Writer:
    """Writes to the file at *path*: a transaction after the other, or all of it anew.

    Attributes:
        fs: The disk, for what is not SQLite's.
        path: The file.
        busy_timeout: Seconds to wait for another program that is writing to it.
        anew: Why all of it has to be written before there can be transactions.
    """

    fs: Fs
    path: str
    busy_timeout: float
    anew: Anew = attrs.field(default=Anew.NO, init=False)
    _keep_as: str = attrs.field(default="", init=False)
    _connection: sqlite3.Connection | None = attrs.field(default=None, init=False)
    _identity: tuple[int, int] | None = attrs.field(default=None, init=False)
    _has_synced_names: bool = attrs.field(default=False, init=False)

    @property
    def folder(self) -> str:
        """Where the file is."""
        return self.path.rpartition("/")[0] or "/"

    @property
    def has_big_log(self) -> bool:
        """Whether the write-ahead log is longer than the database, and than 1 MiB."""
        try:
            log = os.path.getsize(f"{self.path}-wal")  # noqa: PTH202  # text, as SQLite has it
            return log > max(_BIG_LOG, os.path.getsize(self.path))  # noqa: PTH202
        except OSError:
            return False

    def begin(self, anew: Anew) -> None:
        """Begin to write, *anew* if it says why; what is there then is kept, unless it is only doubtful."""
        self.anew, self._keep_as = anew, ""
        if anew and anew is not Anew.DOUBTFUL:
            names: list[str] = []
            with suppress(OSError):  # no folder, nothing in it
                names = self.fs.names(self.folder)
            self._keep_as = free_name(self.path, names)

    def notice_removal(self) -> None:
        """Write anew if there is no file any more: SQLite would go on writing to what nobody can find."""
        if not self.anew and self._on_disk() is None:
            self.close()
            self.begin(Anew.MISSING)

    def transact(self, ledger: Ledger, plan: Plan) -> None:
        """Carry *plan* out, if the file is as *ledger* knows it.

        Raises:
            NotOursError: It is not, or not the same file.
            OSError: The names in the folder could not be made durable.
            sqlite3.Error: It could not be carried out.
        """
        connection = self._connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            ledger.recognise(connection.execute(SELECT_MARK).fetchone())
            carry_out(connection, plan)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self._check_file()
        if not self._has_synced_names:  # the log's is new; SQLite syncs it, and does not say if that fails
            self.fs.sync_directory(self.folder)
            self._has_synced_names = True

    def write_anew(self, plan: Plan) -> None:
        """Put a file that holds *plan*, and nothing else, in the place of whatever is there.

        Raises:
            NotOursError: There was no file, and now there is one.
            OSError: It could not be written.
            sqlite3.Error: It could not be made.
        """
        data = image(plan)
        self.fs.make_directory(self.folder)
        if self.anew is Anew.MISSING and self._on_disk() is not None:
            raise NotOursError("there was no file, and now there is one that somebody else made; it was left as it is")
        put_in_place(self.fs, self.path, data, keep_as=self._keep_as)
        self.begin(Anew.NO)

    def checkpoint(self) -> bool:
        """Bring the log into the database; return whether that was done: nothing was written yet, or somebody reads.

        Raises:
            sqlite3.Error: It failed.
        """
        if self._connection is None:
            return False
        busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def doubt(self, exc: Exception) -> None:
        """Decide after *exc* whether the file can be gone on with: what failed to be synced once is not tried again."""
        if self.anew:
            if self.anew is Anew.MISSING and isinstance(exc, OSError):  # it may be there now
                self.begin(Anew.DOUBTFUL)
        elif isinstance(exc, sqlite3.Error) and is_harmless(exc):
            pass
        elif isinstance(exc, sqlite3.Error) and is_damage(exc):
            self._abandon(Anew.DAMAGED)
        elif isinstance(exc, (sqlite3.Error, OSError)) and self._connection is not None:
            self._abandon(Anew.DOUBTFUL)

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _abandon(self, why: Anew) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            abandon(connection, self.path)
        self.begin(why)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect(self.path, self.busy_timeout)
            self._identity = self._on_disk()
            self._has_synced_names = False
        self._check_file()
        return self._connection

    def _check_file(self) -> None:
        if self._on_disk() != self._identity:
            raise NotOursError("it is not the file that was opened: it was removed or replaced")

    def _on_disk(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116  # text, as SQLite has it
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino
