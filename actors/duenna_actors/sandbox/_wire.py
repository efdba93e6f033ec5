"""The exchange's JSON, field by field. Shapes and their sources: `docs/sandbox.md`."""

from typing import Any

from duenna_actors.sandbox._book import Book, BookChange, Top
from duenna_actors.sandbox._market import Candle, Liquidation, Marks, Quote, Trade
from duenna_actors.sandbox._orders import Order, OrderChanged
from duenna_actors.sandbox._symbols import Symbol, write_e8

Json = dict[str, Any]
"""An object as it goes over the wire."""


def levels(symbol: Symbol, side: dict[int, int], limit: int | None = None) -> list[list[str]]:
    """Write one side of a book."""
    written = [[symbol.write_price(price), symbol.write_quantity(quantity)] for price, quantity in side.items()]
    return written if limit is None else written[:limit]


def depth_snapshot(symbol: Symbol, book: Book, limit: int, stamp: int) -> Json:
    """Write the answer of `GET /fapi/v1/depth`."""
    return {
        "lastUpdateId": book.update,
        "E": stamp,
        "T": stamp,
        "bids": levels(symbol, book.bids, limit),
        "asks": levels(symbol, book.asks, limit),
    }


def depth_event(symbol: Symbol, change: BookChange, stamp: int) -> Json:
    """Write an event of `<symbol>@depth`."""
    return {
        "e": "depthUpdate",
        "E": stamp,
        "T": stamp,
        "s": symbol.name,
        "ps": symbol.name,
        "st": 1,
        "U": change.first,
        "u": change.last,
        "pu": change.previous,
        "b": levels(symbol, change.bids),
        "a": levels(symbol, change.asks),
    }


def trade_event(symbol: Symbol, trade: Trade, stamp: int) -> Json:
    """Write an event of `<symbol>@aggTrade`."""
    return {
        "e": "aggTrade",
        "E": stamp,
        "a": trade.number,
        "s": symbol.name,
        "p": symbol.write_price(trade.price),
        "q": symbol.write_quantity(trade.quantity),
        "f": trade.number,
        "l": trade.number,
        "T": stamp,
        "m": trade.seller_was_taker,
        "st": 1,
    }


def ticker_event(symbol: Symbol, top: Top, stamp: int) -> Json:
    """Write an event of `<symbol>@bookTicker`."""
    return {
        "e": "bookTicker",
        "u": top.update,
        "E": stamp,
        "T": stamp,
        "s": symbol.name,
        "b": symbol.write_price(top.bid),
        "B": symbol.write_quantity(top.bid_quantity),
        "a": symbol.write_price(top.ask),
        "A": symbol.write_quantity(top.ask_quantity),
        "st": 1,
        "ps": symbol.name,
    }


def liquidation_event(symbol: Symbol, order: Liquidation, stamp: int) -> Json:
    """Write an event of `<symbol>@forceOrder`."""
    quantity = symbol.write_quantity(order.quantity)
    return {
        "e": "forceOrder",
        "E": stamp,
        "o": {
            "s": symbol.name,
            "S": order.side,
            "o": "LIMIT",
            "f": "IOC",
            "q": quantity,
            "p": symbol.write_price(order.price),
            "ap": symbol.write_price(order.average),
            "X": "FILLED",
            "l": quantity,
            "z": quantity,
            "T": stamp,
        },
    }


def mark_event(symbol: Symbol, marks: Marks, stamp: int) -> Json:
    """Write an event of `<symbol>@markPrice`."""
    return {
        "e": "markPriceUpdate",
        "E": stamp,
        "s": symbol.name,
        "p": symbol.write_price(marks.mark),
        "i": symbol.write_price(marks.index),
        "P": symbol.write_price(marks.index),
        "r": f"{marks.rate:.8f}",
        "T": marks.next_funding * 1_000,
        "st": 1,
    }


def kline_event(symbol: Symbol, candle: Candle, interval: str, stamp: int) -> Json:
    """Write an event of `<symbol>@kline_<interval>`."""
    quote, bought_quote = _turnovers(symbol, candle)
    return {
        "e": "kline",
        "E": stamp,
        "s": symbol.name,
        "k": {
            "t": candle.opened * 1_000,
            "T": candle.closes * 1_000 - 1,
            "s": symbol.name,
            "i": interval,
            "f": candle.first_trade,
            "L": candle.last_trade,
            "o": symbol.write_price(candle.open),
            "c": symbol.write_price(candle.close),
            "h": symbol.write_price(candle.high),
            "l": symbol.write_price(candle.low),
            "v": symbol.write_quantity(candle.volume),
            "n": candle.trades,
            "x": candle.is_closed,
            "q": quote,
            "V": symbol.write_quantity(candle.bought),
            "Q": bought_quote,
            "B": "0",
        },
    }


def kline_row(symbol: Symbol, candle: Candle) -> list[Any]:
    """Write a row of `GET /fapi/v1/klines`: twelve columns."""
    quote, bought_quote = _turnovers(symbol, candle)
    return [
        candle.opened * 1_000,
        symbol.write_price(candle.open),
        symbol.write_price(candle.high),
        symbol.write_price(candle.low),
        symbol.write_price(candle.close),
        symbol.write_quantity(candle.volume),
        candle.closes * 1_000 - 1,
        quote,
        candle.trades,
        symbol.write_quantity(candle.bought),
        bought_quote,
        "0",
    ]


def ticker(symbol: Symbol, quote: Quote, stamp: int) -> Json:
    """Write the answer of `GET /fapi/v1/ticker/price`: the last price is the best bid here."""
    return {"symbol": symbol.name, "price": symbol.write_price(quote.bid), "time": stamp}


def order(symbol: Symbol, state: Order) -> Json:
    """Write an order as the REST interface does."""
    request = state.request
    return {
        "orderId": state.number,
        "symbol": symbol.name,
        "status": state.status,
        "clientOrderId": state.client_id,
        "price": symbol.write_price(request.price),
        "avgPrice": symbol.write_price(average_price(symbol, state)),
        "origQty": symbol.write_quantity(request.quantity),
        "executedQty": symbol.write_quantity(state.filled),
        "cumQuote": write_e8(state.notional),
        "timeInForce": request.time_in_force,
        "type": request.type,
        "reduceOnly": request.reduce_only,
        "closePosition": False,
        "side": request.side,
        "positionSide": "BOTH",
        "stopPrice": "0.00",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": request.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": state.created_ms,
        "updateTime": state.updated_ms,
    }


def average_price(symbol: Symbol, state: Order) -> float:
    """Return what the filled part cost on average, in price units; 0 if nothing is filled."""
    return state.notional / symbol.notional(1, state.filled) if state.filled else 0.0


def order_event(symbol: Symbol, changed: OrderChanged, stamp: int) -> Json:
    """Write an `ORDER_TRADE_UPDATE`."""
    state, fill = changed.order, changed.fill
    request = state.request
    return {
        "e": "ORDER_TRADE_UPDATE",
        "T": stamp,
        "E": stamp,
        "o": {
            "s": symbol.name,
            "c": state.client_id,
            "S": request.side,
            "o": request.type,
            "f": request.time_in_force,
            "q": symbol.write_quantity(request.quantity),
            "p": symbol.write_price(request.price),
            "ap": symbol.write_price(average_price(symbol, state)),
            "sp": "0",
            "x": changed.execution,
            "X": state.status,
            "i": state.number,
            "l": symbol.write_quantity(fill.quantity) if fill else "0",
            "z": symbol.write_quantity(state.filled),
            "L": symbol.write_price(fill.price) if fill else "0",
            "N": "USDT",
            "n": write_e8(fill.fee) if fill else "0",
            "T": stamp,
            "t": fill.number if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill is not None and fill.is_maker,
            "R": request.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": request.type,
            "ps": "BOTH",
            "cp": False,
            "AP": "0",
            "cr": "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "rp": write_e8(fill.realized) if fill else "0",
            "V": "NONE",
        },
    }


def account_event(symbol: Symbol, changed: OrderChanged, gain: int, stamp: int) -> Json:
    """Write the `ACCOUNT_UPDATE` of a fill; *gain* is the position's unrealised profit in 1e-8."""
    quantity = changed.position_quantity
    entry = changed.position_cost / symbol.notional(1, quantity) if quantity else 0.0
    wallet = write_e8(changed.wallet)
    return {
        "e": "ACCOUNT_UPDATE",
        "T": stamp,
        "E": stamp,
        "a": {
            "m": "ORDER",
            "B": [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": "0"}],
            "P": [
                {
                    "s": symbol.name,
                    "pa": symbol.write_quantity(quantity),
                    "ep": symbol.write_price(entry),
                    "bep": symbol.write_price(entry),
                    "cr": "0",
                    "up": write_e8(gain),
                    "mt": "cross",
                    "iw": "0",
                    "ps": "BOTH",
                }
            ],
        },
    }


def balance(wallet: int, gain: int, available: int, stamp: int) -> Json:
    """Write a row of `GET /fapi/v3/balance`."""
    free = write_e8(max(0, available))
    return {
        "accountAlias": "SgsR",
        "asset": "USDT",
        "balance": write_e8(wallet),
        "crossWalletBalance": write_e8(wallet),
        "crossUnPnl": write_e8(gain),
        "availableBalance": free,
        "maxWithdrawAmount": free,
        "marginAvailable": True,
        "updateTime": stamp,
    }


def _turnovers(symbol: Symbol, candle: Candle) -> tuple[str, str]:
    # Volume times the typical price: nobody keeps every trade's own.
    price = (candle.open + candle.high + candle.low + candle.close) // 4
    return (
        write_e8(symbol.notional(price, candle.volume)),
        write_e8(symbol.notional(price, candle.bought)),
    )
