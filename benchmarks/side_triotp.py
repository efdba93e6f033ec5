"""triotp's side: gen_servers under its supervisor. A cast waits for its receiver, for its mailboxes hold no message.

Runs in the peers' environment, since triotp pins a trio of 2021. Its modules are imported by name, so that the
project's type checkers need none of them.
"""

import importlib
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from _worker import Sample, Stopwatch, clock, require, resident_bytes, serve

trio = importlib.import_module("trio")
testing = importlib.import_module("trio.testing")
logbook = importlib.import_module("logbook")
gen_server = importlib.import_module("triotp.gen_server")
mailbox = importlib.import_module("triotp.mailbox")
supervisor = importlib.import_module("triotp.supervisor")

NO_LIMIT = 10**9


class Progress:
    """Messages seen, and the event that the last of them sets."""

    total = 0
    count = 0
    done: Any = None


async def init(argument: object) -> object:
    """Start with *argument* as the state."""
    return argument


async def handle_cast(_message: object, state: object) -> tuple[object, object]:
    """Count a message."""
    Progress.count += 1
    if Progress.count == Progress.total:
        Progress.done.set()
    return gen_server.NoReply(), state


async def handle_call(message: int, _caller: object, state: object) -> tuple[object, object]:
    """Answer with the next number."""
    return gen_server.Reply(payload=message + 1), state


SERVER = ModuleType("server")
vars(SERVER).update(init=init, handle_cast=handle_cast, handle_call=handle_call)


def server(index: int) -> object:
    """Return the spec of one gen_server."""
    name = f"actor{index}"
    return supervisor.child_spec(id=name, task=gen_server.start, args=[SERVER, None, name])


def run(specs: list[object], body: Callable[[], Awaitable[Sample]]) -> Sample:
    """Run *body* while a supervisor runs *specs*."""

    async def main() -> Sample:
        mailbox._init()  # noqa: SLF001 - what triotp.node.run does, without its application layer
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.start, specs, supervisor.options(max_restarts=NO_LIMIT))
            await testing.wait_all_tasks_blocked()
            sample = await body()
            nursery.cancel_scope.cancel()
        return sample

    with logbook.NullHandler().applicationbound():
        sample: Sample = trio.run(main)
    return sample


def tell(size: int) -> Sample:
    """Cast one to one."""

    async def body() -> Sample:
        Progress.count, Progress.total, Progress.done = 0, size, trio.Event()
        watch = Stopwatch()
        for message in range(size):
            await gen_server.cast("actor0", message)
        await Progress.done.wait()
        return {"seconds": watch.stop() / size}

    return run([server(0)], body)


def ask(size: int) -> Sample:
    """Call, and wait for the answer."""

    async def body() -> Sample:
        watch = Stopwatch()
        for message in range(size):
            require(await gen_server.call("actor0", message) == message + 1)
        return {"seconds": watch.stop() / size}

    return run([server(0)], body)


def spawn(size: int) -> Sample:
    """Start idle gen_servers under one supervisor."""
    before = resident_bytes()
    watch = Stopwatch()

    async def body() -> Sample:
        return {"seconds": watch.stop() / size, "bytes": (resident_bytes() - before) / size}

    return run([server(index) for index in range(size)], body)


def crash(size: int) -> Sample:
    """Restart a crashed child: seconds from the raise to its next first instruction."""
    down, raised_at, count = 0.0, clock(), 0
    done = trio.Event()

    async def child() -> None:
        nonlocal count, down, raised_at
        down += clock() - raised_at
        count += 1
        if count > size:
            done.set()
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        raised_at = clock()
        raise RuntimeError("boom")

    async def body() -> Sample:
        await done.wait()
        return {"seconds": down / (size + 1)}

    return run([supervisor.child_spec(id="child", task=child, args=[])], body)


if __name__ == "__main__":
    serve({"tell": tell, "ask": ask, "spawn": spawn, "crash": crash})
