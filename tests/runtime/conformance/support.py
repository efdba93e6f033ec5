"""What the conformance tests share beside the probe."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import (
    Actor,
    Backoff,
    Child,
    Runtime,
    StopReport,
    Supervisor,
    TreeNode,
    open_runtime,
    run,
)

from .probe import LONG, NOW, BoomError, Probe, Script

STEPS = Backoff.steps(10, 30, 60)
DOUBLING = Backoff.exponential(1.0, maximum=60.0, jitter="none")
ALL_UP = {"a": "running", "b": "running", "c": "running"}
GROUPS = pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])

Call = Callable[[Runtime, Probe], Awaitable[object]]
CALLS: dict[str, Call] = {
    "start_child": lambda runtime, probe: runtime.start_child("/bot", probe.child("new")),
    "start_children": lambda runtime, probe: runtime.start_children("/bot", probe.children("new newer")),
    "stop_child": lambda runtime, _: runtime.stop_child("/bot/a"),
    "restart_child": lambda runtime, _: runtime.restart_child("/bot/a"),
    "delete_child": lambda runtime, _: runtime.delete_child("/bot/a"),
    "suspend": lambda runtime, _: runtime.suspend("/bot/a"),
    "resume": lambda runtime, _: runtime.resume("/bot/a"),
}


def crashing(*lives: float) -> list[Script]:
    """Make scripts that crash after so many seconds each."""
    return [Script(lives=seconds, ends=BoomError) for seconds in lives]


def run_virtually(tree: Supervisor) -> StopReport:
    """Run a bot's main loop on a virtual clock."""
    return run(tree, log_level=None, watchdog=None, clock=MockClock(autojump_threshold=0))


@attrs.define
class Servant(Actor):
    """Answers, crashes or dawdles, as the message says."""

    log: list[object]

    async def receive(self, message: object) -> object:
        match message:
            case "crash":
                raise BoomError("as told")
            case float():
                await trio.sleep(message)
        self.log.append(message)
        return message


def servant(log: list[object], name: str = "a", **options: Any) -> Child:
    """Make the spec of a servant that is restarted at once."""
    return Child(name, lambda: Servant(log), **{"backoff": NOW, **options})


def opened(tree: Supervisor, *, seed: int = 1) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime in silence, from a seed."""
    return open_runtime(tree, seed=seed, log_level=None, watchdog=None)


async def serve(tree: Supervisor, seconds: float = LONG) -> None:
    """Run *tree* for *seconds* and stop it in order."""
    async with opened(tree):
        await trio.sleep(seconds)


async def settle() -> None:
    """Wait until every task is blocked; the clock does not move."""
    await wait_all_tasks_blocked()


def node(runtime: Runtime, path: str) -> TreeNode | None:
    """Find the node of *path*, None if there is none."""
    return next((node for node in runtime.tree().walk() if node.path == path), None)


def state(runtime: Runtime, path: str) -> str:
    """Return the state of the child at *path*, `"absent"` if there is none."""
    found = node(runtime, path)
    return "absent" if found is None else str(found.state)


def states(runtime: Runtime) -> dict[str, str]:
    """Return the state of each child under the root, by name."""
    return {node.name: str(node.state) for node in runtime.tree().walk() if node.path.count("/") > 1}


@asynccontextmanager
async def watching(runtime: Runtime, *types: type[Any]) -> AsyncIterator[list[Any]]:
    """Collect the events of *types* that are about the user's tree, not about the runtime's own actors."""
    seen: list[Any] = []

    async def read() -> None:
        async for event in stream:
            if not event.path.startswith("/system"):
                seen.append(event)  # noqa: PERF401  # kept when the read is cancelled

    with runtime.events(*types) as stream:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            yield seen
            await settle()
            nursery.cancel_scope.cancel()


async def attempt(call: Callable[[], Awaitable[object]]) -> object:
    """Return what *call* returns or raises, `Exception`s only."""
    try:
        return await call()
    except Exception as error:  # noqa: BLE001  # that is the question
        return error


def causes(error: BaseException) -> list[BaseException]:
    """Return the chain of causes of *error*, itself first."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain
