"""Nothing is kept: what was handled, answered, dropped or given up is let go of at once."""

import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, ActorDiedError, AskTimeoutError, Context, Mailbox, Runtime

from .support import AsyncPuppet, BoomError, Puppet, bot, child, hold, node, settle


class Thing:
    """A message whose end of life is seen."""


@attrs.define
class Sink(Actor):
    """Handles anything, and keeps nothing."""

    def receive(self, message: object) -> None:
        if isinstance(message, Actor):
            raise BoomError


@attrs.define
class AsyncSink(Actor):
    async def receive(self, message: object) -> None:
        await trio.lowlevel.checkpoint()


async def function_sink(context: Context) -> None:
    async for message in context.messages():
        context.reply()
        del message


SINKS = [pytest.param(Sink, id="sync"), pytest.param(AsyncSink, id="async"), pytest.param(function_sink, id="function")]


def is_gone(reference: "weakref.ref[Any]") -> bool:
    gc.collect()
    return reference() is None


@asynccontextmanager
async def busy(box: Mailbox | None = None) -> AsyncIterator[Runtime]:
    """Run an actor that is held in its handler, with a full mailbox of one message."""
    gate = trio.Event()
    async with bot(child("a", AsyncPuppet, mailbox=box or Mailbox(capacity=1))) as runtime:
        runtime.ref("/bot/a").tell(hold(gate))
        await settle()
        runtime.ref("/bot/a").tell(hold(gate))
        yield runtime
        gate.set()
        await settle()


def alive(references: "list[weakref.ref[Thing]]") -> int:
    gc.collect()
    return sum(reference() is not None for reference in references)


@pytest.mark.parametrize("sink", SINKS)
async def test_told_message_is_let_go(autojump_clock: MockClock, sink: Any) -> None:
    """An actor that went on to another message holds none of the earlier ones."""
    async with bot(child("a", sink)) as runtime:
        thing = Thing()
        reference = weakref.ref(thing)
        runtime.ref("/bot/a").tell(thing)
        del thing
        await runtime.ref("/bot/a").ask(None)
        await settle()

        assert is_gone(reference)


@pytest.mark.parametrize("sink", SINKS)
async def test_asked_messages_do_not_pile_up(autojump_clock: MockClock, sink: Any) -> None:
    """Questions that were answered are let go of, though their timeouts lie far ahead."""
    async with bot(child("a", sink)) as runtime:
        references: list[weakref.ref[Thing]] = []
        for _ in range(1_000):
            thing = Thing()
            references.append(weakref.ref(thing))
            await runtime.ref("/bot/a").ask(thing, timeout=1_000_000)
            del thing

        assert alive(references) <= 150


@pytest.mark.parametrize("sink", SINKS[:2])
async def test_last_message_is_let_go(autojump_clock: MockClock, sink: Any) -> None:
    """The last message is not kept until the next one comes."""
    async with bot(child("a", sink)) as runtime:
        thing = Thing()
        reference = weakref.ref(thing)
        runtime.ref("/bot/a").tell(thing)
        del thing
        await settle()

        assert is_gone(reference)


async def test_crash_is_let_go(autojump_clock: MockClock) -> None:
    """Errors are kept as text: after the restart the exception, and with it the frames, is gone."""
    error = BoomError("why")
    reference = weakref.ref(error)

    def crash(kept: list[BoomError]) -> Callable[[Actor], None]:
        def boom(_: Actor) -> None:
            raise kept.pop()

        return boom

    async with bot(child("a", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(crash([error]))
        del error
        await settle()
        await runtime.ref("/bot/a").ask(lambda _: None)

        assert node(runtime, "/bot/a").last_error == "BoomError: why"
        assert is_gone(reference)


async def test_crashed_instance_is_let_go(autojump_clock: MockClock) -> None:
    """A restart never brings the crashed instance back, nor keeps it."""
    instances: list[weakref.ref[Actor]] = []

    class Watched(Sink):
        def started(self) -> None:
            instances.append(weakref.ref(self))

    async with bot(child("a", Watched)) as runtime:
        runtime.ref("/bot/a").tell(Sink())
        await settle()

        assert len(instances) == 2
        assert is_gone(instances[0])
        assert not is_gone(instances[1])


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_asks_that_gave_up_waiting_for_room_do_not_pile_up(autojump_clock: MockClock, how: str) -> None:
    """An ask that never got in leaves nothing behind: else asks would pile up in front of a stuck actor."""
    async with busy() as runtime:
        references: list[weakref.ref[Thing]] = []
        for _ in range(1_000):
            thing = Thing()
            references.append(weakref.ref(thing))
            with trio.move_on_after(1 if how == "cancel" else 3), suppress(AskTimeoutError):
                await runtime.ref("/bot/a").ask(thing, timeout=1_000_000 if how == "cancel" else 1)
            del thing

        assert alive(references) <= 150


async def test_cancelled_send_is_let_go(autojump_clock: MockClock) -> None:
    """A sender that was cancelled leaves nothing in the queue of those who wait."""
    async with busy() as runtime:
        thing = Thing()
        reference = weakref.ref(thing)
        with trio.move_on_after(1):
            await runtime.ref("/bot/a").send(thing)
        del thing
        await settle()

        assert is_gone(reference)


@pytest.mark.parametrize(
    "box",
    [
        pytest.param(Mailbox(capacity=1, overflow="drop_oldest"), id="drop_oldest"),
        pytest.param(Mailbox(capacity=1, overflow="drop_newest"), id="drop_newest"),
        pytest.param(Mailbox.latest(key=lambda _: "one"), id="latest"),
    ],
)
async def test_dropped_message_is_let_go(autojump_clock: MockClock, box: Mailbox) -> None:
    """What overflow dropped or a newer message replaced is gone."""
    async with busy(box) as runtime:
        thing = Thing()
        reference = weakref.ref(thing)
        runtime.ref("/bot/a").tell(thing)
        del thing
        if box.overflow != "drop_newest":
            runtime.ref("/bot/a").tell(hold(trio.Event()))

        assert is_gone(reference)
        await runtime.stop_child("/bot/a")


async def test_dead_letter_is_let_go(autojump_clock: MockClock) -> None:
    """A dead letter is counted, not collected."""
    async with bot(child("a", Sink)) as runtime:
        await runtime.stop_child("/bot/a")
        thing = Thing()
        reference = weakref.ref(thing)
        runtime.ref("/bot/a").tell(thing)
        del thing

        assert is_gone(reference)


async def test_timers_message_is_let_go(autojump_clock: MockClock) -> None:
    """After a timer fired, or was cancelled and outnumbered, nothing of it is left."""
    async with bot(child("a", Puppet)) as runtime:
        fired = Thing()
        reference = weakref.ref(fired)

        def arm(thing: list[Thing]) -> Callable[[Actor], None]:
            def handle(actor: Actor) -> None:
                kept = thing.pop()
                actor.context.tell_after(1, lambda _, kept=kept: None)

            return handle

        await runtime.ref("/bot/a").ask(arm([fired]))
        del fired
        await trio.sleep(2)
        await runtime.ref("/bot/a").ask(lambda _: None)

        assert is_gone(reference)


async def test_cancelled_timers_are_thrown_out(autojump_clock: MockClock) -> None:
    """The heap is compacted when over half of it is dead: far timers that were cancelled do not pile up."""
    async with bot(child("a", Puppet)) as runtime:
        references: list[weakref.ref[Thing]] = []

        def arm(actor: Actor) -> None:
            thing = Thing()
            references.append(weakref.ref(thing))
            actor.context.tell_after(1_000_000, thing).cancel()

        for _ in range(1_000):
            await runtime.ref("/bot/a").ask(arm)

        assert alive(references) <= 200


async def test_answered_replies_are_let_go(autojump_clock: MockClock) -> None:
    """A deferred reply that was sent leaves nothing with the actor."""
    async with bot(child("a", Puppet)) as runtime:
        references: list[weakref.ref[Thing]] = []

        def defer(actor: Actor) -> None:
            reply = actor.context.defer_reply()
            actor.context.ref.tell(lambda _: reply.send(None))

        class Question(Thing):
            def __call__(self, actor: Actor) -> None:
                defer(actor)

        for _ in range(1_000):
            question = Question()
            references.append(weakref.ref(question))
            await runtime.ref("/bot/a").ask(question)
            del question

        assert alive(references) <= 150


async def test_ended_children_are_let_go(autojump_clock: MockClock) -> None:
    """A temporary child that ended, and one that was deleted, leave nothing: neither spec nor mailbox."""
    async with bot() as runtime:
        references: list[weakref.ref[Any]] = []
        for number in range(50):
            thing = Thing()
            references.append(weakref.ref(thing))

            def make(thing: Thing = thing) -> Actor:
                return Sink()

            await runtime.start_child("/bot", child(f"t{number}", make, restart="temporary"))
            await runtime.stop_child(f"/bot/t{number}")
            del thing, make

        gc.collect()
        assert sum(reference() is not None for reference in references) == 0
        assert runtime.tree().children == ()


async def test_asker_of_a_dead_actor_keeps_nothing_alive(autojump_clock: MockClock) -> None:
    """`ActorDiedError` carries the crash; when the asker lets go of it, it is gone."""
    async with bot(child("a", Puppet)) as runtime:

        async def ask() -> "weakref.ref[BaseException]":
            def boom(_: Actor) -> None:
                raise BoomError

            try:
                await runtime.ref("/bot/a").ask(boom)
            except ActorDiedError as died:
                assert died.__cause__ is not None  # noqa: PT017  # the reference below needs it
                return weakref.ref(died.__cause__)
            raise AssertionError

        asked: Awaitable[weakref.ref[BaseException]] = ask()
        reference = await asked
        await runtime.ref("/bot/a").ask(lambda _: None)

        assert is_gone(reference)
