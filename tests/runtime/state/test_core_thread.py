"""The writer ends in the middle of a real commit in a real thread: who waits is told, and nothing is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Child, NotDurableError, StoppedError, open_runtime

from .kit import DurableStore, Ledger, bot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duenna import Runtime
    from duenna.storage import Change


class Hanging(DurableStore):
    """A disk that hangs until it is let go; it notes if it is ever used by two threads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.go_on = threading.Event()
        self.fails = 0
        self.inside = 0
        self.most = 0

    def commit(self, changes: Sequence[Change], at: float) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            self.hangs.set()
            self.go_on.wait(30)
            if self.fails:
                self.fails -= 1
                raise OSError("the disk is gone")
            return super().commit(changes, at)
        finally:
            self.inside -= 1


async def hanging(store: Hanging) -> None:
    assert await trio.to_thread.run_sync(store.hangs.wait, 10)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # what it waits for has no event
            await trio.sleep(0.001)


@pytest.mark.parametrize("way", ["restart", "crash", "fails"])
async def test_a_commit_that_is_cut_short_is_written_by_the_next_writer(way: str) -> None:
    """The thread goes on; the next writer follows it, and who waited for the first is told by the second."""
    store = Hanging()
    seen: list[Any] = []
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:

        async def commit(name: str) -> None:
            key = f"part:{name}"
            seen.append((name, await runtime.state.commit([runtime.state.change(key, name, 1, b"\xc0")])))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit, "first")
            await hanging(store)
            nursery.start_soon(commit, "second")
            store.fails = 1 if way == "fails" else 0
            if way == "restart":
                nursery.start_soon(runtime.restart_child, "/system/persistence")
            else:
                cell = runtime._cell("/system/persistence")
                cell.node.manager.post(cell.node.manager.life.unwind, cell, ValueError("crash"))
            await until(lambda: is_cut_short(runtime))
            assert not seen
            store.go_on.set()
        assert {name for name, _ in seen} == {"first", "second"}
        await runtime.state.save(force=True)
        assert runtime.state.status().waiting == 0
        assert store.most == 1
        assert {"part:first", "part:second"} <= set(store._entries)
    assert store.open().was_clean


def is_cut_short(runtime: Runtime) -> bool:
    commits = runtime.state.commits
    return any(batch is not None and batch.before for batch in (commits._open, commits._writing))


async def test_a_disk_that_hangs_at_the_end_keeps_nobody_and_leaves_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duenna.state.actor.SHUTDOWN", 0.2)
    monkeypatch.setattr("duenna.state._owner.MOST_PATIENCE", 0.2)
    store = Hanging()
    told: list[type[Exception]] = []
    try:
        async with (
            trio.open_nursery() as nursery,
            open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime,
        ):

            async def commit() -> None:
                try:
                    await runtime.state.commit([runtime.state.change("part:x", "x", 1, b"\xc0")])
                except (StoppedError, NotDurableError) as error:
                    told.append(type(error))

            nursery.start_soon(commit)
            await hanging(store)
        assert told == [StoppedError]
        assert not store._was_clean
    finally:
        store.go_on.set()
