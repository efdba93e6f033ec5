"""A state in the tables of a PostgreSQL database: the statements, and what they find."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

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
    import psycopg

    Connection = psycopg.Connection[Any]

_ESCAPE: Final = re.compile(r"\\[\\0]")
_ROW: Final = """(key text PRIMARY KEY, kind text NOT NULL, schema bigint NOT NULL, version bigint NOT NULL,
    at double precision NOT NULL, money boolean NOT NULL, data bytea NOT NULL, crc bigint NOT NULL)"""
_MARK: Final = """(format bigint NOT NULL, origin text NOT NULL, token text NOT NULL, seq bigint NOT NULL,
    saved_at double precision NOT NULL, clean boolean NOT NULL, rows bigint NOT NULL, digest bigint NOT NULL,
    crc bigint NOT NULL, one boolean PRIMARY KEY DEFAULT true CHECK (one))"""


@attrs.define
class Reading:
    """What the tables hold.

    Attributes:
        exists: Whether either is there.
        lacks: Whether either is not.
        row: The mark as it stands there; None: there is none.
        mark: What it says; None: there is none that can be read.
        found: The rows.
        wrong: What is wrong with the whole; empty: nothing is.
    """

    exists: bool = False
    lacks: bool = True
    row: Row | None = None
    mark: Mark | None = None
    found: Found = attrs.field(factory=Found)
    wrong: str = ""


def _escaped(text: str) -> str:
    r"""Return *text* without NUL, which PostgreSQL's text cannot hold: as ``\0``, and a backslash as two."""
    return text.replace("\\", "\\\\").replace("\0", "\\0") if "\\" in text or "\0" in text else text


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\0" if found[0] == "\\0" else "\\", text) if "\\" in text else text


class Tables:
    """The tables of the state *name*, an identifier that was checked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.meta = f"{name}_meta"
        self.corrupt = f"{name}_corrupt"
        columns, marks = ", ".join(COLUMNS), ", ".join(MARK_COLUMNS)
        puts = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
        self._make = (
            f'CREATE TABLE IF NOT EXISTS "{name}" {_ROW}',
            f'CREATE TABLE IF NOT EXISTS "{self.meta}" {_MARK}',
        )
        self._select = f'SELECT {columns} FROM "{name}"'  # noqa: S608  # an identifier that was checked
        self._select_mark = f'SELECT {marks} FROM "{self.meta}"'  # noqa: S608
        self._put = (
            f'INSERT INTO "{name}" ({columns}) SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::bigint[],'  # noqa: S608
            " %b::double precision[], %b::boolean[], %b::bytea[], %b::bigint[])"
            f" ON CONFLICT (key) DO UPDATE SET {puts}"
        )
        self._remove = f'DELETE FROM "{name}" WHERE key = ANY(%s)'  # noqa: S608
        signs = ", ".join(["%s"] * len(MARK_COLUMNS))
        self._put_mark = (
            f'INSERT INTO "{self.meta}" ({marks}) VALUES ({signs})'  # noqa: S608
            f" ON CONFLICT (one) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in MARK_COLUMNS)}"
        )
        self._make_corrupt = (
            f'CREATE TABLE IF NOT EXISTS "{self.corrupt}" AS SELECT now() AS found, * FROM "{name}" WHERE false'  # noqa: S608
        )
        self._copy_corrupt = f'INSERT INTO "{self.corrupt}" SELECT now(), * FROM "{name}" WHERE key = ANY(%s)'  # noqa: S608

    def read(self, connection: Connection) -> Reading:
        """Read everything, as of one moment; to be called at the beginning of a transaction.

        Raises:
            NewerFormatError: It was made by a later version.
        """
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        has_rows, has_mark = (self._is_there(connection, name) for name in (self.name, self.meta))
        reading = Reading(exists=has_rows or has_mark, lacks=not (has_rows and has_mark))
        if not reading.exists:
            return reading
        wrong = self._read_mark(connection, reading) if has_mark else f"{self.meta} is gone"
        if has_rows:
            self._read_rows(connection, reading)
        else:
            wrong = f"{self.name} is gone"
        reading.wrong = wrong or (reading.found.against(reading.mark) if reading.mark else "")
        return reading

    def _read_rows(self, connection: Connection, reading: Reading) -> None:
        with connection.cursor(binary=True) as cursor:
            rows = cursor.execute(self._select.encode())
            reading.found.take((_unescaped(key), _unescaped(kind), *rest) for key, kind, *rest in rows)

    def mark_for_update(self, connection: Connection) -> Row | None:
        """Return the mark as it stands, and keep others from changing it to the end of the transaction.

        Waits for a transaction of an earlier connection of ours that the server has not given up yet.
        """
        return connection.execute(f"{self._select_mark} FOR UPDATE".encode()).fetchone()

    def make(self, connection: Connection) -> None:
        """Make the tables, those that are not there."""
        for statement in self._make:
            connection.execute(statement.encode())

    def set_aside(self, connection: Connection, keys: list[str]) -> None:
        """Move the rows of *keys* out of the way."""
        connection.execute(self._make_corrupt.encode())
        escaped = [_escaped(key) for key in keys]
        connection.execute(self._copy_corrupt.encode(), (escaped,))
        connection.execute(self._remove.encode(), (escaped,))

    def carry_out(self, connection: Connection, plan: Plan) -> None:
        """Write *plan*."""
        if plan.rows:
            rows = ((_escaped(key), _escaped(kind), *rest) for key, kind, *rest in plan.rows)
            columns = [list(column) for column in zip(*rows, strict=True)]  # a column at a time: five times as fast
            connection.execute(self._put.encode(), columns)
        if plan.gone:
            connection.execute(self._remove.encode(), ([_escaped(key) for key in plan.gone],))
        connection.execute(self._put_mark.encode(), plan.mark.row())

    def _is_there(self, connection: Connection, name: str) -> bool:
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f'"{name}"',)).fetchone()
        return row is not None and row[0] is True

    def _read_mark(self, connection: Connection, reading: Reading) -> str:
        version = connection.execute(f'SELECT format FROM "{self.meta}"'.encode()).fetchone()  # noqa: S608
        if version is not None and version[0] > FORMAT:
            raise NewerFormatError(version[0])
        reading.row = connection.execute(self._select_mark.encode()).fetchone()
        if reading.row is None:
            return f"{self.meta} is empty"
        try:
            reading.mark = mark_of(reading.row)
        except RowDamagedError as error:
            return f"the row of {self.meta} is malformed: {error}"
        return ""
