"""A small bot for the tests of the API: things that fail, a group, a breaker, names that are hard to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import msgspec
import trio

from duenna import Actor, Backoff, Child, Supervisor
from duenna.guards import Breaker, Guard
from duenna_actors.console.api.operations import Operation

if TYPE_CHECKING:
    from tests.actors.console.support import Running

ODD = ("a b", "ünï", "100%", "%2F", "x?y#z", "<b>", "[bold]", "...", "stack", "mailbox", "restart", "'\"", "ﬁ", "日本")
"""Names that an actor may have and a URL cannot show as they are."""


class Crash(msgspec.Struct, frozen=True):
    """Raise an error with this text."""

    text: str = "boom"


@attrs.define
class Worker(Actor):
    """Crashes when it is told to."""

    def receive(self, message: Crash) -> None:
        raise ConnectionError(message.text)


@attrs.define
class Database(Worker):
    """Is of the kind that operators call `database`."""

    kind: ClassVar[str] = "database"


@attrs.define
class Positions(Worker):
    """Is of the kind that operators call `position-threshold`."""

    kind: ClassVar[str] = "position_monitor"


@attrs.define
class Engine(Worker):
    """Is of the kind that operators call `trade-engine`."""

    kind: ClassVar[str] = "trade_engine"


@attrs.define
class Slow(Actor):
    """Takes as long to start as nobody lets it."""

    gate: trio.Event

    async def started(self) -> None:
        await self.gate.wait()


SLOWLY = Backoff.exponential(3600.0, maximum=3600.0, jitter="none")


def bot(*more: Child | Supervisor) -> Supervisor:
    """Return the tree."""
    return Supervisor(
        "bot",
        [
            Child("store", Database),
            Child("positions", Positions),
            Child("engine", Engine),
            Supervisor("feeds", [Child(name, Worker) for name in ("one", "two", "three")], strategy="rest_for_one"),
            Supervisor("others", [Child("one", Worker, backoff=SLOWLY)]),
            *more,
        ],
        intensity=1_000,
        period=1.0,
    )


def odd() -> Supervisor:
    """Return a supervisor of children with odd names."""
    return Supervisor("odd", [Child(name, Worker) for name in ODD])


def guard(name: str) -> Guard:
    """Return a guard that has been used, with a breaker."""
    return Guard(name, breaker=Breaker.consecutive(3))


async def ended(running: Running, name: str) -> Operation:
    """Return the operation *name* when it is over."""
    while True:
        told: Any = (await running.get(f"/api/v1/operations/{name}")).json()
        if told["state"] != "running":
            return msgspec.convert(told, Operation)
        await trio.lowlevel.checkpoint()


@attrs.define
class Hopeless(Actor):
    """Does not start while it is broken."""

    is_broken: ClassVar[bool] = False

    async def started(self) -> None:
        if self.is_broken:
            raise ConnectionError("no, token=abcdef0123456789abcdef0123456789")
        await trio.lowlevel.checkpoint()
