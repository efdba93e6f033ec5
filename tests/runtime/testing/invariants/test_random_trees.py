"""Random trees, run for real on a virtual clock: the kernel keeps every rule, so nothing may be found."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import Actor, Backoff, Child, ChildStateError, DuennaError, Mailbox, MailboxFullError, Runtime, Supervisor
from duenna.testing import World
from duenna.testing.invariants import Checker, Violation, standard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from duenna.testing.trace import Record

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
SECONDS = 120.0


class OwnError(Exception):
    """A crash on purpose."""


class Whimsy(Actor):
    """Crashes, ends, sleeps, watches and tells others, as chance has it."""

    def __init__(self, rng: Random, paths: list[str]) -> None:
        self.rng = rng
        self.paths = paths

    async def started(self) -> None:
        self.context.tell_every(self.rng.uniform(0.5, 3.0), "tick")
        if self.rng.random() < 0.1 and self.context.now() > 1.0:
            raise OwnError("at the start")
        await trio.sleep(self.rng.choice((0.0, 0.0, 0.3)))

    async def receive(self, message: Any) -> None:
        draw = self.rng.random()
        other = self.rng.choice(self.paths)
        if draw < 0.03:
            raise OwnError("in the middle")
        if draw < 0.05:
            self.context.stop()
        elif draw < 0.2:
            await trio.sleep(self.rng.uniform(0.0, 1.0))
        elif draw < 0.6:
            try:
                self.context.watch(other)
                if draw > 0.5:
                    self.context.unwatch(other)
                self.context.lookup(other).tell("hello")
            except (DuennaError, MailboxFullError):
                pass

    async def stopping(self, reason: str | BaseException) -> None:
        draw = self.rng.random()
        if draw < 0.05:
            raise OwnError("in the cleanup")
        if draw < 0.3:
            await trio.sleep(self.rng.choice((0.1, 0.5, 3.0)))


def worker(rng: Random, name: str, paths: list[str], *, is_below_root: bool = False) -> Child:
    restart = rng.choice(("permanent", "permanent", "transient", "temporary"))
    return Child(
        name,
        partial(Whimsy, rng, paths),
        restart=restart,
        backoff=rng.choice((Backoff.none(), Backoff.steps(0.5, 2.0), Backoff.exponential(1.0, maximum=8.0))),
        max_failures=rng.choice((None, None, 2)),
        on_give_up="park" if is_below_root else rng.choice(("escalate", "park")),  # the root shall last
        unpark_after=rng.choice((None, 5.0)),
        reset_after=rng.choice((1.0, 10.0)),
        drain=rng.choice((0.0, 0.0, 0.5)),
        shutdown=rng.choice((1.0, 5.0)),
        significant=not is_below_root and restart != "permanent" and rng.random() < 0.3,
        mailbox=Mailbox(rng.choice((2, 1000)), rng.choice(("fail", "drop_oldest", "drop_newest"))),
    )


def supervisor(rng: Random, name: str, depth: int, above: str, paths: list[str]) -> Supervisor:
    path = f"{above}/{name}"
    children: list[Child | Supervisor] = []
    for number in range(rng.randint(1, 4)):
        if depth and rng.random() < 0.5:
            children.append(supervisor(rng, f"s{number}", depth - 1, path, paths))
        else:
            children.append(worker(rng, f"w{number}", paths, is_below_root=not above))
        paths.append(f"{path}/{children[-1].name}")
    return Supervisor(
        name,
        children,
        strategy=rng.choice(STRATEGIES),
        intensity=rng.randint(1, 5) if above else 1_000_000,
        period=rng.choice((1.0, 10.0)),
        auto_shutdown=rng.choice(("any", "all")) if above else "never",
        backoff=Backoff.steps(0.5),
    )


async def operate(runtime: Runtime, rng: Random, paths: list[str]) -> None:
    """Do what an operator can do, to anybody, at any time."""
    calls = (runtime.stop_child, runtime.restart_child, runtime.restart_child, runtime.delete_child, runtime.suspend)
    number = 0
    while True:
        await trio.sleep(rng.uniform(0.0, 3.0))
        number += 1
        path = rng.choice(paths)
        try:
            with trio.move_on_after(2.0):
                if rng.random() < 0.2:
                    above = path.rpartition("/")[0]
                    newcomer = worker(rng, f"x{number}", paths, is_below_root=above == "/bot")
                    await runtime.start_child(above, newcomer)
                elif rng.random() < 0.2:
                    await runtime.resume(path)
                else:
                    await rng.choice(calls)(path)
        except (ChildStateError, DuennaError, ValueError):
            continue


async def live(world: World, checkers: Sequence[Checker]) -> None:
    rng = world.chance("tree")
    paths: list[str] = []
    world.watch(checkers)
    async with world.open_runtime(supervisor(rng, "bot", 2, "", paths)) as runtime, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(operate, runtime, rng, paths)
        await trio.sleep(SECONDS)
        nursery.cancel_scope.cancel()


@attrs.define
class Kinds:
    """Notes which kinds of records there are."""

    seen: set[str] = attrs.field(factory=set[str])
    name: str = "kinds"
    kinds: frozenset[str] = frozenset()

    def apply(self, record: Record) -> Iterable[Violation]:
        self.seen.add(record.kind)
        return ()

    def finish(self, end: float) -> Iterable[Violation]:
        return ()


@pytest.mark.parametrize("seed", range(16))
def test_nothing_is_found_in_a_random_tree(seed: int) -> None:
    world = World(seed, detail="messages")

    world.run(live, world, standard(bound=100.0, explained=False))

    assert [str(one) for one in world.violations()] == []
    assert world.clock.current_time() >= SECONDS


def test_the_random_trees_do_all_that_rules_are_about() -> None:
    kinds = Kinds()
    for seed in range(40):
        world = World(seed, detail="messages")
        world.run(live, world, [kinds])
        if kinds.seen >= WANTED:
            break

    assert kinds.seen >= WANTED


WANTED = frozenset(
    {
        "child_parked",
        "child_removed",
        "child_stopped",
        "child_stuck",
        "child_suspended",
        "command",
        "dead_letter",
        "down",
        "down_received",
        "dropped",
        "group_restarting",
        "supervisor_gave_up",
        "timer_received",
        "unwatch",
    }
)
