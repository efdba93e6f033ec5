"""Request weight, order counts, bans, and the rate of anything else."""

from collections import deque

import attrs

_MAX_BAN = 3 * 86_400.0


@attrs.frozen
class Admitted:
    """The request may pass; *used* is the weight of this minute so far."""

    used: int


@attrs.frozen
class Limited:
    """429: the client has to wait *retry_after* seconds."""

    retry_after: float
    used: int


@attrs.frozen
class Banned:
    """418: the address is shut out until *until*, *retry_after* seconds from now."""

    until: float
    retry_after: float
    used: int


Verdict = Admitted | Limited | Banned


@attrs.define
class WeightLimit:
    """The request weight of one address.

    Weight is counted in fixed windows. Above the limit every request is answered with 429 up to the window's end; a
    client that goes on all the same is banned, twice as long every time. Requests that are refused count as
    disobedience, not as weight.

    Attributes:
        limit: Weight per window. Greater than 0.
        window: Length of the window, in seconds.
        patience: Requests that are answered with 429 before the ban.
        ban: Length of the first ban, in seconds; doubled each time, three days at most.
    """

    limit: int = 2_400
    window: float = 60.0
    patience: int = 10
    ban: float = 120.0
    _index: int = attrs.field(default=-1, init=False)
    _used: int = attrs.field(default=0, init=False)
    _limited_until: float = attrs.field(default=0.0, init=False)
    _banned_until: float = attrs.field(default=0.0, init=False)
    _disobeyed: int = attrs.field(default=0, init=False)
    _patience: int = attrs.field(default=0, init=False)
    _next_ban: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._patience = self.patience
        self._next_ban = self.ban

    def admit(self, now: float, weight: int) -> Verdict:
        """Count a request of *weight* at *now* (unix seconds) and say whether it passes."""
        used = self.used(now)
        if now < self._banned_until:
            return Banned(self._banned_until, self._banned_until - now, used)
        if now >= self._limited_until:
            if used + weight <= self.limit:
                self._used += weight
                self._disobeyed = 0
                return Admitted(self._used)
            self._limited_until = (self._index + 1) * self.window
            self._disobeyed = 0
            self._patience = self.patience
        self._disobeyed += 1
        if self._disobeyed <= self._patience:
            return Limited(self._limited_until - now, used)
        return self._shut_out(now, used)

    def exhaust(self, now: float, retry_after: float, patience: int, ban: float) -> None:
        """Treat the address as if it had used up its weight: the rate-limit fault.

        Args:
            now: Unix seconds.
            retry_after: How long every request is refused, in seconds.
            patience: Requests that are refused before the ban.
            ban: Length of that ban, in seconds.
        """
        self._limited_until = now + retry_after
        self._disobeyed = 0
        self._patience = patience
        self._next_ban = ban

    def pardon(self) -> None:
        """End a limitation and a ban at once."""
        self._limited_until = self._banned_until = 0.0

    def used(self, now: float) -> int:
        """Return the weight that is used in the window of *now*."""
        index = int(now // self.window)
        if index != self._index:
            self._index = index
            self._used = 0
        return self._used

    def _shut_out(self, now: float, used: int) -> Banned:
        self._banned_until = now + self._next_ban
        self._limited_until = 0.0
        retry_after = self._next_ban
        self._next_ban = min(2.0 * self._next_ban, _MAX_BAN)
        return Banned(self._banned_until, retry_after, used)


@attrs.define
class Rate:
    """No more than *limit* of something within any *period* seconds, both ends included.

    Attributes:
        limit: Greater than 0.
        period: In seconds, greater than 0.
    """

    limit: int
    period: float
    _times: deque[float] = attrs.field(factory=deque[float], init=False)

    def record(self, now: float) -> bool:
        """Count one at *now* (seconds) and return whether that is within the limit; one above it is not kept."""
        while self._times and self._times[0] < now - self.period:
            self._times.popleft()
        if len(self._times) >= self.limit:
            return False
        self._times.append(now)
        return True

    def count(self, now: float) -> int:
        """Return how many were counted in the period that ends at *now*."""
        while self._times and self._times[0] < now - self.period:
            self._times.popleft()
        return len(self._times)
