"""How fresh the data of the stock actors is, against the sandbox: through silence, a crash and a reconnect."""

from __future__ import annotations

from math import inf

from duenna import ChildExited, Freshness
from duenna_actors.balance import BalanceMonitor
from duenna_actors.binance import AggTrade
from duenna_actors.feed import Subscription, SubscriptionChanged
from duenna_actors.sandbox import Mute

from .market import BTC, ETH, market


async def test_a_feed_says_when_data_came_and_when_more_must_come() -> None:
    async with market() as here:
        runtime = here.bot.runtime
        await here.start(BTC)
        assert runtime.freshness("/bot/feed") == Freshness(None, 0.5)
        before = runtime.now()
        await here.inbox.next(AggTrade)

        found = runtime.freshness("/bot/feed")

        assert found is not None
        assert found.expect_every == 0.5
        assert before <= (found.at or 0.0) <= runtime.now()


async def test_the_subscription_that_is_silent_counts_not_the_lively_one() -> None:
    async with market() as here:
        runtime = here.bot.runtime
        await here.start(BTC, ETH, redrives=50)
        await here.seen.becomes("operational")
        here.inject(Mute(symbol="ETHUSDT"))
        await here.seen.next(SubscriptionChanged)

        found = runtime.freshness("/bot/feed")

        assert found is not None
        assert found.is_stale(runtime.now())


async def test_silence_is_not_forgotten_with_the_websocket_or_the_incarnation() -> None:
    async with market() as here:
        runtime = here.bot.runtime
        await here.start(BTC)
        await here.inbox.next(AggTrade)
        here.inject(Mute())
        await here.seen.next(ChildExited)
        down = runtime.freshness("/bot/feed")
        assert down is not None
        assert down.at is not None
        assert down.is_stale(runtime.now())

        await here.seen.next(ChildExited)

        assert runtime.freshness("/bot/feed") == down


async def test_data_that_may_come_whenever_it_likes_is_never_overdue() -> None:
    async with market() as here:
        runtime = here.bot.runtime
        await here.start(Subscription(BTC, stale_after=inf))
        await here.inbox.next(AggTrade)

        found = runtime.freshness("/bot/feed")

        assert found is not None
        assert found.expect_every is None
        assert found.at is not None


async def test_a_balance_may_miss_two_polls() -> None:
    async with market() as here:
        runtime = here.bot.runtime
        await here.bot.start("balance", lambda: BalanceMonitor("api", every=7.0))
        monitor = runtime.freshness("/bot/balance")

        assert monitor == Freshness(None, 21.0)
