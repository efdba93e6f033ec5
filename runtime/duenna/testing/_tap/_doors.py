"""The one way into every handler: the context of variables in which the dispatcher runs a turn."""

from collections.abc import Callable
from contextvars import Context as Variables
from typing import Any

from duenna._cell import Cell
from duenna._dispatcher import Dispatcher
from duenna.testing._tap._log import Log, log_of
from duenna.testing._tap._mail import outcome_of

_variables: Any = vars(Dispatcher)["_context"]  # the slot that the property below stands before


class TracedDispatcher(Dispatcher):
    """Enters every handler through a `Door`; made of a plain one by changing its class."""

    __slots__ = ()

    @property
    def _context(self) -> Any:
        return _variables.__get__(self)

    @_context.setter
    def _context(self, variables: Variables) -> None:
        _variables.__set__(self, Door(variables, log_of(self._node.runtime.timers)))

    @classmethod
    def adopt(cls, dispatcher: Dispatcher) -> None:
        """Make *dispatcher* one of these."""
        variables = _variables.__get__(dispatcher)
        dispatcher.__class__ = cls
        dispatcher._context = variables  # noqa: SLF001  # it gets its door


class Door:
    """Stands for a context of variables: it can be copied, and run in."""

    __slots__ = ("_cell", "_log", "_variables")

    def __init__(self, variables: Variables, log: Log) -> None:
        """Run in *variables*."""
        self._variables = variables
        self._log = log
        self._cell: Any = None

    def copy(self) -> "Door":
        """Return the like for one turn."""
        return Door(self._variables.copy(), self._log)

    def run(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Make a step of a turn; the first one names the cell."""
        is_first = self._cell is None
        if is_first and args and isinstance(args[0], Cell):
            self._cell = args[0]
        cell = self._cell
        if cell is None:
            return self._variables.run(function, *args, **named)
        with self._log.done_by(cell):
            try:
                return self._variables.run(function, *args, **named)
            except StopIteration:
                cell.mail.handled("crashed" if is_first else "done")
                raise
            except BaseException as exc:
                cell.mail.handled(outcome_of(exc))
                raise
