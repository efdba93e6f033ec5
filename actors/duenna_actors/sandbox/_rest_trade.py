"""The account's part of the REST interface. Every function answers one path; `_routes` says which."""

from typing import Any

from duenna_actors.sandbox import _errors as errors
from duenna_actors.sandbox import _wire as wire
from duenna_actors.sandbox._orders import Order
from duenna_actors.sandbox._rest_market import Call
from duenna_actors.sandbox._symbols import Symbol

_WEEK_MS = 7 * 86_400_000


def balance(call: Call) -> Any:
    """`GET /fapi/v3/balance`."""
    _match(call)
    return [call.exchange.balance(call.now, call.stamp)]


def place_order(call: Call) -> Any:
    """`POST /fapi/v1/order`."""
    request = call.params.order()
    call.exchange.count_order(call.now)
    earlier, changes = call.exchange.place(request, call.now)
    call.publish(earlier)
    call.publish(changes)
    shown = changes[-1 if call.params.response_type() == "RESULT" else 0].order
    return wire.order(call.exchange.symbols[request.symbol], shown)


def query_order(call: Call) -> Any:
    """`GET /fapi/v1/order`."""
    _match(call)
    symbol = call.params.symbol()
    order = call.exchange.desk.find(symbol.name, *call.params.order_ids())
    if order is None:
        raise errors.ApiError(errors.NO_SUCH_ORDER)
    return wire.order(symbol, order)


def cancel_order(call: Call) -> Any:
    """`DELETE /fapi/v1/order`."""
    _match(call)
    symbol = call.params.symbol()
    changed = call.exchange.desk.cancel(symbol.name, *call.params.order_ids(), int(call.now * 1_000))
    call.publish([changed])
    return wire.order(symbol, changed.order)


def cancel_all(call: Call) -> Any:
    """`DELETE /fapi/v1/allOpenOrders`."""
    _match(call)
    symbol = call.params.symbol()
    desk = call.exchange.desk
    now_ms = int(call.now * 1_000)
    call.publish([desk.cancel(symbol.name, order.number, None, now_ms) for order in desk.resting(symbol.name)])
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_orders(call: Call) -> Any:
    """`GET /fapi/v1/openOrders`, of one contract or of all."""
    _match(call)
    name = call.params.symbol().name if "symbol" in call.params.sent else None
    return [wire.order(_symbol(call, order), order) for order in call.exchange.desk.resting(name)]


def force_orders(call: Call) -> Any:
    """`GET /fapi/v1/forceOrders`: what the exchange closed, known by its client order id. Of one contract or of all."""
    _match(call)
    name = call.params.symbol().name if "symbol" in call.params.sent else None
    kind = call.params.auto_close_type()
    limit = call.params.whole("limit", 50, 1, 100)
    until = call.params.optional("endTime")
    until = int(call.now * 1_000) if until is None else until
    since = call.params.optional("startTime")
    since = until - _WEEK_MS if since is None else since
    forced = [
        order
        for order in call.exchange.desk.known(name)
        if order.client_id.startswith(kind) and since <= order.created_ms <= until
    ]
    return [wire.order(_symbol(call, order), order) for order in forced[-limit:]]


def start_stream(call: Call) -> Any:
    """`POST /fapi/v1/listenKey`."""
    return {"listenKey": call.exchange.listen_keys.issue(call.now)}


def keep_stream(call: Call) -> Any:
    """`PUT /fapi/v1/listenKey`."""
    return {"listenKey": call.exchange.listen_keys.renew(call.now)}


def close_stream(call: Call) -> Any:
    """`DELETE /fapi/v1/listenKey`."""
    key = call.exchange.listen_keys.close()
    if key is not None:
        call.end_listen_key(key)
    return {}


def _match(call: Call) -> None:
    call.publish(call.exchange.match(call.now))


def _symbol(call: Call, order: Order) -> Symbol:
    return call.exchange.symbols[order.request.symbol]
