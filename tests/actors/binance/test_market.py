"""Market data as it is documented, and as it is broken: which answers are malformed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from duenna_actors.binance import (
    Call,
    FetchDepth,
    FetchFundingRates,
    FetchMarkPrice,
    FetchOhlcv,
    FetchOpenInterest,
    FetchOpenInterestHistory,
    FetchTakerRatio,
    FetchTraderRatio,
    FundingRate,
    Gate,
    MarkPriceNow,
    Ohlcv,
    OpenInterest,
    OpenInterestAt,
    TakerRatio,
    TraderRatio,
)

NOW = 1_700_000_080_000  # 40 s after a full minute
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
OPEN = 1_700_000_040_000 - MINUTE


def answer(call: Call[Any], body: str, now: int = NOW) -> Any:
    """Decode *body* as the client does."""
    decoder = msgspec.json.Decoder(call.request().type, strict=False)
    return call.read(decoder.decode(body), now)


def kline(opened: int = OPEN, length: int = MINUTE, **columns: object) -> list[object]:
    row: dict[str, object] = {
        "open_time": opened,
        "open": "10.0",
        "high": "12.0",
        "low": "9.0",
        "close": "11.0",
        "volume": "100.0",
        "close_time": opened + length - 1,
        "quote_volume": "1050.0",
        "trades": 7,
        "taker_buy_volume": "60.0",
        "taker_buy_quote_volume": "630.0",
        "unused": "0",
    }
    assert set(columns) <= set(row)
    return list((row | columns).values())


def klines(*rows: list[object]) -> str:
    return msgspec.json.encode(rows).decode()


# -- candles ---------------------------------------------------------------------------


def test_candles_are_asked_for_in_binances_words() -> None:
    request = FetchOhlcv("sol/usdt", "5min", limit=3, since=1_700_000_000_000, until=1_700_000_600_000).request()

    assert (request.method, request.path, request.is_signed) == ("GET", "/fapi/v1/klines", False)
    assert request.params == {
        "symbol": "SOLUSDT",
        "interval": "5m",
        "limit": 3,
        "startTime": 1_700_000_000_000,
        "endTime": 1_700_000_600_000,
    }
    assert FetchOhlcv("SOLUSDT").request().params == {"symbol": "SOLUSDT", "interval": "1m"}


def test_a_candle_has_names_and_numbers() -> None:
    (candle,) = answer(FetchOhlcv("SOLUSDT", "1m"), klines(kline()))

    assert candle == Ohlcv(
        open_time_ms=OPEN,
        close_time_ms=OPEN + 59_999,
        open=10.0,
        high=12.0,
        low=9.0,
        close=11.0,
        volume=100.0,
        quote_volume=1050.0,
        trades=7,
        taker_buy_volume=60.0,
        taker_buy_quote_volume=630.0,
        is_closed=True,
    )


def test_the_documented_candle_is_read() -> None:
    """All its columns are there; that it lasts from Monday to Sunday makes it one of a week."""
    documented = (
        '[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",1499644799999,'
        '"2434.19055334",308,"1756.87402397","28.46694368","0"]]'
    )

    (candle,) = answer(FetchOhlcv("BTCUSDT", "1w"), documented)

    assert (candle.close, candle.trades) == (0.015771, 308)


def test_a_candle_is_closed_once_it_was_over_when_it_was_asked_for() -> None:
    early, late = answer(FetchOhlcv("SOLUSDT", "1m"), klines(kline(), kline(OPEN + MINUTE)))
    (now,) = answer(FetchOhlcv("SOLUSDT", "1m"), klines(kline()), now=OPEN + MINUTE - 1)

    assert [candle.is_closed for candle in (early, late, now)] == [True, False, False]


def test_more_columns_than_there_were_are_no_reason_to_stop() -> None:
    assert len(answer(FetchOhlcv("SOLUSDT", "1m"), klines([*kline(), "new"]))) == 1


def test_months_have_no_one_length() -> None:
    assert len(answer(FetchOhlcv("SOLUSDT", "1M"), klines(kline(OPEN, 30 * DAY)))) == 1


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"open": "nan"}, "Expected `float` > 0"),
        ({"high": "Infinity"}, "Expected `float` < 1"),
        ({"low": "0"}, "Expected `float` > 0"),
        ({"low": "-9.0"}, "Expected `float` > 0"),
        ({"close": ""}, "Expected `float`, got `str`"),
        ({"close": None}, "Expected `float`, got `null`"),
        ({"high": "10.5"}, "open and close must be within low and high, got open 10.0, high 10.5, low 9.0, close 11.0"),
        ({"low": "10.5"}, "open and close must be within low and high"),
        ({"high": "1", "low": "2"}, "open and close must be within low and high"),
        ({"volume": "-1"}, "Expected `float` >= 0"),
        ({"quote_volume": "nan"}, "Expected `float` >= 0"),
        ({"trades": -1}, "Expected `int` >= 0"),
        ({"trades": 1.5}, "Expected `int`, got `float`"),
        ({"taker_buy_volume": "100.1"}, "takers cannot have bought 100.1 of a volume of 100.0"),
        ({"open_time": -MINUTE}, "Expected `int` >= 0"),
    ],
)
def test_a_candle_that_cannot_be_is_refused(columns: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=r"\$\[1\]") as caught:
        answer(FetchOhlcv("SOLUSDT", "1m"), klines(kline(), kline(OPEN + MINUTE, **columns)))

    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([kline()[:11]], "Expected `array` of at least length 12, got 11"),
        ([], "no rows, there must be some"),
        ([kline(), kline()], "rows out of order: 1699999980000 comes after 1699999980000"),
        ([kline(), kline(OPEN - MINUTE)], "rows out of order"),
        ([kline(OPEN - 2 * MINUTE), kline(OPEN - MINUTE), kline(), kline(OPEN + MINUTE)], "4 rows, 3 were asked for"),
        ([kline(OPEN + 1)], "is none of 1m"),
        ([kline(length=5 * MINUTE)], "a candle from 1699999980000 to 1700000279999 is none of 1m"),
    ],
)
def test_candles_that_do_not_fit_what_was_asked_for_are_refused(rows: list[list[object]], why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        answer(FetchOhlcv("SOLUSDT", "1m", limit=3), klines(*rows))

    assert why in str(caught.value)


@pytest.mark.parametrize("body", ["{}", "null", "[1]", '[["a"]]', '{"code":-1121,"msg":"x"}', '"ok"'])
def test_another_shape_is_refused(body: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        answer(FetchOhlcv("SOLUSDT", "1m"), body)


def test_candles_of_another_time_are_refused() -> None:
    since = FetchOhlcv("SOLUSDT", "1m", since=OPEN)
    until = FetchOhlcv("SOLUSDT", "1m", until=OPEN)

    with pytest.raises(ValueError, match=rf"^a row of {OPEN - MINUTE}, none before {OPEN} was asked for$"):
        answer(since, klines(kline(OPEN - MINUTE)))
    with pytest.raises(ValueError, match=rf"^a row of {OPEN + MINUTE}, none after {OPEN} was asked for$"):
        answer(until, klines(kline(OPEN + MINUTE)))
    assert len(answer(since, klines(kline()))) == len(answer(until, klines(kline()))) == 1


@pytest.mark.parametrize(
    ("span", "may_be_empty"),
    [
        ({}, False),
        ({"limit": 3}, False),
        ({"since": NOW - DAY}, True),
        ({"since": NOW + HOUR}, True),
        ({"until": NOW - 9_000 * DAY // 1_000}, True),
        ({"since": NOW - DAY, "until": NOW - DAY}, True),
    ],
)
def test_no_rows_are_an_answer_only_where_there_need_not_be_any(span: dict[str, int], may_be_empty: bool) -> None:
    """A poll of what is new finds nothing most of the time, and of a contract that is not traded yet, or any more."""
    call = FetchOhlcv("SOLUSDT", "1m", **span)

    if may_be_empty:
        assert answer(call, "[]") == []
    else:
        with pytest.raises(ValueError, match=r"^no rows, there must be some$"):
            answer(call, "[]")


# -- the others ------------------------------------------------------------------------

INTEREST = '{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}'
INTERESTS = (
    '[{"symbol":"BTCUSDT","sumOpenInterest":"20403.12345678","sumOpenInterestValue":"176196512.12345678",'
    '"CMCCirculatingSupply":"165880.538","timestamp":1591261042378}]'
)
FUNDING = (
    '[{"symbol":"BTCUSDT","fundingRate":"-0.03750000","fundingTime":1570608000000,"markPrice":"34287.54619963",'
    '"rateType":"Regular"}]'
)
MARK = (
    '{"symbol":"BTCUSDT","markPrice":"11793.63104562","indexPrice":"11781.80495970",'
    '"estimatedSettlePrice":"11781.16138815","lastFundingRate":"0.00038246","interestRate":"0.00010000",'
    '"nextFundingTime":1597392000000,"time":1597370495002}'
)
RATIO = (
    '[{"symbol":"BTCUSDT","longShortRatio":"1.8105","longAccount":"0.6442","shortAccount":"0.3558",'
    '"timestamp":1591261042378}]'
)
TAKER = '[{"buySellRatio":"1.5586","buyVol":"387.3300","sellVol":"248.5030","timestamp":1591261042378}]'
DEPTH = (
    '{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],'
    '"asks":[["4.00000200","12.00000000"]]}'
)


def test_documented_answers_are_read() -> None:
    assert answer(FetchOpenInterest("BTC/USDT"), INTEREST) == OpenInterest(
        symbol="BTCUSDT", open_interest=10659.509, time_ms=1589437530011
    )
    assert answer(FetchOpenInterestHistory("BTCUSDT"), INTERESTS) == [
        OpenInterestAt(symbol="BTCUSDT", open_interest=20403.12345678, value=176196512.12345678, time_ms=1591261042378)
    ]
    assert answer(FetchFundingRates("BTCUSDT"), FUNDING) == [
        FundingRate(symbol="BTCUSDT", rate=-0.0375, time_ms=1570608000000, mark_price=34287.54619963)
    ]
    assert answer(FetchMarkPrice("BTCUSDT"), MARK) == MarkPriceNow(
        symbol="BTCUSDT",
        mark_price=11793.63104562,
        index_price=11781.8049597,
        funding_rate=0.00038246,
        next_funding_ms=1597392000000,
        time_ms=1597370495002,
    )
    assert answer(FetchTraderRatio("BTCUSDT"), RATIO) == [
        TraderRatio(symbol="BTCUSDT", ratio=1.8105, long_share=0.6442, short_share=0.3558, time_ms=1591261042378)
    ]
    assert answer(FetchTakerRatio("BTCUSDT"), TAKER) == [
        TakerRatio(ratio=1.5586, bought=387.33, sold=248.503, time_ms=1591261042378)
    ]
    assert answer(FetchDepth("BTCUSDT"), DEPTH).bids == [(4.0, 431.0)]


@pytest.mark.parametrize(
    ("call", "path", "params"),
    [
        (FetchOpenInterest("btc-usdt"), "/fapi/v1/openInterest", {"symbol": "BTCUSDT"}),
        (
            FetchOpenInterestHistory("BTCUSDT", "60m", limit=2),
            "/futures/data/openInterestHist",
            {"symbol": "BTCUSDT", "period": "1h", "limit": 2},
        ),
        (FetchFundingRates(), "/fapi/v1/fundingRate", {}),
        (FetchMarkPrice("BTCUSDT"), "/fapi/v1/premiumIndex", {"symbol": "BTCUSDT"}),
        (
            FetchTraderRatio("BTCUSDT", "1d"),
            "/futures/data/globalLongShortAccountRatio",
            {"symbol": "BTCUSDT", "period": "1d"},
        ),
        (
            FetchTraderRatio("BTCUSDT", "1d", "top_accounts"),
            "/futures/data/topLongShortAccountRatio",
            {"symbol": "BTCUSDT", "period": "1d"},
        ),
        (
            FetchTraderRatio("BTCUSDT", "1d", "top_positions"),
            "/futures/data/topLongShortPositionRatio",
            {"symbol": "BTCUSDT", "period": "1d"},
        ),
        (
            FetchTakerRatio("BTCUSDT", "30min"),
            "/futures/data/takerlongshortRatio",
            {"symbol": "BTCUSDT", "period": "30m"},
        ),
        (FetchDepth("BTCUSDT", 20), "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": 20}),
    ],
)
def test_each_is_asked_for_at_its_path(call: Call[Any], path: str, params: dict[str, object]) -> None:
    request = call.request()

    assert (request.method, request.path, request.params) == ("GET", path, params)


@pytest.mark.parametrize(
    ("call", "body", "wrong", "right"),
    [
        (FetchOpenInterest("BTCUSDT"), INTEREST, '"-1"', '"10659.509"'),
        (FetchOpenInterest("BTCUSDT"), INTEREST, "ETHUSDT", "BTCUSDT"),
        (FetchOpenInterest("BTCUSDT"), INTEREST, '"Infinity"', '"10659.509"'),
        (FetchOpenInterestHistory("BTCUSDT"), INTERESTS, "ETHUSDT", "BTCUSDT"),
        (FetchOpenInterestHistory("BTCUSDT"), INTERESTS, "-1", "20403.12345678"),
        (FetchOpenInterestHistory("BTCUSDT"), INTERESTS, "timestam", "timestamp"),
        (FetchFundingRates("BTCUSDT"), FUNDING, "-1.5", "-0.03750000"),
        (FetchFundingRates("BTCUSDT"), FUNDING, "ETHUSDT", "BTCUSDT"),
        (FetchFundingRates("BTCUSDT"), FUNDING, "-34287", "34287"),
        (FetchFundingRates("BTCUSDT"), FUNDING, "x34287", "34287"),
        (FetchMarkPrice("BTCUSDT"), MARK, '"0"', '"11793.63104562"'),
        (FetchMarkPrice("BTCUSDT"), MARK, "ETHUSDT", "BTCUSDT"),
        (FetchMarkPrice("BTCUSDT"), MARK, "nan", "0.00038246"),
        (FetchTraderRatio("BTCUSDT"), RATIO, "1.6442", "0.6442"),
        (FetchTraderRatio("BTCUSDT"), RATIO, "0.7442", "0.6442"),
        (FetchTraderRatio("BTCUSDT"), RATIO, "-1.8", "1.8105"),
        (FetchTraderRatio("BTCUSDT"), RATIO, "ETHUSDT", "BTCUSDT"),
        (FetchTakerRatio("BTCUSDT"), TAKER, "-387", "387"),
        (FetchTakerRatio("BTCUSDT"), TAKER, '""', '"248.5030"'),
        (FetchDepth("BTCUSDT"), DEPTH, '"4.00000300"', '"4.00000000"'),
        (FetchDepth("BTCUSDT"), DEPTH, '"nan"', '"431.00000000"'),
        (FetchDepth("BTCUSDT"), DEPTH, '["3","1"],["4.00000000"', '["4.00000000"'),
        (FetchDepth("BTCUSDT"), DEPTH, '["5","1"],["4.00000200"', '["4.00000200"'),
        (FetchOpenInterestHistory("BTCUSDT"), INTERESTS, "[]", INTERESTS),
        (FetchFundingRates(), FUNDING, "[]", FUNDING),
        (FetchTraderRatio("BTCUSDT"), RATIO, "[]", RATIO),
        (FetchTakerRatio("BTCUSDT"), TAKER, "[]", TAKER),
        (FetchDepth("BTCUSDT"), DEPTH, '{"lastUpdateId":1,"bids":[],"asks":[]}', DEPTH),
        (FetchTraderRatio("BTCUSDT"), RATIO, f"{RATIO[:-1]},{RATIO[1:]}", RATIO),
    ],
)
def test_what_cannot_be_is_refused(call: Call[Any], body: str, wrong: str, right: str) -> None:
    answer(call, body)
    assert right in body

    with pytest.raises(ValueError, match=r"."):
        answer(call, body.replace(right, wrong))


@pytest.mark.parametrize("symbol", ["BTC/USDT:USDT-260925", "NEWUSDT"], ids=["it expires", "in its first 8 hours"])
def test_one_contract_may_never_have_had_any_funding(symbol: str) -> None:
    assert answer(FetchFundingRates(symbol), "[]") == []


def test_funding_of_all_contracts_is_paid_at_the_same_time() -> None:
    """And an old payment has no mark price."""
    body = FUNDING[:-1] + "," + FUNDING[1:].replace("BTC", "ETH").replace("34287.54619963", "")

    btc, eth = answer(FetchFundingRates(), body)

    assert (btc.symbol, eth.symbol, eth.mark_price, btc.time_ms) == ("BTCUSDT", "ETHUSDT", None, eth.time_ms)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (FetchOhlcv("SOL"), "^symbol must be"),
        (FetchOhlcv("SOLUSDT", "7m"), "^interval must be"),
        (FetchOhlcv("SOLUSDT", limit=0), "^limit must be 1 to 1500, got 0$"),
        (FetchOhlcv("SOLUSDT", limit=1501), "^limit must be 1 to 1500, got 1501$"),
        (FetchOhlcv("SOLUSDT", since=5), "^since must be"),
        (FetchOhlcv("SOLUSDT", since=NOW, until=NOW - 1), "^since must be <= until, got "),
        (FetchOpenInterestHistory("SOLUSDT", "1m"), "^period must be"),
        (FetchOpenInterestHistory("SOLUSDT", limit=501), "^limit must be 1 to 500, got 501$"),
        (FetchFundingRates(limit=1001), "^limit must be 1 to 1000, got 1001$"),
        (FetchTraderRatio("SOLUSDT", traders="some"), "^traders must be one of all, top_accounts, "),  # type: ignore[arg-type]
        (FetchDepth("SOLUSDT", 7), "^limit must be one of 5, 10, 20, 50, 100, 500, 1000, got 7$"),
    ],
)
def test_wrong_use_is_told_before_anything_is_sent(call: Call[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call.request()


@pytest.mark.parametrize(
    ("call", "gate", "weight"),
    [
        (FetchOhlcv("SOLUSDT"), Gate.WEIGHT, 5),
        (FetchOhlcv("SOLUSDT", limit=99), Gate.WEIGHT, 1),
        (FetchOhlcv("SOLUSDT", limit=100), Gate.WEIGHT, 2),
        (FetchOhlcv("SOLUSDT", limit=499), Gate.WEIGHT, 2),
        (FetchOhlcv("SOLUSDT", limit=1000), Gate.WEIGHT, 5),
        (FetchOhlcv("SOLUSDT", limit=1001), Gate.WEIGHT, 10),
        (FetchOpenInterest("SOLUSDT"), Gate.WEIGHT, 1),
        (FetchMarkPrice("SOLUSDT"), Gate.WEIGHT, 1),
        (FetchDepth("SOLUSDT", 50), Gate.WEIGHT, 2),
        (FetchDepth("SOLUSDT", 100), Gate.WEIGHT, 5),
        (FetchDepth("SOLUSDT"), Gate.WEIGHT, 10),
        (FetchDepth("SOLUSDT", 1000), Gate.WEIGHT, 20),
        (FetchOpenInterestHistory("SOLUSDT"), Gate.STATISTICS, 1),
        (FetchTraderRatio("SOLUSDT"), Gate.STATISTICS, 1),
        (FetchFundingRates(), Gate.FUNDING, 1),
    ],
)
def test_each_costs_what_the_exchange_takes(call: Call[Any], gate: Gate, weight: int) -> None:
    assert (call.gate, call.weigh(call.request())) == (gate, weight)
