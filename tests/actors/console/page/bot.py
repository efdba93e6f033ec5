"""The bot whose page is tested: some feeds, an exchange behind a breaker, and what a person may break at will."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from duenna import Actor, Backoff, Breaker, Child, Context, Freshness, Guard, Supervisor
from duenna_actors.alerts import LogReceiver, alerts
from tests.actors.console.support import Running, running_console

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOSTILE = (
    "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\"> \x1b[31mred\x1b[0m [/b]"
)


class Break(msgspec.Struct, frozen=True):
    """Crash with an error of this text."""

    text: str


class Hit(msgspec.Struct, frozen=True):
    """Call the guarded function, which fails."""


class Breakable(Actor):
    """Crashes when it is told to."""

    def receive(self, message: Break | object) -> None:
        if isinstance(message, Break):
            raise ConnectionError(message.text)


@attrs.define
class Hog(Actor):
    """Holds the loop until it is let go, or for half a minute."""

    watched: threading.Event
    released: threading.Event

    def receive(self, message: object) -> None:
        self.watched.wait(30)
        self.released.wait(30)


@attrs.define
class Quote(Breakable):
    """A feed whose data is always as old as it was told."""

    age: float = 0.2
    every: float = 5.0

    def freshness(self) -> Freshness:
        return Freshness(at=trio.current_time() - self.age, expect_every=self.every)


@attrs.define
class Rest(Actor):
    """Calls an exchange that refuses."""

    guard: Guard = attrs.field(factory=lambda: Guard("binance.rest", retry=None, breaker=Breaker.consecutive(3)))

    async def receive(self, message: Break | Hit) -> None:
        if isinstance(message, Break):
            raise ConnectionError(message.text)
        try:
            await self.guard.call(self.refused)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self.context.report(error)

    async def refused(self) -> None:
        raise ConnectionError("429 Too Many Requests, retry after 30 s")


async def candles(context: Context) -> None:
    """Wait for ever."""
    await trio.sleep_forever()


def tree(*more: Child | Supervisor, slow: bool = False) -> Supervisor:
    """Return the bot; ``slow``: what crashes waits for minutes until it is tried again."""
    backoff = Backoff.steps(300.0) if slow else Backoff.none()
    part = partial(Child, backoff=backoff)
    feeds = [
        part("binance-ws", Quote),
        part("kraken-ws", Quote, max_failures=3, on_give_up="park", unpark_after=None),
        part("book-builder", Breakable),
        part("candles", candles),
    ]
    exchange = [part("rest-binance", Rest), part("balance", partial(Quote, age=12.0, every=30.0))]
    return Supervisor(
        "polybot",
        [
            Supervisor("feeds", feeds, strategy="rest_for_one", intensity=10, period=60.0),
            Supervisor("exchange", exchange, strategy="one_for_all"),
            part("strategy", Breakable),
            part("risk", Breakable),
            part("persistence", Breakable, max_failures=0, on_give_up="park", unpark_after=None),
            part("report", Breakable),
            *more,
        ],
        intensity=10,
        period=60.0,
    )


@asynccontextmanager
async def bot(*more: Child | Supervisor, slow: bool = False, **options: Any) -> AsyncIterator[Running]:
    """Run the bot with its console and alerts."""
    system = [alerts([LogReceiver()], bot="polybot")]
    async with running_console(tree(*more, slow=slow), system=system, version="0.4", **options) as running:
        yield running
