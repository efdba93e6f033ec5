"""How often something that was lost is tried again, after which waits, and when a hand is needed.

A *round* is so many attempts. The count goes back to 0 by a success that held for
``reset_after`` seconds, by a hand, or when a new round begins ``unpark_after`` seconds after
the last one was given up. What was given up because of a key or a setting waits for a hand.
"""

import attrs

from duenna.machines import checks
from duenna.machines.backoff import Backoff

_OWNER = "ReconnectPolicy"


@attrs.frozen
class ReconnectPolicy:
    """The waits and the number of attempts.

    As it stands: 10, 30, 60 s, then manual intervention required.

    Attributes:
        max_attempts: Attempts of one round, at least 0; 0: a hand is needed at once.
        base: The first wait in seconds, at least 0.
        factor: Growth from one wait to the next, at least 1.
        maximum: The longest wait in seconds, at least ``base``; holds after jitter.
        jitter: Whether chance shortens each wait, to half of it at most.
        reset_after: Seconds that a success must hold to count; 0: it counts at once.
        unpark_after: Seconds after giving up until a new round may begin; None: only by hand.
    """

    max_attempts: int = 3
    base: float = 10.0
    factor: float = 3.0
    maximum: float = 60.0
    jitter: bool = False
    reset_after: float = 60.0
    unpark_after: float | None = 300.0
    backoff: Backoff = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            TypeError: A number is none, or *jitter* is no bool.
            ValueError: A number is out of range.
        """
        checks.count(_OWNER, "max_attempts", self.max_attempts, least=0)
        base = checks.duration(_OWNER, "base", self.base, inf=False)
        if checks.duration(_OWNER, "maximum", self.maximum, inf=False) < base:
            message = f"{_OWNER}: maximum must be >= base ({self.base} s), got {self.maximum!r}"
            raise ValueError(message)
        checks.flag(_OWNER, "jitter", self.jitter)
        checks.duration(_OWNER, "reset_after", self.reset_after)
        if self.unpark_after is not None:
            checks.duration(_OWNER, "unpark_after", self.unpark_after)
        jitter = "equal" if self.jitter else "none"
        backoff = Backoff.exponential(self.base, factor=self.factor, maximum=self.maximum, jitter=jitter)
        object.__setattr__(self, "backoff", backoff)  # made once: the waits are asked for again and again

    def delay(self, attempt: int, draw: float = 0.0) -> float:
        """Return the seconds to wait before *attempt*.

        Args:
            attempt: Counted from 1.
            draw: A random number in [0, 1), looked at only with ``jitter``.
        """
        return self.backoff.delay(attempt, draw)


@attrs.frozen
class Attempt:
    """Leave to try once more.

    Attributes:
        number: Counted from 1 in its round.
        delay: Seconds to wait before.
    """

    number: int
    delay: float


@attrs.define
class ReconnectCounter:
    """The attempts at one thing.

    Attributes:
        policy: What it is allowed; may be replaced at any time, for settings are live.
        attempts: Attempts of this round so far, the one under way included.
        needs_a_hand: Whether only a hand begins a new round after it was given up.
    """

    policy: ReconnectPolicy
    attempts: int = attrs.field(default=0, init=False)
    needs_a_hand: bool = attrs.field(default=False, init=False)
    _gave_up_at: float | None = attrs.field(default=None, init=False)
    _up_since: float | None = attrs.field(default=None, init=False)

    @property
    def has_given_up(self) -> bool:
        """Whether the last round ended without success, and no new one has begun."""
        return self._gave_up_at is not None

    def begin(self, now: float) -> bool:
        """Note at *now* (monotonic seconds) that it was lost; return whether it may be tried again.

        Begins a new round if the last success held long enough, or if the time of a
        round that was given up is over.
        """
        if self._gave_up_at is not None:
            wait = self.policy.unpark_after
            if self.needs_a_hand or wait is None or now < self._gave_up_at + wait:
                return False
            self.reset()
        else:
            self.attempts = self.count(now)
        self._up_since = None
        return True

    def count(self, now: float) -> int:
        """Return the attempts that count at *now* (monotonic seconds): 0 once a success has held long enough."""
        has_held = self._up_since is not None and now - self._up_since >= self.policy.reset_after
        return 0 if has_held else self.attempts

    def next(self, draw: float = 0.0, floor: float = 0.0) -> Attempt | None:
        """Take the next attempt of the round; None if there is none left.

        Args:
            draw: A random number in [0, 1).
            floor: Seconds to wait at least, for the far end asks for it.
        """
        if self.attempts >= self.policy.max_attempts:
            return None
        self.attempts += 1
        return Attempt(self.attempts, max(self.policy.delay(self.attempts, draw), floor))

    def release(self) -> None:
        """Give back an attempt that was called off: it has neither failed nor succeeded."""
        self.attempts = max(0, self.attempts - 1)

    def succeed(self, now: float) -> None:
        """Note a success at *now*: it resets the count once it has held for ``reset_after`` seconds."""
        self._up_since = now
        self._gave_up_at = None
        self.needs_a_hand = False

    def give_up(self, now: float, *, needs_a_hand: bool = False) -> None:
        """End the round without success at *now*.

        Args:
            now: Monotonic seconds.
            needs_a_hand: Whether time alone heals nothing: a key or a setting is wrong.
        """
        self._gave_up_at = now
        self._up_since = None
        self.needs_a_hand = needs_a_hand

    def reset(self) -> None:
        """Forget everything: the next attempt is the first."""
        self.attempts = 0
        self.needs_a_hand = False
        self._gave_up_at = None
        self._up_since = None
