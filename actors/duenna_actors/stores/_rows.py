"""What stores in databases have in common: a row an entry, one row for the whole, and how both are known to be right.

Databases check little of what they hold: a flipped bit in a page comes back as a value, a row that is
gone leaves no gap. So each row has a checksum, and the row for the whole, the *mark*, has the sum of all.
The mark is also the guard: whoever writes must find it as they left it, and makes it new in the same
transaction. Each owner writes under a token of its own, so that two that count alike are told apart.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.errors import DuennaError
from duenna.storage import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna.storage import Change

FORMAT: Final = 1
"""The version of the tables: what a later one holds is not guessed at."""

COLUMNS: Final = ("key", "kind", "schema", "version", "at", "money", "data", "crc")
MARK_COLUMNS: Final = ("format", "origin", "token", "seq", "saved_at", "clean", "rows", "digest", "crc")

_SEED: Final = 0x6475_656E
"""So that nothing, or zeros only, has no checksum of 0."""

_RANGE: Final = 2**32

Row = tuple[Any, ...]


class RowDamagedError(DuennaError):
    """A row is not what was written."""


class NewerFormatError(DuennaError):
    """The tables were made by a later version.

    Attributes:
        format: Theirs.
    """

    def __init__(self, format: int) -> None:  # noqa: A002  # the word for it
        """Say which."""
        super().__init__(f"format {format}")
        self.format = format


class NotOursError(DuennaError):
    """The mark is not as it was left."""


def checksum(values: Sequence[Any]) -> int:
    """Return the checksum of a row.

    Raises:
        RowDamagedError: A value is of a type that is never written.
    """
    try:
        return zlib.crc32(msgspec.msgpack.encode(values), _SEED)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise RowDamagedError(str(error)) from None


def row_of(key: str, entry: Entry) -> Row:
    """Return the row that holds *entry* under *key*."""
    at = float(entry.at) + 0.0  # SQLite knows no -0.0
    values = (key, entry.kind, entry.schema, entry.version, at, entry.money, bytes(entry.data))
    return (*values, checksum(values))


def entry_of(row: Row) -> tuple[str, Entry]:
    """Return what *row* holds, and under which key.

    Raises:
        RowDamagedError: It is not as it was written.
    """
    *found, crc = row
    key, kind, schema, version, at, money, data = found
    if money in (0, 1):  # a database without a type for it gives the number
        money = bool(money)
    if checksum((key, kind, schema, version, at, money, data)) != crc:
        raise RowDamagedError("its checksum is wrong")
    return key, Entry(kind=kind, schema=schema, version=version, at=at, money=money, data=data)


@attrs.frozen
class Mark:
    """What a table says of itself.

    Attributes:
        origin: Drawn when the table was made: another one's is another.
        token: Drawn by the owner that wrote last, for its life.
        seq: Commits so far.
        saved_at: When the last of them was made, in seconds since 1970.
        is_clean: Whether the owner closed it in order.
        rows: How many there are.
        digest: The sum of their checksums, modulo 2 ** 32.
    """

    origin: str
    token: str
    seq: int
    saved_at: float
    is_clean: bool
    rows: int
    digest: int

    def row(self) -> Row:
        """Return the row that holds this."""
        values = (FORMAT, *attrs.astuple(self))
        return (*values, checksum(values))


def mark_of(row: Row) -> Mark:
    """Return what *row* says.

    Raises:
        NewerFormatError: It is of a later format.
        RowDamagedError: It is not as it was written.
    """
    version, *found, crc = row
    origin, token, seq, saved_at, is_clean, rows, digest = found
    if is_clean in (0, 1):
        is_clean = bool(is_clean)
    if isinstance(version, int) and version > FORMAT:
        raise NewerFormatError(version)
    if checksum((version, origin, token, seq, saved_at, is_clean, rows, digest)) != crc:
        raise RowDamagedError("its checksum is wrong")
    return Mark(origin, token, seq, saved_at, is_clean, rows, digest)


@attrs.frozen
class Found:
    """The rows of a table, gone through.

    Attributes:
        entries: What is well.
        crcs: The checksums of those rows, by key.
        malformed: The keys, as they were found, of the rows that are not.
    """

    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    crcs: dict[str, int] = attrs.field(factory=dict[str, int])
    malformed: list[Any] = attrs.field(factory=list[Any])

    @property
    def size(self) -> int:
        """The bytes of all entries."""
        return sum(len(entry.data) for entry in self.entries.values())

    def take(self, rows: Iterable[Row]) -> None:
        """Add *rows*."""
        for row in rows:
            try:
                key, entry = entry_of(row)
            except RowDamagedError:
                self.malformed.append(row[0])
            else:
                self.entries[key] = entry
                self.crcs[key] = row[-1]

    def against(self, mark: Mark) -> str:
        """Return what is wrong with the rows that are well, by *mark*; empty if nothing is."""
        if len(self.crcs) != mark.rows:
            return f"holds {len(self.crcs)} of {mark.rows} rows"
        return "" if sum(self.crcs.values()) % _RANGE == mark.digest else "holds a row that was not written last"


@attrs.frozen
class Plan:
    """One commit, worked out.

    Attributes:
        mark: The mark that it leaves.
        rows: The rows to put.
        gone: The keys to remove.
    """

    mark: Mark
    rows: list[Row]
    gone: list[str]


@attrs.define
class Ledger:
    """What a store knows of its table: enough to work the next commit out, and to notice a stranger.

    Attributes:
        mark: What the table says of itself, as far as this owner knows; None: there is none that could be read.
        row: The same as a row; None: there is none.
        crcs: The checksums of the rows that are there, by key.
    """

    mark: Mark | None = None
    row: Row | None = None
    crcs: dict[str, int] = attrs.field(factory=dict[str, int])
    _digest: int = attrs.field(init=False)
    _tried: Plan | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Add the checksums up."""
        self._digest = sum(self.crcs.values()) % _RANGE

    @property
    def seq(self) -> int:
        """Commits so far."""
        return self.mark.seq if self.mark else 0

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last attempt may have been carried out or not."""
        return self._tried is not None

    def recognise(self, row: Row | None) -> None:
        """Go on from *row*, the mark that is in the table: as it was left, or as the last attempt left it after all.

        Raises:
            NotOursError: Somebody else wrote it.
        """
        tried, self._tried = self._tried, None
        if row == self.row:
            return
        if tried is not None and row == tried.mark.row():
            self.settle(tried)
            return
        self._tried = tried
        raise NotOursError(
            f"it holds {_shown(row)}, and not {_shown(self.row)}: somebody else wrote; nothing was changed"
        )

    def plan(self, changes: Sequence[Change], at: float, *, origin: str, token: str) -> Plan:
        """Work out the commit of *changes*.

        Raises:
            RowDamagedError: A value cannot be written.
        """
        last = {change.key: change.entry for change in changes}
        puts = {key: row_of(key, entry) for key, entry in last.items() if entry is not None}
        gone = [key for key, entry in last.items() if entry is None]
        rows, digest = len(self.crcs), self._digest
        for key in last:
            if key in self.crcs:
                rows, digest = rows - 1, digest - self.crcs[key]
        mark = Mark(
            origin=self.mark.origin if self.mark else origin,
            token=token,
            seq=self.seq + 1,
            saved_at=float(at),
            is_clean=False,
            rows=rows + len(puts),
            digest=(digest + sum(row[-1] for row in puts.values())) % _RANGE,
        )
        return Plan(mark, list(puts.values()), gone)

    def attempt(self, plan: Plan) -> None:
        """Remember that *plan* may be carried out from now on, whatever the answer."""
        self._tried = plan

    def settle(self, plan: Plan) -> None:
        """Take *plan* for carried out."""
        self._tried = None
        self.mark, self.row, self._digest = plan.mark, plan.mark.row(), plan.mark.digest
        self.crcs.update((row[0], row[-1]) for row in plan.rows)
        for key in plan.gone:
            self.crcs.pop(key, None)


def carried_out(entries: dict[str, Entry], changes: Sequence[Change]) -> dict[str, Entry]:
    """Carry *changes* out in *entries*, and return them."""
    for change in changes:
        if change.entry is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = change.entry
    return entries


def _shown(row: Row | None) -> str:
    if row is None:
        return "nothing"
    return f"commit {row[3]} of owner {str(row[2])[:8]}"
