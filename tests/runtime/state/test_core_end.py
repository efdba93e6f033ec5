"""The last save, and the mark that all was saved: never left when something was not, and nobody waits for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Child, ChildState, StoppedError, open_runtime, persistent
from duenna.storage import StateWriteError

from .kit import DurableStore, Ledger, bot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trio.testing import MockClock

    from duenna.storage import Change


@attrs.define
class Anything(Actor):
    """Holds what it is given."""

    held: Any = persistent(default=None)

    def receive(self, message: Any) -> None:
        self.held = message[0]


class Failing(DurableStore):
    """Fails so many times, then works; notes when it was tried."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.tries: list[float] = []

    def commit(self, changes: Sequence[Change], at: float) -> int:
        self.tries.append(trio.current_time())
        if self.failures:
            self.failures -= 1
            raise StateWriteError(self.name, f"{len(changes)} changes", "input/output error")
        return super().commit(changes, at)


def was_clean(store: DurableStore) -> bool:
    loaded = store.open()
    store.close(0.0, is_clean=False)
    return loaded.was_clean


@pytest.mark.parametrize("call", ["save", "forced", "commit"])
async def test_after_the_stop_nobody_waits_for_a_writer(autojump_clock: MockClock, call: str) -> None:
    """The body goes on when the runtime has been stopped; what it asks of the state then is refused."""
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        state = runtime.state
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.stop()
        late = state.change("part:late", "late", 1, b"\xc0")
        refused = state.commit([late]) if call == "commit" else state.save(force=call == "forced")
        with pytest.raises(StoppedError, match=r"^/system/persistence has ended$"), trio.fail_after(60):
            await refused
    assert was_clean(store)


async def test_one_that_waits_when_the_writer_is_gone_is_told(autojump_clock: MockClock) -> None:
    store = DurableStore()
    told: list[str] = []

    async def commit() -> None:
        try:
            await runtime.state.commit([runtime.state.change("part:late", "late", 1, b"\xc0")])
        except StoppedError:
            told.append("stopped")

    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.stop_child("/system/persistence")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await wait_all_tasks_blocked()
            await runtime.stop()
        assert told == ["stopped"]
    assert not was_clean(store)


async def test_a_store_that_fails_once_at_the_end_is_tried_again(autojump_clock: MockClock) -> None:
    """As a disk whose fsync failed once takes a new file: the last save must not be the one that is lost."""
    store = Failing()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        store.failures = 3
    assert was_clean(store)
    assert "actor:/bot/ledger" in store.open().entries


async def test_a_store_that_fails_at_the_end_keeps_no_stop_for_long(autojump_clock: MockClock) -> None:
    store = Failing()
    began = trio.current_time()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        store.failures = 1000
    assert trio.current_time() - began < 5.0
    assert 1 < len(store.tries) < 10
    assert not was_clean(store)


async def test_what_was_clean_at_an_earlier_stop_of_the_writer_is_not_now(autojump_clock: MockClock) -> None:
    """An operator restarts the writer, and later an actor cannot be saved when the writer is not there."""
    store = DurableStore()
    async with open_runtime(bot(Child("any", Anything)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/any").ask(([1],))
        await runtime.restart_child("/system/persistence")
        assert runtime.state.rounds.is_last_done is False
        await runtime.ref("/bot/any").ask(([object()],))
        await runtime.stop_child("/system/persistence")
    assert not was_clean(store)


async def test_the_writer_is_not_held_in_the_next_process(autojump_clock: MockClock) -> None:
    """Else a bot would run on for weeks with nothing of it durable."""
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.stop_child("/system/persistence")
        await runtime.ref("/bot/ledger").ask("fill")
        assert runtime.state.issues()
        await runtime.restart_child("/system/persistence")
        assert not runtime.state.issues()
        await runtime.stop_child("/system/persistence")
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        assert runtime.tree("/system/persistence").state == ChildState.RUNNING
        await runtime.ref("/bot/ledger").ask("fill")
        await runtime.state.save(force=True)


async def test_a_child_that_was_added_and_cannot_be_saved_leaves_no_mark(autojump_clock: MockClock) -> None:
    """It is forgotten with its supervisor, but not that it was not saved."""
    store = DurableStore()
    async with open_runtime(bot(), log_level=None, state=store) as runtime:
        await runtime.start_child("/bot", Child("any", Anything))
        await runtime.ref("/bot/any").ask(([object()],))
    assert not was_clean(store)
