"""A feed changes its websocket: in time, without a gap, without a message twice."""

from __future__ import annotations

from collections import defaultdict

import pytest

from duenna import ChildExited, ErrorReported
from duenna_actors.binance import AggTrade
from duenna_actors.feed import (
    FeedRotated,
)
from duenna_actors.sandbox import (
    ConnectionsRefused,
    ServerShutdown,
)

from .market import BTC, ETH, Market, market


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
