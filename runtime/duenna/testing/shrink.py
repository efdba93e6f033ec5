"""Shrinks a fault plan: to the faults that matter, and then to earlier and shorter ones.

hypothesis chooses what to try next; each try is a whole run of a world. This module needs
``pip install "duenna[testing]"``.

Theory of operation: hypothesis shrinks what it can draw, towards 0, so a plan is described by
whole numbers. The largest ones stand for the plan as it was, so that nearly every first draw gives
a plan that is known to break; 0 stands for "left out", "at the first second", "as short as can be".
Many numbers stand for the same plan, which is run once only.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

import attrs
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from msgspec.structs import replace

from duenna.faults import FaultPlan, Planned, dump_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

T = TypeVar("T")

RUNS = 60
"""Runs that a plan is worth, if nobody says otherwise."""

_UNCHECKED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
_LAST = 10_000  # far more than there are choices: a draw at random means the last of them
_FEW, _MANY = 16, 300  # faults that are left out one by one; those that hypothesis can describe at all
_BEGINS = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
_LENGTHS = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0)


@attrs.frozen
class Shrunk:
    """What is left of a plan.

    Attributes:
        plan: It breaks what the whole one broke. Every fault in it strikes once.
        runs: How many runs it took.
        is_exhausted: Whether there were no runs left, so that a smaller one may exist.
    """

    plan: FaultPlan
    runs: int
    is_exhausted: bool


def shrink(plan: FaultPlan, seconds: float, breaks: Callable[[FaultPlan], bool], *, runs: int = RUNS) -> Shrunk:
    """Find a smaller plan that still breaks what *plan* breaks. The same arguments give the same result.

    Args:
        plan: It is known to break it.
        seconds: Only what begins before is of interest.
        breaks: Runs a plan and says whether it breaks the same.
        runs: How often *breaks* may be called. 0 or more.

    Returns:
        The smallest plan that was found.
    """
    search = _Search(breaks, runs)
    faults = unrolled(plan, seconds)
    if not search(FaultPlan(faults=faults)):  # repeats written out are another plan in some detail
        return Shrunk(plan, search.used, search.is_exhausted)
    faults = search.nearest(faults)
    if len(faults) <= _MANY:
        faults = search.smallest(_fewer(faults), faults)
        faults = search.smallest(_sooner(faults), faults)
    return Shrunk(FaultPlan(faults=faults, name=plan.name), search.used, search.is_exhausted)


def unrolled(plan: FaultPlan, seconds: float) -> tuple[Planned, ...]:
    """Return the strikes of *plan* as entries of their own, in the order of time."""
    return tuple(replace(strike.planned, at=strike.begin, every=None, times=None) for strike in plan.strikes(seconds))


@attrs.define
class _Search:
    """Tries plans, each at most once, and only so many."""

    _breaks: Callable[[FaultPlan], bool]
    _limit: int
    used: int = 0
    is_exhausted: bool = False
    _known: dict[str, bool] = attrs.field(factory=dict[str, bool], init=False)

    def __call__(self, plan: FaultPlan) -> bool:
        key = dump_plan(plan)
        if key not in self._known:
            if self.used >= self._limit:
                self.is_exhausted = True
                return False
            self.used += 1
            self._known[key] = self._breaks(plan)
        return self._known[key]

    def nearest(self, faults: tuple[Planned, ...]) -> tuple[Planned, ...]:
        """Return the last of *faults*, as few as break it: what is long past seldom matters."""
        few = 1
        while len(faults) > _FEW and few < len(faults):
            if self(FaultPlan(faults=faults[-few:])):
                return faults[-few:]
            few *= 2
        return faults

    def smallest(
        self, strategy: SearchStrategy[tuple[Planned, ...]], known: tuple[Planned, ...]
    ) -> tuple[Planned, ...]:
        """Return the simplest that *strategy* has; *known* breaks it, and is what it mostly draws."""
        found = settings(
            database=None,
            deadline=None,
            max_examples=200,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=_UNCHECKED,
        )
        try:
            return find(
                strategy,
                lambda faults: self(FaultPlan(faults=faults)),
                settings=found,
                random=Random(0),  # noqa: S311  # the same failure shrinks in the same way
            )
        except NoSuchExample:
            return known


@st.composite
def _fewer(draw: DrawFn, faults: tuple[Planned, ...]) -> tuple[Planned, ...]:
    return tuple(planned for planned in faults if draw(st.integers(0, _LAST)))


@st.composite
def _sooner(draw: DrawFn, faults: tuple[Planned, ...]) -> tuple[Planned, ...]:
    """Move all of them to the front together, then make each shorter, then move each on its own."""
    if not faults:
        return ()
    first = faults[0].at
    ahead = first - _choice(draw, [*(time for time in _BEGINS if time < first), first])
    return tuple(_simpler(draw, planned, planned.at - ahead) for planned in faults)


def _simpler(draw: DrawFn, planned: Planned, at: float) -> Planned:
    full = planned.duration
    duration = None if full is None else _choice(draw, [*(time for time in _LENGTHS if time < full), full])
    begins = sorted({*(time for time in _BEGINS if time < at), float(int(at)), at})
    return replace(planned, at=_choice(draw, begins), duration=duration)


def _choice(draw: DrawFn, choices: Sequence[T]) -> T:
    return choices[min(draw(st.integers(0, _LAST)), len(choices) - 1)]
