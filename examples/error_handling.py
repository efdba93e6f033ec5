"""Five things that go wrong in a bot, and what becomes of each: one line per incident.

Run it: 25 minutes pass on a virtual clock, in a moment. In a bot of your own, leave out the clock.
"""

import json
import sqlite3

import attrs
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Child, Connection, Context, Supervisor, open_runtime
from duenna.incidents import Chain, incident_log

RATE_LIMIT, TIMEOUT, GARBAGE, DATABASE, STRATEGY = 60, 300, 600, 905, 1200  # when each begins, in seconds
END = 1500


class HttpError(Exception):
    """What an exchange answered instead of data; any library's error with such attributes is understood."""

    def __init__(self, status: int, text: str, retry_after: float) -> None:
        """Keep what the answer said."""
        super().__init__(f"{status} {text}")
        self.status, self.retry_after = status, retry_after


class Market(Connection):
    """Asks for candles, and is told once to leave the exchange alone for 20 s."""

    kind = "api"

    async def session(self) -> None:
        """Ask, until that is too much."""
        await trio.sleep_until(RATE_LIMIT)
        if self.context.incarnation == 1:
            raise HttpError(429, "Too Many Requests", retry_after=20.0)
        await trio.sleep_forever()


class Feed(Connection):
    """Reads a websocket that times out, and cannot be opened again for half a minute."""

    kind = "websocket"

    async def connect(self) -> None:
        """Open the websocket."""
        if TIMEOUT < self.context.now() < TIMEOUT + 30:
            raise TimeoutError("handshake: no answer within 10 s")

    async def session(self) -> None:
        """Read."""
        await trio.sleep_until(TIMEOUT)
        if self.context.incarnation == 1:
            raise TimeoutError("no pong within 10 s")
        await trio.sleep_forever()


class Journal(Connection):
    """Writes to a database whose disk is away for a quarter of a minute."""

    kind = "database"

    async def check(self) -> None:
        """Ask the database anything."""
        if DATABASE <= self.context.now() < DATABASE + 15:
            raise sqlite3.OperationalError("unable to open database file")

    async def session(self) -> None:
        """Lose it."""
        await trio.sleep_until(DATABASE)
        if self.context.incarnation == 1:
            await self.check()
        await trio.sleep_forever()


@attrs.define
class Prices(Actor):
    """Reads prices. What it cannot read it reports, and the last good one stands in."""

    last: float = 0.0

    def receive(self, message: str) -> None:
        """Take a price, as the exchange writes it."""
        try:
            self.last = json.loads(message)["price"]
        except (ValueError, LookupError) as error:
            self.context.report(error)
        else:
            self.context.runtime.recovery.data.put(self.context.path, self.last)


async def exchange(context: Context) -> None:
    """Send prices, of which three are cut off in the middle."""
    while True:
        await trio.sleep(20)
        texts = ['{"price": 10'] * 3 if context.now() == GARBAGE else ['{"price": 101.5}']
        for text in texts:
            context.lookup("/bot/prices").tell(text)


async def strategy(context: Context) -> None:
    """Trade well for a while; then look up what is not there, and again after each restart."""
    await trio.sleep_until(STRATEGY)
    signals = {"rsi": 43.0}
    context.log.debug("ema {}", signals["ema"])


bot = Supervisor(
    "bot",
    [
        Child.connection("market", Market),
        Child.connection("feed", Feed),
        Child.connection("journal", Journal),
        Child("prices", Prices),
        Child("exchange", exchange),
        Child("strategy", strategy, backoff=Backoff.steps(5, 10, 20), max_failures=3, on_give_up="park"),
    ],
    intensity=10,
    period=60.0,
)


def clock() -> str:
    """Return the time since the start as minutes and seconds."""
    minutes, seconds = divmod(round(trio.current_time()), 60)
    return f"{minutes:02}:{seconds:02}"


def tell(incident: Chain) -> None:
    """Print an incident that is over."""
    print(f"{clock()}  {incident.path:<13}  {incident.text()}")


async def main() -> None:
    """Run the bot until all has happened, and print what became of it."""
    async with open_runtime(bot, system=[incident_log(tell)], log_level=None) as runtime:
        await trio.sleep_until(END)
        errors, recovery, health = runtime.errors.summary(), runtime.recovery.statistics(), runtime.health()
        print(f"\n{errors.total_errors} errors: {errors.errors_by_type}")
        print(f"recovery: {recovery.successful} of {recovery.total} attempts helped, {recovery.gave_up} gave up")
        print(f"health: {health.overall}")
        for issue in health.issues:
            print(f"  {issue}")


if __name__ == "__main__":
    trio.run(main, clock=MockClock(autojump_threshold=0))
