"""REST APIs: requests over one supervised connection, by message or by method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import trio

from duenna import secrets
from duenna.connection import Connection, ConnectionLostError
from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._bans import gate_of
from duenna_actors._extras import need
from duenna_actors._http import ApiRequest, ApiResponse, HttpClient
from duenna_actors._messages import refuse
from duenna_actors._rate_gate import RateGate
from duenna_actors.api_errors import (
    ApiDataError,
    ApiError,
    ApiRateLimitError,
    ApiStatusError,
    ApiTimeoutError,
    ApiTransportError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from duenna import Reply
    from duenna.wallclock import WallTime

__all__ = [
    "ApiConnection",
    "ApiDataError",
    "ApiError",
    "ApiRateLimitError",
    "ApiRequest",
    "ApiResponse",
    "ApiStatus",
    "ApiStatusError",
    "ApiTimeoutError",
    "ApiTransportError",
    "GetApiStatus",
]

_NOT_ALIVE = frozenset({401, 403, 407, 418, 429})
_SERVER_ERROR = 500


class GetApiStatus(msgspec.Struct, frozen=True, tag=True):
    """Ask an `ApiConnection` how it does; answered with `ApiStatus`."""


class ApiStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How an `ApiConnection` does.

    Attributes:
        requests: Requests of this incarnation.
        failures: Failed ones, by the name of their error.
        in_flight: Requests that are under way.
        banned_for: Seconds for which the server wants to be left alone, 0 if it does not.
    """

    requests: int
    failures: dict[str, int]
    in_flight: int
    banned_for: float


class ApiConnection(Connection):
    """A REST API.

    ``await ref.ask(ApiRequest(path=...))`` gives an `ApiResponse` or raises an `ApiError`;
    a subclass calls `fetch` or `get`. A failed request is the asker's business and no crash.
    Requests that came by message run side by side, ``max_in_flight`` at most; the next ones
    wait in the mailbox. When the server names a time to be left alone, requests to it fail
    at once until that time is over, in later incarnations too, and in later processes where
    the state outlives this one.

    The link is checked with a request to ``check_path``. Any answer passes but 401, 403,
    407, 418, 429 and 5xx. A request that finds no server asks for a check at once.
    """

    kind: ClassVar[str] = "api"

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        check_path: str = "/",
        max_in_flight: int = 10,
        max_body: int = 16 * 2**20,
        proxy: str | None = None,
        wall_time: WallTime = real_wall_time,
    ) -> None:
        """Describe the connection; nothing is sent yet.

        Args:
            base_url: Such as `https://fapi.binance.com`.
            headers: Sent with every request. Those whose names are of secrets, such as
                `Authorization`, are hidden in all text from now on, by their values.
            timeout: Seconds for one whole request, unless the request says otherwise.
            check_path: What the checks ask for.
            max_in_flight: Requests under way at the same time, at least 1.
            max_body: Bytes that an answer may have.
            proxy: URL of a proxy; the environment's settings are not used.
            wall_time: Gives the date, for bans that end at one.

        Raises:
            ValueError: *base_url* is no `http` or `https` URL, or a number is out of range.
        """
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            message = f"base_url must begin with http:// or https:// and name a host, got {base_url!r}"
            raise ValueError(message)
        if max_in_flight < 1:
            message = f"max_in_flight must be >= 1, got {max_in_flight}"
            raise ValueError(message)
        if not timeout > 0:
            message = f"timeout must be > 0 seconds, got {timeout}"
            raise ValueError(message)
        need("httpx2", what="ApiConnection", extra="http")
        for name, value in (headers or {}).items():
            if secrets.is_secret_name(name):
                secrets.register(value.rpartition(" ")[2])  # of "Bearer x", x
        self._origin = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
        self._check = ApiRequest(path=check_path, type=bytes)
        self._slots = trio.CapacityLimiter(max_in_flight)
        self._options: dict[str, Any] = {
            "headers": headers or {},
            "timeout": timeout,
            "max_in_flight": max_in_flight + 1,  # one more than the requests take: a check never waits for them
            "max_body": max_body,
            "proxy": proxy,
            "wall_time": wall_time,
        }
        self._base_url = base_url
        self._client: HttpClient | None = None
        self._gate = RateGate()
        self._requests = 0
        self._failures: dict[str, int] = {}

    async def connect(self) -> None:
        """Make the pool; the first check is what opens a connection."""
        self._gate = gate_of(self.context.runtime, self._origin)
        self._client = HttpClient(self._base_url, gate=self._gate, on_answer=self.answered, **self._options)
        await self._client.open()

    async def check(self) -> None:
        """Ask for ``check_path``."""
        try:
            await self.request(self._check)
        except ApiStatusError as error:
            if error.status is None or error.status >= _SERVER_ERROR or error.status in _NOT_ALIVE:
                raise

    async def close(self) -> None:
        """Close every connection of the pool."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def prepare(self, request: ApiRequest) -> ApiRequest:
        """Return the request that is sent in place of *request*: override to sign it."""
        return request

    def answered(self, status: int, headers: dict[str, str], elapsed: float) -> None:
        """Look at the head of an answer, good or bad, before anything else is made of it: override to learn from it.

        Args:
            status: The HTTP status.
            headers: Names in lower case.
            elapsed: Seconds that the request took.
        """

    async def request(self, request: ApiRequest) -> ApiResponse:
        """Send *request*, for a check: it is not counted, and asks for no check when it fails.

        Raises:
            ApiError: It failed.
        """
        return await self._open_client().fetch(self.prepare(request))

    async def fetch(self, request: ApiRequest) -> ApiResponse:
        """Send *request* and return the answer.

        Raises:
            ApiError: It failed.
        """
        self._requests += 1
        try:
            return await self.request(request)
        except ApiError as error:
            name = type(error).__name__
            self._failures[name] = self._failures.get(name, 0) + 1
            if isinstance(error, ApiTransportError) and self.is_up:
                self.check_soon()
            raise

    async def get(
        self,
        path: str,
        *,
        type: Any = Any,  # noqa: A002  # the same word as in ApiRequest
        timeout: float | None = None,
        **params: str | float | None,
    ) -> Any:
        """Return what a GET of *path* with the query *params* gives, decoded into *type*.

        Raises:
            ApiError: It failed.
        """
        return (await self.fetch(ApiRequest(path=path, type=type, timeout=timeout, params=params))).data

    async def receive(self, message: Any) -> Any:
        """Answer an `ApiRequest` or a `GetApiStatus`."""
        match message:
            case ApiRequest():
                await self._begin(message, self.context.defer_reply())
            case GetApiStatus():
                return ApiStatus(
                    requests=self._requests,
                    failures=dict(self._failures),
                    in_flight=self._slots.borrowed_tokens,
                    banned_for=self._gate.wait(self.context.now()),
                )
            case _:
                refuse(self.context, message)
        return None

    async def _begin(self, request: ApiRequest, reply: Reply) -> None:
        slot = object()
        await self._slots.acquire_on_behalf_of(slot)
        try:
            await self.until_up()
            if reply.is_open:
                self.background(self._answer, request, reply, slot)
                slot = None
            else:  # an order whose sender has given up must not go out late
                self.context.report(ApiError(request.method, request.path, "not sent, nobody waits for the answer"))
        finally:
            if slot is not None:
                self._slots.release_on_behalf_of(slot)

    async def _answer(self, request: ApiRequest, reply: Reply, slot: object) -> None:
        try:
            response = await self.fetch(request)
        except Exception as error:  # noqa: BLE001  # a request that fails is its sender's business, whatever it is
            reply.fail(error)
        except trio.Cancelled:
            reply.fail(ConnectionLostError("the connection was closed during the request"))
            raise
        else:
            reply.send(response)
        finally:
            self._slots.release_on_behalf_of(slot)

    def _open_client(self) -> HttpClient:
        if self._client is None:
            raise ConnectionLostError("the connection is closed")
        return self._client
