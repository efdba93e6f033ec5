"""A small bot with something of everything that the terminal shows; as a program, it lives until it is terminated."""

from __future__ import annotations

import itertools
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from duenna import Actor, Backoff, Breaker, Child, Guard, Retry, Supervisor, open_runtime
from duenna.freshness import Freshness
from duenna_actors.client import Address, Client
from duenna_actors.console import console
from tests.actors.console.support import Running, running_console

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from duenna import Runtime

HOSTILE: Final = "[/bad]<script>alert(1)</script>\x1b[2J\x1b]0;owned\x07 \x00 漢字 \u202eevil"
_numbers: Final = itertools.count(1)  # guards of one name are one for the whole process


class Crasher(Actor):
    """Crashes with what it is told."""

    def receive(self, message: str) -> None:
        """Crash; told nothing, be well."""
        if message:
            raise ConnectionResetError(message)


@attrs.define
class Feed(Actor):
    """Has data that should have come again long ago."""

    at: float = attrs.field(factory=lambda: trio.current_time() - 41.0)

    def receive(self, message: str) -> None:
        """Take fresh data."""
        self.at = trio.current_time()

    def freshness(self) -> Freshness:
        """Say when data came last."""
        return Freshness(at=self.at, expect_every=5.0)


@attrs.define
class Caller(Actor):
    """Calls something that fails, until its breaker is open."""

    breaker: str
    guard: Guard = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        """Guard with a breaker that opens soon and stays so."""
        self.guard = Guard(self.breaker, retry=Retry(1), breaker=Breaker.consecutive(2, open_for=3_600.0))

    async def receive(self, message: str) -> None:
        """Call twice, in vain."""
        for _ in range(2):
            with suppress(ConnectionError):
                await self.guard.call(self._fail)

    async def _fail(self) -> None:
        raise ConnectionError(f"no route {HOSTILE}")


def bot_tree(*more: Child, breaker: str = "rest.kraken") -> Supervisor:
    """Return the bot: feeds of which one takes another one with it, a caller with a breaker, and *more*."""
    quick = Backoff.steps(0.01)
    feeds = Supervisor(
        "feeds",
        [Child("kraken", Feed, backoff=quick), Child("book", Crasher, backoff=quick)],
        strategy="rest_for_one",
        intensity=3,
        period=60.0,
    )
    exchange = Supervisor("exchange", [Child("caller", partial(Caller, breaker))])
    slow = Backoff.steps(3_600.0)
    return Supervisor(
        "polybot",
        [feeds, exchange, Child("crasher", Crasher, backoff=slow, max_failures=3), *more],
        intensity=10,
        period=60.0,
    )


class Bot:
    """A bot that runs in a thread of its own."""

    def __init__(self, running: Running, breaker: str, token: trio.lowlevel.TrioToken, stop: trio.Event) -> None:
        self.running = running
        self.breaker = breaker
        self._token = token
        self._stop = stop

    def stop(self) -> None:
        """Stop it, as far as it runs."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._stop.set)

    @property
    def address(self) -> Address:
        """Where its console is."""
        found = self.running
        return Address(bot="polybot", socket=found.socket, url=None, token=found.tokens["operate"])

    def client(self) -> Client:
        """Return a client of its console."""
        return Client(self.address)

    def block(self, until: threading.Event) -> None:
        """Have its loop blocked until *until* is set; returns at once."""
        self._token.run_sync_soon(until.wait)

    def do(self, what: Callable[[Runtime], Any]) -> Any:
        """Do *what* to its runtime, in its thread."""
        return trio.from_thread.run_sync(what, self.running.runtime, trio_token=self._token)

    def wait(self, what: Callable[[Runtime], Awaitable[Any]]) -> Any:
        """Do *what* and wait for its end."""
        return trio.from_thread.run(what, self.running.runtime, trio_token=self._token)

    def tell(self, path: str, message: object) -> None:
        """Send *message* to the actor *path*."""
        self.do(lambda runtime: runtime.ref(path).tell(message))

    def restarts(self, path: str) -> int:
        """Return how often the actor *path* was restarted."""
        return int(self.do(lambda runtime: {node.path: node for node in walk(runtime.tree())}[path].restarts))


def walk(node: Any) -> Iterator[Any]:
    """Give a node of the tree and all below it."""
    if isinstance(node, tuple | list):
        for each in node:
            yield from walk(each)
        return
    yield node
    for child in node.children:
        yield from walk(child)


@contextmanager
def running_bot(folder: Path, *more: Child, tree: Supervisor | None = None, **options: Any) -> Iterator[Bot]:
    """Run the bot with the children *more*, or *tree* instead, beside the block."""
    breaker = f"rest.kraken-{next(_numbers)}"
    begun = threading.Event()
    told: list[Bot] = []
    ended: list[BaseException] = []

    async def main() -> None:
        stop = trio.Event()
        async with running_console(tree or bot_tree(*more, breaker=breaker), folder=folder, **options) as running:
            told.append(Bot(running, breaker, trio.lowlevel.current_trio_token(), stop))
            begun.set()
            await stop.wait()
            if breaker in running.runtime.guards:
                running.runtime.guards[breaker].reset()  # it outlives the bot, and the next one would show it

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as exc:  # noqa: BLE001 - told in the thread that waits
            ended.append(exc)
        finally:
            begun.set()

    thread = threading.Thread(target=run, name="bot")
    thread.start()
    begun.wait()
    try:
        if not told:
            raise ended[0]
        yield told[0]
    finally:
        for bot in told:
            bot.stop()
        thread.join()
    if ended:
        raise ended[0]


async def _program(folder: Path) -> None:
    child = console(socket=folder / "polybot.sock")
    with trio.open_signal_receiver(15) as signals:
        async with open_runtime(bot_tree(), system=[child], log_level=None) as runtime:
            runtime.ref("/polybot/exchange/caller").tell("go")
            print("up", flush=True)  # noqa: T201 - who started it waits for this
            async for _ in signals:
                return


if __name__ == "__main__":
    trio.run(partial(_program, Path(sys.argv[1])))
