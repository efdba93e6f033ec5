"""SQLite behind the `Driver` port."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duenna_actors._driver import FORGET_AFTER_DAYS, TABLE, Written
from duenna_actors.database_messages import DatabaseLostError, Rows, StatementError, TableGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna_actors.database_messages import Write

_LOST = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes that say nothing about the statement: https://www.sqlite.org/rescode.html"""


class SqliteDriver:
    """A database file, in WAL mode; a commit is durable when it returns."""

    def __init__(self, path: str | Path, *, busy_timeout: float = 1.0) -> None:
        self._path = os.fspath(path)
        self._busy_timeout = busy_timeout
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def open(self) -> None:
        """Open the file, making it if need be."""
        try:
            connection = sqlite3.connect(
                self._path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._identity = self._on_disk()
        except sqlite3.Error as exc:
            raise DatabaseLostError(f"cannot open {self._path}: {exc}") from exc

    def prepare(self, tables: Sequence[str]) -> None:
        """Make our own table and run *tables*."""
        own = (
            f"CREATE TABLE IF NOT EXISTS {TABLE} (token TEXT PRIMARY KEY, number INTEGER NOT NULL, used TEXT NOT NULL)",
            f"DELETE FROM {TABLE} WHERE used < datetime('now', '-{FORGET_AFTER_DAYS} days')",  # noqa: S608  # a constant of ours
        )
        for statement in (*own, *tables):
            self._execute(statement)

    def new_token(self) -> str:
        """Return a name that no other buffer has."""
        return str(self._execute("SELECT lower(hex(randomblob(16)))").fetchone()[0])

    def write(self, token: str, batch: Sequence[tuple[int, Write]], *, is_final: bool) -> Written:
        """Carry out what of *batch* is not in the database yet."""
        self._execute("BEGIN IMMEDIATE")
        try:
            written = self._write(token, batch, is_final=is_final)
            self._execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._check_file()
        return written

    def query(self, sql: str, parameters: Any, limit: int) -> Rows:
        """Return what *sql* finds."""
        self._execute("BEGIN")
        try:
            cursor = self._execute(sql, parameters)
            rows = self._fetch(sql, cursor, limit + 1)
            columns = tuple(str(column[0]) for column in cursor.description or ())
        finally:
            self._roll_back()
        return Rows(columns, rows[:limit], len(rows) > limit)

    def ping(self) -> None:
        """Return if the file can be read, and is still the one that was opened."""
        self._execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        self._check_file()

    def cancel(self) -> None:
        """Interrupt the statement that is running."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed meanwhile: nothing is running
                self._connection.interrupt()

    def kill(self) -> None:
        """Interrupt once more: there is no far end to hang up on."""
        self.cancel()

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write(self, token: str, batch: Sequence[tuple[int, Write]], *, is_final: bool) -> Written:
        self._execute(f"INSERT OR IGNORE INTO {TABLE} VALUES (?, 0, datetime('now'))", (token,))  # noqa: S608  # a constant of ours
        done: int = self._execute(f"SELECT number FROM {TABLE} WHERE token = ?", (token,)).fetchone()[0]  # noqa: S608  # a constant of ours
        rejected: tuple[int, StatementError] | None = None
        for number, write in batch:
            if number <= done:
                continue
            try:
                self._execute(write.sql, write.parameters).close()
            except StatementError as error:  # undoes this statement alone, the transaction goes on
                if isinstance(error, TableGoneError) and not is_final:
                    raise
                rejected = (number, error)
                break
            done = number
        self._execute(f"UPDATE {TABLE} SET number = ?, used = datetime('now') WHERE token = ?", (done, token))  # noqa: S608  # a constant of ours
        return Written(done, rejected)

    def _execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if self._connection is None:
            raise DatabaseLostError(f"{self._path} is not open")
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as exc:
            raise _translated(sql, exc) from exc
        except (OverflowError, TypeError, ValueError) as exc:  # a value that SQLite cannot hold
            raise StatementError(sql, str(exc)) from exc

    def _fetch(self, sql: str, cursor: sqlite3.Cursor, most: int) -> list[tuple[Any, ...]]:
        try:
            return cursor.fetchmany(most)
        except sqlite3.Error as exc:
            raise _translated(sql, exc) from exc

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _check_file(self) -> None:
        """Raise if the file has been taken away: SQLite would go on writing into nothing."""
        if self._on_disk() != self._identity:
            raise DatabaseLostError(f"{self._path} is not the file that was opened: it was removed or replaced")

    def _on_disk(self) -> tuple[int, int] | None:
        if self._path == ":memory:":
            return None
        try:
            found = Path(self._path).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _translated(sql: str, exc: sqlite3.Error) -> DatabaseLostError | StatementError:
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    text = str(exc)
    if code is None:  # raised by Python's module, not by SQLite
        return DatabaseLostError(text) if "closed" in text else StatementError(sql, text)
    if code & 0xFF in _LOST:
        return DatabaseLostError(text)
    return TableGoneError(sql, text) if text.startswith("no such table") else StatementError(sql, text)
