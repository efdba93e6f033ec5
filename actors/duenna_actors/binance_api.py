"""Binance USD-M futures' REST interface: signatures, and the exchange's clock."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
import trio

from duenna import secrets
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._http import ApiRequest
from duenna_actors.api import ApiConnection
from duenna_actors.api_errors import ApiStatusError
from duenna_actors.exchange_clock import ExchangeClock

if TYPE_CHECKING:
    from duenna.wallclock import WallTime
    from duenna_actors._http import ApiResponse

_TIME = "/fapi/v1/time"
_CLOCK_IS_OFF = -1021


class _ServerTime(msgspec.Struct):
    server_time_ms: int = msgspec.field(name="serverTime")


class BinanceApi(ApiConnection):
    """An `ApiConnection` that signs requests with ``is_signed`` as Binance wants it.

    Signed requests carry the time by the exchange's clock. Every check sets that, and so does
    one that is made at once when the exchange says that the time is off (-1021).
    """

    def __init__(
        self,
        base_url: str = "https://fapi.binance.com",
        *,
        api_key: str = "",
        api_secret: str = "",
        receive_window: float = 5.0,
        wall_time: WallTime = real_wall_time,
        clock: ExchangeClock | None = None,
        **options: Any,
    ) -> None:
        """Describe the connection.

        Args:
            base_url: The exchange, or a sandbox.
            api_key: Sent with every request, if there is one.
            api_secret: What requests are signed with.
            receive_window: Seconds after which the exchange refuses a signed request that
                has been under way.
            wall_time: Gives the date.
            clock: The exchange's, which feeds may share; None: one of its own.
            options: Those of `ApiConnection`.

        Raises:
            ValueError: There is only one of *api_key* and *api_secret*.
        """
        if bool(api_key) != bool(api_secret):
            raise ValueError("api_key and api_secret go together, got one of them")
        headers = {"X-MBX-APIKEY": api_key} if api_key else {}
        self._clock = ExchangeClock(wall_time) if clock is None else clock
        # The end of a ban is a time of the exchange's.
        super().__init__(base_url, headers=headers | options.pop("headers", {}), wall_time=self._clock, **options)
        secrets.register(api_secret)
        self._secret = api_secret.encode()
        self._receive_window = receive_window
        self._now = wall_time

    @property
    def clock_offset(self) -> float:
        """Seconds that the exchange's clock is ahead of ours, by the last check."""
        return self._clock() - self._now()

    async def check(self) -> None:
        """Ask for the exchange's time."""
        await self.measure_clock()

    async def measure_clock(self) -> None:
        """Ask for the exchange's time and go by it from now on.

        The way back is taken for half of the time that this took.

        Raises:
            ApiError: It failed.
        """
        began = trio.current_time()
        response = await self.request(ApiRequest(path=_TIME, type=_ServerTime))
        self._clock.set(response.data.server_time_ms / 1000 + (trio.current_time() - began) / 2)

    async def fetch(self, request: ApiRequest) -> ApiResponse:
        """Send *request* and return the answer.

        Raises:
            ApiError: It failed.
            ValueError: It must be signed, and there is no key.
        """
        try:
            return await super().fetch(request)
        except ApiStatusError as error:
            if error.code == _CLOCK_IS_OFF:
                self.check_soon()
            raise

    def prepare(self, request: ApiRequest) -> ApiRequest:
        """Return *request* with the time and the signature."""
        if not request.is_signed:
            return request
        if not self._secret:
            message = f"{request.method} {request.path} must be signed: give BinanceApi an api_key and an api_secret"
            raise ValueError(message)
        stamp = int(self._clock() * 1000)
        params = {name: value for name, value in request.params.items() if value is not None}
        query = urlencode(params | {"recvWindow": int(self._receive_window * 1000), "timestamp": stamp})
        signature = hmac.new(self._secret, query.encode(), "sha256").hexdigest()
        return msgspec.structs.replace(request, path=f"{request.path}?{query}&signature={signature}", params={})
