"""How what a trade engine needs does now: actors by their paths, guards by their names."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import attrs

from duenna.errors import UnknownPathError
from duenna.guard_events import GuardEvent
from duenna.health import ServiceStatus

if TYPE_CHECKING:
    from duenna import Runtime
    from duenna.events import Event


@attrs.define
class Condition:
    """How it is with all of them.

    Attributes:
        troubles: What cannot be used, a sentence each; at most 20, then how many more.
        is_degraded: Whether something is worse than it should be, and can be used.
        again_in: Seconds after which that may be another without an event; inf: it will not.
    """

    troubles: list[str] = attrs.field(factory=list[str])
    is_degraded: bool = False
    again_in: float = inf


@attrs.frozen
class Needs:
    """The actors, supervisors and guards that must be well.

    Attributes:
        names: Absolute paths, and names of guards.
        accept_degraded: Whether a link that is degraded can be used.
    """

    names: tuple[str, ...]
    accept_degraded: bool

    def concern(self, event: Event) -> bool:
        """Return whether *event* may have changed how one of them does."""
        if isinstance(event, GuardEvent):
            return event.guard in self.names
        path = event.path
        return path == "/" or any(
            name == path or name.startswith(f"{path}/") or path.startswith(f"{name}/") for name in self.names
        )

    def look(self, runtime: Runtime) -> Condition:
        """Return how they do now."""
        condition = Condition()
        for name in self.names:
            if name.startswith("/"):
                self._look_at(name, runtime, condition)
            else:
                _look_at_guard(name, runtime, condition)
        more = len(condition.troubles) - _MOST_TROUBLES
        if more > 0:
            condition.troubles[_MOST_TROUBLES:] = [f"and {more} more"]
        return condition

    def _look_at(self, path: str, runtime: Runtime, condition: Condition) -> None:
        try:
            services = runtime.services(path)
        except UnknownPathError:
            condition.troubles.append(f"{path} is not there")
            return
        if not services and runtime.tree(path).kind != "supervisor":  # below one, what has ended is missed by nobody
            condition.troubles.append(f"{path} has ended")
        for service in services:
            if service.status is ServiceStatus.OPERATIONAL:
                continue
            if service.status is ServiceStatus.DEGRADED and service.is_settled and self.accept_degraded:
                condition.is_degraded = True
            else:
                condition.troubles.append(f"{service.name} {service.why}")


_MOST_TROUBLES = 20


def _look_at_guard(name: str, runtime: Runtime, condition: Condition) -> None:
    """Note whether a guard lets calls through.

    An open breaker whose time is over does: it stays open until somebody calls, and who if
    not the engine.
    """
    dependency = runtime.guards.get(name)
    if dependency is None:
        return  # it was not used yet
    wait = dependency.circuit.retry_after(dependency.timeline.now())
    if wait > 0:
        because = f": {dependency.last_error}" if dependency.last_error else ""
        condition.troubles.append(f"guard {name} refuses calls, its breaker is {dependency.state}{because}")
        condition.again_in = min(condition.again_in, wait)
