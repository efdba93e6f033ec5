"""The trading bot on an exchange, a network and a machine that misbehave: how to test a bot of your own.

More seeds, as before a release: ``pytest tests/examples/test_trading_bot_world.py --world-seeds=200``.
"""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import TYPE_CHECKING

import trio

from duenna.faults import ClockStep, Crash, DatabaseLost, FaultPlan, HalfOpen, NameNotFound, Planned, Service
from duenna.testing import World, world_test
from duenna_actors import Query

if TYPE_CHECKING:
    from duenna.testing import Scenario

EXAMPLE = run_path(str(Path(__file__).parents[2] / "examples" / "trading_bot.py"), run_name="trading_bot")

MEANS = "SELECT symbol, count(*), count(DISTINCT time_ms) FROM means GROUP BY symbol ORDER BY symbol"
FEWEST = (
    25  # looks at the candles in 1795 s: one a minute, and up to 10 s for two requests that take as long as they may
)

ROUGH_HOUR = FaultPlan(
    name="a rough hour",
    faults=(
        Planned(at=300.0, target="exchange", fault=HalfOpen()),
        Planned(at=600.0, target="exchange", fault=Service(name="mute", params={"symbol": "ETHUSDT"}), duration=90.0),
        Planned(at=900.0, target="fills.db", fault=DatabaseLost(), duration=30.0),
        Planned(at=905.0, target="/bot/feeds/*", fault=Crash(error="OSError"), every=1.0, times=3),
        Planned(at=1500.0, target="exchange", fault=NameNotFound(), duration=60.0),
        Planned(at=1501.0, target="/bot/api", fault=Crash()),
        Planned(at=2400.0, fault=ClockStep(offset=-30.0)),
    ),
)


@world_test(seeds=2, seconds=1800.0)
def test_it_comes_through_whatever_half_an_hour_brings(world: World) -> Scenario:
    """Faults are drawn from the seed; the rules that hold for every bot are checked."""
    return EXAMPLE["scenario"](world)  # type: ignore[no-any-return]


@world_test(seeds=1, seconds=3600.0, faults=ROUGH_HOUR)
def test_it_comes_through_a_rough_hour(world: World) -> Scenario:
    """The same faults each time, on other schedules, delays and prices: two at once, and before the last is over."""
    return EXAMPLE["scenario"](world)  # type: ignore[no-any-return]


@world_test(seeds=1, seconds=1800.0, faults=None)
async def test_what_it_saw_is_in_its_database(world: World) -> None:
    """An async test has the runtime in its hands, and asks the bot itself."""
    async with world.open_runtime(EXAMPLE["scenario"](world)) as runtime:
        await trio.sleep(1795.0)

        found = await runtime.ref("/bot/database").ask(Query(sql=MEANS))

    assert [symbol for symbol, _, _ in found.rows] == ["BTCUSDT", "ETHUSDT"]
    for _, rows, minutes in found.rows:
        assert rows >= FEWEST
        assert rows == minutes  # none twice


def test_the_same_seed_is_the_same_run() -> None:
    first, second = (World(7, faults="default").simulate(EXAMPLE["scenario"], 1200.0) for _ in range(2))

    assert first.ok, first.violations
    assert first.plan == second.plan
    assert first.sha256 == second.sha256
