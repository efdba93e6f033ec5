"""Whatever arrives at the port, the exchange goes on."""

from __future__ import annotations

import struct

import httpx2
import pytest
import trio

from duenna_actors.sandbox import SandboxSettings, open_sandbox
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._server import Server
from tests.actors.sandbox.support import QUICK, raw, read_all, rest_client, seeded, websocket

UPGRADE = (
    b"GET /market/ws/btcusdt@aggTrade HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
NONSENSE = {
    "nothing": b"",
    "zeros": bytes(1_000),
    "a TLS hello": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "half a line": b"GET /fapi/v1/ti",
    "half a head": b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n",
    "a huge head": b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "a huge line": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a huge body": b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
    "a body without an end": b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx",
    "a wrong length": b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a bad chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no host": b"GET /fapi/v1/time HTTP/1.1\r\n\r\n",
    "an old version": b"GET /fapi/v1/time HTTP/1.0\r\n\r\n",
    "a strange target": b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is no path": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes above 127": "GET /fapi/v1/zeit\u00e4 HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"),
    "a body that is no text": b"POST /fapi/v1/order HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x01",
    "a connect": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an upgrade to something else": b"GET /market HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "a websocket with garbage": UPGRADE + bytes(range(256)) * 10,
    "a websocket with half a frame": UPGRADE + b"\x81\xfe\xff",
    "a websocket that closes oddly": UPGRADE + b"\x88\x81\x00\x00\x00\x00\x03",
    "a websocket that closes twice": UPGRADE + b"\x88\x80\x00\x00\x00\x00" * 3,
    "a posted upgrade": UPGRADE.replace(b"GET", b"POST"),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("ending", ["eof", "close", "reset"])
async def test_nonsense_harms_nobody(nonsense: str, ending: str) -> None:
    settings = SandboxSettings(tick=0.01, idle_timeout=5.0, request_timeout=5.0, close_timeout=0.1)
    async with open_sandbox(settings=settings) as sandbox, rest_client(sandbox) as rest:
        async with await raw(sandbox) as stream:
            try:
                await stream.send_all(NONSENSE[nonsense])
                if ending == "eof":
                    await stream.send_eof()
                    await read_all(stream)
                elif ending == "reset":
                    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
            except trio.BrokenResourceError:
                pass  # it has had enough of it already

        assert (await rest.get("/fapi/v1/time")).status_code == 200
        state = (await rest.get("/sandbox/state")).json()
        assert state["failures"] == 0


async def test_many_at_once_harm_nobody() -> None:
    """Garbage from a seed, on 200 connections at the same time, while a feed goes on."""
    random = seeded(1)
    whole = [*NONSENSE.values()]

    async def attack(number: int) -> None:
        data = whole[number % len(whole)] if number % 3 else random.randbytes(random.randrange(2_000))
        async with await raw(sandbox) as stream:
            try:
                await stream.send_all(data)
                with trio.move_on_after(random.random() * 0.05):
                    await stream.receive_some()
            except trio.BrokenResourceError:
                pass

    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        async with websocket(sandbox, "/market/ws/btcusdt@aggTrade") as feed:
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(attack, number)
            for _ in range(5):
                assert (await feed.next())["e"] == "aggTrade"
        assert (await rest.get("/sandbox/state")).json()["failures"] == 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000, b"413"),
        (b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n", b"408"),
    ],
)
async def test_nonsense_is_answered_where_that_is_possible(head: bytes, status: bytes) -> None:
    settings = SandboxSettings(request_timeout=0.2)
    async with open_sandbox(settings=settings) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(head)

        assert (await read_all(stream)).startswith(b"HTTP/1.1 " + status)


async def test_an_error_of_the_sandbox_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "weigh", fail)
            failed = await rest.get("/fapi/v1/time")
        with monkeypatch.context() as patch:
            patch.setattr(Server, "_respond", fail)
            with pytest.raises(httpx2.RemoteProtocolError):
                await rest.get("/fapi/v1/time")

        assert (failed.status_code, failed.json()["code"]) == (500, -1000)
        assert (await rest.get("/sandbox/state")).json()["failures"] == 2


async def test_a_silent_connection_is_closed() -> None:
    settings = SandboxSettings(idle_timeout=0.05)
    async with open_sandbox(settings=settings) as sandbox, await raw(sandbox) as stream:
        assert await read_all(stream) == b""


async def test_one_connection_too_many_is_reset() -> None:
    settings = SandboxSettings(max_connections=1)
    async with (
        open_sandbox(settings=settings) as sandbox,
        websocket(sandbox, "/market/ws"),
        await raw(sandbox) as stream,
    ):
        assert await read_all(stream) == b"<reset>"


async def test_a_client_that_does_not_take_its_answer_is_dropped() -> None:
    """It asks for more than the buffers of its socket hold and never reads."""
    settings = SandboxSettings(request_timeout=0.2, weight_limit=10**9, idle_timeout=5.0)
    async with open_sandbox(settings=settings) as sandbox, await raw(sandbox) as stream:
        asked = b"GET /fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1500 HTTP/1.1\r\nHost: x\r\n\r\n"
        with trio.fail_after(20):
            try:
                await stream.send_all(asked * 200)
                while sandbox.state()["connections"]:  # noqa: ASYNC110 - a client that is dropped is dropped in silence
                    await trio.sleep(0.01)
            except trio.BrokenResourceError:
                pass

        assert sandbox.state()["failures"] == 0
