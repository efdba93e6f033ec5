"""What a dry run says is what then happens."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import duenna
from duenna import Actor, Backoff, Child, Supervisor
from duenna.dry_run import plan_of
from duenna.errors import DuennaError
from duenna.events import ChildExited, ChildResumed, ChildStarting, ChildSuspended
from duenna.machines.affected import Command

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.machines.affected import Plan

LONG = 10_000.0


class Worker(Actor):
    """Crashes, leaves or goes on, as it is told."""

    kind = "worker"

    def __init__(self, start_after: float = 0.0) -> None:
        """Take so many seconds to start."""
        self.start_after = start_after

    async def started(self) -> None:
        """Take the time."""
        await trio.sleep(self.start_after)

    def receive(self, message: object) -> None:
        """Do as told."""
        if message == "leave":
            self.context.stop()
        elif message == "crash":
            raise ValueError("as told")


@attrs.frozen
class Leaf:
    """A worker to be: how it restarts, and what happens to it first."""

    restart: str
    start_after: float
    gives_up: bool
    fate: str
    is_significant: bool = False


@attrs.frozen
class Branch:
    """A supervisor to be."""

    strategy: str
    children: tuple[Leaf, ...]
    fate: str
    auto_shutdown: str = "never"


leaves = st.builds(
    Leaf,
    restart=st.sampled_from(["permanent", "transient", "temporary"]),
    start_after=st.sampled_from([0.0, 1.0]),
    gives_up=st.booleans(),
    fate=st.sampled_from(["", "", "", "stop", "leave", "crash"]),
    is_significant=st.booleans(),
)
auto_shutdowns = st.sampled_from(["never", "any", "all"])
strategies = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
branches = st.builds(
    Branch,
    strategy=strategies,
    children=st.lists(leaves, max_size=3).map(tuple),
    fate=st.sampled_from(["", "", "stop", "restart", "add"]),
    auto_shutdown=auto_shutdowns,
)
families = st.lists(st.one_of(leaves, branches), min_size=1, max_size=5)


def child(name: str, leaf: Leaf, auto_shutdown: str = "never") -> Child:
    return Child(
        name,
        partial(Worker, leaf.start_after),
        restart=leaf.restart,
        backoff=Backoff.steps(LONG),
        max_failures=0 if leaf.gives_up else None,
        on_give_up="park",
        unpark_after=None,
        significant=leaf.is_significant and leaf.restart != "permanent" and auto_shutdown != "never",
    )


def supervisor(name: str, strategy: str, members: list[Any], auto_shutdown: str = "never") -> Supervisor:
    specs = [
        supervisor(f"s{number}", member.strategy, list(member.children), member.auto_shutdown)
        if isinstance(member, Branch)
        else child(f"c{number}", member, auto_shutdown)
        for number, member in enumerate(members)
    ]
    return Supervisor(name, specs, strategy=strategy, intensity=1000, auto_shutdown=auto_shutdown)


async def settle() -> None:
    await trio.sleep(20.0)


async def befall(runtime: Runtime, path: str, fate: str) -> None:
    """Have something happen to the child at *path*, and wait until it is over."""
    with suppress(DuennaError), trio.move_on_after(100.0):
        if fate == "stop":
            await runtime.stop_child(path)
        elif fate == "restart":
            await runtime.restart_child(path)
        elif fate == "add":
            await runtime.start_child(path, child("added", Leaf("permanent", 0.0, False, "")))
        elif fate and runtime.tree(path).state == "running":  # otherwise the message waits for its next life
            runtime.ref(path).tell(fate)
    await settle()


async def prepare(runtime: Runtime, above: str, members: list[Any]) -> None:
    for number, member in enumerate(members):
        if isinstance(member, Branch):
            await prepare(runtime, f"{above}/s{number}", list(member.children))
            await befall(runtime, f"{above}/s{number}", member.fate)
        else:
            await befall(runtime, f"{above}/c{number}", member.fate)


async def carry_out(runtime: Runtime, command: Command, path: str) -> None:
    with suppress(DuennaError), trio.move_on_after(50.0):
        if command is Command.STOP:
            await runtime.stop_child(path)
        else:
            await runtime.restart_child(path)
    await settle()


async def compare(
    strategy: str,
    members: list[Any],
    target: int,
    command: Command,
    meanwhile: int | None,
    *,
    auto_shutdown: str = "never",
) -> tuple[Plan, list[str], list[str]]:
    """Return what was planned, what ended and what began."""
    tree = Supervisor("bot", [supervisor("group", strategy, members, auto_shutdown)])
    async with duenna.open_runtime(tree, log_level=None) as runtime, trio.open_nursery() as nursery:
        await prepare(runtime, "/bot/group", members)
        children = runtime.tree("/bot/group").children
        if children and meanwhile is not None:  # something else is under way at that time
            nursery.start_soon(carry_out, runtime, Command.RESTART, children[meanwhile % len(children)].path)
            await trio.sleep(0.5)
            children = runtime.tree("/bot/group").children
        path = children[target % len(children)].path if children else "/bot/group"
        plan = plan_of(runtime, command, path)
        with runtime.events(ChildExited, ChildStarting) as stream:
            if not (command is Command.START and plan.why_not):
                await carry_out(runtime, command, path)
            seen = list(stream.drain())
        ended = [event.path for event in seen if isinstance(event, ChildExited)]
        return plan, ended, [event.path for event in seen if isinstance(event, ChildStarting)]


@settings(max_examples=150)
@given(
    strategy=strategies,
    members=families,
    target=st.integers(0, 10),
    command=st.sampled_from([Command.RESTART, Command.STOP, Command.START]),
    auto_shutdown=auto_shutdowns,
)
def test_what_was_planned_happens(
    strategy: str, members: list[Any], target: int, command: Command, auto_shutdown: str
) -> None:
    """Random trees after random fates: who stops and who starts, in which order, is what the dry run said."""
    clock, planned = MockClock(autojump_threshold=0), partial(compare, auto_shutdown=auto_shutdown)
    plan, ended, began = trio.run(planned, strategy, members, target, command, None, clock=clock)

    assert (list(plan.stops), list(plan.starts)) == (ended, began)


@settings(max_examples=100)
@given(strategy=strategies, members=families, target=st.integers(0, 10), meanwhile=st.integers(0, 10))
def test_what_was_planned_happens_while_a_restart_is_under_way(
    strategy: str, members: list[Any], target: int, meanwhile: int
) -> None:
    """Whoever is stopped or started then is in the plan, in that order; what was under way anyway may come before."""
    clock = MockClock(autojump_threshold=0)
    plan, ended, began = trio.run(compare, strategy, members, target, Command.RESTART, meanwhile, clock=clock)

    assert _are_in_order(plan.stops, ended)
    assert _are_in_order(plan.starts, began)


async def held(strategy: str, members: list[Any], target: int, command: Command) -> tuple[str, list[str], str]:
    """Return why not, whose mailbox was held or served again, and why that was refused."""
    tree = Supervisor("bot", [supervisor("group", strategy, members)])
    async with duenna.open_runtime(tree, log_level=None) as runtime:
        await prepare(runtime, "/bot/group", members)
        paths = [node.path for node in runtime.tree("/bot").walk()]
        if command is Command.RESUME:
            for path in paths[:: 1 + target % 3]:
                with suppress(DuennaError):
                    await runtime.suspend(path)
        path = paths[target % len(paths)]
        plan, refused = plan_of(runtime, command, path), ""
        with runtime.events(ChildSuspended, ChildResumed) as stream:
            try:
                await (runtime.suspend if command is Command.SUSPEND else runtime.resume)(path)
            except DuennaError as exc:
                refused = str(exc)
            return plan.why_not, [event.path for event in stream.drain()], refused


@settings(max_examples=150)
@given(
    strategy=strategies,
    members=families,
    target=st.integers(0, 20),
    command=st.sampled_from([Command.SUSPEND, Command.RESUME]),
)
def test_a_mailbox_is_held_or_served_if_the_dry_run_says_so(
    strategy: str, members: list[Any], target: int, command: Command
) -> None:
    """If it says why not, nothing happens."""
    clock = MockClock(autojump_threshold=0)
    why_not, changed, refused = trio.run(held, strategy, members, target, command, clock=clock)

    assert bool(why_not) == (not changed)
    assert why_not or not refused


def _are_in_order(planned: tuple[str, ...], seen: list[str]) -> bool:
    rest = iter(seen)
    return all(path in rest for path in planned)


async def test_whom_nothing_happens_to_is_not_looked_at_in_depth(autojump_clock: MockClock) -> None:
    """What is below a sibling may be ten thousand actors."""
    many = [Supervisor(f"s{number}", [Child("a", Worker)]) for number in range(3)]
    async with duenna.open_runtime(Supervisor("bot", many, strategy="rest_for_one"), log_level=None) as runtime:
        looked: list[str] = []

        class Watched(dict[str, Any]):
            def items(self) -> Any:
                looked.append(str(self["a"].path))
                return super().items()

        for number in range(3):
            node: Any = runtime.ref(f"/bot/s{number}")
            node.children = Watched(node.children)

        plan_of(runtime, Command.STOP, "/bot/s1")
        assert set(looked) == {"/bot/s1/a"}
        plan_of(runtime, Command.RESTART, "/bot/s1")
        assert set(looked) == {"/bot/s1/a", "/bot/s2/a"}


TREE = Supervisor(
    "bot",
    [
        Supervisor(
            "feeds",
            [Child("a", Worker), Child("b", Worker), Child("c", Worker)],
            strategy="rest_for_one",
        )
    ],
)


async def test_a_dry_run_changes_nothing(autojump_clock: MockClock) -> None:
    """Not even an event."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        before = runtime.tree()
        with runtime.events() as stream:
            plan = plan_of(runtime, Command.RESTART, "/bot/feeds/b")

            assert plan.stops == ("/bot/feeds/c", "/bot/feeds/b")
            assert plan.starts == ("/bot/feeds/b", "/bot/feeds/c")
            assert list(stream.drain()) == []
            assert runtime.tree() == before


@pytest.mark.parametrize("command", [Command.RESTART, Command.STOP, Command.START])
async def test_a_root_is_not_for_hands(autojump_clock: MockClock, command: Command) -> None:
    """Nor would the kernel do it."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        assert plan_of(runtime, command, "/bot").why_not.startswith("is a root: it cannot be ")


async def test_a_root_can_be_suspended_with_all_below_it(autojump_clock: MockClock) -> None:
    """As the kernel does it: every child."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        assert plan_of(runtime, Command.SUSPEND, "/bot").why_not == ""
        assert plan_of(runtime, Command.RESUME, "/bot").why_not == "is not suspended"
        await runtime.suspend("/bot")
        assert plan_of(runtime, Command.SUSPEND, "/bot").why_not == "has no child that could be suspended"
        assert plan_of(runtime, Command.RESUME, "/bot").why_not == ""


async def test_below_a_supervisor_that_is_down_nothing_can_be_done(autojump_clock: MockClock) -> None:
    """The dry run names that supervisor."""
    async with duenna.open_runtime(TREE, log_level=None) as runtime:
        await runtime.stop_child("/bot/feeds")

        plan = plan_of(runtime, Command.RESTART, "/bot/feeds/a")

        assert plan.why_not == "cannot be restarted: its supervisor /bot/feeds is stopped"
