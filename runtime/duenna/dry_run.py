"""What an operator's command would do to a running tree, without doing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna._node import Node
from duenna.inspection import cell_of
from duenna.machines.affected import Command, Family, Member, Plan, plan
from duenna.machines.lifecycle import ChildState
from duenna.machines.plan import Strategy, first_affected
from duenna.machines.verdict import RestartType
from duenna.spec import Supervisor

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime
    from duenna.spec import Child


def plan_of(runtime: Runtime, command: Command, path: str) -> Plan:
    """Return what *command* would do to the child at *path*, and to others; nothing is done.

    Raises:
        UnknownPathError: There is no such child.
    """
    cell = cell_of(runtime, path)
    node, holds = cell.node, command in {Command.SUSPEND, Command.RESUME}
    if cell in runtime.roots:
        return _plan_of_root(cell, command) if holds else Plan(why_not=f"is a root: it cannot be {_DONE[command]}")
    if not _serves(node):
        return Plan(why_not=f"cannot be {_DONE[command]}: its supervisor {node.path} is {node.state}")
    children = list(node.children.values())
    sweeper, target = node.manager.sweeper, children.index(cell)
    stops, starts = sweeper.stopping(), sweeper.queued()
    touched = {cell, *stops, *starts}
    if node.spec.strategy is not Strategy.ONE_FOR_ONE and command in {Command.RESTART, Command.START}:
        touched.update(children[first_affected(node.spec.strategy, target) :])
    family = Family(
        strategy=node.spec.strategy,
        members=tuple(_member(each) if each in touched else _bystander(each) for each in children),
        stops=tuple(each.path for each in stops),
        starts=tuple(each.path for each in starts),
        is_starting=sweeper.is_starting,
    )
    return plan(command, family, target)


_DONE: Final = {
    Command.RESTART: "restarted",
    Command.STOP: "stopped",
    Command.START: "started",
    Command.SUSPEND: "suspended",
    Command.RESUME: "resumed",
}


def _plan_of_root(cell: Cell, command: Command) -> Plan:
    return plan(command, Family(strategy=Strategy.ONE_FOR_ONE, members=(_member(cell),)), 0)


def _bystander(cell: Cell) -> Member:
    """Return a child that nothing happens to: what is below it may be ten thousand, and is not looked at."""
    return Member(path=cell.path, state=cell.state)


def _member(cell: Cell) -> Member:
    children: dict[str, Cell] = cell.children if isinstance(cell, Node) else {}
    members = {name: _member(child) for name, child in children.items()}
    recipe: tuple[Member, ...] = ()
    if isinstance(cell, Node):
        static = {spec.name: spec for spec in cell.spec.children}
        kept = {name: members[name] for name, child in children.items() if static.get(name) is child.spec}
        recipe = tuple(kept.get(spec.name) or _newborn(cell.path, spec) for spec in cell.spec.children)
    extra = cell.extra
    return Member(
        path=cell.path,
        state=cell.state,
        is_temporary=cell.spec.options.restart is RestartType.TEMPORARY,
        is_held=extra is not None and extra.is_held,
        is_suspended=extra is not None and extra.is_suspended,
        children=tuple(members.values()),
        recipe=recipe,
        is_supervisor=isinstance(cell, Node),
        serves=not isinstance(cell, Node) or _serves(cell),
    )


def _serves(node: Node) -> bool:
    """Return whether a supervisor takes commands for its children; one that waits for its restart does not."""
    return node.may_run() and not node.manager.is_ending


def _newborn(above: str, spec: Child | Supervisor) -> Member:
    """Return a child that there is none of at present: it is made anew with its supervisor."""
    path = f"{above}/{spec.name}"
    below = spec.children if isinstance(spec, Supervisor) else ()
    recipe = tuple(_newborn(path, each) for each in below)
    return Member(path=path, state=ChildState.PENDING, recipe=recipe, is_supervisor=isinstance(spec, Supervisor))
