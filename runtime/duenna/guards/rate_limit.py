"""How fast calls may be sent to one host: a live token bucket that all who call it share."""

from __future__ import annotations

import threading
from math import inf

import attrs

from duenna._thread_clock import THREADS
from duenna.guards._backend import current_backend
from duenna.guards._timeline import Timeline
from duenna.guards.errors import RateLimitedError
from duenna.machines import checks
from duenna.machines.token_bucket import Refused, TokenBucket, Turn

_OWNER = "RateLimit"
_SHARE = 10  # of the limit, one part in so many may be sent at once


@attrs.frozen(kw_only=True)
class RateLimitStatistics:
    """What a rate limit has done, and how it stands.

    Attributes:
        calls: Calls that were let through.
        taken: Their weight.
        refused: Calls that were refused.
        waiting: Calls that wait for their turn.
        level: Units that may be taken at once, blocks set aside; negative if calls wait for theirs.
        used: What the host said that it has counted, until its window ends; None: nothing.
        blocked_for: Seconds until the block ends, 0 if there is none.
    """

    calls: int
    taken: float
    refused: int
    waiting: int
    level: float
    used: float | None
    blocked_for: float


@attrs.define(eq=False)
class _Gate:
    """All that passes away when a new world begins.

    Attributes:
        bucket: Gives turns.
        calls: Calls that were let through.
        taken: Their weight.
        refused: Calls that were refused.
        waiting: Calls that wait for their turn.
        used: What the host has counted.
        used_until: When its window ends.
    """

    bucket: TokenBucket
    calls: int = 0
    taken: float = 0.0
    refused: int = 0
    waiting: int = 0
    used: float = 0.0
    used_until: float = -inf


@attrs.define(eq=False)
class _Ask:
    """A call on its way through the gate.

    Attributes:
        gate: Which of all worlds.
        turn: When it is let through.
        until: When waiting ends to be of use.
        guard: Who asks, for errors.
    """

    gate: _Gate
    turn: Turn
    until: float
    guard: str


class RateLimit:
    """A limit on weight per time, shared by the guards of one host, by tasks and by threads.

    At most *limit* units are let through in any *per* seconds, both ends included; *burst* of
    them at once, the others at an even pace. A limit of 1 or less is an even pace and nothing else:
    ``RateLimit(1, 0.5)`` lets a call of weight 1 through every half second. Turns come in the
    order of asking. A call whose turn would come later than it can wait is refused and takes
    nothing.

    Attributes:
        limit: Units in any *per* seconds.
        per: Seconds.
        burst: Units at once, and the weight of the heaviest call.
        max_wait: How long a call waits for its turn, in seconds, at most.
        name: What is limited, for errors and logs.
    """

    def __init__(
        self, limit: float, per: float, *, burst: float | None = None, max_wait: float = 1.0, name: str = ""
    ) -> None:
        """Begin with a full burst.

        Args:
            limit: Units, greater than 0.
            per: Seconds, greater than 0.
            burst: Units, less than *limit*; None: a tenth of it, but at least 1.
            max_wait: Seconds, at least 0; less if the deadline of a call is nearer. `inf`: as
                long as it takes, which makes every call late once there are too many.
            name: Any text.

        Raises:
            TypeError: A number is none, or the name is no text.
            ValueError: A number is out of range.
        """
        if not isinstance(name, str):
            message = f"{_OWNER}: name must be a str, got {name!r}"
            raise TypeError(message)
        owner = f"{_OWNER} {name!r}" if name else _OWNER
        self.name = name
        self.limit = _positive(owner, "limit", limit)
        self.per = checks.duration(owner, "per", per, zero=False, inf=False)
        self.max_wait = checks.duration(owner, "max_wait", max_wait)
        if burst is None:
            self.burst = max(1.0, self.limit / _SHARE)
        else:
            self.burst = _positive(owner, "burst", burst)
            if self.burst >= self.limit:
                message = f"{owner}: burst must be < limit ({limit}), got {burst!r}"
                raise ValueError(message)
        self._owner = owner
        self._lock = threading.RLock()  # reentrant: a new world begins while the time is asked for
        self._timeline = Timeline(self._begin)
        self._begin()

    def __repr__(self) -> str:
        """Return the settings."""
        settings = f"{self.limit}, per={self.per}, burst={self.burst}, max_wait={self.max_wait}"
        return f"{_OWNER}({settings}, name={self.name!r})"

    @property
    def blocked_for(self) -> float:
        """Seconds until the block ends, 0 if there is none."""
        with self._lock:
            now = self._timeline.now()
            return max(0.0, self._gate.bucket.blocked_until - now)

    def statistics(self) -> RateLimitStatistics:
        """Return what was let through and refused, and how it stands."""
        with self._lock:
            now = self._timeline.now()
            gate = self._gate
            return RateLimitStatistics(
                calls=gate.calls,
                taken=gate.taken,
                refused=gate.refused,
                waiting=gate.waiting,
                level=gate.bucket.available(now),
                used=gate.used if now < gate.used_until else None,
                blocked_for=max(0.0, gate.bucket.blocked_until - now),
            )

    async def acquire(self, weight: float = 1.0, left: float = inf, *, guard: str = "") -> None:
        """Take *weight* and wait for the turn; a checkpoint only if there is a wait.

        Cancelled, it gives back what it took.

        Args:
            weight: What the call costs, within [0, burst].
            left: Seconds until the turn is of no use any more.
            guard: Who asks, for errors.

        Raises:
            RateLimitedError: The turn would come too late, or a block came during the wait.
            TypeError: *weight* is not a number.
            ValueError: The call is heavier than could ever be let through.
        """
        ask = self._ask(weight, min(self.max_wait, left), guard)
        while ask is not None:
            try:
                await current_backend().sleep(ask.turn.wait)
            except BaseException:
                self._give_back(ask)
                raise
            ask = self._confirm(ask)

    def acquire_sync(self, weight: float = 1.0, left: float = inf, *, may_wait: bool = True, guard: str = "") -> None:
        """Take *weight* and keep this thread waiting for the turn.

        Args:
            weight: What the call costs, within [0, burst].
            left: Seconds until the turn is of no use any more.
            may_wait: False inside an event loop, which must not stand still.
            guard: Who asks, for errors.

        Raises:
            RateLimitedError: The turn would come too late, or a block came during the wait.
            TypeError: *weight* is not a number.
            ValueError: The call is heavier than could ever be let through.
        """
        ask = self._ask(weight, min(self.max_wait, left) if may_wait else 0.0, guard)
        while ask is not None:
            try:
                THREADS.sleep(ask.turn.wait)
            except BaseException:
                self._give_back(ask)
                raise
            ask = self._confirm(ask)

    def feed(self, used: float, *, limit: float | None = None, resets_in: float) -> None:
        """Learn what the host has counted so far in its own window, others at this address included.

        Args:
            used: Its count, at least 0.
            limit: The most that it allows, greater than 0; None: the limit of this gate.
            resets_in: Seconds until that window ends; a report of one that is over is passed over.

        Raises:
            TypeError: A number is none.
            ValueError: A number is out of range.
        """
        owner = f"{self._owner}: feed"
        if not 0 <= checks.number(owner, "used", used) < inf:
            message = f"{owner}: used must be >= 0 and finite, got {used!r}"
            raise ValueError(message)
        most = self.limit if limit is None else _positive(owner, "limit", limit)
        seconds = checks.duration(owner, "resets_in", resets_in, inf=False)
        with self._lock:
            now = self._timeline.now()
            gate = self._gate
            gate.bucket.feed(used, most, now, now + seconds)
            if seconds > 0:
                gate.used, gate.used_until = float(used), now + seconds

    def block(self, seconds: float) -> None:
        """Let nothing through for so many *seconds* (429, 418, a ban); an end before that of the present block is none.

        Raises:
            TypeError: *seconds* is not a number.
            ValueError: It is negative or infinite.
        """
        checks.duration(f"{self._owner}: block", "seconds", seconds, inf=False)
        with self._lock:
            now = self._timeline.now()
            self._gate.bucket.block_until(now + seconds)

    def unblock(self) -> None:
        """End the block by hand, and forget what the host has counted."""
        with self._lock:
            self._gate.bucket.unblock()
            self._gate.used_until = -inf

    def begin_anew(self) -> None:
        """Begin with a full burst, unblocked, with counters of 0, by no clock yet."""
        with self._lock:
            self._timeline.forget()
            self._begin()

    def twin(self) -> RateLimit:
        """Return a gate with the same settings and no past."""
        burst = self.burst if self.burst < self.limit else None
        return RateLimit(self.limit, self.per, burst=burst, max_wait=self.max_wait, name=self.name)

    def _begin(self) -> None:
        if self.burst < self.limit:
            bucket = TokenBucket.at_most(self.limit, self.per, burst=self.burst)
        else:
            bucket = TokenBucket(self.limit / self.per, self.burst)
        self._gate = _Gate(bucket)

    def _ask(self, weight: float, patience: float, guard: str) -> _Ask | None:
        """Let a call through, and return None, or return what it has to wait for."""
        given = checks.number(self._owner, "weight", weight)
        if not 0 <= given <= self.burst:
            message = f"{self._owner}: weight must be within [0, {self.burst}], its burst, got {weight!r}"
            raise ValueError(message)
        with self._lock:
            now = self._timeline.now()
            gate = self._gate
            turn = self._granted(gate, gate.bucket.take(given, now, patience), guard)
            return _Ask(gate, turn, now + patience, guard) if turn.wait > 0 else None

    def _confirm(self, ask: _Ask) -> _Ask | None:
        """Let a call through whose turn has come, or return what it has to wait for, if a block came meanwhile."""
        with self._lock:
            now = self._timeline.now()
            gate = ask.gate
            gate.waiting -= 1
            verdict = gate.bucket.confirm(ask.turn, now, max(0.0, ask.until - now))
            ask.turn = self._granted(gate, verdict, ask.guard)
            return ask if ask.turn.wait > 0 else None

    def _give_back(self, ask: _Ask) -> None:
        with self._lock:
            now = self._timeline.now()
            ask.gate.waiting -= 1
            ask.gate.bucket.give_back(ask.turn, now)

    def _granted(self, gate: _Gate, verdict: Turn | Refused, guard: str) -> Turn:
        """Count a call as refused, waiting or let through."""
        if isinstance(verdict, Refused):
            gate.refused += 1
            raise RateLimitedError(guard or self.name, verdict.retry_after)
        if verdict.wait > 0:
            gate.waiting += 1
        else:
            gate.calls += 1
            gate.taken += verdict.weight
        return verdict


def _positive(owner: str, what: str, value: float) -> float:
    given = checks.number(owner, what, value)
    if not 0 < given < inf:
        message = f"{owner}: {what} must be > 0 and finite, got {value!r}"
        raise ValueError(message)
    return given
