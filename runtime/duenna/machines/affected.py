"""Whom an operator's command takes down and starts with the child that it is meant for, in which order.

It says beforehand what the supervisor would do: `duenna._commands` and `duenna._sweep` do it,
and a test has both do the same to random trees. A group is stopped from the last to the first,
a supervisor after all below it; what is started comes in start order, a supervisor before what
is below it.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Self

import attrs

from duenna.machines.lifecycle import ALIVE, ChildState
from duenna.machines.plan import Strategy, first_affected


class Command(StrEnum):
    """What an operator can want."""

    RESTART = "restart"
    STOP = "stop"
    START = "start"
    SUSPEND = "suspend"
    RESUME = "resume"


@attrs.frozen(kw_only=True)
class Member:
    """A child as its supervisor would look at it.

    Attributes:
        path: Its path.
        state: Where it is in its life.
        is_temporary: Whether it goes for good when its group is stopped.
        is_held: Whether an operator's stop of it stands, or is under way.
        is_suspended: Whether its mailbox is held.
        children: Of a supervisor: its children now, in start order.
        recipe: Of a supervisor: the children that it has after a restart, in start order.
        is_supervisor: Whether it is one.
        serves: Of a supervisor: whether it takes commands for its children.
    """

    path: str
    state: ChildState
    is_temporary: bool = False
    is_held: bool = False
    is_suspended: bool = False
    children: "tuple[Member, ...]" = ()
    recipe: "tuple[Member, ...]" = ()
    is_supervisor: bool = False
    serves: bool = True


@attrs.frozen(kw_only=True)
class Family:
    """A supervisor that is told to do something.

    Attributes:
        strategy: Its strategy.
        members: Its children, in start order.
        stops: Paths that a group's restart under way has yet to stop, in start order.
        starts: Paths that a boot or a group's restart under way has yet to start, in that order.
        is_starting: Whether what is under way has begun to start them.
    """

    strategy: Strategy
    members: tuple[Member, ...]
    stops: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    is_starting: bool = False


@attrs.frozen
class Plan:
    """What would happen.

    Attributes:
        stops: Paths that would be stopped, in the order in which they end.
        starts: Paths that would be started, in the order in which they begin.
        why_not: Why nothing can be done, or needs to be; empty if something can.
    """

    stops: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    why_not: str = ""

    @classmethod
    def of(cls, stops: Iterator[str] | None = None, starts: Iterator[str] | None = None) -> Self:
        """Return the plan to stop and start these."""
        return cls(tuple(stops or ()), tuple(starts or ()))


_DOWN = frozenset({ChildState.STOPPED, ChildState.FINISHED, ChildState.FAILED})
_STAYS_DOWN = frozenset({ChildState.STOPPED, ChildState.FAILED})
_GONE = frozenset({ChildState.STOPPED, ChildState.FINISHED, ChildState.REMOVED})


def plan(command: Command, family: Family, target: int) -> Plan:
    """Return what *command* would lead to.

    Args:
        command: What an operator wants.
        family: The supervisor that would carry it out.
        target: Position of the child that it is for.
    """
    member = family.members[target]
    if command is Command.SUSPEND:
        return Plan(why_not=_no_suspending(member))
    if command is Command.RESUME:
        return Plan(why_not=_no_resuming(member))
    if command is Command.STOP:
        stopped = member.state is ChildState.STOPPED
        return Plan(why_not="is stopped already") if stopped else Plan.of(_ends(member))
    if command is Command.START and member.state is ChildState.RUNNING:
        return Plan(why_not="runs already")
    return _restart(family, target)


def _no_suspending(member: Member) -> str:
    if member.is_supervisor:
        can = member.serves and any(not _no_suspending(child) for child in member.children)
        return "" if can else "has no child that could be suspended"
    if member.state in _GONE:
        return f"is {member.state}"
    return "is suspended already" if member.is_suspended else ""


def _no_resuming(member: Member) -> str:
    if member.is_supervisor:
        can = member.serves and any(not _no_resuming(child) for child in member.children)
        return "" if can else "is not suspended"
    return "" if member.is_suspended else "is not suspended"


def _restart(family: Family, target: int) -> Plan:
    member = family.members[target]
    is_queued = member.path in family.starts
    if member.state in _DOWN and not (is_queued and not family.is_starting):
        return Plan.of(starts=_begins(member))
    if is_queued:
        return _queued(family, member)
    if member.state is ChildState.RUNNING and family.strategy is not Strategy.ONE_FOR_ONE:
        return _group(family, target)
    if member.state in {ChildState.RUNNING, ChildState.STOPPING}:
        return Plan.of(_ends(member), _begins(member))
    if member.state is ChildState.BACKOFF:
        return Plan.of(starts=_begins(member))
    return Plan(why_not="is starting already" if member.state is ChildState.STARTING else "waits for its turn")


def _queued(family: Family, target: Member) -> Plan:
    """Return what is under way anyway, with *target* in it: a group that waits begins now."""
    known = {member.path: member for member in family.members}
    stops = (path for name in reversed(family.stops) if name in known for path in _ends(known[name]))
    waits = [known[name] for name in family.starts if name in known]  # a temporary one may be gone
    is_begun = {member.path for member in waits if family.is_starting and member.state in ALIVE}
    starts = (
        path
        for member in waits
        if member.path not in is_begun and (member is target or _starts_again(member))
        for path in _begins(member)
    )
    return Plan.of(stops, starts)


def _group(family: Family, target: int) -> Plan:
    first = first_affected(family.strategy, target)
    members = family.members[first:]
    known = {member.path: member for member in family.members[:first]}
    left = [known[path] for path in family.starts if path in known]
    trigger = family.members[target]
    stops = (path for member in reversed(members) for path in _ends(member))
    again = [member for member in members if member is trigger or _starts_again(member)]
    return Plan.of(stops, (path for member in [*left, *again] for path in _begins(member)))


def _starts_again(member: Member) -> bool:
    """Return whether a member of a group that is stopped is started with it."""
    if member.state in _STAYS_DOWN:
        return False
    return not (member.state in ALIVE and (member.is_temporary or member.is_held))


def _ends(member: Member) -> Iterator[str]:
    """Yield what ends when *member* is stopped, in that order."""
    if member.state in ALIVE:
        for child in reversed(member.children):
            yield from _ends(child)
        yield member.path


def _begins(member: Member) -> Iterator[str]:
    """Yield what begins when *member* is started, in that order."""
    yield member.path
    for child in member.recipe:
        if child.state not in _STAYS_DOWN and not (child.state in ALIVE and child.is_held):
            yield from _begins(child)
