"""Orders, the account and the private stream over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from duenna_actors.sandbox import Sandbox, SandboxSettings, open_sandbox
from tests.actors.sandbox.support import QUICK, Rest, rest_client, websocket


async def resting(rest: Rest, **params: Any) -> dict[str, Any]:
    """Place an order far below the market."""
    answer = await rest.order(type="LIMIT", timeInForce="GTC", price="50000", **params)
    order: dict[str, Any] = answer.json()
    assert answer.status_code == 200, order
    return order


async def test_a_market_order_is_acknowledged_or_answered_with_its_result() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        acknowledged = (await rest.order(newClientOrderId="first")).json()
        done = (await rest.order(newOrderRespType="RESULT")).json()

        assert (acknowledged["status"], acknowledged["executedQty"]) == ("NEW", "0.000")
        assert (done["status"], done["executedQty"], done["origQty"]) == ("FILLED", "0.010", "0.010")
        assert float(done["avgPrice"]) > 0.0
        found = (await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="first")).json()
        assert (found["status"], found["orderId"]) == ("FILLED", acknowledged["orderId"])


async def test_the_order_has_the_exchanges_shape() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.order()

        assert list(answer.json()) == [
            "orderId",
            "symbol",
            "status",
            "clientOrderId",
            "price",
            "avgPrice",
            "origQty",
            "executedQty",
            "cumQuote",
            "timeInForce",
            "type",
            "reduceOnly",
            "closePosition",
            "side",
            "positionSide",
            "stopPrice",
            "workingType",
            "priceProtect",
            "origType",
            "priceMatch",
            "selfTradePreventionMode",
            "goodTillDate",
            "time",
            "updateTime",
        ]
        assert (answer.headers["X-MBX-ORDER-COUNT-10S"], answer.headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")


async def test_a_client_id_cannot_be_used_twice() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        await rest.order(newClientOrderId="mine")
        again = await rest.order(newClientOrderId="mine")

        assert (again.status_code, again.json()) == (400, {"code": -4116, "msg": "ClientOrderId is duplicated."})


async def test_orders_rest_are_listed_and_cancelled() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        first, second = await resting(rest), await resting(rest)
        listed = (await rest.signed("GET", "/fapi/v1/openOrders", symbol="BTCUSDT")).json()
        gone = (await rest.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=first["orderId"])).json()
        left = (await rest.signed("GET", "/fapi/v1/openOrders")).json()
        again = (await rest.signed("DELETE", "/fapi/v1/order", symbol="BTCUSDT", orderId=first["orderId"])).json()
        everything = await rest.signed("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT")

        assert [order["orderId"] for order in listed] == [first["orderId"], second["orderId"]]
        assert gone["status"] == "CANCELED"
        assert [order["orderId"] for order in left] == [second["orderId"]]
        assert again["code"] == -2011
        assert everything.json()["code"] == 200
        assert (await rest.signed("GET", "/fapi/v1/openOrders")).json() == []


async def test_an_order_that_is_not_there() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        answer = await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=99)

        assert answer.json() == {"code": -2013, "msg": "Order does not exist."}


async def test_too_many_orders_are_refused() -> None:
    settings = SandboxSettings(orders_per_10s=2)
    async with open_sandbox(settings=settings) as sandbox, rest_client(sandbox) as rest:
        answers = [await rest.order() for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[-1].json()["code"] == -1015


@pytest.mark.parametrize(
    ("key", "secret", "changes", "status", "code"),
    [
        ("", "sandbox-secret", {}, 401, -2014),
        ("other", "sandbox-secret", {}, 401, -2015),
        ("sandbox-key", "other", {}, 400, -1022),
        ("sandbox-key", "sandbox-secret", {"timestamp": 1}, 400, -1021),
        ("sandbox-key", "sandbox-secret", {"timestamp": 10**14}, 400, -1021),
    ],
)
async def test_who_is_not_the_account_gets_nothing(
    key: str, secret: str, changes: dict[str, int], status: int, code: int
) -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        rest.key, rest.secret = key, secret
        answer = await rest.signed("GET", "/fapi/v3/balance", **changes)

        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_order_may_come_in_the_body() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        form = rest.sign(symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.010")
        answer = await rest.http.post("/fapi/v1/order", data=form, headers={"X-MBX-APIKEY": rest.key})

        assert answer.json()["side"] == "SELL"


async def test_the_listen_key_stays_the_same_until_it_is_closed() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()

        assert await rest.listen_key() == key
        assert (await rest.keyed("PUT", "/fapi/v1/listenKey")).json() == {"listenKey": key}
        assert (await rest.keyed("DELETE", "/fapi/v1/listenKey")).json() == {}
        assert (await rest.keyed("PUT", "/fapi/v1/listenKey")).json()["code"] == -1125
        assert await rest.listen_key() != key


async def test_the_private_stream_tells_of_orders_and_of_the_account() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            await rest.order(newClientOrderId="mine")
            events = [await feed.next() for _ in range(3)]

        assert [event["e"] for event in events] == ["ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
        new, trade = events[0]["o"], events[1]["o"]
        assert (new["x"], new["X"], new["c"], new["z"]) == ("NEW", "NEW", "mine", "0.000")
        assert (trade["x"], trade["X"], trade["l"], trade["z"]) == ("TRADE", "FILLED", "0.010", "0.010")
        assert " ".join(trade) == "s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp AP cr pP si ss rp V"
        assert events[2]["a"]["B"][0]["a"] == "USDT"
        assert events[2]["a"]["P"][0]["pa"] == "0.010"
        balance = (await rest.signed("GET", "/fapi/v3/balance")).json()[0]
        assert events[2]["a"]["B"][0]["wb"] == balance["balance"]


async def test_the_private_stream_can_be_combined() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/stream?streams={key}") as feed:
            await rest.order()
            event = await feed.next()

        assert (event["stream"], event["data"]["e"]) == (key, "ORDER_TRADE_UPDATE")


async def best_bid(sandbox: Sandbox, rest: Rest) -> float:
    del sandbox
    depth = (await rest.get("/fapi/v1/depth", symbol="BTCUSDT", limit=5)).json()
    return float(depth["bids"][0][0])


async def test_a_resting_order_that_is_watched_fills_by_itself() -> None:
    """Nobody asks for anything: the market moves on while the private stream is open."""
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            price = await best_bid(sandbox, rest) - 1.0
            await rest.order(type="LIMIT", timeInForce="GTC", price=f"{price:.1f}")
            price += 2.0
            await rest.order(type="LIMIT", timeInForce="GTC", side="SELL", price=f"{price:.1f}")
            filled = await feed.until(lambda event: event["e"] == "ORDER_TRADE_UPDATE" and event["o"]["x"] == "TRADE")

        assert filled["o"]["m"] in (True, False)
        assert filled["o"]["X"] == "FILLED"


async def test_giving_the_key_up_closes_the_private_stream() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            await rest.keyed("DELETE", "/fapi/v1/listenKey")

            assert await feed.end() == (1000, "the listenKey was closed")


async def test_a_key_that_is_not_renewed_expires() -> None:
    settings = SandboxSettings(tick=0.01, listen_key_lifetime=0.05)
    async with open_sandbox(settings=settings) as sandbox, rest_client(sandbox) as rest:
        key = await rest.listen_key()
        async with websocket(sandbox, f"/private/ws/{key}") as feed:
            event = await feed.next()

            assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)
            assert (await rest.keyed("PUT", "/fapi/v1/listenKey")).json()["code"] == -1125
