"""What one says to a database, what it answers, and how it fails."""

from typing import Any

import msgspec

from duenna.connection import ConnectionLostError, ConnectionState
from duenna.errors import DuennaError


class Write(msgspec.Struct, frozen=True, tag=True):
    """One statement that changes something.

    Told or asked, it is accepted into the buffer, also while the database is down, and
    carried out exactly once, in the order of acceptance. An ask is answered once it is
    committed.

    Attributes:
        sql: The statement, in the database's own dialect: SQLite takes `?` or `:name`,
            PostgreSQL `%s` or `%(name)s`.
        parameters: Its values.
    """

    sql: str
    parameters: tuple[Any, ...] | dict[str, Any] = ()

    def __post_init__(self) -> None:
        """Refuse what would end the transaction that keeps the writes exact."""
        words = self.sql.split(None, 1)
        if not words or words[0].rstrip(";").upper() in _TRANSACTION:
            message = f"a Write must be one statement inside a transaction of the connection's own, got {self.sql!r}"
            raise ValueError(message)


_TRANSACTION = frozenset({"ABORT", "BEGIN", "COMMIT", "END", "PREPARE", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"})


class Query(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One statement that only reads: ask it. Its transaction is rolled back, whatever it does.

    Attributes:
        sql: The statement, in the database's own dialect.
        parameters: Its values.
        limit: Rows that the answer has at most.
        timeout: Seconds it may take, waiting for its turn included; None: the connection's.
    """

    sql: str
    parameters: tuple[Any, ...] | dict[str, Any] = ()
    limit: int = 10_000
    timeout: float | None = None


class Rows(msgspec.Struct, frozen=True, tag=True):
    """What a `Query` found.

    Attributes:
        columns: Their names.
        rows: One tuple each.
        is_cut: Whether there were more than the limit.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool

    def to(self, kind: type[Any]) -> list[Any]:
        """Return the rows as objects of *kind*, made from the columns by name.

        Raises:
            msgspec.ValidationError: A row does not fit.
        """
        return [msgspec.convert(dict(zip(self.columns, row, strict=True)), kind, strict=False) for row in self.rows]


class GetDatabaseStatus(msgspec.Struct, frozen=True, tag=True):
    """Ask a database connection how it does; answered with `DatabaseStatus`."""


class DatabaseStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How a database connection does. The counts outlive a crash of the actor.

    Attributes:
        state: Where the connection is in its life cycle.
        waiting: Writes that are accepted and not committed.
        accepted: Writes accepted so far.
        written: Those that are committed.
        rejected: Those that the database refused for good.
        refused: Writes that were not accepted, for the buffer was full.
        dropped: Accepted writes that gave way to newer ones (`overflow="drop_oldest"`).
    """

    state: ConnectionState
    waiting: int
    accepted: int
    written: int
    rejected: int
    refused: int
    dropped: int


class DatabaseLostError(ConnectionLostError):
    """The database cannot be reached, or not be used, any more.

    Attributes:
        sqlstate: PostgreSQL's code, None if there is none.
    """

    def __init__(self, why: str, *, sqlstate: str | None = None) -> None:
        """Say *why* it is lost."""
        super().__init__(why)
        self.sqlstate = sqlstate


class StatementError(DuennaError):
    """The database refused a statement; the connection is fine.

    Attributes:
        sql: Its beginning.
        sqlstate: PostgreSQL's code, None if there is none.
    """

    def __init__(self, sql: str, why: str, *, sqlstate: str | None = None) -> None:
        """Say *why* the database refused *sql*."""
        self.sql = " ".join(sql[:200].split())
        super().__init__(f"{why} in: {self.sql}")
        self.sqlstate = sqlstate


class TableGoneError(StatementError):
    """A statement needs a table that is not there."""


class QueryTimeoutError(DuennaError):
    """A query took too long and was called off.

    Attributes:
        timeout: Seconds it had.
    """

    def __init__(self, timeout: float) -> None:
        """Say that the query took longer than *timeout* seconds."""
        super().__init__(f"query called off after {timeout} s")
        self.timeout = timeout


class WriteBufferFullError(DuennaError):
    """A write was not accepted: as many wait as the buffer holds.

    Attributes:
        capacity: Writes that the buffer holds.
    """

    def __init__(self, capacity: int) -> None:
        """Say that the buffer is full."""
        super().__init__(f"write refused: the buffer holds {capacity} writes, and they all wait for the database")
        self.capacity = capacity


class WriteDroppedError(DuennaError):
    """An accepted write gave way to a newer one."""

    def __init__(self) -> None:
        """Say that the write is gone."""
        super().__init__("write dropped: the buffer is full and its rule is drop_oldest")
