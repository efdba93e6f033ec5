"""What the tests with sockets share: a quick exchange, and clients for it."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import LocalProtocolError

from duenna.wallclock import wall_time
from duenna_actors.sandbox import FaultChanged, Sandbox, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

QUICK = SandboxSettings(tick=0.01, close_timeout=0.5)
"""A market that moves a hundred times a second, so that no test waits for it."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the certificates takes longer than most of these tests


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - tests need no cryptography


class Rest:
    """A client of the REST interface that signs what has to be signed."""

    def __init__(self, sandbox: Sandbox, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.key = sandbox.settings.api_key
        self.secret = sandbox.settings.api_secret

    async def get(self, path: str, **params: Any) -> httpx2.Response:
        return await self.http.get(path, params=params)

    async def keyed(self, method: str, path: str, **params: Any) -> httpx2.Response:
        return await self.http.request(method, path, params=params, headers={"X-MBX-APIKEY": self.key})

    async def signed(self, method: str, path: str, **params: Any) -> httpx2.Response:
        return await self.keyed(method, path, **self.sign(**params))

    def sign(self, **params: Any) -> dict[str, Any]:
        stamped = {"timestamp": str(round(wall_time() * 1_000)), **params}
        signature = hmac.new(self.secret.encode(), urlencode(stamped).encode(), hashlib.sha256).hexdigest()
        return {**stamped, "signature": signature}

    async def order(self, **params: Any) -> httpx2.Response:
        asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010", **params}
        return await self.signed("POST", "/fapi/v1/order", **asked)

    async def listen_key(self) -> str:
        answer = await self.keyed("POST", "/fapi/v1/listenKey")
        return str(answer.json()["listenKey"])


@asynccontextmanager
async def rest_client(sandbox: Sandbox, **options: Any) -> AsyncGenerator[Rest]:
    async with httpx2.AsyncClient(base_url=sandbox.url, verify=NO_TLS, **options) as http:
        yield Rest(sandbox, http)


class Feed:
    """A websocket whose messages are JSON."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self.connection = connection

    async def next(self) -> Any:
        with trio.fail_after(10):
            return msgspec.json.decode(await self.connection.get_message())

    async def until(self, fits: Callable[[Any], bool]) -> Any:
        while True:
            message = await self.next()
            if fits(message):
                return message

    async def ask(self, method: str, *params: Any, number: int = 1) -> Any:
        request = {"method": method, "params": params, "id": number}
        await self.connection.send_message(msgspec.json.encode(request).decode())
        return await self.until(lambda message: "id" in message)

    async def end(self) -> tuple[int, str | None]:
        """Read to the end and return the close code and its reason."""
        with trio.fail_after(10), pytest.raises(ConnectionClosed) as caught:
            await self._read_on()
        reason = caught.value.reason
        assert reason is not None
        return reason.code, reason.reason

    async def _read_on(self) -> None:
        while True:
            await self.connection.get_message()


@asynccontextmanager
async def websocket(sandbox: Sandbox, path: str) -> AsyncGenerator[Feed]:
    """Open a websocket and close it, its socket included: trio-websocket 0.12.2 forgets that if the server ends it."""
    try:
        async with await raw(sandbox) as stream, trio.open_nursery() as nursery:
            with trio.fail_after(5):
                connection = await wrap_client_stream(nursery, stream, f"127.0.0.1:{sandbox.port}", path)
            try:
                yield Feed(connection)
            finally:
                with trio.move_on_after(0.5, shield=True):
                    await connection.aclose()
                nursery.cancel_scope.cancel()
    except* LocalProtocolError:
        pass  # trio-websocket 0.12.2 again: a ping that arrives while it closes is too much for its reader


async def rejection(sandbox: Sandbox, path: str) -> ConnectionRejected:
    """Return what a websocket handshake is refused with."""
    refusals: list[ConnectionRejected] = []
    try:
        async with await raw(sandbox) as stream, trio.open_nursery() as nursery:
            with trio.fail_after(5):
                await wrap_client_stream(nursery, stream, f"127.0.0.1:{sandbox.port}", path)
            nursery.cancel_scope.cancel()
    except* ConnectionRejected as group:
        refusals += [error for error in group.exceptions if isinstance(error, ConnectionRejected)]
    assert len(refusals) == 1
    return refusals[0]


class Watch:
    """Remembers what happened to faults, and waits for it."""

    def __init__(self) -> None:
        self.changes: list[FaultChanged] = []
        self._more = trio.Event()

    def __call__(self, change: FaultChanged) -> None:
        self.changes.append(change)
        self._more.set()

    async def until(self, *expected: str) -> None:
        """Wait until the changes are these, in this order."""
        with trio.fail_after(10):
            while [change.change for change in self.changes] != list(expected):
                self._more = trio.Event()
                await self._more.wait()


async def raw(sandbox: Sandbox) -> trio.SocketStream:
    return await trio.open_tcp_stream("127.0.0.1", sandbox.port)


async def read_all(stream: trio.SocketStream) -> bytes:
    """Read until the other side ends the connection, one way or the other."""
    received = b""
    with trio.fail_after(10):
        try:
            while part := await stream.receive_some():
                received += part
        except trio.BrokenResourceError:
            received += b"<reset>"
    return received
