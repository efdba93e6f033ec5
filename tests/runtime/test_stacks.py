"""Where the tasks of actors are."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Actor, Child, Supervisor, UnknownPathError, open_runtime
from duenna.stacks import MOST_FRAMES, MOST_TASKS, Frame, TaskStack, stacks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from duenna import Context


async def waits() -> None:
    await trio.sleep_forever()


async def poll(_context: Context) -> None:
    await waits()


class Ticker(Actor):
    """Has a task of its own, one beside it, and one below that."""

    async def run(self) -> None:
        self.context.start_soon(self.beside)
        await waits()

    async def beside(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits, name="below")
            await waits()

    def receive(self, message: Any) -> None:
        del message


class Database(Actor):
    """Waits in its handler, with a task of the handler's own."""

    async def receive(self, message: Any) -> int:
        secret = f"password is {message!r}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits, name="connection")
            await trio.sleep(60)
            nursery.cancel_scope.cancel()
        return len(secret)


class Idle(Actor):
    def receive(self, message: Any) -> None:
        del message


def functions(stack: TaskStack) -> list[str]:
    return [frame.function.rpartition("<locals>.")[2] for frame in stack.frames]


async def test_an_actor_has_its_own_task_and_those_that_it_began(autojump_clock: MockClock) -> None:
    """Outermost first, from the actor's own code to what it waits for; file and line are where it is."""
    bot = Supervisor("bot", [Child("poll", poll), Child("ticker", Ticker), Child("idle", Idle)])
    async with open_runtime(bot, log_level=None) as runtime:
        await trio.sleep(1)
        found = stacks(runtime)

    assert {"/bot", "/bot/poll", "/bot/ticker", "/system", "/system/health"} <= set(found)
    assert "/bot/idle" not in found
    (stack,) = found["/bot/poll"]
    line = inspect.getsourcelines(poll)[1] + 1
    assert stack.task == "/bot/poll"
    assert stack.frames[0] == Frame(__file__, line, "poll")
    assert functions(stack) == ["poll", "waits", "sleep_forever"]
    assert [(each.task, functions(each)) for each in found["/bot/ticker"]] == [
        ("/bot/ticker", ["Ticker.run", "waits", "sleep_forever"]),
        ("/bot/ticker (Ticker.beside)", ["Ticker.beside", "waits", "sleep_forever"]),
        ("below", ["waits", "sleep_forever"]),
    ]


@pytest.mark.parametrize("is_ask", [False, True])
async def test_a_handler_that_waits_is_told_by_the_type_of_its_message(
    autojump_clock: MockClock, *, is_ask: bool
) -> None:
    """Also where the dispatcher drives it by hand, through one, several or asked messages."""
    async with open_runtime(Supervisor("bot", [Child("db", Database)]), log_level=None) as runtime:
        database = runtime.ref("/bot/db")
        async with trio.open_nursery() as nursery:
            if is_ask:
                nursery.start_soon(database.ask, "k7Fq0Zp1xW", 1000.0)
            else:
                database.tell("k7Fq0Zp1xW")
                database.tell("another")
            await trio.sleep(1)
            while_it_waits = stacks(runtime, "/bot/db")
            await trio.sleep(200)
        at_rest = stacks(runtime, "/bot/db")

    assert list(while_it_waits) == ["/bot/db"]
    handler, below = while_it_waits["/bot/db"]
    assert (handler.task, functions(handler)[0]) == ("/bot/db (handles str)", "Database.receive")
    assert functions(handler)[1] == "sleep"
    assert (below.task, functions(below)[0]) == ("connection", "waits")
    assert at_rest == {}
    assert "k7Fq0Zp1xW" not in repr(while_it_waits)


async def test_async_generators_and_plain_awaitables_are_seen_through(autojump_clock: MockClock) -> None:
    async def prices() -> AsyncIterator[int]:
        await waits()
        yield 1

    class Wrapped:
        def __await__(self) -> Any:
            return waits().__await__()

    async def reads(_context: Context) -> None:
        async for _ in prices():
            pass

    async def wraps(_context: Context) -> None:
        await Wrapped()

    bot = Supervisor("bot", [Child("reads", reads), Child("wraps", wraps)])
    async with open_runtime(bot, log_level=None) as runtime:
        await trio.sleep(1)
        found = stacks(runtime)

    assert functions(found["/bot/reads"][0]) == ["reads", "prices", "waits", "sleep_forever"]
    assert functions(found["/bot/wraps"][0])[-2:] == ["waits", "sleep_forever"]


async def test_frames_and_tasks_are_bounded(autojump_clock: MockClock) -> None:
    """Of a deep one the innermost are told, which say what it waits for."""

    async def deep(left: int) -> None:
        await (deep(left - 1) if left else waits())

    async def dives(context: Context) -> None:
        for _ in range(50):
            context.start_soon(waits)
        await deep(200)

    async with open_runtime(Supervisor("bot", [Child("dives", dives)]), log_level=None) as runtime:
        await trio.sleep(1)
        found = stacks(runtime, "/bot/dives")["/bot/dives"]

    assert (len(found), len(found[0].frames)) == (MOST_TASKS, MOST_FRAMES)
    assert functions(found[0])[-3:] == ["deep", "waits", "sleep_forever"]


async def test_the_task_of_a_cleanup_is_told(autojump_clock: MockClock) -> None:
    class Slow(Idle):
        async def stopping(self, reason: Any) -> None:
            await trio.sleep(2)

    async with open_runtime(Supervisor("bot", [Child("slow", Slow)]), log_level=None) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop_child, "/bot/slow")
            await trio.sleep(1)
            found = stacks(runtime, "/bot/slow")["/bot/slow"]
        assert stacks(runtime, "/bot/slow") == {}

    (stack,) = found
    assert (stack.task, functions(stack)[:2]) == ("/bot/slow (stopping)", ["body", "Slow.stopping"])


async def test_names_of_tasks_show_no_secret_and_nobody_is_where_nobody_is(autojump_clock: MockClock) -> None:
    async def begins(_context: Context) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waits, name="GET /?api_key=k7Fq0Zp1xW")

    async with open_runtime(Supervisor("bot", [Child("begins", begins)]), log_level=None) as runtime:
        await trio.sleep(1)
        found = stacks(runtime, "/bot/begins")["/bot/begins"]
        with pytest.raises(UnknownPathError):
            stacks(runtime, "/bot/nobody")

    assert "k7Fq0Zp1xW" not in repr(found)


async def test_a_tree_that_has_not_begun_and_one_that_has_ended_have_no_tasks(autojump_clock: MockClock) -> None:
    seen: list[object] = []

    async def looks(context: Context) -> None:
        seen.append(stacks(context.runtime, "/bot/later"))
        context.ready()

    bot = Supervisor("bot", [Child("looks", looks, ready="manual"), Child("later", poll)])
    async with open_runtime(bot, log_level=None) as runtime:
        pass

    assert seen == [{}]
    assert stacks(runtime) == {}
