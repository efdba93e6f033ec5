"""What the tests of the view share: a small bot, and readers of its streams."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

import duenna
from duenna import Actor, Backoff, Child, Runtime, Supervisor
from duenna.freshness import Freshness
from duenna_actors.console.view.desk import Desk
from duenna_actors.console.view.hub import Hub
from duenna_actors.console.view.memory import ConsoleMemory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from duenna_actors.console.view.viewer import Viewer

HOSTILE = "\ud800<script>alert(1)</script>[/markup]\x00\x1b[31m" + "x" * 5000


class Crasher(Actor):
    """Crashes when it is told an exception, and counts everything else."""

    kind = "crasher"

    def __init__(self) -> None:
        """Begin at 0."""
        self.count = 0

    def receive(self, message: object) -> None:
        """Crash or count."""
        if isinstance(message, Exception):
            raise message
        self.count += 1


class Ticker(Actor):
    """A feed that expects data every 5 s."""

    kind = "feed"

    def __init__(self) -> None:
        """Begin with data."""
        self.at = trio.current_time()

    def freshness(self) -> Freshness:
        """Say how fresh the data is."""
        return Freshness(self.at, 5.0)

    def receive(self, message: object) -> None:
        """Take data."""
        self.at = trio.current_time()


def tree() -> Supervisor:
    """Return a bot with a group, a feed and one that is easily parked."""
    slow = Backoff.steps(1000.0)
    return Supervisor(
        "bot",
        [
            Supervisor(
                "feeds",
                [Child(name, Crasher, backoff=slow) for name in ("a", "b", "c")],
                strategy="rest_for_one",
                intensity=1,
                period=5000.0,
            ),
            Child("ticker", Ticker, critical=True),
            Child("fragile", Crasher, max_failures=0, on_give_up="park", unpark_after=None),
        ],
    )


@attrs.frozen
class Bot:
    """A bot with everything that looks at it."""

    runtime: Runtime
    memory: ConsoleMemory
    desk: Desk
    hub: Hub


@asynccontextmanager
async def bot(spec: Supervisor | None = None, system: Iterable[Child | Supervisor] = ()) -> AsyncGenerator[Bot]:
    """Run a bot and a hub."""
    async with duenna.open_runtime(spec or tree(), system=system, log_level=None) as runtime:
        memory = ConsoleMemory()
        desk = Desk(runtime, memory, wall=lambda: 1_800_000_000.0 + runtime.now())
        hub = Hub(desk, memory)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hub.run)
            yield Bot(runtime, memory, desk, hub)
            hub.close()
            nursery.cancel_scope.cancel()


def parsed(chunk: bytes) -> list[tuple[str, Any]]:
    """Return the messages of a chunk: kind and value; of a comment, its text."""
    found: list[tuple[str, Any]] = []
    for block in chunk.decode().strip("\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
        else:
            found.append((block, None))
    return found


async def read(viewer: Viewer, kind: str) -> Any:
    """Return the value of the next message of *kind*."""
    async for chunk in viewer:
        for name, value in parsed(chunk):
            if name == kind:
                return value
    raise EOFError(kind)
