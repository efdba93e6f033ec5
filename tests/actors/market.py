"""A quick sandbox, a bot with a feed on it, and a consumer of its trades."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from duenna_actors.binance import AggTrade, BookTicker
from duenna_actors.feed import (
    FeedStatus,
    GetFeedStatus,
    Subscription,
    WebSocketFeed,
)
from duenna_actors.sandbox import (
    Fault,
    Sandbox,
    SandboxSettings,
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
