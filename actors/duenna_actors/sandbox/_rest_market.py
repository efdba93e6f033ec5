"""The public part of the REST interface. Every function answers one path; `_routes` says which."""

from collections.abc import Callable
from typing import Any

import attrs

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox import _wire as wire
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._market import FUNDING_PERIOD
from duenna_actors.sandbox._orders import OrderChanged
from duenna_actors.sandbox._params import INTERVALS, Params
from duenna_actors.sandbox._symbols import write_e8

_DEPTHS = (5, 10, 20, 50, 100, 500, 1_000)
_HISTORY = 30 * 86_400


@attrs.frozen
class Call:
    """One request, on its way to the exchange.

    Attributes:
        exchange: The exchange.
        params: The parameters.
        now: The market's time, unix seconds.
        stamp: The time the exchange believes it is, unix milliseconds.
        snapshot_age: Returns by how many seconds depth snapshots lag behind for a contract.
        publish: Tells the private stream what happened to orders.
        end_listen_key: Tells the private stream that its key is gone.
    """

    exchange: Exchange
    params: Params
    now: float
    stamp: int
    snapshot_age: Callable[[str], float]
    publish: Callable[[list[OrderChanged]], None]
    end_listen_key: Callable[[str], None]


def ping(call: Call) -> Any:
    """`GET /fapi/v1/ping`."""
    del call
    return {}


def server_time(call: Call) -> Any:
    """`GET /fapi/v1/time`."""
    return {"serverTime": call.stamp}


def exchange_info(call: Call) -> Any:
    """`GET /fapi/v1/exchangeInfo`, with what a bot needs to round prices and quantities."""
    rules = call.exchange.settings
    return {
        "timezone": "UTC",
        "serverTime": call.stamp,
        "rateLimits": [
            _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, rules.weight_limit),
            _rate_limit("ORDERS", "MINUTE", 1, rules.orders_per_minute),
            _rate_limit("ORDERS", "SECOND", 10, rules.orders_per_10s),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "0"}],
        "symbols": [
            {
                "symbol": symbol.name,
                "pair": symbol.name,
                "contractType": "PERPETUAL",
                "status": "TRADING",
                "baseAsset": symbol.base,
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": symbol.price_decimals,
                "quantityPrecision": symbol.quantity_decimals,
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": symbol.write_price(symbol.tick)},
                    {
                        "filterType": "LOT_SIZE",
                        "stepSize": symbol.write_quantity(1),
                        "minQty": symbol.write_quantity(1),
                    },
                    {"filterType": "MIN_NOTIONAL", "notional": "5"},
                ],
                "orderTypes": ["LIMIT", "MARKET"],
                "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
            }
            for symbol in call.exchange.symbols.values()
        ],
    }


def depth(call: Call) -> Any:
    """`GET /fapi/v1/depth`. A book has fewer levels than the exchange's; a limit above that gives all."""
    symbol = call.params.symbol()
    limit = call.params.whole("limit", 500)
    if limit not in _DEPTHS:
        raise errors.ApiError(errors.Refusal(-4021, f"{limit} is not valid depth limit."))
    age = call.snapshot_age(symbol.name)
    book = call.exchange.book(symbol.name, call.now - age)
    return wire.depth_snapshot(symbol, book, limit, call.stamp - round(age * 1_000))


def klines(call: Call) -> Any:
    """`GET /fapi/v1/klines`."""
    symbol = call.params.symbol()
    length = call.params.seconds("interval")
    limit = call.params.whole("limit", 500, 1, 1_500)
    market = call.exchange.market(symbol.name)
    return [
        wire.kline_row(symbol, market.candle(opened, length, call.now))
        for opened in call.params.span(length, limit, call.now)
    ]


def open_interest(call: Call) -> Any:
    """`GET /fapi/v1/openInterest`."""
    symbol = call.params.symbol()
    interest = call.exchange.market(symbol.name).open_interest(call.now)
    return {"openInterest": symbol.write_quantity(interest), "symbol": symbol.name, "time": call.stamp}


def open_interest_history(call: Call) -> Any:
    """`GET /futures/data/openInterestHist`."""
    symbol = call.params.symbol()
    market = call.exchange.market(symbol.name)
    rows: list[wire.Json] = []
    for at in _periods(call):
        interest = market.open_interest(at)
        worth = symbol.notional(round(market.mid(at)), interest)
        rows.append(
            {
                "symbol": symbol.name,
                "sumOpenInterest": symbol.write_quantity(interest),
                "sumOpenInterestValue": write_e8(worth),
                "CMCCirculatingSupply": symbol.write_quantity(interest * 10),
                "timestamp": at * 1_000,
            }
        )
    return rows


def funding_rate(call: Call) -> Any:
    """`GET /fapi/v1/fundingRate`, of one contract or of all."""
    limit = call.params.whole("limit", 100, 1, 1_000)
    rows: list[wire.Json] = []
    for symbol in call.params.symbol_or_all():
        market = call.exchange.market(symbol.name)
        rows.extend(
            {
                "symbol": symbol.name,
                "fundingRate": f"{market.funding_rate(at // FUNDING_PERIOD):.8f}",
                "fundingTime": at * 1_000,
                "markPrice": symbol.write_price(market.marks(at).mark),
                "rateType": "Regular",
            }
            for at in call.params.span(FUNDING_PERIOD, limit, call.now)
        )
    rows.sort(key=lambda row: row["fundingTime"])
    return rows[-limit:]


def premium_index(call: Call) -> Any:
    """`GET /fapi/v1/premiumIndex`, of one contract or of all."""
    rows: list[wire.Json] = []
    for symbol in call.params.symbol_or_all():
        marks = call.exchange.market(symbol.name).marks(call.now)
        rows.append(
            {
                "symbol": symbol.name,
                "markPrice": symbol.write_price(marks.mark),
                "indexPrice": symbol.write_price(marks.index),
                "estimatedSettlePrice": symbol.write_price(marks.index),
                "lastFundingRate": f"{marks.rate:.8f}",
                "interestRate": "0.00010000",
                "nextFundingTime": marks.next_funding * 1_000,
                "time": call.stamp,
            }
        )
    return rows[0] if "symbol" in call.params.sent else rows


def long_short_ratio(who: int) -> Callable[[Call], Any]:
    """Make the answer of one of `GET /futures/data/*Long*Ratio`."""

    def answer(call: Call) -> Any:
        symbol = call.params.symbol()
        market = call.exchange.market(symbol.name)
        rows: list[wire.Json] = []
        for at in _periods(call):
            share = round(market.long_share(who, at), 4)
            rows.append(
                {
                    "symbol": symbol.name,
                    "longShortRatio": f"{share / (1.0 - share):.4f}",
                    "longAccount": f"{share:.4f}",
                    "shortAccount": f"{1.0 - share:.4f}",
                    "timestamp": at * 1_000,
                }
            )
        return rows

    return answer


def taker_ratio(call: Call) -> Any:
    """`GET /futures/data/takerlongshortRatio`."""
    symbol = call.params.symbol()
    market = call.exchange.market(symbol.name)
    length = call.params.seconds("period")
    rows: list[wire.Json] = []
    for at in _periods(call):
        bought, sold = market.taker_volumes(max(0, at - length), at)
        rows.append(
            {
                "buySellRatio": f"{bought / max(1, sold):.4f}",
                "buyVol": symbol.write_quantity(bought),
                "sellVol": symbol.write_quantity(sold),
                "timestamp": at * 1_000,
            }
        )
    return rows


def ticker_price(call: Call) -> Any:
    """`GET /fapi/v1/ticker/price`, of one contract or of all."""
    rows: list[wire.Json] = []
    for symbol in call.params.symbol_or_all():
        market = call.exchange.market(symbol.name)
        rows.append(wire.ticker(symbol, market.quote(market.tick_at(call.now)), call.stamp))
    return rows[0] if "symbol" in call.params.sent else rows


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> wire.Json:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _periods(call: Call) -> range:
    """Return the times that a statistic was taken at; the exchange keeps 30 days."""
    length = call.params.seconds("period")
    if not INTERVALS["5m"] <= length <= INTERVALS["1d"]:
        raise errors.ApiError(errors.invalid("period"))
    limit = call.params.whole("limit", 30, 1, 500)
    start = call.params.optional("startTime")
    if start is not None and start < (call.now - _HISTORY) * 1_000:
        raise errors.ApiError(errors.invalid("startTime"))
    return call.params.span(length, limit, call.now)
