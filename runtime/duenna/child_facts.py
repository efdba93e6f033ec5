"""What a console is told of a child: light facts, made at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from duenna._kind import kind_of
from duenna._node import Node
from duenna._restarts import has_held_out
from duenna.actor import Actor
from duenna.freshness import Freshness, freshness_of
from duenna.machines.health import Service, ServiceStatus
from duenna.machines.lifecycle import ChildState
from duenna.machines.verdict import OnGiveUp, RestartType
from duenna.mailbox import LatestQueue

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._options import ChildOptions
    from duenna.machines.restart_policy import RestartPolicy


class Facts(msgspec.Struct, frozen=True, eq=False, kw_only=True, gc=False):
    """One child at one moment.

    Attributes:
        path: Its path.
        name: The last part.
        depth: 0 for a root.
        kind: `supervisor`, `function`, or the actor's own word.
        strategy: Of a supervisor; else empty.
        state: A `ChildState`'s text, or `suspended` for a running child whose mailbox is held.
        is_suspended: Whether its mailbox is held, whatever its state.
        is_critical: Whether the bot is not ready without it.
        incarnation: Number of the present or last incarnation; 0: it was never started.
        failures: Consecutive failures.
        budget_left: Restarts that a supervisor still bears in its period, failures that a child does;
            None: there is no limit.
        budget: How many there may be.
        period: Of a supervisor: seconds in which restarts count; else None.
        counts: Whether its next crash would be one of the restarts that its supervisor counts.
        is_last: Whether its next crash would be one more than may follow each other, and end its supervisor.
        started_at: When it became ready, in seconds of trio's clock; None: it is not.
        retry_at: When it is tried again; None: it does not wait for that.
        depth_now: Messages that wait; 0 of a supervisor.
        capacity: Messages that its mailbox holds; 0: it is a supervisor and has none.
        policy: The overflow rule.
        oldest_at: When the oldest came; None: none waits, or it is not known.
        dropped: Messages dropped or replaced since the beginning.
        received: Messages handed to it since the beginning.
        last_error: The last crash or reported error; empty if there was none.
        link: Where its connection is; empty if it is none.
        status: `operational`, `degraded` or `unavailable`; empty where that makes no sense.
        why: What is wrong, in words.
        needs_a_hand: Whether it comes back by no attempt of its own.
        is_by_hand: Whether a person wanted it so.
        fresh: What it says about its data; None if nothing.
    """

    path: str
    name: str
    depth: int
    kind: str
    strategy: str
    state: str
    is_suspended: bool
    is_critical: bool
    incarnation: int
    failures: int
    budget_left: int | None
    budget: int | None
    period: float | None
    counts: bool
    is_last: bool
    started_at: float | None
    retry_at: float | None
    depth_now: int
    capacity: int
    policy: str
    oldest_at: float | None
    dropped: int
    received: int
    last_error: str
    link: str
    status: str
    why: str
    needs_a_hand: bool
    is_by_hand: bool
    fresh: Freshness | None

    @property
    def is_supervisor(self) -> bool:
        """Whether it has children rather than a mailbox."""
        return self.capacity == 0

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.incarnation - 1)


def facts_of(cell: Cell, path: str, depth: int, *, service: Service | None, link: str, is_critical: bool) -> Facts:
    """Return the facts about *cell*.

    Args:
        cell: The child.
        path: Its path.
        depth: How many supervisors are above it.
        service: How it does; None: it runs and does well, or is no service.
        link: Where its connection is; empty: it has none.
        is_critical: Whether the bot is not ready without it.
    """
    extra, queue = cell.extra, cell.queue
    options = cell.spec.options
    is_node = isinstance(cell, Node)
    is_suspended = extra is not None and extra.is_suspended
    replaced = queue.replaced if isinstance(queue, LatestQueue) else 0
    times = extra.times if extra is not None else None
    left, most, period = _budget(cell)
    counts, is_last = _next_crash(cell)
    return Facts(
        path=path,
        name=cell.name,
        depth=depth,
        kind=kind_of(cell),
        strategy=str(cell.spec.strategy) if is_node else "",
        state="suspended" if is_suspended and cell.state is ChildState.RUNNING else str(cell.state),
        is_suspended=is_suspended,
        is_critical=is_critical,
        incarnation=cell.incarnation,
        failures=extra.failures.failures if extra is not None else 0,
        budget_left=left,
        budget=most,
        period=period,
        counts=counts,
        is_last=is_last,
        started_at=cell.started_at if cell.state is ChildState.RUNNING else None,
        retry_at=_retry_at(cell),
        depth_now=0 if queue is None else len(queue),
        capacity=0 if is_node else cell.capacity,
        policy=options.mailbox.policy,
        oldest_at=times[0] if times else None,
        dropped=(extra.dropped if extra is not None else 0) + replaced,
        received=cell.received,
        last_error=(extra.last_error if extra is not None else None) or "",
        link=link,
        status=_status(cell, service),
        why="" if service is None else service.why,
        needs_a_hand=service is not None and service.needs_a_hand,
        is_by_hand=service is not None and service.is_by_hand,
        fresh=freshness_of(cell) if _may_say(cell) else None,
    )


def _budget(cell: Cell) -> tuple[int | None, int | None, float | None]:
    """Return restarts or failures left, of how many, and the period that a supervisor counts them in."""
    if isinstance(cell, Node):
        spec = cell.spec
        return cell.manager.restarts.window.left(cell.runtime.now()), spec.intensity, spec.period
    most = _policy(cell).max_failures
    left = most if cell.extra is None else cell.extra.failures.left(most)
    return left, most, None


def _policy(cell: Cell) -> ChildOptions | RestartPolicy:
    """Return what says when *cell* gives up: its own options, unless the settings do."""
    options = cell.spec.options
    return cell.node.runtime.policies.plan(options) if options.is_reconnecting else options


_MAY_CRASH: Final = frozenset({ChildState.PENDING, ChildState.STARTING, ChildState.RUNNING, ChildState.BACKOFF})


def _next_crash(cell: Cell) -> tuple[bool, bool]:
    """Return whether the next crash of *cell* counts as a restart, and whether it is one too many in a row.

    `duenna._restarts` decides it so: a temporary child is not restarted, failures in a row are
    looked at before restarts are counted, and those of a `Child.connection` are not counted.
    """
    options = cell.spec.options
    if cell.state not in _MAY_CRASH or options.restart is RestartType.TEMPORARY:
        return False, False
    policy, extra = _policy(cell), cell.extra
    failures = 0 if extra is None or has_held_out(cell) else extra.failures.failures
    is_spent = policy.max_failures is not None and failures >= policy.max_failures
    is_last = is_spent and policy.on_give_up is OnGiveUp.ESCALATE
    return not is_spent and not options.is_reconnecting, is_last


def _retry_at(cell: Cell) -> float | None:
    extra = cell.extra
    if cell.state is ChildState.BACKOFF:
        group = cell.node.manager.sweeper.due_of(cell)
        if group is not None:
            return group
    elif cell.state is not ChildState.FAILED:
        return None
    return extra.due.at if extra is not None and extra.due is not None and extra.due.is_live else None


def _status(cell: Cell, service: Service | None) -> str:
    if service is not None:
        return str(service.status)
    is_well = cell.state is ChildState.RUNNING and not isinstance(cell, Node)
    return str(ServiceStatus.OPERATIONAL) if is_well else ""


def _may_say(cell: Cell) -> bool:
    """Return whether *cell* may say how fresh its data is: most are asked in vain."""
    return cell.extra is not None if cell.actor is None else may_tell(cell.actor.__class__)


def may_tell(kind: type[Actor]) -> bool:
    """Return whether actors of *kind* say how fresh their data is."""
    known = _SAYERS.get(kind)
    if known is None:
        if len(_SAYERS) >= _MOST_KINDS:
            _SAYERS.clear()
        known = _SAYERS[kind] = kind.freshness is not Actor.freshness
    return known


_SAYERS: dict[type[Actor], bool] = {}
_MOST_KINDS: Final = 10_000
