"""Who calls what, and how many calls there were: what the records of all guards in a world share."""

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

import attrs
import trio

from duenna._owner import owner_of
from duenna._runtime import Runtime
from duenna.guards._call import Call
from duenna.guards._dependency import Dependency
from duenna.machines.budget import RetryBudget
from duenna.testing._presence import present
from duenna.testing._tap._log import Record


@attrs.define(eq=False)
class Try:
    """One attempt of a call.

    Attributes:
        attempt: Number of the attempt, from 1.
        hedge: 0 for the attempt itself, counted up for those beside it.
        admitted: When the breaker let it through, in seconds.
        is_sent: Whether the function was called.
    """

    attempt: int
    hedge: int
    admitted: float
    is_sent: bool = False


@attrs.define(eq=False)
class Story:
    """What is known of one call.

    Attributes:
        number: Of the call, in its world.
        outcome: How it ended: `ok`, `error` or, if neither was said, `cancelled`.
        tries: Those under way, by the task that each runs in.
        unsent: The one that was given up last before it was sent.
    """

    number: int
    outcome: str = "cancelled"
    tries: dict[object, Try] = attrs.field(factory=dict[object, Try])
    unsent: Try | None = None
    _hedges: tuple[int, int] = (0, 0)

    def next(self, attempt: int, now: float) -> Try:
        """Return a new try."""
        before, count = self._hedges
        self._hedges = attempt, count + 1 if attempt == before else 0
        return Try(attempt, self._hedges[1], now)


@attrs.define
class Account:
    """What the guards of one name have under way.

    Attributes:
        under_way: Calls.
        held: Permits that were neither settled nor released.
    """

    under_way: int = 0
    held: int = 0


@attrs.define(eq=False)
class Ledger:
    """Writes the records of all guarded calls.

    Attributes:
        record: Where to.
        kind: The class that a call gets.
        runtimes: Whose actors may be calling.
        stories: The calls under way.
    """

    record: Record
    kind: type[Call]
    runtimes: Callable[[], Iterable[Runtime]] = tuple
    stories: dict[Call, Story] = attrs.field(factory=dict[Call, Story], init=False)
    _calls: int = attrs.field(default=0, init=False)
    _accounts: "WeakKeyDictionary[Dependency, Account]" = attrs.field(
        factory=WeakKeyDictionary[Dependency, Account], init=False
    )
    _budgets: "WeakKeyDictionary[RetryBudget, int]" = attrs.field(
        factory=WeakKeyDictionary[RetryBudget, int], init=False
    )

    def begins(self, call: Call) -> None:
        """Follow a call that has made no attempt yet."""
        self._calls += 1
        self.stories[call] = Story(self._calls)
        self.account(call.dependency).under_way += 1
        call.__class__ = self.kind
        self.write("call_begun", call.dependency.name, call=self._calls)

    def knows(self, dependency: Dependency) -> bool:
        """Return whether there was a call of *dependency*."""
        return dependency in self._accounts

    def account(self, dependency: Dependency) -> Account:
        """Return what *dependency* has under way."""
        return self._accounts.setdefault(dependency, Account())

    def budget_name(self, dependency: Dependency, budget: RetryBudget) -> str:
        """Return a name for what retries are paid from: that of the guard, or a number if it is somebody's own."""
        if budget is dependency.budget:
            return dependency.name
        return f"budget {self._budgets.setdefault(budget, len(self._budgets) + 1)}"

    # -- where and when --------------------------------------------------------

    def now(self) -> float:
        """Return the time in seconds, as whoever runs now has it: a worker thread may be ahead."""
        here = present()
        return trio.current_time() if here is None else here.now()

    def strand(self) -> object:
        """Return what runs now: a task, or a worker thread."""
        here = present()
        if here is not None and here.call is not None:
            return here.call
        return trio.lowlevel.current_task() if trio.lowlevel.in_trio_task() else None

    def write(self, kind: str, guard: str, **fields: Any) -> None:
        """Add a record, in the name of the actor that runs now."""
        here = present()
        if here is not None and here.ahead:
            fields["time"] = here.now()
        self.record(kind, self._who(), guard=guard, **fields)

    def _who(self) -> str:
        here = present()
        if here is not None and here.call is not None:
            task = here.call.task
        else:
            task = trio.lowlevel.current_task() if trio.lowlevel.in_trio_task() else None
        paths = (owner_of(task, runtime.askers) for runtime in self.runtimes())
        return next(filter(None, paths), "")
