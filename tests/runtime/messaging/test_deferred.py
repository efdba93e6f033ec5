"""Deferred replies: answer an ask later, from anywhere, once."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, ActorDiedError, AskTimeoutError, Reply

from .support import AsyncPuppet, BoomError, Puppet, bot, child, crash, node, settle, timed


def defer_to(kept: list[Reply]) -> Callable[[Actor], str]:
    def keep(actor: Actor) -> str:
        kept.append(actor.context.defer_reply())
        return "not the answer"

    return keep


async def ask_deferred(
    runtime: Any, kept: list[Reply], results: list[tuple[object, float]], timeout: float = 5.0
) -> None:
    results.append(await timed(runtime.ref("/bot/a").ask(defer_to(kept), timeout=timeout)))


@pytest.mark.parametrize("value", ["answer", None, 0], ids=repr)
async def test_deferred_reply_answers_later(autojump_clock: MockClock, value: object) -> None:
    """After `defer_reply` the handler's return value is not the answer; what `send` is given is."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(ask_deferred, runtime, kept, results)
        await trio.sleep(3)
        kept[0].send(value)

    assert results == [(value, 3.0)]


async def test_deferred_reply_fails_the_ask(autojump_clock: MockClock) -> None:
    """`fail(error)` raises that error at the asker; it is no crash of the actor."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    error = ValueError("no such order")
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(ask_deferred, runtime, kept, results)
        await settle()
        kept[0].fail(error)
        await settle()

        assert results == [(error, 0.0)]
        assert node(runtime, "/bot/a").restarts == 0


async def test_actor_serves_others_while_a_reply_is_open(autojump_clock: MockClock) -> None:
    """Deferring is the way not to block: other messages are handled meanwhile, and answers may cross."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(ask_deferred, runtime, kept, results)
            await settle()

        plain = await runtime.ref("/bot/a").ask(lambda _: "plain")
        kept[1].send("second")
        await settle()
        kept[0].send("first")
        await settle()

        assert plain == "plain"
        assert [value for value, _ in results] == ["second", "first"]


async def test_reply_can_be_sent_within_the_handler(autojump_clock: MockClock) -> None:
    """A reply sent before the handler returns is the answer, inline or not."""

    def at_once(actor: Actor) -> str:
        actor.context.defer_reply().send("reply")
        return "value"

    async with bot(child("a", Puppet)) as runtime:
        assert await runtime.ref("/bot/a").ask(at_once) == "reply"


async def test_another_actor_may_answer(autojump_clock: MockClock) -> None:
    """A `Reply` can travel in a message: whoever holds it answers."""

    def pass_on(actor: Actor) -> None:
        reply = actor.context.defer_reply()
        actor.context.lookup("b").tell(lambda _: reply.send("from b"))

    async with bot(child("a", Puppet), child("b", Puppet)) as runtime:
        assert await runtime.ref("/bot/a").ask(pass_on) == "from b"


async def test_reply_from_an_async_handler_and_a_timer(autojump_clock: MockClock) -> None:
    """An async handler may defer, and a message to itself may bring the answer."""

    async def later(actor: Actor) -> None:
        reply = actor.context.defer_reply()

        async def answer(_: Actor) -> None:
            reply.send("later")

        actor.context.tell_after(2, answer)

    async with bot(child("a", AsyncPuppet)) as runtime:
        assert await timed(runtime.ref("/bot/a").ask(later)) == ("later", 2.0)


async def test_second_answer_changes_nothing(autojump_clock: MockClock) -> None:
    """Double use: the first answer counts; a later one is a dead letter, and reaches no later ask."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(ask_deferred, runtime, kept, results)
        await settle()
        kept[0].send("first")
        kept[0].send("second")
        kept[0].fail(ValueError("third"))
        answer = await runtime.ref("/bot/a").ask(lambda _: "next")
        await settle()

        assert results == [("first", 0.0)]
        assert answer == "next"
        assert runtime.dead_letters >= 1


async def test_reply_after_the_timeout_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """Nobody waits any more: the late answer is counted as a dead letter."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    async with bot(child("a", Puppet)) as runtime:
        await ask_deferred(runtime, kept, results, timeout=1)

        kept[0].send("late")
        await settle()

        assert isinstance(results[0][0], AskTimeoutError)
        assert runtime.dead_letters == 1


async def test_open_replies_fail_when_the_actor_crashes(autojump_clock: MockClock) -> None:
    """The promise dies with the incarnation that made it: `ActorDiedError` at once, with the crash as cause."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    error = BoomError()
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(ask_deferred, runtime, kept, results)
        await trio.sleep(1)
        runtime.ref("/bot/a").tell(crash(error))
        await settle()

        died, took = results[0]
        assert isinstance(died, ActorDiedError)
        assert (died.__cause__, took) == (error, 1.0)


async def test_open_replies_fail_when_the_actor_is_stopped(autojump_clock: MockClock) -> None:
    """A stopped actor will not answer: its open askers are told at once."""
    kept: list[Reply] = []
    results: list[tuple[object, float]] = []
    async with bot(child("a", Puppet)) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(ask_deferred, runtime, kept, results)
        await trio.sleep(1)
        await runtime.stop_child("/bot/a")
        await settle()

        assert isinstance(results[0][0], ActorDiedError)
        assert results[0][1] == 1.0


async def test_defer_reply_of_a_tell_goes_nowhere(autojump_clock: MockClock) -> None:
    """A tell has no asker: its reply can be sent all the same, so that one handler serves tell and ask."""
    kept: list[Reply] = []
    async with bot(child("a", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(defer_to(kept))
        await settle()
        kept[0].send("to nobody")
        await settle()

        assert node(runtime, "/bot/a").restarts == 0


async def test_defer_reply_outside_of_a_message_is_refused(autojump_clock: MockClock) -> None:
    """No message, no reply to defer: a `RuntimeError`."""
    seen: list[str] = []

    @attrs.define
    class Eager(Actor):
        def started(self) -> None:
            with pytest.raises(RuntimeError):
                self.context.defer_reply()
            seen.append("refused")

    async with bot(child("a", Eager)):
        await settle()

    assert seen == ["refused"]


async def test_context_reply_answers_now(autojump_clock: MockClock) -> None:
    """`context.reply(value)` answers while the handler goes on."""
    gate = trio.Event()

    async def reply_first(actor: Actor) -> str:
        actor.context.reply("now")
        await gate.wait()
        return "too late to be an answer"

    async with bot(child("a", AsyncPuppet)) as runtime:
        answer, took = await timed(runtime.ref("/bot/a").ask(reply_first))
        gate.set()
        await settle()

    assert (answer, took) == ("now", 0.0)


async def test_defer_reply_of_a_told_none(autojump_clock: MockClock) -> None:
    """None is a message like any other: it has a reply to defer."""

    @attrs.define
    class Defers(Actor):
        def receive(self, message: object) -> None:
            self.context.defer_reply().send("answer")

    async with bot(child("a", Defers)) as runtime:
        runtime.ref("/bot/a").tell(None)
        answer = await runtime.ref("/bot/a").ask(None)

        assert answer == "answer"
        assert node(runtime, "/bot/a").restarts == 0
