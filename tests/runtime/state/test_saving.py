"""What is saved when: between two messages, at the end, off the loop's time, and by whoever is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, ActorDiedError, Backoff, Child, StoppedError, open_runtime, persistent
from duenna.fields import codec_of
from duenna.state.events import StateNotTaken, StateUnencodable
from duenna.storage import MemoryStore

from .kit import DurableStore, Ledger, bot

if TYPE_CHECKING:
    from trio.testing import MockClock

NOW = Backoff.none()


@attrs.define
class Transfer(Actor):
    """Takes from one side, waits, and gives to the other."""

    left: int = persistent(default=10)
    right: int = persistent(default=0)

    async def receive(self, message: float) -> None:
        self.left -= 1
        await trio.sleep(message)
        self.right += 1


@attrs.define
class Poller(Actor):
    """Changes by itself."""

    polls: int = persistent(default=0)

    async def run(self) -> None:
        while True:
            self.polls += 1
            await trio.sleep(1)


@attrs.define
class Anything(Actor):
    """Holds what it is given."""

    held: Any = persistent(default=None)

    async def receive(self, message: Any) -> None:
        self.held = message[0]
        if message[1]:
            await self.context.save()


@attrs.define
class Large(Actor):
    """Holds much, and changes it with each message."""

    prices: dict[str, float] = persistent(factory=dict)
    sums: int = persistent(default=0)

    def receive(self, message: str) -> int:
        if message == "fill":
            self.prices = {f"symbol {number}": float(number) for number in range(50_000)}
        self.prices["changed"] = self.prices.get("changed", 0.0) + 1.0
        self.sums += 1
        return self.sums


async def test_an_actor_is_not_taken_in_the_middle_of_a_message(autojump_clock: MockClock) -> None:
    """It is when it has handled it: what is stored is never half of a transfer."""
    store = DurableStore()
    async with open_runtime(bot(Child("transfer", Transfer)), log_level=None, state=store) as runtime:
        runtime.ref("/bot/transfer").tell(5.0)
        await wait_all_tasks_blocked()
        report = await runtime.state.save(force=True)
        assert report.busy == ("/bot/transfer",)
        assert "actor:/bot/transfer" not in runtime.state.entries

        await trio.sleep(6)
        assert runtime.state.entries["actor:/bot/transfer"].data == b"\x82\xa4left\x09\xa5right\x01"


async def test_a_message_that_the_stop_interrupts_is_not_saved(autojump_clock: MockClock) -> None:
    """What was saved before it stands, and that is told."""
    store = MemoryStore()
    async with open_runtime(bot(Child("transfer", Transfer, shutdown=1.0)), log_level=None, state=store) as runtime:
        events = runtime.events(StateNotTaken)
        await runtime.ref("/bot/transfer").ask(0.0)
        await runtime.state.save(force=True)
        runtime.ref("/bot/transfer").tell(5.0)
        await wait_all_tasks_blocked()
    assert [event.path for event in events.drain()] == ["/bot/transfer"]
    assert store.open().entries["actor:/bot/transfer"].data == b"\x82\xa4left\x09\xa5right\x01"


async def test_what_changes_by_itself_is_saved(autojump_clock: MockClock) -> None:
    """An actor with a body of its own gets no messages, and may change at any time."""
    store = DurableStore()
    async with open_runtime(bot(Child("poller", Poller)), log_level=None, state=store) as runtime:
        await trio.sleep(2.5)
        assert (await runtime.state.save(force=True)).changed == 1
        assert (await runtime.state.save(force=True)).changed == 0
        await trio.sleep(1)
        assert (await runtime.state.save(force=True)).changed == 1


async def test_what_a_message_changes_after_its_save_is_saved_later(autojump_clock: MockClock) -> None:
    """A save in the middle of a message is of that moment."""

    @attrs.define
    class Half(Actor):
        count: int = persistent(default=0)

        async def receive(self, message: str) -> int:
            if message == "go":
                self.count = 1
                await self.context.save()
                self.count = 2
            return self.count

    store = DurableStore()
    async with open_runtime(bot(Child("half", Half)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/half").ask("go")
        assert runtime.state.entries["actor:/bot/half"].data == b"\x81\xa5count\x01"
        await runtime.state.save(force=True)
        assert runtime.state.entries["actor:/bot/half"].data == b"\x81\xa5count\x02"


async def test_one_that_cannot_be_encoded_stops_no_other(autojump_clock: MockClock) -> None:
    store = DurableStore()
    tree = bot(Child("any", Anything), Child("ledger", Ledger))
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        events = runtime.events(StateUnencodable)
        await runtime.ref("/bot/any").ask(([1], False))
        await runtime.state.save(force=True)
        await runtime.ref("/bot/any").ask(([object()], False))
        await runtime.ref("/bot/ledger").ask("fill")
        report = await runtime.state.save(force=True)

        assert list(report.failed) == ["/bot/any"]
        assert report.changed == 1
        assert runtime.state.entries["actor:/bot/any"].data == b"\x81\xa4held\x91\x01"
        assert [event.path for event in events.drain()] == ["/bot/any"]
        with pytest.raises(ActorDiedError, match=r"Anything\.held\[0\] cannot be saved"):
            await runtime.ref("/bot/any").ask(([object()], True))


@attrs.define
class Number(Actor):
    """Holds a number, too large for any message about it."""

    number: int = persistent(default=0)

    def receive(self, message: int) -> None:
        self.number = 10**message


async def test_a_value_that_cannot_even_be_shown_stops_neither_the_save_nor_the_bot(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("number", Number)), log_level=None, state=DurableStore()) as runtime:
        await runtime.ref("/bot/number").ask(5000)
        report = await runtime.state.save(force=True)
        assert list(report.failed) == ["/bot/number"]


async def test_what_could_not_be_saved_is_no_issue_once_its_actor_is_gone(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("any", Anything)), log_level=None, state=DurableStore()) as runtime:
        await runtime.ref("/bot/any").ask(([object()], False))
        await runtime.state.save(force=True)
        await runtime.stop_child("/bot/any")
        assert len(runtime.state.issues()) == 1
        await runtime.delete_child("/bot/any")
        assert runtime.state.issues() == ()


async def test_a_save_returns_when_it_is_durable_and_not_before(autojump_clock: MockClock) -> None:
    """A commit that is under way when it is asked for is not the one that has it."""
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        ledger = runtime.ref("/bot/ledger")
        for count in range(5):
            await ledger.ask("fill")
            await ledger.ask("save")
            assert store.commits[-1][-1].key == "actor:/bot/ledger"
            assert len(store.commits) == count + 1
        await ledger.ask("save")
        assert len(store.commits) == 5


async def test_a_cancelled_save_goes_on(autojump_clock: MockClock) -> None:
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        await runtime.ref("/bot/ledger").ask("fill")
        with trio.CancelScope() as scope:
            scope.cancel()
            await runtime.state.save(force=True)
        await wait_all_tasks_blocked()
        assert runtime.state.status().waiting == 0
        assert store.commits


async def test_a_large_actor_is_saved_in_slices_and_handles_nothing_meanwhile(autojump_clock: MockClock) -> None:
    """Others run, its own messages wait: what is stored is of one moment."""
    store = DurableStore()
    tree = bot(Child("large", Large), Child("ledger", Ledger))
    async with open_runtime(tree, log_level=None, state=store) as runtime:
        large = runtime.ref("/bot/large")
        await large.ask("fill")
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1
                large.tell("change")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.state.save)
            await trio.lowlevel.checkpoint()
            nursery.start_soon(count)
            while "actor:/bot/large" not in runtime.state.entries:
                await trio.lowlevel.checkpoint()
            assert turns > 5
            nursery.cancel_scope.cancel()
        saved = runtime.state.entries["actor:/bot/large"]
        fields = Large()
        codec = codec_of(Large)
        assert codec is not None
        codec.restore(fields, saved.schema, saved.data)
        assert fields.prices["changed"] == fields.sums
        assert await large.ask("change") > fields.sums


async def test_the_writer_s_crash_loses_nothing(autojump_clock: MockClock) -> None:
    """What waits outlives it: the next incarnation writes it."""
    store = DurableStore()
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None, state=store) as runtime:
        ledger = runtime.ref("/bot/ledger")
        await ledger.ask("fill")
        await runtime.restart_child("/system/persistence")
        await runtime.state.save(force=True)
        assert "actor:/bot/ledger" in runtime.state.entries
        await ledger.ask("fill")
        await runtime.state.save()
        assert runtime.state.entries["actor:/bot/ledger"].version == 2


async def test_nothing_is_saved_after_the_end(autojump_clock: MockClock) -> None:
    async with open_runtime(bot(Child("ledger", Ledger)), log_level=None) as runtime:
        pass
    with pytest.raises(StoppedError, match=r"^/system/persistence has ended$"):
        await runtime.state.save()


async def test_only_a_class_with_fields_can_be_saved(autojump_clock: MockClock) -> None:
    class Plain(Actor):
        async def receive(self, message: str) -> None:
            del message
            await self.context.save()

    async with open_runtime(bot(Child("plain", Plain)), log_level=None) as runtime:
        with pytest.raises(ActorDiedError, match=r"RuntimeError: save\(\) of /bot/plain needs persistent\(\) fields"):
            await runtime.ref("/bot/plain").ask("go")
