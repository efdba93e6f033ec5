"""Forced orders, and client order ids that the exchange itself would not remember."""

from __future__ import annotations

from typing import Any

from duenna.wallclock import wall_time
from duenna_actors.sandbox import SandboxSettings, open_sandbox
from tests.actors.sandbox.support import QUICK, Rest, rest_client

DAY_MS = 86_400_000


async def forced(rest: Rest, **params: Any) -> list[str]:
    answer = await rest.signed("GET", "/fapi/v1/forceOrders", **params)
    assert answer.status_code == 200, answer.text
    return [order["clientOrderId"] for order in answer.json()]


async def test_forced_orders_are_those_whose_id_says_so() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        assert await forced(rest) == []
        for name in ("mine", "autoclose-1", "adl_autoclose", "autoclose-2"):
            await rest.order(newClientOrderId=name)
        await rest.order(symbol="ETHUSDT", quantity="0.100", newClientOrderId="autoclose-3")

        assert await forced(rest) == ["autoclose-1", "adl_autoclose", "autoclose-2", "autoclose-3"]
        assert await forced(rest, symbol="BTCUSDT") == ["autoclose-1", "adl_autoclose", "autoclose-2"]
        assert await forced(rest, autoCloseType="ADL") == ["adl_autoclose"]
        assert await forced(rest, autoCloseType="LIQUIDATION", limit=1) == ["autoclose-3"]


async def test_forced_orders_of_the_past_week_unless_told_otherwise() -> None:
    now = round(wall_time() * 1_000)
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        await rest.order(newClientOrderId="autoclose-1")

        assert await forced(rest, startTime=now - DAY_MS) == ["autoclose-1"]
        assert await forced(rest, startTime=now + DAY_MS) == []
        assert await forced(rest, endTime=now - DAY_MS) == []
        assert await forced(rest, endTime=now + 8 * DAY_MS) == []


async def test_what_is_asked_for_wrongly_is_refused() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        codes = [
            (await rest.signed("GET", "/fapi/v1/forceOrders", **params)).json()["code"]
            for params in ({"autoCloseType": "FUN"}, {"limit": 101}, {"symbol": "NOSUCH"})
        ]

    assert codes == [-1130, -1130, -1121]


async def test_they_are_heavy() -> None:
    async with open_sandbox(settings=QUICK) as sandbox, rest_client(sandbox) as rest:
        used = [
            int((await rest.signed("GET", "/fapi/v1/forceOrders", **params)).headers["X-MBX-USED-WEIGHT-1M"])
            for params in ({}, {"symbol": "BTCUSDT"})
        ]

    assert used in ([50, 70], [50, 20])  # the second, if a minute began in between


async def test_the_exchange_itself_forgets_the_ids_of_closed_orders() -> None:
    """A market order that is sent twice is filled twice; one that rests is refused."""
    settings = SandboxSettings(remember_client_ids=False)
    async with open_sandbox(settings=settings) as sandbox, rest_client(sandbox) as rest:
        first, second = [(await rest.order(newClientOrderId="mine")).json() for _ in range(2)]
        resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "50000", "newClientOrderId": "resting"}
        await rest.order(**resting)
        again = await rest.order(**resting)
        found = await rest.signed("GET", "/fapi/v1/order", symbol="BTCUSDT", origClientOrderId="mine")

    assert (first["orderId"], second["orderId"]) == (1, 2)
    assert (again.status_code, again.json()["code"]) == (400, -4116)
    assert found.json()["orderId"] == 2
