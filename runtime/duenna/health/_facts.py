"""What the tree knows that the health of a bot depends on."""

from typing import TYPE_CHECKING, Any

import attrs

from duenna._node import Node
from duenna.machines import health
from duenna.machines.health import ChildFacts, LinkFacts, Service
from duenna.machines.lifecycle import ChildState
from duenna.machines.link import ConnectionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from duenna._cell import Cell
    from duenna.connection_events import ConnectionChanged

_DOWN = frozenset({ChildState.FAILED, ChildState.BACKOFF, ChildState.STOPPED})


@attrs.define(eq=False)
class LinkRecord:
    """Where a connection is, since when and why."""

    state: ConnectionState
    why: str
    is_new: bool
    since: float
    attempt: int
    attempts: int

    @classmethod
    def of(cls, event: "ConnectionChanged") -> "LinkRecord":
        """Return what *event* tells."""
        is_new = event.previous is ConnectionState.CLOSED
        return cls(event.state, event.why, is_new, event.time, event.attempt, event.attempts)

    def facts(self, now: float) -> LinkFacts:
        """Return the same for the machine, at *now*."""
        return LinkFacts(
            state=self.state,
            why=self.why,
            is_new=self.is_new,
            lasted=now - self.since,
            attempt=self.attempt,
            attempts=self.attempts,
        )


@attrs.frozen
class Look:
    """A look at the tree at one moment.

    Attributes:
        links: The connections, by path.
        now: The moment.
    """

    links: "Mapping[str, LinkRecord]"
    now: float

    def all(self, roots: "Iterable[Node]") -> "Iterator[Service]":
        """Yield every service at and below *roots*, in start order."""
        todo: list[tuple[Cell, ChildState | None]] = [(root, None) for root in reversed(list(roots))]
        while todo:
            cell, above = todo.pop()
            service = self._judge(cell, above)
            if service is not None:
                yield service
            if isinstance(cell, Node):
                below = above or (cell.state if cell.state in _DOWN else None)
                todo += [(child, below) for child in reversed(cell.children.values())]

    def one(self, cell: "Cell") -> Service | None:
        """Return how *cell* does; None if it is a supervisor that runs, or has done its work."""
        above: ChildState | None = None
        node: Any = cell.node
        while node.parent is not None:  # the highest one that is down counts, as it does in `all`
            above = node.state if node.state in _DOWN else above
            node = node.parent
        return self._judge(cell, above)

    def _judge(self, cell: "Cell", above: ChildState | None) -> Service | None:
        extra = cell.extra
        error = (extra.last_error if extra is not None else None) or ""
        if isinstance(cell, Node):
            return None if above else health.supervisor(cell.path, cell.state, error)
        path, link = cell.path, self.links.get(cell.path)
        if extra is None and link is None and above is None and cell.state is ChildState.RUNNING:
            return Service(path)
        return health.child(
            ChildFacts(
                path=path,
                state=cell.state,
                is_suspended=extra is not None and extra.is_suspended,
                above=above,
                error=error,
                failures=0 if extra is None else extra.failures.failures,
                max_failures=cell.node.runtime.policies.plan(cell.spec.options).max_failures,
                link=None if link is None else link.facts(self.now),
            )
        )
