"""A runtime, as the guards of its process see it."""

from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna._owner import owner_of
from duenna._scope import current, surroundings
from duenna._text import describe
from duenna.guards._verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna._runtime import Runtime
    from duenna.guard_events import GuardEvent
    from duenna.guards._dependency import Dependency
    from duenna.machines.permit import Change


@attrs.define(eq=False)
class Link:
    """A runtime that wants to hear of its guards, and its loop.

    Attributes:
        runtime: The runtime.
        token: Its loop.
    """

    runtime: "Runtime"
    token: trio.lowlevel.TrioToken = attrs.field(factory=trio.lowlevel.current_trio_token, init=False)
    _judge: Judge | None = None

    @property
    def is_here(self) -> bool:
        """Whether its loop is what runs in this thread now."""
        return trio.lowlevel.in_trio_run() and trio.lowlevel.current_trio_token() is self.token

    @property
    def judge(self) -> Judge:
        """Who asks its classifier, whichever that is at present."""
        judge, classifier = self._judge, self.runtime.classifier
        if judge is None or judge.classifier is not classifier:
            judge = self._judge = Judge(classifier)
        return judge

    @property
    def owner(self) -> str:
        """The path of the actor whose code runs here now; empty if it is none's."""
        if not (self.is_here and trio.lowlevel.in_trio_task()):
            return ""
        return owner_of(trio.lowlevel.current_task(), self.runtime.askers)

    def recall(self, dependency: "Dependency", *, is_outer: bool = False) -> "Change | None":
        """Have *dependency* be what an earlier process left, as far as this runtime's state knows; return its move."""
        memories = self.runtime.system.breakers
        return None if memories is None else memories.recall(dependency, is_outer=is_outer)

    def report(self, guard: str, error: Exception, attempts: int) -> None:
        """Have the failure of a call through *guard* reported."""
        self.call(self.runtime.reports.guard, guard, error, attempts, self.owner, surroundings(current()))

    def call(self, function: "Callable[..., object]", *args: Any) -> bool:
        """Call a *function* of the runtime in its own thread, now or soon; return whether that is possible."""
        if self.is_here:
            function(*args)
            return True
        try:
            self.token.run_sync_soon(function, *args)
        except trio.RunFinishedError:
            return False
        return True

    def post(self, kind: "type[GuardEvent]", guard: str, fields: dict[str, Any]) -> None:
        """Post an event that somebody wants, from whatever thread."""
        runtime = self.runtime
        if not runtime.bus.wants(kind):
            return
        path = self.owner
        texts = {name: describe(value) if isinstance(value, BaseException) else value for name, value in fields.items()}
        event = kind(time=runtime.now(), path=path or "/", guard=guard, **texts)
        self.call(runtime.bus.post, event)
