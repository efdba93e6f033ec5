"""The way from the order desk to the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from duenna_actors.api_errors import ApiDataError
from duenna_actors.binance.order_calls import QueryOrder
from duenna_actors.binance.orders import ORDER_PATH, Order, PlaceOrder
from duenna_actors.binance.weights import Gate

if TYPE_CHECKING:
    from duenna_actors._http import ApiRequest
    from duenna_actors.binance.desk import Leave
    from duenna_actors.binance.gated import GatedApi
    from duenna_actors.binance.guards import ExchangeGuards


class OrderLine:
    """An `OrderPort`: new orders under their guard, questions about them under none.

    An order whose outcome is unknown must be found even while a breaker is open: it is asked
    for seldom, and whatever was the matter with other requests, money depends on this one.

    New orders have a few lanes, and questions about them as many: however many hang there, no
    cancel waits for them.
    """

    def __init__(self, api: GatedApi, guards: ExchangeGuards, lanes: int) -> None:
        """Send through *api*: so many orders at once, and ask for as many."""
        self._api = api
        self._guards = guards
        self._lanes = trio.CapacityLimiter(lanes)
        self._looks = trio.CapacityLimiter(lanes)

    async def send_order(self, order: PlaceOrder, leave: Leave) -> Order:
        """Send it, and again after failures that certainly had no effect."""
        guard = self._guards.of_orders(order.send_within)
        return await guard.call(self._send, order, order.request(), leave)

    async def look_for(self, order: PlaceOrder) -> Order:
        """Ask for the order of its id, once."""
        call = QueryOrder(symbol=order.symbol, client_order_id=order.client_order_id)
        request = call.request()
        async with self._looks:
            await self._api.take(request, Gate.URGENT)
            return await self._api.ask(call, request)

    def time(self) -> float:
        """Return the exchange's time as far as it is known."""
        return self._api.exchange_time

    async def time_since(self, moment: float) -> float:
        """Return the exchange's time by a clock that was set after a *moment* of the monotonic clock."""
        await self._api.measure_clock_since(moment)
        return self._api.exchange_time

    async def _send(self, order: PlaceOrder, request: ApiRequest, leave: Leave) -> Order:
        leave()
        try:
            with trio.fail_at(leave.ends):
                await self._lanes.acquire()
        except trio.TooSlowError:
            raise leave.too_late() from None
        try:
            response = await self._api.fetch(request)
        finally:
            self._lanes.release()
        placed: Order = response.data
        if not order.is_same(placed):
            why = f"not what was asked for: the answer is about another order: {placed}"
            raise ApiDataError("POST", ORDER_PATH, why, status=response.status, outcome_unknown=True)
        return placed
