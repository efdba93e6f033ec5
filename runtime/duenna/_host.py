"""The task of one incarnation: what it runs besides its messages."""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna.actor import Hook, hooks_of
from duenna.machines.hints import members

if TYPE_CHECKING:
    from duenna._cell import Cell


@attrs.define(eq=False)
class Host:
    """A task with a nursery and a shielded cancel scope, which only the manager cancels.

    Exceptions are caught outside the scope: there the scope has taken its own `Cancelled`
    out of their groups, and what is left is the actor's.

    Attributes:
        cell: Whose it is.
        incarnation: Which of its incarnations.
        returned: Whether the body came to its end, which is the end of the actor.
    """

    cell: "Cell"
    incarnation: int
    returned: bool = False
    _scope: trio.CancelScope = attrs.field(factory=lambda: trio.CancelScope(shield=True), init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _waiting: list[tuple[Callable[..., Awaitable[Any]], tuple[Any, ...]]] = attrs.field(factory=list[Any], init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    @property
    def nursery(self) -> trio.Nursery | None:
        """The nursery while it is open."""
        return self._nursery

    def cancel(self, why: str) -> None:
        """Cancel everything in it."""
        self._scope.cancel(why)

    def start_soon(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> bool:
        """Run *function* in the nursery, when it opens; return False if it has closed."""
        if self._nursery is None:
            if not self._is_closed:
                self._waiting.append((function, args))
            return not self._is_closed
        try:
            what = getattr(function, "__qualname__", type(function).__qualname__)  # a repr may be as long as a state
            self._nursery.start_soon(function, *args, name=f"{self.cell.path} ({what})")
        except RuntimeError:  # closed to new tasks: its last one has just ended
            return False
        return True

    async def run(self, body: "Callable[[Host], Awaitable[bool]]") -> None:
        """Run *body* and the background tasks, and tell the manager how they ended.

        *body* returns whether its end is the end of the actor; if not, the task lasts as
        long as the background tasks do.
        """
        error: BaseException | None = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    for function, args in self._waiting:
                        self.start_soon(function, args)
                    self.returned = await body(self)
                    if self.returned:
                        nursery.cancel_scope.cancel("the actor has ended")
        except BaseException as exc:  # noqa: BLE001  # whatever it is, it goes to the manager as the actor's end
            error = _unwrapped(exc)
        self._nursery = None
        self._is_closed = True
        self.cell.node.manager.host_ended(self.cell, self.incarnation, self, error)


def _unwrapped(error: BaseException) -> BaseException:
    """Take off the group that our own nursery put round a single exception."""
    inside = members(error)
    return inside[0] if len(inside) == 1 else error


async def class_body(host: Host) -> bool:
    """Be the task of a class: ``started``, ready, ``run``."""
    cell = host.cell
    manager = cell.node.manager
    hooks = hooks_of(cell.actor)
    with _asking(host):  # no message is served before it returns
        await _called(cell.actor.started())
    manager.has_started(cell, host.incarnation)
    if hooks.run is Hook.ABSENT:
        return False
    await _called(cell.actor.run())
    return True


async def function_body(host: Host) -> bool:
    """Be the task of a function actor."""
    cell = host.cell
    cell.node.manager.has_started(cell, host.incarnation)
    with _asking(host):  # it reads its own mailbox: while it waits for an answer, nobody does
        await cell.spec.start(cell.context)
    return True


async def background_body(_host: Host) -> bool:
    """Be the task that only holds background tasks."""
    return False


@contextmanager
def _asking(host: Host) -> Generator[None]:
    """Let an ask from this task count as the actor's own, so that one that could only wait for itself is refused."""
    askers = host.cell.node.runtime.askers
    task = trio.lowlevel.current_task()
    askers[task] = host
    try:
        yield
    finally:
        del askers[task]


async def _called(result: Any) -> None:
    if result is not None and hasattr(result, "__await__"):
        await result
