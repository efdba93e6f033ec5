"""What an operator can have a supervisor do. Each command settles the promise that it gets.

What is allowed in which state is OTP's table (supervisor.erl, ``handle_call``), but for
``restart_child``, which also restarts a running child, and starts one in backoff now.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from duenna import events
from duenna._promise import Promise
from duenna.errors import ChildStateError, UnknownPathError
from duenna.machines.lifecycle import ALIVE, ChildState, Step, after
from duenna.machines.plan import Strategy
from duenna.machines.verdict import RestartType
from duenna.spec import Child, Supervisor

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._manager import Manager

_DOWN = frozenset({ChildState.STOPPED, ChildState.FINISHED, ChildState.FAILED})


def start_children(manager: "Manager", promise: Promise, specs: Sequence[Child | Supervisor]) -> None:
    """Add and start children; done with their refs, and the promises of those that are not ready yet.

    Fails with `StartFailedError` at the first that fails at once: that one is not kept, those
    before it are, those after it are not started.
    """
    node = manager.node
    names: set[str] = set()
    for spec in specs:
        node.spec.check_child(spec)
        if spec.name in names:
            message = f"start_children of {node.path}: the names must all be different, got {spec.name!r} twice"
            raise ValueError(message)
        names.add(spec.name)
        if (present := node.children.get(spec.name)) is not None:
            raise ChildStateError(present.path, present.state, "start a second child of that name")
    cells: list[Cell] = []
    pending: list[Promise] = []
    for spec in specs:
        cell = node.add(spec)
        cells.append(cell)
        if not manager.sweeper.join(cell):
            manager.restarts.start_newborn(cell)
        if cell.state is not ChildState.RUNNING:
            ready = Promise()
            cell.more.calls.append(ready)
            cell.more.fallback = manager.remove
            pending.append(ready)
    promise.done((cells, pending))


def stop_child(manager: "Manager", promise: Promise, name: str) -> None:
    """Stop a child and keep it down; done when it has ended."""
    cell = _child(manager, name)
    if cell.spec.options.restart is not RestartType.TEMPORARY:  # that one is gone for good, in this process
        manager.node.runtime.state.held(cell.path)
    if cell.state in ALIVE:
        cell.more.is_held = True
        cell.more.enders.append(promise)
        cell.more.intent = manager.hold
        manager.life.stop(cell, manager.hold, why=f"{cell.path} was stopped by an operator")
        return
    manager.cancel_due(cell)
    if cell.state is not ChildState.STOPPED:
        manager.hold(cell)
    promise.done()
    manager.sweeper.advance()


def restart_fresh(manager: "Manager", promise: Promise, name: str) -> None:
    """Start a child anew, without what is stored of it and of all below it."""
    cell = _child(manager, name)
    manager.node.runtime.state.begin_fresh(cell.path)
    if cell.state is ChildState.STARTING:  # with what was stored: it must begin again
        cell.more.calls.append(promise)
        _stop_and_start(manager, cell)
        manager.sweeper.advance()
    else:
        restart_child(manager, promise, name)


def restart_child(manager: "Manager", promise: Promise, name: str) -> None:
    """Start a child anew; done with its ready value when it is ready."""
    cell = _child(manager, name)
    more = cell.more
    more.is_held = False
    manager.node.runtime.state.released(cell.path)
    more.calls.append(promise)
    if cell.state in _DOWN:
        manager.restarts.forgive(cell)
        if manager.sweeper.takes(cell):
            manager.sweeper.hurry()
        else:
            more.fallback = partial(_back_down, manager, was=cell.state)
            manager.cancel_due(cell)
            manager.life.start(cell)
    elif manager.sweeper.will_start(cell):
        manager.sweeper.hurry()
    elif cell.state is ChildState.RUNNING:
        _restart_running(manager, cell)
    elif cell.state is ChildState.STOPPING:
        more.intent = partial(_again, manager)
    elif cell.state is ChildState.BACKOFF:
        manager.cancel_due(cell)
        manager.life.start(cell)
    manager.sweeper.advance()


def _restart_running(manager: "Manager", cell: "Cell") -> None:
    if manager.node.spec.strategy is not Strategy.ONE_FOR_ONE:
        manager.sweeper.restart_group(cell, 0.0)
        return
    if cell.more.is_draining:
        cell.more.intent = partial(_again, manager)
    _stop_and_start(manager, cell)


def _stop_and_start(manager: "Manager", cell: "Cell") -> None:
    manager.life.stop(cell, partial(_again, manager), why=f"{cell.path} is restarted by an operator")


def _again(manager: "Manager", cell: "Cell") -> None:
    if manager.is_ending:
        manager.reset(cell)
        return
    cell.state = after(cell.state, Step.RESET)
    manager.life.start(cell)


def _back_down(manager: "Manager", cell: "Cell", *, was: ChildState) -> None:
    """Put a child whose start by hand failed back to where it was; nothing is counted."""
    if was is ChildState.FINISHED:
        cell.state = after(cell.state, Step.FINISH)
    elif was is ChildState.FAILED:
        cell.state = after(cell.state, Step.PARK)
        manager.restarts.await_unpark(cell)
    else:
        manager.hold(cell)


def delete_child(manager: "Manager", promise: Promise, name: str) -> None:
    """Forget a child that is down, and its spec."""
    cell = _child(manager, name)
    if cell.state not in _DOWN:
        raise ChildStateError(cell.path, cell.state, "delete")
    manager.cancel_due(cell)
    manager.remove(cell)
    manager.node.runtime.state.released(cell.path)
    promise.done()
    manager.sweeper.advance()


def suspend(manager: "Manager", promise: Promise, name: str) -> None:
    """Hold the mailbox of a child; its ``run`` goes on."""
    cell = _child(manager, name)
    more = cell.more
    if cell.state is ChildState.REMOVED or cell.state in {ChildState.STOPPED, ChildState.FINISHED}:
        raise ChildStateError(cell.path, cell.state, "suspend")
    if not more.is_suspended:
        more.is_suspended = True
        cell.shut_gate()
        if more.suspended is not None:
            more.suspended.set()
            more.suspended = None
        _post(manager, events.ChildSuspended, cell)
    promise.done()


def resume(manager: "Manager", promise: Promise, name: str) -> None:
    """Serve the mailbox of a child again."""
    cell = _child(manager, name)
    more = cell.more
    if not more.is_suspended:
        raise ChildStateError(cell.path, cell.state, "resume")
    more.is_suspended = False
    if more.resumed is not None:
        more.resumed.set()
        more.resumed = None
    if cell.state is ChildState.RUNNING and more.worker is None:
        cell.open_gate()
    _post(manager, events.ChildResumed, cell)
    promise.done()


def _child(manager: "Manager", name: str) -> "Cell":
    cell = manager.node.children.get(name)
    if cell is None:
        raise UnknownPathError(f"{manager.node.path}/{name}")
    return cell


def _post(manager: "Manager", kind: type[events.ChildSuspended | events.ChildResumed], cell: "Cell") -> None:
    runtime = manager.node.runtime
    if runtime.bus.wants(kind):
        runtime.bus.post(kind(time=runtime.now(), path=cell.path))
