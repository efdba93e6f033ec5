"""The REST interface over real sockets, without faults."""

from __future__ import annotations

import re

import pytest
import trio

from duenna_actors.sandbox import SandboxSettings, open_sandbox
from tests.actors.sandbox.support import QUICK, raw, read_all, rest_client

SYMBOL = {"symbol": "BTCUSDT"}
PERIOD = {**SYMBOL, "period": "5m", "limit": 2}


async def test_the_answers_have_the_exchanges_shapes() -> None:
    """Field by field as in facts/feeds.md, which has them from the documentation of the exchange."""
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        row = (await rest.get("/fapi/v1/klines", **SYMBOL, interval="1m", limit=3)).json()[0]
        assert [type(column) for column in row] == [int, str, str, str, str, str, int, str, int, str, str, str]
        assert row[6] == row[0] + 59_999

        depth = (await rest.get("/fapi/v1/depth", **SYMBOL, limit=5)).json()
        assert list(depth) == ["lastUpdateId", "E", "T", "bids", "asks"]
        assert len(depth["bids"]) == len(depth["asks"]) == 5
        assert float(depth["bids"][0][0]) < float(depth["asks"][0][0])

        interest = (await rest.get("/fapi/v1/openInterest", **SYMBOL)).json()
        assert list(interest) == ["openInterest", "symbol", "time"]

        history = (await rest.get("/futures/data/openInterestHist", **PERIOD)).json()
        assert list(history[0]) == [
            "symbol",
            "sumOpenInterest",
            "sumOpenInterestValue",
            "CMCCirculatingSupply",
            "timestamp",
        ]
        assert history[1]["timestamp"] - history[0]["timestamp"] == 300_000

        funding = (await rest.get("/fapi/v1/fundingRate", **SYMBOL, limit=2)).json()
        assert list(funding[0]) == ["symbol", "fundingRate", "fundingTime", "markPrice", "rateType"]

        premium = (await rest.get("/fapi/v1/premiumIndex", **SYMBOL)).json()
        assert list(premium) == [
            "symbol",
            "markPrice",
            "indexPrice",
            "estimatedSettlePrice",
            "lastFundingRate",
            "interestRate",
            "nextFundingTime",
            "time",
        ]

        for name in ("globalLongShortAccountRatio", "topLongShortAccountRatio", "topLongShortPositionRatio"):
            ratio = (await rest.get(f"/futures/data/{name}", **PERIOD)).json()
            assert list(ratio[0]) == ["symbol", "longShortRatio", "longAccount", "shortAccount", "timestamp"]

        taker = (await rest.get("/futures/data/takerlongshortRatio", **PERIOD)).json()
        assert list(taker[0]) == ["buySellRatio", "buyVol", "sellVol", "timestamp"]

        ticker = (await rest.get("/fapi/v1/ticker/price", **SYMBOL)).json()
        assert list(ticker) == ["symbol", "price", "time"]

        info = (await rest.get("/fapi/v1/exchangeInfo")).json()
        assert [symbol["symbol"] for symbol in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
        assert (await rest.get("/fapi/v1/ping")).json() == {}

        balance = (await rest.signed("GET", "/fapi/v3/balance")).json()
        assert list(balance[0]) == [
            "accountAlias",
            "asset",
            "balance",
            "crossWalletBalance",
            "crossUnPnl",
            "availableBalance",
            "maxWithdrawAmount",
            "marginAvailable",
            "updateTime",
        ]


async def test_without_a_symbol_there_is_a_row_for_each() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        for path in ("/fapi/v1/premiumIndex", "/fapi/v1/ticker/price"):
            assert [row["symbol"] for row in (await rest.get(path)).json()] == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/fapi/v1/klines", {}, 400, -1102),
        ("/fapi/v1/klines", {"symbol": ""}, 400, -1102),
        ("/fapi/v1/klines", {"symbol": "NOPE"}, 400, -1121),
        ("/fapi/v1/klines", SYMBOL, 400, -1102),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "7m"}, 400, -1120),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "limit": 1_501}, 400, -1130),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "limit": "many"}, 400, -1100),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "startTime": 2, "endTime": 1}, 400, -1023),
        ("/fapi/v1/depth", {**SYMBOL, "limit": 11}, 400, -4021),
        ("/fapi/v1/fundingRate", {"limit": 1_001}, 400, -1130),
        ("/futures/data/openInterestHist", SYMBOL, 400, -1102),
        ("/futures/data/openInterestHist", {**SYMBOL, "period": "1m"}, 400, -1130),
        ("/futures/data/openInterestHist", {**PERIOD, "startTime": 1}, 400, -1130),
        ("/fapi/v3/balance", {}, 401, -2014),
        ("/fapi/v1/nowhere", {}, 404, -5000),
        ("/", {}, 404, -5000),
    ],
)
async def test_what_is_wrong_is_refused_as_on_the_exchange(
    path: str, params: dict[str, object], status: int, code: int
) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.get(path, **params)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert isinstance(answer.json()["msg"], str)


async def test_a_method_that_a_path_does_not_have() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.http.post("/fapi/v1/klines")

        assert answer.status_code == 405
        assert answer.json() == {"code": -5000, "msg": "Path /fapi/v1/klines, Method POST is invalid"}
        assert (await rest.http.head("/fapi/v1/time")).status_code == 405
        assert (await rest.http.options("/fapi/v1/time")).status_code == 405


NOON = 1_700_000_000.0  # a clock that stands still: the minute does not turn while weight is counted


async def test_the_weight_is_counted_and_told() -> None:
    asked: list[tuple[str, dict[str, object], int]] = [
        ("/fapi/v1/time", {}, 1),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "limit": 99}, 1),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "limit": 100}, 2),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m"}, 5),
        ("/fapi/v1/klines", {**SYMBOL, "interval": "1m", "limit": 1_001}, 10),
        ("/fapi/v1/depth", {**SYMBOL, "limit": 5}, 2),
        ("/fapi/v1/depth", {**SYMBOL, "limit": 100}, 5),
        ("/fapi/v1/depth", {**SYMBOL, "limit": 1_000}, 20),
        ("/fapi/v1/premiumIndex", {**SYMBOL}, 1),
        ("/fapi/v1/premiumIndex", {}, 10),
        ("/fapi/v1/fundingRate", {}, 0),
    ]
    used = 0
    async with open_sandbox(wall_clock=lambda: NOON) as sandbox, rest_client(sandbox) as rest:
        for path, params, weight in asked:
            used += weight
            assert (await rest.get(path, **params)).headers["X-MBX-USED-WEIGHT-1M"] == str(used)


async def test_above_the_limit_there_is_429_and_then_418() -> None:
    settings = SandboxSettings(weight_limit=2, patience=1, ban=100.0)
    async with open_sandbox(settings=settings, wall_clock=lambda: NOON) as sandbox, rest_client(sandbox) as rest:
        answers = [await rest.get("/fapi/v1/time") for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 429, 418, 418]
        assert (answers[2].json()["code"], answers[2].headers["Retry-After"]) == (-1003, "40")
        assert answers[3].headers["Retry-After"] == "100"
        assert answers[3].json() == {
            "code": -1003,
            "msg": "Way too much request weight used; IP banned until 1700000100000. "
            "Please use the websocket for live updates to avoid bans.",
        }
        sandbox.pardon()
        assert (await rest.get("/fapi/v1/nowhere")).status_code == 404


async def test_a_connection_serves_many_requests() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        for _ in range(20):
            await rest.get("/fapi/v1/time")

        assert (await rest.get("/sandbox/state")).json()["connections"] == 1


async def test_requests_in_one_breath_are_answered_in_order() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(
            b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /fapi/v1/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        answer = await read_all(stream)

        assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200"]


async def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, await raw(sandbox) as stream:
        await stream.send_all(
            b"POST /sandbox/faults HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        with trio.fail_after(5):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 100")
        await stream.send_all(b"{}")

        assert (await read_all(stream)).startswith(b"HTTP/1.1 400")
