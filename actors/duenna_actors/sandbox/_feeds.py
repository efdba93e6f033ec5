"""What a stream has to say at a tick, given what it said last."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import attrs

from duenna_actors.sandbox import _wire as wire
from duenna_actors.sandbox._book import Book, BookChange, BookSource, Top, change
from duenna_actors.sandbox._market import Candle
from duenna_actors.sandbox._params import INTERVALS, WEEK_OFFSET
from duenna_actors.sandbox._streams import Stream

_MAX_CATCH_UP = 100


@attrs.define
class Feed(ABC):
    """One stream that somebody listens to.

    A feed begins when its first subscriber comes and ends with the last one: nobody pays for a stream without
    listeners.

    Attributes:
        stream: Which.
        last: The tick of its last event, or that of its beginning.
    """

    stream: Stream
    last: int

    def due(self, tick: int, length: float) -> bool:
        """Return whether it has something to say at a tick, ticks being *length* seconds."""
        return (tick - self.last) * length >= self.stream.period - 0.5 * length and tick > self.last

    def events(self, tick: int, stamp: int) -> list[wire.Json]:
        """Return its events up to a tick, oldest first."""
        events = list(self._events(tick, stamp))
        self.last = tick
        return events

    @abstractmethod
    def sample(self, stamp: int) -> wire.Json:
        """Return an event that can be said at any time, any number of times: what a burst is made of."""

    @abstractmethod
    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        """Yield the events of the ticks after `last` up to *tick*."""

    def _ticks(self, tick: int) -> range:
        return range(max(self.last, tick - _MAX_CATCH_UP) + 1, tick + 1)


@attrs.define
class _TradeFeed(Feed):
    source: BookSource

    def sample(self, stamp: int) -> wire.Json:
        return wire.trade_event(self.source.market.symbol, self.source.market.trade(self.last), stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        market = self.source.market
        for number in self._ticks(tick):
            yield wire.trade_event(market.symbol, market.trade(number), stamp)


@attrs.define
class _TickerFeed(Feed):
    source: BookSource
    _shown: Top | None = None

    def sample(self, stamp: int) -> wire.Json:
        return wire.ticker_event(self.source.market.symbol, self.source.top(self.last), stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        top = self.source.top(tick)
        old, self._shown = self._shown, top
        if old is None or attrs.evolve(old, update=top.update) != top:
            yield wire.ticker_event(self.source.market.symbol, top, stamp)


@attrs.define
class _DepthFeed(Feed):
    source: BookSource
    _shown: Book

    def sample(self, stamp: int) -> wire.Json:
        # Nothing changes, and `pu` is the `u` of the event before: a book that applies it any number of times stays
        # right.
        update = self._shown.update
        nothing = BookChange(first=update, last=update, previous=update, bids={}, asks={})
        return wire.depth_event(self.source.market.symbol, nothing, stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        book = self.source.book(tick)
        changed = change(self._shown, book)
        self._shown = book
        yield wire.depth_event(self.source.market.symbol, changed, stamp)


@attrs.define
class _MarkFeed(Feed):
    source: BookSource

    def sample(self, stamp: int) -> wire.Json:
        return self._at(self.last, stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        yield self._at(tick, stamp)

    def _at(self, tick: int, stamp: int) -> wire.Json:
        market = self.source.market
        return wire.mark_event(market.symbol, market.marks(market.time_of(tick)), stamp)


@attrs.define
class _KlineFeed(Feed):
    source: BookSource

    # Within one candle the extremes only ever grow apart, although the market knows those of a few moments alone.
    _shown: Candle | None = None

    def sample(self, stamp: int) -> wire.Json:
        return self._write(self._opened(self.last), self.last, stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        opened, was_open = self._opened(tick), self._opened(self.last)
        if was_open < opened:
            yield self._write(was_open, tick, stamp)
        yield self._write(opened, tick, stamp)

    def _opened(self, tick: int) -> int:
        length = INTERVALS[self.stream.interval]
        offset = WEEK_OFFSET if self.stream.interval == "1w" else 0
        return int(self.source.market.time_of(tick) - offset) // length * length + offset

    def _write(self, opened: int, tick: int, stamp: int) -> wire.Json:
        market = self.source.market
        interval = self.stream.interval
        candle = market.candle(opened, INTERVALS[interval], market.time_of(tick))
        old = self._shown
        if old is not None and old.opened == opened:
            candle = attrs.evolve(candle, high=max(old.high, candle.high), low=min(old.low, candle.low))
        self._shown = candle
        return wire.kline_event(market.symbol, candle, interval, stamp)


@attrs.define
class _LiquidationFeed(Feed):
    sources: list[BookSource]
    per_second: float

    def sample(self, stamp: int) -> wire.Json:
        market = self.sources[0].market
        return wire.liquidation_event(market.symbol, market.forced(self.last), stamp)

    def _events(self, tick: int, stamp: int) -> Iterator[wire.Json]:
        for number in self._ticks(tick):
            for source in self.sources:
                order = source.market.liquidation(number, self.per_second)
                if order is not None:
                    yield wire.liquidation_event(source.market.symbol, order, stamp)


def make_feed(stream: Stream, books: Mapping[str, BookSource], tick: int, liquidations_per_minute: float) -> Feed:
    """Begin a feed at a tick: its first event is of the next one."""
    if stream.kind == "forceOrder":
        sources = [books[stream.symbol]] if stream.symbol else list(books.values())
        return _LiquidationFeed(stream, tick, sources, liquidations_per_minute / 60.0)
    source = books[stream.symbol]
    match stream.kind:
        case "aggTrade":
            return _TradeFeed(stream, tick, source)
        case "bookTicker":
            return _TickerFeed(stream, tick, source)
        case "depth":
            return _DepthFeed(stream, tick, source, source.book(tick))
        case "markPrice":
            return _MarkFeed(stream, tick, source)
        case "kline":
            return _KlineFeed(stream, tick, source)
