"""Parts and entries beside actors: one that is not loaded yet is not overwritten, and what is gone leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Child, open_runtime, persistent
from duenna._open import opened
from duenna._runtime import Runtime
from duenna.state import Part

from .kit import DurableStore, Ledger, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

NOW = Backoff.none()


@attrs.define
class Anything(Actor):
    """Holds what it is given."""

    held: Any = persistent(default=None)

    def receive(self, message: Any) -> None:
        if message == "crash":
            raise ValueError("crash")
        self.held = message[0]


def add_parts(runtime: Runtime, held: dict[str, int]) -> None:
    """Add two parts before the state is open: to load the first has the second saved, and a third added."""

    def load_first(value: int) -> None:
        held["first"] = value
        runtime.state.save_part("second")
        runtime.state.add(part("third", lambda value: held.update(third=value)))

    def part(name: str, load: Any) -> Part[int]:
        return Part(name=name, type=int, dump=lambda: held.get(name), load=load)

    runtime.state.add(part("first", load_first))
    runtime.state.add(part("second", lambda value: held.update(second=value)))


async def test_a_part_that_is_not_loaded_yet_is_not_saved(autojump_clock: MockClock) -> None:
    """To load one part may have another saved that has not got its own yet: what was stored of that stays."""
    store = DurableStore()
    held = {"first": 1, "second": 2}
    for is_first in (True, False):
        if not is_first:
            held.clear()
        runtime = Runtime(bot(Child("ledger", Ledger)), log_level=None, state=store)
        add_parts(runtime, held)
        async with opened(runtime, None):
            await runtime.state.save(force=True)
    assert held == {"first": 1, "second": 2}


async def test_a_commit_of_nothing_returns_at_once(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=DurableStore()) as runtime:
        with trio.fail_after(5):
            assert await runtime.state.commit([]) == 0


async def test_what_could_not_be_saved_is_forgotten_with_its_child(autojump_clock: MockClock) -> None:
    """Children with ever new names leave nothing behind but what is stored of them."""
    async with open_runtime(bot(), log_level=None, state=DurableStore()) as runtime:
        state = runtime.state
        await runtime.start_child("/bot", Child("any", Anything))
        await runtime.ref("/bot/any").ask(([object()],))
        await state.save(force=True)
        assert len(state.issues()) == 1
        await runtime.stop_child("/bot/any")
        assert len(state.issues()) == 1
        await runtime.delete_child("/bot/any")
        assert state.issues() == ()

        await runtime.start_child("/bot", Child("any", Anything, restart="temporary"))
        await runtime.ref("/bot/any").ask((1,))
        await state.save(force=True)
        await runtime.stop_child("/bot/any")
        await runtime.start_child("/bot", Child("any", Anything, restart="temporary"))
        assert state.restored("/bot/any") is not None
        runtime.ref("/bot/any").tell("crash")
        await wait_all_tasks_blocked()
        assert state.restored("/bot/any") is None
        assert not state._restoring._crashes
        assert not state._restoring._restored


@pytest.mark.parametrize("back", [3600.0, 0.0])
async def test_what_was_restored_is_never_taken_for_fresher_than_it_is(autojump_clock: MockClock, back: float) -> None:
    """The wall clock was set back since it was saved, before the last commit."""
    store = DurableStore()
    wall = 1_000_000.0
    async with open_runtime(bot(Child("ledger", Ledger, backoff=NOW)), log_level=None, state=store) as runtime:
        runtime.state.wall = lambda: wall
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.ref("/bot/ledger").ask("save")
        wall += 100.0
        await runtime.state.commit([runtime.state.change("part:x", "x", 1, b"\xc0")])
    wall -= back
    async with open_runtime(bot(), log_level=None, state=store) as runtime:
        runtime.state.wall = lambda: wall
        await runtime.start_child("/bot", Child("ledger", Ledger))
        restored = await runtime.ref("/bot/ledger").ask("restored")
        assert restored.age == 100.0
