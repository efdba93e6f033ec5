"""What an actor saved is there again: after its restart, and in the next runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

import duenna
from duenna import Backoff, Child, open_runtime
from duenna.state.events import ActorRestored, SnapshotSaved, StateDurable, StateNotDurable
from duenna.storage import MemoryStore, NotDurableError

from .kit import DurableStore, Ledger, bot, one

if TYPE_CHECKING:
    from trio.testing import MockClock

NOW = Backoff.none()


async def test_a_restart_restores_what_was_saved_and_nothing_later(autojump_clock: MockClock) -> None:
    """What the crashed instance had in its fields since is gone with it."""
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None) as runtime:
        ledger = runtime.ref("/bot/ledger")
        await ledger.ask("fill")
        await ledger.ask("save")
        await ledger.ask("fill")
        ledger.tell("crash")

        assert await ledger.ask("fills") == 1
        assert await ledger.ask("seen") == 0


async def test_without_a_save_a_restart_begins_clean(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None) as runtime:
        ledger = runtime.ref("/bot/ledger")
        await ledger.ask("fill")
        ledger.tell("crash")

        assert await ledger.ask("fills") == 0
        assert await ledger.ask("restored") is None


async def test_a_minute_saves_it(autojump_clock: MockClock) -> None:
    """Every 60 seconds, whatever the settings do not say otherwise, and not before."""
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None) as runtime:
        ledger = runtime.ref("/bot/ledger")
        await ledger.ask("fill")
        await trio.sleep(59)
        assert "actor:/bot/ledger" not in runtime.state.entries
        await trio.sleep(2)
        assert "actor:/bot/ledger" in runtime.state.entries
        ledger.tell("crash")

        assert await ledger.ask("fills") == 1


async def test_the_next_runtime_restores_what_an_orderly_stop_left(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.ref("/bot/ledger").ask("note a")

    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        ledger = runtime.ref("/bot/ledger")
        assert await ledger.ask("fills") == 1
        assert await ledger.ask("notes") == ["a"]
        restored = await ledger.ask("restored")
        assert (restored.version, restored.is_new_process) == (1, True)
        assert runtime.state.loaded.was_clean


async def test_save_returns_when_all_is_durable(autojump_clock: MockClock) -> None:
    store = DurableStore()
    tree = bot(Child("ledger", Ledger), Child("other", Ledger))
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        first = await runtime.state.save(force=True)
        second = await runtime.state.save(force=True)
        await runtime.ref("/bot/other").ask("fill")
        third = await runtime.state.save(force=True)

    assert (first.changed, second.changed, third.changed) == (2, 0, 1)
    assert [{change.key for change in commit} for commit in store.commits[:2]] == [
        {"note:life", "actor:/bot/ledger", "actor:/bot/other"},
        {"actor:/bot/other"},
    ]
    assert second.seq == first.seq


async def test_at_most_one_save_a_second_begins(autojump_clock: MockClock) -> None:
    """Who comes sooner waits, and shares the next; a forced one does not wait."""
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=DurableStore()) as runtime:
        with runtime.events(SnapshotSaved) as saved:
            ledger = runtime.ref("/bot/ledger")
            times: list[float] = []

            async def save() -> None:
                await runtime.state.save()
                times.append(trio.current_time())

            start = trio.current_time()
            await runtime.state.save()
            await ledger.ask("fill")
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(save)
            assert times == [start + 1.0] * 3
            await ledger.ask("fill")
            await runtime.state.save(force=True)
            assert trio.current_time() == start + 1.0
            assert len(list(saved.drain())) == 3


async def test_a_store_that_fails_is_told_at_once_and_tried_again(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None, state=store) as runtime:
        with runtime.events(StateNotDurable, StateDurable) as events:
            ledger = runtime.ref("/bot/ledger")
            await ledger.ask("fill")
            store.refuses = "no space left on device"
            why = "2 changes may not be in durable: no space left on device"
            with pytest.raises(NotDurableError, match=f"^not durable yet: {why}$"):
                await runtime.state.save(force=True)
            assert not runtime.state.is_durable
            assert runtime.state.status().problem == "2 changes may not be in durable: no space left on device"
            store.refuses = ""
            await trio.sleep(1)

            assert runtime.state.is_durable
            assert runtime.state.status().waiting == 0
            told = list(events.drain())
            assert [type(event) for event in told] == [StateNotDurable, StateDurable]
    assert "actor:/bot/ledger" in store.open().entries


async def test_that_it_is_not_durable_is_told_once_whatever_each_try_says(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        with runtime.events(StateNotDurable) as events:
            await runtime.ref("/bot/ledger").ask("fill")
            for number in range(3):
                store.refuses = f"no room for file {number}"
                with pytest.raises(NotDurableError):
                    await runtime.state.save(force=True)
            assert len(list(events.drain())) == 1
            assert runtime.state.status().problem.endswith("no room for file 2")
            store.refuses = ""


async def test_what_the_store_refuses_is_restored_from_memory(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None, state=store) as runtime:
        ledger = runtime.ref("/bot/ledger")
        await ledger.ask("fill")
        store.refuses = "full"
        with pytest.raises(NotDurableError):
            await runtime.state.save(force=True)
        ledger.tell("crash")
        assert await ledger.ask("fills") == 1


async def test_restored_is_told(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None) as runtime:
        with runtime.events(ActorRestored) as events:
            ledger = runtime.ref("/bot/ledger")
            await ledger.ask("fill")
            await ledger.ask("save")
            ledger.tell("crash")
            await ledger.ask("fills")
            event = one(events, ActorRestored)
            assert (event.path, event.incarnation, event.version, event.is_new_process) == ("/bot/ledger", 2, 1, False)


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^state must be a folder or a Store, got 5$"):
        duenna.run(bot(Child("ledger", Ledger)), state=5)  # type: ignore[arg-type]
