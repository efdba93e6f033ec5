"""The state in two tables of a PostgreSQL database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna import secrets
from duenna.storage import (
    Compacted,
    Damage,
    Loaded,
    Loss,
    StateFormatError,
    StateLockedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna_actors._extras import need
from duenna_actors.stores._postgres_session import LostError, RefusedError, Session
from duenna_actors.stores._postgres_tables import Reading, Tables
from duenna_actors.stores._rows import FORMAT, Ledger, NewerFormatError, NotOursError, Plan, Row, RowDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duenna.storage import Change

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,47}")


def _checked_name(_: Any, __: Any, value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"PostgresStore: name must be 1 to 48 of a-z, 0-9 and _, no digit first, got {value!r}")


@attrs.define(eq=False)
class PostgresStore:
    """Keeps the state in a PostgreSQL database: a row an entry, a transaction a commit, durable when it returns.

    Needs the extra `postgres`, and PostgreSQL 13 or later. The first commit makes the tables, that of the
    rows and one that is named as it is with `_meta` at its end. The owner holds an advisory lock for as
    long as it is connected, so there must be no pool of transactions in between.

    After a server's restart, or whatever else cut the connection, the next commit connects again, takes
    the lock again, and goes on if nobody else wrote meanwhile; if somebody did, it fails, as do all after
    it, and what they wrote stays. A commit whose answer was lost fails, too; the next one finds out.

    Each row has a checksum, and so has the whole. What is damaged, or was changed by hand, is reported;
    the first commit moves such rows to a table with `_corrupt` at the end of its name.

    It is as durable as the server is: `synchronous_commit = off` is overruled, `fsync = off` cannot be.

    Attributes:
        dsn: Where, as a connection string of libpq or a URI; its password is hidden wherever it occurs.
        table: The table of the rows, given as *name*: 1 to 48 of a-z, 0-9 and _.
        connect_timeout: Seconds that connecting may take, at least 2.
        answer_within: Seconds that the server may take to answer, before the connection is given up.
        lock_within: Seconds to wait for the lock: the server takes a moment to notice that a process was killed.
        name: `postgres`, the table, and where it is.
    """

    _dsn: str = attrs.field(repr=False)
    table: str = attrs.field(default="duenna_state", kw_only=True, alias="name", validator=_checked_name)
    connect_timeout: float = attrs.field(default=10.0, kw_only=True, validator=attrs.validators.gt(0))
    answer_within: float = attrs.field(default=30.0, kw_only=True, validator=attrs.validators.gt(0))
    lock_within: float = attrs.field(default=3.0, kw_only=True, validator=attrs.validators.ge(0))
    name: str = attrs.field(init=False)
    is_durable: bool = attrs.field(default=True, init=False)
    _session: Session = attrs.field(init=False)
    _tables: Tables = attrs.field(init=False)
    _is_open: bool = attrs.field(default=False, init=False)
    _token: str = attrs.field(default="", init=False)
    _ledger: Ledger = attrs.field(factory=Ledger, init=False)
    _lacks_tables: bool = attrs.field(default=True, init=False)
    _unfit: list[str] = attrs.field(factory=list[str], init=False)
    _row_at_open: Row | None = attrs.field(default=None, init=False)
    _is_damaged: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Find the library, and hide the password."""
        psycopg = need("psycopg", what="PostgresStore", extra="postgres")
        try:
            parts: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(self._dsn)
        except psycopg.Error:
            raise ValueError("PostgresStore: dsn cannot be read by libpq; it is not shown, for the password") from None
        if parts.get("password"):
            secrets.register(str(parts["password"]))
        where = "/".join(str(parts[part]) for part in ("host", "dbname") if parts.get(part))
        self.name = f"postgres {self.table}{' at ' if where else ''}{where}"
        self._tables = Tables(self.table)
        self._session = Session(
            self._dsn, self.name, self.table, self.connect_timeout, self.answer_within, self.lock_within
        )

    def open(self) -> Loaded:
        """Take possession and read everything; changes nothing that was stored.

        Raises:
            StateFormatError: It was written by a later version; it is left as it is.
            StateLockedError: Somebody else has it.
            StateUnreadableError: There is no connection to be had, or the server refuses.
        """
        if self._is_open:
            raise StateLockedError(self.name, "this very store, which is open")
        try:
            self._session.connect()
            with self._session.transaction() as connection:
                ((token,),) = connection.execute("SELECT replace(gen_random_uuid()::text, '-', '')").fetchall()
            with self._session.transaction() as connection:
                reading = self._tables.read(connection)
        except NewerFormatError as error:
            self._session.disconnect()
            raise StateFormatError(self.name, self._tables.meta, error.format, FORMAT) from None
        except (LostError, RefusedError) as error:
            self._session.disconnect()
            raise StateUnreadableError(self.name, f"table {self.table}", str(error)) from error
        self._is_open, self._token = True, token
        return self._loaded(reading)

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out all *changes* or none of them; return their number, when they are durable.

        Args:
            changes: At least one, of different keys.
            at: The time of day, in seconds since 1970.

        Raises:
            StateWriteError: They are not known to be durable; give them again.
        """
        self._write(
            f"commit {self._ledger.seq + 1}",
            lambda: self._ledger.plan(changes, at, origin=self._token, token=self._token),
        )
        self._is_damaged = False
        return self._ledger.seq

    @property
    def wants_compacting(self) -> bool:
        """Never: the server does that."""
        return False

    def compact(self, at: float) -> Compacted | None:  # noqa: ARG002  # the port's
        """The server does that."""
        return None

    def close(self, at: float, *, is_clean: bool) -> None:  # noqa: ARG002  # the port's
        """Let go; with *is_clean*, leave the mark of an orderly end first.

        Where nothing was committed, none is left on what was damaged: the next one is to see it, too.

        Raises:
            StateWriteError: The mark could not be left; the store is closed all the same.
        """
        mark = self._ledger.mark
        try:
            if is_clean and not self._is_damaged and mark is not None and not mark.is_clean:
                self._write("the mark of an orderly end", self._clean)
        finally:
            self._session.disconnect()
            self._is_open = False
            self._ledger, self._unfit = Ledger(), []

    # -- reading ---------------------------------------------------------------

    def _loaded(self, reading: Reading) -> Loaded:
        self._ledger = Ledger(reading.mark, reading.row, reading.found.crcs)
        self._lacks_tables = reading.lacks
        self._unfit, self._row_at_open = reading.found.malformed, reading.row
        damages = [Damage(self._tables.meta, reading.wrong, Loss.ACKNOWLEDGED)] if reading.wrong else []
        damages += [
            Damage(f"row {key} of {self.table}", "its checksum is wrong", Loss.ACKNOWLEDGED, self._tables.corrupt)
            for key in self._unfit
        ]
        self._is_damaged = bool(damages)
        mark = reading.mark
        return Loaded(
            entries=reading.found.entries,
            seq=self._ledger.seq,
            existed=reading.exists,
            was_clean=mark is not None and mark.is_clean and not damages,
            saved_at=mark.saved_at if mark else None,
            damages=tuple(damages),
            source=self.name if reading.exists else "",
            size=reading.found.size,
        )

    # -- writing ---------------------------------------------------------------

    def _write(self, what: str, plan: Callable[[], Plan]) -> None:
        """Carry out the plan, again if the connection was lost, unless it may have been carried out."""
        if not self._is_open:
            raise StateWriteError(self.name, what, "it is not open")
        try:
            if self._session.is_connected and self._went_through(plan):
                return
            self._session.connect()
            self._attempt(plan)
        except (LostError, RefusedError, NotOursError, RowDamagedError, StateLockedError) as error:
            raise StateWriteError(self.name, what, str(error)) from error

    def _went_through(self, plan: Callable[[], Plan]) -> bool:
        """Carry out the plan; return False if the connection was lost before that could have any effect."""
        try:
            self._attempt(plan)
        except LostError:
            if self._ledger.is_in_doubt:
                raise
            return False
        return True

    def _attempt(self, plan: Callable[[], Plan]) -> None:
        ledger, tables = self._ledger, self._tables
        with self._session.transaction() as connection:
            if self._lacks_tables:
                tables.make(connection)
            ledger.recognise(tables.mark_for_update(connection))
            if self._unfit and ledger.row == self._row_at_open:
                tables.set_aside(connection, self._unfit)
            worked_out = plan()
            tables.carry_out(connection, worked_out)
            ledger.attempt(worked_out)
        ledger.settle(worked_out)
        self._lacks_tables = False
        self._unfit = []

    def _clean(self) -> Plan:
        if self._ledger.mark is None:
            raise NotOursError("there is nothing to mark")
        return Plan(attrs.evolve(self._ledger.mark, is_clean=True), [], [])
