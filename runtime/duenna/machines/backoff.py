"""How long to wait before the next attempt."""

import math
from enum import StrEnum
from typing import Self

import attrs

from duenna.machines import checks

_OWNER = "Backoff"


class Jitter(StrEnum):
    """How much of a wait is drawn by chance. Source: AWS, "Exponential Backoff and Jitter"."""

    NONE = "none"
    EQUAL = "equal"
    FULL = "full"
    DECORRELATED = "decorrelated"


@attrs.frozen(cache_hash=True)
class Backoff:
    """A rule for the wait before each restart or retry; made by one of the four class methods.

    The cap holds after jitter: no wait is ever longer than ``maximum``.

    Attributes:
        waits: The exact waits, in seconds, the last one repeating; empty for a computed wait.
        initial: First wait before jitter, in seconds.
        factor: Growth from one wait to the next, at least 1.
        maximum: Longest wait, in seconds.
        jitter: `none`: the computed wait d; `equal`: within [d/2, d]; `full`: within [0, d];
            `decorrelated`: within [initial, 3 * previous wait].
    """

    waits: tuple[float, ...] = ()
    initial: float = 0.0
    factor: float = 1.0
    maximum: float = math.inf
    jitter: Jitter = Jitter.NONE

    def __attrs_post_init__(self) -> None:
        """Refuse what no class method would have made."""
        for number, wait in enumerate(self.waits, 1):
            checks.duration(_OWNER, f"wait {number}", wait, inf=False)
        checks.duration(_OWNER, "initial", self.initial, inf=False)
        checks.duration(_OWNER, "maximum", self.maximum)
        if not 1 <= checks.number(_OWNER, "factor", self.factor) < math.inf:
            message = f"{_OWNER}: factor must be >= 1 and finite, got {self.factor!r}"
            raise ValueError(message)
        checks.choice(_OWNER, "jitter", self.jitter, Jitter)

    @classmethod
    def steps(cls, *waits: float) -> Self:
        """Wait exactly so many seconds each time; the last step repeats.

        Raises:
            ValueError: There is no step, or one is negative or not finite.
        """
        if not waits:
            message = f"{_OWNER}.steps: at least one wait in seconds is needed, got none"
            raise ValueError(message)
        checked = (checks.duration(f"{_OWNER}.steps", f"wait {i}", w, inf=False) for i, w in enumerate(waits, 1))
        return cls(waits=tuple(checked))

    @classmethod
    def exponential(cls, initial: float, factor: float = 2.0, maximum: float = 60.0, jitter: str = "full") -> Self:
        """Wait ``min(maximum, initial * factor ** (failure - 1))`` seconds, less the jitter.

        Args:
            initial: First wait, in seconds.
            factor: At least 1.
            maximum: The cap, in seconds, at least *initial*.
            jitter: `"full"`, `"equal"`, `"none"`.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range, or the jitter is unknown.
        """
        owner = f"{_OWNER}.exponential"
        chosen = checks.choice(owner, "jitter", jitter, Jitter)
        if chosen is Jitter.DECORRELATED:
            message = f"{owner}: jitter 'decorrelated' has a rule of its own, use Backoff.decorrelated(...)"
            raise ValueError(message)
        first, cap = _range(owner, initial, maximum)
        return cls(initial=first, factor=factor, maximum=cap, jitter=chosen)

    @classmethod
    def decorrelated(cls, initial: float, maximum: float = 60.0) -> Self:
        """Draw each wait from ``[initial, 3 * previous wait]``, at most *maximum* seconds.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range.
        """
        first, cap = _range(f"{_OWNER}.decorrelated", initial, maximum)
        return cls(initial=first, maximum=cap, jitter=Jitter.DECORRELATED)

    @classmethod
    def none(cls) -> Self:
        """Never wait."""
        return cls()

    def delay(self, failure: int, draw: float = 0.0, previous: float = 0.0) -> float:
        """Return the wait after the *failure*-th consecutive failure, in seconds.

        Args:
            failure: Counted from 1.
            draw: A random number in [0, 1).
            previous: The wait before this one, 0 if there was none (only `decorrelated` looks at it).
        """
        if not self.initial and not self.waits:
            return 0.0
        if self.waits:
            return self.waits[min(failure, len(self.waits)) - 1]
        if self.jitter is Jitter.DECORRELATED:
            ceiling = 3 * max(previous, self.initial)
            return min(self.maximum, self.initial + draw * (ceiling - self.initial))
        wait = self._computed(failure)
        if self.jitter is Jitter.FULL:
            return draw * wait
        if self.jitter is Jitter.EQUAL:
            return wait / 2 + draw * wait / 2
        return wait

    def _computed(self, failure: int) -> float:
        try:
            return min(self.maximum, self.initial * self.factor ** (failure - 1))
        except OverflowError:  # past attempt 1024 the power leaves the floats
            return self.maximum


def _range(owner: str, initial: float, maximum: float) -> tuple[float, float]:
    first = checks.duration(owner, "initial", initial, inf=False)
    cap = checks.duration(owner, "maximum", maximum, inf=False)
    if cap < first:
        message = f"{owner}: maximum must be >= initial ({first} s), got {maximum!r}"
        raise ValueError(message)
    return first, cap
