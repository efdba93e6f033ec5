"""Drain: a soft stop first, and a hard one when its time is over."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, ActorDiedError, ChildExited, Context

from .support import AsyncPuppet, bot, caught, child, nap, settle, timed


@attrs.define
class Slow(Actor):
    """Takes one second for each message, and writes down what it finished."""

    log: list[Any]

    async def receive(self, message: Any) -> Any:
        await trio.sleep(1)
        self.log.append(message)
        return message


async def test_queue_is_finished_within_the_drain_time(autojump_clock: MockClock) -> None:
    """C54: with time enough, everything in the mailbox is handled before the child ends."""
    log: list[int] = []
    async with bot(child("a", lambda: Slow(log), drain=10.0)) as runtime:
        for number in range(3):
            runtime.ref("/bot/a").tell(number)

        _, took = await timed(runtime.stop_child("/bot/a"))

        assert (log, took) == ([0, 1, 2], 3.0)
        assert runtime.dead_letters == 0


async def test_drain_time_is_the_limit(autojump_clock: MockClock) -> None:
    """C55: when the drain time is over the handler is cancelled, and the rest is dead letters."""
    log: list[int] = []
    async with bot(child("a", lambda: Slow(log), drain=2.5)) as runtime:
        for number in range(5):
            runtime.ref("/bot/a").tell(number)

        _, took = await timed(runtime.stop_child("/bot/a"))
        await settle()

        assert (log, took) == ([0, 1], 2.5)
        assert runtime.dead_letters == 2


async def test_without_drain_the_stop_is_at_once(autojump_clock: MockClock) -> None:
    """`drain=0`, the default: the handler is cancelled where it stands."""
    log: list[int] = []
    async with bot(child("a", lambda: Slow(log))) as runtime:
        runtime.ref("/bot/a").tell(1)
        await trio.sleep(0.5)

        _, took = await timed(runtime.stop_child("/bot/a"))

    assert (log, took) == ([], 0.0)


async def test_idle_actor_has_nothing_to_drain(autojump_clock: MockClock) -> None:
    """An actor with an empty mailbox and no body ends at once, whatever its drain time."""
    async with bot(child("a", lambda: Slow([]), drain=100.0)) as runtime:
        _, took = await timed(runtime.stop_child("/bot/a"))

    assert took == 0.0


async def test_body_sees_the_stop_request_and_ends_by_itself(autojump_clock: MockClock) -> None:
    """C54: `stop_requested` is set at drain; a body that returns in time ends "normal", never cancelled."""
    log: list[tuple[str, float]] = []

    @attrs.define
    class Polite(Actor):
        async def run(self) -> None:
            try:
                await self.context.stop_requested.wait()
                await trio.sleep(2)
                log.append(("finished", trio.current_time()))
            except trio.Cancelled:
                log.append(("cancelled", trio.current_time()))
                raise

    async with bot(child("a", Polite, drain=5.0)) as runtime:
        await trio.sleep(1)
        with runtime.events(ChildExited) as stream:
            _, took = await timed(runtime.stop_child("/bot/a"))
            events = await caught(stream)

    assert (log, took) == ([("finished", 3.0)], 2.0)
    assert [event.reason for event in events] == ["normal"]


async def test_body_that_overruns_the_drain_is_cancelled(autojump_clock: MockClock) -> None:
    """C55: the drain over, the body is cancelled."""
    log: list[tuple[str, float]] = []

    @attrs.define
    class Deaf(Actor):
        async def run(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                log.append(("cancelled", trio.current_time()))

    async with bot(child("a", Deaf, drain=4.0)) as runtime:
        with runtime.events(ChildExited) as stream:
            await runtime.stop_child("/bot/a")
            events = await caught(stream)

    assert log == [("cancelled", 4.0)]
    assert [event.reason for event in events] == ["shutdown"]


async def test_function_actor_finishes_its_queue(autojump_clock: MockClock) -> None:
    """C54 for functions: at drain `messages()` ends once the mailbox is empty."""
    log: list[Any] = []

    async def serve(context: Context) -> None:
        async for message in context.messages():
            await trio.sleep(1)
            log.append(message)
        log.append("queue finished")

    async with bot(child("a", serve, drain=10.0)) as runtime:
        for number in range(3):
            runtime.ref("/bot/a").tell(number)
        await settle()

        _, took = await timed(runtime.stop_child("/bot/a"))

    assert (log, took) == ([0, 1, 2, "queue finished"], 3.0)


async def test_stop_requested_is_set_without_drain_too(autojump_clock: MockClock) -> None:
    """At any stop the event is set before the cleanup runs."""
    seen: list[bool] = []

    @attrs.define
    class Checks(Actor):
        def stopping(self, reason: object) -> None:
            seen.append(self.context.stop_requested.is_set())

    async with bot(child("a", Checks)) as runtime:
        await runtime.stop_child("/bot/a")

    assert seen == [True]


async def test_stop_requested_is_the_incarnations_own(autojump_clock: MockClock) -> None:
    """A restarted actor is not asked to stop."""
    seen: list[tuple[int, bool]] = []

    @attrs.define
    class Checks(Actor):
        def started(self) -> None:
            seen.append((self.context.incarnation, self.context.stop_requested.is_set()))

    async with bot(child("a", Checks)) as runtime:
        await runtime.restart_child("/bot/a")

    assert seen == [(1, False), (2, False)]


async def test_asks_in_the_queue_are_answered_during_the_drain(autojump_clock: MockClock) -> None:
    """Draining is finishing: an ask that waits is answered, and one that is cut off is told."""
    results: dict[int, tuple[object, float]] = {}
    async with bot(child("a", lambda: Slow([]), drain=2.5)) as runtime, trio.open_nursery() as nursery:

        async def ask(number: int) -> None:
            results[number] = await timed(runtime.ref("/bot/a").ask(number, timeout=60))

        for number in range(4):
            nursery.start_soon(ask, number)
            await settle()
        await runtime.stop_child("/bot/a")
        await settle()

    assert [results[number] for number in range(2)] == [(0, 1.0), (1, 2.0)]
    assert all(isinstance(results[number][0], ActorDiedError) for number in (2, 3))
    assert [results[number][1] for number in (2, 3)] == [2.5, 2.5]


async def test_drain_and_shutdown_add_up(autojump_clock: MockClock) -> None:
    """First the drain, then the shutdown time for the cleanup."""
    log: list[tuple[str, float]] = []

    @attrs.define
    class Cleans(Actor):
        async def run(self) -> None:
            await trio.sleep_forever()

        async def stopping(self, reason: object) -> None:
            await trio.sleep(2)
            log.append(("cleaned", trio.current_time()))

    async with bot(child("a", Cleans, drain=3.0, shutdown=5.0)) as runtime:
        _, took = await timed(runtime.stop_child("/bot/a"))

    assert (log, took) == ([("cleaned", 5.0)], 5.0)


async def test_children_drain_in_reverse_order_one_by_one(autojump_clock: MockClock) -> None:
    """C48: the orderly stop waits for each child's drain before it stops the one before it."""
    first: list[Any] = []
    second: list[Any] = []
    async with bot(
        child("a", lambda: Slow(first), drain=9.0),
        child("b", lambda: Slow(second), drain=9.0),
        child("x", AsyncPuppet),
    ) as runtime:
        runtime.ref("/bot/x").tell(nap(1))
        for number in range(2):
            runtime.ref("/bot/b").tell(number)
        runtime.ref("/bot/a").tell("told")

        _, took = await timed(runtime.stop())

    assert (first, second) == (["told"], [0, 1])
    assert took == 2.0


@pytest.mark.parametrize("how", ["ask", "send", "tell"])
async def test_last_words_in_cleanup_reach_an_earlier_sibling(autojump_clock: MockClock, how: str) -> None:
    """The stop goes in reverse order, so that a child may still use those that were started before it."""
    got: list[str] = []

    @attrs.define
    class Writer(Actor):
        def receive(self, message: str) -> str:
            got.append(message)
            return "written"

    @attrs.define
    class Strategy(Actor):
        async def stopping(self, reason: object) -> None:
            writer = self.context.lookup("writer")
            if how == "ask":
                got.append(await writer.ask("last words"))
            elif how == "send":
                await writer.send("last words")
            else:
                writer.tell("last words")

    async with bot(child("writer", Writer, drain=1.0), child("strategy", Strategy)) as runtime:
        await runtime.stop()

    assert got == (["last words", "written"] if how == "ask" else ["last words"])
    assert runtime.dead_letters == 0
