"""Unmodified libraries run on a virtual network, and each fault reaches them as the exception that it is."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx2
import pytest
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.utils import wrap_app
from trio_websocket import (
    ConnectionClosed,
    DisconnectionTimeout,
    HandshakeError,
    WebSocketRequest,
    open_websocket_url,
    serve_websocket,
)

from duenna.faults import (
    Fault,
    FlipByte,
    HalfOpen,
    NameNotFound,
    Partition,
    Refuse,
    Reset,
    Stall,
    TlsFailure,
    Truncate,
)
from duenna_actors.sandbox import open_sandbox
from tests.runtime.testing.net.certificate import CERTIFICATE, KEY
from tests.runtime.testing.net.support import Lab, echo

if TYPE_CHECKING:
    from pathlib import Path

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANYWHERE = "0.0.0.0"  # noqa: S104  # a virtual one


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body, as an ASGI application."""
    if scope["type"] != "http":
        return
    length = 0
    while True:
        event = await receive()
        length += len(event.get("body", b""))
        if not event.get("more_body"):
            break
    body = f"{length} bytes for {scope['path']}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve_asgi(lab: Lab, nursery: trio.Nursery) -> None:
    config = Config()
    config.errorlog = config.accesslog = None

    async def serve(stream: trio.SocketStream) -> None:
        app = wrap_app(hello, config.wsgi_max_body_size, None)
        await TCPServer(app, config, WorkerContext(None), {}, cast("Any", stream)).run()

    await lab.serve(nursery, serve)


def test_http_over_hypercorn_keeps_its_connection() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[str]:
        await serve_asgi(lab, nursery)
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=60.0) as http:
            small = await http.get("http://exchange/small")
            large = await http.post("http://exchange/large", content=bytes(300_000))
        return [small.text, large.text]

    assert lab.run(main) == ["0 bytes for /small", "300000 bytes for /large"]
    assert len(lab.told("net_connect")) == 1
    assert lab.told("net_close")[0][2] == "bot:50001>exchange:80"


@pytest.mark.parametrize(
    ("fault", "error", "took"),
    [
        (Refuse(), httpx2.ConnectError, 1.0),
        (NameNotFound(), httpx2.ConnectError, 0.5),
        (Partition(), httpx2.ConnectTimeout, 20.0),
        (Truncate(keep=0.5), httpx2.ReadError, 1.5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else None,
)
def test_faults_of_a_new_connection_reach_an_http_client(fault: Fault, error: type[Exception], took: float) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await serve_asgi(lab, nursery)
        end = lab.network.begin(fault, "exchange")
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=20.0) as http:
            with pytest.raises(error) as caught:
                await http.get("http://exchange/")
            failed = trio.current_time()
            assert caught.type is error
            end()
            assert (await http.get("http://exchange/")).status_code == 200
        return failed

    assert lab.run(main) == took


@pytest.mark.parametrize(
    ("fault", "error", "took"),
    [(Reset(), httpx2.ReadError, 0.0), (HalfOpen(), httpx2.ReadTimeout, 20.0), (Stall(), httpx2.ReadTimeout, 20.0)],
    ids=lambda value: type(value).__name__ if isinstance(value, Fault) else None,
)
def test_faults_of_a_request_on_its_way_reach_an_http_client(fault: Fault, error: type[Exception], took: float) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await serve_asgi(lab, nursery)
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=20.0) as http:
            await http.get("http://exchange/")
            start = trio.current_time()
            lab.clock.call_at(start + 0.125, partial(lab.network.begin, fault, "exchange"))
            with pytest.raises(error) as caught:
                await http.get("http://exchange/")
            assert caught.type is error
            return trio.current_time() - start

    assert lab.run(main) == (took or 0.125)


def test_a_flipped_byte_in_a_head_is_a_protocol_error_for_an_http_client() -> None:
    lab = Lab(seed=1)

    async def main(nursery: trio.Nursery) -> None:
        await serve_asgi(lab, nursery)
        lab.network.begin(FlipByte(), "exchange")
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=20.0) as http:
            with pytest.raises(httpx2.RemoteProtocolError):
                await http.get("http://exchange/")

    lab.run(main)


async def shout(request: WebSocketRequest) -> None:
    connection = await request.accept()
    try:
        while True:
            await connection.send_message((await connection.get_message()).upper())
    except ConnectionClosed:
        pass


async def serve_shouts(lab: Lab, nursery: trio.Nursery) -> None:
    with lab.network.host("exchange").here():
        await nursery.start(partial(serve_websocket, shout, ANYWHERE, 80, ssl_context=None))


def test_websockets_talk_and_close_in_form() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> tuple[str | bytes, float]:
        await serve_shouts(lab, nursery)
        async with open_websocket_url("ws://exchange/stream") as socket:
            await socket.send_message("hello")
            answer = await socket.get_message()
            await socket.ping(b"1")
        return answer, trio.current_time()

    assert lab.run(main) == ("HELLO", 3.0)
    assert "net_reset" not in {one.kind for one in lab.records}


def test_a_websocket_does_not_notice_that_its_peer_is_gone_until_its_own_deadlines() -> None:
    """What a half-open peer costs whoever leaves trio-websocket its default: 60 s for the closing handshake."""
    lab = Lab()

    async def listen() -> None:
        async with open_websocket_url("ws://exchange/stream") as socket:
            lab.network.begin(HalfOpen(), "exchange")
            with trio.move_on_after(20.0):
                await socket.get_message()

    async def main(nursery: trio.Nursery) -> float:
        await serve_shouts(lab, nursery)
        with pytest.raises(DisconnectionTimeout):
            await listen()
        return trio.current_time()

    assert lab.run(main) == 1.5 + 20.0 + 60.0


@pytest.mark.parametrize("fault", [Reset(), Truncate(keep=0.0)], ids=lambda fault: type(fault).__name__)
def test_a_websocket_whose_connection_breaks_is_closed(fault: Fault) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> int:
        await serve_shouts(lab, nursery)
        async with open_websocket_url("ws://exchange/stream") as socket:
            await socket.send_message("hello")
            lab.network.begin(fault, "exchange")
            with pytest.raises(ConnectionClosed) as caught:
                await socket.get_message()
            assert caught.value.reason is None or caught.value.reason.code == 1006
            return 1

    assert lab.run(main) == 1


def test_a_websocket_that_is_refused_says_so() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await serve_shouts(lab, nursery)
        lab.network.begin(Refuse(), "exchange")
        with pytest.raises((HandshakeError, OSError)):
            async with open_websocket_url("ws://exchange/stream"):
                pass

    lab.run(main)


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server and a client need for TLS."""
    (tmp_path / "certificate").write_text(CERTIFICATE)
    (tmp_path / "key").write_text(KEY)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    return server, ssl.create_default_context(cadata=CERTIFICATE)


async def serve_tls(lab: Lab, nursery: trio.Nursery, context: ssl.SSLContext) -> None:
    async def talk(stream: trio.SSLStream[trio.SocketStream]) -> None:
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            pass

    async def serve(task_status: trio.TaskStatus[object]) -> None:
        await trio.serve_ssl_over_tcp(talk, 443, context, host=ANYWHERE, task_status=task_status)

    with lab.network.host("exchange").here():
        await nursery.start(serve)


def test_tls_runs(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        await serve_tls(lab, nursery, contexts[0])
        async with await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1]) as stream:
            await stream.send_all(b"secret")
            return await stream.receive_some()

    assert lab.run(main) == b"secret"


def test_the_records_of_tls_have_no_crc_so_that_they_are_the_same_in_each_run(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """OpenSSL draws its own randomness; plain connections beside it keep theirs."""

    def talk() -> Lab:
        lab = Lab()

        async def main(nursery: trio.Nursery) -> None:
            await serve_tls(lab, nursery, contexts[0])
            plain, _ = await lab.pair(nursery, "other")
            async with await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1]) as stream:
                for size in (1, 1_000, 100_000):
                    await stream.send_all(bytes(size))
                    while size:
                        size -= len(await stream.receive_some())  # noqa: PLW2901  # what is left of it
            await plain.send_all(b"\x17 is not how TLS begins")
            await trio.sleep(1.0)

        lab.run(main)
        return lab

    first, second = talk(), talk()

    assert first.records == second.records
    with_crc = {one.path for one in first.records if "crc" in one.fields}
    assert with_crc == {"bot:50001>other:80"}


def test_a_tls_handshake_fails_with_an_alert_and_works_again_afterwards(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await serve_tls(lab, nursery, contexts[0])
        old = await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1])
        await old.do_handshake()
        end = lab.network.begin(TlsFailure(), "exchange")
        start = trio.current_time()
        stream = await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1])
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.do_handshake()
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert "HANDSHAKE_FAILURE" in str(caught.value.__cause__)
        took = trio.current_time() - start
        await trio.aclose_forcefully(stream)
        await old.send_all(b"still works")
        assert await old.receive_some() == b"still works"
        end()
        again = await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1])
        await again.do_handshake()
        return took

    assert lab.run(main) == 1.5


def test_a_tls_failure_spares_what_is_not_tls() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        await lab.serve(nursery, echo)
        lab.network.begin(TlsFailure(), "exchange")
        stream = await trio.open_tcp_stream("exchange", 80)
        heard = bytearray()
        for text in (b"plain ", b"\x16 is not how it begins"):
            await stream.send_all(text)
            heard += await stream.receive_some()
        return heard

    assert lab.run(main) == b"plain \x16 is not how it begins"


def test_a_server_that_speaks_first_speaks_no_tls() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        client, server = await lab.pair(nursery)
        lab.network.begin(TlsFailure(), "*")
        await server.send_all(b"\x16 is a greeting")
        return await client.receive_some()

    assert lab.run(main) == b"\x16 is a greeting"
    assert ["crc" in one.fields for one in lab.records if one.kind == "net_data"] == [True]


def test_a_flipped_byte_breaks_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await serve_tls(lab, nursery, contexts[0])
        stream = await trio.open_ssl_over_tcp_stream("exchange", 443, ssl_context=contexts[1])
        await stream.send_all(b"secret")
        await stream.receive_some()
        lab.network.begin(FlipByte(), "exchange")
        await stream.send_all(b"secret")
        with pytest.raises(trio.BrokenResourceError) as caught:
            with trio.fail_after(60.0):
                await stream.receive_some()
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        await trio.aclose_forcefully(stream)

    lab.run(main)


def test_the_sandbox_exchange_runs_as_it_is() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> tuple[int, int]:
        async def serve(task_status: trio.TaskStatus[None]) -> None:
            async with open_sandbox(host=ANYWHERE, port=80):
                task_status.started()
                await trio.sleep_forever()

        with lab.network.host("exchange").here():
            await nursery.start(serve)
        async with httpx2.AsyncClient(verify=NO_TLS) as http:
            status = (await http.get("http://exchange/fapi/v1/ping")).status_code
        async with open_websocket_url("ws://exchange/market/ws/btcusdt@aggTrade") as socket:
            message = await socket.get_message()
        return status, str(message).count("BTCUSDT")

    assert lab.run(main) == (200, 1)
    assert lab.network.open_sockets() == []
