"""The tree for a console: light facts about each child, one after the other; the looker may pause between any two.

Nothing here waits, and nothing is changed by being looked at. `Inspector` remembers what it
told last: of a child that did nothing since, it gives the very same object again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna._node import Node
from duenna._runtime import Runtime
from duenna.child_facts import Facts, facts_of, may_tell
from duenna.connection import Connection
from duenna.health._facts import Look
from duenna.machines.health import Service
from duenna.machines.lifecycle import ChildState
from duenna.mailbox import LatestQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna._cell import Cell


class _Known:
    """What was told of a child, and what it depended on if that was little: the child ran, and had nothing rare."""

    __slots__ = ("at", "cell", "facts", "mark", "service")

    def __init__(self, cell: Cell, facts: Facts, service: Service | None, mark: _Mark | None, at: float) -> None:
        self.cell = cell
        self.facts = facts
        self.service = service
        self.mark = mark
        self.at = at


_Mark = tuple[int, int, int]
_PARTS: Final = 8


@attrs.define(eq=False)
class Inspector:
    """Looks at the children of one runtime, again and again.

    Attributes:
        runtime: The runtime.
        patience: Seconds for which the counts of a child that does nothing but handle messages may be old.
        services: How those that the last walk found do, but for those that are well and no connections.
    """

    runtime: Runtime
    patience: float = 0.0
    services: list[Service] = attrs.field(factory=list[Any], init=False)
    _known: dict[str, _Known] = attrs.field(factory=dict[str, Any], init=False)
    _critical: dict[str, bool] = attrs.field(factory=dict[str, bool], init=False)

    def __len__(self) -> int:
        """Return how many children are remembered."""
        return len(self._known)

    def walk(self) -> Iterator[Facts]:
        """Yield each child of all roots, parents before children, in start order.

        The caller may let others run between two; who came meanwhile may be missed until the
        next time, and who went is not told of any more.
        """
        runtime = self.runtime
        now = runtime.now()
        look = Look(runtime.system.monitor.links, now)
        before, found = self._known, dict[str, _Known]()
        services: list[Service] = []
        todo: list[tuple[Cell, str, int]] = [(root, f"/{root.name}", 0) for root in reversed(runtime.roots)]
        while todo:
            cell, path, depth = todo.pop()
            if cell.state is ChildState.REMOVED:
                continue
            known = before.get(path)
            mark = _mark(cell, path, look)
            if known is None or known.cell is not cell or mark is None or not self._stands(known, mark, now):
                is_new, known = known is None, self._look(cell, path, depth, look, mark)
                if is_new:  # those of one moment must not all grow old at one moment
                    known.at -= self.patience * (len(found) % _PARTS) / _PARTS
            found[path] = known
            if isinstance(cell, Node):  # a simulated world has a class of its own
                todo += [(child, f"{path}/{name}", depth + 1) for name, child in reversed(cell.children.items())]
            if known.service is not None:
                services.append(known.service)
            yield known.facts
        self._known, self.services = found, services
        self._critical = {path: is_so for path, is_so in self._critical.items() if path in found}

    def _stands(self, known: _Known, mark: _Mark, now: float) -> bool:
        """Return whether what is known of a plain child that runs is still good enough."""
        before = known.mark
        if before == mark:
            return True
        return before is not None and before[0] == mark[0] and now - known.at < self.patience

    def _look(self, cell: Cell, path: str, depth: int, look: Look, mark: _Mark | None) -> _Known:
        service = look.one(cell) if mark is None else None
        return _Known(cell, self._facts(cell, path, depth, look, service), service, mark, look.now)

    def one(self, path: str) -> Facts:
        """Return the child at *path*.

        Raises:
            UnknownPathError: There is none.
        """
        cell = cell_of(self.runtime, path)
        look = Look(self.runtime.system.monitor.links, self.runtime.now())
        return self._facts(cell, cell.path, cell.path.count("/") - 1, look, look.one(cell))

    def _facts(self, cell: Cell, path: str, depth: int, look: Look, service: Service | None) -> Facts:
        link = look.links.get(path)
        return facts_of(
            cell,
            path,
            depth,
            service=service,
            link="" if link is None else str(link.state),
            is_critical=self._is_critical(cell, path, is_connection=link is not None),
        )

    def _is_critical(self, cell: Cell, path: str, *, is_connection: bool) -> bool:
        said = cell.spec.options.critical
        if said is not None:
            return said
        if cell.actor is not None or path not in self._critical:
            self._critical[path] = is_connection or isinstance(cell.actor, Connection)
        return self._critical[path]


def cell_of(runtime: Runtime, path: str) -> Cell:
    """Return the child at *path*, as the kernel keeps it.

    Raises:
        UnknownPathError: There is none.
    """
    return runtime.ref(path)  # type: ignore[return-value]  # every ref of a runtime is one


def _mark(cell: Cell, path: str, look: Look) -> _Mark | None:
    """Return what the facts of a plain child that runs depend on; None if on more than can be told at a glance."""
    if (
        cell.extra is not None
        or cell.state is not ChildState.RUNNING
        or isinstance(cell, Node)
        or cell.node.state is not ChildState.RUNNING
        or path in look.links
        or (cell.actor is not None and may_tell(cell.actor.__class__))
        or isinstance(cell.queue, LatestQueue)
    ):
        return None
    return (cell.incarnation, cell.received, 0 if cell.queue is None else len(cell.queue))


def children_of(cell: Cell) -> tuple[str, ...]:
    """Return the paths of the children of *cell*, in start order."""
    return tuple(child.path for child in cell.children.values()) if isinstance(cell, Node) else ()
