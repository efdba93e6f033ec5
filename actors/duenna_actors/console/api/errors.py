"""The errors so far, with their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from duenna.machines.classification import Category, Severity
from duenna.machines.error_tracker import Trend
from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.clock import moment
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, near, shown
from duenna_actors.console.view.model import ErrorRow

if TYPE_CHECKING:
    from enum import StrEnum

    from starlette.responses import Response


class ErrorsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which errors.

    Attributes:
        since: Of the last so many seconds; None: all that are kept.
        category: Of this category, such as `NETWORK`, in any case of letters.
        severity: Of this severity, such as `HIGH`, in any case of letters.
        path: Of this actor and those below it.
        limit: At most so many, the newest.
    """

    since: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    category: Annotated[str, Meta(max_length=50)] = ""
    severity: Annotated[str, Meta(max_length=50)] = ""
    path: str = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All errors so far, counted, whatever the query leaves."""

    total_errors: int
    errors_by_service: dict[str, int]
    errors_by_type: dict[str, int]
    errors_by_category: dict[str, int]
    errors_by_severity: dict[str, int]
    repeated: int
    rate_per_minute: float
    trend: Trend


class ErrorsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Errors, newest first.

    Attributes:
        now: The moment, in seconds of the bot's clock.
        at: The same in seconds since 1970.
        errors: Those that the query leaves.
        summary: All, counted.
    """

    now: float
    at: float
    errors: tuple[ErrorRow, ...]
    summary: Totals


async def get_errors(call: Call) -> Response:
    """Answer with errors."""
    query: ErrorsQuery = call.query
    errors = call.deps.desk.errors(
        since=query.since,
        category=_member("category", query.category, Category),
        severity=_member("severity", query.severity, Severity),
        path=query.path.rstrip("/") or None,
        limit=query.limit,
    )
    time = moment(call.deps)
    return answer(ErrorsAnswer(now=time.now, at=time.at, errors=tuple(errors), summary=_totals(call)))


def _totals(call: Call) -> Totals:
    summary = call.deps.runtime.errors.summary(latest=0)
    fields: dict[str, Any] = {name: getattr(summary, name) for name in Totals.__struct_fields__}
    return Totals(**fields)


def _member(field: str, given: str, known: type[StrEnum]) -> str | None:
    if not given:
        return None
    names = {str(member).lower(): str(member) for member in known}
    found = names.get(given.lower())
    if found is None:
        listed = list(names.values())
        detail = f"parameter {field} must be one of {', '.join(listed)}, got {shown(given)}"
        raise ProblemError(422, "wrong parameter", detail, field=field, names=near(given, listed))
    return found


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/errors",
        summary="The latest errors with their verdicts, newest first, and all of them counted.",
        handle=get_errors,
        answers={200: ErrorsAnswer},
        query=ErrorsQuery,
    ),
)
