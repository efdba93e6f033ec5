"""Binance's market streams, by their names alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from duenna_actors._subscriptions import Subscription
from duenna_actors.feed import WebSocketFeed

if TYPE_CHECKING:
    from collections.abc import Iterable

STREAMS_URL = "wss://fstream.binance.com"
TESTNET_STREAMS_URL = "wss://fstream.binancefuture.com"

Section = Literal["public", "market", "private"]
"""The three parts that the base address is split into since 2026-04-23; a websocket belongs to one of them."""

_PUBLIC = ("depth", "bookTicker", "rpiDepth")


def section_of(stream: str) -> Section:
    """Return the part of the exchange that serves *stream*: `public` for books and best prices, else `market`."""
    kind = stream.partition("@")[2] or stream.removeprefix("!")
    return "public" if kind.startswith(_PUBLIC) else "market"


def base_url_of(base_url: str | None, *, testnet: bool) -> str:
    """Return the base address of the websockets: *base_url*, or that of Binance, or of its testnet."""
    return (base_url or (TESTNET_STREAMS_URL if testnet else STREAMS_URL)).rstrip("/")


class BinanceStreamsFeed(WebSocketFeed):
    """A `WebSocketFeed` of Binance's market streams that knows where they are.

    All of them share one websocket, which is changed for another one before the exchange cuts it
    off after 24 hours, and when the exchange says that it will shut down: `FeedRotated`.
    """

    def __init__(
        self,
        streams: Iterable[str | Subscription],
        *,
        base_url: str | None = None,
        testnet: bool = False,
        **options: Any,
    ) -> None:
        """Describe the feed; nothing is opened yet.

        Args:
            streams: Names such as `btcusdt@aggTrade`, or a `Subscription` with deadlines of its own.
            base_url: Of the websockets; None: Binance's.
            testnet: Binance's testnet instead.
            options: Those of `WebSocketFeed`.

        Raises:
            ValueError: There are no streams, or they belong to different parts of the exchange.
        """
        wanted = tuple(streams)
        names = [each.key if isinstance(each, Subscription) else each for each in wanted]
        sections = sorted({section_of(name) for name in names})
        if len(sections) != 1:
            message = f"the streams of one websocket must be of one part of the exchange, got {names} of {sections}"
            raise ValueError(message)
        super().__init__(f"{base_url_of(base_url, testnet=testnet)}/{sections[0]}/stream", wanted, **options)
