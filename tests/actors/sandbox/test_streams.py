"""Stream names, addresses, requests, feeds and the hub between them."""

import itertools
from typing import Any

import attrs
import msgspec
import pytest

from duenna_actors.sandbox._addresses import is_websocket_path, read_opening
from duenna_actors.sandbox._board import FaultBoard
from duenna_actors.sandbox._errors import ApiError
from duenna_actors.sandbox._exchange import Exchange
from duenna_actors.sandbox._fault_base import FaultBase
from duenna_actors.sandbox._feeds import Feed, make_feed
from duenna_actors.sandbox._frames import text_frame
from duenna_actors.sandbox._hub import Hub
from duenna_actors.sandbox._streams import Section, Stream, parse_stream
from duenna_actors.sandbox._subscriptions import answer
from duenna_actors.sandbox._symbols import find_symbols
from duenna_actors.sandbox.faults import Fault, GarbledFrames, Mute, SequenceGap, StaleEvents
from duenna_actors.sandbox.settings import SandboxSettings
from tests.actors.sandbox.support import seeded

START = 1_700_000_000.0
SYMBOLS = find_symbols(["BTCUSDT", "ETHUSDT"], 0)


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("btcusdt@aggTrade", Stream("btcusdt@aggTrade", "aggTrade", "BTCUSDT")),
        ("btcusdt@bookTicker", Stream("btcusdt@bookTicker", "bookTicker", "BTCUSDT")),
        ("btcusdt@depth", Stream("btcusdt@depth", "depth", "BTCUSDT", 0.25)),
        ("btcusdt@depth@100ms", Stream("btcusdt@depth@100ms", "depth", "BTCUSDT", 0.1)),
        ("btcusdt@markPrice", Stream("btcusdt@markPrice", "markPrice", "BTCUSDT", 3.0)),
        ("ethusdt@markPrice@1s", Stream("ethusdt@markPrice@1s", "markPrice", "ETHUSDT", 1.0)),
        ("btcusdt@kline_15m", Stream("btcusdt@kline_15m", "kline", "BTCUSDT", 0.25, "15m")),
        ("btcusdt@forceOrder", Stream("btcusdt@forceOrder", "forceOrder", "BTCUSDT")),
        ("!forceOrder@arr", Stream("!forceOrder@arr", "forceOrder", "")),
        ("BTCUSDT@aggTrade", None),
        ("xyzusdt@aggTrade", None),
        ("btcusdt@aggtrade", None),
        ("btcusdt@kline_7m", None),
        ("btcusdt@depth@10ms", None),
        ("", None),
    ],
)
def test_names_are_the_exchanges(name: str, stream: Stream | None) -> None:
    assert parse_stream(name, SYMBOLS) == stream


def test_the_base_address_is_split() -> None:
    sections = {stream: parse_stream(f"btcusdt@{stream}", SYMBOLS) for stream in ("depth", "bookTicker", "aggTrade")}

    assert [stream.section for stream in sections.values() if stream] == ["public", "public", "market"]


def opening(path: str, query: str = "", *, strict: bool = True) -> tuple[Section, bool, list[str], str | None]:
    read = read_opening(path, query, SYMBOLS, 3, strict=strict)
    return read.section, read.combined, list(read.streams), read.listen_key


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/public", "", ("public", False, [], None)),
        ("/market/ws", "", ("market", False, [], None)),
        ("/public/ws/btcusdt@depth", "", ("public", False, ["btcusdt@depth"], None)),
        ("/market/stream", "streams=btcusdt@aggTrade/ethusdt@aggTrade",
         ("market", True, ["btcusdt@aggTrade", "ethusdt@aggTrade"], None)),
        ("/private/ws/abc", "", ("private", False, [], "abc")),
        ("/private/ws", "listenKey=abc&events=ORDER_TRADE_UPDATE", ("private", False, [], "abc")),
        ("/private/stream", "streams=abc", ("private", True, [], "abc")),
    ],
)  # fmt: skip
def test_addresses_are_read(path: str, query: str, expected: tuple[Any, ...]) -> None:
    assert opening(path, query) == expected


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/ws/btcusdt@aggTrade", "", 410, -5000),
        ("/stream", "streams=btcusdt@aggTrade", 410, -5000),
        ("/nowhere", "", 404, -5000),
        ("/public/nowhere", "", 404, -5000),
        ("/public/ws/btcusdt@aggTrade", "", 400, -1130),
        ("/public/ws/nothing", "", 400, -1130),
        ("/public/ws/a/b/c/d", "", 400, -1130),
        ("/private/ws", "", 400, -1102),
    ],
)
def test_wrong_addresses_are_refused(path: str, query: str, status: int, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        opening(path, query)
    assert (caught.value.refusal.status, caught.value.refusal.code) == (status, code)


def test_a_lenient_exchange_never_says_why_nothing_comes() -> None:
    read = read_opening("/public/ws/btcusdt@aggTrade/nothing", "", SYMBOLS, 3, strict=False)

    assert read.streams == {"btcusdt@aggTrade": None, "nothing": None}


@pytest.mark.parametrize(
    ("path", "belongs"), [("/public", True), ("/ws/x", True), ("/fapi/v1/time", False), ("*", False)]
)
def test_websocket_paths_are_known(path: str, *, belongs: bool) -> None:
    assert is_websocket_path(path) is belongs


@attrs.define
class FakeSession:
    section: Section = "market"
    combined: bool = False
    names: dict[str, Stream | None] = attrs.field(factory=dict)

    @property
    def subscriptions(self) -> list[str]:
        return list(self.names)

    def subscribe(self, name: str, stream: Stream | None) -> None:
        self.names[name] = stream

    def unsubscribe(self, name: str) -> None:
        self.names.pop(name, None)


def ask(session: FakeSession, text: str, *, strict: bool = True) -> Any:
    return msgspec.json.decode(answer(text, session, lambda name: parse_stream(name, SYMBOLS), 3, strict=strict))


def test_streams_are_subscribed_listed_and_left() -> None:
    session = FakeSession()

    assert ask(session, '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@aggTrade"],"id":1}') == {
        "result": None,
        "id": 1,
    }
    assert ask(session, '{"method":"UNSUBSCRIBE","params":["btcusdt@aggTrade","never"],"id":2}')["result"] is None
    assert ask(session, '{"method":"LIST_SUBSCRIPTIONS","id":3}') == {"result": ["ethusdt@aggTrade"], "id": 3}


def test_the_combined_form_can_be_switched() -> None:
    session = FakeSession()

    assert ask(session, '{"method":"SET_PROPERTY","params":["combined",true],"id":5}') == {"result": None, "id": 5}
    assert ask(session, '{"method":"GET_PROPERTY","params":["combined"],"id":6}') == {"result": True, "id": 6}


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("nope", 3, "Invalid JSON: "),
        ("[" * 5_000, 3, "Invalid JSON: "),
        ("[]", 2, "Invalid request: expected an object"),
        ('{"method":"LIST_SUBSCRIPTIONS"}', 2, "Invalid request: request ID must be an unsigned integer"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":-1}', 2, "Invalid request: request ID must be an unsigned integer"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":true}', 2, "Invalid request: request ID must be an unsigned integer"),
        ('{"method":"BUY","id":1}', 2, "Invalid request: unknown variant `BUY`, expected one of `SUBSCRIBE`"),
        ('{"method":"SUBSCRIBE","id":1}', 2, "Invalid request: params must be an array of stream names"),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2, "Invalid request: params must be an array of stream names"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "Invalid request: stream name must be a string"),
        ('{"method":"SUBSCRIBE","params":["x"],"id":1}', 2, "Invalid request: unknown stream `x`"),
        (
            '{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1}',
            2,
            "Invalid request: stream `btcusdt@depth` belongs to /public, this connection is on /market",
        ),
        (
            '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@aggTrade","btcusdt@kline_3m","x"],"id":1}',
            2,
            "Invalid request: unknown stream `x`",
        ),
        ('{"method":"GET_PROPERTY","params":[1],"id":1}', 2, "Invalid request: property name must be a string"),
        ('{"method":"GET_PROPERTY","params":["x"],"id":1}', 0, "Unknown property"),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":1}', 2, "Invalid request: too many parameters"),
        ('{"method":"SET_PROPERTY","params":["combined"],"id":1}', 1, "Invalid value type: expected Boolean"),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "Invalid value type: expected Boolean"),
    ],
)
def test_a_wrong_request_is_told_so(text: str, code: int, message: str) -> None:
    session = FakeSession()
    error = ask(session, text)["error"]

    assert error["code"] == code
    assert error["msg"].startswith(message)
    assert session.names == {}


def test_a_session_may_have_so_many_streams() -> None:
    session = FakeSession()
    ask(session, '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","ethusdt@aggTrade"],"id":1}')
    asked = '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@kline_1m","btcusdt@kline_3m"],"id":1}'

    assert ask(session, asked)["error"]["msg"] == "Invalid request: too many streams, a connection may have 3"
    assert session.subscriptions == ["btcusdt@aggTrade", "ethusdt@aggTrade"]


def test_a_lenient_exchange_acknowledges_what_it_will_never_send() -> None:
    session = FakeSession()

    asked = '{"method":"SUBSCRIBE","params":["btcusdt@depth","nothing"],"id":1}'
    assert ask(session, asked, strict=False) == {"result": None, "id": 1}
    assert session.names == {"btcusdt@depth": None, "nothing": None}


def exchange(tick: float = 0.2) -> Exchange:
    return Exchange.build(["BTCUSDT", "ETHUSDT"], SandboxSettings(tick=tick), seeded(1), START)


def feed(name: str, tick: float = 0.2, per_minute: float = 3.0) -> Feed:
    built = exchange(tick)
    stream = parse_stream(name, built.symbols)
    assert stream is not None
    return make_feed(stream, built.books, built.tick_at(START), per_minute)


def ticks(made: Feed, count: int, tick: float = 0.2) -> list[dict[str, Any]]:
    first = made.last
    return [
        event
        for number in range(first + 1, first + count + 1)
        if made.due(number, tick)
        for event in made.events(number, 1)
    ]


@pytest.mark.parametrize(
    ("name", "tick", "count"),
    [
        ("btcusdt@aggTrade", 0.2, 50),
        ("btcusdt@depth@100ms", 0.2, 50),
        ("btcusdt@depth@500ms", 0.2, 25),
        ("btcusdt@depth@100ms", 0.01, 5),
        ("btcusdt@markPrice@1s", 0.2, 10),
        ("btcusdt@markPrice", 0.1, 1),
        ("btcusdt@markPrice", 5.0, 50),
    ],
)
def test_a_feed_keeps_its_pace(name: str, tick: float, count: int) -> None:
    """One event per period, or per tick where a tick is longer."""
    assert len(ticks(feed(name, tick), 50, tick)) == count


def test_depth_events_are_a_chain() -> None:
    events = ticks(feed("btcusdt@depth@500ms"), 50)

    assert all(late["pu"] == early["u"] for early, late in itertools.pairwise(events))
    assert all(event["U"] == event["pu"] + 1 <= event["u"] for event in events)


def test_a_feed_that_was_late_tells_all_trades() -> None:
    made = feed("btcusdt@aggTrade")
    first = made.last

    assert [event["a"] for event in made.events(first + 5, 1)] == [first + number for number in range(1, 6)]
    assert len(made.events(first + 5_000, 1)) == 100


def test_a_closed_candle_is_told_before_the_next_one() -> None:
    made = feed("btcusdt@kline_1m", tick=5.0)
    candles = [event["k"] for event in ticks(made, 24, 5.0)]

    closed = [candle for candle in candles if candle["x"]]
    assert len(closed) == 2
    assert closed[1]["t"] == closed[0]["T"] + 1
    assert closed[1]["o"] == closed[0]["c"]
    after = candles[candles.index(closed[0]) + 1]
    assert (after["t"], after["x"]) == (closed[1]["t"], False)


def test_the_extremes_of_an_open_candle_only_grow_apart() -> None:
    highs = [float(event["k"]["h"]) for event in ticks(feed("btcusdt@kline_1h"), 500)]

    assert highs == sorted(highs)


@pytest.mark.parametrize(
    "name",
    [
        "btcusdt@aggTrade",
        "btcusdt@bookTicker",
        "btcusdt@depth",
        "btcusdt@markPrice",
        "btcusdt@kline_1m",
        "!forceOrder@arr",
    ],
)
def test_a_feed_can_give_a_sample_at_any_time(name: str) -> None:
    made = feed(name, per_minute=0.0)

    assert made.sample(5)["E"] == 5


def test_a_depth_sample_fits_behind_any_event() -> None:
    made = feed("btcusdt@depth")
    last = ticks(made, 10)[-1]

    assert made.sample(1)["pu"] == made.sample(1)["u"] == last["u"]


@attrs.define
class FakeSubscriber:
    number: int = 1
    combined: bool = False
    sent: list[bytes] = attrs.field(factory=list)
    pieces: list[bytes] = attrs.field(factory=list)

    def push(self, frames: bytes) -> None:
        self.sent.append(frames)

    def cut(self, piece: bytes) -> None:
        self.pieces.append(piece)


class FakeFaults:
    def __init__(self, *faults: Fault) -> None:
        self.board = FaultBoard(seeded(1))
        for fault in faults:
            self.board.inject(fault, 0.0)

    def strike(self, kind: type[FaultBase], **where: str) -> Any:
        return self.board.strike(kind, 0.0, **where)


EVENT = {"e": "aggTrade", "E": 100_000, "T": 99_999, "s": "BTCUSDT"}
PLAIN = text_frame(b'{"e":"aggTrade","E":100000,"T":99999,"s":"BTCUSDT"}')


def publish(event: dict[str, Any], *faults: Fault) -> FakeSubscriber:
    hub = Hub(FakeFaults(*faults))
    subscriber = FakeSubscriber()
    hub.join("btcusdt@aggTrade", subscriber)
    hub.publish("btcusdt@aggTrade", "btcusdt@aggTrade", "BTCUSDT", event)
    return subscriber


def test_everybody_gets_an_event_in_his_own_form() -> None:
    hub = Hub(FakeFaults())
    plain, combined, absent = FakeSubscriber(1), FakeSubscriber(2, combined=True), FakeSubscriber(3)
    for subscriber in (plain, combined, absent):
        hub.join("btcusdt@aggTrade", subscriber)
    hub.leave("btcusdt@aggTrade", absent)

    hub.publish("btcusdt@aggTrade", "btcusdt@aggTrade", "BTCUSDT", EVENT)

    assert plain.sent == [PLAIN]
    assert combined.sent == [text_frame(b'{"stream":"btcusdt@aggTrade","data":' + PLAIN[2:] + b"}")]
    assert absent.sent == []
    assert hub.delivered == 2
    assert hub.counts() == {"btcusdt@aggTrade": 2}


def test_a_stream_without_listeners_ends() -> None:
    hub = Hub(FakeFaults())
    first, second = FakeSubscriber(1), FakeSubscriber(2)
    made = feed("btcusdt@aggTrade")
    hub.join("btcusdt@aggTrade", first, made)
    hub.join("btcusdt@aggTrade", second, feed("btcusdt@aggTrade"))
    assert hub.feeds == {"btcusdt@aggTrade": made}

    hub.leave("btcusdt@aggTrade", first)
    assert hub.has_listeners("btcusdt@aggTrade")
    hub.leave("btcusdt@aggTrade", second)
    hub.leave("btcusdt@aggTrade", second)

    assert hub.feeds == {}
    assert not hub.has_listeners("btcusdt@aggTrade")


def test_a_mute_stream_says_nothing() -> None:
    assert publish(EVENT, Mute(symbol="BTCUSDT")).sent == []
    assert publish(EVENT, Mute(symbol="ETHUSDT")).sent == [PLAIN]


@pytest.mark.parametrize(
    ("event", "aged"),
    [
        (EVENT, {**EVENT, "E": 40_000, "T": 39_999}),
        ({"e": "markPriceUpdate", "E": 100_000, "T": 7}, {"e": "markPriceUpdate", "E": 40_000, "T": 7}),
        (
            {"e": "forceOrder", "E": 100_000, "o": {"T": 100_000}},
            {"e": "forceOrder", "E": 40_000, "o": {"T": 40_000}},
        ),
    ],
)
def test_stale_events_bear_an_old_time(event: dict[str, Any], aged: dict[str, Any]) -> None:
    """The `T` of a mark price is the next funding, which does not age."""
    sent = publish(event, StaleEvents(age=60.0)).sent

    assert sent == [text_frame(msgspec.json.encode(aged))]
    assert event["E"] == 100_000


def test_a_gap_is_one_depth_event_that_is_missing() -> None:
    hub = Hub(FakeFaults(SequenceGap()))
    subscriber = FakeSubscriber()
    hub.join("btcusdt@depth", subscriber)
    for event in ticks(feed("btcusdt@depth@100ms"), 3):
        hub.publish("btcusdt@depth", "btcusdt@depth", "BTCUSDT", event)

    assert len(subscriber.sent) == 2
    assert publish(EVENT, SequenceGap()).sent == [PLAIN]


@pytest.mark.parametrize("mode", ["truncated", "garbled", "html", "bad_utf8", "bad_frame"])
def test_a_garbled_frame_is_no_event(mode: Any) -> None:
    sent = publish(EVENT, GarbledFrames(mode=mode)).sent

    assert len(sent) == 1
    assert sent != [PLAIN]


def test_a_cut_frame_is_half_a_frame() -> None:
    subscriber = publish(EVENT, GarbledFrames(mode="cut"))

    assert subscriber.sent == []
    assert subscriber.pieces == [PLAIN[: len(PLAIN) // 2]]


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f" + bytes(5) + b"\x01\x00\x00"),
    ],
)
def test_frames_have_the_three_lengths(length: int, head: bytes) -> None:
    """RFC 6455, 5.2."""
    assert text_frame(b"x" * length) == head + b"x" * length
