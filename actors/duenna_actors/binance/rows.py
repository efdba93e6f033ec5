"""What Binance's market data is decoded into, each row checked as it is read.

A number that is not finite or not in its range makes an answer malformed, and so does a row
that contradicts itself. Whether rows fit together, and fit what was asked for, is for
`market` to judge. Shapes and where they are from: `docs/sandbox.md`.
"""

from typing import Annotated, Any

import msgspec

Price = Annotated[float, msgspec.Meta(gt=0, lt=1e15)]
Amount = Annotated[float, msgspec.Meta(ge=0, lt=1e18)]
Rate = Annotated[float, msgspec.Meta(ge=-1, le=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_SHARES_OFF = 0.01  # they are rounded, each for itself


class Ohlcv(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One candle.

    Attributes:
        open_time_ms: When it began, in milliseconds since 1970.
        close_time_ms: Its last millisecond.
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: What was traded, in the base asset.
        quote_volume: The same in the quote asset.
        trades: How many trades that were.
        taker_buy_volume: What takers bought of it, in the base asset.
        taker_buy_quote_volume: The same in the quote asset.
        is_closed: Whether it was over, by the exchange's clock, when it was asked for: it will
            not change any more.
    """

    open_time_ms: int
    close_time_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_volume: float
    taker_buy_quote_volume: float
    is_closed: bool


class KlineRow(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A candle as it comes: twelve columns, the last of which means nothing."""

    open_time_ms: Count
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    close_time_ms: Count
    quote_volume: Amount
    trades: Count
    taker_buy_volume: Amount
    taker_buy_quote_volume: Amount
    unused: Any

    def __post_init__(self) -> None:
        """Refuse a candle that contradicts itself."""
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            message = (
                f"open and close must be within low and high, got open {self.open}, high {self.high}, "
                f"low {self.low}, close {self.close}"
            )
            raise ValueError(message)
        if self.taker_buy_volume > self.volume:
            message = f"takers cannot have bought {self.taker_buy_volume} of a volume of {self.volume}"
            raise ValueError(message)

    def candle(self, asked_ms: int) -> Ohlcv:
        """Return it under its names; *asked_ms* is the exchange's time when it was asked for."""
        return Ohlcv(
            open_time_ms=self.open_time_ms,
            close_time_ms=self.close_time_ms,
            open=self.open,
            high=self.high,
            low=self.low,
            close=self.close,
            volume=self.volume,
            quote_volume=self.quote_volume,
            trades=self.trades,
            taker_buy_volume=self.taker_buy_volume,
            taker_buy_quote_volume=self.taker_buy_quote_volume,
            is_closed=self.close_time_ms < asked_ms,
        )


class OpenInterest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All open contracts of one symbol.

    Attributes:
        symbol: The contract.
        open_interest: In the base asset.
        time_ms: When, in milliseconds since 1970.
    """

    symbol: str
    open_interest: Amount = msgspec.field(name="openInterest")
    time_ms: Count = msgspec.field(name="time")


class OpenInterestAt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The open contracts at the end of one period.

    Attributes:
        symbol: The contract.
        open_interest: In the base asset.
        value: In the quote asset.
        time_ms: When, in milliseconds since 1970.
    """

    symbol: str
    open_interest: Amount = msgspec.field(name="sumOpenInterest")
    value: Amount = msgspec.field(name="sumOpenInterestValue")
    time_ms: Count = msgspec.field(name="timestamp")


class FundingRate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One funding payment.

    Attributes:
        symbol: The contract.
        rate: As a share of the position; negative when shorts pay.
        time_ms: When, in milliseconds since 1970.
        mark_price: At that time; None for payments from before the exchange kept it.
    """

    symbol: str
    rate: float
    time_ms: int
    mark_price: float | None


class FundingRow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A funding payment as it comes: an old one has an empty mark price."""

    symbol: str
    rate: Rate = msgspec.field(name="fundingRate")
    time_ms: Count = msgspec.field(name="fundingTime")
    mark: str | None = msgspec.field(name="markPrice", default=None)

    def payment(self) -> FundingRate:
        """Return it under its names.

        Raises:
            ValueError: The mark price is none.
        """
        mark = msgspec.convert(self.mark, Price, strict=False) if self.mark else None
        return FundingRate(symbol=self.symbol, rate=self.rate, time_ms=self.time_ms, mark_price=mark)


class MarkPriceNow(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Mark price, index price, and the funding that is due next.

    Attributes:
        symbol: The contract.
        mark_price: What profits and liquidations are reckoned with.
        index_price: Of the spot markets; 0 where there are none.
        funding_rate: What is paid next, as it stands.
        next_funding_ms: When that is, in milliseconds since 1970; 0 if there is no funding.
        time_ms: When this was so, in milliseconds since 1970.
    """

    symbol: str
    mark_price: Price = msgspec.field(name="markPrice")
    index_price: Amount = msgspec.field(name="indexPrice")
    funding_rate: Rate = msgspec.field(name="lastFundingRate")
    next_funding_ms: Count = msgspec.field(name="nextFundingTime")
    time_ms: Count = msgspec.field(name="time")


class TraderRatio(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How many traders were long, and how many short, at the end of one period.

    Attributes:
        symbol: The contract.
        ratio: Long to short.
        long_share: Share of the longs, within [0, 1].
        short_share: Share of the shorts, within [0, 1].
        time_ms: When, in milliseconds since 1970.
    """

    symbol: str
    ratio: Amount = msgspec.field(name="longShortRatio")
    long_share: Share = msgspec.field(name="longAccount")
    short_share: Share = msgspec.field(name="shortAccount")
    time_ms: Count = msgspec.field(name="timestamp")

    def __post_init__(self) -> None:
        """Refuse shares that are not those of one whole."""
        if abs(self.long_share + self.short_share - 1) > _SHARES_OFF:
            message = f"longAccount and shortAccount must add up to 1, got {self.long_share} and {self.short_share}"
            raise ValueError(message)


class TakerRatio(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What takers bought and sold in one period.

    Attributes:
        ratio: Bought to sold.
        bought: In the base asset.
        sold: In the base asset.
        time_ms: When, in milliseconds since 1970.
    """

    ratio: Amount = msgspec.field(name="buySellRatio")
    bought: Amount = msgspec.field(name="buyVol")
    sold: Amount = msgspec.field(name="sellVol")
    time_ms: Count = msgspec.field(name="timestamp")
