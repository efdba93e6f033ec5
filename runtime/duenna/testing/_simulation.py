"""A bot in a world for so many seconds: what it needs, and what came of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna._run import patience
from duenna._runtime import Runtime
from duenna.connection_statistics import Statistics
from duenna.errors import GaveUpError, StartFailedError
from duenna.faults import FaultPlan
from duenna.machines import checks
from duenna.settings import Settings, SettingsSource
from duenna.spec import Child, Supervisor
from duenna.storage import FileStore, MemoryStore
from duenna.testing._bound import BOUND
from duenna.testing._disk import Disk
from duenna.testing._errors import WorldError
from duenna.testing._stuck import end_by_force
from duenna.testing._world_fs import WorldFs
from duenna.testing.invariants import Checker, Violation

if TYPE_CHECKING:
    from duenna.testing._world import World

_STOP_GRACE = 60.0


@attrs.frozen(kw_only=True)
class Scenario:
    """A bot, and what the world should know of it.

    Attributes:
        tree: The bot.
        system: Children of `/system`, beside the bot: probes, for instance.
        checkers: Rules of its own, beside the standard ones. Made anew for each run.
        bound: Seconds after the end of the last fault within which every permanent actor runs
            again and every feed has data.
        files: Globs of database files, for random fault plans.
        every: Mean seconds between the faults of a random plan.
        feeds: Paths of the feeds that must have data, as `data_probe` tells them; one that never has any breaks a rule.
        settings: As of `duenna.open_runtime`.
        records: A folder of the bot's disk, below `World.folder`, in which it keeps its error log and its
            recovery log; empty: it keeps none.
        state: A folder of the bot's disk, below `World.folder`, in which it keeps its state; the faults of files
            strike there, too. Empty: it keeps it in memory.
    """

    tree: Supervisor
    system: tuple[Child | Supervisor, ...] = ()
    checkers: tuple[Checker, ...] = ()
    bound: float = BOUND
    files: tuple[str, ...] = ()
    every: float = 600.0
    feeds: tuple[str, ...] = ()
    settings: Settings | SettingsSource | None = None
    records: str = ""
    state: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense, such as files that no two runs have in common."""
        given: object = self.tree
        if not isinstance(given, Supervisor):
            raise TypeError(f"Scenario: tree must be a Supervisor, got {self.tree!r}")
        for field in ("system", "checkers", "files", "feeds"):
            if not isinstance(getattr(self, field), tuple):
                raise TypeError(f"Scenario: {field} must be a tuple, got {getattr(self, field)!r}")
        for field in ("records", "state"):
            folder: object = getattr(self, field)
            if not isinstance(folder, str):
                raise TypeError(f"Scenario: {field} must be the name of a folder, got {folder!r}")
            if os.sep in folder or folder in {".", ".."}:
                raise ValueError(f"Scenario: {field} must be the name of a folder, got {folder!r}, which is a path")
        checks.duration("Scenario", "bound", self.bound, zero=False, inf=False)
        checks.duration("Scenario", "every", self.every, zero=False, inf=False)
        for name in self.files:
            if os.sep in name:
                raise ValueError(f"Scenario: files must be names, or globs of names, got {name!r}, which has a folder")

    def make_runtime(self, seed: int, folder: Path, disk: Disk, rng: Random) -> Runtime:
        """Return the runtime of the bot, which has not begun; its files are in *folder*, on this *disk*."""
        store = FileStore(str(folder / self.state), fs=WorldFs(disk), rng=rng) if self.state else MemoryStore()
        return Runtime(
            self.tree,
            system=self.system,
            seed=seed,
            settings=self.settings,
            directory=folder / self.records if self.records else None,
            state=store,
        )

    def about_faults(self) -> dict[str, Any]:
        """Return what `duenna.faults.random_plan` wants to know of the bot."""
        actors = tuple(_workers(self.tree, ""))
        return {"actors": actors, "files": self.files, "every": self.every, "calm": self.bound * 2.0}


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of a simulation.

    Attributes:
        seed: Of the world.
        seconds: Of virtual time, the stop included.
        plan: The faults that struck.
        strikes: How often.
        violations: What broke, in the order of time; the first hundred.
        statistics: Of each connection: uptime, outages, restarts, errors.
        sha256: Hash of the trace.
        records: Records in the trace.
        trace_file: Where it is, if it was written.
        error: What ended the bot before its time, if anything did.
    """

    seed: int
    seconds: float
    plan: FaultPlan
    strikes: int
    violations: tuple[Violation, ...]
    statistics: Statistics
    sha256: str
    records: int
    trace_file: Path | None
    error: BaseException | None

    @property
    def ok(self) -> bool:
        """Whether nothing broke."""
        return not self.violations and self.error is None


def simulated(
    world: "World", given: "Callable[[World], Scenario | Supervisor] | Scenario | Supervisor", seconds: float
) -> Outcome:
    """Run *given* in *world* and check what it did."""
    simulation = Simulation(world, seconds)
    error: BaseException | None = None
    try:
        world.run_prepared(lambda: simulation.prepare(given), simulation.run, seconds=seconds)
    except (GaveUpError, StartFailedError, WorldError) as exc:
        error = exc
    return simulation.outcome(error)


@attrs.define(eq=False)
class Simulation:
    """One bot in one world."""

    world: "World"
    seconds: float
    statistics: Statistics = attrs.field(factory=Statistics, init=False)
    _scenario: Any = attrs.field(default=None, init=False)

    def prepare(self, given: "Callable[[World], Scenario | Supervisor] | Scenario | Supervisor") -> None:
        """Set the scene, and draw the faults if they are to be drawn.

        Raises:
            TypeError: *given* made no scenario.
            ValueError: The plan does not fit it.
        """
        made = given(self.world) if callable(given) else given
        if isinstance(made, Supervisor):
            made = Scenario(tree=made)
        given_back: object = made
        if not isinstance(given_back, Scenario):
            raise TypeError(f"a scenario must return a Scenario or a Supervisor, got {made!r}")
        self._scenario = made

    async def run(self) -> None:
        """Run the bot for its time, under fire, and stop it."""
        scenario, ended = self._scenario, list[Exception]()
        async with trio.open_nursery() as nursery:
            opening = self.world.open_runtime(scenario, hear=self.statistics.apply)
            try:
                async with opening as runtime:
                    nursery.start_soon(self._give_up_on, runtime, nursery.cancel_scope)
                    await trio.sleep(self.seconds)
            except Exception as exc:  # noqa: BLE001  # it leaves below, in no group
                ended.append(exc)
            nursery.cancel_scope.cancel()
        if ended:
            raise ended[0]

    async def _give_up_on(self, runtime: Runtime, scope: trio.CancelScope) -> None:
        """Cancel everything when the stop takes far longer than it may."""
        await runtime.stopping.wait()
        limit = sum(patience(root) for root in runtime.roots)
        await trio.sleep((limit if limit < float("inf") else 0.0) + _STOP_GRACE)
        scope.cancel("the stop takes too long")
        with trio.CancelScope(shield=True):
            await trio.sleep(_STOP_GRACE)
            stuck = end_by_force(runtime, f"the stop took {2.0 * _STOP_GRACE:g} s more than it may")
            self.world.stuck = tuple(stuck)
            self.world.record("stop_overdue", limit=limit, actors=stuck)

    def outcome(self, error: BaseException | None) -> Outcome:
        """Return what came of it."""
        trace = self.world.trace
        return Outcome(
            seed=self.world.seed,
            seconds=self.world.clock.current_time(),
            plan=self.world.plan,
            strikes=self.world.strikes.count,
            violations=self.world.violations(),
            statistics=self.statistics,
            sha256=trace.sha256,
            records=trace.count,
            trace_file=trace.file,
            error=error,
        )


def _workers(tree: Supervisor, above: str) -> Iterator[str]:
    path = f"{above}/{tree.name}"
    for child in tree.children:
        if isinstance(child, Supervisor):
            yield from _workers(child, path)
        else:
            yield f"{path}/{child.name}"
