"""Acknowledged state that is lost is told, and nothing is traded until somebody says that what is there is right."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from duenna import Child, Supervisor, open_runtime
from duenna.recovery import Mode
from duenna.state.events import ReconcileBegan, ReconcileEnded, StateDamaged
from duenna.storage import Damage, FileStore, Loaded, Loss

from .kit import DurableStore, Ledger, bot, one

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock


class DamagedStore(DurableStore):
    """A store that has lost a commit, once."""

    loss = Loss.ACKNOWLEDGED

    def open(self) -> Loaded:
        loaded = super().open()
        if loaded.seq:
            return loaded
        damage = Damage("jour-3.bin", "commit 7 is missing", self.loss)
        return Loaded(entries={}, seq=6, existed=True, damages=(damage,), source="1 snapshot")


def tree() -> Supervisor:
    return bot(Child("ledger", Ledger))


async def test_a_loss_holds_trading_until_it_is_cleared(autojump_clock: MockClock) -> None:
    """In the next process, too."""
    store = DamagedStore()
    for _ in range(2):
        async with open_runtime(tree(), log_level=None, state=store) as runtime:
            assert runtime.state.is_reconciling
            assert runtime.recovery.trading.mode is Mode.PAPER
            assert runtime.state.issues() == ("state was lost: no trading until runtime.state.reconciled()",)
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        with runtime.events(ReconcileEnded) as events:
            runtime.state.reconciled("the balance check")
            assert one(events, ReconcileEnded).by == "the balance check"
            assert runtime.recovery.trading.mode is Mode.LIVE
            assert not runtime.state.is_reconciling
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert not runtime.state.is_reconciling


async def test_an_operator_who_trades_live_again_has_cleared_it(autojump_clock: MockClock) -> None:
    async with open_runtime(tree(), log_level=None, state=DamagedStore()) as runtime:
        with runtime.events(ReconcileEnded) as events:
            runtime.recovery.trading.use_live()
            assert one(events, ReconcileEnded).by == "operator"


async def test_a_damage_that_lost_nothing_is_told_and_no_more(autojump_clock: MockClock) -> None:
    store = DamagedStore()
    store.loss = Loss.NOTHING
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert not runtime.state.is_reconciling
        assert isinstance(runtime.state.found[0], StateDamaged)
        assert runtime.state.found[0].text().endswith("nothing is lost")


async def test_an_operator_s_hold_outlives_the_process(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        runtime.recovery.trading.use_paper("maintenance")
        runtime.recovery.trading.use_paper("open breaker", cause="gateway")
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert runtime.recovery.trading.causes == {"operator": "maintenance"}
        runtime.recovery.trading.use_live()
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert runtime.recovery.trading.mode is Mode.LIVE


@pytest.mark.parametrize("kept", [0, 7])
async def test_files_that_are_no_state_any_more_make_it_reconcile(
    autojump_clock: MockClock, tmp_path: Path, kept: int
) -> None:
    """Whatever was there is kept beside, and the bot starts."""
    folder = tmp_path / "state"
    async with open_runtime(tree(), log_level=None, state=folder) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
    for file in folder.glob("*-*.bin"):
        file.write_bytes(file.read_bytes()[:kept])
    async with open_runtime(tree(), log_level=None, state=folder) as runtime:
        assert runtime.state.is_reconciling
        assert await runtime.ref("/bot/ledger").ask("fills") == 0
        assert [event for event in runtime.state.found if isinstance(event, StateDamaged)]
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.state.save(force=True)
    assert list(folder.glob("*.corrupt"))
    async with open_runtime(tree(), log_level=None, state=FileStore(str(folder))) as runtime:
        assert runtime.state.is_reconciling
        assert await runtime.ref("/bot/ledger").ask("fills") == 1


async def test_files_that_are_gone_make_it_reconcile(autojump_clock: MockClock, tmp_path: Path) -> None:
    """The ballast tells that there was a state."""
    async with open_runtime(tree(), log_level=None, state=tmp_path) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
    for name in os.listdir(tmp_path):  # noqa: PTH208  # names, in a test that waits for nobody
        if name.endswith(".bin"):
            os.unlink(tmp_path / name)  # noqa: PTH108  # the same
    async with open_runtime(tree(), log_level=None, state=tmp_path) as runtime:
        assert runtime.state.is_reconciling


async def test_it_is_told_that_it_began(autojump_clock: MockClock) -> None:
    told: list[str] = []
    store = DamagedStore()
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        with runtime.events(ReconcileBegan) as events:
            runtime.state.reconciled()
            runtime.recovery.trading.use_paper("a check found a difference", cause="state")
            told.append(one(events, ReconcileBegan).why)
    assert told == ["a check found a difference"]


async def test_save_ends_where_there_is_nothing_to_save(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(), log_level=None) as runtime:
        assert (await runtime.state.save()).changed == 0
