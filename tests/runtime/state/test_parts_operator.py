"""What an operator said stands in the next process: stops, and no trading. So does that state was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from duenna import Child, Supervisor
from duenna.recovery import TradingModeChanged
from duenna.state.events import ReconcileBegan, ReconcileEnded
from duenna.storage import Damage, Loaded, Loss

from .kit import DurableStore
from .lives import Lives, idle, settle

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.events import Event


class LossyStore(DurableStore):
    """A store of which something that was acknowledged cannot be read."""

    loses = True

    def open(self) -> Loaded:
        loaded = super().open()
        if not self.loses:
            return loaded
        self.loses = False
        damage = Damage("jour-3.bin", "a record is missing", Loss.ACKNOWLEDGED, "jour-3.bin.corrupt")
        return Loaded(entries=loaded.entries, seq=loaded.seq, existed=True, damages=(damage,))


def tree() -> Supervisor:
    return Supervisor("bot", [Child("feed", idle), Child("orders", idle)])


async def states(runtime: Runtime) -> list[str]:
    return [runtime.tree(f"/bot/{name}").state for name in ("feed", "orders")]


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_stop_by_hand_stands_although_the_process_is_killed(is_killed: bool) -> None:
    lives = Lives()

    async def stops(runtime: Runtime) -> None:
        await runtime.stop_child("/bot/feed")
        await trio.testing.wait_all_tasks_blocked()

    lives.live(stops, tree(), is_killed=is_killed)
    assert lives.live(states, tree()) == ["stopped", "running"]
    assert lives.live(states, tree()) == ["stopped", "running"]


def test_a_restart_by_hand_ends_it() -> None:
    lives = Lives()

    async def stops_and_starts(runtime: Runtime) -> None:
        await runtime.stop_child("/bot/feed")
        await runtime.restart_child("/bot/feed")
        await trio.testing.wait_all_tasks_blocked()

    lives.live(stops_and_starts, tree(), is_killed=True)

    assert lives.live(states, tree()) == ["running", "running"]
    assert "part:stops" not in lives.store._entries


@pytest.mark.parametrize("is_killed", [True, False])
def test_trading_that_an_operator_has_stopped_stays_stopped(is_killed: bool) -> None:
    lives = Lives()

    async def stops(runtime: Runtime) -> None:
        runtime.recovery.trading.use_paper("the weekend")
        runtime.recovery.trading.use_paper("it is down", cause="/bot/orders")
        await trio.testing.wait_all_tasks_blocked()

    lives.live(stops, is_killed=is_killed)
    heard: list[Event] = []

    async def body(runtime: Runtime) -> dict[str, str]:
        return runtime.recovery.trading.causes

    assert lives.live(body, hear=[TradingModeChanged], heard=heard) == {"operator": "the weekend"}
    (event,) = heard
    assert isinstance(event, TradingModeChanged)
    assert (event.why, event.by) == ("the weekend", "the state")


@pytest.mark.parametrize("is_killed", [True, False])
def test_an_operator_who_lets_it_trade_again_is_remembered_too(is_killed: bool) -> None:
    lives = Lives()

    async def stops(runtime: Runtime) -> None:
        runtime.recovery.trading.use_paper("the weekend")

    async def starts(runtime: Runtime) -> None:
        runtime.recovery.trading.use_live()
        await trio.testing.wait_all_tasks_blocked()

    async def body(runtime: Runtime) -> bool:
        return runtime.recovery.trading.is_paper

    lives.live(stops)
    lives.live(starts, is_killed=is_killed)
    assert not lives.live(body)


def test_lost_state_is_to_be_looked_at_in_every_process_until_somebody_has() -> None:
    lives = Lives()

    async def begins(runtime: Runtime) -> None:
        await settle(runtime)

    lives.store = LossyStore()
    heard: list[Event] = []
    lives.live(begins, hear=[ReconcileBegan], heard=heard, is_killed=True)
    assert len(heard) == 1

    async def is_still(runtime: Runtime) -> tuple[bool, bool]:
        return runtime.state.is_reconciling, runtime.recovery.trading.is_paper

    assert lives.live(is_still) == (True, True)

    async def looks(runtime: Runtime) -> None:
        runtime.state.reconciled("ann")
        await trio.testing.wait_all_tasks_blocked()

    lives.live(looks, hear=[ReconcileEnded], heard=heard, is_killed=True)
    assert [type(event).__name__ for event in heard] == ["ReconcileBegan", "ReconcileEnded"]
    assert lives.live(is_still) == (False, False)
