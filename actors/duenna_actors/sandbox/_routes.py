"""Which path is answered by what, at which weight, for whom."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from duenna_actors.sandbox import _rest_market as market
from duenna_actors.sandbox import _rest_trade as trade
from duenna_actors.sandbox._rest_market import Call

_SMALL = re.compile(r"[0-9]{1,9}")

Security = Literal["none", "key", "signed"]


@attrs.frozen
class Route:
    """One method of one path.

    Attributes:
        answer: Makes the answer's JSON.
        security: `key` needs the API key, `signed` also a signature.
        weight: What a request with these parameters costs.
        is_order: Whether the answer bears the order counts.
    """

    answer: Callable[[Call], Any]
    security: Security = "none"
    weight: Callable[[Mapping[str, str]], int] = lambda _: 1
    is_order: bool = False


def _no_weight(params: Mapping[str, str]) -> int:
    del params
    return 0


def _by_limit(default: int, *steps: tuple[int, int]) -> Callable[[Mapping[str, str]], int]:
    def weight(params: Mapping[str, str]) -> int:
        text = params.get("limit", "")
        limit = int(text) if _SMALL.fullmatch(text) else default
        return next((cost for top, cost in steps if limit <= top), steps[-1][1])

    return weight


def _without_symbol(weight: int, with_symbol: int = 1) -> Callable[[Mapping[str, str]], int]:
    return lambda params: with_symbol if "symbol" in params else weight


_KLINES = _by_limit(500, (99, 1), (499, 2), (1_000, 5), (1_500, 10))
_DEPTH = _by_limit(500, (50, 2), (100, 5), (500, 10), (1_000, 20))
_DATA = "/futures/data"

ROUTES: dict[str, dict[str, Route]] = {
    "/fapi/v1/ping": {"GET": Route(market.ping)},
    "/fapi/v1/time": {"GET": Route(market.server_time)},
    "/fapi/v1/exchangeInfo": {"GET": Route(market.exchange_info)},
    "/fapi/v1/depth": {"GET": Route(market.depth, weight=_DEPTH)},
    "/fapi/v1/klines": {"GET": Route(market.klines, weight=_KLINES)},
    "/fapi/v1/openInterest": {"GET": Route(market.open_interest)},
    "/fapi/v1/fundingRate": {"GET": Route(market.funding_rate, weight=_no_weight)},
    "/fapi/v1/premiumIndex": {"GET": Route(market.premium_index, weight=_without_symbol(10))},
    "/fapi/v1/ticker/price": {"GET": Route(market.ticker_price, weight=_without_symbol(2))},
    f"{_DATA}/openInterestHist": {"GET": Route(market.open_interest_history, weight=_no_weight)},
    f"{_DATA}/globalLongShortAccountRatio": {"GET": Route(market.long_short_ratio(0), weight=_no_weight)},
    f"{_DATA}/topLongShortAccountRatio": {"GET": Route(market.long_short_ratio(1), weight=_no_weight)},
    f"{_DATA}/topLongShortPositionRatio": {"GET": Route(market.long_short_ratio(2), weight=_no_weight)},
    f"{_DATA}/takerlongshortRatio": {"GET": Route(market.taker_ratio, weight=_no_weight)},
    "/fapi/v2/balance": {"GET": Route(trade.balance, "signed", lambda _: 5)},
    "/fapi/v3/balance": {"GET": Route(trade.balance, "signed", lambda _: 5)},
    "/fapi/v1/order": {
        "POST": Route(trade.place_order, "signed", _no_weight, is_order=True),
        "GET": Route(trade.query_order, "signed"),
        "DELETE": Route(trade.cancel_order, "signed"),
    },
    "/fapi/v1/openOrders": {"GET": Route(trade.open_orders, "signed", _without_symbol(40))},
    "/fapi/v1/allOpenOrders": {"DELETE": Route(trade.cancel_all, "signed")},
    "/fapi/v1/forceOrders": {"GET": Route(trade.force_orders, "signed", _without_symbol(50, 20))},
    "/fapi/v1/listenKey": {
        "POST": Route(trade.start_stream, "key"),
        "PUT": Route(trade.keep_stream, "key"),
        "DELETE": Route(trade.close_stream, "key"),
    },
}
"""By path, then by method."""
