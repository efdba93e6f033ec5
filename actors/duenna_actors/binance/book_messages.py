"""What one says to the keeper of order books, and what it says."""

from typing import ClassVar

import msgspec

from duenna.connection import ConnectionState
from duenna.errors import DuennaError
from duenna.events import Event
from duenna_actors.binance_streams import Levels


class BookNotReadyError(DuennaError):
    """There is no order book in sync: what there is must not be traded on.

    Attributes:
        symbol: The contract.
        why: What is missing, in words.
    """

    def __init__(self, symbol: str, why: str) -> None:
        """Say why the book of *symbol* is not ready."""
        super().__init__(f"the book of {symbol} is not in sync: {why}")
        self.symbol = symbol
        self.why = why


class BookSyncError(DuennaError):
    """A book did not come into sync, however often it was tried.

    Attributes:
        symbol: The contract.
        attempts: Snapshots that were asked for.
    """

    def __init__(self, symbol: str, attempts: int, why: str) -> None:
        """Say that *attempts* snapshots have not helped."""
        super().__init__(f"the book of {symbol} is not in sync after {attempts} attempts: {why}")
        self.symbol = symbol
        self.attempts = attempts


class DepthSnapshot(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The answer of `GET /fapi/v1/depth`.

    Attributes:
        last_update_id: The number of the last change in it.
        event_time_ms: When the exchange made it.
        transaction_time_ms: When the last change was made.
        bids: Price and quantity, best first.
        asks: Price and quantity, best first.
    """

    last_update_id: int = msgspec.field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    event_time_ms: int = msgspec.field(name="E", default=0)
    transaction_time_ms: int = msgspec.field(name="T", default=0)


class BookView(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag=True):
    """An order book in sync, as it was at one update.

    Attributes:
        symbol: The contract.
        bids: Price and quantity, best first, without a level missing in between.
        asks: The same.
        update_id: The number of the last change in it.
        event_time_ms: When the exchange sent that.
        transaction_time_ms: When that change was made.
        age: Seconds since it came. Whoever trades on it decides how old is too old.
    """

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    update_id: int
    event_time_ms: int
    transaction_time_ms: int
    age: float


class GetBook(msgspec.Struct, frozen=True, tag=True):
    """Ask for a book; answered at once with a `BookView`, or with `BookNotReadyError`.

    Attributes:
        symbol: The contract.
        depth: Levels on each side, at most; None: all that are known.
    """

    symbol: str
    depth: int | None = 20


class GetBooksStatus(msgspec.Struct, frozen=True, tag=True):
    """Ask how the books do; answered with `BooksStatus`."""


class BookStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one book does.

    Attributes:
        is_ready: Whether `GetBook` is answered with it.
        why: Why not, in words.
        age: Seconds since fresh data came; None if none has come.
        update_id: The number of the last change in it; -1 if there is none.
        applied: Updates applied.
        old: Duplicates, and updates that came late.
        gaps: Gaps in the stream.
        crossings: Times that it crossed itself.
        syncs: Times that it came into sync.
        snapshots: Snapshots that came.
        too_old: Those of them that lagged behind the buffered updates.
        buffered: Updates that wait for a snapshot.
        attempts: Snapshots asked for since it last held its sync for long enough.
    """

    is_ready: bool
    why: str
    age: float | None
    update_id: int
    applied: int
    old: int
    gaps: int
    crossings: int
    syncs: int
    snapshots: int
    too_old: int
    buffered: int
    attempts: int


class BooksStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How the keeper of order books does.

    Attributes:
        state: Where the connection is in its life cycle.
        books: By symbol.
    """

    state: ConnectionState
    books: dict[str, BookStatus]


class BookChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A book in sync has changed; published at every update. `GetBook` has the rest of it.

    Attributes:
        symbol: The contract.
        bid: The best bid; 0 without bids.
        bid_quantity: Its quantity.
        ask: The best ask; 0 without asks.
        ask_quantity: Its quantity.
        update_id: The number of the last change in it.
        event_time_ms: When the exchange sent that.
    """

    symbol: str
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float
    update_id: int
    event_time_ms: int


class BookLost(msgspec.Struct, frozen=True, tag=True):
    """A book is not in sync any more, until the next `BookChanged`; published.

    Attributes:
        symbol: The contract.
        why: What happened, in words.
    """

    symbol: str
    why: str


class BookSynced(Event, frozen=True):
    """A book is in sync.

    Attributes:
        symbol: The contract.
        after: Seconds that it was not.
        attempts: Snapshots that this took; 0 if a late update was enough.
    """

    symbol: str
    after: float
    attempts: int

    def text(self) -> str:
        """Return the log line."""
        return f"book of {self.symbol} in sync after {self.after:.1f} s, {self.attempts} snapshots"


class BookDesynced(Event, frozen=True):
    """A book is not in sync any more while its websocket is open; nobody gets it until it is.

    Attributes:
        symbol: The contract.
        why: What happened, in words.
    """

    level: ClassVar[str] = "WARNING"
    symbol: str
    why: str

    def text(self) -> str:
        """Return the log line."""
        return f"book of {self.symbol} lost its sync: {self.why}"
