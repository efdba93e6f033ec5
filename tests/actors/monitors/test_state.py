"""The monitors and the runtime's state: it is saved before a restart, and pending closes outlive the process in it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
import trio.testing

from duenna import Actor, Child, Supervisor, open_runtime, persistent
from duenna.error_events import ErrorClassified
from duenna.storage import NotDurableError
from duenna_actors.monitors import (
    CloseStore,
    MemoryMonitor,
    PendingClose,
    PositionClosing,
    PositionMonitor,
    Threshold,
)
from duenna_actors.monitors._state_closes import StateCloseStore
from tests.runtime.state.kit import DurableStore
from tests.runtime.state.lives import Lives

from .kit import Account, position

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.events import Event

FIRST = PendingClose(position=position(3, price="60000.10", entry_price=Decimal("59999.9")), order_id="a")
SECOND = PendingClose(position=position(-4, "ETHUSDT", id="ETHUSDT:SHORT"), order_id="b")


def closes(runtime: Runtime, path: str = "/bot/positions") -> CloseStore:
    return StateCloseStore(runtime.state, path)


@attrs.define
class Worker(Actor):
    count: int = persistent(default=0)

    def receive(self, message: str) -> int:
        self.count += message == "add"
        return self.count


# -- memory -----------------------------------------------------------------------------


async def test_the_runtimes_state_is_saved_before_a_restart(autojump_clock: trio.testing.MockClock) -> None:
    """Not only that of what is restarted."""
    store = DurableStore()
    monitor = Child("memory", lambda: MemoryMonitor(limit_bytes=100, read_rss=lambda: 101, restarts=["/bot/large"]))
    tree = Supervisor("bot", [Child("other", Worker), Child("large", Worker), monitor])
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        await runtime.ref("/bot/other").ask("add")
        await trio.sleep(19.0)
        assert "actor:/bot/other" not in store._entries
        await trio.sleep(2.0)

        assert "actor:/bot/other" in store._entries


async def test_a_state_that_cannot_be_saved_holds_no_restart_up(autojump_clock: trio.testing.MockClock) -> None:
    store = DurableStore()
    monitor = Child("memory", lambda: MemoryMonitor(limit_bytes=100, read_rss=lambda: 101, restarts=["/bot/large"]))
    tree = Supervisor("bot", [Child("large", Worker), monitor])
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        with runtime.events(ErrorClassified) as stream:
            await runtime.ref("/bot/large").ask("add")
            store.refuses = "no space left on device"
            await trio.sleep(60.0)
            store.refuses = ""

            assert runtime.tree("/bot/large").incarnation == 2
            hooks = [event.report.context.get("hook") for event in stream.drain() if isinstance(event, ErrorClassified)]
            assert "save" in hooks


# -- positions --------------------------------------------------------------------------


async def test_what_was_saved_last_is_loaded(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None, state=DurableStore()) as runtime:
        store = closes(runtime)
        assert list(await store.load()) == []
        await store.save([])
        await store.save([FIRST])
        await store.save([FIRST, SECOND])
        assert list(await store.load()) == [FIRST, SECOND]
        assert list(await closes(runtime, "/bot/other").load()) == []
        await store.save([])
        assert list(await store.load()) == []


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_was_saved_is_there_in_the_next_process_and_is_money(is_killed: bool) -> None:
    lives = Lives()

    async def saves(runtime: Runtime) -> None:
        await closes(runtime).save([FIRST, SECOND])

    async def loads(runtime: Runtime) -> list[PendingClose]:
        return list(await closes(runtime).load())

    lives.live(saves, is_killed=is_killed)
    assert lives.live(loads) == [FIRST, SECOND]
    assert lives.store._entries["part:closes:/bot/positions"].money


async def test_of_a_later_version_nothing_is_guessed(autojump_clock: trio.testing.MockClock) -> None:
    async with open_runtime(Supervisor("bot"), log_level=None, state=DurableStore()) as runtime:
        await runtime.state.commit([runtime.state.change("part:closes:/bot/positions", "closes", 2, b"\x90")])

        with pytest.raises(RuntimeError, match=r"^pending closes of /bot/positions are of schema 2, 1 is known$"):
            await closes(runtime).load()


async def test_while_nothing_is_durable_it_says_so_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """A position must not stay open because a disk is full."""
    store = DurableStore()
    async with open_runtime(Supervisor("bot"), log_level=None, state=store) as runtime:
        store.refuses = "no space left on device"
        for _ in range(2):
            began = trio.current_time()
            with pytest.raises(NotDurableError, match=r"no space left on device"):
                await closes(runtime).save([FIRST])
            assert trio.current_time() == began
        assert list(await closes(runtime).load()) == [FIRST]
        store.refuses = ""
        await trio.sleep(10.0)

        assert "part:closes:/bot/positions" in store._entries


def test_an_order_that_may_have_been_sent_keeps_its_id_in_the_next_process() -> None:
    """Nobody knows whether the first process's order arrived: the second asks for the same one."""
    lives, account = Lives(), Account()
    account.hold(position(200))
    tree = Supervisor(
        "bot", [Child("positions", lambda: PositionMonitor(account, Threshold(quantity=100)))], intensity=1000
    )
    account.answers = [600.0]

    async def dies(runtime: Runtime) -> None:
        await trio.sleep(5.0)

    lives.live(dies, tree, is_killed=True)
    heard: list[Event] = []
    account.answers = []

    async def body(runtime: Runtime) -> Any:
        await trio.sleep(60.0)

    lives.live(body, tree, hear=[PositionClosing], heard=heard)

    assert {order_id for _, order_id, _ in account.sent} == set(account.orders)
    assert [may_exist for _, _, may_exist in account.sent] == [False, True]
    assert len(account.orders) == 1
    assert "part:closes:/bot/positions" not in lives.store._entries
