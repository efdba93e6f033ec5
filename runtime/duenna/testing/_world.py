"""The world: a network, a disk, clocks and chance, all of one seed, in which a bot runs unmodified."""

import shutil
import tempfile
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar

import trio

from duenna._open import opened
from duenna._runtime import Runtime
from duenna.events import Event
from duenna.faults import AnyFault, FaultPlan, Planned, Service, random_plan
from duenna.guards._registry import registry
from duenna.machines import checks
from duenna.spec import Supervisor
from duenna.testing._clock import WorldClock
from duenna.testing._determinism import deterministic
from duenna.testing._disk import Disk
from duenna.testing._ear import Ear
from duenna.testing._errors import WorldError
from duenna.testing._leaks import Leak
from duenna.testing._net import Host, Link, Network
from duenna.testing._remains import remaining_tasks
from duenna.testing._services import Check, Services, Strike
from duenna.testing._silence import silence
from duenna.testing._simulation import Outcome, Scenario, simulated
from duenna.testing._strikes import Strikes
from duenna.testing._stuck import SpinGuard
from duenna.testing._tap import tap, tap_guards
from duenna.testing._wall import Wall
from duenna.testing.invariants import Checker, Violation, standard
from duenna.testing.trace import Trace

T = TypeVar("T")

BOT = "bot"
"""The host on which everything runs that was not put on another one."""

_HOUR, _CALM = 3600.0, 300.0
_MOST_VIOLATIONS = 100
_NEW_YEAR_2026 = 1_767_225_600.0
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  # only a place; the folder in it gets a name of its own


class World:
    """A simulated world, good for one run.

    The same seed gives the same run, byte by byte: the order in which trio runs tasks, the
    network's delays, ``random``, ``os.urandom`` and uuids, the time of day, how long threads take.

    Attributes:
        seed: What all chance comes from.
        clock: The virtual clock, at 0.0 seconds at first.
        network: Hosts, names and connections.
        disk: The faults of database files.
        services: The servers, and their own faults.
        wall: The times of day.
        strikes: What the faults do.
        trace: Everything that happened, in order.
        rng: Chance for whoever builds the scenario.
        folder: The bot's disk: an empty folder that is removed after the run.
        plan: The faults that strike, once the run has begun.
        leaks: Where something real was touched: a thread, a socket, a clock.
        stuck: Tasks that were ended by force: they spun while the time stood still, or did not stop.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        faults: FaultPlan | Literal["default"] | None = None,
        wall: float = _NEW_YEAR_2026,
        link: Link | None = None,
        trace_file: Path | None = None,
        detail: Literal["events", "messages"] = "events",
        audit: bool = False,
    ) -> None:
        """Make a world that has not begun yet.

        Args:
            seed: Any whole number.
            faults: What strikes from ``open_runtime`` on; None: nothing. `default` draws a plan from the seed.
            wall: The time of day at which it begins, in unix seconds.
            link: Latency and so on between hosts that nothing else was said of.
            trace_file: Where the trace is written, a JSON object per line; None: it is only hashed.
            detail: `messages` also records every message of every actor, at the cost of speed.
            audit: Report calls of real clocks and the like that no patch can see; about twice as slow.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: An argument is out of range.
        """
        given: object = seed
        if not isinstance(given, int) or isinstance(given, bool):
            raise TypeError(f"World: seed must be a whole number, got {seed!r}")
        if not (faults is None or isinstance(faults, FaultPlan | str)):
            raise TypeError(f"World: faults must be a FaultPlan, 'default' or None, got {faults!r}")
        if isinstance(faults, str) and faults != "default":
            raise ValueError(f"World: faults must be a FaultPlan, 'default' or None, got {faults!r}")
        if not (link is None or isinstance(link, Link)):
            raise TypeError(f"World: link must be a Link or None, got {link!r}")
        if detail not in {"events", "messages"}:
            raise ValueError(f"World: detail must be 'events' or 'messages', got {detail!r}")
        self.seed = seed
        self._faults = faults
        self._detail = detail
        self.clock = WorldClock()
        self.trace = Trace(self.clock.current_time, file=trace_file)
        self.rng = self.chance("scenario")
        self.disk = Disk()
        self.network = Network(self.clock, self.chance("network"), self.record, link or Link())
        self.plan = FaultPlan(faults=())
        self.strikes = Strikes(self)
        self.leaks: list[Leak] = []
        self.stuck: tuple[str, ...] = ()
        self.folder = Path(tempfile.mkdtemp(prefix="duenna-world-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None))
        self._removal = weakref.finalize(self, shutil.rmtree, self.folder, True)  # errors are ignored
        self.trace.rename(str(self.folder), "/world")
        self.wall = Wall(checks.number("World", "wall", wall), self.clock.current_time)
        self.services = Services(self.network)
        self._audit = checks.flag("World", "audit", audit)
        self._has_run = self._has_faults = False
        self._seconds = 0.0
        self._checkers: tuple[Checker, ...] = ()
        self._violations: list[Violation] = []
        self.host(BOT)

    def chance(self, name: str) -> Random:
        """Return a generator of its own for *name*: who draws more from one changes nothing for the others."""
        return Random(f"{self.seed}:{name}")  # noqa: S311  # simulation, no secrets

    # -- building --------------------------------------------------------------

    def host(self, name: str, names: Sequence[str] = ()) -> Host:
        """Return the host *name*, made now if it is new; *names* are its other names in DNS."""
        return self.network.host(name, names)

    def serve(self, host: str, serve: Callable[..., Awaitable[None]]) -> None:
        """Run a server on *host* for the whole run, ready before the bot starts.

        Args:
            host: Name of the host.
            serve: Called with ``task_status``, as ``nursery.start`` does, which it must use. One
                that is named while the world runs is started by ``open_runtime``.
        """
        self.services.add(self.host(host), serve)

    def on_service_fault(
        self,
        host: str,
        strike: Strike,
        *,
        check: Check | None = None,
        offers: Sequence[Service] = (),
    ) -> None:
        """Say who carries out faults of the kind `Service` on *host*.

        Args:
            host: Name of the host.
            strike: Given the fault and its duration in seconds (None: to the end, or an instant); true:
                the fault is over already.
            check: Raises `ValueError` for a fault and a duration that there cannot be; called before the run.
            offers: What random plans choose from.
        """
        self.services.on_fault(self.host(host), strike, check, offers)

    # -- clocks ----------------------------------------------------------------

    def wall_time(self) -> float:
        """Return the time of day as the bot's machine has it, in unix seconds: what ``time.time()`` gives."""
        return self.wall.wall_time()

    def true_time(self) -> float:
        """Return the time of day as everybody else has it, in unix seconds."""
        return self.wall.true_time()

    # -- what happened ---------------------------------------------------------

    def record(self, kind: str, path: str = "", incarnation: int = 0, **fields: Any) -> None:
        """Add a record to the trace."""
        self.trace.record(kind, path, incarnation, **fields)

    # -- running ---------------------------------------------------------------

    def run(self, main: Callable[..., Awaitable[T]], *args: Any, seconds: float = _HOUR) -> T:
        """Run ``await main(*args)`` in the world, and return what it returns.

        Everything that it does with trio, the clock, chance, threads and TCP happens in the
        world. The servers that were named before run beside it. Faults strike from
        ``open_runtime`` on, or from ``begin_faults``.

        Args:
            main: An async function.
            args: Its arguments.
            seconds: The time for which faults are planned, if `default` ones are to be drawn.

        Raises:
            RuntimeError: This world has been run: make another.
            WorldError: No task could ever run again, one ran for ever, or a server failed.
        """
        return self.run_prepared(lambda: self.watch(standard()), main, *args, seconds=seconds)

    def run_prepared(
        self, prepare: Callable[[], None], main: Callable[..., Awaitable[T]], *args: Any, seconds: float
    ) -> T:
        """Do as ``run``, with *prepare* called in the world before any server starts."""
        if self._has_run:
            raise RuntimeError(f"a World is good for one run, and World({self.seed}) has had it: make another")
        self._has_run, self._seconds = True, seconds
        guard = SpinGuard(self.clock)
        try:
            with (
                silence(),
                deterministic(
                    self.seed, self.clock, self.wall_time, disk=self.disk, on_leak=self._note_leak, audit=self._audit
                ),
                registry.fresh(),
                tap_guards(self.record, lambda: self.strikes.runtimes),
            ):
                return trio.run(self._live, prepare, partial(main, *args), clock=self.clock, instruments=[guard])
        except BaseException as exc:
            when = self.clock.current_time()
            if guard.found:
                who = ", ".join(guard.found)
                raise WorldError(f"ran for ever while the time stood still at {when} s: {who}") from exc
            if self.stuck:
                raise WorldError(f"the stop did not end, and was forced to at {when} s") from exc
            raise
        finally:
            self.stuck += tuple(guard.found)
            self.trace.close()
            self._removal()

    def simulate(
        self,
        scenario: Callable[["World"], Scenario | Supervisor] | Scenario | Supervisor,
        seconds: float,
    ) -> Outcome:
        """Run a bot for *seconds* of virtual time under the world's faults, stop it, and check the trace.

        Args:
            scenario: The bot, or a function that sets up what it needs in this world and returns it.
            seconds: How long, before the ordered stop. Greater than 0.

        Raises:
            TypeError: *scenario* made something else.
            ValueError: The fault plan does not fit it.
        """
        return simulated(self, scenario, checks.duration("simulate", "seconds", seconds, zero=False, inf=False))

    @asynccontextmanager
    async def open_runtime(
        self,
        given: Scenario | Supervisor,
        *,
        hear: Callable[[Event], None] | None = None,
    ) -> AsyncGenerator[Runtime, None]:
        """Run a bot beside the body, as `duenna.open_runtime` does, with all that it does in the trace.

        Servers that were named meanwhile are started, and the faults begin.

        Args:
            given: The bot, or a scenario, whose checkers and bound then hold.
            hear: Called with every event, too.

        Yields:
            The runtime.
        """
        scenario = given if isinstance(given, Scenario) else Scenario(tree=given)
        if isinstance(given, Scenario):
            self.watch((*standard(bound=scenario.bound), *scenario.checkers))
        await self.services.start()
        await self.begin_faults(scenario)
        for path in scenario.feeds:
            self.record("feed_expected", path)
        seed = self.chance("runtime").getrandbits(64)
        runtime = scenario.make_runtime(seed, self.folder, self.disk, self.chance("state"))
        heard = [self.trace.event] if hear is None else [self.trace.event, hear]
        runtime.bus.attach(Ear(1, runtime.bus, (), runtime.clock, heard))
        self.strikes.runtimes.append(runtime)
        try:
            with tap(runtime, self.record, messages=self._detail == "messages"):
                async with opened(runtime, None):
                    yield runtime
        finally:
            self.strikes.runtimes.remove(runtime)

    def watch(self, checkers: Iterable[Checker]) -> None:
        """Have the trace checked by *checkers* from now on, and not by those before."""
        self._checkers = tuple(checkers)
        self._violations.clear()
        self.trace.forget_listeners()
        self.trace.listen(self._checkers, self._violations, most=_MOST_VIOLATIONS)

    def violations(self) -> tuple[Violation, ...]:
        """Return what broke, once the run is over: of each rule in the order of time, the first hundred in all."""
        end = self.clock.current_time()
        found = [*self._violations, *(each for checker in self._checkers for each in checker.finish(end))]
        found += [Violation("spin", end, 0, name, "had to be ended by force") for name in self.stuck]
        return tuple(found[:_MOST_VIOLATIONS])

    async def begin_faults(self, scenario: Scenario | None = None) -> None:
        """Let the faults of the plan strike, counted from now; does nothing the second time.

        The first ``open_runtime`` does so. Only a program without a runtime has to call it.

        Args:
            scenario: What `default` faults are drawn for; None: only the hosts are known.

        Raises:
            RuntimeError: The world does not run.
            ValueError: The plan asks for what no host can do.
        """
        nursery = self.services.nursery
        if nursery is None:
            raise RuntimeError("faults strike while the world runs: call begin_faults in what World.run was given")
        if self._has_faults:
            return
        self._has_faults = True
        if self._faults is not None:
            self.plan = self._faults if isinstance(self._faults, FaultPlan) else self._drawn(scenario)
        self.services.check(self.plan)
        nursery.start_soon(self.strikes.run, self.plan, self._seconds)

    def strike(self, fault: AnyFault, target: str = "*", duration: float | None = None) -> None:
        """Let *fault* strike now, beside those of the plan.

        Args:
            fault: Which.
            target: Whom: a glob of hosts, files or actors.
            duration: How long, in seconds; None: to the end, or an instant.

        Raises:
            RuntimeError: The world does not run.
            ValueError: The fault takes no duration, or no host can have it.
        """
        if self.services.nursery is None:
            raise RuntimeError("faults strike while the world runs: call strike in what World.run was given")
        planned = Planned(fault=fault, target=target, at=0.0, duration=duration)
        self.services.check(FaultPlan(faults=(planned,)))
        self.strikes.by_hand(planned)

    def _drawn(self, scenario: Scenario | None) -> FaultPlan:
        about: dict[str, Any] = {} if scenario is None else scenario.about_faults()
        about["calm"] = min(about.get("calm", _CALM), self._seconds / 2.0)
        return random_plan(
            self.chance("faults"),
            self._seconds,
            hosts=[name for name in self.network.matching("*") if name != BOT],
            services=self.services.offers(),
            **about,
        )

    def __repr__(self) -> str:
        return f"World(seed={self.seed})"

    async def _live(self, prepare: Callable[[], None], main: Callable[[], Awaitable[T]]) -> T:
        ended = trio.CancelScope()
        results: list[T] = []
        errors: list[BaseException] = []
        self.clock.on_deadlock = lambda: ended.cancel("nothing can ever happen again")
        with self.network.install(), self.host(BOT).here():
            prepare()
            try:
                async with trio.open_nursery() as nursery:
                    self.services.nursery = nursery
                    await self.services.start()
                    try:
                        with ended:
                            results.append(await main())
                    except Exception as exc:  # noqa: BLE001  # it leaves below, in no group
                        errors.append(exc)
                    self.services.nursery = None
                    nursery.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                errors.extend(group.exceptions)
        self._tell_end()
        if errors:
            raise errors[0]
        if not results:
            raise WorldError(
                f"every task waits for something that can never happen, at {self.clock.current_time()} s: "
                "no deadline is set and nothing is on its way"
            )
        return results[0]

    def _note_leak(self, leak: Leak) -> None:
        self.leaks.append(leak)
        self.record("leak", text=str(leak))

    def _tell_end(self) -> None:
        """Record what is left when everything should have ended."""
        leaks = [str(leak) for leak in self.leaks]
        self.record("world_end", open_sockets=self.network.open_sockets(), tasks=remaining_tasks(), leaks=leaks)
