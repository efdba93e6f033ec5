"""Somebody sets this machine's clock while a bot runs, in a simulated world."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING

import msgspec
import pytest
import trio

from duenna import Backoff, Child, Supervisor
from duenna.faults import ClockStep, FaultPlan, Planned, Service, Suspend
from duenna.testing import Scenario, World, data_probe
from duenna_actors import ApiRequest, ApiResponse, ApiStatusError, BinanceApi, WebSocketFeed
from duenna_actors.binance import AggTrade
from duenna_actors.demo.bot import scenario
from duenna_actors.sandbox import SandboxSettings
from duenna_actors.sandbox.service import SandboxService

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna.testing import Outcome

FEEDS = ("/bot/feeds/btcusdt", "/bot/feeds/ethusdt")
BALANCE = ApiRequest(path="/fapi/v3/balance", is_signed=True)
OFFSETS = [90.0, -90.0, 3600.0, -3600.0]


def quarter_of_an_hour(*faults: Planned) -> Outcome:
    """Run the example, with a trade of each contract every 5 s."""
    outcome = World(1, faults=FaultPlan(faults=faults)).simulate(scenario, 900.0)
    assert outcome.ok, outcome.violations
    return outcome


def step(offset: float, at: float = 60.0) -> Planned:
    return Planned(fault=ClockStep(offset=offset), at=at)


def told(name: str, at: float, duration: float | None = None, **params: object) -> Planned:
    return Planned(fault=Service(name=name, params=params), target="exchange", at=at, duration=duration)


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_clock_that_is_set_ends_no_connection(offset: float) -> None:
    outcome = quarter_of_an_hour(step(offset))

    assert not outcome.statistics.restarts
    assert not outcome.statistics.not_operational()


def test_steps_that_add_up_do_not_either() -> None:
    """By 450 s, in ten steps, each of which would pass for an age."""
    outcome = quarter_of_an_hour(*(step(45.0, 30.0 * count) for count in range(1, 11)))

    assert not outcome.statistics.restarts


@pytest.mark.parametrize("offset", OFFSETS)
def test_a_websocket_that_is_opened_after_the_step_is_up(offset: float) -> None:
    """What event times were like before outlives the incarnation that saw them."""
    outcome = quarter_of_an_hour(step(offset), told("close_sockets", 120.0, code=1006))

    assert outcome.statistics.restarts == dict.fromkeys(FEEDS, 1)
    assert max(outcome.statistics.connections[feed].longest for feed in FEEDS) < 15.0


@pytest.mark.parametrize("offset", [0.001, *OFFSETS])
def test_old_events_are_found_whatever_the_clock_says(offset: float) -> None:
    """No websocket of those ten minutes is taken for up, though what comes over it lags from the first event on."""
    outcome = quarter_of_an_hour(step(offset), told("stale_events", 120.0, 600.0, age=300.0))

    for feed in FEEDS:
        record = outcome.statistics.connections[feed]
        assert record.errors["StaleFeedError"] > 5
        assert 570.0 < record.longest < 690.0


@pytest.mark.parametrize("offset", [262.0, *OFFSETS])
def test_a_clock_that_was_wrong_from_the_start_keeps_no_feed_down(offset: float) -> None:
    """Seed 195: no event had come that could show what the exchange's time is, but the API had asked for it."""
    outcome = quarter_of_an_hour(step(offset, 0.0))

    assert not outcome.statistics.not_operational()
    assert max(outcome.statistics.connections[feed].longest for feed in FEEDS) < 40.0


@pytest.mark.parametrize("offset", OFFSETS)
def test_no_signed_request_is_refused_for_a_clock_that_is_set(offset: float) -> None:
    assert refusals(step(offset, 59.5)) == []


def test_signed_requests_are_refused_once_when_the_exchanges_clock_is_off_and_then_right_again() -> None:
    """No check is due: the refusal itself asks for one."""
    assert refusals(told("clock_drift", 59.5, offset=20.0)) == [(60.0, -1021)]


@pytest.mark.parametrize("offset", [-250.0, 250.0])
def test_a_ban_ends_by_the_exchanges_clock(offset: float) -> None:
    """Seed 245: with ours 250 s behind, the bot stayed away for five minutes after a ban of thirty seconds."""
    outcome = quarter_of_an_hour(step(offset), told("rate_limited", 120.0, 5.0, patience=0, ban=30.0))

    assert outcome.statistics.connections["/bot/api"].errors["ApiRateLimitError"] > 0
    assert outcome.statistics.connections["/bot/api"].longest < 60.0


def test_a_feed_alone_comes_back_from_a_suspend_with_a_clock_that_is_ahead() -> None:
    """No API has asked for the exchange's time: the feed has nothing but its events."""

    def alone(world: World) -> Scenario:
        SandboxService(["BTCUSDT"], wall_time=world.true_time, settings=SandboxSettings(tick=5.0)).join(world)
        feed = partial(WebSocketFeed, "ws://exchange/market/stream", ["btcusdt@aggTrade"], stale_after=15.0)
        backoff = Backoff.exponential(0.5, maximum=30.0)
        probe = data_probe(world.record, lambda _: "/bot/feed", AggTrade, max_age=20.0)
        tree = Supervisor("bot", [Child("feed", feed, backoff=backoff)], intensity=100, period=60.0)
        return Scenario(tree=tree, system=(probe,), feeds=("/bot/feed",))

    asleep = Planned(fault=Suspend(length=600.0), at=300.0)

    outcome = World(1, faults=FaultPlan(faults=(step(100.0), asleep))).simulate(alone, 900.0)

    assert outcome.ok, outcome.violations


def refusals(*faults: Planned) -> list[tuple[float, int | str | None]]:
    """Send a signed request a second for two minutes; return when which code came, with no check but the first."""
    world = World(1, faults=FaultPlan(faults=faults))
    settings = SandboxSettings()
    SandboxService(seed=1, wall_time=world.true_time, settings=settings).join(world)
    codes: list[tuple[float, int | str | None]] = []

    def api() -> BinanceApi:
        key, secret = settings.api_key, settings.api_secret
        made = BinanceApi("http://exchange", api_key=key, api_secret=secret, wall_time=world.wall_time)
        made.check_every = inf
        return made

    async def main() -> None:
        tree = Supervisor("bot", [Child("api", api)])
        async with world.open_runtime(tree) as runtime:
            for second in range(1, 121):
                await trio.sleep_until(float(second))
                try:
                    await runtime.ref("/bot/api").ask(BALANCE)
                except ApiStatusError as error:
                    codes.append((float(second), error.code))

    world.run(main)
    return codes


async def test_a_step_while_the_exchange_is_asked_for_its_time_does_not_count(autojump_clock: MockClock) -> None:
    """The way there and back is measured by the clock that nobody sets."""
    del autojump_clock
    steps = [0.0]

    def true_time() -> float:
        return 1_700_000_000.0 + trio.current_time()

    class Api(BinanceApi):
        async def request(self, request: ApiRequest) -> ApiResponse:
            await trio.sleep(1.0)
            time = msgspec.convert({"serverTime": round(true_time() * 1000)}, request.type)
            steps[0] = 90.0
            await trio.sleep(1.0)
            return ApiResponse(status=200, headers={}, data=time, elapsed=2.0)

    api = Api(wall_time=lambda: true_time() + steps[0])

    await api.check()

    assert api.clock_offset == pytest.approx(-90.0, abs=0.01)
