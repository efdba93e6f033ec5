"""One server's HTTP, without the actor: deadlines, bans, typed errors, decoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from duenna.wallclock import wall_time as real_wall_time
from duenna_actors._extras import need
from duenna_actors._http_log import keep_secrets
from duenna_actors._rate_gate import RateGate
from duenna_actors._retry_after import retry_after
from duenna_actors._tls import shared_tls_context
from duenna_actors._unpack import unpack
from duenna_actors.api_errors import ApiDataError, ApiRateLimitError, ApiStatusError, ApiTimeoutError, ApiTransportError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from duenna.wallclock import WallTime

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_RATE_LIMITED = frozenset({418, 429})
_UNKNOWN_CODES = frozenset({-1006, -1007})  # Binance: execution status unknown
_NOT_DONE_CODES = frozenset({-1008})  # Binance: refused by the protection from overload, with a status of 503
_SENDING = frozenset({"http11.send_request_headers.started", "http2.send_request_headers.started"})
_FAILED = 400
_REQUEST_TIMEOUT = 408
_SERVER_ERROR = 500


OnAnswer = Callable[[int, dict[str, str], float], None]
"""Told of every answer: its status, its headers (names in lower case), and the seconds that it took."""


class ApiRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as a message or as an argument.

    Attributes:
        method: `GET`, `POST`, `PUT`, `DELETE`...
        path: Below the base URL.
        params: The query; None values are left out.
        headers: In addition to those of the connection.
        body: The content, sent as it is.
        type: What the answer is decoded into: anything msgspec decodes from JSON; `bytes`
            gives it as it came, empty or not.
        is_strict: Whether numbers must be numbers. False takes strings that hold one, too, for
            so most exchanges write them.
        timeout: Seconds for the whole request, waiting for a free connection included;
            None takes the connection's.
        is_signed: Have the connection sign it (`ApiConnection.prepare`).
    """

    method: str = "GET"
    path: str
    params: dict[str, str | int | float | bool | None] = {}
    headers: dict[str, str] = {}
    body: bytes = b""
    type: Any = Any
    is_strict: bool = True
    timeout: float | None = None
    is_signed: bool = False


class ApiResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A successful answer.

    Attributes:
        status: The HTTP status, 200 to 399.
        headers: Names in lower case; of a repeated one, the values joined by commas.
        data: The content, decoded into the request's ``type``.
        elapsed: Seconds that the request took.
    """

    status: int
    headers: dict[str, str]
    data: Any
    elapsed: float


class HttpClient:
    """Requests to one base URL, over a pool of connections.

    Every request ends within its deadline, with an answer or an `ApiError`. Cancelled, it
    gives its connection back or closes it; the pool stays usable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        max_in_flight: int,
        max_body: int,
        proxy: str | None = None,
        gate: RateGate | None = None,
        wall_time: WallTime = real_wall_time,
        on_answer: OnAnswer | None = None,
    ) -> None:
        self._httpx: Any = need("httpx2", what="ApiConnection", extra="http")
        keep_secrets()
        self._options = {"base_url": base_url, "headers": {"Accept-Encoding": "gzip", **headers}, "proxy": proxy}
        self._max_in_flight = max_in_flight
        self._max_body = max_body
        self._timeout = timeout
        self._gate = RateGate() if gate is None else gate
        self._wall_time = wall_time
        self._on_answer = on_answer
        self._client: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Make the pool. Connects to nobody yet."""
        context = await shared_tls_context()
        self._client = self._httpx.AsyncClient(
            verify=context,
            timeout=None,  # one deadline for the whole request instead, see fetch()
            limits=self._httpx.Limits(max_connections=self._max_in_flight, keepalive_expiry=30.0),
            trust_env=False,  # a bot goes through a proxy only when it was told so here
            **self._options,
        )

    async def aclose(self) -> None:
        """Close every connection of the pool; does nothing the second time."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def fetch(self, request: ApiRequest) -> ApiResponse:
        """Send *request* and return the answer.

        Raises:
            ApiTransportError: No whole answer came; `ApiTimeoutError`: not in time.
            ApiRateLimitError: 418 or 429, or a ban that one of them began still lasts.
            ApiStatusError: Any other status of 400 or more.
            ApiDataError: An answer that cannot be what was asked for.
        """
        began = trio.current_time()
        waits = self._gate.wait(began)
        if waits:
            why = f"not sent, the server asked to be left alone for another {waits:.1f} s"
            raise ApiRateLimitError(request.method, request.path, why, status=self._gate.status, retry_after=waits)
        timeout = self._timeout if request.timeout is None else request.timeout
        sent = _Sent()
        with trio.move_on_after(timeout):
            status, headers, body = await self._exchange(request, sent)
            if self._on_answer is not None:
                self._on_answer(status, headers, trio.current_time() - began)
            data = self._read(request, status, headers, body)
            return ApiResponse(status=status, headers=headers, data=data, elapsed=trio.current_time() - began)
        why = f"no whole answer within {timeout} s"
        raise ApiTimeoutError(request.method, request.path, why, outcome_unknown=sent.is_ambiguous(request))

    async def _exchange(self, request: ApiRequest, sent: _Sent) -> tuple[int, dict[str, str], bytes]:
        httpx, client = self._httpx, self._client
        if client is None:
            raise ApiTransportError(request.method, request.path, "not sent, the connection is closed")
        try:
            async with client.stream(
                request.method,
                request.path,
                params={name: value for name, value in request.params.items() if value is not None} or None,
                headers=request.headers,
                content=request.body or None,
                extensions={"trace": sent.trace},
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return response.status_code, headers, await self._body(request, response)
        except httpx.TransportError as exc:
            why = f"{type(exc).__name__}: {exc}".rstrip(": ")
            ambiguous = sent.is_ambiguous(request)
            raise ApiTransportError(request.method, request.path, why, outcome_unknown=ambiguous) from exc

    async def _body(self, request: ApiRequest, response: httpx2.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        # What is too big is not left in the middle but cancelled: the library's nested generators end in order only so.
        with trio.CancelScope() as scope:
            async for part in response.aiter_raw():
                parts.append(part)
                size += len(part)
                if size > self._max_body:
                    scope.cancel()
        packed = b"".join(parts)
        try:
            return unpack(packed, response.headers.get("content-encoding", ""), self._max_body)
        except ValueError as exc:
            raise _unreadable(request, response.status_code, str(exc), packed) from exc

    def _read(self, request: ApiRequest, status: int, headers: dict[str, str], body: bytes) -> Any:
        if status >= _FAILED:
            raise self._refused(request, status, headers, body)
        if request.type is bytes:
            return body
        if not body.strip():
            raise _unreadable(request, status, "empty answer")
        try:
            return _decoder(request.type, request.is_strict).decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            html = body.lstrip()[:1] == b"<"
            why = "a page of HTML instead of JSON" if html else f"not what was expected: {exc}"
            raise _unreadable(request, status, why, body) from exc

    def _refused(self, request: ApiRequest, status: int, headers: dict[str, str], body: bytes) -> ApiStatusError:
        code, text = _exchange_error(body)
        wait = retry_after(headers, body, self._wall_time())
        if status in _RATE_LIMITED and wait:
            self._gate.close(trio.current_time(), wait, status)
        why = f"status {status}" + (f", code {code}" if code is not None else "") + (f": {text}" if text else "")
        is_unknown = status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT or code in _UNKNOWN_CODES
        is_unknown = is_unknown and code not in _NOT_DONE_CODES
        kind = ApiRateLimitError if status in _RATE_LIMITED else ApiStatusError
        return kind(
            request.method,
            request.path,
            why,
            status=status,
            code=code,
            retry_after=wait,
            body=body,
            outcome_unknown=is_unknown and request.method not in _SAFE,
        )


class _Sent:
    """Whether a request left for the server: what failed before that had no effect."""

    def __init__(self) -> None:
        self.begun = False

    async def trace(self, event: str, _info: object) -> None:
        self.begun = self.begun or event in _SENDING

    def is_ambiguous(self, request: ApiRequest) -> bool:
        return self.begun and request.method not in _SAFE


def _unreadable(request: ApiRequest, status: int, why: str, body: bytes = b"") -> ApiDataError:
    """Make the error for an answer that makes no sense: of what changes something, nobody knows what it changed."""
    unknown = request.method not in _SAFE
    return ApiDataError(request.method, request.path, why, status=status, body=body, outcome_unknown=unknown)


class _ErrorBody(msgspec.Struct):
    code: int | str | None = None
    ret_code: int | str | None = msgspec.field(default=None, name="retCode")
    msg: str | None = None
    ret_msg: str | None = msgspec.field(default=None, name="retMsg")
    message: str | None = None
    error: str | None = None


def _exchange_error(body: bytes) -> tuple[int | str | None, str]:
    """Return the code and the text that exchanges put into a failed answer, as far as they are there."""
    try:
        found = _decoder(_ErrorBody, True).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, ""
    code = found.ret_code if found.code is None else found.code
    return code, " ".join((found.msg or found.ret_msg or found.message or found.error or "").split())[:200]


@lru_cache(maxsize=256)
def _decoder(kind: Any, strict: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=strict)
