"""The port between `DatabaseConnection` and one kind of database."""

from collections.abc import Sequence
from typing import Any, Protocol

import attrs

from duenna_actors.database_messages import Rows, StatementError, Write

TABLE = "duenna_writes"
"""Our own table: one row per buffer, with the number of its last committed write."""

FORGET_AFTER_DAYS = 30
"""A buffer's row that has not been used for so long is removed; a new one is made if it is needed after all."""


@attrs.frozen
class Written:
    """What became of a batch.

    Attributes:
        up_to: Number of the last write that is committed, now or earlier.
        rejected: The write that the database refused, if it refused one: all before it are
            committed, none after it was tried.
    """

    up_to: int
    rejected: tuple[int, StatementError] | None = None


class Driver(Protocol):
    """One connection to one database. Blocking; one call at a time, from any thread.

    Raises `DatabaseLostError` when the connection cannot be used any more.
    """

    def open(self) -> None:
        """Connect."""
        ...

    def prepare(self, tables: Sequence[str]) -> None:
        """Make our own table and run *tables*, statements that may be run again and again."""
        ...

    def new_token(self) -> str:
        """Return a name that no other buffer has."""
        ...

    def write(self, token: str, batch: Sequence[tuple[int, Write]], *, is_final: bool) -> Written:
        """Carry out those writes of *batch* whose number is greater than the one kept for *token*.

        In one transaction, in which the number is kept as well.

        Args:
            token: The buffer's name.
            batch: Numbers and writes, in the order of the numbers.
            is_final: A missing table rejects the write that needs it; otherwise it raises.

        Raises:
            TableGoneError: A table is missing; nothing was done.
        """
        ...

    def query(self, sql: str, parameters: Any, limit: int) -> Rows:
        """Return what *sql* finds, in a transaction that is rolled back.

        Raises:
            StatementError: The database refused it.
        """
        ...

    def ping(self) -> None:
        """Return if the database answers."""
        ...

    def cancel(self) -> None:
        """Call off what another thread is doing in here; it raises there. May block."""
        ...

    def kill(self) -> None:
        """Break the connection under whoever uses it; must not block."""
        ...

    def close(self) -> None:
        """Disconnect; does nothing the second time, or if it never was open."""
        ...
