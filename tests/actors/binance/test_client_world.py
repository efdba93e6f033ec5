"""The client as it is, its real waits included, in simulated worlds: exact times, random faults, runs that repeat."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import Backoff, Child, ConnectionLostError, Runtime, Supervisor
from duenna.faults import (
    AnyFault,
    ClockStep,
    Crash,
    FaultPlan,
    Latency,
    Loss,
    NetworkFault,
    Partition,
    Planned,
    Reset,
    Service,
    Stall,
    Suspend,
)
from duenna.guards import CircuitOpenError, RejectedError
from duenna.testing import World
from duenna_actors.api import ApiError, ApiStatusError
from duenna_actors.binance import (
    Binance,
    BinanceClient,
    OrderNotPlacedError,
    OrderOutcomeUnknownError,
    make_client_order_id,
)
from duenna_actors.binance.guards import READS
from duenna_actors.sandbox import SandboxSettings
from duenna_actors.sandbox.service import SandboxService

from .client_kit import orders_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna_actors.sandbox._orders import Order as SandboxOrder

SETTINGS = SandboxSettings(tick=5.0, remember_client_ids=False, balance=10**9)
KLINES = "/fapi/v1/klines"


@attrs.define(eq=False)
class Stage:
    """A world with an exchange and a bot on it."""

    world: World
    service: SandboxService
    runtime: Runtime
    made: list[BinanceClient]

    @property
    def binance(self) -> Binance:
        return Binance(self.runtime.ref("/bot/api"), timeout=inf)

    def strike(self, name: str, duration: float | None = None, **params: Any) -> None:
        self.world.strike(Service(name=name, params=params), "exchange", duration)

    def orders(self, client_order_id: str | None = None) -> list[SandboxOrder]:
        sandbox = self.service.sandbox
        assert sandbox is not None
        return orders_of(sandbox, client_order_id)


def act(world: World, main: Callable[[Stage], Awaitable[None]], **options: Any) -> World:
    """Run *main* with a client on an exchange, in *world*."""
    service = SandboxService(["BTCUSDT"], seed=world.seed, wall_time=world.true_time, settings=SETTINGS)
    service.join(world)
    made: list[BinanceClient] = []

    def client() -> BinanceClient:
        given: dict[str, Any] = {"api_key": SETTINGS.api_key, "api_secret": SETTINGS.api_secret}
        given["wall_time"] = world.wall_time
        made.append(BinanceClient("http://exchange", **(given | options)))
        return made[-1]

    async def run() -> None:
        backoff = Backoff.exponential(0.5, maximum=10.0)
        tree = Supervisor("bot", [Child("api", client, backoff=backoff)], intensity=1_000, period=60.0)
        async with world.open_runtime(tree) as runtime:
            await main(Stage(world, service, runtime, made))

    world.run(run)
    return world


# -- times -----------------------------------------------------------------------------


def test_five_retries_wait_for_2_s_to_120_s() -> None:
    """Fully jittered: each wait is less than its cap, 2, 4, 8, 16 and 32 s."""
    times: list[float] = []

    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.strike("http_failure", path=KLINES)
        client = stage.made[-1]
        fetch = client.fetch

        async def noted(request: Any) -> Any:
            times.append(trio.current_time())
            return await fetch(request)

        client.fetch = noted  # type: ignore[method-assign]
        with pytest.raises(ApiStatusError):
            await stage.binance.fetch_ohlcv("BTCUSDT")

    act(World(3), main)

    waits = [late - early for early, late in pairwise(times)]
    assert len(waits) == 5
    assert all(wait <= 2.0 * 2**number + 0.5 for number, wait in enumerate(waits))
    assert sum(waits) > 10.0


def test_the_breaker_is_open_for_two_minutes_and_closes_by_itself() -> None:
    async def main(stage: Stage) -> None:
        stage.strike("http_failure", path=KLINES)
        for _ in range(2):
            with pytest.raises((ApiStatusError, CircuitOpenError)):
                await stage.binance.fetch_ohlcv("BTCUSDT")
        with pytest.raises(CircuitOpenError) as caught:
            await stage.binance.fetch_ohlcv("BTCUSDT")
        sandbox = stage.service.sandbox
        assert sandbox is not None
        sandbox.faults.clear()
        await trio.sleep(caught.value.retry_after - 0.1)
        with pytest.raises(CircuitOpenError):
            await stage.binance.fetch_ohlcv("BTCUSDT")
        await trio.sleep(0.1)
        assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500
        await stage.binance.fetch_ohlcv("BTCUSDT")
        assert stage.runtime.guards["binance_ohlcv"].state == "closed"

    act(World(1), main)


def test_a_ban_of_two_minutes_is_waited_for_and_not_made_longer() -> None:
    """429, then 418 with its end in the text: one request is refused, and the next one is let through."""

    async def main(stage: Stage) -> None:
        await trio.sleep(30.0)
        stage.strike("rate_limited", patience=0, ban=119.0, retry_after=1.0)
        began = trio.current_time()

        assert len(await stage.binance.fetch_ohlcv("BTCUSDT")) == 500

        assert 119.0 <= trio.current_time() - began < 125.0
        assert stage.runtime.guards["binance_ohlcv"].statistics().attempts == 2

    act(World(1), main)


def test_an_outage_of_half_a_minute_costs_no_call() -> None:
    """Nobody can be reached, checks fail, and the client is not restarted for that."""

    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.strike("connections_refused", 29.0)

        assert len(await stage.binance.fetch_ohlcv("BTCUSDT", limit=5)) == 5
        assert len(stage.made) == 1

    act(World(4), main, retry=attrs.evolve(READS, backoff=Backoff.exponential(2.0, maximum=120.0, jitter="none")))


def test_a_lost_order_that_never_arrived_is_known_to_be_lost_after_fifteen_seconds() -> None:
    """5 s in which the exchange takes it, 10 s in which it may not show it."""

    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.strike("http_failure", path="/fapi/v1/order", method="POST")
        began = trio.current_time()

        with pytest.raises(OrderNotPlacedError):
            await stage.binance.place_order("BTCUSDT", "BUY", "0.01")

        assert 15.0 <= trio.current_time() - began < 16.0
        assert stage.orders() == []

    act(World(1), main)


def test_an_order_that_is_held_up_in_the_network_is_waited_for() -> None:
    """At 2 s it is given up and not there, at 4 s it arrives, and the exchange takes it."""

    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.world.strike(Stall(direction="to"), "exchange", 4.0)

        order = await stage.binance.place_order("BTCUSDT", "BUY", "0.01", send_within=60.0)

        assert [each.client_id for each in stage.orders()] == [order.client_order_id]
        assert 4.0 < trio.current_time() < 10.0

    act(World(1), main, timeout=2.0)


def test_an_order_that_arrives_after_all_were_cancelled_is_cancelled_too() -> None:
    async def main(stage: Stage) -> None:
        await stage.binance.fetch_mark_price("BTCUSDT")
        stage.world.strike(Stall(direction="to"), "exchange", 4.0)
        results: list[str] = []

        async def ask() -> None:
            order = await stage.binance.place_order("BTCUSDT", "BUY", "0.01", 1000)
            results.append(order.client_order_id)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1.0)
            await stage.binance.cancel_all_orders("BTC/USDT")

        (order,) = stage.orders()
        assert (order.status, [order.client_id]) == ("CANCELED", results)
        assert order.created_ms / 1_000 > stage.world.true_time() - trio.current_time() + 3.9

    act(World(1), main, timeout=2.0)


def test_ids_of_a_second_run_from_the_same_seed_are_others() -> None:
    """It is another time: the exchange, which remembers the first run, is not told the same id twice."""
    ids: list[str] = []

    async def main(stage: Stage) -> None:
        order = await stage.binance.place_order("BTCUSDT", "BUY", "0.01")
        ids.append(order.client_order_id)

    act(World(1), main)
    act(World(1), main)
    act(World(1, wall=1_800_000_000.0), main)

    assert ids[0] == ids[1] != ids[2]


# -- whatever happens ------------------------------------------------------------------

FAULTS: tuple[tuple[str, float | None, dict[str, Any]], ...] = (
    ("http_failure", 15.0, {"status": 503}),
    ("http_failure", 15.0, {"status": 502, "is_html": True}),
    ("http_failure", 15.0, {"status": 503, "code": -1008}),
    ("http_failure", 20.0, {"method": "POST", "status": 500, "probability": 0.5}),
    ("rate_limited", 5.0, {"patience": 1_000}),
    ("rate_limited", 3.0, {"patience": 0, "ban": 20.0}),
    ("slow_answers", 20.0, {"latency": 4.0, "jitter": 15.0, "probability": 0.7}),
    ("lost_answers", 20.0, {"mode": "timeout", "probability": 0.7}),
    ("lost_answers", 20.0, {"mode": "silence", "probability": 0.7}),
    ("lost_answers", 20.0, {"mode": "cut", "probability": 0.7}),
    ("lost_answers", 20.0, {"path": "*", "method": "*", "mode": "silence", "probability": 0.5}),
    ("garbled_answers", 20.0, {"mode": "html", "probability": 0.7}),
    ("garbled_answers", 20.0, {"mode": "truncated", "probability": 0.7}),
    ("garbled_answers", 20.0, {"mode": "garbled", "probability": 0.7}),
    ("garbled_answers", 20.0, {"mode": "cut", "probability": 0.7}),
    ("clock_drift", 30.0, {"offset": 12.0}),
    ("clock_drift", 30.0, {"offset": -12.0}),
    ("connections_refused", 10.0, {}),
    ("connections_reset", 10.0, {}),
    ("half_open", 15.0, {}),
)


NETWORK: tuple[tuple[AnyFault, float | None], ...] = (
    (Latency(extra=1.0, jitter=3.0), 20.0),
    (Latency(extra=3.0, jitter=6.0), 20.0),
    (Stall(direction="to"), 4.5),
    (Stall(), 8.0),
    (Partition(), 10.0),
    (Loss(rate=0.3), 20.0),
    (Reset(), None),
    (ClockStep(offset=40.0), None),
    (ClockStep(offset=-40.0), None),
    (Suspend(length=20.0), None),
)


@attrs.define(eq=False)
class Tally:
    """What became of orders, as their senders were told."""

    told: dict[str, str] = attrs.field(factory=dict[str, str])

    async def buy(self, stage: Stage, name: str, **options: Any) -> None:
        try:
            order = await stage.binance.place_order("BTCUSDT", "BUY", "0.01", client_order_id=name, **options)
        except OrderOutcomeUnknownError:
            self.told[name] = "unknown"
        except (OrderNotPlacedError, ApiError, RejectedError, ConnectionLostError):
            self.told[name] = "none"
        else:
            assert order.client_order_id == name
            self.told[name] = "one"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_there_is_one_order_or_none_and_never_two(seed: int) -> None:
    """Random faults, two at once and more; crashes of the client, too. What the sender is told is true."""
    tally = Tally()
    counts: dict[str, int] = {}

    async def trouble(stage: Stage) -> None:
        rng = stage.world.chance("trouble")
        while True:
            name, duration, params = rng.choice(FAULTS)
            stage.strike(name, None if duration is None else duration * rng.uniform(0.3, 1.5), **params)
            if rng.random() < 0.4:
                fault, lasts = rng.choice(NETWORK)
                stage.world.strike(fault, "exchange" if isinstance(fault, NetworkFault) else "*", lasts)
            if rng.random() < 0.15:
                stage.world.strike(Crash(), "/bot/api")
            await trio.sleep(rng.uniform(1.0, 20.0))

    async def main(stage: Stage) -> None:
        rng = stage.world.chance("orders")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trouble, stage)
            async with trio.open_nursery() as orders:
                for number in range(40):
                    send_within = rng.choice((2.0, 10.0, 60.0))
                    name = make_client_order_id(rng, float(number), "sweep")
                    orders.start_soon(partial(tally.buy, stage, name, send_within=send_within))
                    await trio.sleep(rng.uniform(0.0, 10.0))
            nursery.cancel_scope.cancel()
        counts.update({name: len(stage.orders(name)) for name in tally.told})

    act(World(seed), main, timeout=(2.0, 8.0)[seed % 2])

    assert len(tally.told) == 40
    wrong = {
        name: (said, counts[name])
        for name, said in tally.told.items()
        if counts[name] != {"one": 1, "none": 0}.get(said, min(counts[name], 1))
    }
    assert wrong == {}


def test_the_same_seed_is_the_same_run() -> None:
    """Ids, jitter, waits, faults: nothing comes from outside the world."""

    async def main(stage: Stage) -> None:
        tally = Tally()
        rng = stage.world.chance("orders")
        for name, duration, params in FAULTS[:12]:
            stage.strike(name, duration, **params)
            with trio.move_on_after(40.0):
                await tally.buy(stage, "" if rng.random() < 0.5 else make_client_order_id(rng, 1.0))
            with suppress(ApiError, RejectedError, ConnectionLostError):
                await stage.binance.fetch_balances()

    plan = FaultPlan(faults=(Planned(at=50.0, target="/bot/api", fault=Crash()),))
    first, second, other = (act(World(seed, faults=plan), main).trace.sha256 for seed in (5, 5, 6))

    assert first == second != other
