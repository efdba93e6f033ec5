"""PostgreSQL behind the `Driver` port, through psycopg."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any

from duenna import secrets
from duenna_actors._driver import FORGET_AFTER_DAYS, TABLE, Written
from duenna_actors._extras import need
from duenna_actors.database_messages import DatabaseLostError, Rows, StatementError, TableGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from duenna_actors.database_messages import Write

_LOST_CLASSES = frozenset({"08", "53", "58", "XX"})  # connection, resources, system, internal
_LOST_STATES = frozenset({"25006"})  # read-only: the server is a standby now
_AGAIN_STATES = frozenset({"40001", "40P01", "55P03", "57014"})  # serialization, deadlock, lock timeout, a late cancel
_TABLE_GONE = frozenset({"42P01", "3F000"})
_READS = frozenset({"SELECT", "TABLE", "VALUES", "WITH"})
_ATTEMPTS = 3
_VANISHED = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""A server that is gone without a word is noticed after 25 s, not after the two hours of TCP's defaults."""


class _RefusedError(Exception):
    """Takes the place of a refused write out of its transaction, which is rolled back by it."""

    def __init__(self, place: int, error: StatementError) -> None:
        super().__init__(place)
        self.place = place
        self.error = error


class PostgresDriver:
    """A connection to a PostgreSQL server."""

    def __init__(self, dsn: str, *, connect_timeout: float = 10.0) -> None:
        self._psycopg: Any = need("psycopg", what="DatabaseConnection to PostgreSQL", extra="postgres")
        self._dsn = dsn
        self._hide_password()
        self._connect_timeout = max(2, round(connect_timeout))  # libpq takes whole seconds, and 1 for 2
        self._connection: psycopg.Connection[Any] | None = None
        self._closed = 0

    def _hide_password(self) -> None:
        """Keep the password out of all text; a DSN that cannot be read is refused when it is used."""
        with contextlib.suppress(self._psycopg.Error):
            password = self._psycopg.conninfo.conninfo_to_dict(self._dsn).get("password")
            if password:
                secrets.register(str(password))

    def open(self) -> None:
        """Connect."""
        closed = self._closed
        try:
            connection = self._psycopg.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=self._connect_timeout,
                application_name="duenna",
                **_VANISHED,
            )
        except self._psycopg.Error as exc:
            why = f"cannot connect: {' '.join(str(exc).split())}"
            raise DatabaseLostError(why, sqlstate=exc.sqlstate) from exc
        if closed != self._closed:  # whoever wanted it had to give up waiting for this thread
            connection.close()
            raise DatabaseLostError("closed while it was being opened")
        self._connection = connection

    def prepare(self, tables: Sequence[str]) -> None:
        """Make our own table and run *tables*."""
        own = (
            f"CREATE TABLE IF NOT EXISTS {TABLE} (token text PRIMARY KEY, number bigint NOT NULL, used timestamptz)",
            f"DELETE FROM {TABLE} WHERE used < now() - interval '{FORGET_AFTER_DAYS} days'",  # noqa: S608  # a constant of ours
        )
        for statement in (*own, *tables):
            try:
                self._execute(statement)
            except StatementError as error:
                if error.sqlstate != "23505":  # two connections made the table at the same moment
                    raise
                self._execute(statement)

    def new_token(self) -> str:
        """Return a name that no other buffer has."""
        return str(self._execute("SELECT gen_random_uuid()").fetchone()[0])

    def write(self, token: str, batch: Sequence[tuple[int, Write]], *, is_final: bool) -> Written:
        """Carry out what of *batch* is not in the database yet."""
        try:
            return Written(self._insist(lambda: self._transact(token, batch)))
        except _RefusedError as refused:
            place, error = refused.place, refused.error
        if isinstance(error, TableGoneError) and not is_final:
            raise error
        up_to = self._insist(lambda: self._transact(token, batch[:place]))
        return Written(up_to, (batch[place][0], error))

    def query(self, sql: str, parameters: Any, limit: int) -> Rows:
        """Return what *sql* finds."""
        connection = self._open_connection()
        reads = sql.split(None, 1)[:1] and sql.split(None, 1)[0].upper() in _READS
        name = "duenna" if reads else None  # a cursor of the server's, so that only `limit` rows are sent
        try:
            with connection.transaction(force_rollback=True), connection.cursor(name=name or "") as cursor:
                cursor.execute(sql.encode(), parameters or None)
                rows = cursor.fetchmany(limit + 1) if cursor.description else []
                columns = tuple(column.name for column in cursor.description or ())
        except self._psycopg.Error as exc:
            raise self._translated(sql, exc) from exc
        except (TypeError, ValueError) as exc:
            raise StatementError(sql, str(exc)) from exc
        return Rows(columns, rows[:limit], len(rows) > limit)

    def ping(self) -> None:
        """Return if the server answers."""
        self._execute("SELECT 1")

    def cancel(self) -> None:
        """Ask the server to call off what it is doing for us."""
        if self._connection is not None:
            with contextlib.suppress(self._psycopg.Error):
                self._connection.cancel_safe(timeout=2.0)

    def kill(self) -> None:
        """Hang up: whoever waits for the server stops waiting."""
        if self._connection is None:
            return
        with contextlib.suppress(self._psycopg.Error, OSError):
            copy = socket.socket(fileno=os.dup(self._connection.pgconn.socket))
            with copy:
                copy.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Disconnect."""
        self._closed += 1
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(self, token: str, batch: Sequence[tuple[int, Write]]) -> int:
        with self._open_connection().transaction():
            self._execute(f"INSERT INTO {TABLE} VALUES (%s, 0, now()) ON CONFLICT (token) DO NOTHING", (token,))  # noqa: S608  # a constant of ours
            # Waits here for a transaction of our last connection that the server has not given up yet.
            row = self._execute(f"SELECT number FROM {TABLE} WHERE token = %s FOR UPDATE", (token,)).fetchone()  # noqa: S608  # a constant of ours
            done = int(row[0])
            for place, (number, write) in enumerate(batch):
                if number <= done:
                    continue
                try:
                    self._execute(write.sql, write.parameters)
                except StatementError as error:
                    if error.sqlstate in _AGAIN_STATES:
                        raise
                    raise _RefusedError(place, error) from error
                done = number
            self._execute(f"UPDATE {TABLE} SET number = %s, used = now() WHERE token = %s", (done, token))  # noqa: S608  # a constant of ours
        return done

    def _insist(self, transact: Callable[[], int]) -> int:
        """Do it again if the server asks for that: a deadlock, a conflict with another transaction."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._commit(transact)
            except StatementError as error:
                if error.sqlstate not in _AGAIN_STATES:
                    raise
        return self._commit(transact)

    def _commit(self, transact: Callable[[], int]) -> int:
        try:
            return transact()
        except self._psycopg.Error as exc:  # of COMMIT itself
            raise self._translated("COMMIT", exc) from exc

    def _execute(self, sql: str, parameters: Any = ()) -> Any:
        connection = self._open_connection()
        try:
            return connection.execute(sql.encode(), parameters or None)
        except self._psycopg.Error as exc:
            raise self._translated(sql, exc) from exc
        except (TypeError, ValueError) as exc:  # values that do not fit the placeholders
            raise StatementError(sql, str(exc)) from exc

    def _open_connection(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise DatabaseLostError("not connected")
        return self._connection

    def _translated(self, sql: str, exc: psycopg.Error) -> DatabaseLostError | StatementError:
        state = exc.sqlstate
        text = " ".join(str(exc).split())
        is_of_connection = isinstance(exc, (self._psycopg.OperationalError, self._psycopg.InterfaceError))
        if (
            (self._connection is None or self._connection.closed)
            or (state is None and is_of_connection)
            or (state is not None and (state[:2] in _LOST_CLASSES or state[:3] == "57P" or state in _LOST_STATES))
        ):
            return DatabaseLostError(text, sqlstate=state)
        kind = TableGoneError if state in _TABLE_GONE else StatementError
        return kind(sql, text, sqlstate=state)
