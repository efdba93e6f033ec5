"""Random trees, and what is done to them."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import attrs
import pytest
import trio
from hypothesis import strategies as st

from duenna import (
    Backoff,
    Child,
    DuennaError,
    Runtime,
    Supervisor,
    TreeNode,
)

from .probe import BoomError, Flavour, Probe, Script

pytestmark = pytest.mark.slow


PERIOD = 5.0


UNPARK = 50.0


CALM = 500.0  # seconds in which every backoff, start and round of attempts is over


Operation = Literal[
    "crash",
    "end",
    "fail starts",
    "hang a start",
    "wait",
    "stop",
    "restart",
    "delete",
    "add",
    "add branch",
    "suspend",
    "resume",
]


@attrs.frozen
class Leaf:
    """A child of a random tree."""

    name: str
    flavour: Flavour
    restart: Literal["permanent", "transient", "temporary"]
    wait: float
    parks: bool
    start_takes: float
    stop_takes: float
    stubborn: float
    drain: float
    significant: bool

    def spec(self, probe: Probe, *, may_matter: bool = False) -> Child:
        """Make its spec; it is significant if it is one that may be."""
        probe.mixed[self.name] = self.flavour
        probe.always(self.name, self.script)
        return probe.child(
            self.name,
            restart=self.restart,
            backoff=Backoff.steps(self.wait),
            max_failures=2 if self.parks else None,
            on_give_up="park",
            unpark_after=UNPARK,
            start_timeout=10,
            shutdown=2,
            drain=self.drain,
            significant=may_matter and self.significant and self.restart != "permanent",
        )

    @property
    def script(self) -> Script:
        """What it does unless told otherwise; a stop that takes no time needs no checkpoint."""
        return Script(start_takes=self.start_takes, stop_takes=self.stop_takes, stubborn=self.stubborn)


@attrs.frozen
class Branch:
    """A supervisor of a random tree."""

    name: str
    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"]
    restart: Literal["permanent", "transient"]
    auto_shutdown: Literal["never", "any", "all"]
    intensity: int
    parks: bool
    children: tuple[Leaf, ...]

    def spec(self, probe: Probe) -> Supervisor:
        """Make its spec."""
        return Supervisor(
            self.name,
            [leaf.spec(probe, may_matter=self.auto_shutdown != "never") for leaf in self.children],
            strategy=self.strategy,
            restart=self.restart,
            auto_shutdown=self.auto_shutdown,
            intensity=self.intensity,
            period=PERIOD,
            backoff=Backoff.steps(1.0),
            max_failures=1 if self.parks else None,
            on_give_up="park",
            unpark_after=UNPARK,
        )


@attrs.frozen
class Step:
    """One thing that is done to the tree: to the child at *position* among all paths there are."""

    operation: Operation
    position: int
    amount: float


def leaves(prefix: str, least: int, most: int) -> st.SearchStrategy[tuple[Leaf, ...]]:
    """Draw leaves that are named `prefix0`, `prefix1`, ..."""

    def named(drawn: list[Leaf]) -> tuple[Leaf, ...]:
        return tuple(attrs.evolve(leaf, name=f"{prefix}{i}") for i, leaf in enumerate(drawn))

    leaf = st.builds(
        Leaf,
        name=st.just(""),
        flavour=st.sampled_from(Flavour),
        restart=st.sampled_from(["permanent", "permanent", "transient", "temporary"]),
        wait=st.sampled_from([0.0, 0.0, 1.0, 4.0]),
        parks=st.booleans(),
        start_takes=st.sampled_from([0.0, 0.0, 2.0]),
        stop_takes=st.sampled_from([0.0, 0.0, 1.5]),
        stubborn=st.sampled_from([0.0, 0.0, 0.0, 5.0]),
        drain=st.sampled_from([0.0, 0.0, 1.0]),
        significant=st.booleans(),
    )
    return st.lists(leaf, min_size=least, max_size=most).map(named)


def branches(name: str) -> st.SearchStrategy[Branch]:
    """Draw a branch."""
    return st.builds(
        Branch,
        name=st.just(name),
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        restart=st.sampled_from(["permanent", "permanent", "transient"]),
        auto_shutdown=st.sampled_from(["never", "never", "any", "all"]),
        intensity=st.sampled_from([1, 3, 1000]),
        parks=st.booleans(),
        children=leaves(f"{name}-", 1, 3),
    )


@attrs.frozen
class Program:
    """A random tree and what is done to it."""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"]
    first: tuple[Leaf, ...]
    left: Branch
    second: tuple[Leaf, ...]
    right: Branch
    spare: tuple[Leaf, ...]
    spare_branch: Branch
    steps: tuple[Step, ...]

    def tree(self, probe: Probe) -> Supervisor:
        """Make the root; it never gives up."""
        first = [leaf.spec(probe) for leaf in self.first]
        second = [leaf.spec(probe) for leaf in self.second]
        children: list[Child | Supervisor] = [*first, self.left.spec(probe), *second, self.right.spec(probe)]
        return Supervisor("bot", children, strategy=self.strategy, intensity=1_000_000, period=PERIOD)


steps = st.builds(
    Step,
    operation=st.sampled_from(
        ["crash"] * 5
        + ["end", "fail starts", "hang a start"]
        + ["wait"] * 3
        + ["stop", "restart", "restart", "delete", "add", "add branch", "suspend", "resume"]
    ),
    position=st.integers(0, 20),
    amount=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 7.0]),
)


programs = st.builds(
    Program,
    strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    first=leaves("a", 0, 2),
    left=branches("left"),
    second=leaves("b", 0, 2),
    right=branches("right"),
    spare=leaves("spare", 3, 3),
    spare_branch=branches("grown"),
    steps=st.lists(steps, min_size=1, max_size=25).map(tuple),
)


MOMENTS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5, 5.0, 8.0, 13.0])


@attrs.define
class Play:
    """A program at work."""

    program: Program
    probe: Probe
    runtime: Runtime
    nursery: trio.Nursery
    pending: int = 0
    touched: set[str] = attrs.field(factory=set)
    oddities: list[BaseException] = attrs.field(factory=list)

    async def play(self) -> None:
        """Do every step; calls run side by side."""
        for step in self.program.steps:
            await self.step(step)

    async def step(self, step: Step) -> None:
        nodes = [node for node in self.runtime.tree().walk() if node.path != "/bot"]
        target = nodes[step.position % len(nodes)] if nodes else None
        match step.operation:
            case "wait":
                await trio.sleep(step.amount)
            case "add" | "add branch":
                self.add(step)
            case _ if target is None:
                pass
            case "crash" | "end" | "fail starts" | "hang a start":
                self.disturb(step, target)
            case "stop":
                self.touched.add(target.path)
                self.call(self.runtime.stop_child, target.path)
            case "restart":
                self.call(self.runtime.restart_child, target.path)
            case "delete":
                self.call(self.runtime.delete_child, target.path)
            case "suspend":
                self.call(self.runtime.suspend, target.path)
            case "resume":
                self.call(self.runtime.resume, target.path)

    def resume_all(self) -> None:
        """Let every mailbox be served again."""
        for node in self.runtime.tree().walk():
            if node.suspended:
                self.call(self.runtime.resume, node.path)

    def disturb(self, step: Step, node: TreeNode) -> None:
        """Do something to a leaf."""
        life = self.probe.lives.get(node.name)
        if life is None:
            return
        again = life.script
        match step.operation:
            case "fail starts":
                failing = attrs.evolve(again, start_error=BoomError)
                self.probe.plan(node.name, *[failing] * (1 + step.position % 3))
            case "hang a start":
                self.probe.plan(node.name, attrs.evolve(again, start_takes=math.inf))
            case _ if life.is_over or not life.is_up:
                pass
            case "crash":
                self.probe.crash(node.name)
            case "end":
                self.probe.end(node.name)

    def add(self, step: Step) -> None:
        """Start a dynamic child."""
        if step.operation == "add branch":
            self.call(self.runtime.start_child, "/bot", self.program.spare_branch.spec(self.probe))
            return
        leaf = self.program.spare[step.position % len(self.program.spare)]
        parent = ["/bot", "/bot/left", "/bot/right"][step.position % 3]
        self.call(self.runtime.start_child, parent, leaf.spec(self.probe))

    def call(self, function: Callable[..., Awaitable[object]], *args: Any) -> None:
        """Make an operator's call, without waiting for it."""

        async def make() -> None:
            self.pending += 1
            try:
                await function(*args)
            except DuennaError:
                pass
            except Exception as error:  # noqa: BLE001  # whatever it is, it is no answer
                self.oddities.append(error)
            self.pending -= 1

        self.nursery.start_soon(make)


def all_leaves(program: Program) -> list[Leaf]:
    """Return every leaf that a program may start."""
    branched = [leaf for branch in (program.left, program.right, program.spare_branch) for leaf in branch.children]
    return [*program.first, *program.second, *program.spare, *branched]
