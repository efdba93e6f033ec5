"""Feeds against the sandbox's faults, over real sockets: whatever happens to the websocket, data comes again."""

from __future__ import annotations

from math import inf

import pytest

from duenna import Backoff, ChildExited, ChildRestarting, ErrorReported
from duenna.connection import ConnectionState
from duenna_actors.binance import AggTrade
from duenna_actors.feed import (
    Subscribe,
    SubscribeError,
    Subscription,
    SubscriptionChanged,
    SubscriptionState,
    Unsubscribe,
    WebSocketFeed,
)
from duenna_actors.sandbox import (
    ClosedAfterOpen,
    CloseSockets,
    ConnectionsRefused,
    Mute,
    StaleEvents,
)

from .market import BTC, ETH, market
from .support import Inbox

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
