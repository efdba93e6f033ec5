"""Random plans: faults of all kinds, now and then two at once, drawn from a generator that is passed in.

Every draw is a call of ``Random.random``, whose sequence no version of Python has changed, and times are whole
milliseconds: the same state gives the same plan everywhere.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import TypeVar

import attrs

from duenna.faults import _rules
from duenna.faults._kinds import (
    AnyFault,
    Bandwidth,
    ClockStep,
    Crash,
    DatabaseLost,
    DatabaseSlow,
    DiskFull,
    Fault,
    FileFault,
    FlipByte,
    HalfOpen,
    Latency,
    Loss,
    NameNotFound,
    NetworkFault,
    Partition,
    Refuse,
    Reset,
    Service,
    Stall,
    Suspend,
    TlsFailure,
    Truncate,
)
from duenna.faults._plan import MAX_STRIKES, FaultPlan, Planned
from duenna.machines import checks

T = TypeVar("T")

_CLOSE = 0.2  # the share of faults that come hard on the heels of another
_HASTE = 0.01  # their mean distance, as a share of the mean of all
_ALL = 0.1  # the share of network faults that strike all hosts
_ERRORS = ("RuntimeError", "ValueError", "KeyError", "OSError", "ConnectionError", "TimeoutError", "AssertionError")


@attrs.frozen
class Recipe:
    """How one kind is drawn.

    Attributes:
        kind: Which.
        weight: How often, beside the weights of the others.
        lasts: Shortest and longest duration, in seconds; None for an instant.
        make: Makes one.
    """

    kind: type[Fault]
    weight: float
    lasts: tuple[float, float] | None
    make: Callable[[Random], AnyFault]


def _pick(rng: Random, options: Sequence[T]) -> T:
    return options[int(rng.random() * len(options))]


def _spread(rng: Random, low: float, high: float) -> float:
    """Draw between *low* and *high*, as often from 1 to 10 as from 10 to 100; round to milliseconds."""
    return round(low * math.pow(high / low, rng.random()), 3)


def _signed(rng: Random, low: float, high: float) -> float:
    return _spread(rng, low, high) * _pick(rng, (1.0, -1.0))


RECIPES = (
    Recipe(Latency, 8, (10, 300), lambda rng: Latency(extra=_spread(rng, 0.1, 5), jitter=_spread(rng, 0.01, 2))),
    Recipe(Bandwidth, 3, (10, 300), lambda rng: Bandwidth(bytes_per_second=round(_spread(rng, 1_000, 100_000)))),
    Recipe(Loss, 5, (10, 300), lambda rng: Loss(rate=_spread(rng, 0.01, 0.3))),
    Recipe(Partition, 8, (1, 180), lambda _: Partition()),
    Recipe(Stall, 8, (1, 180), lambda rng: Stall(direction=_pick(rng, ("from", "to", "both")))),
    Recipe(HalfOpen, 8, None, lambda _: HalfOpen()),
    Recipe(Reset, 8, None, lambda _: Reset()),
    Recipe(Refuse, 6, (1, 120), lambda _: Refuse()),
    Recipe(Truncate, 4, (10, 60), lambda rng: Truncate(keep=round(rng.random() * 0.95, 3))),
    Recipe(FlipByte, 1, (10, 60), lambda rng: FlipByte(count=_pick(rng, (1, 2, 3)))),
    Recipe(NameNotFound, 4, (1, 120), lambda _: NameNotFound()),
    Recipe(TlsFailure, 3, (1, 120), lambda _: TlsFailure()),
    Recipe(DatabaseLost, 4, (1, 120), lambda _: DatabaseLost()),
    Recipe(DatabaseSlow, 4, (1, 120), lambda rng: DatabaseSlow(delay=_spread(rng, 0.1, 5))),
    Recipe(DiskFull, 3, (1, 120), lambda _: DiskFull()),
    Recipe(ClockStep, 3, None, lambda rng: ClockStep(offset=_signed(rng, 0.05, 300))),
    Recipe(Suspend, 2, None, lambda rng: Suspend(length=_spread(rng, 5, 3600))),
    Recipe(Crash, 4, None, lambda rng: Crash(error=_pick(rng, _ERRORS))),
    Recipe(Service, 40, (5, 120), lambda _: Service(name="drawn elsewhere")),
)

DEFAULT_WEIGHTS: Mapping[str, float] = MappingProxyType({str(r.kind.__struct_config__.tag): r.weight for r in RECIPES})
"""How often each kind comes in a random plan, beside the others that have somebody to strike."""


def random_plan(
    rng: Random,
    seconds: float,
    *,
    hosts: Sequence[str],
    actors: Sequence[str] = (),
    files: Sequence[str] = (),
    services: Mapping[str, Sequence[Service]] | None = None,
    every: float = 600.0,
    calm: float = 300.0,
    weights: Mapping[str, float] | None = None,
) -> FaultPlan:
    """Draw a plan: faults at random times, one in five of them hard on the heels of another.

    The same state of *rng* and the same arguments give the same plan, on all versions of
    Python. Kinds that have nobody to strike do not come; those of the machine always do.

    Args:
        rng: Where chance comes from.
        seconds: Length of the run. 0 or more, finite.
        hosts: Targets of network faults, one of them each time; one fault in ten strikes them all. In a fixed order,
            as the other targets: no set.
        actors: Targets of `Crash`: paths, or globs of them.
        files: Targets of database faults: paths, or globs of them.
        services: By host, the faults that it has itself; one of all of them each time. They are given a duration.
        every: Mean distance of two faults, in seconds. Greater than 0, finite.
        calm: No fault lasts into so many seconds at the end, nor begins in them. 0 or more, finite; where it is not
            less than *seconds*, there is no fault.
        weights: How often each kind comes, beside the others: by kind, 0 or more. Kinds that are left out do not
            come. None: `DEFAULT_WEIGHTS`.

    Raises:
        TypeError: Targets are a text or a set, or a number is none.
        ValueError: A number is out of its range, a kind does not exist, *every* is so small that there would be too
            many faults, or none of the kinds has anybody to strike.
    """
    seconds = checks.duration("random_plan", "seconds", seconds, inf=False)
    every = checks.duration("random_plan", "every", every, zero=False, inf=False)
    calm = checks.duration("random_plan", "calm", calm, inf=False)
    offers = [(host, service) for host, named in (services or {}).items() for service in _listed("services", named)]
    if not all(isinstance(service, Service) for _, service in offers):
        raise TypeError(f"random_plan: services must be of the kind Service, got {services!r}")
    draw = _Draw(rng, _targets("hosts", hosts), _targets("actors", actors), _targets("files", files), offers)
    recipes = draw.possible(_weights(weights))
    last = math.floor((seconds - calm) * 1000.0) - 1  # in ms; 1 ms less, for the sum of two floats may round up
    if last > MAX_STRIKES / 2 * 1000.0 * every:
        least = last / MAX_STRIKES * 2 / 1000.0
        raise ValueError(f"random_plan: every must be >= {least:.3f} seconds in so long a run, got {every}")
    planned: list[Planned] = []
    now = 0.0
    while (now := now + draw.gap(every) * 1000.0) < last:
        planned.append(draw.entry(recipes, math.floor(now), last))
    return FaultPlan(tuple(planned), name="random")


@attrs.frozen
class _Draw:
    """What can be struck, and the draws."""

    rng: Random
    hosts: tuple[str, ...]
    actors: tuple[str, ...]
    files: tuple[str, ...]
    offers: list[tuple[str, Service]]

    def possible(self, weights: Mapping[str, float]) -> list[tuple[float, Recipe]]:
        """Return the recipes that can come, each with the sum of the weights up to it."""
        total, found = 0.0, list[tuple[float, Recipe]]()
        for recipe in RECIPES:
            weight = weights.get(str(recipe.kind.__struct_config__.tag), 0.0)
            if weight > 0.0 and self._has_target(recipe.kind):
                total += weight
                found.append((total, recipe))
        if not found:
            raise ValueError(f"random_plan: weights must leave a kind that has a target, got {dict(weights)!r}")
        return found

    def gap(self, every: float) -> float:
        """Draw the time to the next fault, in seconds: of two exponential distributions whose mean is *every*."""
        is_close = self.rng.random() < _CLOSE
        mean = every * _HASTE if is_close else every * (1.0 - _CLOSE * _HASTE) / (1.0 - _CLOSE)
        return -math.log(1.0 - self.rng.random()) * mean

    def entry(self, recipes: list[tuple[float, Recipe]], begin: int, last: int) -> Planned:
        """Draw a fault that begins at *begin* and is over at *last*, both in milliseconds."""
        drawn = self.rng.random() * recipes[-1][0]
        recipe = next((recipe for upto, recipe in recipes if drawn < upto), recipes[-1][1])
        target, fault = self._aimed(recipe)
        duration = None
        if recipe.lasts is not None:
            duration = min(math.floor(_spread(self.rng, *recipe.lasts) * 1000.0), last - begin) / 1000.0
        return Planned(at=begin / 1000.0, target=target, fault=fault, duration=duration)

    def _aimed(self, recipe: Recipe) -> tuple[str, AnyFault]:
        if recipe.kind is Service:
            return _pick(self.rng, self.offers)
        target = "*"
        if recipe.kind is Crash:
            target = _pick(self.rng, self.actors)
        elif issubclass(recipe.kind, FileFault):
            target = _pick(self.rng, self.files)
        elif issubclass(recipe.kind, NetworkFault) and self.rng.random() >= _ALL:
            target = _pick(self.rng, self.hosts)
        return target, recipe.make(self.rng)

    def _has_target(self, kind: type[Fault]) -> bool:
        if issubclass(kind, NetworkFault):
            return bool(self.hosts)
        if issubclass(kind, FileFault):
            return bool(self.files)
        return bool(self.actors) if kind is Crash else kind is not Service or bool(self.offers)


def _listed(what: str, given: Sequence[T]) -> Sequence[T]:
    value: object = given
    if isinstance(value, str) or not isinstance(value, Sequence):  # a set has another order in each process
        raise TypeError(f"random_plan: {what} must be a list or a tuple, got {given!r}")
    return given


def _targets(what: str, given: Sequence[str]) -> tuple[str, ...]:
    for target in _listed(what, given):
        if not target or not _rules.is_text(target):
            raise ValueError(f"random_plan: {what} must be texts that are not empty, got {target!r}")
    return tuple(given)


def _weights(given: Mapping[str, float] | None) -> Mapping[str, float]:
    if given is None:
        return DEFAULT_WEIGHTS
    for kind, weight in given.items():
        if kind not in DEFAULT_WEIGHTS:
            raise ValueError(f"random_plan: weights must be of {', '.join(DEFAULT_WEIGHTS)}, got {kind!r}")
        if not 0.0 <= checks.number("random_plan", f"weight of {kind}", weight) < math.inf:
            raise ValueError(f"random_plan: weight of {kind} must be >= 0 and finite, got {weight}")
    return given
