"""A save that an actor asks for itself, from wherever it may; and crashes on what was saved, under real budgets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Child, StoppedError, Supervisor, open_runtime, persistent
from duenna.state.events import StateSetAside
from duenna.storage import MemoryStore

from .kit import DurableStore, Ledger, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna.storage import Loaded


@attrs.define
class Saver(Actor):
    """Saves itself, or has all saved, in one of its hooks."""

    where: str
    all: bool = False
    log: list[str] = persistent(factory=list)

    async def _save(self, where: str) -> None:
        if where == self.where:
            self.log = [*self.log, where]
            if self.all:
                await self.context.runtime.state.save(force=True)
            else:
                await self.context.save()

    async def started(self) -> None:
        await self._save("started")
        self.context.start_soon(self._save, "background")

    async def receive(self, message: str) -> None:
        await self._save(message)

    async def stopping(self, reason: Any) -> None:
        del reason
        await self._save("stopping")


@pytest.mark.parametrize("where", ["started", "background", "message", "stopping", "drained"])
@pytest.mark.parametrize("save_all", [False, True])
async def test_it_saves_from_wherever_it_is(autojump_clock: MockClock, where: str, *, save_all: bool) -> None:
    """No save waits for the actor that asks for it; and with the stop under way it is durable all the same."""
    store = DurableStore()
    spec = Child("saver", lambda: Saver(where, all=save_all), drain=5.0)
    with trio.fail_after(60):
        async with open_runtime(bot(spec), log_level=None, state=store) as runtime:
            await wait_all_tasks_blocked()
            if where in {"message", "drained"}:
                runtime.ref("/bot/saver").tell(where)
            if where == "message":
                await wait_all_tasks_blocked()
        assert store.open().entries["actor:/bot/saver"].data.endswith(where.encode())


async def test_a_crash_in_started_counts_against_the_state(autojump_clock: MockClock) -> None:
    """Under the budget that a supervisor has by default, with its waits: the state is set aside before it gives up."""

    @attrs.define
    class Fussy(Ledger):
        def started(self) -> None:
            if self.fills:
                raise ZeroDivisionError

    store = DurableStore()
    tree = Supervisor("bot", [Child("ledger", Fussy, backoff=Backoff.exponential(1.0, jitter="none"))])
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        with runtime.events(StateSetAside) as events:
            await runtime.ref("/bot/ledger").ask("fill")
            await runtime.ref("/bot/ledger").ask("save")
            runtime.ref("/bot/ledger").tell("crash")
            assert await runtime.ref("/bot/ledger").ask("fills", timeout=60) == 0
            assert len(list(events.drain())) == 1


async def test_who_gives_up_opening_leaves_the_store_closed() -> None:
    """The thread that opens it is waited for: else nobody would ever let go of what it has taken."""

    class Slow(MemoryStore):
        def open(self) -> Loaded:
            begun.set()
            go_on.wait(10)
            try:
                return super().open()
            finally:
                over.set()

    begun, go_on, over, store = threading.Event(), threading.Event(), threading.Event(), Slow()

    async def opens() -> None:
        async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store):
            raise AssertionError

    async with trio.open_nursery() as nursery:
        nursery.start_soon(opens)
        await trio.to_thread.run_sync(begun.wait, 10)
        nursery.cancel_scope.cancel()
        go_on.set()
    assert over.wait(10)
    assert not store._is_open


async def test_an_old_incarnation_cannot_save(autojump_clock: MockClock) -> None:
    """Whoever kept its context is told, and what the new one has is not overwritten."""
    kept: list[Any] = []

    @attrs.define
    class Kept(Ledger):
        def started(self) -> None:
            kept.append(self.context)

    spec = Child("ledger", Kept, backoff=Backoff.none())
    async with open_runtime(bot(spec), log_level=None, state=DurableStore()) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.restart_child("/bot/ledger")
        with pytest.raises(StoppedError, match=r"^/bot/ledger \(incarnation 1\) has ended$"):
            await kept[0].save()
        await runtime.stop_child("/bot/ledger")
        with pytest.raises(StoppedError, match=r"^/bot/ledger \(incarnation 2\) has ended$"):
            await kept[1].save()


async def test_who_waits_for_a_save_is_told_though_another_gave_up_waiting(autojump_clock: MockClock) -> None:
    """A forced save does not wait for its second, and takes all that wait with it; one that is cancelled harms none."""
    done: list[tuple[str, float]] = []
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=DurableStore()) as runtime:
        await runtime.state.save()
        began = trio.current_time()

        async def save(name: str, *, force: bool = False) -> None:
            await runtime.state.save(force=force)
            done.append((name, trio.current_time() - began))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(save, "patient")
            with trio.move_on_after(0.25):
                await save("cancelled")
            nursery.start_soon(lambda: save("forced", force=True))
        assert sorted(done) == [("forced", 0.25), ("patient", 0.25)]
        await runtime.state.save()
        assert trio.current_time() - began == 1.25
