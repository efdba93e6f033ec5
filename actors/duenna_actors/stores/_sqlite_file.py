"""A state in an SQLite file: made in memory and written whole, read without changing anything."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs

from duenna.errors import DuennaError
from duenna_actors.stores._rows import (
    COLUMNS,
    FORMAT,
    MARK_COLUMNS,
    Found,
    Mark,
    NewerFormatError,
    Plan,
    Row,
    RowDamagedError,
    mark_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE: Final = "duenna_state"
META: Final = "duenna_state_meta"
SELECT_MARK: Final = f"SELECT {', '.join(MARK_COLUMNS)} FROM {META}"  # noqa: S608  # constants of ours
_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM {TABLE}"  # noqa: S608  # constants of ours
_UPSERT: Final = f"INSERT OR REPLACE INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # a constant of ours
_DELETE: Final = f"DELETE FROM {TABLE} WHERE key = ?"  # noqa: S608  # a constant of ours
_DELETE_MARK: Final = f"DELETE FROM {META}"  # noqa: S608  # a constant of ours
_INSERT_MARK: Final = f"INSERT INTO {META} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # a constant of ours

_TABLES: Final = (
    # Without row ids there is one tree, and no index that could disagree with it.
    f"""CREATE TABLE {TABLE} (key TEXT PRIMARY KEY, kind TEXT NOT NULL, schema INTEGER NOT NULL,
    version INTEGER NOT NULL, at REAL NOT NULL, money INTEGER NOT NULL, data BLOB NOT NULL,
    crc INTEGER NOT NULL) WITHOUT ROWID""",
    f"""CREATE TABLE {META} (format INTEGER NOT NULL, origin TEXT NOT NULL, token TEXT NOT NULL, seq INTEGER NOT NULL,
    saved_at REAL NOT NULL, clean INTEGER NOT NULL, rows INTEGER NOT NULL, digest INTEGER NOT NULL,
    crc INTEGER NOT NULL)""",
)

_WRITE_AHEAD: Final = b"\x02\x02"
"""What the file's header says of a database with a write-ahead log: https://www.sqlite.org/fileformat2.html#vnums"""

_DAMAGED: Final = frozenset({None, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""Primary result codes of a file that can be read and makes no sense; None: what Python's module says of a value."""

_HARMLESS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_FULL,  # noticed before anything is synced
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)
"""Primary result codes of a commit that leave the file as it was: https://www.sqlite.org/rescode.html"""


class ForeignDatabaseError(DuennaError):
    """A database, but of another program."""


def is_damage(exc: sqlite3.Error) -> bool:
    """Return whether *exc* says that the file is malformed, and not that it could not be read."""
    return _code(exc) in _DAMAGED


def is_harmless(exc: sqlite3.Error) -> bool:
    """Return whether the file can be gone on with after *exc*, raised by a commit."""
    code = _code(exc)
    return code is None or code in _HARMLESS


def _code(exc: sqlite3.Error) -> int | None:
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    return code if code is None else code & 0xFF


def chance() -> str:
    """Return a name that nobody else has: 32 hexadecimal digits."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return str(connection.execute("SELECT lower(hex(randomblob(16)))").fetchone()[0])


def connect(path: str, busy_timeout: float) -> sqlite3.Connection:
    """Connect to the database at *path*, which must be there, to write: a commit is durable, the log is left alone."""
    connection = sqlite3.connect(
        f"file:{quote(path)}?mode=rw", uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
            connection.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def abandon(connection: sqlite3.Connection, path: str) -> None:
    """Close *connection*, the last one to the file at *path*, which is to be left exactly as it is.

    The last one to close would bring the log into the database, syncing both: another try with files
    that may have failed once. One that only reads does not, and with it there, the other is not the last.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(sqlite3.Error):
            reader = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None)
            stack.callback(reader.close)
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        connection.close()


def carry_out(connection: sqlite3.Connection, plan: Plan) -> None:
    """Write *plan* within the transaction that *connection* is in."""
    connection.executemany(_UPSERT, plan.rows)
    connection.executemany(_DELETE, [(key,) for key in plan.gone])
    connection.execute(_DELETE_MARK)
    connection.execute(_INSERT_MARK, plan.mark.row())


def image(plan: Plan) -> bytes:
    """Return the bytes of a database that holds the rows and the mark of *plan*, and nothing else."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute("BEGIN")
        carry_out(connection, plan)
        connection.execute("COMMIT")
        data = bytearray(connection.serialize())
    data[18:20] = _WRITE_AHEAD
    return bytes(data)


@attrs.define
class Reading:
    """What a file holds.

    Attributes:
        row: The mark as it stands there; None: there is none.
        mark: What it says; None: there is none that can be read.
        found: The rows.
        wrong: What is wrong with the file; empty: nothing is.
    """

    row: Row | None = None
    mark: Mark | None = None
    found: Found = attrs.field(factory=Found)
    wrong: str = ""


def read(path: str) -> Reading:
    """Return what the database at *path* holds, as far as it can be read; changes nothing.

    Raises:
        ForeignDatabaseError: It is of another program.
        NewerFormatError: It was made by a later version.
        sqlite3.Error: The machine could not read it.
    """
    reading = Reading()
    try:
        with contextlib.closing(sqlite3.connect(_address(path), uri=True, isolation_level=None)) as connection:
            connection.text_factory = _as_text
            connection.execute("BEGIN")
            reading.wrong = _read(connection, reading)
    except sqlite3.Error as exc:
        if not is_damage(exc):
            raise
        reading.wrong = str(exc)
    except UnicodeDecodeError as exc:  # of what SQLite quotes of the file in an error of its own
        reading.wrong = str(exc)
    return reading


def _read(connection: sqlite3.Connection, reading: Reading) -> str:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return "it is empty"
    if META not in tables:
        raise ForeignDatabaseError(f"it is another program's, with the table {min(tables)!r} and none named {META}")
    for (version,) in connection.execute(f"SELECT format FROM {META}"):  # noqa: S608  # a constant of ours
        if isinstance(version, int) and version > FORMAT:
            raise NewerFormatError(version)
    wrong = _read_mark(connection, reading)
    reading.found.take(connection.execute(_SELECT))
    malformed = reading.found.malformed
    if malformed:
        wrong = f"{len(malformed)} row{'s are' if len(malformed) > 1 else ' is'} malformed, such as {malformed[0]!r}"
    elif reading.mark is not None:
        wrong = reading.found.against(reading.mark)
    check = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return wrong or ("" if check == "ok" else str(check))


def _read_mark(connection: sqlite3.Connection, reading: Reading) -> str:
    rows: Sequence[Row] = connection.execute(SELECT_MARK).fetchall()
    if len(rows) != 1:
        return f"{META} has {len(rows)} rows instead of 1"
    reading.row = rows[0]
    try:
        reading.mark = mark_of(rows[0])
    except RowDamagedError as error:
        return f"the row of {META} is malformed: {error}"
    return ""


def _address(path: str) -> str:
    """Return the address to read *path* with: without locks if it has no log, for they take files of their own."""
    is_alone = all(_is_empty(f"{path}{end}") for end in ("-wal", "-journal"))
    return f"file:{quote(path)}?mode=ro{'&immutable=1' if is_alone else ''}"


def _is_empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0  # noqa: PTH116  # text, as SQLite has it
    except FileNotFoundError:
        return True


def _as_text(data: bytes) -> Any:
    return data.decode(errors="surrogateescape")  # so that a damaged row does not hide those after it
