"""A bot that buys a few times, each time once, and kills itself where it is told to.

    buyer.py URL STATE ORDERS [NUMBER MOMENT]

At order NUMBER it dies at the MOMENT `stored` (the intent is durable), `answered` (the exchange has
answered) or `noted` (the position and the progress are durable).
"""

from __future__ import annotations

import os
import signal
import sys
from decimal import Decimal

import attrs

import duenna
from duenna import Actor, Child, Supervisor, persistent
from duenna_actors.binance import Binance, BinanceClient
from duenna_actors.sandbox import SandboxSettings

QUANTITY = Decimal("0.01")


@attrs.define
class Buyer(Actor):
    """Buys, one order after the other."""

    orders: int
    death: tuple[str, ...]
    position: Decimal = persistent(default=Decimal(0), money=True)

    async def run(self) -> None:
        """Go on with the order that was under way."""
        binance = Binance(self.context.lookup("api"))
        async with self.context.operation("buy", orders=self.orders) as buying:
            for number in range(buying.get("bought", 0), self.orders):
                intent = await self.context.intent("order", number=number)
                self.die_at(number, "stored")
                order = await binance.place_order(
                    "BTCUSDT", "BUY", QUANTITY, client_order_id=intent.id, may_exist=not intent.is_new
                )
                self.die_at(number, "answered")
                self.position += order.filled
                await buying.progress(intent, bought=number + 1)
                self.die_at(number, "noted")
            sys.stdout.write(f"position {self.position}\n")
            buying.leave()
        self.context.runtime.request_stop("all is bought")

    def die_at(self, number: int, moment: str) -> None:
        """Be killed here, if it is here."""
        if self.death == (str(number), moment):
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, state: str, orders: str, *death: str) -> None:
    """Buy what is missing."""
    settings = SandboxSettings()

    def client() -> BinanceClient:
        return BinanceClient(url, api_key=settings.api_key, api_secret=settings.api_secret)

    buyer = Child("buyer", lambda: Buyer(int(orders), death), restart="transient")
    duenna.run(Supervisor("bot", [Child("api", client), buyer]), state=state)


if __name__ == "__main__":
    main(*sys.argv[1:])
