"""How everything does and what was done about it, and the restart of a service by its name."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from duenna.records.dates import timestamp
from duenna_actors.console.api.acting import Begun, begin, replayed
from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.names import resolve
from duenna_actors.console.api.params import NoQuery
from duenna_actors.console.api.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from duenna.recovery.attempts import Attempt
    from duenna_actors.console.api.deps import Deps
    from duenna_actors.console.view.model import BreakerRow, Row, Snapshot

MOST_RECENT: Final = 50
"""Attempts that the status names."""


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One monitored service.

    Attributes:
        path: Its path; of a guard its name.
        state: Of an actor the state of its life, of a connection that of its link, of a guard that of its breaker.
        status: `operational`, `degraded` or `unavailable`.
        why: What is wrong; empty if nothing is.
        error_count: Errors that count under it.
        restart_count: How often it was started again.
        last_error: The last error; empty if there was none.
        last_recovery: When it was recovered last, in seconds since 1970; None: never.
        cooldown_until: When it is tried again, in seconds since 1970; None: it does not wait for that.
    """

    path: str
    state: str
    status: str
    why: str
    error_count: int
    restart_count: int
    last_error: str
    last_recovery: float | None
    cooldown_until: float | None


class RecentAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery that is over; ``at`` in seconds since 1970, ``status`` `success`, `failed` or `cancelled`."""

    at: float
    timestamp: str
    action: str
    path: str
    status: str
    error: str
    attempt: int


class RecoveryTotals(msgspec.Struct, frozen=True):
    """Errors, restarts and successful recoveries so far."""

    errors: int
    restarts: int
    recoveries: int


class RecoveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How everything does.

    Attributes:
        now: The moment, in seconds of the bot's clock.
        at: The same in seconds since 1970.
        overall: `healthy`, `degraded` or `unhealthy`.
        services: Every monitored service by its path, or the guard's name.
        recent: The latest recoveries, newest first, at most 50.
        totals: Everything, counted.
    """

    now: float
    at: float
    overall: str
    services: dict[str, ServiceStatus]
    recent: tuple[RecentAttempt, ...]
    totals: RecoveryTotals


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to restart.

    Attributes:
        service: A path, the name of a child, a stock name such as `database`, or a kind.
        reason: Why, for the audit line.
        force: Whether also while it waits to be tried again by itself.
        fresh: Set aside first what is stored of it.
    """

    service: Annotated[str, Meta(min_length=1, max_length=1000)]
    reason: Annotated[str, Meta(max_length=500)] = ""
    force: bool = False
    fresh: bool = False


async def get_status(call: Call) -> Response:
    """Answer with how every monitored service does."""
    deps = call.deps
    seen = await deps.desk.snapshot()
    statistics = deps.runtime.recovery.statistics()
    recent = statistics.recent
    recovered = {attempt.path: attempt.at for attempt in recent if attempt.outcome == "success"}
    totals = RecoveryTotals(
        errors=deps.runtime.errors.total,
        restarts=sum(row.restarts for row in seen.rows if row.kind != "supervisor"),
        recoveries=statistics.successful,
    )
    return answer(
        RecoveryStatus(
            now=seen.header.now,
            at=seen.header.at,
            overall=seen.header.overall,
            services=_services(deps, seen, recovered),
            recent=tuple(map(_recent, reversed(recent[-MOST_RECENT:]))),
            totals=totals,
        )
    )


async def post_restart(call: Call) -> Response:
    """Begin the restart of a service."""
    before = replayed(call)  # which may have led to the very cooldown
    if before is not None:
        return before
    body: Restart = call.body
    seen = await call.deps.desk.snapshot()
    row = resolve(body.service, seen.rows)
    left = _cooldown_left(row, call.deps.runtime.now())
    if left and not body.force:
        detail = f'{row.path} is tried again by itself in {left:.1f} s; send "force": true to restart it now'
        headers = {"retry-after": str(ceil(left))}
        raise ProblemError(409, "in cooldown", detail, headers=headers, path=row.path, retry_after=left)
    return begin(call, "restart", row.path, reason=body.reason, fresh=body.fresh)


def _cooldown_left(row: Row, now: float) -> float:
    is_waiting = row.state == "backoff" or row.link == "cooldown"
    return max(0.0, row.retry_at - now) if is_waiting and row.retry_at is not None else 0.0


def _services(deps: Deps, seen: Snapshot, recovered: Mapping[str, float]) -> dict[str, ServiceStatus]:
    counts = deps.runtime.errors.summary(latest=0).errors_by_service
    offset = seen.header.at - seen.header.now
    found = {
        row.path: ServiceStatus(
            path=row.path,
            state=row.link or row.state,
            status=row.status,
            why=row.why,
            error_count=counts.get(row.path, 0),
            restart_count=row.restarts,
            last_error=row.last_error,
            last_recovery=recovered.get(row.path),
            cooldown_until=None if row.retry_at is None else row.retry_at + offset,
        )
        for row in seen.rows
        if row.status and (not row.path.startswith("/system") or row.status != "operational")
    }
    for breaker in seen.header.breakers:
        found[breaker.name] = _of_breaker(breaker, counts, recovered, offset)
    return found


def _of_breaker(
    row: BreakerRow, counts: Mapping[str, int], recovered: Mapping[str, float], offset: float
) -> ServiceStatus:
    status = "operational" if row.health == "ok" and row.state in _PASSING else "degraded"
    if row.health == "unavailable" or row.state in {"open", "forced_open"}:
        status = "unavailable"
    return ServiceStatus(
        path=row.name,
        state=row.state,
        status=status,
        why="" if status == "operational" else f"breaker is {row.state}, dependency is {row.health}",
        error_count=counts.get(row.name, 0),
        restart_count=0,
        last_error=row.last_error,
        last_recovery=recovered.get(row.name),
        cooldown_until=None if row.retry_at is None else row.retry_at + offset,
    )


_PASSING: Final = frozenset({"closed", "disabled", "metrics_only"})


def _recent(attempt: Attempt) -> RecentAttempt:
    return RecentAttempt(
        at=attempt.at,
        timestamp=timestamp(attempt.at),
        action=attempt.action,
        path=attempt.path,
        status=attempt.outcome,
        error=attempt.error,
        attempt=attempt.attempt,
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/recovery/status",
        summary="How every monitored service does, and what was done about errors of late.",
        handle=get_status,
        answers={200: RecoveryStatus},
        query=NoQuery,
    ),
    Endpoint(
        method="POST",
        path="/api/recovery/restart",
        summary="Restart a service by a stock name, a child's name, a kind or a path.",
        handle=post_restart,
        answers={202: Begun},
        role="operate",
        body=Restart,
        problems=(404, 409, 503),
        takes_key=True,
    ),
)
