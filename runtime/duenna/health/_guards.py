"""What the guards of the process did while one runtime ran."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs

from duenna.machines import health
from duenna.machines.health import Service, ServiceStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from duenna.guards import Dependency, GuardStatistics


@attrs.frozen
class _Counts:
    """Calls of one dependency: how many came to an end, succeeded, were refused."""

    calls: int = 0
    successes: int = 0
    rejected: int = 0

    @classmethod
    def of(cls, statistics: GuardStatistics) -> _Counts:
        return cls(statistics.calls, statistics.successes, statistics.rejected)

    def since(self, before: _Counts) -> _Counts:
        """Return what was added to *before*; all of it if the counters were reset in between."""
        if self.calls < before.calls or self.rejected < before.rejected:
            return self
        successes = max(0, self.successes - before.successes)
        return _Counts(self.calls - before.calls, successes, self.rejected - before.rejected)


_TELLING = "alerts:"
"""Guards of those who tell people: a receiver that is dead is no illness of the bot."""


class UsedGuards:
    """The guards that are used, or in trouble: guards outlive runtimes, and are of the whole process."""

    def __init__(self, guards: Mapping[str, Dependency]) -> None:
        """Count from now on."""
        self._guards = guards
        self._before: WeakKeyDictionary[Dependency, _Counts] = WeakKeyDictionary()
        for dependency in list(guards.values()):
            self._before[dependency] = _Counts.of(dependency.statistics())

    def look(self) -> Iterator[tuple[str, Dependency, Service, _Counts]]:
        """Yield each, how it does, and what it has counted since the beginning."""
        for name in self._guards:
            if name.startswith(_TELLING):
                continue
            dependency = self._guards.get(name)
            if dependency is None:
                continue
            counts = _Counts.of(dependency.statistics()).since(self._before.get(dependency, _Counts()))
            service = of_guard(name, dependency)
            if counts.calls or counts.rejected or service.status is not ServiceStatus.OPERATIONAL:
                yield name, dependency, service, counts

    def one(self, name: str) -> Service | None:
        """Return how the dependency called *name* does, None if there is none."""
        dependency = None if name.startswith(_TELLING) else self._guards.get(name)
        return None if dependency is None else of_guard(name, dependency)


def of_guard(name: str, dependency: Dependency) -> Service:
    """Return how *dependency* does."""
    return health.guard(name, dependency.state, dependency.health, dependency.last_error or "")
