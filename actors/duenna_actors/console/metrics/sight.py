"""What probes, systemd and the heartbeat look at: the actors without which the bot is not ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import attrs

from duenna import HealthReport
from duenna.child_facts import Facts
from duenna.inspection import Inspector
from duenna.machines.lifecycle import ALIVE, ChildState
from duenna.machines.link import UP

if TYPE_CHECKING:
    from duenna import Runtime

_SHARE: Final = 0.1
_RUNNING: Final = ALIVE | {ChildState.PENDING}


@attrs.define(eq=False)
class Sight:
    """Looks at the critical actors of one runtime.

    Probes are open to everybody, and a look goes over the whole tree, twice. So what was seen is told again
    for ten times as long as the look took: however many ask, each is at most a tenth of the loop's time.
    """

    _inspector: Inspector
    _seen: tuple[Facts, ...] = attrs.field(default=(), init=False)
    _until: float = attrs.field(default=float("-inf"), init=False)
    _report: HealthReport | None = attrs.field(default=None, init=False)
    _report_until: float = attrs.field(default=float("-inf"), init=False)

    def critical(self, runtime: Runtime) -> tuple[Facts, ...]:
        """Return the actors that are critical, in start order."""
        began = runtime.now()
        if began >= self._until:
            self._seen = tuple(facts for facts in self._inspector.walk() if facts.is_critical)
            self._until = runtime.now() + (runtime.now() - began) / _SHARE
        return self._seen

    def health(self, runtime: Runtime) -> HealthReport:
        """Return how the bot does."""
        began = runtime.now()
        if self._report is None or began >= self._report_until:
            self._report = runtime.health()
            self._report_until = runtime.now() + (runtime.now() - began) / _SHARE
        return self._report


_SIGHTS: WeakKeyDictionary[Runtime, Sight] = WeakKeyDictionary()


def critical_actors(runtime: Runtime) -> tuple[Facts, ...]:
    """Return the actors of *runtime* that are critical, as they are now or were a moment ago."""
    return _sight(runtime).critical(runtime)


def health_of(runtime: Runtime) -> HealthReport:
    """Return how *runtime* does now, or did a moment ago."""
    return _sight(runtime).health(runtime)


def _sight(runtime: Runtime) -> Sight:
    sight = _SIGHTS.get(runtime)
    if sight is None:
        sight = _SIGHTS[runtime] = Sight(Inspector(runtime))
    return sight


def why_not_alive(runtime: Runtime) -> str:
    """Say why only a restart of the process would help *runtime*; empty if it lives, or stops in order."""
    for root in runtime.roots:
        if root.manager.outcome is not None:
            return f"{root.path} has failed"
        if not runtime.stopping.is_set() and root.state not in _RUNNING:
            return f"{root.path} is {root.state}"
    return "the runtime has ended" if runtime.is_over else ""


def why_not_operational(facts: Facts, now: float) -> str:
    """Say why the bot is not ready because of a critical actor; empty if it does its work on fresh data.

    A connection whose link is degraded reaches the far end: it works, however badly.
    """
    is_up = facts.state == "running" and facts.link in UP
    if facts.status not in {"", "operational"} and not is_up:
        return facts.why or f"is {facts.status}"
    if facts.state != "running":
        return f"is {facts.state}"
    return why_stale(facts, now)


def why_stale(facts: Facts, now: float) -> str:
    """Say why the data of an actor is not as it must be; empty if it is, or the actor says nothing of it."""
    fresh = facts.fresh
    if fresh is None or fresh.is_fresh(now):
        return ""
    if fresh.at is None:
        return f"has had no data yet, expects some every {fresh.expect_every:g} s"
    return f"had its last data {now - fresh.at:.1f} s ago, expects some every {fresh.expect_every:g} s"
