"""What has crashed, or was cut short, is never saved: not by a save that comes while it is still being cleaned up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Child, open_runtime, persistent
from duenna.storage import MemoryStore

from .kit import DurableStore, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna import Runtime

NOW = Backoff.none()
WHOLE = b"\x82\xa4left\x09\xa5right\x01"
KEY = "actor:/bot/transfer"


@attrs.define
class Transfer(Actor):
    """Takes from one side and gives to the other, and cleans up slowly."""

    left: int = persistent(default=10)
    right: int = persistent(default=0)

    async def receive(self, message: str) -> tuple[int, int]:
        if message != "look":
            self.left -= 1
            if message == "crash":
                raise ValueError("half-way")
            if message == "wait":
                await trio.sleep(5)
            self.right += 1
        return self.left, self.right

    async def stopping(self, reason: Any) -> None:
        del reason
        await trio.sleep(2)


@attrs.define
class Plain(Actor):
    """The same, as a plain function."""

    left: int = persistent(default=10)
    right: int = persistent(default=0)

    def receive(self, message: str) -> tuple[int, int]:
        if message != "look":
            self.left -= 1
            if message == "leave":
                self.context.stop()
            if message != "move":
                raise ValueError("half-way")
            self.right += 1
        return self.left, self.right


@attrs.define
class Opening(Actor):
    """Empties what it has when it starts, and fills it again when the far end has answered."""

    book: list[int] = persistent(factory=list)

    async def started(self) -> None:
        self.book = []
        await trio.sleep(5)
        self.book = [1, 2]

    def receive(self, message: str) -> list[int]:
        del message
        return self.book


async def whole(runtime: Runtime) -> None:
    await runtime.ref("/bot/transfer").ask("move")
    await runtime.state.save(force=True)


async def test_a_crashed_instance_that_cleans_up_is_not_saved(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("transfer", Transfer, backoff=NOW)), log_level=None) as runtime:
        await whole(runtime)
        runtime.ref("/bot/transfer").tell("crash")
        await wait_all_tasks_blocked()
        await runtime.state.save(force=True)

        assert runtime.state.entries[KEY].data == WHOLE
        assert await runtime.ref("/bot/transfer").ask("look") == (9, 1)


async def test_an_interrupted_message_is_not_saved_while_its_actor_cleans_up(autojump_clock: MockClock) -> None:
    store = DurableStore()
    tree = bot(Child("transfer", Transfer, backoff=NOW))
    async with open_runtime(tree, log_level=None, state=store) as runtime, trio.open_nursery() as nursery:
        await whole(runtime)
        runtime.ref("/bot/transfer").tell("wait")
        await wait_all_tasks_blocked()
        nursery.start_soon(runtime.stop_child, "/bot/transfer")
        await wait_all_tasks_blocked()
        await runtime.state.save(force=True)
        assert runtime.state.entries[KEY].data == WHOLE
    assert store.open().entries[KEY].data == WHOLE


@pytest.mark.parametrize("way", ["stopped", "leave"])
async def test_a_crash_that_a_stop_overtakes_is_not_saved(autojump_clock: MockClock, way: str) -> None:
    """The supervisor hears of the stop first, but the fields are of a crash all the same."""
    async with open_runtime(bot(Child("transfer", Plain, backoff=NOW)), log_level=None) as runtime:
        await whole(runtime)
        cell = runtime._cell("/bot/transfer")
        async with trio.open_nursery() as nursery:
            if way == "stopped":
                manager = cell.node.manager
                manager.post(partial(manager.life.stop, cell, manager.hold, why="test"))
                nursery.start_soon(asked, runtime, "crash")
            else:
                nursery.start_soon(asked, runtime, "leave")
        await wait_all_tasks_blocked()
        assert runtime.state.entries[KEY].data == WHOLE


async def asked(runtime: Runtime, message: str) -> None:
    with pytest.raises(Exception, match=r"half-way|ended|stopped"):
        await runtime.ref("/bot/transfer").ask(message)


@pytest.mark.parametrize("way", ["save", "stop"])
async def test_what_is_not_ready_yet_is_not_saved(autojump_clock: MockClock, way: str) -> None:
    """It may have begun to rebuild what was saved: that stands until it has."""
    store = MemoryStore()
    async with open_runtime(bot(Child("transfer", Opening)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/transfer").ask("look")
    async with open_runtime(bot(Child("other", Plain)), log_level=None, state=store) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.start_child, "/bot", Child("transfer", Opening))
            await wait_all_tasks_blocked()
            if way == "save":
                await runtime.state.save(force=True)
            elif way == "stop":
                nursery.cancel_scope.cancel()
        assert runtime.state.entries[KEY].data == b"\x81\xa4book\x92\x01\x02"
    assert store.open().entries[KEY].data == b"\x81\xa4book\x92\x01\x02"
