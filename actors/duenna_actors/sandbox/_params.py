"""Reading a request's parameters, with the exchange's own complaints."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeVar
from urllib.parse import parse_qsl

import attrs

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox._orders import OrderRequest, OrderType, Side, TimeInForce
from duenna_actors.sandbox._symbols import Symbol

INTERVALS = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
}
"""The klines' intervals in seconds. `1M` is missing: months have no one length."""

WEEK_OFFSET = 345_600
"""A week opens on Monday; the unix epoch was a Thursday."""

_T = TypeVar("_T", bound=str)

_DIGITS = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_LARGEST = 10**15
_CLIENT_ID = re.compile(r"[\.A-Z:/a-z0-9_-]{1,36}")
_SIDES: dict[str, Side] = {"BUY": "BUY", "SELL": "SELL"}
_TYPES: dict[str, OrderType] = {"LIMIT": "LIMIT", "MARKET": "MARKET"}
_AUTO_CLOSED = {"LIQUIDATION": "autoclose-", "ADL": "adl_autoclose"}
_TIMES: dict[str, TimeInForce] = {"GTC": "GTC", "IOC": "IOC", "FOK": "FOK", "GTX": "GTX"}


def parse_pairs(*parts: str) -> dict[str, str]:
    """Read query string and form body.

    Raises:
        ApiError: A name stands there twice, or there are too many.
    """
    params: dict[str, str] = {}
    for part in parts:
        try:
            pairs = parse_qsl(part, keep_blank_values=True, max_num_fields=100)
        except ValueError as error:
            raise errors.ApiError(errors.Refusal(-1101, "Too many parameters sent for this endpoint.")) from error
        for name, value in pairs:
            if name in params:
                raise errors.ApiError(errors.DUPLICATE_PARAMETER)
            params[name] = value
    return params


@attrs.frozen
class Params:
    """The parameters of one request."""

    sent: Mapping[str, str]
    symbols: Mapping[str, Symbol]

    def symbol(self) -> Symbol:
        """Return the contract that has to be named."""
        name = self.sent.get("symbol", "")
        if not name:
            raise errors.ApiError(errors.mandatory("symbol"))
        if name not in self.symbols:
            raise errors.ApiError(errors.BAD_SYMBOL)
        return self.symbols[name]

    def symbol_or_all(self) -> list[Symbol]:
        """Return the contract that is named, or every one."""
        return [self.symbol()] if "symbol" in self.sent else list(self.symbols.values())

    def whole(self, name: str, default: int | None, lowest: int = 0, highest: int = 10**18) -> int:
        """Return a whole number within its range; *default* is `None` for one that has to be sent."""
        text = self.sent.get(name, "")
        if not text:
            if default is None:
                raise errors.ApiError(errors.mandatory(name))
            return default
        if not _DIGITS.fullmatch(text):
            raise errors.ApiError(errors.illegal(name, "^[0-9]{1,18}$"))
        value = int(text)
        if not lowest <= value <= highest:
            raise errors.ApiError(errors.invalid(name))
        return value

    def optional(self, name: str) -> int | None:
        """Return a whole number, or `None` if it was not sent."""
        return self.whole(name, None) if self.sent.get(name) else None

    def seconds(self, name: str, *, mandatory: bool = True) -> int:
        """Return the length of an interval, in seconds."""
        text = self.sent.get(name, "")
        if not text and mandatory:
            raise errors.ApiError(errors.mandatory(name))
        if text not in INTERVALS:
            raise errors.ApiError(errors.BAD_INTERVAL)
        return INTERVALS[text]

    def span(self, length: int, limit: int, now: float) -> range:
        """Return the opening times, in unix seconds, of the periods that `startTime`, `endTime` and *limit* ask for.

        With a start, the first ones from there; otherwise the last ones. Nothing opens in the future.
        """
        offset = WEEK_OFFSET if length == INTERVALS["1w"] else 0
        start, end = self.optional("startTime"), self.optional("endTime")
        if start is not None and end is not None and start > end:
            raise errors.ApiError(errors.Refusal(-1023, "Start time is greater than end time."))
        latest = int(now) if end is None else min(int(now), end // 1_000)
        last = (latest - offset) // length * length + offset
        if start is None:
            return range(max(offset, last - (limit - 1) * length), last + 1, length)
        first = -(-(-(-start // 1_000) - offset) // length) * length + offset
        return range(first, last + 1, length)[:limit]

    def order(self) -> OrderRequest:
        """Return the order that is asked for."""
        symbol = self.symbol()
        side = self._one_of("side", _SIDES, errors.BAD_SIDE)
        order_type = self._one_of("type", _TYPES, errors.BAD_ORDER_TYPE)
        quantity = self._units("quantity", symbol.quantity_decimals)
        if quantity <= 0:
            raise errors.ApiError(errors.NO_QUANTITY)
        client_id = self.sent.get("newClientOrderId", "")
        if client_id and not _CLIENT_ID.fullmatch(client_id):
            raise errors.ApiError(errors.BAD_CLIENT_ID)
        reduce_only = self._flag("reduceOnly")
        if order_type == "MARKET":
            for name in ("price", "timeInForce"):
                if name in self.sent:
                    raise errors.ApiError(errors.Refusal(-1106, f"Parameter '{name}' sent when not required."))
            return OrderRequest(symbol.name, side, "MARKET", quantity, 0, "GTC", client_id, reduce_only)
        time_in_force = self._one_of("timeInForce", _TIMES, errors.BAD_TIME_IN_FORCE)
        price = self._units("price", symbol.price_decimals)
        if price <= 0:
            raise errors.ApiError(errors.Refusal(-4001, "Price less than 0."))
        if price % symbol.tick:
            raise errors.ApiError(errors.PRICE_NOT_ON_TICK)
        return OrderRequest(symbol.name, side, "LIMIT", quantity, price, time_in_force, client_id, reduce_only)

    def response_type(self) -> Literal["ACK", "RESULT"]:
        """Return how much of an order's fate its answer tells."""
        return "RESULT" if self.sent.get("newOrderRespType") == "RESULT" else "ACK"

    def auto_close_type(self) -> tuple[str, ...]:
        """Return what the client ids of the forced orders begin with that are asked for."""
        text = self.sent.get("autoCloseType", "")
        if text and text not in _AUTO_CLOSED:
            raise errors.ApiError(errors.invalid("autoCloseType"))
        return (_AUTO_CLOSED[text],) if text else tuple(_AUTO_CLOSED.values())

    def order_ids(self) -> tuple[int | None, str | None]:
        """Return the ids that say which order is meant; one of them is not `None`."""
        number = self.optional("orderId")
        client_id = self.sent.get("origClientOrderId") or None
        if number is None and client_id is None:
            raise errors.ApiError(errors.NEEDS_AN_ORDER_ID)
        return number, client_id

    def _flag(self, name: str) -> bool:
        text = self.sent.get(name, "false").lower()
        if text not in ("true", "false"):
            raise errors.ApiError(errors.illegal(name, "true or false"))
        return text == "true"

    def _one_of(self, name: str, table: Mapping[str, _T], refusal: errors.Refusal) -> _T:
        text = self.sent.get(name, "")
        if not text:
            raise errors.ApiError(errors.mandatory(name))
        if text not in table:
            raise errors.ApiError(refusal)
        return table[text]

    def _units(self, name: str, decimals: int) -> int:
        text = self.sent.get(name, "")
        if not text:
            raise errors.ApiError(errors.mandatory(name))
        if not _DECIMAL.fullmatch(text):
            raise errors.ApiError(errors.illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$"))
        units = Decimal(text).scaleb(decimals)
        if units > _LARGEST:
            raise errors.ApiError(errors.invalid(name))
        if units != units.to_integral_value():
            raise errors.ApiError(errors.BAD_PRECISION)
        return int(units)
