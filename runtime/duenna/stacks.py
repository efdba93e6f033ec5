"""Where the tasks of each actor are: file, line and function of every frame that they wait in.

Nothing is read but the frames' code and line numbers: no source text, and no value of any
variable. A task is walked from its outermost coroutine inwards along what each awaits, which
costs some microseconds and holds nothing up.
"""

import gc
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from operator import attrgetter
from types import CodeType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from duenna._dispatcher import Worker
from duenna._host import Host
from duenna._node import Node
from duenna._turn import turn_async
from duenna.mailbox import NOTHING, Envelope
from duenna.secrets import redact_to

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime

__all__ = ["MOST_FRAMES", "MOST_TASKS", "Frame", "TaskStack", "stacks"]

MOST_FRAMES: Final = 50
"""Frames of one task, the innermost; of a deeper one the outer are left out."""

MOST_TASKS: Final = 20
"""Tasks of one actor."""

_DEEPEST: Final = 10_000
_LONGEST: Final = 500
_MOST_KNOWN: Final = 4_096

Place = tuple[CodeType, int]
"""A line of some code."""

RawStack = tuple[str, tuple[Place, ...]]
"""The name of a task and where it is, outermost first."""


class Frame(msgspec.Struct, frozen=True):
    """One frame of a stack: file, line and function."""

    file: str
    line: int
    function: str


class TaskStack(msgspec.Struct, frozen=True):
    """Where a task is, outermost first.

    Attributes:
        task: Its name: the actor's path, and in brackets what it is beside its own task, such as
            `/bot/db (handles Query)` of a handler that waits.
        frames: At most 50, the innermost last.
    """

    task: str
    frames: tuple[Frame, ...]


def stacks(runtime: "Runtime", path: str | None = None) -> dict[str, tuple[TaskStack, ...]]:
    """Return where the tasks of each actor are, by its path; those of the child at *path* alone if one is given.

    An actor has an entry if it has tasks: one that only answers messages has one while a handler
    of it waits. Of a supervisor it is its own task, without those of its children.

    Raises:
        UnknownPathError: There is no such child.
    """
    cells: Iterable[Cell] = (cell for root in runtime.roots for cell in root.walk())
    if path is not None:
        cells = (_cell_at(runtime, path),)
    found = {cell.path: raw for cell in cells if (raw := raw_stacks(cell))}
    return {each: tuple([stack_of(name, places) for name, places in raw]) for each, raw in found.items()}


def stack_of(task: str, places: tuple[Place, ...]) -> TaskStack:
    """Return *places* as values."""
    name = task if task.startswith("/") else redact_to(task)  # a path needs it no more than it does elsewhere
    return TaskStack(name, tuple([frame_of(*place) for place in places]))


_known: dict[tuple[int, int], tuple[CodeType, Frame]] = {}


def frame_of(code: CodeType, line: int) -> Frame:
    """Return a place as a value."""
    key = (id(code), line)  # by identity, see the dispatcher; it is kept, so that nothing else gets its number
    known = _known.get(key)
    if known is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        frame = Frame(redact_to(code.co_filename, _LONGEST), line, redact_to(code.co_qualname, _LONGEST))
        known = _known[key] = (code, frame)
    return known[1]


def raw_stacks(cell: "Cell") -> list[RawStack]:
    """Return where the tasks of *cell* are, its handler first; fast, for many."""
    if isinstance(cell, Node):
        return [] if cell.nursery is None else _listed(_own(cell.nursery.parent_task))
    extra = cell.extra
    if extra is None:
        return []
    found: list[RawStack] = []
    worker = extra.worker
    if worker is not None:
        found += _of_handler(cell, worker)
    for host in (extra.host, extra.cleaner):
        if isinstance(host, Host) and host.nursery is not None:
            found += _listed(_below(host.nursery.parent_task))
    return found[:MOST_TASKS]


def _cell_at(runtime: "Runtime", path: str) -> "Cell":
    found: Any = runtime.ref(path)
    return found  # type: ignore[no-any-return]  # every Ref is a Cell


def _of_handler(cell: "Cell", worker: Worker) -> Iterator[RawStack]:
    """Yield where the handler is that waits in *worker*, and the tasks that it has begun."""
    message = cell.current
    kind = (message.message if isinstance(message, Envelope) else message).__class__
    what = "handles a message" if message is NOTHING else f"handles {kind.__qualname__}"
    yield f"{cell.path} ({what})", _places(worker.turn)
    if worker.task is not None:
        below = _below(worker.task)
        next(below)  # the worker itself, whose frames are the dispatcher's
        yield from _listed(below)


def _own(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task


def _below(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    """Yield *task* and those in its nurseries, parents first, by name."""
    todo = deque([task])
    for _ in range(MOST_TASKS + 1):
        if not todo:
            return
        task = todo.popleft()
        yield task
        for nursery in task.child_nurseries:
            todo += nsmallest(MOST_TASKS + 1, nursery.child_tasks, key=attrgetter("name"))


def _listed(tasks: Iterator[trio.lowlevel.Task]) -> list[RawStack]:
    stacks = ((task.name, _places(task.coro)) for task in tasks)
    return [stack for stack in stacks if stack[1]]  # one that has ended has none


def _places(coro: Any) -> tuple[Place, ...]:
    """Return where *coro* is, outermost first, without the kernel's frames above it and trio's traps below."""
    found: deque[Place] = deque(maxlen=MOST_FRAMES)
    for _ in range(_DEEPEST):
        if coro is None:
            break
        kind = coro.__class__
        if kind is CoroutineType:
            frame, coro = coro.cr_frame, coro.cr_await
        elif kind is GeneratorType:
            frame, coro = coro.gi_frame, coro.gi_yieldfrom
        else:
            frame, coro = _inside(coro)
        if frame is not None and frame.f_code.co_filename not in _SKIPPED:
            found.append((frame.f_code, frame.f_lineno or 0))
    return tuple(found)


def _inside(waiter: Any) -> tuple[Any, Any]:
    """Return the frame of an async generator that is being asked, and what comes next; of a wrapper, what it wraps.

    Neither tells by itself what it stands for (https://github.com/python/cpython/issues/76991).
    """
    if hasattr(waiter, "cr_frame"):  # a compiled coroutine
        return waiter.cr_frame, waiter.cr_await
    referents: list[Any] = gc.get_referents(waiter)
    for referent in referents:
        if hasattr(referent, "ag_frame"):
            return referent.ag_frame, referent.ag_await
        if hasattr(referent, "cr_frame") or hasattr(referent, "gi_frame"):
            return None, referent
    return None, None


_SKIPPED = frozenset(
    function.__code__.co_filename for function in (Host.run, turn_async, trio.lowlevel.wait_task_rescheduled)
)
