"""The four actions that are there from the start."""

from typing import TYPE_CHECKING, Final

import trio

from duenna.machines.classification import Category, Severity
from duenna.machines.recovery_plan import Conditions
from duenna.recovery.action import Incident, RecoveryAction
from duenna.recovery.gateways import BREAKER_OPEN

if TYPE_CHECKING:
    from duenna.recovery.recovery import Recovery

NETWORK_RETRY: Final = "network_retry"
RATE_LIMIT_WAIT: Final = "rate_limit_wait"
DATA_FALLBACK: Final = "data_fallback"
EXCHANGE_FALLBACK: Final = "exchange_fallback"

DEFAULT_PAUSE: Final = 10.0
"""Seconds that a far end is left alone that says that there were too many calls, and not for how long."""

LONGEST_PAUSE: Final = 86_400.0
"""Seconds that a far end is left alone at a time, at most, whatever it asks for."""


def built_in(recovery: "Recovery") -> tuple[RecoveryAction, ...]:
    """Return the actions of *recovery* itself, by priority.

    `network_retry` (1, NETWORK) restarts nothing: after a crash it *is* the supervisor's
    restart, and follows that to its end. For an error that a connection survived it waits until
    the connection is operational. It is not meant for what is neither: there is nothing to see.

    `rate_limit_wait` (2, RATE_LIMIT) leaves the far end alone for as long as it asks, at least
    for 10 s if it does not say; `recovery.pause_left(source)` tells callers. It has succeeded
    when no such error came meanwhile; else it waits again, ``max_retries`` times in all. A wait is at most a day.

    `data_fallback` (3, DATA) has the source stand on its last good value; it fails if none
    was put into `recovery.data`, and the guard has not answered with one of its own.

    `exchange_fallback` (4, EXCHANGE of HIGH or above, so never one refused order, or a
    gateway's open breaker) sends orders to paper trading.
    """

    async def network_retry(incident: Incident) -> bool:
        return await recovery.courses.outcome(incident.path)

    def is_to_be_seen(incident: Incident) -> bool:
        if incident.verdict.category is not Category.NETWORK:
            return False
        return incident.is_crash or recovery.courses.is_connection(incident.path)

    async def rate_limit_wait(incident: Incident) -> bool:
        most = max(1, recovery.policy.max_attempts)
        for attempt in range(1, most + 1):
            seen = incident.joined
            asked = incident.retry_after
            wait = DEFAULT_PAUSE if asked is None else min(asked, LONGEST_PAUSE)
            recovery.pause(incident.source, wait)
            incident.begin(attempt, of=most, wait=wait)
            await trio.sleep(wait)
            if incident.joined == seen:
                return True
        return False

    def data_fallback(incident: Incident) -> bool:
        if recovery.data.has_stood_in(incident.report.service, incident.report.time):
            return True
        why = incident.report.message
        sources = dict.fromkeys((incident.source, incident.path))
        return sum(recovery.data.fall_back(source, why, path=incident.path) for source in sources) > 0  # each of them

    def exchange_fallback(incident: Incident) -> bool:
        return _use_paper(recovery, incident)

    forever = float("inf")
    down = Conditions(categories=frozenset({Category.EXCHANGE}), min_severity=Severity.HIGH)
    return (
        RecoveryAction(NETWORK_RETRY, network_retry, is_to_be_seen, 1, timeout=forever, observes=True),
        RecoveryAction(RATE_LIMIT_WAIT, rate_limit_wait, Category.RATE_LIMIT, 2, timeout=forever, narrates=True),
        RecoveryAction(DATA_FALLBACK, data_fallback, Category.DATA, 3),
        RecoveryAction(EXCHANGE_FALLBACK, exchange_fallback, down, 4),
    )


def _use_paper(recovery: "Recovery", incident: Incident) -> bool:
    cause = _cause_of(recovery, incident)
    if cause is not None:
        recovery.trading.use_paper(incident.report.message, cause=cause, by=EXCHANGE_FALLBACK)
    return True


def _cause_of(recovery: "Recovery", incident: Incident) -> str | None:
    """Return what keeps orders off the exchange, and ends that by being well again; None: it is well by now."""
    if incident.verdict.rule == BREAKER_OPEN:
        return None if recovery.is_breaker_closed(incident.source) else incident.source
    return incident.path if recovery.courses.is_connection(incident.path) else incident.source
