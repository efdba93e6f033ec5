"""Key figures of a bot that recovers by itself, each with its target."""

from collections import deque
from typing import Final

import attrs
import msgspec

RECENT: Final = 300.0
"""Seconds that errors count as recent, and that the error rate is measured over."""

MOST_RECOVERIES: Final = 100
"""The latest recoveries, of which the mean time is taken."""


class Kpi(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One figure and its target.

    Attributes:
        name: `error_rate`, `success_rate`, `breaker_opens`, `mean_time_to_recovery` or `error_diversity`.
        value: The figure; None: there is nothing yet to take it from, which meets any target.
        unit: Of the value and the target.
        comparison: `<`, `>` or `<=`: what the value must be to the target.
        target: What is aimed for.
        met: Whether it is.
    """

    name: str
    value: float | None
    unit: str
    comparison: str
    target: float
    met: bool

    def text(self) -> str:
        """Return the figure as a line."""
        value = "-" if self.value is None else f"{self.value:g}"
        return f"{self.name} {value} {self.unit} (target {self.comparison} {self.target:g}): {_MET[self.met]}"


_MET: Final = {True: "met", False: "not met"}

_TARGETS: Final = {
    "error_rate": ("errors/min", "<", 1.0),
    "success_rate": ("%", ">", 99.0),
    "breaker_opens": ("times", "<=", 0.0),
    "mean_time_to_recovery": ("s", "<", 300.0),
    "error_diversity": ("types", "<=", 5.0),
}


def kpi(name: str, value: float | None) -> Kpi:
    """Return the figure called *name* with its target.

    Raises:
        KeyError: There is none of that name.
    """
    unit, comparison, target = _TARGETS[name]
    met = True
    if value is not None:
        met = {"<": value < target, ">": value > target, "<=": value <= target}[comparison]
    return Kpi(name=name, value=value, unit=unit, comparison=comparison, target=target, met=met)


def kpis(
    *, recent_errors: int, successes: int, calls: int, opens: int, recovery: float | None, types: int
) -> tuple[Kpi, ...]:
    """Return every figure.

    Args:
        recent_errors: Errors of the last `RECENT` seconds.
        successes: Guarded calls that got a result from the far end.
        calls: Guarded calls that came to an end.
        opens: How often breakers opened.
        recovery: The mean time to recovery in seconds, None without any.
        types: Distinct types among the errors.
    """
    return (
        kpi("error_rate", recent_errors * 60.0 / RECENT),
        kpi("success_rate", 100.0 * successes / calls if calls else None),
        kpi("breaker_opens", float(opens)),
        kpi("mean_time_to_recovery", recovery),
        kpi("error_diversity", float(types)),
    )


@attrs.define
class Outages:
    """What is down, since when, and how long it took to come back."""

    _began: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _lasted: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=MOST_RECOVERIES), init=False)

    def begin(self, name: str, now: float) -> None:
        """Note that *name* is down, since *now* unless it was before."""
        self._began.setdefault(name, now)

    def end(self, name: str, now: float) -> None:
        """Note that *name* is up; nothing if it was."""
        began = self._began.pop(name, None)
        if began is not None:
            self._lasted.append(now - began)

    def forget(self, name: str) -> None:
        """Note that *name* is down because somebody wanted that, or gone: that is no outage, and no recovery."""
        self._began.pop(name, None)

    @property
    def names(self) -> tuple[str, ...]:
        """What is down, in the order in which it went."""
        return tuple(self._began)

    def mean(self, now: float) -> float | None:
        """Return the mean time to recovery in seconds at *now*, of the latest `MOST_RECOVERIES`; None without any.

        An outage that is not over counts with what it has lasted, once that is longer than the
        mean of the others: or the longest outage of all would be the one that does no harm.
        """
        count, total = len(self._lasted), sum(self._lasted)
        for lasts in sorted((now - began for began in self._began.values()), reverse=True):
            if count and lasts * count <= total:
                break
            count, total = count + 1, total + lasts
        return total / count if count else None
