"""Binance's REST interface below its limits, and by its clock: what the client is built on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import trio

from duenna.connection import ConnectionLostError
from duenna_actors.api import ApiConnection
from duenna_actors.api_errors import ApiDataError, ApiRateLimitError, ApiStatusError
from duenna_actors.binance._bans import gates_of
from duenna_actors.binance.guards import CLOCK_IS_OFF
from duenna_actors.binance.weights import (
    LEAST_WEIGHT_LIMIT,
    ORDER_WINDOW,
    SHORTEST_BAN,
    Gate,
    Gates,
    request_weight,
)
from duenna_actors.binance_api import BinanceApi

if TYPE_CHECKING:
    from duenna_actors._http import ApiRequest, ApiResponse
    from duenna_actors.binance.calls import Call

R = TypeVar("R")

_MINUTE = 60.0
_LEAST_WAIT = 1.0
_BANNED = 418
_TOO_MANY_ORDERS = -1015


class GatedApi(BinanceApi):
    """A `BinanceApi` with gates before it, and a clock that is set when it is found to be wrong.

    The gates belong to the host: all clients of it in a runtime share them, and a restart
    changes nothing about them. They learn from every answer, and are closed for as long as
    the exchange wants to be left alone.
    """

    def __init__(self, base_url: str, *, name: str, weight_limit: float, **options: Any) -> None:
        """Describe the connection.

        Args:
            base_url: The exchange.
            name: What to call it in errors.
            weight_limit: Request weight that it allows in a minute.
            options: Those of `BinanceApi`.

        Raises:
            ValueError: A number is out of range.
        """
        if not weight_limit >= LEAST_WEIGHT_LIMIT:
            message = f"weight_limit must be >= {LEAST_WEIGHT_LIMIT}, got {weight_limit}"
            raise ValueError(message)
        super().__init__(base_url, **options)
        self.exchange_name = name
        self._weight_limit = weight_limit
        self._gates: Gates | None = None
        self._measuring = trio.Lock()
        self._measured_at = float("-inf")

    @property
    def gates(self) -> Gates:
        """What keeps requests below the limits.

        Raises:
            ConnectionLostError: The client has never been connected.
        """
        if self._gates is None:
            raise ConnectionLostError("the client is not connected yet")
        return self._gates

    @property
    def exchange_time(self) -> float:
        """The exchange's time as far as it is known, in seconds since 1970."""
        return self._clock()

    async def connect(self) -> None:
        """Make the pool, and find the gates."""
        self._gates = gates_of(self.context.runtime, self._origin, self.exchange_name, self._weight_limit)
        await super().connect()

    def answered(self, status: int, headers: dict[str, str], elapsed: float) -> None:
        """Learn what the exchange has counted."""
        del status
        self.gates.heard(headers, self.exchange_time % _MINUTE, elapsed)

    async def take(self, request: ApiRequest, gate: Gate = Gate.WEIGHT) -> None:
        """Wait at *gate* until *request* may be sent.

        Raises:
            RateLimitedError: That would take too long.
        """
        weight = request_weight(request.method, request.path, request.params)
        await self.gates.by_limit[gate].acquire(weight, guard=self.exchange_name)

    async def request(self, request: ApiRequest) -> ApiResponse:
        """Send *request*; when the exchange wants to be left alone, close the gates.

        If it does not say for how long, the error says what we go by: after a 418 the shortest
        ban, else the end of the window that the exchange counts in.

        Raises:
            ApiError: It failed.
        """
        try:
            return await super().request(request)
        except ApiRateLimitError as error:
            is_about_orders = error.code == _TOO_MANY_ORDERS
            wait = error.retry_after or self._usual_wait(error.status, is_about_orders=is_about_orders)
            error.retry_after = wait
            if is_about_orders:
                self.gates.block(wait, Gate.ORDERS)
            else:
                self.gates.block(wait)
                self._gate.close(trio.current_time(), wait, error.status or 0)  # for those that have passed ours
            raise

    async def fetch(self, request: ApiRequest) -> ApiResponse:
        """Send *request*; signed anew, and once more, if the exchange says that the time was wrong.

        Raises:
            ApiError: It failed.
        """
        async with self._slots:
            began = trio.current_time()
            try:
                return await ApiConnection.fetch(self, request)
            except ApiStatusError as error:
                if error.code != CLOCK_IS_OFF:
                    raise
            await self.measure_clock_since(began)
            return await ApiConnection.fetch(self, request)

    async def ask(self, call: Call[R], request: ApiRequest) -> R:
        """Send *request*, which *call* has made, and return what the answer says.

        Raises:
            ApiError: It failed; `ApiDataError`: it is no answer to that.
        """
        asked_ms = int(self.exchange_time * 1_000)
        response = await self.fetch(request)
        try:
            return call.read(response.data, asked_ms)
        except ValueError as exc:
            why = f"not what was asked for: {exc}"
            raise ApiDataError(request.method, request.path, why, status=response.status) from exc

    def _usual_wait(self, status: int | None, *, is_about_orders: bool) -> float:
        if status == _BANNED:
            return SHORTEST_BAN
        window = ORDER_WINDOW if is_about_orders else _MINUTE
        return max(_LEAST_WAIT, window - self.exchange_time % window)

    async def measure_clock(self) -> None:
        """Ask for the exchange's time and go by it from now on.

        Raises:
            ApiError: It failed.
        """
        began = trio.current_time()
        await super().measure_clock()
        self._measured_at = began

    async def measure_clock_since(self, moment: float) -> None:
        """Have the clock measured, unless that was done after a *moment* of the monotonic clock.

        Raises:
            ApiError: It failed.
        """
        async with self._measuring:
            if self._measured_at <= moment:
                await self.measure_clock()
