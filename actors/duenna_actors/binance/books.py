"""Order books of many contracts, kept in sync with the exchange's."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio
from msgspec.structs import replace

from duenna.machines.backoff import Backoff
from duenna_actors._kept import kept as kept_for
from duenna_actors._subscriptions import SubscriptionState
from duenna_actors.binance._resync import ResyncPlan
from duenna_actors.binance._resyncer import Resyncer
from duenna_actors.binance._silence import Silence
from duenna_actors.binance._sources import snapshots_of
from duenna_actors.binance.book_messages import (
    BookDesynced,
    BookLost,
    BookNotReadyError,
    BooksStatus,
    BookStatus,
    BookSynced,
    GetBook,
    GetBooksStatus,
)
from duenna_actors.binance.order_book import BookOutcome, OrderBook
from duenna_actors.binance.spelling import parse_symbol
from duenna_actors.binance.streams import base_url_of
from duenna_actors.binance_streams import DepthUpdate
from duenna_actors.feed import WebSocketFeed
from duenna_actors.feed_errors import few
from duenna_actors.feed_messages import Unsubscribe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal

    from duenna import Ref
    from duenna_actors._subscriptions import SubscriptionBook, Track
    from duenna_actors.binance._sources import Snapshots
    from duenna_actors.binance.book_messages import BookView, DepthSnapshot

_STALE = "its stream is stale"
_CLOSED = "its websocket is closed"
_ASK_AGAIN = 300.0
_BACKOFF = Backoff.exponential(1.0, maximum=30.0, jitter="equal")


@attrs.define(eq=False)
class _Kept:
    """A book, the key of its stream, whether its consumers believe it, since when, and what came for it."""

    key: str
    book: OrderBook
    since: float
    is_shown: bool = False
    snapshots: int = 0


class BinanceBooks(WebSocketFeed):
    """Keeps order books: the depth streams of N contracts over one websocket, and a snapshot wherever one is needed.

    ``await ref.ask(GetBook("BTCUSDT"))`` gives a `BookView`, or raises `BookNotReadyError`: a
    book with a gap, or of a stream that is silent, is never handed out. `BookChanged` is
    published at every update of a book in sync, `BookLost` when it is not in sync any more;
    a consumer's mailbox is best a `Mailbox.latest` by symbol. `GetBooksStatus` tells how all of
    them do, the events `BookSynced` and `BookDesynced` what has happened.

    Snapshots are asked for one after the other, by a `ResyncPlan`. When too many of them have
    not brought a book into sync that is reported as `BookSyncError`; and if no book is in sync, the
    actor crashes with it, to be connected anew. The link is degraded while a book has been out of
    sync for more than ``sync_within``, or a stream is silent. A stream that is silent on another
    websocket, too, is asked for again every few minutes, and costs no other book anything.
    """

    kind: ClassVar[str] = "books"

    def __init__(
        self,
        symbols: Iterable[str],
        *,
        api: Ref | str | Snapshots,
        base_url: str | None = None,
        testnet: bool = False,
        speed: Literal["100ms", "250ms", "500ms"] = "100ms",
        limit: int = 1000,
        snapshot_timeout: float = 5.0,
        snapshot_interval: float = 1.0,
        max_in_flight: int = 2,
        backoff: Backoff = _BACKOFF,
        max_attempts: int = 10,
        stable_after: float = 60.0,
        sync_within: float = 30.0,
        buffer: int = 10_000,
        max_levels: int = 5000,
        stale_after: float = 30.0,
        **options: Any,
    ) -> None:
        """Describe the books; nothing is opened yet.

        Args:
            symbols: The contracts, such as `BTCUSDT` or `BTC/USDT`.
            api: Where snapshots come from: an actor that answers `ApiRequest`, as a ref or a path
                (absolute or relative to this actor's supervisor), or an async function that is
                called with a symbol and a number of levels and returns a `DepthSnapshot`.
            base_url: Of the websockets; None: Binance's.
            testnet: Binance's testnet instead.
            speed: From one update to the next.
            limit: Levels on each side of a snapshot: 5, 10, 20, 50, 100, 500 or 1000.
            snapshot_timeout: Seconds for one snapshot.
            snapshot_interval: Seconds from one snapshot to the next, of all books: with the default, and
                a weight of 20 for each, they take at most half of the exchange's 2,400 a minute.
            max_in_flight: Snapshots asked for at the same time.
            backoff: The wait before a book is tried again.
            max_attempts: Attempts for one book until that is reported, or the actor crashes.
            stable_after: Seconds in sync after which a book's attempts are forgotten.
            sync_within: Seconds out of sync after which the link is degraded.
            buffer: Updates of one book that wait for a snapshot, at most; then the oldest go.
            max_levels: Levels on each side of one book, at most; then the worst go.
            stale_after: Seconds without an update after which a book is not handed out and its
                stream is asked for again; inf: never. A quiet contract needs more.
            options: Those of `WebSocketFeed`.

        Raises:
            ValueError: A symbol stands there twice, or a number is out of range.
        """
        self._suffix = "@depth" if speed == "250ms" else f"@depth@{speed}"
        url = f"{base_url_of(base_url, testnet=testnet)}/public/stream"
        super().__init__(url, [self._key_of(each) for each in symbols], stale_after=stale_after, **options)
        self.max_check_failures = 2**31  # a book that stays out of sync is the plan's to give up, not the checks'
        self._api_address = api
        self._snapshot_timeout = snapshot_timeout
        self._limit = limit
        self._sync_within = sync_within
        self._plan = ResyncPlan(
            backoff=backoff,
            max_attempts=max_attempts,
            max_in_flight=max_in_flight,
            interval=snapshot_interval,
            stable_after=stable_after,
        )
        self._make_book = partial(OrderBook, limit=limit, capacity=buffer, max_levels=max(max_levels, limit))
        self._make_book("")  # refuses bounds that make no sense
        self._books: dict[str, _Kept] = {}
        self._silence = Silence()
        self._resyncer: Resyncer | None = None

    def book(self, symbol: str, depth: int | None = None) -> BookView:
        """Return the book of *symbol*: what an ask for `GetBook` gives.

        Raises:
            BookNotReadyError: It is not in sync, or its stream is silent.
            ValueError: There is no such book here.
        """
        key = self._key_of(symbol)
        if key not in self._wanted and all(key != each.key for each in self._initial):
            message = f"there is no book of {symbol} here, its stream {key} is not subscribed"
            raise ValueError(message)
        kept = self._books.get(key)
        why = "no update has come yet" if kept is None else self._why_not(kept)
        if kept is None or why:
            raise BookNotReadyError(symbol, why)
        return kept.book.view(depth, self._age(kept) or 0.0)

    def deliver(self, key: str, message: Any) -> None:
        """Take in an update, and tell the consumer what has become of the book."""
        kept = self._books.get(key)
        if kept is None:
            if message.__class__ is not DepthUpdate or not key.endswith(self._suffix):
                super().deliver(key, message)
                return
            if key not in self._wanted:  # under way when it was unsubscribed
                return
            kept = self._books[key] = _Kept(key, self._make_book(message.symbol), self.context.now())
        outcome = kept.book.update(message)
        if outcome is not BookOutcome.APPLIED or not kept.is_shown or kept.book.is_thin:
            self._sort_out(kept)
        if kept.is_shown and outcome is not BookOutcome.OLD:
            super().deliver(key, kept.book.top())

    def went_stale(self, keys: Sequence[str]) -> None:
        """Take back the books whose streams are silent, and find out whether the websocket is at fault."""
        for key in keys:
            if key in self._books:
                self._hide(self._books[key], _STALE)
        line = self._present()
        if line is not None:
            self._judge_silence(line.book, [line.book.tracks[key] for key in keys if key in line.book.tracks])

    def _judge_silence(self, subscriptions: SubscriptionBook, late: list[Track]) -> None:
        """Have the feed ask for *late* again in some minutes, where it would give the websocket up for them."""
        now, silence = self.context.now(), self._silence
        silent = subscriptions.stale()
        if any(track.redrives > subscriptions.redrives for track in late):  # it is being given up
            silence.given_up(silent, now)
            return
        live = [key for key, track in subscriptions.tracks.items() if track.state is SubscriptionState.LIVE]
        is_websockets = silence.is_websockets(silent, live, now)
        for track in late:
            given = self._wanted.get(track.spec.key, track.spec)
            track.spec = given if is_websockets else replace(given, first_data_within=_ASK_AGAIN)
            if not is_websockets:
                track.redrives = 0

    async def connect(self) -> None:
        """Open the websocket; the books begin empty."""
        context, api = self.context, self._api_address
        source = context.lookup(api) if isinstance(api, str) else api
        fetch = snapshots_of(source, self._snapshot_timeout)
        self._books.clear()
        self._silence = kept_for(context.runtime, (Silence, context.path), Silence)
        self._resyncer = Resyncer(
            context,
            self._plan,
            lambda symbol: fetch(symbol, self._limit),
            take=self._take_snapshot,
            tried=self._check_if_overdue,
            why=self._why_unsynced,
            is_any_synced=lambda: any(kept.book.is_synced for kept in self._books.values()),
        )
        await super().connect()

    async def session(self) -> None:
        """Watch the subscriptions, keep the websocket alive, and bring the books into sync."""
        async with trio.open_nursery() as nursery:
            if self._resyncer is not None:
                nursery.start_soon(self._resyncer.run)
            await super().session()
            nursery.cancel_scope.cancel()

    async def check(self) -> None:
        """Find out whether all streams deliver, and whether all books are in sync."""
        await super().check()
        names = [kept.book.symbol for kept in self._books.values() if not kept.book.is_synced]
        if names and self.is_up and self._is_overdue():
            raise BookNotReadyError(few(names), f"for more than {self._sync_within} s")

    async def close(self) -> None:
        """Take back all books, and close the websocket."""
        for kept in self._books.values():
            self._take_back(kept, _CLOSED)
        await super().close()

    async def receive(self, message: Any) -> Any:
        """Answer `GetBook` and `GetBooksStatus`, and what a `WebSocketFeed` answers."""
        match message:
            case GetBook(symbol, depth):
                try:
                    return self.book(symbol, depth)
                except (BookNotReadyError, ValueError) as error:
                    self._refuse(self.context.defer_reply(), error)
                    return None
            case GetBooksStatus():
                books = {kept.book.symbol: self._book_status(kept) for kept in self._books.values()}
                return BooksStatus(state=self.state, books=books)
            case Unsubscribe(keys):
                for kept in [self._books.pop(key) for key in keys if key in self._books]:
                    self._take_back(kept, "it is not subscribed any more")
                    self._plan.forget(kept.book.symbol)
            case _:
                pass
        return await super().receive(message)

    def _key_of(self, symbol: str) -> str:
        return f"{parse_symbol(symbol).lower()}{self._suffix}"

    def _track(self, kept: _Kept) -> Track | None:
        line = self._present()
        return None if line is None else line.book.tracks.get(kept.key)

    def _age(self, kept: _Kept) -> float | None:
        track = self._track(kept)
        return None if track is None or track.fresh_at == -inf else self.context.now() - track.fresh_at

    def _why_not(self, kept: _Kept) -> str:
        """Return why the book must not be handed out; nothing if it may."""
        if not kept.book.is_synced:
            return kept.book.why
        track = self._track(kept)
        if track is None:
            return _CLOSED
        return "" if track.state is SubscriptionState.LIVE else _STALE

    def _sort_out(self, kept: _Kept) -> None:
        """Show or hide the book after something unusual, and want a snapshot if one is needed."""
        book = kept.book
        now = self.context.now()
        if book.is_synced and book.is_thin:
            book.record()
        elif book.is_synced:
            self._plan.done(book.symbol, now)
        if (not book.is_synced or book.is_thin) and self._resyncer is not None:
            self._resyncer.want(book.symbol)
        why = self._why_not(kept)
        if why:
            self._hide(kept, why)
        elif not kept.is_shown:
            kept.is_shown = True
            self._silence.delivers(kept.key)
            attempts = self._plan.attempts(book.symbol)
            context = self.context
            context.post(
                BookSynced(time=now, path=context.path, symbol=book.symbol, after=now - kept.since, attempts=attempts)
            )
            self.check_soon()

    def _hide(self, kept: _Kept, why: str) -> None:
        """Take the book back from its consumers, if they have it, for a reason of its own."""
        if kept.is_shown:
            context = self.context
            context.post(BookDesynced(time=context.now(), path=context.path, symbol=kept.book.symbol, why=why))
            self._take_back(kept, why)

    def _take_back(self, kept: _Kept, why: str) -> None:
        if not kept.is_shown:
            return
        kept.is_shown = False
        kept.since = self.context.now()
        symbol = kept.book.symbol
        try:
            super().deliver(kept.key, BookLost(symbol, why))
        except Exception as error:  # noqa: BLE001  # a consumer's fault must not end the connection
            self.context.report(error, symbol=symbol)

    def _take_snapshot(self, symbol: str, snapshot: DepthSnapshot) -> None:
        kept = self._books.get(self._key_of(symbol))
        if kept is None:
            return
        kept.snapshots += 1
        outcome = kept.book.snapshot(snapshot)
        self._sort_out(kept)
        if kept.is_shown and outcome is BookOutcome.SYNCED:
            super().deliver(kept.key, kept.book.top())

    def _is_overdue(self) -> bool:
        return self._plan.wanted_for(self.context.now()) > self._sync_within

    def _check_if_overdue(self) -> None:
        if self._is_overdue():
            self.check_soon()

    def _why_unsynced(self, symbol: str) -> str:
        kept = self._books.get(self._key_of(symbol))
        return "" if kept is None else kept.book.why

    def _book_status(self, kept: _Kept) -> BookStatus:
        book = kept.book
        why = self._why_not(kept)
        return BookStatus(
            is_ready=not why,
            why=why,
            age=self._age(kept),
            update_id=book.last_id,
            applied=book.applied,
            old=book.old,
            gaps=book.gaps,
            crossings=book.crossings,
            syncs=book.syncs,
            snapshots=kept.snapshots,
            too_old=book.too_old,
            buffered=book.buffered,
            attempts=self._plan.attempts(book.symbol),
        )
