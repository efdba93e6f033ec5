"""What a websocket's client sees of each fault."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from duenna.wallclock import wall_time
from duenna_actors.sandbox import (
    Burst,
    ClosedAfterOpen,
    CloseSockets,
    GarbledFrames,
    HalfOpen,
    LateEvents,
    ListenKeyExpired,
    Mute,
    RepeatedEvents,
    SequenceGap,
    ServerShutdown,
    StaleEvents,
    UpgradeDropped,
    UpgradeRefused,
    open_sandbox,
)
from tests.actors.sandbox.support import QUICK, Feed, raw, read_all, rejection, rest_client, websocket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from duenna_actors.sandbox import Sandbox

TRADES = "/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade"


@asynccontextmanager
async def trades() -> AsyncGenerator[tuple[Sandbox, Feed]]:
    """Open an exchange and hear the trades of two contracts."""
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, TRADES) as feed:
        await feed.next()
        yield sandbox, feed


async def test_a_mute_socket_answers_pings_and_requests_and_sends_no_data() -> None:
    async with trades() as (sandbox, feed):
        number = sandbox.faults.inject(Mute())
        await feed.ask("LIST_SUBSCRIPTIONS")  # behind it, nothing of before is under way any more
        with trio.fail_after(5):
            await feed.connection.ping(b"?")
        assert (await feed.ask("SUBSCRIBE", "btcusdt@kline_1m", number=2)) == {"result": None, "id": 2}
        with trio.move_on_after(0.1) as silence:
            await feed.next()
        assert silence.cancelled_caught

        sandbox.faults.clear(number)
        assert "stream" in await feed.next()


async def test_one_symbol_is_mute_among_others() -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(Mute(symbol="BTCUSDT"))
        await feed.ask("LIST_SUBSCRIPTIONS")

        assert {(await feed.next())["stream"] for _ in range(20)} == {"ethusdt@aggTrade"}


async def test_stale_events_are_old() -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(StaleEvents(age=3_600.0))
        await feed.ask("LIST_SUBSCRIPTIONS")
        event = (await feed.next())["data"]

        assert wall_time() - event["E"] / 1_000 == pytest.approx(3_600.0, abs=60.0)
        assert event["T"] == event["E"]


async def test_a_sequence_gap_breaks_the_chain_once() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, websocket(sandbox, "/public/ws/btcusdt@depth@100ms") as feed:
        last = await feed.next()
        sandbox.faults.inject(SequenceGap(symbol="BTCUSDT"))
        gaps = 0
        for _ in range(10):
            event = await feed.next()
            gaps += event["pu"] != last["u"]
            last = event

    assert gaps == 1


async def numbers(feed: Feed, count: int) -> list[int]:
    """Return the ids of so many trades."""
    return [(await feed.next())["data"]["a"] for _ in range(count)]


@pytest.mark.parametrize("after", [0, 2])
async def test_an_event_comes_twice(after: int) -> None:
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        websocket(sandbox, "/market/stream?streams=btcusdt@aggTrade") as feed,
    ):
        (first,) = await numbers(feed, 1)
        sandbox.faults.inject(RepeatedEvents(symbol="BTCUSDT", after=after, count=1))
        seen = await numbers(feed, 10)

    twice = next(number for number in seen if seen.count(number) == 2)
    assert sorted(set(seen)) == list(range(first + 1, first + 10))
    assert seen.index(twice, seen.index(twice) + 1) - seen.index(twice) == after + 1


@pytest.mark.parametrize("after", [1, 3])
async def test_an_event_comes_late(after: int) -> None:
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        websocket(sandbox, "/market/stream?streams=btcusdt@aggTrade") as feed,
    ):
        (first,) = await numbers(feed, 1)
        sandbox.faults.inject(LateEvents(stream="*@aggTrade", after=after, count=1))
        seen = await numbers(feed, 10)

    (late,) = (number for index, number in enumerate(seen) if index and number < seen[index - 1])
    assert sorted(seen) == list(range(first + 1, first + 11))
    assert seen[seen.index(late) - after] == late + 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013, 4001])
async def test_a_socket_is_closed_with_any_code(code: int) -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(CloseSockets(code=code, reason="because"))

        assert await feed.end() == (code, "because")


async def test_1006_is_an_end_without_a_close_frame() -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(CloseSockets(code=1006))

        assert (await feed.end())[0] == 1006


async def test_only_the_sockets_of_a_path_are_closed() -> None:
    async with trades() as (sandbox, feed), websocket(sandbox, "/public/ws/btcusdt@bookTicker") as other:
        sandbox.faults.inject(CloseSockets(path="/public*"))

        assert (await other.end())[0] == 1001
        await feed.ask("LIST_SUBSCRIPTIONS")


async def test_no_more_sockets_are_closed_than_asked_for() -> None:
    async with trades() as (sandbox, feed), websocket(sandbox, TRADES) as other:
        sandbox.faults.inject(CloseSockets(count=1))

        assert (await feed.end())[0] == 1001
        await other.ask("LIST_SUBSCRIPTIONS")


async def test_a_shutdown_is_announced() -> None:
    async with (
        open_sandbox(settings=QUICK) as sandbox,
        websocket(sandbox, TRADES) as combined,
        websocket(sandbox, "/market/ws") as plain,
    ):
        sandbox.faults.inject(ServerShutdown(notice=0.05))
        told = await combined.until(lambda message: message.get("stream") == "!serverShutdown")
        event = await plain.next()

        assert told["data"]["e"] == event["e"] == "serverShutdown"
        assert (await combined.end(), await plain.end()) == ((1001, "server shutdown"), (1001, "server shutdown"))


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (UpgradeRefused(status=429, retry_after=7.2), 429, b'{"code":-1003'),
        (UpgradeRefused(status=403, is_html=True), 403, b"<html>"),
        (UpgradeRefused(status=200), 200, b"<html>"),
        (UpgradeRefused(status=503), 503, b'{"code":-1003'),
        (UpgradeRefused(status=204), 204, b""),
    ],
)
async def test_an_upgrade_is_refused(fault: UpgradeRefused, status: int, body: bytes) -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        sandbox.faults.inject(fault)
        rejected = await rejection(sandbox, "/market")

    assert rejected.status_code == status
    assert (rejected.body or b"").startswith(body)
    headers = dict(rejected.headers or ())
    assert headers.get(b"retry-after") == (b"8" if fault.retry_after else None)


async def test_the_connection_ends_in_the_upgrade() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        sandbox.faults.inject(UpgradeDropped(count=1))
        async with await raw(sandbox) as stream:
            await stream.send_all(
                b"GET /market HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            )
            assert await read_all(stream) == b""
        async with websocket(sandbox, "/market") as feed:
            await feed.ask("LIST_SUBSCRIPTIONS")


@pytest.mark.parametrize("after", [0.0, 0.03])
async def test_a_socket_is_closed_right_after_it_was_opened(after: float) -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        sandbox.faults.inject(ClosedAfterOpen(code=4003, reason="not you", after=after))
        async with websocket(sandbox, "/market") as feed:
            assert await feed.end() == (4003, "not you")


@pytest.mark.parametrize("mode", ["truncated", "garbled", "html"])
async def test_a_message_is_no_json(mode: str) -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(GarbledFrames(mode=mode, symbol="BTCUSDT", count=1))  # type: ignore[arg-type]
        bad = 0
        with trio.fail_after(10):
            while sandbox.faults.active or not bad:
                text = str(await feed.connection.get_message())
                bad += not (text.startswith("{") and text.endswith("}}") and "?" not in text)

        assert bad == 1
        assert "stream" in await feed.next()


@pytest.mark.parametrize(("mode", "code"), [("bad_utf8", 1007), ("bad_frame", 1002), ("cut", 1006)])
async def test_a_frame_is_no_frame(mode: str, code: int) -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(GarbledFrames(mode=mode, count=1))  # type: ignore[arg-type]

        assert (await feed.end())[0] == code


async def test_a_burst_is_as_many_messages_as_asked_for() -> None:
    async with trades() as (sandbox, feed):
        sandbox.faults.inject(Mute())
        await feed.ask("LIST_SUBSCRIPTIONS")
        sandbox.faults.inject(Burst(messages=10_000, symbol="BTCUSDT"))
        received = [await feed.connection.get_message() for _ in range(10_000)]

        assert len(set(received)) == 1
        assert "btcusdt@aggTrade" in received[0]
        with trio.move_on_after(0.05) as silence:
            await feed.next()
        assert silence.cancelled_caught


async def test_the_listen_key_dies_before_its_time() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            sandbox.faults.inject(ListenKeyExpired())
            event = await feed.next()

            assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)
            assert (await rest.keyed("PUT", "/fapi/v1/listenKey")).json()["code"] == -1125
            assert await rest.listen_key() != key


async def test_a_half_open_socket_is_dead_and_stays_dead() -> None:
    async with trades() as (sandbox, feed):
        number = sandbox.faults.inject(HalfOpen())
        with trio.move_on_after(0.1) as silence:
            while True:
                await feed.connection.get_message()
        assert silence.cancelled_caught
        with trio.move_on_after(0.1) as silence:
            await feed.connection.ping(b"?")
        assert silence.cancelled_caught

        sandbox.faults.clear(number)
        with trio.move_on_after(0.1) as silence:
            await feed.connection.get_message()
        assert silence.cancelled_caught
        async with websocket(sandbox, TRADES) as fresh:
            assert "stream" in await fresh.next()


async def test_half_open_strikes_new_connections_too() -> None:
    async with open_sandbox(settings=QUICK) as sandbox:
        number = sandbox.faults.inject(HalfOpen())
        async with await raw(sandbox) as stream:
            await stream.send_all(b"GET /fapi/v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
            with trio.move_on_after(0.1) as silence:
                await read_all(stream)
            assert silence.cancelled_caught
        sandbox.faults.clear(number)
        async with rest_client(sandbox) as rest:
            assert (await rest.get("/fapi/v1/time")).status_code == 200
