"""The runtime: the roots of the tree, what all of it shares, and the operator's calls."""

import gc
import os
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna import _commands, events
from duenna._bus import EventBus, EventStream
from duenna._facilities import Facilities
from duenna._lifetime import Lifetime
from duenna._node import Node
from duenna._policies import Policies
from duenna._random import generator
from duenna._reports import Reports
from duenna._summit import Summit
from duenna._system import System
from duenna._timers import TimerHeap
from duenna._topics import Topics
from duenna.errors import ChildStateError, StoppedError, UnknownPathError
from duenna.freshness import Freshness, freshness_of
from duenna.guards._registry import registry
from duenna.loop_health import LoopHealth
from duenna.machines import checks
from duenna.machines.rules import Rule
from duenna.recovery import RecoveryAction
from duenna.settings import LiveSettings, Settings, SettingsSource
from duenna.spec import Child, Supervisor
from duenna.state import State
from duenna.state._place import store_of
from duenna.storage import Store
from duenna.timings import Timings
from duenna.tree import TreeNode, snapshot

if TYPE_CHECKING:
    import random

    from duenna._cell import Cell
    from duenna._dispatcher import Worker
    from duenna._host import Host
    from duenna.ref import Ref

_BULK = 1000
_MOST_REPORTED = 1000


@attrs.frozen
class StopReport:
    """How a runtime came to its end.

    Attributes:
        reason: `stopped`, `finished` (the tree ended by itself), `SIGINT`, `SIGTERM`, or what
            went wrong.
        duration: Seconds that the ordered stop took.
        overran: Paths of the children that overran their shutdown time.
        cleanup_errors: `path: error` of each child that raised while it was stopped.
    """

    reason: str
    duration: float
    overran: tuple[str, ...]
    cleanup_errors: tuple[str, ...]


class Runtime(Facilities, Lifetime):
    """A running tree; given by ``open_runtime``, and by ``context.runtime`` to every actor.

    Attributes:
        rng: The one source of chance.
        dead_letters: Messages so far that nobody read.
        guards: Every guard of the process, by name.
        loop: How late the event loop answers, and who held it.
        timings: How long messages wait, and are handled.
    """

    def __init__(
        self,
        tree: Supervisor,
        *,
        system: Iterable[Child | Supervisor] = (),
        seed: int | None = None,
        log_level: str | None = None,
        settings: Settings | SettingsSource | None = None,
        directory: str | os.PathLike[str] | None = None,
        rules: Iterable[Rule] = (),
        recovery_actions: Iterable[RecoveryAction] = (),
        state: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        """Make the runtime of *tree*; ``open_runtime`` and ``run`` do."""
        if not isinstance(tree, Supervisor):
            message = f"the tree must be a Supervisor, got {tree!r}"
            raise TypeError(message)
        if tree.name == "system":
            message = "the tree must not be called 'system': that is the runtime's own supervisor"
            raise ValueError(message)
        super().__init__()
        self.clock = trio.lowlevel.current_clock()
        self.now = self.clock.current_time
        self.rng: random.Random = generator(seed)
        self.bus = EventBus(log_level)
        self.timers = TimerHeap(self.clock)
        self.topics = Topics()
        self.loop = LoopHealth()
        self.timings = Timings()
        self.guards = registry.guards
        self.askers: dict[trio.lowlevel.Task, Host | Worker] = {}
        self.dead_letters = 0
        self.cell_count = 0
        self.cleaners: set[trio.lowlevel.Task] = set()
        self.overran: deque[str] = deque(maxlen=_MOST_REPORTED)
        self.cleanup_errors: deque[str] = deque(maxlen=_MOST_REPORTED)
        self._summit = Summit(self)
        self.live_settings = LiveSettings(settings, post=self.bus.post, now=self.now)
        self.policies = Policies(self.settings)
        self.on_settings(self.policies.changed)
        self.reports = Reports(self)
        self.state = State(self, store_of(state, directory, self.rng))
        self.system = System(self, rules=rules, actions=recovery_actions, directory=directory, log_level=log_level)
        self.roots = [
            Node(self, self._summit, self.system.supervisor(self, system)),
            Node(self, self._summit, tree),
        ]

    # -- looking ---------------------------------------------------------------

    def ref(self, path: str) -> "Ref":
        """Return the ref of the child at *path*, such as `/bot/feeds/btc`; `..` goes one up.

        Raises:
            UnknownPathError: There is no such child.
        """
        return self._cell(path)

    def tree(self, path: str | None = None) -> TreeNode:
        """Return the tree as values: from *path* on, or all of the user's.

        Raises:
            UnknownPathError: There is no such child.
        """
        return snapshot(self.roots[-1] if path is None else self._cell(path))

    def freshness(self, path: str) -> Freshness | None:
        """Return how fresh the data of the child at *path* is, of one that is down when it went; None: it does not say.

        Raises:
            UnknownPathError: There is no such child.
        """
        return freshness_of(self._cell(path))

    def events(self, *types: type[events.Event], capacity: int = 1000) -> EventStream:
        """Subscribe to events, from now on: those of *types*, or all.

        Args:
            types: Event classes; a base class stands for its subclasses.
            capacity: Events that wait for a slow reader, at least 1; it loses the oldest of more.

        Raises:
            TypeError: One of *types* is no event class.
            ValueError: *capacity* is less than 1.
        """
        given: tuple[object, ...] = types
        for kind in given:
            if not (isinstance(kind, type) and issubclass(kind, events.Event)):
                message = f"events: an event class is needed, got {kind!r}"
                raise TypeError(message)
        checks.count("events", "capacity", capacity, least=1)
        stream = EventStream(capacity, self.bus, types, self.clock)
        if self.is_over:
            stream.close()
        else:
            self.bus.attach(stream)
        return stream

    def publish(self, message: object) -> int:
        """Tell *message* to every actor that subscribed to its type; return how many did."""
        return self.topics.publish(message)

    @property
    def report(self) -> StopReport:
        """How the stop has gone so far; final once the runtime has ended."""
        duration = self.now() - self._began if self.stopping.is_set() and not self.is_over else self.duration
        return StopReport(self.reason, duration, tuple(self.overran), tuple(self.cleanup_errors))

    # -- acting ----------------------------------------------------------------

    async def start_child(self, parent: str, spec: Child | Supervisor) -> "Ref":
        """Add a child to the supervisor at *parent*, start it, and return its ref when it is ready.

        Cancelled, the caller stops waiting; the child stays.

        Raises:
            ChildStateError: There is a child of that name.
            StartFailedError: It did not start; it is not kept.
            StoppedError: The supervisor has ended.
            TypeError: *spec* is no spec, or *parent* no supervisor.
            UnknownPathError: There is no *parent*.
            ValueError: *spec* is significant and the supervisor has no ``auto_shutdown``.
        """
        return (await self.start_children(parent, [spec]))[0]

    async def start_children(self, parent: str, specs: Iterable[Child | Supervisor]) -> "list[Ref]":
        """Add many children, in order, and return their refs when all are ready.

        Unlike at boot, none waits for the one before it. At the first that fails, the rest is
        not started; those before it stay. Raises as ``start_child`` does.
        """
        node = self._node(parent)
        if self.is_over:
            raise StoppedError(parent)
        wanted = list(specs)
        for spec in wanted:
            if not isinstance(spec, Child | Supervisor):
                message = f"start_child of {parent}: a Child or a Supervisor is needed, got {spec!r}"
                raise TypeError(message)
        refs: list[Ref] = []
        pending: list[Any] = []
        collects = gc.isenabled() and len(wanted) >= _BULK
        if collects:
            gc.disable()  # a collection sees only what is kept: 60 % of the time of a mass start
        try:
            for first in range(0, len(wanted), _BULK):
                chunk: Sequence[Child | Supervisor] = wanted[first : first + _BULK]
                cells, waits = await node.manager.call(_commands.start_children, chunk)
                refs += cells
                pending += waits
        finally:
            if collects:
                gc.enable()
        for promise in pending:
            await promise.result()
        return refs

    async def stop_child(self, path: str) -> None:
        """Stop a child, and keep it down until ``restart_child``; return when it has ended.

        Its own failure to clean up is reported, not raised. A temporary child is removed.

        Raises:
            ChildStateError: It is a root.
            StoppedError: Its supervisor has ended.
            UnknownPathError: There is no such child.
        """
        await self._command(path, "stop", _commands.stop_child)

    async def restart_child(self, path: str, *, fresh: bool = False) -> Any:
        """Restart a running child under its supervisor's strategy, or start one that is down.

        Not counted in the intensity. In backoff, it starts now; of one that was stopped, has
        finished or is parked, the operator's stop and the failures are forgotten.

        Args:
            path: The child.
            fresh: Set aside first what is stored of it, and of all below it, so that it begins clean.
                Intents stay: their effects may be out. `duenna state` shows what was set aside.

        Returns:
            What it passed to ``context.ready(value)``, when it is ready.

        Raises:
            ActorDiedError: It was stopped before it was ready.
            ChildStateError: It is a root.
            StartFailedError: It did not start.
            StoppedError: Its supervisor has ended.
            UnknownPathError: There is no such child.
        """
        checks.flag("restart_child", "fresh", fresh)
        return await self._command(path, "restart", _commands.restart_fresh if fresh else _commands.restart_child)

    async def delete_child(self, path: str) -> None:
        """Forget a child that is stopped, finished or parked, and its spec.

        Raises:
            ChildStateError: It is none of these, or a root.
            StoppedError: Its supervisor has ended.
            UnknownPathError: There is no such child.
        """
        await self._command(path, "delete", _commands.delete_child)

    async def suspend(self, path: str) -> None:
        """Hold the mailbox of a child, of a supervisor every child's below it; ``run`` goes on.

        Raises:
            ChildStateError: The child is down for good.
            StoppedError: Its supervisor has ended.
            UnknownPathError: There is no such child.
        """
        cell = self._cell(path)
        if self.is_over:
            raise StoppedError(path)
        if isinstance(cell, Node):
            for child in tuple(cell.children.values()):
                with suppress(ChildStateError, StoppedError, UnknownPathError):  # it is down, or goes meanwhile
                    await self.suspend(child.path)
            return
        await cell.node.manager.call(_commands.suspend, cell.name)

    async def resume(self, path: str) -> None:
        """Serve the mailbox of a child again, of a supervisor every suspended child's below it.

        Raises:
            ChildStateError: The child is not suspended.
            StoppedError: Its supervisor has ended.
            UnknownPathError: There is no such child.
        """
        cell = self._cell(path)
        if isinstance(cell, Node):
            for child in tuple(cell.children.values()):
                with suppress(ChildStateError, StoppedError, UnknownPathError):  # not suspended, or gone
                    await self.resume(child.path)
            return
        await cell.node.manager.call(_commands.resume, cell.name)

    async def stop(self) -> None:
        """Stop every child in order, and return when all have ended.

        May be called twice, and from inside a child, which is then cancelled like the others.
        Does not cancel the body of ``open_runtime``.
        """
        self.request_stop("stopped")
        if trio.lowlevel.current_task() in self.cleaners:  # to wait for the end would be to wait for itself
            await trio.lowlevel.checkpoint()
        else:
            await self.stopped.wait()

    async def _command(self, path: str, verb: str, command: Any) -> Any:
        cell = self._cell(path)
        if cell in self.roots:
            raise ChildStateError(cell.path, "a root", verb)
        manager = cell.node.manager
        return await manager.call(command, cell.name)

    def _cell(self, path: str) -> "Cell":
        given: object = path
        if not isinstance(given, str) or not given.startswith("/"):
            raise UnknownPathError(path)
        parts: list[str] = []
        for part in path[1:].split("/"):
            if part == "..":
                del parts[-1:]
            else:
                parts.append(part)
        found: Any = None
        known: dict[str, Any] = {root.name: root for root in self.roots}
        for part in parts:
            found = known.get(part)
            if found is None:
                break
            known = found.children if isinstance(found, Node) else {}
        if found is None:
            raise UnknownPathError(path, ", ".join(sorted(known)[:10]))
        return found  # type: ignore[no-any-return]  # a Cell, as every child is

    def _node(self, path: str) -> Node:
        cell = self._cell(path)
        if not isinstance(cell, Node):
            message = f"{path} is no supervisor: it cannot have children"
            raise TypeError(message)
        return cell
