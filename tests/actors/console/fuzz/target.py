"""A small bot with a console, in a process of its own, until its input ends; then it says what became of it.

The first line that it prints is where it is; the last what happened: both are JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import trio

from duenna import Child, ChildExited, ChildStarted, Runtime, Supervisor, open_runtime
from duenna_actors.alerts import alerts
from duenna_actors.console import ConsoleAddress, GetConsole, OperatorActed, console
from tests.actors.alerts.kit import Recorder
from tests.actors.console.api.bots import Crash, bot, guard, odd
from tests.actors.console.support import tokens_in

GUARD = "ex/change ünï"
HOSTILE = "<script>alert(1)</script>\x1b[31m[/bold]\x00\ud800\u202e token=abcdef0123456789abcdef" + "x" * 10_000


async def main(folder: Path) -> None:
    """Run the bot below *folder*."""
    tree = bot(odd())
    system: list[Child | Supervisor] = [alerts([Recorder()]), console(socket=folder / "bot.sock", port=0)]
    async with (
        open_runtime(tree, system=system, directory=folder / "records", log_level=None) as runtime,
        trio.open_nursery() as nursery,
    ):
        await guard(GUARD).call(trio.lowlevel.checkpoint)
        await crash(runtime, "/bot/positions")
        told = Told()
        await nursery.start(told.listen, runtime)
        address: ConsoleAddress = await runtime.ref("/system/console").ask(GetConsole(), timeout=30.0)
        before, lives_before = shape(runtime), incarnations(runtime)
        say(
            url=address.url,
            tokens=tokens_in(Path(address.token_file)),
            paths=[path for path in before if path != "/bot" and path.startswith("/bot")],
            guard=GUARD,
        )
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        say(
            **told.report(),
            errors=[event.report.message for event in runtime.errors.recent[1:]],
            is_same_shape=shape(runtime) == before,
            restarted=[path for path, lives in incarnations(runtime).items() if lives != lives_before.get(path)],
            console=runtime.tree("/system/console").incarnation,
        )
        nursery.cancel_scope.cancel()


class Told:
    """What events told."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.acted: Counter[str] = Counter()
        self.targets: set[str] = set()
        self.crashes: list[str] = []

    async def listen(self, runtime: Runtime, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Hear who was acted on, and who ended by itself."""
        with runtime.events(OperatorActed, ChildExited, capacity=100_000) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, OperatorActed):
                    self.acted[event.action] += 1
                    self.targets.add(event.target)
                elif isinstance(event, ChildExited) and event.reason not in {"normal", "shutdown"}:
                    self.crashes.append(f"{event.path}: {event.reason}")

    def report(self) -> dict[str, Any]:
        """Return all of it."""
        return {"acted": dict(self.acted), "targets": sorted(self.targets), "crashes": self.crashes}


async def crash(runtime: Runtime, path: str) -> None:
    """Have the actor at *path* crash with a text that is hard to show, and wait until it is back."""
    with runtime.events(ChildStarted) as events:
        runtime.ref(path).tell(Crash(HOSTILE))
        while (await anext(events)).path != path:
            pass
    while not runtime.errors.total:
        await trio.lowlevel.checkpoint()


def shape(runtime: Runtime) -> list[str]:
    """Return the paths of all actors, in order."""
    return list(incarnations(runtime))


def incarnations(runtime: Runtime) -> dict[str, int]:
    """Return how often each actor was started, by its path."""
    return {node.path: node.incarnation for root in ("/system", "/bot") for node in runtime.tree(root).walk()}


def say(**fields: Any) -> None:
    """Print *fields* as a line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="duenna-") as made:
        trio.run(main, Path(made))
