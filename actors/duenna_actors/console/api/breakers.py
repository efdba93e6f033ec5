"""The breakers of the guards, and the operator's hand on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from duenna.guards import UnknownGuardError
from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.clock import moment
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, near, shown
from duenna_actors.console.view.model import BreakerRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from duenna.guards import Dependency


def _reset(dependency: Dependency) -> None:
    dependency.reset()


def _force_open(dependency: Dependency) -> None:
    dependency.force_open()


def _disable(dependency: Dependency) -> None:
    dependency.disable()


ACTIONS: Final[dict[str, Callable[[Any], None]]] = {"reset": _reset, "force_open": _force_open, "disable": _disable}
"""`reset`: closed again, with nothing remembered; `force_open`: no call passes; `disable`: every call passes."""


class Breakers(msgspec.Struct, frozen=True):
    """Every breaker that was used, those that are not closed first; ``now`` and ``at`` are the moment."""

    now: float
    at: float
    breakers: tuple[BreakerRow, ...]


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why something is done, for the audit line."""

    reason: Annotated[str, Meta(max_length=500)] = ""


async def get_breakers(call: Call) -> Response:
    """Answer with the breakers."""
    time = moment(call.deps)
    return answer(Breakers(time.now, time.at, tuple(call.deps.desk.breakers())))


async def act_on_breaker(call: Call) -> Response:
    """Put a breaker into a state."""
    name, action = call.part("name"), call.part("action")
    move = ACTIONS.get(action)
    if move is None:
        detail = f"there is no action {shown(action)} of a breaker; there are {', '.join(ACTIONS)}"
        raise ProblemError(404, "no such action", detail, names=list(ACTIONS))
    deps = call.deps
    try:
        dependency = deps.runtime.guards[name]
    except UnknownGuardError:
        names = near(name, deps.runtime.guards)
        detail = f"there is no guard {shown(name)}; there is {', '.join(names) or 'none at all'}"
        raise ProblemError(404, "no such breaker", detail, names=names) from None
    move(dependency)
    deps.audit.record(f"breaker_{action}", name, call.caller, call.body.reason)
    row = next((row for row in deps.desk.breakers() if row.name == name), None)
    if row is None:  # it has not been used, or has no breaker
        row = _row(name, dependency)
    return answer(row)


def _row(name: str, dependency: Dependency) -> BreakerRow:
    found = dependency.statistics()
    return BreakerRow(
        name=name,
        state=str(found.state),
        health=found.health,
        since=found.since,
        retry_at=None,
        calls=found.calls,
        successes=found.successes,
        failures=found.failures,
        rejected=found.rejected,
        fallbacks=found.fallbacks,
        failure_rate=None,
        last_error=found.last_error or "",
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/breakers",
        summary="Every breaker that was used, those that are not closed first.",
        handle=get_breakers,
        answers={200: Breakers},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/breakers/{name}/{action}",
        summary="Close a breaker and forget what it counted, hold it open, or let every call pass.",
        handle=act_on_breaker,
        answers={200: BreakerRow},
        role="operate",
        body=Reason,
        parts={
            "name": {"type": "string", "minLength": 1, "description": "The name of the guard."},
            "action": {"type": "string", "enum": list(ACTIONS)},
        },
        problems=(404,),
    ),
)
