"""Bugs planted in the kernel on purpose, each for the time of a ``with`` block: the checkers must find them."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import trio

from duenna import _host
from duenna._cell import Cell
from duenna._manager import Manager
from duenna._node import Node
from duenna._restarts import Restarts
from duenna._sweep import Sweep
from duenna._timers import Timer
from duenna._watch import Watch
from duenna.machines.lifecycle import ChildState, Step, after


@contextmanager
def _patched(owner: Any, name: str, value: Any) -> Generator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def stop_order_reversed() -> AbstractContextManager[None]:
    """Stop the children of a group, and of everything, from the first to the last."""
    begin: Any = Sweep.__attrs_post_init__

    def reverse(sweep: Sweep) -> None:
        begin(sweep)
        sweep.stops.reverse()

    return _patched(Sweep, "__attrs_post_init__", reverse)


@contextmanager
def double_start() -> Generator[None]:
    """Forget to call off a restart that is due when an operator starts the child before it; start it again then."""

    def forget(manager: Manager, cell: Cell) -> None:
        if cell.extra is not None:
            cell.extra.due = None
        if cell.state is ChildState.BACKOFF:
            cell.state = after(cell.state, Step.RESET)

    def start_again(restarts: Restarts, cell: Cell, _incarnation: int) -> None:
        manager = restarts._manager
        if manager.is_ending:
            return
        is_up = cell.state in {ChildState.STARTING, ChildState.RUNNING}
        if is_up and not isinstance(cell, Node):  # two managers of the same children would never end
            _abandon(cell)
        if cell.state is ChildState.BACKOFF:
            manager.life.start(cell)

    with _patched(Manager, "cancel_due", forget), _patched(Restarts, "start_now", start_again):
        yield


def _abandon(cell: Cell) -> None:
    """Forget the incarnation of *cell*; what it runs is cancelled, so that the run comes to an end."""
    more = cell.more
    for part in (more.host, more.cleaner):
        if part is not None:
            part.cancel("it is started again")
    if more.worker is not None:
        more.worker.scope.cancel("it is started again")
    more.renew()
    cell.state = ChildState.BACKOFF


def lost_down() -> AbstractContextManager[None]:
    """Lose a `Down` that finds the watcher's mailbox full, as if it were any message."""
    notify: Any = Watch.notify

    def lose(watch: Watch, reason: str | BaseException) -> None:
        if len(watch.watcher.queue or ()) >= watch.watcher.capacity:
            watch.has_fired = True
            return
        notify(watch, reason)

    return _patched(Watch, "notify", lose)


def unbounded_queue() -> AbstractContextManager[None]:
    """Take every message into a mailbox, whatever its capacity and its rule."""

    def take(_cell: Cell, _queue: object) -> bool:
        return True

    return _patched(Cell, "_make_room", take)


def swallowed_cancelled() -> AbstractContextManager[None]:
    """Go on with ``run`` for a while when it is cancelled, as a loop with ``except BaseException`` does."""

    async def call(result: Any) -> None:
        if result is None or not hasattr(result, "__await__"):
            return
        try:
            await result
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(10.0)

    return _patched(_host, "_called", call)


def old_timer() -> AbstractContextManager[None]:
    """Deliver a timer's message to whatever incarnation there is."""

    def want(_timer: Timer, _incarnation: int) -> bool:
        return True

    return _patched(Timer, "is_wanted", want)


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    plant.__name__: plant
    for plant in (stop_order_reversed, double_start, lost_down, unbounded_queue, swallowed_cancelled, old_timer)
}
"""Every planted bug, by name."""
