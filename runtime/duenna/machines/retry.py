"""Whether a failed call is tried again, and when."""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Self

import attrs

from duenna.machines import checks
from duenna.machines.backoff import Backoff

_OWNER = "Retry"
_LONGEST_TEXT = 12
_LONGEST_REHEARSAL = 1000


class StopReason(StrEnum):
    """Why a call is not tried again."""

    ATTEMPTS = "attempts"
    """It was tried as often as was asked for."""
    DEADLINE = "deadline"
    """The next attempt would begin at the deadline or after it."""
    PATIENCE = "patience"
    """The far end asks for a longer wait than was asked for."""
    BUDGET = "budget"
    """The retry budget denies it: never said here, but by whoever asks the budget after a `Wait`."""


@attrs.frozen
class Wait:
    """The call is tried again.

    Attributes:
        delay: How long to wait before, in seconds, finite.
    """

    delay: float


@attrs.frozen
class Stop:
    """The call is not tried again.

    Attributes:
        why: What forbids it.
        attempts: How often it was tried.
        elapsed: How long that took, waits included, in seconds.
    """

    why: StopReason
    attempts: int
    elapsed: float


@attrs.frozen
class Rehearsal:
    """What a call would do if every attempt failed; its text is the plan in words.

    Attributes:
        waits: The wait after each attempt but the last, in seconds.
        stop: How it ends; None if it has not after 1000 attempts.
    """

    waits: tuple[float, ...]
    stop: Stop | None

    def __str__(self) -> str:
        """Return `attempt 1, wait 2.0, attempt 2, ..., gives up at 31 s`."""
        steps = [f"attempt {number}, wait {round(float(wait), 3)}" for number, wait in enumerate(self.waits, 1)]
        if len(steps) >= _LONGEST_TEXT:
            steps[_LONGEST_TEXT - 2 :] = ["..."]
        if self.stop is None:
            return ", ".join([*steps, "and so on"])
        end = f"attempt {self.stop.attempts}, gives up at {_plain(self.stop.elapsed)} s"
        return ", ".join([*steps, end + _BECAUSE[self.stop.why]])


@attrs.frozen
class Retry:
    """How often a failing call is tried, and how long it waits in between.

    The budget of the dependency may deny a retry that these settings allow; the settings
    never allow more than they say. Whoever subclasses them adds fields by keyword; the
    presets then make the subclass.

    Attributes:
        attempts: Tries in all, the first included, at least 1: n retries are n + 1 attempts.
        backoff: The waits between them. Its cap holds after jitter.
        patience: The longest Retry-After that is waited for, in seconds. `inf`: any that the
            deadline allows. 0: none.
    """

    attempts: int = 3
    backoff: Backoff = attrs.field(
        default=Backoff.exponential(0.5, maximum=30.0, jitter="full"),
        kw_only=True,
    )
    patience: float = attrs.field(default=math.inf, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse settings that mean nothing, or that mean for ever."""
        checks.count(_OWNER, "attempts", self.attempts, least=1)
        if not isinstance(self.backoff, Backoff):
            message = f"{_OWNER}: backoff must be a Backoff, got {self.backoff!r}"
            raise TypeError(message)
        checks.duration(_OWNER, "patience", self.patience)

    @classmethod
    def api(cls) -> Self:
        """Try 6 times; the waits grow from 2 s to at most 120 s, fully jittered."""
        return cls(6, backoff=Backoff.exponential(2.0, maximum=120.0))

    @classmethod
    def database(cls) -> Self:
        """Try 4 times; the waits grow from 0.5 s to at most 10 s, fully jittered."""
        return cls(4, backoff=Backoff.exponential(0.5, maximum=10.0))

    @classmethod
    def read(cls, retries: int = 3) -> Self:
        """Read something: 3 to 5 retries.

        Raises:
            TypeError: *retries* is no whole number.
            ValueError: It is out of range.
        """
        return cls(_retries("read", retries, 3, 5) + 1)

    @classmethod
    def write(cls, retries: int = 1) -> Self:
        """Change something: 1 or 2 retries.

        Raises:
            TypeError: *retries* is no whole number.
            ValueError: It is out of range.
        """
        return cls(_retries("write", retries, 1, 2) + 1)

    @classmethod
    def critical(cls, retries: int = 0) -> Self:
        """Do what must not be done twice, such as placing an order: no retry, or 1.

        Raises:
            TypeError: *retries* is no whole number.
            ValueError: It is out of range.
        """
        return cls(_retries("critical", retries, 0, 1) + 1)

    @classmethod
    def none(cls) -> Self:
        """Try once."""
        return cls(1, backoff=Backoff.none())

    def next(
        self,
        attempt: int,
        elapsed: float = 0.0,
        deadline_left: float = math.inf,
        retry_after: float = 0.0,
        *,
        draw: float = 0.0,
        previous_delay: float = 0.0,
    ) -> Wait | Stop:
        """Return what a call does whose *attempt*-th try has just failed.

        The wait is the backoff's, or *retry_after* if that is longer. A wait is never cut
        short to fit: one that does not end before the deadline is not begun, so that the
        caller is told at once and the far end is spared a call that cannot be answered in time.

        Args:
            attempt: Counted from 1.
            elapsed: Seconds since the first attempt began; only handed on.
            deadline_left: Seconds until the deadline, `inf` without one.
            retry_after: What the far end asks for, in seconds, 0 if it asks for nothing.
            draw: A random number in [0, 1).
            previous_delay: The wait before this attempt, in seconds, 0 before the first.
        """
        if attempt >= self.attempts:
            return Stop(StopReason.ATTEMPTS, attempt, elapsed)
        if retry_after > self.patience:
            return Stop(StopReason.PATIENCE, attempt, elapsed)
        delay = max(self.backoff.delay(attempt, draw, previous_delay), retry_after)
        if delay < deadline_left:  # an infinite wait is not: it stops, deadline or none
            return Wait(delay)
        return Stop(StopReason.DEADLINE, attempt, elapsed)

    def rehearse(
        self,
        draws: Iterable[float] = (),
        *,
        takes: float = 0.0,
        deadline: float = math.inf,
        retry_after: float = 0.0,
    ) -> Rehearsal:
        """Return what a call does if every attempt fails, without making one; of 1000 attempts at most.

        Args:
            draws: The random number for each wait, in [0, 1]; the last one repeats. With none
                it is 1: the longest waits that these settings can draw.
            takes: How long each attempt takes to fail, in seconds, at least 0; the deadline
                cuts it short.
            deadline: Seconds from the start of the first attempt, `inf` for none.
            retry_after: What the far end asks for each time, in seconds.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range.
        """
        chances = _draws(draws)
        each = checks.duration(f"{_OWNER}.rehearse", "takes", takes, inf=False)
        limit = checks.duration(f"{_OWNER}.rehearse", "deadline", deadline)
        hint = checks.duration(f"{_OWNER}.rehearse", "retry_after", retry_after)
        waits: list[float] = []
        elapsed, delay = 0.0, 0.0
        while len(waits) < _LONGEST_REHEARSAL:
            elapsed = min(elapsed + each, limit)
            draw = chances[min(len(waits), len(chances) - 1)]
            verdict = self.next(len(waits) + 1, elapsed, limit - elapsed, hint, draw=draw, previous_delay=delay)
            if isinstance(verdict, Stop):
                return Rehearsal(tuple(waits), verdict)
            delay = verdict.delay
            waits.append(delay)
            elapsed += delay
        return Rehearsal(tuple(waits), None)

    def describe(
        self,
        draws: Iterable[float] = (),
        *,
        takes: float = 0.0,
        deadline: float = math.inf,
        retry_after: float = 0.0,
    ) -> str:
        """Return the plan in words: `attempt 1, wait 2.0, attempt 2, ..., gives up at 31 s`.

        The same arguments as `rehearse`; without *draws*, the longest waits.
        """
        return str(self.rehearse(draws, takes=takes, deadline=deadline, retry_after=retry_after))


_BECAUSE = {
    StopReason.ATTEMPTS: "",
    StopReason.DEADLINE: ", for the deadline is too near",
    StopReason.PATIENCE: ", asked for more patience than there is",
    StopReason.BUDGET: ", denied by the budget",
}


def _retries(preset: str, retries: int, least: int, most: int) -> int:
    owner = f"{_OWNER}.{preset}"
    given = checks.count(owner, "retries", retries, least=least)
    if given > most:
        message = f"{owner}: retries must be <= {most}, got {given}"
        raise ValueError(message)
    return given


def _draws(draws: Iterable[float]) -> tuple[float, ...]:
    owner = f"{_OWNER}.rehearse"
    chances = tuple(checks.number(owner, f"draw {i}", draw) for i, draw in enumerate(draws, 1))
    for i, draw in enumerate(chances, 1):
        if not 0 <= draw <= 1:
            message = f"{owner}: draw {i} must be within [0, 1], got {draw!r}"
            raise ValueError(message)
    return chances or (1.0,)


def _plain(seconds: float) -> str:
    """Return *seconds* without a fraction that is zero."""
    rounded = round(seconds, 3)
    return str(int(rounded)) if rounded.is_integer() else str(rounded)
