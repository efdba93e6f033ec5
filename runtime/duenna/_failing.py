"""Failures in a row outlive the process, so that one which crashes and is started again goes on with its round.

A child counts on where the last process was, if it has not been well for its ``reset_after`` since: the
time from its last restart, or from when that was due, until now counts as if it had been up. A round
that is over, because the child is parked or its supervisor gave up, is not stored: then the next
process begins with a new one.
"""

from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from duenna._restarts import has_held_out
from duenna.errors import UnknownPathError
from duenna.events import ChildParked, ChildRestarting, Event
from duenna.machines.failures import FailureCount

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime

MOST: Final = 1000
"""Children whose failures are stored; of more, those that failed longest ago are not."""

_OUTDATED: Final = 3600.0


class FailureMemory(msgspec.Struct, frozen=True):
    """The failures of one child.

    Attributes:
        failures: Failures in a row, at least 1.
        delay: The last wait in seconds.
        at: When that was, or is, over, in seconds since 1970.
    """

    failures: int
    delay: float
    at: float


@attrs.define(eq=False)
class Failing:
    """The children of one runtime that are in a round of attempts.

    Attributes:
        inherited: What was stored of children that are not there yet, by path.
    """

    _runtime: "Runtime"
    inherited: dict[str, FailureMemory] = attrs.field(factory=dict[str, FailureMemory], init=False)
    _known: OrderedDict[str, FailureMemory] = attrs.field(factory=OrderedDict[str, FailureMemory], init=False)

    def heard(self, event: Event) -> None:
        """Note that a child is to be restarted, or that its round is over."""
        if isinstance(event, ChildParked):
            self._known.pop(event.path, None)
        elif isinstance(event, ChildRestarting):
            due = self._runtime.state.to_wall(event.time + event.delay)
            self._note(event.path, FailureMemory(event.failures, event.delay, due))

    def dump(self) -> dict[str, FailureMemory] | None:
        """Return the failures of all children whose round is not over; None: there are none."""
        for path in [path for path in self._known if not self._counts(path)]:
            del self._known[path]
        oldest = self._runtime.state.wall() - _OUTDATED
        pending = {path: each for path, each in self.inherited.items() if each.at > oldest}
        return dict(sorted((pending | self._known).items())[:MOST]) or None

    def load(self, stored: dict[str, FailureMemory]) -> None:
        """Give each child the failures that it had; those that are not there yet, when they come."""
        self.inherited = dict(stored)
        for path in stored:
            cell = self._find(path)
            if cell is not None:
                self.take_up(cell)

    def take_up(self, cell: "Cell") -> None:
        """Give *cell*, which has not been started yet, the failures that were stored of its path."""
        path = cell.path
        memory = self.inherited.pop(path, None)
        if memory is None or self._runtime.state.wall() - memory.at >= cell.spec.options.reset_after:
            return
        cell.more.failures = FailureCount(max(1, memory.failures), max(0.0, memory.delay))
        self._note(path, memory)

    def _note(self, path: str, memory: FailureMemory) -> None:
        self._known[path] = memory
        self._known.move_to_end(path)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def _counts(self, path: str) -> bool:
        """Return whether the round of the child at *path* goes on."""
        cell = self._find(path)
        if cell is None:
            return self._runtime.stopping.is_set()  # children that were added are forgotten with their supervisor
        failures = None if cell.extra is None else cell.extra.failures
        if failures is None or not failures.failures or has_held_out(cell):
            return False
        return not failures.is_spent(self._runtime.policies.plan(cell.spec.options).max_failures)

    def _find(self, path: str) -> "Cell | None":
        with suppress(UnknownPathError):
            return self._runtime._cell(path)  # noqa: SLF001  # its kernel
        return None
