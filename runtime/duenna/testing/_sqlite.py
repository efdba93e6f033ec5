"""SQLite in a world: its files fail when the plan says so, its clock and its chance are the world's."""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
import weakref
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duenna.testing._presence import Presence, present
from duenna.testing._sqlite_functions import SqliteFunctions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from duenna.testing._patches import Patches

_TEXTS = {
    "SQLITE_CANTOPEN": "unable to open database file",
    "SQLITE_FULL": "database or disk is full",
    "SQLITE_IOERR_READ": "disk I/O error",
    "SQLITE_IOERR_WRITE": "disk I/O error",
}
"""What sqlite3_errmsg() says."""

_PARAMETERS = (
    "timeout",
    "detect_types",
    "isolation_level",
    "check_same_thread",
    "factory",
    "cached_statements",
    "uri",
)
_COMMITS = frozenset({"COMMIT", "END", "RELEASE"})
_HARMLESS = frozenset({"ROLLBACK", ""})
_WRITES = frozenset(
    {"ALTER", "ANALYZE", "CREATE", "DELETE", "DROP", "INSERT", "REINDEX", "REPLACE", "UPDATE", "VACUUM"}
)
_WORD = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$)|;)*(\w*)", re.DOTALL)
_WITH_WRITE = re.compile(r"\b(DELETE|INSERT|REPLACE|UPDATE)\b", re.IGNORECASE)
_SYNCHRONOUS = re.compile(r"\s*PRAGMA\s+(\w+\.)?synchronous\s*[=(]", re.IGNORECASE)
_NO_FSYNC = "PRAGMA synchronous = OFF"


def patch_sqlite(patches: Patches) -> None:
    """Let `sqlite3.connect` make connections to the world's files."""
    patches.function(sqlite3, "connect", _CONNECT)


class _Connection(sqlite3.Connection):
    """A connection on which the disk's faults strike; without a world, any connection."""

    path: str | None = None
    has_written = False
    slow: weakref.ref[Any] | None = None
    functions: SqliteFunctions | None = None

    def cursor(self, factory: Any = None) -> Any:
        if factory is None:
            return super().cursor(_Cursor)
        return super().cursor(_with_faults(_Cursor, factory) if isinstance(factory, type) else factory)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self.cursor().execute(sql, parameters)  # type: ignore[no-any-return]

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, parameters)  # type: ignore[no-any-return]

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        return self.cursor().executescript(sql_script)  # type: ignore[no-any-return]

    def commit(self) -> None:
        if self.in_transaction:
            strike(self, "COMMIT")
        super().commit()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        if kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise
        return False

    def close(self) -> None:
        if self.functions is not None:
            self.functions.close()
        super().close()

    def interrupt(self) -> None:
        super().interrupt()
        call = self.slow() if self.slow is not None else None
        if call is not None and present() is not None:
            call.hurry()


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        strike(self, sql)
        return super().execute(_NO_FSYNC if is_synchronous(sql) else sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Any:
        strike(self, sql)
        return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> Any:
        strike(self, "INSERT")  # whatever is in it
        return super().executescript(sql_script)

    def fetchone(self) -> Any:
        strike(self, "SELECT")
        return super().fetchone()

    def fetchmany(self, size: int | None = None) -> Any:
        strike(self, "SELECT")
        return super().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> Any:
        strike(self, "SELECT")
        return super().fetchall()

    def __next__(self) -> Any:
        strike(self, "SELECT")
        return super().__next__()


def strike(user: _Connection | _Cursor, sql: str) -> None:
    """Let the faults that hold strike the statement *sql*: take longer, or raise what SQLite raises.

    Raises:
        sqlite3.OperationalError: With SQLite's own text and code.
    """
    connection: Any = user.connection if isinstance(user, _Cursor) else user
    here, path = present(), connection.path
    if here is None or path is None:
        return
    word = kind_of(sql)
    _slow_down(here, connection, path)
    if here.disk.is_lost(path) and word not in _HARMLESS:
        _roll_back(connection)  # as SQLite does
        raise _error("SQLITE_IOERR_WRITE" if word in _WRITES | _COMMITS else "SQLITE_IOERR_READ")
    if word in _WRITES or (word in _COMMITS and connection.has_written):
        if here.disk.is_full(path):
            if word in _COMMITS:
                _roll_back(connection)
            raise _error("SQLITE_FULL")
        connection.has_written = word in _WRITES
    elif word == "ROLLBACK":
        connection.has_written = False


@functools.lru_cache(maxsize=1024)
def kind_of(sql: str) -> str:
    """Return the first word of *sql* in capitals, and that of the statement after a ``WITH``."""
    found = _WORD.match(sql)
    word = found[1].upper() if found is not None else ""
    if word == "WITH" and (write := _WITH_WRITE.search(sql)) is not None:
        return write[1].upper()
    return word


@functools.lru_cache(maxsize=1024)
def is_synchronous(sql: str) -> bool:
    """Whether *sql* asks for writes that reach the disk: real time, for a file that nobody needs afterwards."""
    return _SYNCHRONOUS.match(sql) is not None


def path_of(database: Any, *, is_uri: bool) -> str | None:
    """Return the path of the file *database*; None: it is in memory."""
    name = database.decode() if isinstance(database, bytes) else str(database)
    if is_uri and name.startswith("file:"):
        name, _, options = name.removeprefix("file:").partition("?")
        if "mode=memory" in options:
            return None
    return None if name in {"", ":memory:"} else str(Path(name).absolute())


def _slow_down(here: Presence, connection: _Connection, path: str) -> None:
    if here.call is not None and (delay := here.disk.delay(path)):
        here.call.owe(path, delay)
        connection.slow = weakref.ref(here.call)


def _roll_back(connection: _Connection) -> None:
    connection.has_written = False
    if connection.in_transaction:
        sqlite3.Connection.rollback(connection)


def _error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(_TEXTS[name])
    error.sqlite_errorname, error.sqlite_errorcode = name, getattr(sqlite3, name)
    return error


@functools.cache
def _with_faults(ours: type, theirs: type) -> type:
    return ours if issubclass(ours, theirs) else type(theirs.__name__, (ours, theirs), {})


def _connect(real: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    @wraps(real)
    def connect(database: Any, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        here = present()
        if here is None:
            return real(database, *args, **kwargs)
        kwargs |= dict(zip(_PARAMETERS, args, strict=False))
        path = path_of(database, is_uri=kwargs.get("uri", False))
        if path is not None and here.disk.is_lost(path):
            raise _error("SQLITE_CANTOPEN")
        kwargs["factory"] = _with_faults(_Connection, kwargs.get("factory", sqlite3.Connection))
        kwargs["timeout"] = 0.0  # nobody can let a lock go meanwhile: it is in vain to wait for it in real time
        connection: Any = real(database, **kwargs)
        connection.path = path
        with contextlib.suppress(sqlite3.Error):  # in a transaction already: autocommit=False
            sqlite3.Connection.execute(connection, _NO_FSYNC).close()
        connection.functions = SqliteFunctions(lambda: real(":memory:", check_same_thread=False))
        connection.functions.install(connection)
        if path is not None:
            _slow_down(here, connection, path)
        return connection  # type: ignore[no-any-return]

    return connect


_CONNECT = _connect(sqlite3.connect)
