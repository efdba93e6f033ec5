"""Guards with a tap: for the time of a world every call, attempt and move of a breaker is recorded.

As with actors, nothing in the runtime knows of these classes, none of them has a slot of its
own, and none decides anything. A guard that is rehearsed in a world is not of that world.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from duenna.guards._dependency import Dependency
from duenna.guards._registry import GuardRegistry, registry
from duenna.testing._tap._calls import TracedCall
from duenna.testing._tap._ledger import Ledger
from duenna.testing._tap._specs import finite

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from duenna._runtime import Runtime
    from duenna.guards._shared import DependencySettings
    from duenna.machines.breaker import Breaker
    from duenna.machines.permit import Change, Permit
    from duenna.testing._tap._log import Record

_MANY = 1_000_000
"""Openings in a row after which none lasts longer."""


@contextmanager
def tap_guards(record: Record, runtimes: Callable[[], Iterable[Runtime]] = tuple) -> Generator[None]:
    """Record what all guards of the process do, those that are made meanwhile included.

    Args:
        record: Called with kind, path, incarnation, and fields by name.
        runtimes: Gives those whose actors may be calling.
    """
    tapped: Any = registry
    tapped.__class__ = TracedRegistry
    tapped.open(Ledger(record, TracedCall, runtimes))
    try:
        yield
    finally:
        tapped.close()
        tapped.__class__ = GuardRegistry


class TracedRegistry(GuardRegistry):
    """Taps whatever is made; made of the plain one by changing its class."""

    _ledger: Ledger

    def open(self, ledger: Ledger) -> None:
        """Tap what there is."""
        self._ledger = ledger
        for dependency in list(self._users):
            self._adopt(dependency)

    def close(self) -> None:
        """Take all taps off."""
        for dependency in list(self._users):
            if dependency.tap is self._ledger:
                dependency.__class__, dependency.tap = Dependency, None
        del self._ledger

    def find_or_make(
        self, name: str, settings: DependencySettings, guard: object, make: Callable[[], Dependency]
    ) -> Dependency:
        """Return what all guards called *name* share, tapped unless it is rehearsed."""
        if self._stage() is not None:
            return super().find_or_make(name, settings, guard, make)
        return super().find_or_make(name, settings, guard, lambda: self._adopt(make()))

    def _adopt(self, dependency: Dependency) -> Dependency:
        dependency.__class__, dependency.tap = TracedDependency, self._ledger
        dependency.circuit.permit.gated = True
        return dependency


class TracedDependency(Dependency):
    """What all guards of one name share, tapped; made of a plain one by changing its class."""

    __slots__ = ()

    @property
    def _ledger(self) -> Ledger:
        return self.tap  # type: ignore[return-value]  # it is what made the dependency one of these

    def succeeded(self, permit: Permit, duration: float = 0.0) -> None:
        """Note that a permit was given back."""
        self._ledger.account(self).held -= 1
        super().succeeded(permit, duration)

    def failed(self, permit: Permit, error: Exception, duration: float = 0.0) -> bool:
        """Record that an error was counted, if it was."""
        ledger = self._ledger
        ledger.account(self).held -= 1
        is_counted = super().failed(permit, error, duration)
        if is_counted:
            ledger.write("failure_counted", self.name)
        return is_counted

    def release(self, permit: Permit, admitted: float | None = None) -> None:
        """Note that a permit was given back."""
        self._ledger.account(self).held -= 1
        super().release(permit, admitted)

    def _watch(self) -> None:
        super()._watch()
        self.circuit.permit.gated = True  # every call takes the long way, on which the taps are

    def _start(self, now: float) -> tuple[Change | None, ...]:
        if self._ledger.knows(self):  # and not some guard that another test has left behind
            self._ledger.write("guard_reset", self.name)
        return super()._start(now)

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            self._ledger.write(
                "breaker_moved",
                self.name,
                previous=change.previous,
                state=change.state,
                cause=change.cause,
                open_for=finite(change.open_for),
                **_facts(self.circuit.settings),
            )
        super()._tell(change)


def _facts(settings: Breaker) -> dict[str, Any]:
    """Return what a checker holds a breaker to."""
    return {
        "probes": settings.probes,
        "probe_timeout": finite(settings.probe_timeout),
        "shortest": settings.open_for * (1.0 - settings.open_jitter),
        "longest": settings.opening(_MANY, 1.0),
    }
