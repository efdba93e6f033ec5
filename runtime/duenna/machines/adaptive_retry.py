"""How many retries of one kind of error are worth making, learnt from what came of the last ones.

Theory of operation. For each category of errors a *strain* is kept. A retry that fails adds 1, one that
succeeds takes `RELIEF` away, and with time it halves every ``half_life`` seconds. Up to ``tolerance`` nothing
changes: a lone caller gets all the retries that he configured, as from the retry budget, whose cap is the
same 10. From there to twice as much the *level* grows from 0 to 1, and with it fewer attempts are made (at
level 1 only the first: a call is never refused here) and the waits before the others stretch, to `STRETCH`
times their length.

So retries shrink while fewer than one in five succeeds, and only where enough of them were made
for that to mean something: additive increase of the strain, and additive decrease that is four times as
fast. Where none is made any more time alone brings them back: 12 s after the last one the first retry is
tried again, and if that fails there is none for another 12 s or so: a probe.
"""

import math
from collections.abc import Iterator

import attrs

from duenna.machines import checks
from duenna.machines.classification import Category

_OWNER = "AdaptiveRetry"

RELIEF = 4.0
"""Failing retries that one successful retry makes up for."""

STRETCH = 8.0
"""How many times longer the waits become, at most."""


@attrs.define(eq=False)
class _Strain:
    """Of one category.

    Attributes:
        amount: Failing retries, less what made up for them and what time forgave.
        since: When that was so (monotonic seconds).
    """

    amount: float = 0.0
    since: float = 0.0


@attrs.frozen
class Strained:
    """A category whose retries keep failing.

    Attributes:
        category: Of the errors that were tried again.
        level: How far the retries have shrunk, within (0, 1].
        stretch: How many times longer the waits are, within (1, 8].
    """

    category: Category
    level: float
    stretch: float


@attrs.define(eq=False)
class AdaptiveRetry:
    """Makes fewer retries of what keeps failing, and more again when it does not. All times are monotonic seconds.

    Memory: one number and one time for each category that was seen.

    Guarantees, for any order of events: at least one attempt, never more than were asked for; a
    stretch within [1, 8]; the same answers for all attempts as long as ``tolerance`` retries or
    fewer have failed.

    Attributes:
        tolerance: Failing retries that change nothing, greater than 0; at twice as many only first attempts are left.
        half_life: Seconds in which half of them is forgotten, greater than 0.
    """

    tolerance: float = 10.0
    half_life: float = attrs.field(default=60.0, kw_only=True)
    _strains: dict[Category, _Strain] = attrs.field(factory=dict[Category, _Strain], init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what would never adapt, or never come back."""
        if not 0 < checks.number(_OWNER, "tolerance", self.tolerance) < math.inf:
            message = f"{_OWNER}: tolerance must be > 0 and finite, got {self.tolerance!r}"
            raise ValueError(message)
        checks.duration(_OWNER, "half_life", self.half_life, zero=False, inf=False)

    @property
    def is_calm(self) -> bool:
        """Whether nothing is strained: everybody makes what he was told to make."""
        return not self._strains

    def failed(self, category: Category, now: float) -> None:
        """Note that a retry after an error of *category* has failed."""
        strain = self._strains.setdefault(category, _Strain(since=now))
        strain.amount = min(2 * self.tolerance, self._left(strain, now) + 1)
        strain.since = max(strain.since, now)

    def succeeded(self, category: Category, now: float) -> None:
        """Note that a retry after an error of *category* has succeeded."""
        strain = self._strains.get(category)
        if strain is None:
            return
        strain.amount = self._left(strain, now) - RELIEF
        strain.since = max(strain.since, now)
        if strain.amount <= 0:
            del self._strains[category]

    def level(self, category: Category, now: float) -> float:
        """Return how far retries after errors of *category* have shrunk, from 0 (not at all) to 1 (there are none)."""
        strain = self._strains.get(category)
        if strain is None or strain.amount <= self.tolerance:
            return 0.0
        return min(1.0, max(0.0, self._left(strain, now) / self.tolerance - 1))

    def limit(self, category: Category, attempts: int, now: float) -> int:
        """Return how many of *attempts* (at least 1) are made after errors of *category*: at least 1, the first."""
        return attempts - round(self.level(category, now) * (attempts - 1))

    def stretch(self, category: Category, now: float) -> float:
        """Return how many times longer the waits after errors of *category* are."""
        return float(STRETCH ** self.level(category, now))

    def strained(self, now: float) -> Iterator[Strained]:
        """Yield the categories whose retries have shrunk, by name."""
        for category in sorted(self._strains):
            if level := self.level(category, now):
                yield Strained(category, level, float(STRETCH**level))

    def reset(self) -> None:
        """Forget everything."""
        self._strains.clear()

    def _left(self, strain: _Strain, now: float) -> float:
        """Return what time has left of *strain*; a time before the last one counts as that."""
        return float(strain.amount * 0.5 ** (max(0.0, now - strain.since) / self.half_life))


def stretched(wait: float, factor: float, cap: float) -> float:
    """Return *wait*, of at most *cap* seconds, *factor* (at least 1) times as long, and still at most *cap*."""
    return min(wait * factor, cap)
