"""A state that cannot be used, or that its actor crashes on: never lost, never overwritten, never used in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import msgspec
import pytest
import trio

from duenna import Actor, ActorDiedError, Backoff, Child, ChildState, Supervisor, open_runtime, persistent
from duenna.events import ChildParked
from duenna.state.events import StateSetAside
from duenna.storage import Change, Entry, MemoryStore

from .kit import DurableStore, Ledger, bot, one

if TYPE_CHECKING:
    from trio.testing import MockClock

NOW = Backoff.none()


def stored(data: dict[str, Any], *, schema: int = 1, money: bool = False, path: str = "/bot/ledger") -> MemoryStore:
    """Return a store that has *data* of the actor at *path*."""
    store = MemoryStore()
    store.open()
    entry = Entry(kind="Ledger", schema=schema, version=7, at=0.0, data=msgspec.msgpack.encode(data), money=money)
    store.commit([Change(f"actor:{path}", entry)], 0.0)
    store.close(0.0, is_clean=True)
    return store


@attrs.define
class Poisoned(Actor):
    """Crashes on what it has saved."""

    level: int = persistent(default=0)
    error: ClassVar[type[Exception]] = ZeroDivisionError

    def receive(self, message: str) -> Any:
        match message:
            case "poison":
                self.level = 1
            case "level":
                return self.level
            case "work":
                if self.level:
                    raise self.error("the state is poison")
        return None


@attrs.define
class Money(Poisoned):
    """The same, with positions."""

    level: int = persistent(default=0, money=True)


@attrs.define
class Cut(Poisoned):
    """Crashes because of the network, whatever it has saved."""

    error: ClassVar[type[Exception]] = ConnectionResetError


async def crash(runtime: Any, times: int) -> None:
    for _ in range(times):
        runtime.ref("/bot/ledger").tell("work")
        await trio.testing.wait_all_tasks_blocked()


async def test_a_state_that_does_not_fit_is_set_aside_and_told(autojump_clock: MockClock) -> None:
    """Of an actor that is not about money: the others are unharmed, and what was stored is kept."""
    store = stored({"fills": "many"})
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        assert await runtime.ref("/bot/ledger").ask("fills") == 0
        (kept,) = runtime.state.asides
        assert msgspec.msgpack.decode(runtime.state.entries[kept].data) == {"fills": "many"}
        assert runtime.errors.recent[-1].path == "/bot/ledger"


async def test_a_later_schema_parks_the_actor_and_is_kept(autojump_clock: MockClock) -> None:
    """It is neither used nor overwritten, and the bot starts without the actor."""
    store = stored({"fills": 3, "limit": 5}, schema=2)
    tree = bot(Child("ledger", Ledger), Child("other", Ledger))
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        assert runtime.tree("/bot/ledger").state == ChildState.FAILED
        assert await runtime.ref("/bot/other").ask("fills") == 0
        with pytest.raises(ActorDiedError, match="it is parked: manual intervention required"):
            await runtime.ref("/bot/ledger").ask("fills")
        await runtime.state.save(force=True)

    entry = store.open().entries["actor:/bot/ledger"]
    assert (entry.schema, entry.version, msgspec.msgpack.decode(entry.data)) == (2, 7, {"fills": 3, "limit": 5})


async def test_money_that_does_not_fit_waits_for_a_hand(autojump_clock: MockClock) -> None:
    store = stored({"level": "high"}, money=True)
    async with open_runtime(bot(Child("ledger", Money)), log_level=None, state=store) as runtime:
        assert runtime.tree("/bot/ledger").state == ChildState.FAILED
        assert not runtime.state.asides
        assert "actor:/bot/ledger" in runtime.state.entries

        await runtime.restart_child("/bot/ledger", fresh=True)
        assert await runtime.ref("/bot/ledger").ask("level") == 0
        assert len(runtime.state.asides) == 1


async def test_the_third_crash_after_a_restore_sets_the_state_aside(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Poisoned, backoff=NOW)), log_level=None) as runtime:
        with runtime.events(StateSetAside) as events:
            ledger = runtime.ref("/bot/ledger")
            ledger.tell("poison")
            await runtime.state.save(force=True)
            await crash(runtime, 1)  # an incarnation that was not restored
            await crash(runtime, 2)
            assert await ledger.ask("level") == 1
            assert not list(events.drain())
            await crash(runtime, 1)

            assert await ledger.ask("level") == 0
            event = one(events, StateSetAside)
            assert event.why == "3 crashes in a row, each within 10 s of a restore"
            assert not event.is_by_hand
            assert runtime.state.asides == (event.kept_as,)


async def test_only_the_latest_that_were_set_aside_by_themselves_are_kept(autojump_clock: MockClock) -> None:
    """An actor that saves and crashes for ever must not fill the disk."""
    tree = bot(Child("ledger", Poisoned, backoff=NOW))
    async with open_runtime(tree, log_level=None) as runtime:
        for _ in range(30):
            runtime.ref("/bot/ledger").tell("poison")
            await runtime.state.save(force=True)
            await crash(runtime, 4)
            await trio.sleep(1)
        kept = [runtime.state.entries[key].at for key in runtime.state.asides]
        assert len(kept) == 10
        assert runtime.state.asides[-1].partition("#")[0] == "aside:/bot/ledger"


async def test_the_third_crash_on_money_waits_for_a_hand(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Money, backoff=NOW)), log_level=None) as runtime:
        with runtime.events(ChildParked) as events:
            ledger = runtime.ref("/bot/ledger")
            ledger.tell("poison")
            await runtime.state.save(force=True)
            await crash(runtime, 4)

            event = one(events, ChildParked)
            assert event.unpark_after is None
            assert "3 crashes in a row, each within 10 s of a restore" in event.reason
            assert not runtime.state.asides

            await runtime.restart_child("/bot/ledger")
            assert await ledger.ask("level") == 1


@pytest.mark.parametrize("what", ["late", "network"])
async def test_other_crashes_are_not_the_state_s_doing(autojump_clock: MockClock, what: str) -> None:
    """Those long after the restore, and those about the world outside."""
    kind = Cut if what == "network" else Poisoned
    async with open_runtime(bot(Child("ledger", kind, backoff=NOW)), log_level=None) as runtime:
        ledger = runtime.ref("/bot/ledger")
        ledger.tell("poison")
        await runtime.state.save(force=True)
        for _ in range(6):
            if what == "late":
                await trio.sleep(11)
            await crash(runtime, 1)

        assert await ledger.ask("level") == 1


async def test_a_fresh_restart_sets_aside_what_is_stored_below_a_supervisor(autojump_clock: MockClock) -> None:
    """And what the incarnation that ends has in its fields does not come back by the save at its end."""
    group = Supervisor("group", [Child("a", Ledger), Child("b", Ledger)])
    store = MemoryStore()
    async with open_runtime(Supervisor("bot", [group, Child("c", Ledger)]), log_level=None, state=store) as runtime:
        for path in ("/bot/group/a", "/bot/group/b", "/bot/c"):
            await runtime.ref(path).ask("fill")
        await runtime.state.save(force=True)
        await runtime.restart_child("/bot/group", fresh=True)

        fills = [await runtime.ref(path).ask("fills") for path in ("/bot/group/a", "/bot/group/b", "/bot/c")]
        assert fills == [0, 0, 1]
        assert [key.partition("#")[0] for key in runtime.state.asides] == ["aside:/bot/group/a", "aside:/bot/group/b"]
        await runtime.ref("/bot/group/a").ask("fill")
    assert msgspec.msgpack.decode(store.open().entries["actor:/bot/group/a"].data)["fills"] == 1


async def test_a_stop_by_hand_outlives_the_process_until_a_restart_by_hand(autojump_clock: MockClock) -> None:
    store = DurableStore()

    def tree() -> Supervisor:
        return bot(Child("ledger", Ledger), Child("other", Ledger))

    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        await runtime.stop_child("/bot/ledger")
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert runtime.tree("/bot/ledger").state == ChildState.STOPPED
        assert runtime.tree("/bot/other").state == ChildState.RUNNING
        await runtime.restart_child("/bot/ledger")
        assert runtime.tree("/bot/ledger").state == ChildState.RUNNING
    async with open_runtime(tree(), log_level=None, state=store) as runtime:
        assert runtime.tree("/bot/ledger").state == ChildState.RUNNING


async def test_a_path_that_is_gone_keeps_its_state_until_it_is_pruned(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with open_runtime(bot(Child("ledger", Ledger), Child("old", Ledger)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/old").ask("fill")
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store):
        pass
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        assert "actor:/bot/old" in runtime.state.entries
        with pytest.raises(ValueError, match=r"^prune: /bot/ledger is there, stop and delete it first"):
            await runtime.state.prune("/bot/ledger")
        with pytest.raises(ValueError, match=r"^prune: nothing is stored of '/bot/none'$"):
            await runtime.state.prune("/bot/none")
        assert await runtime.state.prune("/bot/old") == 1
    assert "actor:/bot/old" not in store.open().entries


async def test_nothing_of_a_child_that_is_there_is_pruned_but_what_was_set_aside(autojump_clock: MockClock) -> None:
    """Its unfinished work is not either, whether it runs or not."""
    work = Entry(kind="intent", schema=1, version=1, at=0.0, data=b"\x80")
    store = stored({"fills": 1})
    store.open()
    store.commit([Change("work:/bot/ledger#a-1-1", work), Change("aside:/bot/ledger#1.000", work)], 0.0)
    store.close(0.0, is_clean=True)
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.stop_child("/bot/ledger")
        for key in ("/bot/ledger", "work:/bot/ledger#a-1-1"):
            with pytest.raises(ValueError, match=r"^prune: /bot/ledger is there"):
                await runtime.state.prune(key)
        assert await runtime.state.prune("aside:/bot/ledger#1.000") == 1
        await runtime.delete_child("/bot/ledger")
        assert await runtime.state.prune("/bot/ledger") == 2
