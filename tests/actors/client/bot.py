"""A bot with a console, as a process of its own: `python bot.py NAME FOLDER`; it says `up` when it listens."""

from __future__ import annotations

import sys

import attrs
import trio

import duenna
from duenna import Actor, Backoff, Breaker, Child, Context, Guard, Supervisor
from duenna_actors.alerts import LogReceiver, alerts
from duenna_actors.console import GetConsole, console

HOSTILE = "boom \x1b[31m\x1b]0;owned\x07 <script>alert(1)</script> [/red] \x00 \udcff \u202e end\nsecond line"
prices = Guard("prices", retry=None, breaker=Breaker.consecutive(1, open_for=86_400.0))
crashes = iter([ConnectionError(HOSTILE)])


@attrs.define
class Idle(Actor):
    """Does nothing, and is well."""


@attrs.define
class Caller(Actor):
    """Opens a breaker."""

    async def started(self) -> None:
        try:
            await prices.call(self._call)
        except ConnectionError as error:
            self.context.report(error)

    async def _call(self) -> float:
        raise ConnectionError(HOSTILE)


async def crasher(context: Context) -> None:
    context.ready()
    for error in crashes:
        raise error
    await trio.sleep_forever()


async def parked(context: Context) -> None:
    context.ready()
    raise ValueError(HOSTILE)


def tree(name: str) -> Supervisor:
    feeds = Supervisor(
        "feeds", [Child("btc", Idle), Child("crasher", crasher, backoff=Backoff.steps(0.01))], strategy="rest_for_one"
    )
    ill: list[Child | Supervisor] = [
        Child("parked", parked, max_failures=0, on_give_up="park", unpark_after=None),
        Child("caller", Caller),
    ]
    same = Supervisor("pairs", [Child("btc", Idle), Child("it's $(odd)", Idle)])
    return Supervisor(name, [Child("worker", Idle), *([feeds, same, *ill] if name == "ill" else ())])


async def main(name: str, folder: str) -> None:
    system = [alerts([LogReceiver()])] if name == "ill" else []
    async with duenna.open_runtime(
        tree(name), system=[*system, console(port=0)], directory=folder, log_level=None
    ) as runtime:
        await runtime.ref("/system/console").ask(GetConsole(), timeout=60.0)
        print("up", flush=True)  # noqa: T201 - whoever started it waits for that
        await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)  # until he says so


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2])
