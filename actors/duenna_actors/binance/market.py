"""Binance's market data as messages: each is asked of a `BinanceClient`, and answered with checked rows."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from duenna_actors._http import ApiRequest
from duenna_actors.binance.book_messages import DepthSnapshot
from duenna_actors.binance.calls import Call, History, check_symbol
from duenna_actors.binance.rows import (
    FundingRate,
    FundingRow,
    KlineRow,
    MarkPriceNow,
    Ohlcv,
    OpenInterest,
    OpenInterestAt,
    TakerRatio,
    TraderRatio,
)
from duenna_actors.binance.spelling import PERIODS, interval_ms, opening_ms, parse_interval, parse_symbol
from duenna_actors.binance.weights import Gate

if TYPE_CHECKING:
    from duenna_actors.binance_streams import Levels

Traders = Literal["all", "top_accounts", "top_positions"]
"""Whose ratio: that of all accounts, of the top ones, or of these by the size of their positions."""

R = TypeVar("R")

_DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)
_RATIOS: dict[str, str] = {
    "all": "globalLongShortAccountRatio",
    "top_accounts": "topLongShortAccountRatio",
    "top_positions": "topLongShortPositionRatio",
}


class FetchOhlcv(History[list[Ohlcv]], frozen=True, tag=True):
    """Ask for candles: 500 unless told otherwise, 1,500 at most. The last one may still change.

    Attributes:
        symbol: In any spelling of `parse_symbol`.
        interval: In any spelling of `parse_interval`.
    """

    guard: ClassVar[str] = "ohlcv"
    default: ClassVar[int] = 500
    most: ClassVar[int] = 1_500

    symbol: str
    interval: str = "1m"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        params = {"symbol": parse_symbol(self.symbol), "interval": parse_interval(self.interval)}
        return get("/fapi/v1/klines", list[KlineRow], params | self.span())

    def read(self, data: Any, asked_ms: int) -> list[Ohlcv]:
        """Return the candles."""
        rows: list[KlineRow] = data
        interval = parse_interval(self.interval)
        length = interval_ms(interval)
        times = [row.open_time_ms for row in rows]
        self.check_times(times)
        self.check_some(times)
        if length is not None:
            _check_candles(rows, interval, length)
        return [row.candle(asked_ms) for row in rows]


class FetchOpenInterest(Call[OpenInterest], frozen=True, tag=True):
    """Ask for the open contracts of *symbol* now."""

    guard: ClassVar[str] = "oi"

    symbol: str

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return get("/fapi/v1/openInterest", OpenInterest, {"symbol": parse_symbol(self.symbol)})

    def read(self, data: Any, asked_ms: int) -> OpenInterest:
        """Return the row."""
        del asked_ms
        row: OpenInterest = data
        check_symbol(self.symbol, row.symbol)
        return row


class Statistic(History[R], Generic[R], frozen=True):
    """A request for a statistic of the past 30 days: 30 rows unless told otherwise, 500 at most.

    Attributes:
        symbol: In any spelling of `parse_symbol`.
        period: 5 minutes to 1 day, in any spelling of `parse_interval`.
    """

    gate: ClassVar[Gate] = Gate.STATISTICS
    default: ClassVar[int] = 30
    most: ClassVar[int] = 500

    symbol: str
    period: str = "5m"

    def ask(self, name: str, kind: Any) -> ApiRequest:
        """Return the request for the statistic *name*, whose rows are of a *kind*."""
        params = {"symbol": parse_symbol(self.symbol), "period": parse_interval(self.period, PERIODS, "period")}
        return get(f"/futures/data/{name}", list[kind], params | self.span())

    def check(self, times: list[int]) -> None:
        """Refuse rows that are none, or not those that were asked for; the exchange may round to a period."""
        length = interval_ms(parse_interval(self.period, PERIODS, "period")) or 0
        self.check_times(times, slack=length)
        self.check_some(times)


class FetchOpenInterestHistory(Statistic[list[OpenInterestAt]], frozen=True, tag=True):
    """Ask for the open contracts of the past."""

    guard: ClassVar[str] = "oi"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return self.ask("openInterestHist", OpenInterestAt)

    def read(self, data: Any, asked_ms: int) -> list[OpenInterestAt]:
        """Return the rows."""
        del asked_ms
        rows: list[OpenInterestAt] = data
        check_symbol(self.symbol, *(row.symbol for row in rows))
        self.check([row.time_ms for row in rows])
        return rows


class FetchTraderRatio(Statistic[list[TraderRatio]], frozen=True, tag=True):
    """Ask how many traders were long, and how many short.

    Attributes:
        traders: Whose ratio: of `all` accounts, of the `top_accounts`, or of these by the size
            of their positions, `top_positions`.
    """

    guard: ClassVar[str] = "trader_ratio"

    traders: Traders = "all"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        if self.traders not in _RATIOS:
            message = f"traders must be one of {', '.join(_RATIOS)}, got {self.traders!r}"
            raise ValueError(message)
        return self.ask(_RATIOS[self.traders], TraderRatio)

    def read(self, data: Any, asked_ms: int) -> list[TraderRatio]:
        """Return the rows."""
        del asked_ms
        rows: list[TraderRatio] = data
        check_symbol(self.symbol, *(row.symbol for row in rows))
        self.check([row.time_ms for row in rows])
        return rows


class FetchTakerRatio(Statistic[list[TakerRatio]], frozen=True, tag=True):
    """Ask what takers bought, and what they sold."""

    guard: ClassVar[str] = "trader_ratio"

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return self.ask("takerlongshortRatio", TakerRatio)

    def read(self, data: Any, asked_ms: int) -> list[TakerRatio]:
        """Return the rows."""
        del asked_ms
        rows: list[TakerRatio] = data
        self.check([row.time_ms for row in rows])
        return rows


class FetchFundingRates(History[list[FundingRate]], frozen=True, tag=True):
    """Ask for funding payments of the past: 100 unless told otherwise, 1,000 at most.

    Attributes:
        symbol: In any spelling of `parse_symbol`; None: of all contracts.
    """

    guard: ClassVar[str] = "funding"
    gate: ClassVar[Gate] = Gate.FUNDING
    default: ClassVar[int] = 100
    most: ClassVar[int] = 1_000

    symbol: str | None = None

    def request(self) -> ApiRequest:
        """Return what is sent."""
        params = {} if self.symbol is None else {"symbol": parse_symbol(self.symbol)}
        return get("/fapi/v1/fundingRate", list[FundingRow], params | self.span())

    def read(self, data: Any, asked_ms: int) -> list[FundingRate]:
        """Return the rows."""
        del asked_ms
        rows: list[FundingRow] = data
        if self.symbol is not None:
            check_symbol(self.symbol, *(row.symbol for row in rows))
        times = [row.time_ms for row in rows]
        self.check_times(times, may_repeat=self.symbol is None)
        if self.symbol is None:  # one contract may have none: it expires, or is not 8 hours old
            self.check_some(times)
        return [row.payment() for row in rows]


class FetchMarkPrice(Call[MarkPriceNow], frozen=True, tag=True):
    """Ask for mark price, index price and the next funding of *symbol*."""

    guard: ClassVar[str] = "funding"

    symbol: str

    def request(self) -> ApiRequest:
        """Return what is sent."""
        return get("/fapi/v1/premiumIndex", MarkPriceNow, {"symbol": parse_symbol(self.symbol)})

    def read(self, data: Any, asked_ms: int) -> MarkPriceNow:
        """Return the row."""
        del asked_ms
        row: MarkPriceNow = data
        check_symbol(self.symbol, row.symbol)
        return row


class FetchDepth(Call[DepthSnapshot], frozen=True, tag=True):
    """Ask for a snapshot of the order book of *symbol* with 5, 10, 20, 50, 100, 500 or 1,000 levels a side."""

    guard: ClassVar[str] = "depth"

    symbol: str
    limit: int = 500

    def request(self) -> ApiRequest:
        """Return what is sent."""
        if self.limit not in _DEPTHS:
            message = f"limit must be one of {', '.join(map(str, _DEPTHS))}, got {self.limit!r}"
            raise ValueError(message)
        return get("/fapi/v1/depth", DepthSnapshot, {"symbol": parse_symbol(self.symbol), "limit": self.limit})

    def read(self, data: Any, asked_ms: int) -> DepthSnapshot:
        """Return the snapshot."""
        del asked_ms
        depth: DepthSnapshot = data
        _check_levels(depth.bids, depth.asks)
        return depth


def get(path: str, kind: Any, params: dict[str, Any], *, is_signed: bool = False) -> ApiRequest:
    """Return a GET of *path* whose answer is of a *kind*; parameters that are None are left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return ApiRequest(path=path, params=given, type=kind, is_strict=False, is_signed=is_signed)


def _check_candles(rows: list[KlineRow], interval: str, length: int) -> None:
    for row in rows:
        opened = row.open_time_ms
        if opened != opening_ms(interval, opened) or row.close_time_ms != opened + length - 1:
            message = f"a candle from {opened} to {row.close_time_ms} is none of {interval}"
            raise ValueError(message)


def _check_levels(bids: Levels, asks: Levels) -> None:
    if not bids and not asks:
        raise ValueError("no levels, there must be some")
    if any(above[0] <= below[0] for above, below in pairwise(bids)):
        raise ValueError("bids must fall from the best on")
    if any(below[0] >= above[0] for below, above in pairwise(asks)):
        raise ValueError("asks must rise from the best on")
    if bids and asks and bids[0][0] >= asks[0][0]:
        message = f"the best bid must be below the best ask, got {bids[0][0]} and {asks[0][0]}"
        raise ValueError(message)
