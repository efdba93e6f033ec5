"""A feed that knows where Binance's streams are."""

from __future__ import annotations

import pytest

from duenna_actors.binance import AggTrade, BinanceStreamsFeed, section_of
from duenna_actors.feed import Subscription
from tests.actors.market import BTC, ETH, market


@pytest.mark.parametrize(
    ("stream", "section"),
    [
        ("btcusdt@aggTrade", "market"),
        ("btcusdt@markPrice@1s", "market"),
        ("btcusdt@kline_1m", "market"),
        ("btcusdt@forceOrder", "market"),
        ("!forceOrder@arr", "market"),
        ("!markPrice@arr", "market"),
        ("btcusdt@depth", "public"),
        ("btcusdt@depth@100ms", "public"),
        ("btcusdt@depth5", "public"),
        ("btcusdt@bookTicker", "public"),
        ("!bookTicker", "public"),
    ],
)
def test_each_stream_has_its_part_of_the_exchange(stream: str, section: str) -> None:
    assert section_of(stream) == section


async def test_streams_are_found_by_their_names() -> None:
    async with market() as here:
        await here.bot.start("feed", lambda: BinanceStreamsFeed([BTC, Subscription(ETH)], base_url=here.sandbox.ws_url))

        symbols = {(await here.inbox.next(AggTrade)).symbol for _ in range(10)}

        assert symbols == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize("streams", [[], [BTC, "btcusdt@depth"]])
def test_one_websocket_has_streams_of_one_part(streams: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^the streams of one websocket must be of one part of the exchange, got \["):
        BinanceStreamsFeed(streams)


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ({}, "fstream.binance.com"),
        ({"testnet": True}, "fstream.binancefuture.com"),
        ({"base_url": "ws://localhost:8070/"}, "localhost:8070"),
    ],
)
def test_the_base_address_is_all_that_differs(options: dict[str, object], host: str) -> None:
    feed = BinanceStreamsFeed([BTC], **options)  # type: ignore[arg-type]

    assert feed._options.url.endswith(f"://{host}/market/stream")
