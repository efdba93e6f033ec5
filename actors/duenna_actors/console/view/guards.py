"""The breakers of a bot as rows."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from duenna.guards import Breaker, BreakerState
from duenna_actors.console.view.model import BreakerRow
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna import Runtime
    from duenna.guards import Dependency
    from duenna_actors.console.view.memory import ConsoleMemory

MOST: Final = 500
_LONGEST_ERROR: Final = 300
_PASSING: Final = frozenset({"closed", "disabled", "metrics_only"})


def breaker_row(name: str, dependency: Dependency, now: float) -> BreakerRow:
    """Return the guards called *name*, at *now* in seconds of the bot's clock: theirs began when it liked."""
    offset = round(now - dependency.timeline.now(), 3)  # to a millisecond, or the row would change at every look
    known = dependency.statistics()
    until = dependency.circuit.until if known.state is BreakerState.OPEN else inf
    return BreakerRow(
        name=name,
        state=str(known.state),
        health=str(known.health),
        since=known.since + offset,
        retry_at=until + offset if until < inf else None,
        calls=known.calls,
        successes=known.successes,
        failures=known.failures,
        rejected=known.rejected,
        fallbacks=known.fallbacks,
        failure_rate=known.failure_rate,
        last_error=brief(known.last_error or "", _LONGEST_ERROR),
    )


def used_breakers(runtime: Runtime, told: dict[str, None]) -> Iterator[BreakerRow]:
    """Yield every guard with a breaker that was used, at most 500; the caller may pause between two.

    Args:
        runtime: Whose guards.
        told: The guards that were told of before, and those that are now: one that was just reset has not
            been used since, and its operator wants to see it closed.
    """
    found, now = 0, runtime.now()
    for name in list(runtime.guards):
        dependency = runtime.guards.get(name)
        if dependency is None or not isinstance(dependency.settings.breaker, Breaker):
            continue
        row = breaker_row(name, dependency, now)
        if row.calls or row.rejected or row.state != "closed" or name in told:
            if len(told) < MOST:
                told[name] = None
            yield row
            found += 1
        if found >= MOST:
            return


def in_order(rows: list[BreakerRow]) -> tuple[BreakerRow, ...]:
    """Return the rows with those first through which calls do not pass freely, each kind by name."""
    return tuple(sorted(rows, key=lambda row: (row.state == "closed", row.state in _PASSING, row.name)))


def by_actor(rows: tuple[BreakerRow, ...], memory: ConsoleMemory) -> dict[str, tuple[str, ...]]:
    """Return the names of the breakers that are not closed, by the actors that called them."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if row.state != "closed":
            for path in memory.guards.get(row.name, ()):
                found[path] = (*found.get(path, ()), row.name)
    return found
