"""A sandbox, a bot with a client on it, and what the tests of both ask."""

from __future__ import annotations

from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna import Backoff
from duenna.testing import fresh_guards
from duenna_actors.binance import Binance, BinanceClient, OrderFound
from duenna_actors.binance.guards import READS
from duenna_actors.sandbox import Fault, Sandbox, SandboxSettings, open_sandbox
from tests.actors.support import Bot, Inbox, bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from duenna.guards import Guard
    from duenna_actors.binance.calls import Call
    from duenna_actors.sandbox._orders import Order as SandboxOrder

EAGER = attrs.evolve(READS, backoff=Backoff.none())
"""As many attempts as there are, without the waits."""

LIKE_THE_EXCHANGE = SandboxSettings(remember_client_ids=False)
"""A market order that is sent twice is filled twice."""


@attrs.define(eq=False)
class Trading:
    """A client in a bot, on a sandbox.

    Attributes:
        sandbox: The exchange.
        bot: What the client runs in.
        made: The client's incarnations.
        inbox: What the client publishes.
    """

    sandbox: Sandbox
    bot: Bot
    made: list[BinanceClient]
    inbox: Inbox

    @property
    def binance(self) -> Binance:
        """The client as its users see it."""
        return Binance(self.bot.ref("api"), timeout=inf)

    @property
    def client(self) -> BinanceClient:
        """The present incarnation."""
        return self.made[-1]

    def inject(self, fault: Fault, duration: float | None = None) -> int:
        return self.sandbox.faults.inject(fault, duration)

    def strikes(self, number: int) -> int:
        """Return how often a fault that still holds has struck."""
        (found,) = [fault.strikes for fault in self.sandbox.faults.active if fault.number == number]
        return found

    def guard(self, call: Call[Any]) -> Guard:
        """Return the guard of a call."""
        guards = self.client._guards
        assert guards is not None
        return guards.of(call)

    def orders(self, client_order_id: str | None = None) -> list[SandboxOrder]:
        """Return what is, or was, at the exchange."""
        return orders_of(self.sandbox, client_order_id)


async def until(holds: Callable[[], object]) -> None:
    """Wait until something *holds* that no event tells of."""
    while not holds():  # noqa: ASYNC110
        await trio.sleep(0.01)


def orders_of(sandbox: Sandbox, client_order_id: str | None = None) -> list[SandboxOrder]:
    """Return the orders that an exchange has had."""
    known = sandbox._app.exchange.desk.known()
    return [each for each in known if client_order_id is None or each.client_id == client_order_id]


@asynccontextmanager
async def trading(settings: SandboxSettings = LIKE_THE_EXCHANGE, **options: Any) -> AsyncIterator[Trading]:
    """Run a client; without waits between its attempts, unless *options* say otherwise."""
    with fresh_guards():
        async with open_sandbox(symbols=["BTCUSDT", "SOLUSDT"], seed=1, settings=settings) as sandbox, bot() as running:
            yield await start(sandbox, running, **options)


async def start(sandbox: Sandbox, running: Bot, **options: Any) -> Trading:
    """Start a client, and what hears it; return when it is up."""
    made: list[BinanceClient] = []
    inbox = Inbox()
    await running.runtime.start_child("/bot", inbox.spec("inbox", OrderFound))
    await running.start("api", maker(sandbox.url, sandbox.settings, made, **options))
    await running.seen.becomes("operational")
    return Trading(sandbox, running, made, inbox)


def maker(
    url: str, settings: SandboxSettings, made: list[BinanceClient], **options: Any
) -> Callable[[], BinanceClient]:
    """Return what makes a client, and notes each in *made*."""
    given: dict[str, Any] = {"retry": EAGER, "api_key": settings.api_key, "api_secret": settings.api_secret}
    given |= options

    def make() -> BinanceClient:
        made.append(BinanceClient(url, **given))
        return made[-1]

    return make
