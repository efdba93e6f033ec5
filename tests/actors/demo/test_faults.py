"""The schedule of the demo's faults."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from duenna.faults import KINDS, kind_of, random_plan
from duenna_actors.demo.faults import CALM, plan, tell, tell_planned
from duenna_actors.sandbox import CloseSockets, DatabaseLost, Mute, RateLimited, SlowAnswers, UpgradeDropped
from duenna_actors.sandbox.service import SERVICES

SYMBOLS = ("BTCUSDT", "ETHUSDT")
SEVERAL = 8


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - faults need no cryptography


def test_the_first_minute_is_always_the_same() -> None:
    assert plan(60, SYMBOLS, chance(1)) == plan(60, SYMBOLS, chance(2))
    assert len({type(each.fault) for each in plan(60, SYMBOLS, chance(1))}) >= SEVERAL


@pytest.mark.parametrize("seconds", [1, 12, 15, 20, 33.3, 60, 100, 200])
def test_no_fault_lasts_into_the_calm_at_the_end(seconds: float) -> None:
    for each in plan(seconds, SYMBOLS, chance(1)):
        own = each.fault.retry_after if isinstance(each.fault, RateLimited) else 0.0
        assert each.at + max(each.duration or 0.0, own) <= seconds - CALM


def test_later_rounds_come_from_the_seed() -> None:
    assert plan(600, SYMBOLS, chance(1)) == plan(600, SYMBOLS, chance(1)) != plan(600, SYMBOLS, chance(2))
    assert [each.at for each in plan(600, SYMBOLS, chance(1))] == sorted(
        each.at for each in plan(600, SYMBOLS, chance(1))
    )


def test_somebodys_own_database_is_left_alone() -> None:
    kinds = [type(each.fault) for each in plan(200, SYMBOLS, chance(1), with_database=False)]

    assert DatabaseLost not in kinds
    assert kinds


def test_one_symbol_is_enough() -> None:
    assert plan(200, ("BTCUSDT",), chance(1))


def test_a_fault_is_told_in_words() -> None:
    assert tell(CloseSockets(code=1006, count=1)) == "1 websocket closed with code 1006"
    assert tell(CloseSockets(code=1000)) == "every websocket closed with code 1000"
    assert tell(Mute(symbol="X")) == "mute symbol: no data of X, all else looks well"
    assert tell(SlowAnswers(latency=5.0)) == "slow answers: every request takes 5 s"
    assert tell(UpgradeDropped()) == "upgrade dropped"


def test_every_fault_of_a_plan_is_told_in_words() -> None:
    """In those of the sandbox if it is the exchange's own; nothing that stands in braces is left."""
    chance, book = Random(1), "/bot/trading/book"  # noqa: S311
    drawn = random_plan(
        chance, 1e6, hosts=["exchange"], actors=[book], files=["/x.db"], services={"exchange": SERVICES}
    )
    told = [tell_planned(msgspec.to_builtins(each.fault), each.target) for each in drawn.faults]

    assert len({kind_of(each.fault) for each in drawn.faults}) == len(KINDS)
    assert not [text for text in told if "{" in text]
    assert "mute symbol: no data of BTCUSDT, all else looks well" in told
    assert "book crashes with OSError" in told
