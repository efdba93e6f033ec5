"""Which book gets the next snapshot, and when: a pure machine.

Snapshots are dear (20 of 2,400 units of weight a minute), and after a reconnect all books need
one. So they are asked for one after the other, ``interval`` seconds apart, ``max_in_flight``
at a time, each book by a backoff of its own that is forgotten only when it has held its sync
for ``stable_after`` seconds. Of those whose time has come it is the turn of the one that was
asked for the longest ago, before a reconnect or after it. Who is told to wait makes all books wait.
"""

from __future__ import annotations

from math import inf

import attrs

from duenna.machines import checks
from duenna.machines.backoff import Backoff

_OWNER = "ResyncPlan"


@attrs.frozen
class Fetch:
    """Ask for a snapshot of this book now."""

    symbol: str


@attrs.frozen
class Wait:
    """Nothing can be asked for before *until* (monotonic seconds), unless something changes; inf: at all."""

    until: float


@attrs.frozen
class GiveUp:
    """So many snapshots have not brought this book into sync."""

    symbol: str
    attempts: int


@attrs.define(eq=False)
class _Need:
    since: float
    not_before: float
    attempts: int = 0
    spared: int = 0
    is_wanted: bool = True
    is_in_flight: bool = False
    synced_at: float = -inf


@attrs.define(eq=False, kw_only=True)
class ResyncPlan:
    """The books that are not in sync, in the order in which they get their snapshots.

    Attributes:
        backoff: The wait after an attempt that did not help.
        max_attempts: Attempts for one book after which to give up; at least 1.
        max_in_flight: Snapshots asked for at the same time; at least 1.
        interval: Seconds between two requests; 0: none.
        stable_after: Seconds in sync after which a book's attempts are forgotten.
        paused_until: Before that nothing is asked for, in monotonic seconds.
    """

    backoff: Backoff
    max_attempts: int
    max_in_flight: int
    interval: float
    stable_after: float
    paused_until: float = attrs.field(default=-inf, init=False)
    _needs: dict[str, _Need] = attrs.field(factory=dict[str, _Need], init=False)
    _next_start: float = attrs.field(default=-inf, init=False)
    _started: dict[str, float] = attrs.field(factory=dict[str, float], init=False)

    def __attrs_post_init__(self) -> None:
        """Refuse bounds under which no book could ever come into sync."""
        checks.duration(_OWNER, "interval", self.interval, inf=False)
        checks.duration(_OWNER, "stable_after", self.stable_after)
        for name, value in (("max_attempts", self.max_attempts), ("max_in_flight", self.max_in_flight)):
            if value < 1:
                message = f"{_OWNER}: {name} must be >= 1, got {value}"
                raise ValueError(message)

    def want(self, symbol: str, now: float, draw: float) -> None:
        """Note that the book of *symbol* needs a snapshot; *draw*, in [0, 1), is for the backoff."""
        need = self._needs.get(symbol)
        if need is None:
            self._needs[symbol] = _Need(now, now)
        elif not need.is_wanted:
            if now - need.synced_at >= self.stable_after:
                need.attempts = need.spared = 0
            need.is_wanted = True
            need.since = now
            need.not_before = now + (self.backoff.delay(need.attempts, draw) if need.attempts else 0.0)

    def wants(self, symbol: str) -> bool:
        """Return whether the book of *symbol* needs a snapshot."""
        need = self._needs.get(symbol)
        return need is not None and need.is_wanted

    def done(self, symbol: str, now: float) -> None:
        """Note that the book of *symbol* is in sync."""
        need = self._needs.get(symbol)
        if need is not None and need.is_wanted:
            need.is_wanted = False
            need.synced_at = now

    def take(self, now: float) -> Fetch | Wait | GiveUp:
        """Return what is to be done at *now*; a `Fetch` is under way until `settle`."""
        in_flight = sum(need.is_in_flight for need in self._needs.values())
        waiting = [(need.not_before, symbol) for symbol, need in self._needs.items() if _waits(need)]
        if not waiting or in_flight >= self.max_in_flight:
            return Wait(inf)
        due = [(self._started.get(symbol, -inf), each, symbol) for each, symbol in waiting if each <= now]
        not_before, symbol = min(due)[1:] if due else min(waiting)
        need = self._needs[symbol]
        if need.attempts - need.spared >= self.max_attempts and not_before <= now:
            return GiveUp(symbol, need.attempts)
        start = max(not_before, self._next_start, self.paused_until)
        if start > now:
            return Wait(start)
        need.attempts += 1
        need.is_in_flight = True
        self._started[symbol] = now
        self._next_start = now + self.interval
        return Fetch(symbol)

    def settle(self, symbol: str, now: float, draw: float, retry_after: float = 0.0) -> None:
        """Note that a `Fetch` is over, whatever came of it; if the book is not `done`, the next one follows.

        Args:
            symbol: Whose.
            now: Monotonic seconds.
            draw: For the backoff, in [0, 1).
            retry_after: Seconds for which nobody is to ask again. A refusal of that kind is
                no attempt.
        """
        need = self._needs.get(symbol)
        if need is None:
            return
        need.is_in_flight = False
        wait = self.backoff.delay(need.attempts, draw)
        if retry_after > 0:
            need.attempts -= 1
            self.paused_until = max(self.paused_until, now + retry_after)
        need.not_before = now + max(wait, retry_after)

    def spare(self, symbol: str) -> None:
        """Go on with a book in spite of a `GiveUp`: as many attempts again, none of them sooner for that."""
        need = self._needs.get(symbol)
        if need is not None:
            need.spared = need.attempts

    def reset(self) -> None:
        """Begin with no books; whoever has to wait still has to."""
        self._needs.clear()
        self._next_start = -inf

    def forget(self, symbol: str) -> None:
        """Drop the book of *symbol*."""
        self._needs.pop(symbol, None)
        self._started.pop(symbol, None)

    def attempts(self, symbol: str) -> int:
        """Return the snapshots asked for since the book of *symbol* last held its sync for long enough."""
        need = self._needs.get(symbol)
        return 0 if need is None else need.attempts

    def wanted_for(self, now: float) -> float:
        """Return for how many seconds the book that has waited longest has waited; 0 if none does."""
        return max((now - need.since for need in self._needs.values() if need.is_wanted), default=0.0)


def _waits(need: _Need) -> bool:
    return need.is_wanted and not need.is_in_flight
