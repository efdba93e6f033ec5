"""Incident files: taken by themselves when somebody gives up, and on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.responses import Response

from duenna.incident_files import UnknownIncidentError
from duenna_actors.console.api.answers import HEADERS, JSON, answer
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, near, shown

if TYPE_CHECKING:
    from duenna.incident_files import IncidentSummary


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident file.

    Attributes:
        id: Its id.
        at: When it was taken, in seconds since 1970.
        path: The actor that it is about.
        reason: Why it was taken.
        trigger: `gave_up`, `parked` or `request`.
        size: Its size in bytes.
    """

    id: str
    at: float
    path: str
    reason: str
    trigger: str
    size: int


class Incidents(msgspec.Struct, frozen=True):
    """The incident files that are kept, newest first."""

    incidents: tuple[Incident, ...]


class Take(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why one is taken."""

    reason: Annotated[str, Meta(max_length=500)] = ""


async def get_incidents(call: Call) -> Response:
    """Answer with the incident files that are kept."""
    return answer(Incidents(tuple(map(_incident, call.deps.runtime.incident_files.list()))))


async def post_incident(call: Call) -> Response:
    """Take an incident file now."""
    reason = call.body.reason or "an operator asked for it"
    taken = call.deps.runtime.incident_files.take(reason, by=call.caller.name)
    call.deps.audit.record("incident", taken.id, call.caller, call.body.reason)
    return answer(_incident(taken), 201, headers={"location": f"/api/v1/incidents/{taken.id}"})


async def get_incident(call: Call) -> Response:
    """Answer with an incident file as it is."""
    name, files = call.part("id"), call.deps.runtime.incident_files
    try:
        document = await files.read(name)
    except UnknownIncidentError:
        names = near(name, [each.id for each in files.list()])
        detail = f"there is no incident {shown(name)}; there is {', '.join(names) or 'none at all'}"
        raise ProblemError(404, "no such incident", detail, names=names) from None
    except OSError as exc:
        raise ProblemError(503, "incident cannot be read", f"its file cannot be read: {exc.strerror}") from None
    return Response(document, headers=HEADERS, media_type=JSON)


def _incident(summary: IncidentSummary) -> Incident:
    return Incident(
        id=summary.id,
        at=summary.at,
        path=summary.path,
        reason=summary.reason,
        trigger=str(summary.trigger),
        size=summary.size,
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/incidents",
        summary="The incident files that are kept, newest first.",
        handle=get_incidents,
        answers={200: Incidents},
    ),
    Endpoint(
        method="POST",
        path="/api/v1/incidents",
        summary="Take an incident file now: tree, events, stacks, mailboxes, settings without secrets.",
        handle=post_incident,
        answers={201: Incident},
        role="operate",
        body=Take,
        problems=(503,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/incidents/{id}",
        summary="An incident file.",
        handle=get_incident,
        answers={200: dict[str, Any]},
        parts={"id": {"type": "string", "minLength": 1, "description": "The id of the incident file."}},
        problems=(404, 503),
    ),
)
