"""The gates of one exchange: what requests cost, and what is learnt from its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from duenna.guards import RateLimitedError
from duenna_actors.binance import Gate, Gates
from duenna_actors.binance.weights import request_weight

if TYPE_CHECKING:
    from trio.testing import MockClock


def used(gates: Gates, gate: Gate) -> float | None:
    return gates.by_limit[gate].statistics().used


@pytest.mark.parametrize(
    ("method", "path", "params", "weight"),
    [
        ("GET", "/fapi/v1/time", {}, 1),
        ("GET", "/fapi/v1/klines", {}, 5),
        ("GET", "/fapi/v1/klines", {"limit": 1500}, 10),
        ("GET", "/fapi/v1/depth", {"limit": 1000}, 20),
        ("GET", "/fapi/v1/premiumIndex", {}, 10),
        ("GET", "/fapi/v1/openOrders", {}, 40),
        ("GET", "/fapi/v1/openOrders", {"symbol": "BTCUSDT"}, 1),
        ("GET", "/fapi/v1/forceOrders", {}, 50),
        ("GET", "/fapi/v1/forceOrders", {"symbol": "BTCUSDT"}, 20),
        ("GET", "/fapi/v3/balance", {}, 5),
        ("GET", "/futures/data/openInterestHist", {"symbol": "BTCUSDT"}, 0),
        ("POST", "/fapi/v1/order", {}, 0),
        ("DELETE", "/fapi/v1/order", {}, 1),
        ("GET", "/fapi/v1/somethingNew", {}, 1),
    ],
)
def test_what_requests_cost(method: str, path: str, params: dict[str, object], weight: int) -> None:
    assert request_weight(method, path, params) == weight


async def test_the_exchanges_count_is_learnt_from_every_answer(autojump_clock: MockClock) -> None:
    """Others at this address count, too. The count is forgotten when the exchange's minute is over."""
    gates = Gates.build("x")

    gates.heard({"x-mbx-used-weight-1m": "2156"}, into_minute=20.0, elapsed=0.1)

    assert used(gates, Gate.WEIGHT) == 2156
    with pytest.raises(RateLimitedError) as caught:
        await gates.by_limit[Gate.WEIGHT].acquire(5)
    assert caught.value.retry_after == 40.0
    await trio.sleep(40.0)
    await gates.by_limit[Gate.WEIGHT].acquire(5)


async def test_the_last_tenth_is_kept_for_cancelling(autojump_clock: MockClock) -> None:
    gates = Gates.build("x")

    gates.heard({"x-mbx-used-weight-1m": "2160"}, into_minute=20.0, elapsed=0.1)

    assert gates.by_limit[Gate.WEIGHT].blocked_for == 40.0
    await gates.by_limit[Gate.URGENT].acquire(1)
    assert trio.current_time() == 0.0


async def test_an_exhausted_minute_blocks_until_its_end(autojump_clock: MockClock) -> None:
    gates = Gates.build("x")

    gates.heard({"x-mbx-used-weight-1m": "2400"}, into_minute=55.0, elapsed=0.1)

    assert gates.blocked_for == gates.by_limit[Gate.URGENT].blocked_for == 5.0
    assert gates.by_limit[Gate.ORDERS].blocked_for == 0.0


async def test_orders_are_counted_apart(autojump_clock: MockClock) -> None:
    gates = Gates.build("x")

    gates.heard({"x-mbx-used-weight-1m": "1", "x-mbx-order-count-1m": "1200"}, into_minute=10.0, elapsed=0.1)

    assert gates.by_limit[Gate.ORDERS].blocked_for == 50.0
    assert gates.by_limit[Gate.WEIGHT].blocked_for == 0.0


async def test_an_answer_on_its_way_when_the_minute_ended_teaches_nothing(autojump_clock: MockClock) -> None:
    """Its count may be that of the old minute, which would block the whole new one."""
    gates = Gates.build("x")

    gates.heard({"x-mbx-used-weight-1m": "2400"}, into_minute=0.3, elapsed=0.5)

    assert used(gates, Gate.WEIGHT) is None
    assert gates.by_limit[Gate.WEIGHT].blocked_for == 0.0


@pytest.mark.parametrize("text", ["", " ", "many", "-5", "1.5", "²", "0x10"])
async def test_a_header_that_is_missing_or_no_number_teaches_nothing(autojump_clock: MockClock, text: str) -> None:
    gates = Gates.build("x")

    gates.heard({}, into_minute=20.0, elapsed=0.1)
    gates.heard({"x-mbx-used-weight-1m": text}, into_minute=20.0, elapsed=0.1)

    assert used(gates, Gate.WEIGHT) is None


async def test_a_ban_closes_all_gates(autojump_clock: MockClock) -> None:
    gates = Gates.build("x")

    gates.block(120.0)

    assert {gate.blocked_for for gate in gates.by_limit.values()} == {120.0}


async def test_too_many_orders_keep_nothing_else_waiting(autojump_clock: MockClock) -> None:
    gates = Gates.build("x")

    gates.block(10.0, Gate.ORDERS)

    assert {name for name, gate in gates.by_limit.items() if gate.blocked_for} == {Gate.ORDERS}


async def test_no_minute_has_more_than_is_allowed_and_no_10_s_more_orders(autojump_clock: MockClock) -> None:
    """Whatever the moment at which the exchange begins to count, and if it says nothing."""
    gates = Gates.build("x")
    weights: list[tuple[float, float]] = []
    orders: list[tuple[float, float]] = []

    async def take(gate: Gate, weight: float, seen: list[tuple[float, float]]) -> None:
        while trio.current_time() < 130.0:
            try:
                await gates.by_limit[gate].acquire(weight)
            except RateLimitedError as error:
                await trio.sleep(error.retry_after)
            else:
                seen.append((trio.current_time(), weight))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, Gate.WEIGHT, 20, weights)
        nursery.start_soon(take, Gate.ORDERS, 1, orders)

    assert most(weights, 60.0) <= 2160
    assert most(orders, 60.0) <= 1200
    assert most(orders, 10.0) <= 300
    assert most(weights, 60.0) > 2060


async def test_what_is_urgent_is_part_of_the_whole(autojump_clock: MockClock) -> None:
    """It takes what is left for all, and of what is kept for it only what it needs beyond that."""
    gates = Gates.build("x")
    weights: list[tuple[float, float]] = []

    async def take(gate: Gate, weight: float) -> None:
        while trio.current_time() < 130.0:
            try:
                await gates.by_limit[gate].acquire(weight)
            except RateLimitedError as error:
                await trio.sleep(error.retry_after)
            else:
                weights.append((trio.current_time(), weight))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, Gate.WEIGHT, 10)
        nursery.start_soon(take, Gate.URGENT, 1)

    assert 2280 < most(weights, 60.0) <= 2400


def test_what_is_urgent_is_let_through_in_threads_as_well() -> None:
    urgent = Gates.build("x").by_limit[Gate.URGENT]
    for gate in (urgent, urgent.twin()):
        for _ in range(600):
            gate.acquire_sync(1, may_wait=False)
        with pytest.raises(RateLimitedError):
            gate.acquire_sync(1, may_wait=False)


def most(seen: list[tuple[float, float]], window: float) -> float:
    """Return the heaviest *window* seconds."""
    heaviest = total = 0.0
    first = 0
    for time, weight in seen:
        total += weight
        while seen[first][0] < time - window:
            total -= seen[first][1]
            first += 1
        heaviest = max(heaviest, total)
    return heaviest
