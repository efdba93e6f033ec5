"""Who is acting, and how many messages there were: what the records of one runtime share."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import attrs
import trio

from duenna._cell import Cell
from duenna._timers import Timer, TimerHeap
from duenna._watch import Watch

Record = Callable[..., None]
"""Called with a kind, a path, an incarnation, and fields by name."""


@attrs.define(eq=False)
class Log:
    """Writes the records of one runtime.

    Attributes:
        record: Where to.
        acting: The actor whose handler, or timer, runs at this moment.
        timers: Who armed each timer that is live: the owner, and its incarnation.
    """

    record: Record
    acting: Cell | None = None
    timers: dict[Timer, tuple[Cell, int]] = attrs.field(factory=dict[Timer, tuple[Cell, int]])
    _paths: dict[str, None] = attrs.field(factory=dict[str, None])
    _numbers: dict[tuple[str, str], int] = attrs.field(factory=dict[tuple[str, str], int])
    _watches: "WeakKeyDictionary[Watch, int]" = attrs.field(factory=WeakKeyDictionary[Watch, int])
    _watch_count: int = 0

    def know(self, path: str) -> None:
        """Take tasks that are named *path* as those of an actor."""
        self._paths[path] = None

    def next_number(self, sender: str, receiver: str) -> int:
        """Return the number of a new message from *sender* to *receiver*."""
        number = self._numbers[sender, receiver] = self._numbers.get((sender, receiver), 0) + 1
        return number

    # -- watches ---------------------------------------------------------------

    def next_watch(self) -> int:
        """Return the number of a watch that is about to be made."""
        self._watch_count += 1
        return self._watch_count

    def watch_number(self, watch: Watch) -> int:
        """Return the number of *watch*; the first time, it is the one that was made last."""
        return self._watches.setdefault(watch, self._watch_count)

    def end_watch(self, watch: Watch) -> int:
        """Return the number of *watch*, once; 0 after that."""
        number, self._watches[watch] = self._watches.get(watch, 0), 0
        return number

    # -- the end ---------------------------------------------------------------

    def close(self) -> None:
        """Record nothing more: whatever still happens, happens after the end."""
        self.record = _nothing
        self.timers.clear()

    # -- who -------------------------------------------------------------------

    @contextmanager
    def done_by(self, cell: Cell) -> Generator[None]:
        """Note that whatever is told meanwhile comes from *cell*."""
        before, self.acting = self.acting, cell
        try:
            yield
        finally:
            self.acting = before

    def sender(self) -> str:
        """Return the path of the actor that runs now; empty if none does.

        A handler is known by itself; the tasks of an actor by their names, and those below
        them. A hook that the supervisor calls in its own task counts as the supervisor's.
        """
        if self.acting is not None:
            return self.acting.path
        try:
            task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        except RuntimeError:  # a callback of the loop's
            return ""
        while task is not None:
            path = task.name.split(" (", 1)[0]
            if path in self._paths:
                return path
            task = task.parent_nursery.parent_task if task.parent_nursery is not None else None
        return ""


def _nothing(*_args: object, **_fields: object) -> None:
    """Do nothing."""


def put_log(heap: TimerHeap, log: Log) -> None:
    """Tie *log* to a runtime by its timers: a timer knows no more of its runtime."""
    heap.__dict__["tap"] = log


def log_of(heap: TimerHeap) -> Log:
    """Return the log of the runtime whose timers *heap* are."""
    log: Log = heap.__dict__["tap"]
    return log
