"""One order book, kept as the exchange describes it: a pure machine.

Theory of operation. Updates that cannot be applied yet lie in the *chain*, in which each
update's ``previous_id`` is the ``last_id`` of the one before it; where one is missing, the
chain begins anew behind the gap. There are two ways from a chain to a book in sync:

- A snapshot whose ``last_update_id`` L lies within the chain is loaded, updates with
  ``last_id < L`` are dropped, and the others are applied. The first of them has
  ``first_id <= L <= last_id``, or no change lies between L and it, which its
  ``previous_id <= L`` says.
- The chain begins where the book stood when it lost its sync: what was missing came late.

A snapshot that is older than the chain is of no use, and the chain is kept for the next one:
so a snapshot that lags behind the stream by half a minute, again and again, still fits in
the end. One that is ahead of the stream waits for it. From then on an update is applied if
its ``previous_id`` is the book's ``last_id``; one that ends at or before that is a duplicate
or late, and dropped; any other is a gap.

A book that crosses itself is wrong, whatever its numbers say, and so is one whose numbers
went back while the exchange's time went on: both need a snapshot.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING

import attrs

from duenna_actors.binance.book_messages import BookChanged, BookNotReadyError, BookView, DepthSnapshot
from duenna_actors.binance_streams import DepthUpdate

if TYPE_CHECKING:
    from duenna_actors.binance_streams import Levels

_THIN = 4


class BookOutcome(StrEnum):
    """What became of an update or a snapshot.

    Attributes:
        APPLIED: The book was in sync and is so.
        SYNCED: The book is in sync with it, and was not, or was not that deep.
        WAITING: It is kept: an update for a snapshot, a snapshot for the stream.
        OLD: It is of no use: a duplicate, a late one, a snapshot from before the chain.
        GAP: An update is missing before it; the book is not in sync.
        CROSSED: With it, the best bid is not below the best ask; the book is not in sync.
    """

    APPLIED = "applied"
    SYNCED = "synced"
    WAITING = "waiting"
    OLD = "old"
    GAP = "gap"
    CROSSED = "crossed"


@attrs.define(eq=False)
class OrderBook:
    """The order book of one contract.

    Levels outside of ``[bid_floor, ask_ceiling]`` are not all known: a snapshot has an end,
    and what lies behind it comes to be known only when it changes. They are never handed out.

    Attributes:
        symbol: The contract.
        limit: Levels on each side of a full snapshot; one with less has them all.
        capacity: Updates in the chain, at most; then the oldest go.
        max_levels: Levels on each side, at most; then the worst go. At least ``limit``.
        is_synced: Whether it is the exchange's book.
        why: Why it is not in sync, in words.
        last_id: The number of the last change in it.
        bid_floor: Every bid at or above it is known.
        ask_ceiling: Every ask at or below it is known.
        applied: Updates applied to a book in sync.
        old: Updates that were of no use.
        gaps: Gaps found.
        crossings: Times that the book crossed itself, and snapshots that did.
        too_old: Snapshots from before the chain.
        dropped: Updates for which the chain had no room.
        syncs: Times that a snapshot or a late update brought it into sync.
    """

    symbol: str
    limit: int = 1000
    capacity: int = 10_000
    max_levels: int = 5000
    is_synced: bool = attrs.field(default=False, init=False)
    why: str = attrs.field(default="no update has come yet", init=False)
    last_id: int = attrs.field(default=-1, init=False)
    bid_floor: float = attrs.field(default=0.0, init=False)
    ask_ceiling: float = attrs.field(default=inf, init=False)
    applied: int = attrs.field(default=0, init=False)
    old: int = attrs.field(default=0, init=False)
    gaps: int = attrs.field(default=0, init=False)
    crossings: int = attrs.field(default=0, init=False)
    too_old: int = attrs.field(default=0, init=False)
    dropped: int = attrs.field(default=0, init=False)
    syncs: int = attrs.field(default=0, init=False)
    _bids: dict[float, float] = attrs.field(factory=dict[float, float], init=False)
    _asks: dict[float, float] = attrs.field(factory=dict[float, float], init=False)
    _bid_prices: list[float] = attrs.field(factory=list[float], init=False)
    _ask_prices: list[float] = attrs.field(factory=list[float], init=False)
    _last: DepthUpdate | None = attrs.field(default=None, init=False)
    _chain: deque[DepthUpdate] = attrs.field(factory=deque[DepthUpdate], init=False)
    _waiting: DepthSnapshot | None = attrs.field(default=None, init=False)
    _is_recording: bool = attrs.field(default=False, init=False)
    _is_base: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse bounds that nothing fits into."""
        for name, value, least in (
            ("limit", self.limit, 1),
            ("capacity", self.capacity, 1),
            ("max_levels", self.max_levels, self.limit),
        ):
            if value < least:
                message = f"OrderBook {self.symbol!r}: {name} must be >= {least}, got {value}"
                raise ValueError(message)

    # -- what comes in ---------------------------------------------------------------------

    def update(self, update: DepthUpdate) -> BookOutcome:
        """Take in an update of the stream."""
        if not self.is_synced or update.previous_id != self.last_id or update.last_id < update.previous_id:
            return self._irregular(update)
        if not self._apply(update):
            return self._cross()
        self.applied += 1
        if self._is_recording:
            outcome = self._append(update)
            return BookOutcome.APPLIED if outcome is BookOutcome.WAITING else outcome
        return BookOutcome.APPLIED

    def snapshot(self, snapshot: DepthSnapshot) -> BookOutcome:
        """Take in a snapshot; one that nobody needs any more is `OLD`."""
        if snapshot.bids and snapshot.asks and snapshot.bids[0][0] >= snapshot.asks[0][0]:
            self.crossings += 1
            return BookOutcome.CROSSED
        if self.is_synced and not self._is_recording:
            return BookOutcome.OLD
        self._waiting = snapshot
        return self._join()

    def record(self) -> None:
        """Keep what is applied from now on, so that the next `snapshot` can replace a book that is in sync."""
        if self.is_synced and not self._is_recording:
            self._is_recording = True
            self._chain.clear()
            self._waiting = None

    # -- what is known ---------------------------------------------------------------------

    @property
    def event_time_ms(self) -> int:
        """When the exchange sent the last update that is in it; 0 before the first."""
        return 0 if self._last is None else self._last.event_time_ms

    @property
    def buffered(self) -> int:
        """Updates in the chain."""
        return len(self._chain)

    @property
    def is_thin(self) -> bool:
        """Whether less than a quarter of a snapshot's levels is left on a side that has more than are known."""
        least = self.limit // _THIN
        bids, asks = self._bid_prices, self._ask_prices
        return (self.bid_floor > 0.0 and len(bids) - bisect_left(bids, self.bid_floor) < least) or (
            self.ask_ceiling < inf and bisect_right(asks, self.ask_ceiling) < least
        )

    def top(self) -> BookChanged:
        """Return the best levels.

        Raises:
            BookNotReadyError: The book is not in sync.
        """
        self._check()
        bids, asks = self._bid_prices, self._ask_prices
        bid, ask = bids[-1] if bids else 0.0, asks[0] if asks else 0.0
        bid_quantity, ask_quantity = self._bids.get(bid, 0.0), self._asks.get(ask, 0.0)
        return BookChanged(self.symbol, bid, bid_quantity, ask, ask_quantity, self.last_id, self.event_time_ms)

    def view(self, depth: int | None = None, age: float = 0.0) -> BookView:
        """Return the book as a value.

        Args:
            depth: Levels on each side, at most; None: all, as far as none is missing in between.
            age: Seconds since the last update came.

        Raises:
            BookNotReadyError: The book is not in sync.
            ValueError: *depth* is less than 1.
        """
        if depth is not None and depth < 1:
            message = f"OrderBook {self.symbol!r}: depth must be >= 1 or None, got {depth}"
            raise ValueError(message)
        self._check()
        bids, asks, last = self._bid_prices, self._ask_prices, self._last
        lowest = bisect_left(bids, self.bid_floor)
        highest = bisect_right(asks, self.ask_ceiling)
        if depth is not None:
            lowest = max(lowest, len(bids) - depth)
            highest = min(highest, depth)
        return BookView(
            symbol=self.symbol,
            bids=tuple([(price, self._bids[price]) for price in reversed(bids[lowest:])]),
            asks=tuple([(price, self._asks[price]) for price in asks[:highest]]),
            update_id=self.last_id,
            event_time_ms=self.event_time_ms,
            transaction_time_ms=0 if last is None else last.transaction_time_ms,
            age=age,
        )

    # -- how it is done --------------------------------------------------------------------

    def _check(self) -> None:
        if not self.is_synced:
            raise BookNotReadyError(self.symbol, self.why)

    def _irregular(self, update: DepthUpdate) -> BookOutcome:
        """Take in an update that is not simply the next one of a book in sync."""
        newest = self._last if self.is_synced or not self._chain else self._chain[-1]
        if newest is None:
            self.why = "no snapshot has come yet"
            return self._append(update)
        if update.last_id <= newest.last_id:
            if update.last_id < newest.last_id and update.event_time_ms > newest.event_time_ms:
                return self._begin_anew(update)
            return self._late(update)
        if update.previous_id == newest.last_id:
            return self._append(update)
        self.gaps += 1
        self._break(f"updates from {newest.last_id} to {update.previous_id} are missing")
        return BookOutcome.SYNCED if self._append(update) is BookOutcome.SYNCED else BookOutcome.GAP

    def _late(self, update: DepthUpdate) -> BookOutcome:
        """Take in an update that ends at or before the newest: it may be the one that is missing before the chain."""
        chain = self._chain
        is_missing = bool(chain) and not self.is_synced and update.previous_id < update.last_id == chain[0].previous_id
        if not is_missing or len(chain) >= self.capacity:
            self.old += 1
            return BookOutcome.OLD
        chain.appendleft(update)
        return self._join()

    def _begin_anew(self, update: DepthUpdate) -> BookOutcome:
        """Forget everything: the exchange has begun to count anew, and all numbers until now mean nothing."""
        self.gaps += 1
        self._break(f"the numbers of updates went back to {update.last_id}")
        self._is_base = False
        self._waiting = None
        self._append(update)
        return BookOutcome.GAP

    def _cross(self) -> BookOutcome:
        bid, ask = self._bid_prices[-1], self._ask_prices[0]
        self.crossings += 1
        self._break(f"the best bid {bid} is not below the best ask {ask}")
        self._is_base = False
        self._waiting = None
        return BookOutcome.CROSSED

    def _break(self, why: str) -> None:
        self.is_synced = self._is_recording = False
        self.why = why
        self._chain.clear()

    def _append(self, update: DepthUpdate) -> BookOutcome:
        self._chain.append(update)
        if len(self._chain) > self.capacity:
            self._chain.popleft()
            self.dropped += 1
        return self._join()

    def _join(self) -> BookOutcome:
        """Bring the book into sync with what lies in the chain, if that can be done."""
        chain, snapshot = self._chain, self._waiting
        if not self.is_synced and self._is_base and chain and chain[0].previous_id == self.last_id:
            return self._replay(self.last_id)
        if snapshot is None or not chain or snapshot.last_update_id > chain[-1].last_id:
            return BookOutcome.WAITING
        self._waiting = None
        if snapshot.last_update_id < chain[0].previous_id:
            self.too_old += 1
            if not self.is_synced:
                self.why = f"the snapshot {snapshot.last_update_id} is older than update {chain[0].previous_id}"
            return BookOutcome.OLD
        self._load(snapshot)
        return self._replay(snapshot.last_update_id)

    def _load(self, snapshot: DepthSnapshot) -> None:
        self._bids = {price: quantity for price, quantity in snapshot.bids if quantity}
        self._asks = {price: quantity for price, quantity in snapshot.asks if quantity}
        self._bid_prices = sorted(self._bids)
        self._ask_prices = sorted(self._asks)
        self.bid_floor = self._bid_prices[0] if len(snapshot.bids) >= self.limit else 0.0
        self.ask_ceiling = self._ask_prices[-1] if len(snapshot.asks) >= self.limit else inf

    def _replay(self, since: int) -> BookOutcome:
        for update in self._chain:
            if update.last_id >= since and not self._apply(update):
                return self._cross()
        self._chain.clear()
        self._is_recording = False
        self.is_synced = self._is_base = True
        self.why = ""
        self.syncs += 1
        return BookOutcome.SYNCED

    def _apply(self, update: DepthUpdate) -> bool:
        """Change the levels; return whether the book makes sense."""
        bids, asks = self._bid_prices, self._ask_prices
        if update.bids:
            _change(self._bids, bids, update.bids)
        if update.asks:
            _change(self._asks, asks, update.asks)
        self.last_id = update.last_id
        self._last = update
        if len(bids) > self.max_levels or len(asks) > self.max_levels:
            self._trim()
        return not bids or not asks or bids[-1] < asks[0]

    def _trim(self) -> None:
        """Drop the worst levels, a tenth more than must be, so that this is rare."""
        keep = max(1, self.max_levels * 9 // 10)
        bids, asks = self._bid_prices, self._ask_prices
        if len(bids) > self.max_levels:
            for price in bids[:-keep]:
                del self._bids[price]
            del bids[:-keep]
            self.bid_floor = max(self.bid_floor, bids[0])
        if len(asks) > self.max_levels:
            for price in asks[keep:]:
                del self._asks[price]
            del asks[keep:]
            self.ask_ceiling = min(self.ask_ceiling, asks[-1])


def _change(levels: dict[float, float], prices: list[float], changes: Levels) -> None:
    for price, quantity in changes:
        if not quantity:
            if price in levels:  # removing a level that is not there is normal
                del levels[price]
                del prices[bisect_left(prices, price)]
        else:
            if price not in levels:
                insort(prices, price)
            levels[price] = quantity
