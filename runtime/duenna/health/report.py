"""The health of a bot as values: for people, for a console, for a probe."""

import msgspec

from duenna.machines.breaker import BreakerState
from duenna.machines.health import Overall, ServiceStatus
from duenna.machines.kpis import Kpi


class HealthReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How a bot does at one moment.

    Attributes:
        time: When, in seconds of trio's clock.
        overall: The whole.
        services: Each actor of the bot by its path, each guarded dependency that is used by its
            name; of the runtime's own actors, under `/system`, those that are not operational.
        recent_errors: Errors of the last five minutes.
        breakers: The state of each breaker, by the name of its guards.
        issues: What is wrong, a sentence each; empty if nothing is. At most 100, and how many more there are.
        kpis: The key figures, with their targets.
    """

    time: float
    overall: Overall
    services: dict[str, ServiceStatus]
    recent_errors: int
    breakers: dict[str, BreakerState]
    issues: tuple[str, ...]
    kpis: tuple[Kpi, ...]

    def text(self) -> str:
        """Return the report for a person, a line each."""
        lines = [f"{self.overall}, {self.recent_errors} errors within 5 min"]
        lines += [f"  {issue}" for issue in self.issues]
        lines += [f"  {kpi.text()}" for kpi in self.kpis]
        return "\n".join(lines)
