"""What the messaging tests share: a bot to run them in, and actors that do as they are told."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import (
    Actor,
    Backoff,
    Child,
    Context,
    EventStream,
    Runtime,
    Supervisor,
    TreeNode,
    open_runtime,
)

Act = Callable[[Any], object]
AsyncAct = Callable[[Any], Awaitable[object]]


class BoomError(Exception):
    """The crash that the tests provoke."""


@attrs.define
class Recorder(Actor):
    """Writes every message into a list that outlives it, and answers with the message.

    The message ``BoomError(...)`` is raised, once it has been written.
    """

    log: list[Any]

    def receive(self, message: Any) -> Any:
        self.log.append(message)
        if isinstance(message, BoomError):
            raise message
        return message


@attrs.define
class AsyncRecorder(Actor):
    """A `Recorder` with an async handler that passes one checkpoint."""

    log: list[Any]

    async def receive(self, message: Any) -> Any:
        self.log.append(message)
        await trio.lowlevel.checkpoint()
        if isinstance(message, BoomError):
            raise message
        return message


@attrs.define
class Puppet(Actor):
    """Does what each message, a function of the actor, says."""

    def receive(self, message: Act) -> object:
        return message(self)


@attrs.define
class AsyncPuppet(Actor):
    """Does what each message, an async function of the actor, says."""

    async def receive(self, message: AsyncAct) -> object:
        return await message(self)


def hold(gate: trio.Event) -> AsyncAct:
    """Make a message that keeps an `AsyncPuppet` busy until *gate* is set."""

    async def wait(_: Actor) -> None:
        await gate.wait()

    return wait


def nap(seconds: float) -> AsyncAct:
    """Make a message that keeps an `AsyncPuppet` busy for *seconds*."""

    async def sleep(_: Actor) -> None:
        await trio.sleep(seconds)

    return sleep


def crash(error: Exception | None = None) -> Act:
    """Make a message that crashes a `Puppet`."""

    def boom(_: Actor) -> None:
        raise error or BoomError

    return boom


def child(name: str, start: Any, **options: Any) -> Child:
    """Make a spec whose child is restarted at once."""
    options.setdefault("backoff", Backoff.none())
    return Child(name, start, **options)


def tree(*children: Child | Supervisor, **options: Any) -> Supervisor:
    """Make the root ``/bot``, which never gives up unless told to."""
    options.setdefault("intensity", 1_000_000)
    return Supervisor("bot", children, **options)


@asynccontextmanager
async def bot(*children: Child | Supervisor, **options: Any) -> AsyncIterator[Runtime]:
    """Run ``/bot`` with *children*, in silence, from seed 1."""
    async with open_runtime(tree(*children, **options), seed=1, log_level=None, watchdog=None) as runtime:
        yield runtime


async def settle() -> None:
    """Wait until every task is blocked; the clock does not move."""
    await wait_all_tasks_blocked()


async def caught(stream: EventStream) -> list[Any]:
    """Take what waits in *stream*; the clock does not move."""
    events: list[Any] = []

    async def read() -> None:
        async for event in stream:
            events.append(event)  # noqa: PERF401  # kept when the read is cancelled

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await settle()
        nursery.cancel_scope.cancel()
    return events


def node(runtime: Runtime, path: str) -> TreeNode:
    """Give the tree's node at *path*."""
    return runtime.tree(path)


def task_count() -> int:
    """Count the trio tasks that are alive."""
    root = trio.lowlevel.current_root_task()
    assert root is not None
    waiting, count = [root], 0
    while waiting:
        task = waiting.pop()
        count += 1
        waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return count


async def timed(call: Awaitable[object]) -> tuple[object, float]:
    """Await *call*; give its value or its exception, and how long it took."""
    began = trio.current_time()
    value: object
    try:
        value = await call
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
        value = error
    return value, trio.current_time() - began


def parrot(log: list[Any]) -> Callable[[Context], Awaitable[None]]:
    """Make a function actor that writes every message down and answers with it."""

    async def serve(context: Context) -> None:
        async for message in context.messages():
            log.append(message)
            if isinstance(message, BoomError):
                raise message
            context.reply(message)

    return serve
