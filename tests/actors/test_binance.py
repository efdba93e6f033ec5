"""Binance's stream messages, as they are documented and as they are broken."""

from __future__ import annotations

import msgspec
import pytest

from duenna_actors.binance import AggTrade, BinanceStreams, BookTicker, DepthUpdate, ForceOrder, Kline, MarkPrice
from duenna_actors.feed_protocol import Acknowledged, Data, Incoming, Refused, ShuttingDown, Unknown

TRADE = (
    '{"e":"aggTrade","E":123456789,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","f":100,"l":105,'
    '"T":123456785,"m":true,"st":1}'
)
TICKER = (
    '{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BNBUSDT","b":"25.35190000",'
    '"B":"31.21000000","a":"25.36520000","A":"40.66000000","st":1,"ps":"BNBUSDT"}'
)
DEPTH = (
    '{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","ps":"BTCUSDT","st":1,"U":157,"u":160,"pu":149,'
    '"b":[["0.0024","10"]],"a":[["0.0026","100"]]}'
)
FORCE = (
    '{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014",'
    '"p":"9910.00000000","ap":"9910.12345678","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893}}'
)
MARK = (
    '{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",'
    '"P":"11784.25641265","r":"0.00038167","T":1562306400000,"st":1}'
)
KLINE = (
    '{"e":"kline","E":1000,"s":"BTCUSDT","k":{"t":1,"T":2,"s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010",'
    '"c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":true,"q":"1.0000","V":"500","Q":"0.500","B":"1"}}'
)


def decode(frame: str | bytes) -> Incoming:
    (incoming,) = BinanceStreams().decode(frame)
    return incoming


def message_of(frame: str) -> object:
    incoming = decode(frame)
    assert isinstance(incoming, Data)
    return incoming.message


@pytest.mark.parametrize(
    ("frame", "key", "event_time", "order"),
    [
        (TRADE, "btcusdt@aggTrade", 123456.789, 5933014),
        (TICKER, "bnbusdt@bookTicker", 1568014460.893, 400900217),
        (DEPTH, "btcusdt@depth", 123456.789, 160),
        (FORCE, "btcusdt@forceOrder", 1568014460.893, 1568014460893),
        (MARK, "btcusdt@markPrice", 1562305380.0, 1562305380000),
        (KLINE, "btcusdt@kline_1m", 1.0, 1000),
    ],
    ids=["aggTrade", "bookTicker", "depthUpdate", "forceOrder", "markPriceUpdate", "kline"],
)
def test_a_raw_frame_names_its_stream_by_its_content(frame: str, key: str, event_time: float, order: int) -> None:
    incoming = decode(frame)

    assert isinstance(incoming, Data)
    assert (incoming.key, incoming.event_time, incoming.order) == (key, event_time, order)


def test_a_combined_frame_names_its_stream() -> None:
    incoming = decode(f'{{"stream":"btcusdt@depth@100ms","data":{DEPTH}}}')

    assert isinstance(incoming, Data)
    assert incoming.key == "btcusdt@depth@100ms"
    assert isinstance(incoming.message, DepthUpdate)


def test_numbers_are_numbers() -> None:
    trade, ticker, depth = message_of(TRADE), message_of(TICKER), message_of(DEPTH)

    assert isinstance(trade, AggTrade)
    assert (trade.price, trade.quantity, trade.is_buyer_maker) == (0.001, 100.0, True)
    assert isinstance(ticker, BookTicker)
    assert (ticker.bid, ticker.ask) == (25.3519, 25.3652)
    assert isinstance(depth, DepthUpdate)
    assert (depth.bids, depth.asks) == ([(0.0024, 10.0)], [(0.0026, 100.0)])
    assert (depth.first_id, depth.last_id, depth.previous_id) == (157, 160, 149)


def test_nested_events_are_decoded_to_the_end() -> None:
    force, mark, kline = message_of(FORCE), message_of(MARK), message_of(KLINE)

    assert isinstance(force, ForceOrder)
    assert (force.order.side, force.order.average_price) == ("SELL", 9910.12345678)
    assert isinstance(mark, MarkPrice)
    assert mark.funding_rate == 0.00038167
    assert isinstance(kline, Kline)
    assert (kline.candle.high, kline.candle.is_closed) == (0.0025, True)


@pytest.mark.parametrize(
    ("frame", "incoming"),
    [
        ('{"result":null,"id":1}', Acknowledged(1)),
        ('{"error":{"code":2,"msg":"Invalid request"},"id":1}', Refused(1, 2, "Invalid request")),
        ('{"code":3,"msg":"Invalid JSON"}', Refused(None, 3, "Invalid JSON")),
        ('{"e":"serverShutdown","E":1}', ShuttingDown()),
        ('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}', ShuttingDown()),
        ('{"e":"tomorrowsEvent","E":1}', Unknown("tomorrowsEvent")),
        ('{"stream":"x","data":{"e":"tomorrowsEvent"}}', Unknown("tomorrowsEvent")),
        (TRADE.encode(), decode(TRADE)),
    ],
)
def test_everything_else_that_is_said(frame: str | bytes, incoming: Incoming) -> None:
    assert decode(frame) == incoming


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "<html>",
        "{}",
        "[]",
        "null",
        '{"e":"aggTrade","E":1}',
        '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1}}',
        '{"stream":"btcusdt@aggTrade","data":{}}',
        f'{{"stream":"btcusdt@aggTrade","data":{TRADE}'[:-7],
        b"\xff\xfe\x00",
        b'{"e":"\xff"}',
    ],
)
def test_what_makes_no_sense_is_a_value_error(frame: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(frame)


def test_requests_have_the_documented_form() -> None:
    streams = BinanceStreams()

    assert msgspec.json.decode(streams.subscribe(["btcusdt@aggTrade"], 1)) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@aggTrade"],
        "id": 1,
    }
    assert msgspec.json.decode(streams.unsubscribe(["a", "b"], 2))["method"] == "UNSUBSCRIBE"
