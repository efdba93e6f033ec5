"""Websockets below the feed: certificates, upgrades that go wrong, servers that do not do their part."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from duenna import ChildExited, ErrorReported
from duenna_actors import _tls
from duenna_actors._socket import Socket
from duenna_actors.feed import FeedHandshakeError, GetFeedStatus, Subscription, WebSocketFeed

from .certificate import CERTIFICATE, KEY
from .support import Answer, bot, hang, hang_up, http, raw_server, then_hang_up

if TYPE_CHECKING:
    from pathlib import Path

WALL = 1_659_761_900.0
TRADE = {"e": "aggTrade", "a": 1, "s": "BTCUSDT", "p": "1", "q": "1", "T": 1, "m": True}


def socket_to(url: str) -> Socket:
    return Socket(url, headers={"X-KEY": "k"}, queue=10, max_message=1000, wall_time=lambda: WALL)


async def open_error(url: str) -> FeedHandshakeError:
    """Try to open *url*, which fails."""
    socket = socket_to(url)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket.host)
        with pytest.raises(FeedHandshakeError) as caught:
            await socket.open()
        await socket.close(1.0)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "why", "status", "retry_after"),
    [
        (hang_up, "the far end closed the connection during the upgrade", None, None),
        (http("slow down", 429, Retry_After=9), "upgrade refused with status 429: slow down", 429, 9.0),
        (http("", 503, Retry_After="Sat, 06 Aug 2022 04:58:40 GMT"), "upgrade refused with status 503", 503, 20.0),
        (
            then_hang_up(b"HTTP/1.1 403 Forbidden\r\nRetry-After: 5\r\n\r\n<html>blocked</html>"),
            "upgrade refused with status 403: <html>blocked</html>",
            403,
            5.0,
        ),
        (http("<html>hello</html>", 200), "upgrade refused with status 200: <html>hello</html>", 200, None),
    ],
    ids=["closed", "429", "503 until a date", "a body without a length", "a page"],
)
async def test_an_upgrade_that_is_refused_says_how(
    answer: bytes | Answer, why: str, status: int | None, retry_after: float | None
) -> None:
    async with raw_server(answer) as server:
        error = await open_error(server.url.replace("http", "ws") + "/stream")

    assert str(error) == why
    assert (error.status, error.retry_after) == (status, retry_after)


async def test_garbage_in_an_upgrade_is_a_failed_handshake() -> None:
    async with raw_server(then_hang_up(b"\x00\x01\x02 not http\r\n\r\n")) as server:
        error = await open_error(server.url.replace("http", "ws"))

    assert str(error) == "the far end sent '\\x00\\x01\\x02 not http' during the upgrade"


async def test_a_host_that_does_not_exist_is_a_failed_handshake() -> None:
    error = await open_error("ws://no-such-host.invalid/x")

    assert "gaierror" in str(error)


async def test_a_certificate_that_nobody_signed_is_seen_as_one_and_at_once(tmp_path: Path) -> None:
    """trio-websocket alone would say that it timed out, after as long as it may."""
    (tmp_path / "c.pem").write_text(CERTIFICATE)
    (tmp_path / "k.pem").write_text(KEY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")

    async def handshake(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()
        await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        port = listener.transport_listener.socket.getsockname()[1]  # type: ignore[attr-defined]
        nursery.start_soon(trio.serve_listeners, handshake, [listener])
        error = await open_error(f"wss://127.0.0.1:{port}/x")
        nursery.cancel_scope.cancel()

    cause = error.__cause__
    assert isinstance(cause, trio.BrokenResourceError)
    assert isinstance(cause.__cause__, ssl.SSLCertVerificationError)


async def test_a_certificate_that_is_trusted_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text(CERTIFICATE)
    (tmp_path / "k.pem").write_text(KEY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    _tls._of_run.set(ssl.create_default_context(cafile=str(tmp_path / "c.pem")))

    async def greet(request: WebSocketRequest) -> None:
        websocket = await request.accept()
        await websocket.send_message("hello")

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, greet, "127.0.0.1", 0, context))
        socket = socket_to(f"wss://127.0.0.1:{server.port}/x")
        nursery.start_soon(socket.host)
        await socket.open()

        assert await socket.receive() == "hello"
        await socket.close(1.0)
        nursery.cancel_scope.cancel()


async def test_closed_while_it_opens_it_does_not_hang() -> None:
    async with raw_server(hang) as server, trio.open_nursery() as nursery:
        socket = socket_to(server.url.replace("http", "ws"))
        nursery.start_soon(socket.host)
        await server.has_requests(1)

        await socket.close(1.0)

        with pytest.raises(FeedHandshakeError, match=r"^closed while it was being opened$"):
            await socket.open()


# -- feeds on servers that do not do their part -----------------------------------------

Talk = Callable[[WebSocketConnection], Awaitable[None]]


@asynccontextmanager
async def feed_on(talk: Talk, *, first_data_within: float = 10.0, **options: Any) -> AsyncIterator[Any]:
    """Run a feed of two streams on a server that talks like *talk*."""

    async def serve(request: WebSocketRequest) -> None:
        websocket = await request.accept()
        with suppress(ConnectionClosed):
            await talk(websocket)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, serve, "127.0.0.1", 0, None))
        url = f"ws://127.0.0.1:{server.port}/stream"
        keys = [
            Subscription("btcusdt@aggTrade", first_data_within),
            Subscription("ethusdt@aggTrade", float("inf"), float("inf")),
        ]
        async with bot() as running:
            await running.start("feed", lambda: WebSocketFeed(url, keys, disconnect_timeout=0.2, **options))
            yield running
        nursery.cancel_scope.cancel()


async def acknowledge(websocket: WebSocketConnection) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(await websocket.get_message())
    await websocket.send_message(json.dumps({"result": None, "id": request["id"]}))
    return request


async def test_a_subscription_that_is_never_acknowledged_is_a_failed_connect() -> None:
    async def silent(_websocket: WebSocketConnection) -> None:
        await trio.sleep_forever()

    async with feed_on(silent, ack_timeout=0.1) as running:
        exited = await running.seen.next(ChildExited)

        assert exited.reason == (
            "SubscribeError: subscription to btcusdt@aggTrade, ethusdt@aggTrade: no answer within 0.1 s"
        )


async def test_an_error_that_names_no_request_is_that_of_the_one_under_way() -> None:
    async def refuse(websocket: WebSocketConnection) -> None:
        await websocket.get_message()
        await websocket.send_message('{"code":3,"msg":"Invalid JSON"}')
        await trio.sleep_forever()

    async with feed_on(refuse) as running:
        exited = await running.seen.next(ChildExited)

        assert exited.reason.endswith("refused with code 3: Invalid JSON")


async def test_an_error_out_of_the_blue_is_reported() -> None:
    async def grumble(websocket: WebSocketConnection) -> None:
        await acknowledge(websocket)
        await websocket.send_message(json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE}))
        await websocket.send_message('{"error":{"code":9,"msg":"mood"},"id":77}')
        await trio.sleep_forever()

    async with feed_on(grumble) as running:
        reported = await running.seen.next(ErrorReported)

        assert "refused: mood" in reported.error


async def test_unknown_and_unwanted_messages_are_counted() -> None:
    async def talk(websocket: WebSocketConnection) -> None:
        await acknowledge(websocket)
        await websocket.send_message(json.dumps({"stream": "x", "data": {"e": "news"}}))
        await websocket.send_message(json.dumps({"stream": "nobodys@aggTrade", "data": TRADE}))
        await websocket.send_message(json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE}))
        await trio.sleep_forever()

    async with feed_on(talk) as running:
        await running.seen.becomes("operational")
        status = await running.ref("feed").ask(GetFeedStatus())

        assert (status.frames, status.unknown, status.unwanted, status.bad_frames) == (4, 1, 1, 0)
        (reported,) = running.seen.of(ErrorReported)
        assert "unknown kind of event: news" in reported.error


async def test_a_message_that_is_too_big_is_a_reconnect() -> None:
    async def shout(websocket: WebSocketConnection) -> None:
        await acknowledge(websocket)
        await websocket.send_message("x" * 5000)
        await trio.sleep_forever()

    async with feed_on(shout, max_message=1000) as running:
        exited = await running.seen.next(ChildExited)

        assert exited.reason.startswith("FeedClosedError: websocket closed")


async def test_a_rotation_onto_a_silent_websocket_is_given_up() -> None:
    """The next websocket is accepted and acknowledged, and delivers nothing: the present one is worth more."""
    count = 0

    async def talk(websocket: WebSocketConnection) -> None:
        nonlocal count
        count += 1
        number = count
        await acknowledge(websocket)
        order = 0
        while number == 1:
            order += 1
            await websocket.send_message(json.dumps({"stream": "btcusdt@aggTrade", "data": TRADE | {"a": order}}))
            await trio.sleep(0.01)
        await trio.sleep_forever()

    async with feed_on(talk, rotate_every=0.1, first_data_within=0.2) as running:
        await running.seen.becomes("operational")
        reported = await running.seen.next(ErrorReported)

        assert "StaleFeedError: no fresh data of btcusdt@aggTrade: silent on the next websocket" in reported.error
        assert running.seen.of(ChildExited) == []
