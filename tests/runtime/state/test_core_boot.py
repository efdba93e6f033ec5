"""A boot with state that is refused, or with children that an operator has stopped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
from trio.testing import wait_all_tasks_blocked

from duenna import (
    Actor,
    Backoff,
    Child,
    ChildState,
    StartFailedError,
    Supervisor,
    UnknownPathError,
    open_runtime,
    persistent,
)
from duenna.storage import Change, Entry, MemoryStore, StateFormatError, StateLockedError, StateUnreadableError

from .kit import DurableStore, Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from duenna.storage import Loaded


@attrs.define
class Slow(Actor):
    """Has a task, and an old schema."""

    fills: int = persistent(default=0)

    async def started(self) -> None:
        """Have a task."""

    def receive(self, message: str) -> int:
        del message
        return self.fills


def newer(*paths: str) -> MemoryStore:
    """Return a store with state of a later version of the program."""
    store = MemoryStore()
    store.open()
    entry = Entry(kind="Slow", schema=9, version=1, at=0.0, data=msgspec.msgpack.encode({"fills": 3}))
    store.commit([Change(f"actor:{path}", entry) for path in paths], 0.0)
    store.close(0.0, is_clean=True)
    return store


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("kind", [Slow, Ledger])
async def test_the_bot_starts_without_the_one_that_is_refused(
    autojump_clock: MockClock, strategy: Any, kind: type[Actor]
) -> None:
    """In a group, too, and below: it waits for a hand, a restart of its group does not start it."""
    group = Supervisor("group", [Child(name, kind) for name in "abc"], strategy=strategy, intensity=10)
    tree = Supervisor("bot", [group, Child("last", Slow)], strategy=strategy)
    store = newer("/bot/group/b")
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        states = [runtime.tree(f"/bot/group/{name}").state for name in "abc"]
        assert states == [ChildState.RUNNING, ChildState.FAILED, ChildState.RUNNING]
        assert runtime.tree("/bot/last").state == ChildState.RUNNING
        await runtime.restart_child("/bot/group/a")
        await wait_all_tasks_blocked()
        assert [runtime.tree(f"/bot/group/{name}").state for name in "abc"] == states
        with pytest.raises(StartFailedError, match=r"later version|schema 9"):
            await runtime.restart_child("/bot/group/b")
        assert runtime.tree("/bot/group/b").state == ChildState.FAILED
        await runtime.restart_child("/bot/group/b", fresh=True)
        assert runtime.tree("/bot/group/b").state == ChildState.RUNNING
        assert len(runtime.state.asides) == 1


@pytest.mark.parametrize("kind", [Slow, Ledger])
async def test_a_child_that_is_added_and_refused_is_not_left_behind(
    autojump_clock: MockClock, kind: type[Actor]
) -> None:
    store = newer("/bot/new")
    async with open_runtime(Supervisor("bot", []), log_level=None, state=store) as runtime:
        with pytest.raises(StartFailedError):
            await runtime.start_child("/bot", Child("new", kind))
        with pytest.raises(UnknownPathError):
            runtime.tree("/bot/new")
        assert "actor:/bot/new" in runtime.state.entries


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_what_an_operator_stopped_stays_down_at_boot(autojump_clock: MockClock, strategy: Any) -> None:
    """A whole supervisor, too; who starts after it starts all the same, and a group's restart leaves it down."""
    store = DurableStore()

    def tree() -> Supervisor:
        group = Supervisor("group", [Child("a", Ledger)])
        return Supervisor("bot", [group, Child("b", Ledger), Child("c", Ledger)], strategy=strategy, intensity=10)

    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        await runtime.stop_child("/bot/group")
        await runtime.stop_child("/bot/b")
    for _ in range(2):
        async with open_runtime(tree(), log_level=None, state=store) as runtime:
            states = [runtime.tree(f"/bot/{name}").state for name in ("group", "b", "c")]
            assert states == [ChildState.STOPPED, ChildState.STOPPED, ChildState.RUNNING]
            await runtime.restart_child("/bot/c")
            await wait_all_tasks_blocked()
            assert [runtime.tree(f"/bot/{name}").state for name in ("group", "b", "c")] == states
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        await runtime.restart_child("/bot/group")
        await runtime.delete_child("/bot/b")
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert {runtime.tree(f"/bot/{name}").state for name in ("group", "b", "c")} == {ChildState.RUNNING}


async def test_a_stop_of_a_temporary_child_is_for_this_process(autojump_clock: MockClock) -> None:
    store = DurableStore()

    def tree() -> Supervisor:
        return Supervisor("bot", [Child("once", Ledger, restart="temporary")])

    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        await runtime.stop_child("/bot/once")
        assert not runtime.state.stops
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert runtime.tree("/bot/once").state == ChildState.RUNNING


@pytest.mark.parametrize(
    "error",
    [
        StateLockedError("the store", "process 7"),
        StateFormatError("the store", "jour-1.bin", 2, 1),
        StateUnreadableError("the store", "jour-1.bin", "input/output error"),
        ZeroDivisionError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_store_that_cannot_be_opened_is_told_as_it_is(autojump_clock: MockClock, error: Exception) -> None:
    """Not in a group, and with nothing started, written or closed."""

    class Refusing(MemoryStore):
        closed = 0

        def open(self) -> Loaded:
            raise error

        def close(self, at: float, *, is_clean: bool) -> None:
            del at, is_clean
            Refusing.closed += 1

    with pytest.raises(type(error), match=f"^{re.escape(str(error))}$") as told:
        async with open_runtime(Supervisor("bot", [Child("a", Ledger)]), log_level=None, state=Refusing()):
            raise AssertionError
    assert told.value is error
    assert not Refusing.closed


async def test_a_directory_that_is_in_use_is_refused_with_its_owner(tmp_path: Path) -> None:
    """The second leaves the first one's alone, which goes on and leaves its mark."""
    tree = Supervisor("bot", [Child("a", Ledger, backoff=Backoff.none())])
    async with open_runtime(tree, log_level=None, directory=tmp_path) as runtime:
        await runtime.ref("/bot/a").ask("fill")
        with pytest.raises(StateLockedError, match=r"process \d+"):
            async with open_runtime(tree, log_level=None, directory=tmp_path):
                raise AssertionError
        await runtime.ref("/bot/a").ask("save")
    async with open_runtime(tree, log_level=None, directory=tmp_path) as runtime:
        assert runtime.state.loaded.was_clean
        assert await runtime.ref("/bot/a").ask("fills") == 1
