"""Feeds against the sandbox's faults, over real sockets: whatever happens to the websocket, data comes again."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, Child, ChildExited, ChildRestarting, ErrorReported, Mailbox, MessageDropped
from duenna.connection import ConnectionState
from duenna_actors.binance import AggTrade, BookTicker
from duenna_actors.feed import (
    FeedRotated,
    FeedStatus,
    GetFeedStatus,
    Subscribe,
    SubscribeError,
    Subscription,
    SubscriptionChanged,
    SubscriptionState,
    Unsubscribe,
    WebSocketFeed,
)
from duenna_actors.sandbox import (
    Burst,
    ClosedAfterOpen,
    CloseSockets,
    ConnectionsRefused,
    ConnectionsReset,
    Fault,
    GarbledFrames,
    HalfOpen,
    Mute,
    Sandbox,
    SandboxSettings,
    ServerShutdown,
    StaleEvents,
    UpgradeDropped,
    UpgradeRefused,
    open_sandbox,
)

from .support import Bot, Inbox, bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BTC, ETH = "btcusdt@aggTrade", "ethusdt@aggTrade"
FAST: dict[str, Any] = {"first_data_within": 0.5, "stale_after": 0.5, "disconnect_timeout": 0.3, "ack_timeout": 1.0}


class Market:
    """A sandbox that is quick, a bot with a feed on it, and a consumer of its trades."""

    def __init__(self, sandbox: Sandbox, running: Bot, inbox: Inbox) -> None:
        self.sandbox = sandbox
        self.bot = running
        self.seen = running.seen
        self.inbox = inbox

    @property
    def feed(self) -> Any:
        return self.bot.ref("feed")

    async def start(self, *keys: str | Subscription, path: str = "/market/stream", **options: Any) -> None:
        """Start the feed; a backoff is the child's."""
        child = {"backoff": options.pop("backoff")} if "backoff" in options else {}
        url = self.sandbox.ws_url + path
        await self.bot.start("feed", lambda: WebSocketFeed(url, keys, **(FAST | options)), **child)

    async def status(self) -> FeedStatus:
        status = await self.feed.ask(GetFeedStatus())
        assert isinstance(status, FeedStatus)
        return status

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        return self.sandbox.faults.inject(fault, duration)


@asynccontextmanager
async def market(**settings: Any) -> AsyncIterator[Market]:
    rules = SandboxSettings(**({"tick": 0.02, "connects_per_5_minutes": 10_000} | settings))
    async with open_sandbox(symbols=["BTCUSDT", "ETHUSDT"], seed=1, settings=rules) as sandbox, bot() as running:
        inbox = Inbox()
        await running.runtime.start_child("/bot", inbox.spec("inbox", AggTrade, BookTicker))
        yield Market(sandbox, running, inbox)


# -- data ------------------------------------------------------------------------------


async def test_messages_are_published_by_their_type() -> None:
    async with market() as here:
        await here.start(BTC, ETH)

        symbols = {(await here.inbox.next(AggTrade)).symbol for _ in range(10)}

        assert symbols == {"BTCUSDT", "ETHUSDT"}


async def test_or_told_to_one_actor() -> None:
    async with market() as here:
        other = Inbox()
        await here.bot.runtime.start_child("/bot", other.spec("strategy"))
        await here.start(BTC, to="strategy")

        assert isinstance(await other.next(), AggTrade)


async def test_raw_frames_work_as_well() -> None:
    async with market() as here:
        await here.start("btcusdt@bookTicker", path="/public/ws")

        assert (await here.inbox.next()).symbol == "BTCUSDT"
        assert (await here.status()).unwanted == 0


async def test_the_link_is_up_with_the_first_data_and_not_before() -> None:
    """Accepted, acknowledged, and mute: that is no feed."""
    async with market() as here:
        muted = here.inject(Mute())
        await here.start(BTC, redrives=50)
        stale = await here.seen.next(SubscriptionChanged)
        assert (stale.keys, stale.state) == ((BTC,), SubscriptionState.STALE)
        assert (await here.status()).state is ConnectionState.CONNECTING

        here.sandbox.faults.clear(muted)
        await here.seen.becomes("operational")

        assert here.seen.of(ChildExited) == []


async def test_a_feed_that_stays_mute_is_connected_anew() -> None:
    async with market() as here:
        muted = here.inject(Mute())
        await here.start(BTC)
        exited = await here.seen.next(ChildExited)
        assert exited.reason.startswith(f"StaleFeedError: no fresh data of {BTC}: asked again 1 times")

        here.sandbox.faults.clear(muted)

        await here.inbox.next(AggTrade)


async def test_one_mute_symbol_among_others_is_noticed_and_asked_for_again() -> None:
    async with market() as here:
        await here.start(BTC, ETH, redrives=50)
        await here.seen.becomes("operational")

        muted = here.inject(Mute(symbol="ETHUSDT"))
        stale = await here.seen.next(SubscriptionChanged)
        assert (stale.keys, stale.state) == ((ETH,), SubscriptionState.STALE)
        await here.seen.becomes("degraded")
        assert (await here.status()).subscriptions[BTC].state is SubscriptionState.LIVE

        here.sandbox.faults.clear(muted)
        live = await here.seen.next(SubscriptionChanged)
        assert (live.keys, live.state) == ((ETH,), SubscriptionState.LIVE)
        await here.seen.becomes("operational")
        assert here.seen.of(ChildExited) == []


async def test_one_mute_symbol_that_stays_so_costs_the_websocket() -> None:
    async with market() as here:
        await here.start(BTC, ETH)
        await here.seen.becomes("operational")
        here.inject(Mute(symbol="ETHUSDT"))

        exited = await here.seen.next(ChildExited)

        assert exited.reason.startswith(f"StaleFeedError: no fresh data of {ETH}")


async def test_old_events_are_no_data() -> None:
    """They arrive as fast as ever."""
    async with market() as here:
        await here.start(BTC, max_event_age=30.0)
        await here.seen.becomes("operational")
        here.inject(StaleEvents(age=3600.0))

        stale = await here.seen.next(SubscriptionChanged)

        assert stale.state is SubscriptionState.STALE
        assert (await here.status()).subscriptions[BTC].old > 0


async def test_silence_where_none_is_expected_is_no_fault() -> None:
    async with market(liquidations_per_minute=0.0) as here:
        await here.start(Subscription("btcusdt@forceOrder", inf, inf))
        await here.seen.becomes("operational")

        assert (await here.status()).subscriptions["btcusdt@forceOrder"].age is None


# -- subscriptions ---------------------------------------------------------------------


async def test_a_refused_subscription_is_a_failed_connect() -> None:
    async with market() as here:
        await here.start(BTC, "btcusdt@nonsense")

        exited = await here.seen.next(ChildExited)

        assert exited.reason.startswith(f"SubscribeError: subscription to {BTC}, btcusdt@nonsense: refused with code 2")


async def test_subscriptions_come_and_go_and_outlive_a_crash() -> None:
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")

        await here.feed.ask(Subscribe((Subscription(ETH, 0.5, 0.5),)))
        await here.feed.ask(Unsubscribe((BTC,)))
        assert list((await here.status()).subscriptions) == [ETH]
        here.inject(CloseSockets())
        await here.seen.becomes("cooldown")
        await here.seen.becomes("operational")

        assert list((await here.status()).subscriptions) == [ETH]


async def test_one_bad_name_at_run_time_does_not_cost_the_others() -> None:
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")

        with pytest.raises(SubscribeError, match="unknown stream"):
            await here.feed.ask(Subscribe((Subscription("btcusdt@nonsense"),)))
        here.feed.tell(Subscribe((Subscription("btcusdt@nonsense"),)))
        reported = await here.seen.next(ErrorReported)

        assert reported.error.startswith("SubscribeError")
        assert list((await here.status()).subscriptions) == [BTC]
        assert here.seen.of(ChildExited) == []


async def test_wanted_while_it_connects_is_asked_for_too() -> None:
    async with market() as here:
        refused = here.inject(ConnectionsRefused())
        await here.start(BTC, backoff=Backoff.steps(0.05))
        here.feed.tell(Subscribe((Subscription(ETH, 0.5, 0.5),)))
        await here.seen.becomes("cooldown")
        here.sandbox.faults.clear(refused)
        await here.seen.becomes("operational")

        assert list((await here.status()).subscriptions) == [BTC, ETH]


async def test_more_subscriptions_than_fit_a_request_go_out_in_several() -> None:
    """And not faster than the exchange allows."""
    async with market(messages_per_second=5) as here:
        names = [f"{symbol}@{stream}" for symbol in ("btcusdt", "ethusdt") for stream in ("bookTicker", "depth@100ms")]
        await here.start(*names, path="/public/stream")
        await here.seen.becomes("operational")

        assert set((await here.status()).subscriptions) == set(names)


# -- closes ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1011, 1012, 1013, 4001])
async def test_a_close_that_nobody_asked_for_is_a_reconnect(code: int) -> None:
    async with market() as here:
        await here.start(BTC, ETH)
        await here.seen.becomes("operational")

        here.inject(CloseSockets(code=code, reason="" if code == 1006 else "bye"))

        exited = await here.seen.next(ChildExited)
        assert exited.reason.startswith(f"FeedClosedError: websocket closed by the far end: code {code}")
        await here.seen.becomes("operational")
        assert set((await here.status()).subscriptions) == {BTC, ETH}


async def test_accepted_and_thrown_out_again_is_a_failure_each_time() -> None:
    """The backoff must grow although every handshake succeeds."""
    async with market() as here:
        here.inject(ClosedAfterOpen(code=1008, after=0.1))
        await here.start(BTC, backoff=Backoff.steps(0.01))

        failures = [(await here.seen.next(ChildRestarting)).failures for _ in range(3)]

        assert failures == [1, 2, 3]


async def test_the_end_of_the_bot_closes_the_websocket_in_form() -> None:
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")

        await here.bot.runtime.stop_child("/bot/feed")

        assert (await here.seen.becomes("closed")).why == "stopped"
        assert here.seen.of(ErrorReported) == []


async def test_suspended_it_is_closed_and_resumed_it_subscribes_again() -> None:
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")

        await here.bot.runtime.suspend("/bot/feed")
        await here.seen.becomes("closed")
        await here.bot.runtime.resume("/bot/feed")

        await here.seen.becomes("operational")
        assert here.seen.of(ErrorReported) == []
        assert here.seen.of(ChildExited) == []


# -- handshakes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "why", "floor"),
    [
        (UpgradeRefused(status=429, retry_after=7.0), "upgrade refused with status 429", 7.0),
        (UpgradeRefused(status=403, is_html=True), "upgrade refused with status 403: <", 0.0),
        (UpgradeRefused(status=200, is_html=True), "upgrade refused with status 200: <", 0.0),
        (UpgradeDropped(), "the far end closed the connection during the upgrade", 0.0),
        (ConnectionsRefused(), "OSError: all attempts to connect to 127.0.0.1:", 0.0),
        (ConnectionsReset(), "the far end closed the connection during the upgrade", 0.0),
    ],
    ids=["429", "403", "200", "dropped", "refused", "reset"],
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


# -- rotation --------------------------------------------------------------------------


async def trades_until_rotated(here: Market, rotations: int) -> dict[str, list[int]]:
    """Gather the ids of trades while the websocket is changed so many times, and of a few after that."""
    ids: dict[str, list[int]] = defaultdict(list)
    after = 0
    while after < 20:
        trade = await here.inbox.next(AggTrade)
        ids[trade.symbol].append(trade.id)
        after += len(here.seen.of(FeedRotated)) >= rotations
    return ids


@pytest.mark.parametrize("notice", [5.0, 0.0], ids=["with notice", "closed at once"])
async def test_a_server_that_shuts_down_is_left_in_time(notice: float) -> None:
    async with market() as here:
        await here.start(BTC, ETH)
        await here.seen.becomes("operational")

        here.inject(ServerShutdown(notice=notice))
        rotated = await here.seen.next(FeedRotated)

        assert rotated.why == "server shutdown"
        assert here.seen.of(ChildExited) == []
        assert (await here.status()).rotations == 1
        await here.inbox.next(AggTrade)


async def test_a_server_that_shuts_down_again_and_again_is_a_failure() -> None:
    """Changing the websocket without end would be a reconnect storm without backoff."""
    async with market() as here:
        await here.start(BTC)
        await here.seen.becomes("operational")
        here.inject(ServerShutdown(notice=5.0))
        await here.seen.next(FeedRotated)
        here.inject(ServerShutdown(notice=5.0))

        exited = await here.seen.next(ChildExited)

        assert "server shutdown again, right after the last one" in exited.reason


async def test_a_planned_change_loses_nothing_and_repeats_nothing() -> None:
    async with market() as here:
        await here.start(BTC, ETH, rotate_every=0.3)

        ids = await trades_until_rotated(here, 4)

        assert set(ids) == {"BTCUSDT", "ETHUSDT"}
        for seen in ids.values():
            assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert here.seen.of(ChildExited) == []


async def test_a_change_that_fails_leaves_the_feed_as_it_was() -> None:
    async with market() as here:
        await here.start(BTC, rotate_every=0.2)
        await here.seen.becomes("operational")
        here.inject(ConnectionsRefused(drop_existing=False))

        reported = await here.seen.next(ErrorReported)

        assert "FeedHandshakeError" in reported.error
        assert reported.details == {"hook": "rotate"}
        await here.inbox.next(AggTrade)
        assert here.seen.of(ChildExited) == []


# -- wrong use -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "keys", "message"),
    [
        ("http://x", [BTC], r"^url must begin with ws:// or wss:// and name a host, got 'http://x'$"),
        ("ws://", [BTC], "^url must"),
        ("ws://x", [BTC, BTC], r"^subscriptions must differ, got \['btcusdt@aggTrade', 'btcusdt@aggTrade'\]$"),
    ],
)
def test_wrong_use_is_refused_at_once(url: str, keys: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WebSocketFeed(url, keys)
