"""Those who do things to the busy tree: drivers, who tell, and operators, who stop and start."""

from collections.abc import Awaitable, Callable
from itertools import count

import trio

from duenna import Backoff, Child, ChildState, Context, DuennaError, MailboxFullError, Runtime, Supervisor, TreeNode

from .town import CALM_AFTER, Order, Town
from .townsfolk import Clerk, Porter

QUICK = Backoff.exponential(0.1, maximum=2.0, jitter="full")

_MOST_CHILDREN = 40


def driver(town: Town) -> Callable[[Context], Awaitable[None]]:
    """Make an actor that gives orders to all others."""

    async def drive(context: Context) -> None:
        while True:
            await trio.sleep(0.6 * town.rng.random())
            to = town.other(context)
            if to is None:
                continue
            try:
                for _ in range(town.one_of((1, 1, 1, 2, 8))):
                    to.tell(Order(town.rng.randrange(4)))
            except MailboxFullError:
                pass

    return drive


def operator(town: Town) -> Callable[[Context], Awaitable[None]]:
    """Make an actor that commands at random, and puts everything right when it is time for calm."""
    numbers = count()

    async def operate(context: Context) -> None:
        runtime = context.runtime
        while context.now() < CALM_AFTER:
            await trio.sleep(6.0 * town.rng.random())
            with trio.move_on_after(10.0 * town.rng.random()):
                await _attempt(_anything(town, runtime, f"{context.name}-{next(numbers)}"))
        await _put_right(runtime)

    return operate


async def _attempt(call: Awaitable[object]) -> None:
    try:
        await call
    except DuennaError:  # refused: the child was not there, or not in that state
        await trio.lowlevel.checkpoint()


async def _anything(town: Town, runtime: Runtime, name: str) -> None:
    nodes = [node for node in runtime.tree("/busy").walk() if node.path != "/busy"]
    down = [node for node in nodes if _is_down(node)]
    if down and town.draw(0.6):
        await _bring_back(runtime, town.one_of(down))
        return
    waiting = [node for node in nodes if node.state == ChildState.BACKOFF]
    if waiting and town.draw(0.3):  # impatience
        await runtime.restart_child(town.one_of(waiting).path)
        return
    target = town.one_of(nodes)
    if target.kind == "supervisor" and town.draw(0.5):  # it takes so many with it
        target = town.one_of(nodes)
    draw = town.rng.randrange(8)
    if draw < 2:
        await runtime.stop_child(target.path)
    elif draw < 4:
        await runtime.restart_child(target.path)
    elif draw < 6:
        await (runtime.resume if target.suspended else runtime.suspend)(target.path)
    elif draw < 7 and len(nodes) < _MOST_CHILDREN:
        parents = [node.path for node in nodes if node.kind == "supervisor"]
        await runtime.start_child(town.one_of(parents), _any_spec(town, name))
    elif added := [node.path for node in nodes if node.name.startswith("operator")]:
        path = town.one_of(added)
        await runtime.stop_child(path)
        await runtime.delete_child(path)


async def _bring_back(runtime: Runtime, node: TreeNode) -> None:
    await (runtime.resume if node.suspended else runtime.restart_child)(node.path)


def _any_spec(town: Town, name: str) -> Child | Supervisor:
    restart = town.one_of(("permanent", "transient", "temporary"))
    kind = town.one_of((Clerk, Porter))
    child = Child(name, lambda: kind(town), restart=restart, backoff=QUICK)
    return Supervisor(name, [child], restart=restart, backoff=QUICK) if town.draw(0.2) else child


async def _put_right(runtime: Runtime) -> None:
    """Resume whoever is suspended, and start whoever is down."""
    for _ in range(20):
        await trio.sleep(3.0)
        down = [node for node in runtime.tree("/busy").walk() if _is_down(node)]
        for node in down:
            with trio.move_on_after(10.0):
                await _attempt(_bring_back(runtime, node))


def _is_down(node: TreeNode) -> bool:
    return node.suspended or node.state in {ChildState.STOPPED, ChildState.FINISHED, ChildState.FAILED}
