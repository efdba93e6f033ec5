"""A fresh start: whatever state the child is in, it begins clean, and what it does from then on is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Child, ChildState, StoppedError, Supervisor, open_runtime, persistent
from duenna.state.events import StateSetAside
from duenna.storage import Change, Entry, MemoryStore

from .kit import bot

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna import Runtime

KEY = "actor:/bot/counter"


@attrs.define
class Counter(Actor):
    """Counts; it takes 5 seconds to start and to stop."""

    count: int = persistent(default=0)

    async def started(self) -> None:
        await trio.sleep(5)

    def receive(self, message: str) -> int:
        if message == "crash":
            raise ValueError("crash")
        if message == "stop":
            self.context.stop()
        self.count += 1
        return self.count

    async def stopping(self, reason: Any) -> None:
        del reason
        await trio.sleep(5)


def store_with(*paths: str) -> MemoryStore:
    store = MemoryStore()
    store.open()
    entry = Entry(kind="Counter", schema=1, version=1, at=0.0, data=msgspec.msgpack.encode({"count": 7}))
    store.commit([Change(f"actor:{path}", entry) for path in paths], 0.0)
    store.close(0.0, is_clean=True)
    return store


async def begins_clean_and_is_saved(runtime: Runtime, path: str = "/bot/counter") -> None:
    assert await runtime.ref(path).ask("count", timeout=60) == 1
    await runtime.state.save(force=True)
    assert msgspec.msgpack.decode(runtime.state.entries[f"actor:{path}"].data) == {"count": 1}


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize(
    "state", ["running", "starting", "stopping", "backoff", "parked", "stopped", "finished", "crashing"]
)
async def test_it_begins_clean_in_every_state(autojump_clock: MockClock, state: str, strategy: Any) -> None:
    spec = Child(
        "counter",
        Counter,
        restart="transient" if state == "finished" else "permanent",
        backoff=Backoff.steps(1000),
        max_failures=0 if state == "parked" else None,
        on_give_up="park",
    )
    tree = Supervisor("bot", [], strategy=strategy, intensity=100)
    async with (
        open_runtime(tree, log_level=None, state=store_with("/bot/counter")) as runtime,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(runtime.start_child, "/bot", spec)
        await wait_all_tasks_blocked()
        if state != "starting":
            await trio.sleep(10)
            if state in {"backoff", "parked", "crashing"}:
                runtime.ref("/bot/counter").tell("crash")
            elif state == "finished":
                runtime.ref("/bot/counter").tell("stop")
            elif state in {"stopping", "stopped"}:
                nursery.start_soon(runtime.stop_child, "/bot/counter")
            if state in {"stopping", "crashing"}:
                await wait_all_tasks_blocked()
            else:
                await trio.sleep(10)
        wanted = {"parked": "failed", "crashing": "stopping"}.get(state, state)
        assert runtime.tree("/bot/counter").state == wanted
        await runtime.restart_child("/bot/counter", fresh=True)
        await begins_clean_and_is_saved(runtime)


async def test_a_group_that_is_starting_begins_clean(autojump_clock: MockClock) -> None:
    """A supervisor that boots, too: those below that are up already are started again."""

    def group() -> Supervisor:
        return Supervisor("group", [Child("a", Counter), Child("b", Counter)])

    paths = ("/bot/group/a", "/bot/group/b")
    async with (
        open_runtime(Supervisor("bot", []), log_level=None, state=store_with(*paths)) as runtime,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(runtime.start_child, "/bot", group())
        await trio.sleep(7)
        assert runtime.tree("/bot/group").state == ChildState.STARTING
        await runtime.restart_child("/bot/group", fresh=True)
        for path in paths:
            await begins_clean_and_is_saved(runtime, path)


async def test_a_fresh_restart_that_is_refused_sets_nothing_aside(autojump_clock: MockClock) -> None:
    """The supervisor is ending: the child ends as it is, and is saved."""
    store = store_with("/bot/counter")
    async with open_runtime(bot(Child("counter", Counter)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/counter").ask("count")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop)
            await wait_all_tasks_blocked()
            with pytest.raises(StoppedError):
                await runtime.restart_child("/bot/counter", fresh=True)
    assert msgspec.msgpack.decode(store.open().entries[KEY].data) == {"count": 8}


async def test_what_is_set_aside_at_one_moment_is_kept_apart(autojump_clock: MockClock) -> None:
    """The wall clock may stand still, or be set back: nothing that was set aside takes the place of another."""
    store = store_with("/bot/counter")
    async with open_runtime(bot(Child("counter", Counter)), log_level=None, state=store) as runtime:
        runtime.state.wall = lambda: 1000.0
        with runtime.events(StateSetAside) as events:
            for _ in range(3):
                await runtime.ref("/bot/counter").ask("count")
                await runtime.state.save(force=True)
                await runtime.restart_child("/bot/counter", fresh=True)
            kept = [event.kept_as for event in events.drain() if isinstance(event, StateSetAside)]
        counts = [msgspec.msgpack.decode(runtime.state.entries[key].data)["count"] for key in kept]
        assert counts == [8, 1, 1]


async def test_many_are_set_aside_at_once(autojump_clock: MockClock) -> None:
    """Each is found by its key: 4,000 take no longer than they must."""
    paths = [f"/bot/group/{number}" for number in range(4000)]
    store = store_with(*paths)
    async with open_runtime(bot(), log_level=None, state=store) as runtime:
        looked = 0

        class Counting(dict[str, Entry]):
            def items(self) -> Any:
                nonlocal looked
                looked += 1
                return super().items()

        runtime.state.entries = Counting(runtime.state.entries)
        runtime.state.begin_fresh("/bot/group")
        assert len(runtime.state.asides) == 4000
        assert looked < 10
