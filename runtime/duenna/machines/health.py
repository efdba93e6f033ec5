"""The health of a bot: what each thing it is made of is good for, and what that makes of the whole.

A service is whatever the bot would miss: an actor, a connection first of all, or a dependency
that a guard stands before. Each is judged by itself, from what its supervisor, its link and its
breaker know, in one of three words and one sentence.

What has begun and has not yet shown whether it works is *not settled*: it is degraded, for it
cannot be used, but no change is announced for it, or every start of a bot and every renewal of a
link would be an alarm. What a person stopped, suspended or opened is as it was wanted to be: it
is unavailable, and does not make the bot unhealthy.

The bot is unhealthy when it needs a hand (something is parked, or has failed for good), or when
it has connections and none of them can be used. It is degraded when anything else is not
operational, or errors come too fast, and healthy otherwise.
"""

from collections import Counter
from enum import StrEnum
from typing import Any, Final

import attrs

from duenna.machines.breaker import BreakerState
from duenna.machines.lifecycle import ChildState
from duenna.machines.link import ConnectionState

STUCK_AFTER: Final = 300.0
"""Seconds in state `recovering` after which that is reported."""

MOST_ISSUES: Final = 100
"""Sentences of one report; what is more is counted in the last one."""


class ServiceStatus(StrEnum):
    """What a service is good for."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


class Overall(StrEnum):
    """How the bot does as a whole."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_OPERATIONAL: Final = ServiceStatus.OPERATIONAL
_DEGRADED: Final = ServiceStatus.DEGRADED
_UNAVAILABLE: Final = ServiceStatus.UNAVAILABLE


@attrs.frozen
class Service:
    """One service at one moment.

    Attributes:
        name: The path of the actor, or the name of the guard.
        status: What it is good for.
        why: What is wrong, as the rest of a sentence that begins with the name; empty if nothing is.
        is_connection: Whether it is the connection that others depend on.
        is_settled: Whether it has shown yet what it is good for.
        needs_a_hand: Whether it comes back by no attempt of its own.
        is_by_hand: Whether a person wanted it so.
    """

    name: str
    status: ServiceStatus = _OPERATIONAL
    why: str = ""
    is_connection: bool = False
    is_settled: bool = True
    needs_a_hand: bool = False
    is_by_hand: bool = False


@attrs.frozen(kw_only=True)
class LinkFacts:
    """What is known of the link of a connection.

    Attributes:
        state: Where it is.
        why: What led there, in words.
        is_new: Whether it was at rest on purpose before it began to connect, rather than lost.
        lasted: Seconds that it has been there.
        attempt: Restarts because of failing checks that were attempted in a row.
        attempts: How many there may be; 0 where there was none.
    """

    state: ConnectionState
    why: str = ""
    is_new: bool = True
    lasted: float = 0.0
    attempt: int = 0
    attempts: int = 0


@attrs.frozen(kw_only=True)
class ChildFacts:
    """What is known of a child of a supervisor.

    Attributes:
        path: Its path.
        state: Where it is in its life.
        is_suspended: Whether its mailbox is held.
        above: The state of the nearest supervisor above that is not running, None if all are.
        error: Its last error in words, empty if there is none.
        failures: Its consecutive failures.
        max_failures: How many there may be, None without a limit.
        link: Of a connection that was started once.
    """

    path: str
    state: ChildState
    is_suspended: bool = False
    above: ChildState | None = None
    error: str = ""
    failures: int = 0
    max_failures: int | None = None
    link: LinkFacts | None = None


def child(facts: ChildFacts) -> Service | None:
    """Return how the child of *facts* does; None if it has done its work, or is gone."""
    state, link = facts.state, facts.link
    if state in _DONE:
        return None
    down = Service(facts.path, _UNAVAILABLE, is_connection=link is not None)
    if state is ChildState.RUNNING and facts.above is None and not facts.is_suspended:
        return Service(facts.path) if link is None else _connection(down, link)
    return _not_running(down, facts)


def _not_running(down: Service, facts: ChildFacts) -> Service:
    """Return how a child does that is held up; *down*, with the reason, unless it is only on its way."""
    state, above = facts.state, facts.above
    because = f": {facts.error}" if facts.error else ""
    left = _left(facts.failures, facts.max_failures)
    held: list[tuple[bool, str, dict[str, Any]]] = [
        (
            state is ChildState.FAILED,
            f"is parked, manual intervention required{because}",
            {"needs_a_hand": True},
        ),
        (ChildState.STOPPED in {state, above}, "was stopped by hand", {"is_by_hand": True}),
        (above is not None, f"is down with its supervisor, which is {above and _IN.get(above, above)}", {}),
        (state is ChildState.BACKOFF, f"is in {'cooldown' if down.is_connection else 'backoff'}{because}{left}", {}),
        (facts.is_suspended, "is suspended by hand", {"is_by_hand": True}),
    ]
    for is_so, why, flags in held:
        if is_so:
            return attrs.evolve(down, why=why, **flags)
    return attrs.evolve(down, status=_DEGRADED, why=f"is {state}", is_settled=False)


def _connection(down: Service, link: LinkFacts) -> Service:
    """Return how a connection does whose actor runs; *down* if it does not work at all."""
    state, because = link.state, f": {link.why}" if link.why else ""
    if state is ConnectionState.OPERATIONAL:
        return attrs.evolve(down, status=_OPERATIONAL)
    if state is ConnectionState.DEGRADED:
        return attrs.evolve(down, status=_DEGRADED, why=f"is degraded{because}")
    if state is ConnectionState.CLOSED or (state is ConnectionState.CONNECTING and link.is_new):
        return attrs.evolve(down, status=_DEGRADED, why=f"is {state}", is_settled=False)
    return attrs.evolve(down, why=_lost(link), needs_a_hand=state is ConnectionState.FAILED)


def _lost(link: LinkFacts) -> str:
    """Say how it is about a link that was up, or should be."""
    because = f": {link.why}" if link.why else ""
    if link.state is ConnectionState.RECOVERING:
        attempt = f"(restart {link.attempt} of {link.attempts})"
        if link.lasted >= STUCK_AFTER:
            return f"has been recovering for {link.lasted:.0f} s {attempt}{because}"
        return f"is recovering {attempt}{because}"
    if link.state is ConnectionState.COOLDOWN:
        return f"is in cooldown{because}{_left(link.attempt, link.attempts or None)}"
    if link.state is ConnectionState.FAILED:
        return f"has failed, manual intervention required{because}"
    return f"was lost, and is connecting again{because}"


def supervisor(path: str, state: ChildState, error: str = "") -> Service | None:
    """Return how a supervisor does that is not running; None if it is: its children speak for it."""
    because = f": {error}" if error else ""
    if state is ChildState.FAILED:
        why = f"is parked with all below it, manual intervention required{because}"
        return Service(path, _UNAVAILABLE, why, needs_a_hand=True)
    if state is ChildState.BACKOFF:
        return Service(path, _UNAVAILABLE, f"gave up and is in backoff{because}")
    return None


def guard(name: str, state: BreakerState, health: str, error: str = "") -> Service:
    """Return how a dependency does.

    Args:
        name: Of its guards.
        state: Of its breaker.
        health: `ok`; `degraded`: fallbacks stand in; `unavailable`: they fail, too.
        error: Its last failure in words, empty if there is none.
    """
    because = f": {error}" if error else ""
    if state is BreakerState.FORCED_OPEN:
        return Service(name, _UNAVAILABLE, "has a breaker that was opened by hand", is_by_hand=True)
    for is_so, status, why in (
        (state is BreakerState.OPEN, _UNAVAILABLE, "has an open breaker"),
        (health == _UNAVAILABLE, _UNAVAILABLE, "is unavailable, and so are its fallbacks"),
        (state is BreakerState.HALF_OPEN, _DEGRADED, "has a half-open breaker, which lets only probes through"),
        (health == _DEGRADED, _DEGRADED, "is answered for by fallbacks"),
    ):
        if is_so:
            return Service(name, status, f"{why}{because}")
    return Service(name)


def _left(spent: int, limit: int | None) -> str:
    if limit is None:
        return ""
    return f"; {max(0, limit - spent)} of {limit} attempts left"


_DONE: Final = frozenset({ChildState.FINISHED, ChildState.REMOVED})
_IN: Final = {ChildState.FAILED: "parked", ChildState.BACKOFF: "in backoff"}


@attrs.define
class Tally:
    """Services, counted by what they make of the whole."""

    _counts: Counter[str] = attrs.field(factory=Counter[str], init=False)

    def add(self, service: Service) -> None:
        """Count *service*."""
        self._counts.update(_kinds(service))

    def remove(self, service: Service) -> None:
        """Count *service*, which was added, no more."""
        self._counts.subtract(_kinds(service))

    def overall(self, *, is_erring: bool = False) -> Overall:
        """Return how the bot does whose services are counted; *is_erring*: errors come too fast."""
        counts = self._counts
        if counts["hand"] or (counts["connection"] and not counts["usable"]):
            return Overall.UNHEALTHY
        return Overall.DEGRADED if counts["not operational"] or is_erring else Overall.HEALTHY


def _kinds(service: Service) -> list[str]:
    kinds: list[str] = []
    if service.status is not _OPERATIONAL:
        kinds.append("not operational")
    if service.needs_a_hand:
        kinds.append("hand")
    if service.is_connection and not service.is_by_hand:
        kinds.append("connection")
        if service.status is not _UNAVAILABLE:
            kinds.append("usable")
    return kinds


@attrs.frozen
class Change:
    """A status that is to be announced.

    Attributes:
        name: The service.
        previous: As it was announced last; operational if it never was.
        status: As it is.
        why: What is wrong, as the rest of a sentence; empty if nothing is.
    """

    name: str
    previous: ServiceStatus
    status: ServiceStatus
    why: str


@attrs.define
class Announced:
    """What was announced of each service; holds as many as there are, and forgets those that are gone.

    Attributes:
        overall: The health of the whole that was announced last.
    """

    overall: Overall = Overall.HEALTHY
    _known: dict[str, Service] = attrs.field(factory=dict[str, Service], init=False)
    _tally: Tally = attrs.field(factory=Tally, init=False)

    def __len__(self) -> int:
        """Return how many services are kept: those that are not operational, and connections."""
        return len(self._known)

    @property
    def names(self) -> tuple[str, ...]:
        """The services that are kept."""
        return tuple(self._known)

    def judge(self, name: str, service: Service | None) -> Change | None:
        """Take in how the service called *name* does, None if there is no such one any more; return what is news."""
        known = self._known.get(name)
        if service is not None and not service.is_settled:
            return None
        if known is not None:
            self._tally.remove(known)
            del self._known[name]
        if service is not None and (service.is_connection or service.status is not _OPERATIONAL):
            self._known[name] = service
            self._tally.add(service)
        previous = _OPERATIONAL if known is None else known.status
        status, why = (_OPERATIONAL, "is gone") if service is None else (service.status, service.why)
        return None if status is previous else Change(name, previous, status, why)

    def judge_all(self, *, is_erring: bool = False) -> Overall | None:
        """Return the health of the whole as it was, if it has changed; ``overall`` is what it is."""
        previous, self.overall = self.overall, self._tally.overall(is_erring=is_erring)
        return None if previous is self.overall else previous
