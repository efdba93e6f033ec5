"""The supervision tree at one moment, as values."""

from typing import TYPE_CHECKING

import attrs

from duenna._cell import Cell
from duenna._kind import kind_of
from duenna._node import Node
from duenna.errors import UnknownPathError
from duenna.machines.lifecycle import ChildState
from duenna.mailbox import LatestQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna._runtime import Runtime


@attrs.frozen
class MailboxStats:
    """A mailbox at one moment.

    Attributes:
        depth: Messages that wait.
        oldest_age: Seconds that the oldest has waited; 0 if none does or the actor is being
            served, None for ``Mailbox.latest``, which keeps no times.
        dropped: Messages dropped by the overflow rule, or replaced, since the beginning.
        received: Messages handed to the actor since the beginning.
        capacity: Messages it holds.
    """

    depth: int
    oldest_age: float | None
    dropped: int
    received: int
    capacity: int

    @classmethod
    def of(cls, cell: Cell) -> "MailboxStats":
        """Look at the mailbox of *cell*."""
        queue = cell.queue
        extra = cell.extra
        is_latest = isinstance(queue, LatestQueue)
        dropped = (extra.dropped if extra is not None else 0) + (queue.replaced if is_latest else 0)
        age: float | None = 0.0
        if is_latest:
            age = None
        elif extra is not None and extra.times:
            age = cell.node.runtime.now() - extra.times[0]
        return cls(
            depth=len(queue) if queue is not None else 0,
            oldest_age=age,
            dropped=dropped,
            received=cell.received,
            capacity=cell.capacity,
        )


@attrs.frozen
class TreeNode:
    """One child at one moment.

    Attributes:
        path: Its path.
        name: The last part of it.
        kind: `supervisor`, `function`, or the ``kind`` of its actor class.
        state: A `ChildState`'s text, or `suspended` for a running child whose mailbox is held.
        incarnation: Number of the present or last incarnation; 0: it never was started.
        restarts: How often it was started again.
        failures: Consecutive failures.
        budget_left: Failures it may still have before it gives up, None without a limit; for a
            supervisor, restarts left in the present period.
        mailbox: Its mailbox.
        last_error: The last crash or reported error, as text.
        uptime: Seconds since it became ready; 0 if it is not.
        suspended: Whether its mailbox is held, whatever its state.
        children: Its children, in start order.
    """

    path: str
    name: str
    kind: str
    state: str
    incarnation: int
    restarts: int
    failures: int
    budget_left: int | None
    mailbox: MailboxStats
    last_error: str | None
    uptime: float
    suspended: bool
    children: "tuple[TreeNode, ...]" = ()

    def walk(self) -> "Iterator[TreeNode]":
        """Yield this node and everything below it, parents before children, in start order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> "TreeNode":
        """Return the node at *path*.

        Raises:
            UnknownPathError: There is none at or below this node.
        """
        for node in self.walk():
            if node.path == path:
                return node
        raise UnknownPathError(path)


def snapshot(cell: Cell) -> TreeNode:
    """Return *cell* and everything below it as values."""
    extra = cell.extra
    runtime: Runtime = cell.node.runtime
    failures = extra.failures if extra is not None else None
    is_suspended = extra is not None and extra.is_suspended
    state: str = "suspended" if is_suspended and cell.state is ChildState.RUNNING else str(cell.state)
    is_up = cell.state is ChildState.RUNNING and cell.started_at is not None
    left = runtime.policies.plan(cell.spec.options).max_failures
    if isinstance(cell, Node):
        left = cell.manager.restarts.window.left(runtime.now())
    elif failures is not None:
        left = failures.left(left)
    return TreeNode(
        path=cell.path,
        name=cell.name,
        kind=kind_of(cell),
        state=state,
        incarnation=cell.incarnation,
        restarts=max(0, cell.incarnation - 1),
        failures=failures.failures if failures is not None else 0,
        budget_left=left,
        mailbox=MailboxStats.of(cell),
        last_error=extra.last_error if extra is not None else None,
        uptime=runtime.now() - cell.started_at if is_up and cell.started_at is not None else 0.0,
        suspended=is_suspended,
        children=tuple(snapshot(child) for child in cell.children.values()) if isinstance(cell, Node) else (),
    )
