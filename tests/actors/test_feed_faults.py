"""Feeds in trouble: handshakes, frames, peers that vanish, consumers that do not keep up."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from duenna import Child, ChildExited, ChildParked, ChildRestarting, ErrorReported, Mailbox, MessageDropped
from duenna_actors.binance import AggTrade
from duenna_actors.feed import (
    WebSocketFeed,
)
from duenna_actors.sandbox import (
    Burst,
    ConnectionsRefused,
    ConnectionsReset,
    Fault,
    GarbledFrames,
    HalfOpen,
    Mute,
    UpgradeDropped,
    UpgradeRefused,
)

from .market import BTC, ETH, market

# -- handshakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "why", "floor"),
    [
        (UpgradeRefused(status=429, retry_after=7.0), "upgrade refused with status 429", 7.0),
        (UpgradeRefused(status=200, is_html=True), "upgrade refused with status 200: <", 0.0),
        (UpgradeDropped(), "the far end closed the connection during the upgrade", 0.0),
        (ConnectionsRefused(), "OSError: all attempts to connect to 127.0.0.1:", 0.0),
        (ConnectionsReset(), "the far end closed the connection during the upgrade", 0.0),
    ],
    ids=["429", "200", "dropped", "refused", "reset"],
)
async def test_a_handshake_that_fails_says_how_and_comes_again(fault: Fault, why: str, floor: float) -> None:
    async with market() as here:
        injected = here.inject(fault)
        await here.start(BTC)

        restarting = await here.seen.next(ChildRestarting)
        assert restarting.reason.startswith(f"FeedHandshakeError: {why}")
        assert restarting.delay == floor
        here.sandbox.faults.clear(injected)
        if floor:
            await here.bot.runtime.restart_child("/bot/feed")

        await here.inbox.next(AggTrade)


async def test_a_handshake_that_is_forbidden_waits_for_a_hand() -> None:
    """Who or where one is does not change by trying again."""
    async with market() as here:
        injected = here.inject(UpgradeRefused(status=403, is_html=True))
        await here.start(BTC)

        parked = await here.seen.next(ChildParked)
        assert parked.reason.startswith("FeedHandshakeError: upgrade refused with status 403: <")
        assert parked.unpark_after is None
        here.sandbox.faults.clear(injected)
        await here.bot.runtime.restart_child("/bot/feed")

        await here.inbox.next(AggTrade)


# -- frames ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["truncated", "garbled", "html"])
async def test_bad_frames_are_counted_and_reported_and_not_fatal(mode: Any) -> None:
    async with market() as here:
        await here.start(BTC, ETH)
        await here.seen.becomes("operational")

        here.inject(GarbledFrames(mode=mode, symbol="ETHUSDT", probability=0.5))
        reports = [await here.seen.next(ErrorReported) for _ in range(3)]

        assert [report.details for report in reports] == [{"count": "1"}, {"count": "2"}, {"count": "4"}]
        assert all("BadFrameError" in report.error for report in reports)
        assert (await here.status()).bad_frames >= 4
        assert here.seen.of(ChildExited) == []


@pytest.mark.parametrize("mode", ["bad_utf8", "bad_frame", "cut"])
async def test_a_broken_websocket_is_a_reconnect(mode: Any) -> None:
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")
        injected = here.inject(GarbledFrames(mode=mode))

        exited = await here.seen.next(ChildExited)
        here.sandbox.faults.clear(injected)

        assert exited.reason.startswith("FeedClosedError")
        await here.seen.becomes("operational")


# -- vanished peers --------------------------------------------------------------------


async def test_a_peer_that_has_vanished_is_noticed_by_its_silence() -> None:
    """No byte, no pong, no end: and closing does not wait for it either."""
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")

        here.inject(HalfOpen(path="/market*"), 0.1)

        exited = await here.seen.next(ChildExited)
        assert exited.reason.startswith(("StaleFeedError", "SubscribeError"))
        await here.seen.becomes("operational")


async def test_a_quiet_feed_is_kept_alive_by_pings_that_are_answered() -> None:
    async with market() as here:
        await here.start(BTC, stale_after=60.0, first_data_within=60.0, ping_every=0.05, ping_timeout=0.3)
        await here.seen.becomes("operational")
        here.inject(Mute())

        with trio.move_on_after(0.5):
            await here.seen.next(ChildExited)

        assert here.seen.of(ChildExited) == []


async def test_a_ping_that_is_not_answered_is_a_reconnect() -> None:
    async with market() as here:
        await here.start(BTC, stale_after=60.0, first_data_within=60.0, ping_every=0.05, ping_timeout=0.2)
        await here.seen.becomes("operational")

        here.inject(HalfOpen(path="/market*"), 0.1)

        exited = await here.seen.next(ChildExited)
        assert exited.reason == "PingTimeoutError: no pong within 0.2 s"
        await here.seen.becomes("operational")


# -- consumers -------------------------------------------------------------------------


async def test_a_slow_consumer_costs_the_feed_nothing() -> None:
    """Thousands of messages at once for a mailbox of ten: the rule of that mailbox decides, the feed reads on."""
    async with market(ping_interval=0.5, pong_timeout=20.0) as here:

        async def stuck(_context: Any) -> None:
            await trio.sleep_forever()

        lazy = Child("lazy", stuck, mailbox=Mailbox(10, overflow="drop_oldest"))
        await here.bot.runtime.start_child("/bot", lazy)
        await here.start(BTC, to="lazy", first_data_within=60.0, stale_after=60.0)
        await here.seen.becomes("operational")
        here.inject(Burst(messages=3_000))

        while (await here.status()).frames < 3_000:
            await here.seen.next(MessageDropped)

        assert here.seen.of(ChildExited) == []
        assert (await here.status()).undelivered == 0


async def test_a_consumer_that_refuses_is_counted_and_reported() -> None:
    async with market() as here:

        async def stuck(_context: Any) -> None:
            await trio.sleep_forever()

        await here.bot.runtime.start_child("/bot", Child("lazy", stuck, mailbox=Mailbox(1, overflow="fail")))
        await here.start(BTC, to="lazy")

        reported = await here.seen.next(ErrorReported)

        assert reported.error == "MailboxFullError: /bot/lazy: mailbox is full, it holds 1 messages"
        assert here.seen.of(ChildExited) == []


async def test_a_feeds_own_code_may_fail() -> None:
    class Broken(WebSocketFeed):
        def deliver(self, key: str, message: Any) -> None:
            raise KeyError(key)

    async with market() as here:
        await here.bot.start("feed", lambda: Broken(here.sandbox.ws_url + "/market/stream", [BTC]))

        reported = await here.seen.next(ErrorReported)

        assert reported.error == f"KeyError: '{BTC}'"
        await here.seen.becomes("operational")
