"""A connection to a PostgreSQL server that holds the lock of one state."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna import secrets
from duenna.errors import DuennaError
from duenna.storage import StateLockedError
from duenna_actors._extras import need

if TYPE_CHECKING:
    from collections.abc import Generator

    import psycopg

_LOST_CLASSES: Final = frozenset({"08", "53", "57", "58", "XX"})  # connection, resources, operator, system, internal
_NOT_AVAILABLE: Final = "55P03"
_CLIENT_VANISHED: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A server that is gone without a word is noticed after 25 s, not after the two hours of TCP's defaults."""

_SETTINGS: Final = {
    "tcp_keepalives_idle": "10",  # and so does the server notice a process whose machine is gone: it has the lock
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""

_KEY: Final = "hashtextextended('duenna state ' || coalesce(current_schema(), '') || '.' || %s, 0)"
_HOLDER: Final = f"""
    SELECT a.application_name, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = {_KEY}
"""  # noqa: S608  # a constant of ours


class LostError(DuennaError):
    """There is no connection, or no more."""


class RefusedError(DuennaError):
    """The server refused a statement; the connection is still there."""


@attrs.define(eq=False)
class Session:
    """Connects, takes the lock, and runs transactions; loses both and does it again.

    Attributes:
        store: What the state is called.
        table: Whose lock it is.
        connect_timeout: Seconds that connecting may take, at least 2.
        answer_within: Seconds that the server may take for one transaction.
        lock_within: Seconds to wait for the lock.
    """

    _dsn: str = attrs.field(repr=False)
    store: str
    table: str
    connect_timeout: float
    answer_within: float
    lock_within: float
    _psycopg: Any = attrs.field(init=False, repr=False)
    _connection: Any = attrs.field(default=None, init=False)
    _backend: tuple[Any, ...] | None = attrs.field(default=None, init=False)
    _is_overdue: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Find the library."""
        self._psycopg = need("psycopg", what="PostgresStore", extra="postgres")

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection, as far as is known, and the lock with it."""
        return self._connection is not None

    def connect(self) -> None:
        """Connect, end what the server still has of the last connection, and take the lock.

        Raises:
            LostError: There is no connection to be had.
            StateLockedError: Somebody else has the lock.
        """
        with self._translated():
            self._connection = self._psycopg.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=max(2, round(self.connect_timeout)),  # libpq takes whole seconds, and 1 for 2
                application_name=f"process {os.getpid()} on {socket.gethostname()}",
                client_encoding="utf8",
                **_CLIENT_VANISHED,
            )
        try:
            self._set_up()
        except BaseException:
            self.disconnect()
            raise

    @contextmanager
    def transaction(self) -> Generator[psycopg.Connection[Any]]:
        """Begin a transaction; commit it at the end of the block, or roll it back after an error.

        Raises:
            LostError: There is no connection, or it was lost.
            RefusedError: The server refused.
        """
        if self._connection is None:
            raise LostError("not connected")
        with self._translated(), self._answering(), self._connection.transaction():
            yield self._connection

    def disconnect(self) -> None:
        """Hang up, which gives the lock back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _set_up(self) -> None:
        with self.transaction() as connection:
            patience = f"{max(1, round(self.lock_within * 1000))}ms"  # 0 would be for ever
            for name, value in {**_SETTINGS, "lock_timeout": patience}.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            connection.execute(_DURABLE)
            if self._backend is not None:
                # It may not know yet that we are gone, and would keep the lock, and may be about to commit.
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE (pid, backend_start) = (%s, %s)",
                    self._backend,
                )
        with self.transaction() as connection:
            self._backend = connection.execute(
                "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).fetchone()
        self._lock()

    def _lock(self) -> None:
        try:
            with self.transaction() as connection:
                connection.execute(f"SELECT pg_advisory_lock({_KEY})", (self.table,))
        except RefusedError as error:
            cause = error.__cause__
            if getattr(cause, "sqlstate", None) != _NOT_AVAILABLE:
                raise
            with self.transaction() as connection:
                holder = connection.execute(_HOLDER, (self.table,)).fetchone()
            owner = f"{holder[0]}, connected since {holder[1]} UTC" if holder else ""
            raise StateLockedError(self.store, owner) from None

    # -- trouble ---------------------------------------------------------------

    @contextmanager
    def _answering(self) -> Generator[None]:
        """Hang up on a server that takes too long: libpq itself would wait for ever."""
        timer = threading.Timer(self.answer_within, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._is_overdue = True
        with suppress(self._psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _translated(self) -> Generator[None]:
        self._is_overdue = False
        try:
            yield
        except self._psycopg.Error as exc:
            text = secrets.redact(" ".join(str(exc).split()))
            if self._is_overdue:
                text = f"no answer within {self.answer_within:g} s"
            if self._is_lost(exc):
                self.disconnect()
                raise LostError(text) from exc
            raise RefusedError(text) from exc

    def _is_lost(self, exc: psycopg.Error) -> bool:
        connection = self._connection
        if connection is None or connection.closed or self._is_overdue:
            return True
        state = exc.sqlstate
        if state is None:
            return isinstance(exc, (self._psycopg.OperationalError, self._psycopg.InterfaceError))
        return state[:2] in _LOST_CLASSES
