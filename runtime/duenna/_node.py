"""A supervisor: a child of its parent, and the owner of a nursery, a manager, a dispatcher and children."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import trio

from duenna._cell import Cell
from duenna._dispatcher import Dispatcher
from duenna._manager import Manager
from duenna.machines.failures import FailureCount
from duenna.machines.lifecycle import ALIVE, GONE, ChildState, Step, after
from duenna.spec import Child, Supervisor

if TYPE_CHECKING:
    from duenna._runtime import Runtime
    from duenna._summit import Summit


class Node(Cell):
    """A supervisor and its children, the cells of which outlive its restarts, so that refs do."""

    __slots__ = ("children", "dispatcher", "manager", "nursery", "parent", "prefix", "restarts", "runtime")

    def __init__(self, runtime: "Runtime", parent: "Node | Summit", spec: Supervisor) -> None:
        """Keep the supervisor that *spec* describes, and its static children."""
        super().__init__(parent, spec)  # type: ignore[arg-type]  # the summit plays the node for the roots
        self.runtime = runtime
        self.parent = parent
        self.prefix = f"{parent.path}/{spec.name}"
        self.nursery: Any = None
        self.children: dict[str, Cell] = {}
        self.dispatcher = Dispatcher(self)
        self._fill()
        self.manager = Manager(self)

    def walk(self) -> Iterator[Cell]:
        """Yield the supervisor and all below it."""
        yield self
        for child in tuple(self.children.values()):
            yield from child.walk()

    @property
    def path(self) -> str:
        """The supervisor's path."""
        return self.prefix

    def may_run(self) -> bool:
        """Return whether the supervisor runs, or will when its turn at boot comes."""
        if self.state is ChildState.PENDING:
            return not self.runtime.is_over and self._above(GONE | {ChildState.FAILED, ChildState.BACKOFF}) == ""
        return self.state in ALIVE

    def let_go_below(self) -> None:
        """Let go whoever waits for a child of this supervisor."""
        self.manager.let_go()

    def _why_dead(self) -> str:
        return "it is a supervisor: it reads no messages"

    def add(self, spec: Child | Supervisor) -> Cell:
        """Add a child, at the end of the start order."""
        cell = Node(self.runtime, self, spec) if isinstance(spec, Supervisor) else Cell(self, spec)
        self.children[spec.name] = cell
        self.runtime.cell_count += 1
        failing = self.runtime.system.failing
        if failing.inherited:
            failing.take_up(cell)
        return cell

    def launch(self, nursery: trio.Nursery) -> None:
        """Begin a new incarnation of the supervisor, as a task in its parent's nursery."""
        if self.incarnation > 1:
            self._fill()
            self.manager = Manager(self)
        nursery.start_soon(self._run, self.incarnation, name=self.path)
        self.more.host = self

    def cancel(self, _why: str) -> None:
        """Stop in order: a supervisor is never cancelled."""
        self.manager.post(self.manager.end, None)

    def _fill(self) -> None:
        """Have exactly the static children, in start order; those that were there keep their cells."""
        kept = self.children
        self.children = {}
        for spec in self.spec.children:
            cell = kept.pop(spec.name, None)
            if cell is not None and cell.spec is spec:
                self.children[spec.name] = cell
                if cell.state is ChildState.FINISHED:
                    cell.state = after(cell.state, Step.RESET)
                if cell.extra is not None and cell.state is ChildState.PENDING:
                    cell.extra.failures = FailureCount()
            else:
                self.add(spec)
        self.runtime.cell_count -= len(kept)

    @trio.lowlevel.enable_ki_protection
    async def _run(self, incarnation: int) -> None:
        manager = self.manager
        error: BaseException | None = None
        try:
            with trio.CancelScope(shield=True):
                async with trio.open_nursery() as self.nursery:
                    self.dispatcher.open()
                    try:
                        await manager.run()
                    except BaseException:
                        self._abandon()
                        raise
                    finally:
                        self.dispatcher.close()
        except BaseException as exc:  # noqa: BLE001  # a defect of the kernel; the parent gets it as a crash
            error = exc
        self._forget_dynamic()
        self.parent.manager.host_ended(self, incarnation, self, error or manager.outcome)

    def _forget_dynamic(self) -> None:
        """Children that were added while it ran are not remembered (OTP, supervisor manual)."""
        static = {spec.name: spec for spec in self.spec.children}
        for name, cell in list(self.children.items()):
            if static.get(name) is not cell.spec:
                self.manager.remove(cell)

    def _abandon(self) -> None:
        """The manager itself failed: cancel every task, so that the nursery can end."""
        for cell in self.children.values():
            extra = cell.extra
            if extra is not None:
                for part in (extra.host, extra.cleaner):
                    if part is not None:
                        part.cancel("the supervisor failed")
                if extra.worker is not None:
                    extra.worker.scope.cancel("the supervisor failed")
