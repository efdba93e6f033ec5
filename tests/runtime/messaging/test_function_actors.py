"""Function actors: `async def poll(context)` is an actor too."""

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Actor,
    ActorDiedError,
    Backoff,
    ChildExited,
    Context,
    Mailbox,
    MailboxFullError,
    Reply,
    StartFailedError,
)

from .support import BoomError, Puppet, bot, caught, child, crash, node, parrot, settle, timed


async def test_messages_come_one_at_a_time_in_order(autojump_clock: MockClock) -> None:
    """`context.messages()` gives the mailbox in order."""
    got: list[Any] = []
    async with bot(child("a", parrot(got))) as runtime:
        for number in range(10):
            runtime.ref("/bot/a").tell(number)
        await settle()

    assert got == list(range(10))


async def test_messages_told_before_the_first_iteration_are_kept(autojump_clock: MockClock) -> None:
    """The mailbox is there before the function asks for it."""
    got: list[Any] = []

    async def late(context: Context) -> None:
        await trio.sleep(5)
        async for message in context.messages():
            got.append((message, trio.current_time()))  # noqa: PERF401

    async with bot(child("a", late)) as runtime:
        runtime.ref("/bot/a").tell("early")
        await trio.sleep(6)

    assert got == [("early", 5.0)]


async def test_returning_is_a_normal_exit(autojump_clock: MockClock) -> None:
    """A function that returns has finished; a permanent one is restarted, a transient one is not."""
    runs: list[str] = []

    async def once(name: str, context: Context) -> None:
        runs.append(f"{name} {context.incarnation}")
        if context.incarnation > 1:
            await trio.sleep_forever()

    specs = (
        child("p", partial(once, "permanent")),
        child("t", partial(once, "transient"), restart="transient"),
    )
    async with bot(*specs) as runtime:
        await settle()

        assert sorted(runs) == ["permanent 1", "permanent 2", "transient 1"]
        assert node(runtime, "/bot/t").state == "finished"


async def test_crash_is_restarted_with_backoff(autojump_clock: MockClock) -> None:
    """An exception out of the function is a crash."""
    times: list[float] = []

    async def poll(_: Context) -> None:
        times.append(trio.current_time())
        await trio.sleep(1)
        raise BoomError

    async with bot(child("a", poll, backoff=Backoff.steps(2, 5))):
        await trio.sleep(16)

    assert times == [0.0, 3.0, 9.0, 15.0]


async def test_crash_before_the_first_instruction_is_a_restart_under_auto(autojump_clock: MockClock) -> None:
    """`ready="auto"`: ready when the task begins, so a crash in the first line is no boot failure."""
    runs: list[int] = []

    async def poll(context: Context) -> None:
        runs.append(context.incarnation)
        if context.incarnation == 1:
            raise BoomError
        await trio.sleep_forever()

    async with bot(child("a", poll)):
        await settle()

    assert runs == [1, 2]


async def test_manual_ready_holds_the_boot(autojump_clock: MockClock) -> None:
    """`ready="manual"`: the next sibling starts when `context.ready()` was called."""
    order: list[tuple[str, float]] = []

    async def slow(context: Context) -> None:
        await trio.sleep(3)
        order.append(("ready", trio.current_time()))
        context.ready()
        context.ready("a second time does nothing")
        await trio.sleep_forever()

    async def after(_: Context) -> None:
        order.append(("next", trio.current_time()))
        await trio.sleep_forever()

    async with bot(child("a", slow, ready="manual"), child("b", after)):
        assert trio.current_time() == 3.0

    assert order == [("ready", 3.0), ("next", 3.0)]


async def test_crash_before_manual_ready_is_a_failed_boot(autojump_clock: MockClock) -> None:
    """`ready="manual"`: an exception before `ready()` is a start error, with the cause."""

    async def poll(_: Context) -> None:
        raise BoomError

    with pytest.raises(StartFailedError) as failed:
        async with bot(child("a", poll, ready="manual")):
            pass

    assert failed.value.path == "/bot/a"
    assert isinstance(failed.value.__cause__, BoomError)


async def test_ready_under_auto_does_nothing(autojump_clock: MockClock) -> None:
    """`context.ready()` is harmless in a child that was ready from the start."""
    async with bot(child("a", parrot([]))) as runtime, trio.open_nursery() as nursery:

        async def poll(context: Context) -> None:
            context.ready("ignored")
            await trio.sleep_forever()

        nursery.start_soon(runtime.start_child, "/bot", child("b", poll))
        await settle()

        assert node(runtime, "/bot/b").state == "running"


async def test_mailbox_survives_the_restart_and_poison_does_not(autojump_clock: MockClock) -> None:
    """C87: messages behind the crash wait for the next incarnation."""
    got: list[Any] = []
    error = BoomError()
    async with bot(child("a", parrot(got))) as runtime:
        for message in [1, error, 2]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert got == [1, error, 2]


async def test_ask_on_which_the_function_crashes_fails_at_once(autojump_clock: MockClock) -> None:
    """C84 for function actors: the ask under way dies with the function."""
    error = BoomError()
    async with bot(child("a", parrot([]))) as runtime:
        died, took = await timed(runtime.ref("/bot/a").ask(error))

    assert isinstance(died, ActorDiedError)
    assert (died.__cause__, took) == (error, 0.0)


async def test_ask_under_way_when_the_function_returns_fails_at_once(autojump_clock: MockClock) -> None:
    """A function that returns without a reply answers nobody."""

    async def leave(context: Context) -> None:
        async for _ in context.messages():
            return

    async with bot(child("a", leave, restart="transient")) as runtime:
        error, took = await timed(runtime.ref("/bot/a").ask("question"))

    assert isinstance(error, ActorDiedError)
    assert took == 0.0


async def test_mailbox_of_a_function_is_bounded(autojump_clock: MockClock) -> None:
    """A function actor that does not read its mailbox fills it, and the rule holds."""

    async def deaf(_: Context) -> None:
        await trio.sleep_forever()

    async with bot(child("a", deaf, mailbox=Mailbox(capacity=2))) as runtime:
        runtime.ref("/bot/a").tell(1)
        runtime.ref("/bot/a").tell(2)
        with pytest.raises(MailboxFullError):
            runtime.ref("/bot/a").tell(3)

        assert node(runtime, "/bot/a").mailbox.depth == 2


async def test_send_waits_for_a_function_to_read(autojump_clock: MockClock) -> None:
    """Back pressure holds for function actors: reading a message makes room."""

    async def slow(context: Context) -> None:
        async for _ in context.messages():
            await trio.sleep(2)

    async with bot(child("a", slow, mailbox=Mailbox(capacity=1))) as runtime:
        ref = runtime.ref("/bot/a")
        await ref.send(1)
        await settle()
        await ref.send(2)

        _, took = await timed(ref.send(3))

    assert took == 2.0


async def test_stop_cancels_the_function(autojump_clock: MockClock) -> None:
    """A function that waits for messages is cancelled when it is stopped, and its cleanup runs."""
    ended: list[str] = []

    async def serve(context: Context) -> None:
        try:
            async for _ in context.messages():
                pass
        finally:
            ended.append("cleaned up")

    async with bot(child("a", serve)) as runtime:
        with runtime.events(ChildExited) as stream:
            await runtime.stop_child("/bot/a")
            events = await caught(stream)

    assert ended == ["cleaned up"]
    assert [event.reason for event in events] in (["shutdown"], ["normal"])


async def test_function_has_the_whole_context(autojump_clock: MockClock) -> None:
    """Timers, refs, background tasks and stop are there for functions as for classes."""
    got: list[Any] = []

    async def serve(context: Context) -> None:
        async def background() -> None:
            await trio.sleep(2)
            context.ref.tell("background")

        context.tell_after(1, "timer")
        context.start_soon(background)
        context.lookup("b").tell(lambda actor: actor.context.lookup("a").tell("friend"))
        async for message in context.messages():
            got.append((message, trio.current_time()))
            if len(got) == 3:
                context.stop()

    async with bot(child("a", serve, restart="transient"), child("b", Puppet)) as runtime:
        await trio.sleep(3)

        assert got == [("friend", 0.0), ("timer", 1.0), ("background", 2.0)]
        assert node(runtime, "/bot/a").state == "finished"


async def test_crash_of_a_functions_background_task_is_its_crash(autojump_clock: MockClock) -> None:
    """`start_soon` in a function actor: the task's exception is the function's crash."""

    async def serve(context: Context) -> None:
        async def background() -> None:
            await trio.sleep(1)
            raise BoomError("background")

        if context.incarnation == 1:
            context.start_soon(background)
        await trio.sleep_forever()

    async with bot(child("a", serve)) as runtime:
        await trio.sleep(2)

        assert node(runtime, "/bot/a").incarnation == 2
        assert "background" in (node(runtime, "/bot/a").last_error or "")


async def test_two_readers_of_one_mailbox_are_refused(autojump_clock: MockClock) -> None:
    """One message at a time: a second reader while one waits is a `RuntimeError`, not a race."""
    seen: list[str] = []

    async def serve(context: Context) -> None:
        async def read() -> None:
            try:
                async for _ in context.messages():
                    pass
            except RuntimeError:
                seen.append("refused")

        context.start_soon(read)
        await settle_inside()
        await read()
        await trio.sleep_forever()

    async def settle_inside() -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()

    async with bot(child("a", serve)):
        await settle()

    assert seen == ["refused"]


async def test_partial_and_callable_objects_are_functions(autojump_clock: MockClock) -> None:
    """Whatever gives a coroutine when it is called with the context is a function actor."""
    seen: list[str] = []

    async def poll(name: str, context: Context) -> None:
        seen.append(f"{name} {context.name}")
        await trio.sleep_forever()

    class Poller:
        async def __call__(self, context: Context) -> None:
            await poll("two", context)

    async with bot(child("a", partial(poll, "one")), child("b", Poller())):
        await settle()

    assert seen == ["one a", "two b"]


async def test_sync_factory_that_returns_no_actor_is_a_failed_start(autojump_clock: MockClock) -> None:
    """C79: a factory that gives something else than an `Actor` is a start failure that says so."""
    with pytest.raises(StartFailedError) as failed:
        async with bot(child("a", lambda: "not an actor")):
            pass

    assert failed.value.path == "/bot/a"
    assert isinstance(failed.value.__cause__, TypeError)


async def test_class_actor_and_function_talk(autojump_clock: MockClock) -> None:
    """Refs hide what is behind them."""

    def relay(actor: Actor) -> None:
        actor.context.lookup("a").tell("from the class")

    got: list[Any] = []
    async with bot(child("a", parrot(got)), child("b", Puppet)) as runtime:
        await runtime.ref("/bot/b").ask(relay)
        runtime.ref("/bot/b").tell(crash())
        await settle()

    assert got == ["from the class"]


async def test_read_that_was_cancelled_takes_no_message(autojump_clock: MockClock) -> None:
    """A function may wait for a message with a deadline of its own: what it did not get, it gets next time."""
    got: list[int] = []
    idle = [0]

    async def serve(context: Context) -> None:
        messages = context.messages()
        while True:
            with trio.move_on_after(0.001) as scope:
                got.append(await anext(messages))
            idle[0] += scope.cancelled_caught

    async with bot(child("a", serve)) as runtime:
        for number in range(2_000):
            runtime.ref("/bot/a").tell(number)
            await trio.sleep(0.001 if number % 3 else 0.0005)
        await trio.sleep(1)

    assert got == list(range(2_000))
    assert idle[0] > 100


async def test_function_actor_stashes_and_defers(autojump_clock: MockClock) -> None:
    """A question that was put aside or deferred is not unanswered: its asker waits."""

    async def serve(context: Context) -> None:
        is_open = False
        async for message in context.messages():
            if message == "open":
                is_open = True
                context.unstash_all()
            elif message == "defer":
                reply = context.defer_reply()
                context.start_soon(answer_later, reply)
            elif is_open:
                context.reply(message)
            else:
                context.stash()

    async def answer_later(reply: Reply) -> None:
        await trio.sleep(1)
        reply.send("deferred")

    async with bot(child("a", serve)) as runtime, trio.open_nursery() as nursery:
        results: dict[str, tuple[object, float]] = {}

        async def ask(message: str) -> None:
            results[message] = await timed(runtime.ref("/bot/a").ask(message))

        nursery.start_soon(ask, "stashed")
        nursery.start_soon(ask, "defer")
        await trio.sleep(2)
        runtime.ref("/bot/a").tell("open")

    assert results == {"stashed": ("stashed", 2.0), "defer": ("deferred", 1.0)}


async def test_break_and_read_again(autojump_clock: MockClock) -> None:
    """Leaving the loop and beginning another loses nothing."""
    got: list[int] = []

    async def serve(context: Context) -> None:
        while True:
            async for message in context.messages():
                got.append(message)
                if message % 3 == 0:
                    break

    async with bot(child("a", serve)) as runtime:
        for number in range(100):
            runtime.ref("/bot/a").tell(number)
        await settle()

    assert got == list(range(100))
