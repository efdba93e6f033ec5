"""Databases: writes that are carried out exactly once, however often the connection goes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import trio

from duenna.connection import Connection
from duenna_actors._kept import kept
from duenna_actors._messages import refuse
from duenna_actors._postgres import PostgresDriver
from duenna_actors._sqlite import SqliteDriver
from duenna_actors._threads import run_in_thread
from duenna_actors._writes import Overflow, WriteBuffer
from duenna_actors.database_messages import (
    DatabaseLostError,
    DatabaseStatus,
    GetDatabaseStatus,
    Query,
    QueryTimeoutError,
    Rows,
    StatementError,
    TableGoneError,
    Write,
    WriteBufferFullError,
    WriteDroppedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from duenna import Reply
    from duenna_actors._driver import Driver, Written

__all__ = [
    "DatabaseConnection",
    "DatabaseLostError",
    "DatabaseStatus",
    "GetDatabaseStatus",
    "Query",
    "QueryTimeoutError",
    "Rows",
    "StatementError",
    "TableGoneError",
    "Write",
    "WriteBufferFullError",
    "WriteDroppedError",
]

T = TypeVar("T")

_FLUSH = 2.0
_PATIENCE = 0.5


class DatabaseConnection(Connection):
    """A database: SQLite, or PostgreSQL with the `postgres` extra.

    A `Write` is taken into a bounded buffer at once, whether the database is there or not,
    and the buffer belongs to the actor's path for as long as the runtime lives: a crash or
    a restart loses nothing of it. Writes are committed in their order, exactly once; the
    database itself keeps count, in the same transaction. A write that the database refuses
    for good (a constraint, a syntax error) is reported, its asker told, and the next ones
    go on. A stop commits what is left if it can be done in 2 s, and reports it otherwise.

    While the actor is in backoff its messages wait in its mailbox, which has a bound and a
    rule of its own: give the child a `Mailbox` that fits the longest outage.

    A `Query` is asked, waits for the connection if it must, and is called off in the
    database when it takes too long or its connection ends.
    """

    kind: ClassVar[str] = "database"

    def __init__(
        self,
        database: str | Path,
        *,
        tables: Sequence[str] = (),
        capacity: int = 10_000,
        overflow: str = Overflow.REFUSE,
        batch: int = 500,
        query_timeout: float = 10.0,
    ) -> None:
        """Describe the connection; nothing is opened yet.

        Args:
            database: A file for SQLite, `:memory:`, or PostgreSQL's address:
                `postgresql://...`, or `host=... dbname=...`.
            tables: Statements that make what is missing (`CREATE TABLE IF NOT EXISTS`...);
                run on every connect and whenever a table turns out to be gone.
            capacity: Writes that the buffer holds.
            overflow: `refuse`: a write that finds it full is not accepted, and an ask is
                told so; `drop_oldest`: it takes the place of the oldest. Both are counted.
            batch: Writes in one transaction, at most.
            query_timeout: Seconds for a query that does not say otherwise.

        Raises:
            MissingExtraError: It is PostgreSQL, and psycopg is not installed.
            ValueError: A number is out of range.
        """
        if batch < 1:
            message = f"batch must be >= 1, got {batch}"
            raise ValueError(message)
        self._new_buffer = partial(WriteBuffer, capacity, Overflow(overflow))
        self._buffer = self._new_buffer()
        self._driver: Driver = _driver_of(database, self.connect_timeout)
        self._tables = tuple(tables)
        self._batch = batch
        self._query_timeout = query_timeout
        self.close_timeout = _FLUSH + 3 * _PATIENCE
        self._limiter = trio.CapacityLimiter(1)
        self._turn = trio.Lock()
        self._accepted = trio.Event()
        self._queries: trio.Nursery | None = None
        self._began = trio.Event()
        self._is_usable = False
        self._singly = 0

    def started(self) -> None:
        """Take over the buffer of this path."""
        self._buffer = kept(self.context.runtime, (WriteBuffer, self.context.path), self._new_buffer)

    async def connect(self) -> None:
        """Open the database and make the tables that are not there."""
        await self._in_thread(self._driver.open)
        await self._in_thread(partial(self._driver.prepare, self._tables))
        if not self._buffer.token:
            self._buffer.token = await self._in_thread(self._driver.new_token)
        self._is_usable = True

    async def session(self) -> None:
        """Carry out writes as they come, and queries beside them."""
        async with trio.open_nursery() as nursery:
            self._queries = nursery
            self._began.set()
            try:
                while True:
                    self._accepted = trio.Event()
                    while self._buffer:
                        await self._write_some()
                    await self._accepted.wait()
            finally:
                self._queries = None
                self._began = trio.Event()

    async def check(self) -> None:
        """Ask the database for an answer."""
        await self._in_thread(self._driver.ping)

    async def close(self) -> None:
        """Commit what is left, if the database still takes it, and disconnect."""
        try:
            with trio.move_on_after(_FLUSH):
                while self._buffer and self._is_usable:
                    await self._write_some()
        finally:
            self._is_usable = False
            self._buffer.put_back()
            await trio.to_thread.run_sync(self._driver.close, limiter=self._limiter, abandon_on_cancel=True)

    def stopping(self, reason: Any) -> None:
        """Report what could not be written before the stop."""
        self._buffer.forget_askers()
        if reason == "shutdown" and self._buffer:
            self.context.report(DatabaseLostError(f"{len(self._buffer)} accepted writes are not in the database"))

    def receive(self, message: Any) -> Any:
        """Take in a `Write`, answer a `Query` or a `GetDatabaseStatus`."""
        match message:
            case Write():
                self._accept(message)
            case Query():
                self.context.start_soon(self._answer, message, self.context.defer_reply())
            case GetDatabaseStatus():
                return self._status()
            case _:
                refuse(self.context, message)
        return None

    def _accept(self, write: Write) -> None:
        reply = self.context.defer_reply()
        is_asked = reply.is_open
        try:
            self._buffer.accept(write, reply if is_asked else None)
        except WriteBufferFullError as error:
            if is_asked:
                reply.fail(error)
            elif self._buffer.refused & (self._buffer.refused - 1) == 0:  # the 1st, 2nd, 4th...: a flood stays readable
                self.context.report(error, refused=self._buffer.refused)
        else:
            self._accepted.set()

    async def _write_some(self) -> None:
        batch = self._buffer.take(1 if self._singly else self._batch)
        work = [(pending.number, pending.write) for pending in batch]
        try:
            written = await self._write_batch(work)
        except DatabaseLostError:
            self._is_usable = False
            raise
        except StatementError as error:  # of the commit: a deferred constraint does not say which write it was
            if len(work) == 1:
                self._reject(work[0][0], error)
            else:
                self._singly = len(work) + 1
            return
        finally:
            self._buffer.put_back()
            self._singly = max(0, self._singly - 1)
        self._buffer.committed(written.up_to)
        if written.rejected is not None:
            self._reject(*written.rejected)

    def _reject(self, number: int, error: StatementError) -> None:
        self._buffer.reject(number, error)
        self.context.report(error, write=number)

    async def _write_batch(self, work: list[tuple[int, Write]]) -> Written:
        token = self._buffer.token
        try:
            return await self._in_thread(partial(self._driver.write, token, work, is_final=False))
        except TableGoneError as error:
            self.context.report(error, hook="write")
        await self._in_thread(partial(self._driver.prepare, self._tables))
        return await self._in_thread(partial(self._driver.write, token, work, is_final=True))

    async def _answer(self, query: Query, reply: Reply) -> None:
        timeout = self._query_timeout if query.timeout is None else query.timeout
        with trio.move_on_after(timeout) as scope:
            while self._queries is None:
                await self._began.wait()
            self._queries.start_soon(self._query, query, reply, scope.deadline)
            return
        reply.fail(QueryTimeoutError(timeout))

    async def _query(self, query: Query, reply: Reply, deadline: float) -> None:
        try:
            with trio.CancelScope(deadline=deadline) as scope:
                reply.send(await self._find(query))
            if scope.cancelled_caught:
                reply.fail(QueryTimeoutError(self._query_timeout if query.timeout is None else query.timeout))
        except trio.Cancelled:
            reply.fail(DatabaseLostError("the connection was closed during the query"))
            raise
        except StatementError as error:
            reply.fail(error)
        except DatabaseLostError as error:
            reply.fail(error)
            raise

    async def _find(self, query: Query) -> Rows:
        ask = partial(self._driver.query, query.sql, query.parameters, query.limit)
        try:
            return await self._in_thread(ask)
        except TableGoneError:
            await self._in_thread(partial(self._driver.prepare, self._tables))
            return await self._in_thread(ask)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do *work* with the driver, alone, and call it off when this is cancelled."""
        async with self._turn:
            return await run_in_thread(
                work, limiter=self._limiter, cancel=self._driver.cancel, kill=self._driver.kill, patience=_PATIENCE
            )

    def _status(self) -> DatabaseStatus:
        buffer = self._buffer
        return DatabaseStatus(
            state=self.state,
            waiting=len(buffer),
            accepted=buffer.accepted,
            written=buffer.written,
            rejected=buffer.rejected,
            refused=buffer.refused,
            dropped=buffer.dropped,
        )


def _driver_of(database: str | Path, connect_timeout: float) -> Driver:
    address = str(database)
    if address.startswith(("postgresql://", "postgres://")) or "dbname=" in address:
        return PostgresDriver(address, connect_timeout=connect_timeout)
    return SqliteDriver(address)
