"""What the client goes by when the exchange refuses a request and does not say for how long; and rows that are none."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio

from duenna.guards import RateLimitedError
from duenna.testing import World
from duenna_actors.api import ApiDataError, ApiRateLimitError
from duenna_actors.binance import Gate

from .test_client_world import KLINES, Stage, act


def left_of(stage: Stage, window: float) -> float:
    """Return the seconds until the exchange's present minute, or another *window*, is over, as the client knows it."""
    return window - stage.made[-1].exchange_time % window


def requests(stage: Stage) -> int:
    sandbox = stage.service.sandbox
    assert sandbox is not None
    return int(sandbox.state()["requests"])


async def ask(stage: Stage, limit: int) -> None:
    with suppress(ApiRateLimitError):  # the retry budget does not let all of them try again
        await stage.binance.fetch_ohlcv("BTCUSDT", limit=limit)


def test_a_refusal_without_an_end_holds_until_the_exchanges_minute_is_over() -> None:
    """To go on is what bans are given for: nothing follows what was under way, not even what had passed the gate."""

    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.strike("http_failure", 10.0, path=KLINES, status=429, code=-1003)
        gates, began, left = stage.made[-1].gates, trio.current_time(), left_of(stage, 60.0)
        before = requests(stage)
        assert left > 20.0
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(ask, stage, number + 1)
            await trio.sleep(5.0)
            assert gates.blocked_for == pytest.approx(left_of(stage, 60.0))
            with pytest.raises(RateLimitedError) as caught:
                await stage.binance.fetch_open_interest("BTCUSDT")
            assert caught.value.retry_after == gates.blocked_for
            await trio.sleep_until(began + left - 0.1)
            assert requests(stage) == before + 10
        assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500

    act(World(1), main)


def test_a_ban_without_an_end_is_taken_for_the_shortest() -> None:
    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.strike("http_failure", path=KLINES, status=418, code=-1003, count=1)
        began = trio.current_time()

        assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500

        assert 120.0 <= trio.current_time() - began < 121.0
        assert stage.runtime.guards["binance_ohlcv"].statistics().attempts == 2

    act(World(1), main)


def test_too_many_orders_are_no_reason_not_to_cancel_one_or_to_read() -> None:
    """-1015 comes as a 429, too; orders wait for the end of the exchange's ten seconds."""

    async def main(stage: Stage) -> None:
        await stage.binance.place_order("BTCUSDT", "BUY", "0.01", 1000, client_order_id="resting")
        stage.strike("http_failure", path="/fapi/v1/order", method="POST", status=429, code=-1015, count=1)
        began, left = trio.current_time(), left_of(stage, 10.0)
        assert left > 2.0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(stage.binance.place_order, "BTCUSDT", "BUY", "0.01", send_within=60.0))
            await trio.sleep(1.0)
            gates = stage.made[-1].gates
            blocked = {name: gate.blocked_for for name, gate in gates.by_limit.items() if gate.blocked_for}
            assert blocked == {Gate.ORDERS: pytest.approx(left_of(stage, 10.0))}
            await stage.binance.cancel_order("BTCUSDT", "resting")
            assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500
            assert trio.current_time() - began < 2.0

        assert left <= trio.current_time() - began < left + 1.0
        assert [order.status for order in stage.orders()] == ["CANCELED", "FILLED"]

    act(World(1), main)


def test_a_contract_without_rows_does_not_shut_the_guard_of_all_others() -> None:
    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        client = stage.made[-1]
        fetch = client.fetch

        async def without_rows(request: Any) -> Any:
            response = await fetch(request)
            return type(response)(status=200, headers={}, data=[], elapsed=0.0)

        client.fetch = without_rows  # type: ignore[method-assign]
        for _ in range(3):
            with pytest.raises(ApiDataError, match=r"not what was asked for: no rows, there must be some"):
                await stage.binance.fetch_ohlcv("BTCUSDT")
        client.fetch = fetch  # type: ignore[method-assign]

        assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500

    act(World(1), main)
