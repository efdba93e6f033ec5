"""Websockets over real sockets, without faults."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from duenna_actors.sandbox import Burst, SandboxSettings, open_sandbox
from duenna_actors.sandbox._book import UPDATES_PER_TICK
from tests.actors.sandbox.support import QUICK, raw, read_all, rejection, rest_client, websocket

FIELDS = {
    "/market/ws/btcusdt@aggTrade": "e E a s p q f l T m st",
    "/public/ws/btcusdt@bookTicker": "e u E T s b B a A st ps",
    "/public/ws/btcusdt@depth@100ms": "e E T s ps st U u pu b a",
    "/market/ws/btcusdt@markPrice@1s": "e E s p i P r T st",
    "/market/ws/btcusdt@kline_1m": "e E s k",
    "/market/ws/!forceOrder@arr": "e E o",
}


@pytest.mark.parametrize(("path", "fields"), FIELDS.items())
async def test_events_have_the_exchanges_fields(path: str, fields: str) -> None:
    settings = SandboxSettings(tick=0.01, liquidations_per_minute=5_000.0)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, path) as feed:
        event = await feed.next()

        assert " ".join(event) == fields
        inner = {"k": "t T s i f L o c h l v n x q V Q B", "o": "s S o f q p ap X l z T"}
        for key, names in inner.items():
            if key in event:
                assert " ".join(event[key]) == names


async def test_streams_can_be_combined() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        path = "/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade"
        async with websocket(sandbox, path) as feed:
            messages = [await feed.next() for _ in range(10)]

    assert {message["stream"] for message in messages} == {"btcusdt@aggTrade", "ethusdt@aggTrade"}
    assert all(message["data"]["s"].lower() in message["stream"] for message in messages)


async def test_subscriptions_come_and_go() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/market/ws") as feed:
        assert await feed.ask("SUBSCRIBE", "btcusdt@aggTrade") == {"result": None, "id": 1}
        assert (await feed.next())["e"] == "aggTrade"
        assert await feed.ask("LIST_SUBSCRIPTIONS", number=2) == {"result": ["btcusdt@aggTrade"], "id": 2}
        assert await feed.ask("UNSUBSCRIBE", "btcusdt@aggTrade", number=3) == {"result": None, "id": 3}
        assert await feed.ask("LIST_SUBSCRIPTIONS", number=4) == {"result": [], "id": 4}
        assert sandbox.state()["streams"] == {}


async def test_a_wrong_request_is_answered_and_the_connection_lives() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/market/ws") as feed:
        assert await feed.ask("SUBSCRIBE", "nothing") == {
            "error": {"code": 2, "msg": "Invalid request: unknown stream `nothing`"},
            "id": 1,
        }
        await feed.connection.send_message("nope")
        assert (await feed.next())["error"]["code"] == 3
        assert (await feed.ask("LIST_SUBSCRIPTIONS", number=2))["result"] == []


def apply(book: dict[str, dict[str, str]], event: dict[str, Any]) -> None:
    for side, changes in (("bids", event["b"]), ("asks", event["a"])):
        for price, quantity in changes:
            if float(quantity):
                book[side][price] = quantity
            else:
                book[side].pop(price, None)


async def test_a_book_can_be_kept_as_the_exchange_describes_it() -> None:
    """Buffer, snapshot, drop what is older, apply the rest, check pu: after that, it is a later snapshot's book."""
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        rest_client(sandbox) as rest,
        websocket(sandbox, "/public/ws/btcusdt@depth@100ms") as feed,
    ):
        buffer = [await feed.next() for _ in range(2)]
        snapshot = (await rest.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1_000)).json()
        while buffer[-1]["u"] < snapshot["lastUpdateId"]:
            buffer.append(await feed.next())
        usable = [event for event in buffer if event["u"] >= snapshot["lastUpdateId"]]
        assert usable[0]["U"] <= snapshot["lastUpdateId"] <= usable[0]["u"]
        book = {"bids": dict(snapshot["bids"]), "asks": dict(snapshot["asks"])}
        for event in usable:
            apply(book, event)
        last = usable[-1]["u"]
        while True:
            later = (await rest.get("/fapi/v1/depth", symbol="BTCUSDT", limit=1_000)).json()
            while last < later["lastUpdateId"]:
                event = await feed.next()
                assert event["pu"] == last
                apply(book, event)
                last = event["u"]
            if last == later["lastUpdateId"]:
                break

    assert book == {"bids": dict(later["bids"]), "asks": dict(later["asks"])}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws/btcusdt@aggTrade", 410),
        ("/stream?streams=btcusdt@aggTrade", 410),
        ("/elsewhere", 404),
        ("/public/ws/btcusdt@aggTrade", 400),
        ("/private/ws/dead", 400),
    ],
)
async def test_a_wrong_address_is_refused_with_a_reason(path: str, status: int) -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        refused = await rejection(sandbox, path)

    assert refused.status_code == status
    assert b'"code":-' in (refused.body or b"")


async def test_a_lenient_exchange_takes_any_stream_and_stays_silent() -> None:
    settings = SandboxSettings(tick=0.01, strict_streams=False)
    async with (
        open_sandbox(settings=settings) as sandbox,
        websocket(sandbox, "/private/ws/dead"),
        websocket(sandbox, "/public/ws/btcusdt@aggTrade") as feed,
    ):
        assert (await feed.ask("SUBSCRIBE", "nothing"))["result"] is None
        assert (await feed.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@aggTrade", "nothing"]


async def test_a_websocket_path_without_an_upgrade() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.get("/public")

        assert answer.status_code == 426
        assert answer.json()["msg"] == "/public is a websocket"


async def test_who_talks_too_much_is_disconnected() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/market/ws") as feed:
        for _ in range(11):
            await feed.connection.send_message("{}")

        assert await feed.end() == (1008, "Too many requests")


async def test_pings_count_as_messages() -> None:
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        websocket(sandbox, "/market/ws") as feed,
        trio.open_nursery() as nursery,
    ):
        for number in range(11):
            nursery.start_soon(ping, feed.connection, str(number).encode())

        assert await feed.end() == (1008, "Too many requests")


async def ping(connection: Any, payload: bytes) -> None:
    with trio.move_on_after(5), suppress(ConnectionClosed):
        await connection.ping(payload)


async def test_a_ping_is_answered() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/market/ws") as feed:
        with trio.fail_after(5):
            await feed.connection.ping(b"hello")


async def test_the_exchange_pings_and_a_client_that_answers_stays() -> None:
    settings = SandboxSettings(tick=0.01, ping_interval=0.02, pong_timeout=0.2, messages_per_second=1_000)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, "/market/ws/btcusdt@aggTrade") as feed:
        for _ in range(50):
            assert (await feed.next())["e"] == "aggTrade"


HANDSHAKE = (
    b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def test_a_client_that_does_not_answer_pings_is_disconnected() -> None:
    settings = SandboxSettings(ping_interval=0.02, pong_timeout=0.05, close_timeout=0.05)
    async with open_sandbox(settings=settings) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(HANDSHAKE)
        answer = await read_all(stream)

    assert answer.startswith(b"HTTP/1.1 101")
    assert b"\x89" in answer
    assert b"\x88\x0e\x03\xf0Pong timeout" in answer


async def test_a_connection_reaches_its_age() -> None:
    settings = SandboxSettings(max_age=0.05, close_timeout=0.5)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, "/market/ws") as feed:
        assert await feed.end() == (1001, "the connection has reached its age")


async def test_a_client_may_have_so_many_streams() -> None:
    settings = SandboxSettings(max_streams=1)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, "/market/ws/btcusdt@aggTrade") as feed:
        answer = await feed.ask("SUBSCRIBE", "ethusdt@aggTrade")

        assert answer["error"]["msg"] == "Invalid request: too many streams, a connection may have 1"


async def test_an_address_may_open_so_many_websockets() -> None:
    settings = SandboxSettings(connects_per_5_minutes=1)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, "/market/ws"):
        assert (await rejection(sandbox, "/market/ws")).status_code == 429


async def test_a_slow_consumer_is_disconnected() -> None:
    """It subscribes and never reads: what waits for it is bounded."""
    settings = SandboxSettings(tick=0.001, send_buffer_bytes=20_000)
    async with open_sandbox(settings=settings) as sandbox, await raw(sandbox) as stream:
        names = "/".join(f"{symbol}usdt@depth@100ms" for symbol in ("btc", "eth"))
        await stream.send_all(HANDSHAKE.replace(b"/market/ws", f"/public/ws/{names}".encode()))
        with trio.fail_after(30):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            sandbox.faults.inject(Burst(messages=100_000))
            while sandbox.state()["websockets"]:  # noqa: ASYNC110 - a client that is dropped is dropped in silence
                await trio.sleep(0.001)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\x80\x00\x00\x00\x00", 1003),  # binary
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # an opcode that does not exist
        (b"\x81\x00", 1002),  # not masked
        (b"\x81\x82\x00\x00\x00\x00\xff\xfe", 1007),  # no UTF-8
        (b"\x81\xff" + (100_000).to_bytes(8, "big") + bytes(4) + b"x" * 100_000, 1009),  # too long
        (b"\x88\x82\x00\x00\x00\x00\x03\xe8", 1000),  # an orderly end
    ],
)
async def test_every_end_has_its_code(frame: bytes, code: int) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(HANDSHAKE)
        with trio.fail_after(5):
            await stream.receive_some()
        await stream.send_all(frame)
        answer = await read_all(stream)

    assert answer[:1] == b"\x88"
    assert int.from_bytes(answer[2:4], "big") == code
    assert sandbox.state()["failures"] == 0


async def test_a_message_may_come_in_pieces_and_at_once() -> None:
    """The first frames arrive together with the handshake, a text in two fragments, byte by byte."""
    request = b'{"method":"LIST_SUBSCRIPTIONS","id":7}'
    first = b"\x01" + bytes((0x80 | 10,)) + bytes(4) + request[:10]
    second = b"\x80" + bytes((0x80 | len(request) - 10,)) + bytes(4) + request[10:]
    async with open_sandbox(settings=QUICK) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(HANDSHAKE + first + second[:5])
        for byte in second[5:]:
            await stream.send_all(bytes((byte,)))
        received = b""
        with trio.fail_after(5):
            while not received.endswith(b'{"result":[],"id":7}'):
                received += await stream.receive_some()


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
        HANDSHAKE.replace(b"Version: 13", b"Version: 8"),
    ],
)
async def test_a_bad_handshake_is_refused(head: bytes) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(head.replace(b"Host: x", b"Host: x\r\nX-Note: last"))
        with trio.fail_after(5):
            answer = await stream.receive_some()

        assert answer.startswith(b"HTTP/1.1 400")
        assert sandbox.state()["failures"] == 0


@pytest.mark.parametrize(("speed", "gap"), [(1.0, 5), (5.0, 1), (1_000.0, 1)])
async def test_streams_can_be_quicker_than_their_names_say(speed: float, gap: int) -> None:
    """Never more often than the market changes, which in a busy loop may be seen a tick late."""
    settings = SandboxSettings(tick=0.02, stream_speed=speed)
    async with open_sandbox(settings=settings) as sandbox, websocket(sandbox, "/public/ws/btcusdt@depth@100ms") as feed:
        events = [await feed.next() for _ in range(10)]

    ticks = [(event["u"] - event["pu"]) // UPDATES_PER_TICK for event in events[1:]]
    assert min(ticks) == gap
