"""A large actor that is saved in slices handles nothing meanwhile, and goes on afterwards, whatever happens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import Actor, Backoff, Child, open_runtime, persistent
from duenna.fields import codec_of

from .kit import DurableStore, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

    from duenna import Runtime

NOW = Backoff.none()
KEY = "actor:/bot/large"


@attrs.define
class Large(Actor):
    """Holds much; each message changes two fields, one at the beginning and one at the end, and may take a while."""

    first: int = persistent(default=0)
    prices: dict[str, float] = persistent(factory=dict)
    last: int = persistent(default=0)
    busy: int = 0
    most: int = 0

    async def receive(self, message: float) -> int:
        self.busy += 1
        self.most = max(self.most, self.busy)
        if not self.prices:
            self.prices = {f"symbol {number}": float(number) for number in range(8_000)}
        self.first += 1
        self.prices[f"new {self.first}"] = 1.0
        await trio.sleep(message)
        self.last += 1
        self.busy -= 1
        return self.most


async def taking(runtime: Runtime) -> Any:
    """Return the cell of the large actor while it is being taken."""
    cell = runtime._cell("/bot/large")
    while cell.serves:
        await trio.lowlevel.checkpoint()
    return cell


def saved(runtime: Runtime) -> Large:
    """Return what is saved of the large actor."""
    codec, entry = codec_of(Large), runtime.state.entries[KEY]
    assert codec is not None
    fields = Large()
    codec.restore(fields, entry.schema, entry.data)
    return fields


def tree(**options: Any) -> Any:
    return bot(Child("large", Large, backoff=NOW, **options), Child("other", Large))


async def test_one_that_is_resumed_meanwhile_is_not_taken_half(autojump_clock: MockClock) -> None:
    """Whoever suspends and resumes it has it go on at once: it is taken with the next save."""
    async with open_runtime(tree(), log_level=None, state=DurableStore()) as runtime:
        large = runtime.ref("/bot/large")
        await large.ask(0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.state.save)
            await taking(runtime)
            large.tell(1.0)
            large.tell(1.0)
            await runtime.suspend("/bot/large")
            await runtime.resume("/bot/large")
        assert KEY not in runtime.state.entries
        assert await large.ask(0.0) == 1  # never two messages at a time
        await runtime.state.save(force=True)
        assert (saved(runtime).first, saved(runtime).last) == (4, 4)


@pytest.mark.parametrize("way", ["suspend", "stop", "restart", "drain", "writer", "cancel", "remove"])
async def test_it_goes_on_afterwards(autojump_clock: MockClock, way: str) -> None:
    drain = 5.0 if way == "drain" else 0.0
    async with open_runtime(tree(drain=drain), log_level=None, state=DurableStore()) as runtime:
        large = runtime.ref("/bot/large")
        await large.ask(0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.state.save)
            await taking(runtime)
            large.tell(0.0)
            if way == "suspend":
                await runtime.suspend("/bot/large")
            elif way in {"stop", "remove"}:
                await runtime.stop_child("/bot/large")
            elif way in {"restart", "drain"}:
                await runtime.restart_child("/bot/large")
            elif way == "writer":
                await runtime.restart_child("/system/persistence")
            else:
                nursery.cancel_scope.cancel()
        if way == "suspend":
            await trio.sleep(1)
            assert not runtime._cell("/bot/large").serves
            await runtime.resume("/bot/large")
        elif way == "stop":
            await runtime.restart_child("/bot/large")
        elif way == "remove":
            await runtime.delete_child("/bot/large")
            await runtime.start_child("/bot", Child("large", Large))
            large = runtime.ref("/bot/large")
        assert await large.ask(0.0) == 1
        await runtime.state.save(force=True)
        assert saved(runtime).first == saved(runtime).last >= 1


async def test_a_message_that_is_drained_is_saved(autojump_clock: MockClock) -> None:
    """The actor is asked to stop while it is taken: what is in its mailbox is handled, and saved at its end."""
    async with open_runtime(tree(drain=5.0), log_level=None, state=DurableStore()) as runtime:
        large = runtime.ref("/bot/large")
        await large.ask(0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.state.save)
            await taking(runtime)
            large.tell(1.0)
            began = trio.current_time()
            await runtime.stop_child("/bot/large")
            assert trio.current_time() == began + 1.0
        assert (saved(runtime).first, saved(runtime).last) == (2, 2)
