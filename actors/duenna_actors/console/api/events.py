"""The bot's events: those that are kept as a list, and all to come as a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from duenna_actors.console.api.answers import answer
from duenna_actors.console.api.clock import moment
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.problems import ProblemError, shown
from duenna_actors.console.view.model import EventRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

STREAM: Final = "text/event-stream"

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL")
"""The lowest first."""

_RANK: Final = {level: rank for rank, level in enumerate(LEVELS)}
_LARGEST: Final = 2**53


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which events.

    Attributes:
        limit: Of a list: at most so many, the newest; with ``after`` the oldest of those after it.
        after: Only those after this number.
        type: Only those of this class, such as `ChildRestarting`.
        path: Only those of this actor and those below it.
        level: Only those of at least this level.
    """

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    after: Annotated[int, Meta(ge=0, le=_LARGEST)] | None = None
    type: Annotated[str, Meta(max_length=200)] = ""
    path: str = ""
    level: Literal["", "TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] = ""


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Events, oldest first.

    Attributes:
        now: The moment, in seconds of the bot's clock.
        at: The same in seconds since 1970.
        events: Those that the query leaves.
        last_id: Number of the newest of all events.
    """

    now: float
    at: float
    events: tuple[EventRow, ...]
    last_id: int


async def get_events(call: Call) -> Response:
    """Answer with the events that are kept, or with a stream of those to come."""
    query: EventsQuery = call.query
    keep = _kept(query)
    if call.wants(STREAM):
        return _stream(call, query, keep)
    ring = call.deps.memory.ring
    found: tuple[EventRow, ...]
    if keep is None and query.after is None:
        found = ring.rows(0, query.limit)
    else:
        rows = [row for row in ring.rows(query.after or 0) if keep is None or keep(row)]
        found = tuple(rows[-query.limit :] if query.after is None else rows[: query.limit])
    time = moment(call.deps)
    return answer(Events(now=time.now, at=time.at, events=found, last_id=ring.last_id))


async def get_live(call: Call) -> Response:
    """Answer with a stream of snapshots and what changes."""
    if call.deps.streams is None:
        raise ProblemError(503, "no streams", "this console has no streams")
    return call.deps.streams.live(call.request)


def _stream(call: Call, query: EventsQuery, keep: Callable[[EventRow], bool] | None) -> Response:
    if call.deps.streams is None:
        raise ProblemError(503, "no streams", "this console has no streams")
    last = call.request.headers.get("last-event-id", "")
    after = query.after
    if last:
        if not (last.isascii() and last.isdigit() and len(last) < 16):  # noqa: PLR2004  # below 2**53
            detail = f"Last-Event-ID must be the id of an event, a whole number, got {shown(last)}"
            raise ProblemError(422, "wrong header", detail, field="Last-Event-ID")
        after = int(last)
    return call.deps.streams.events(call.request, after, keep)


def _kept(query: EventsQuery) -> Callable[[EventRow], bool] | None:
    """Return what tells the events that *query* wants; None: it wants all."""
    path, kind = query.path.rstrip("/"), query.type
    if not (path or kind or query.level):
        return None
    least = _RANK.get(query.level, 0)

    def keep(row: EventRow) -> bool:
        return (
            (not kind or row.type == kind)
            and (not path or row.path == path or row.path.startswith(f"{path}/"))
            and _RANK.get(row.level, least) >= least
        )

    return keep


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/v1/events",
        summary="The last events; asked for text/event-stream, these and all to come.",
        handle=get_events,
        answers={200: Events},
        query=EventsQuery,
        problems=(503,),
        media=(STREAM,),
    ),
    Endpoint(
        method="GET",
        path="/api/v1/live",
        summary="A stream: first the snapshot, then what changes, and events.",
        handle=get_live,
        answers={200: None},
        problems=(503,),
        media=(STREAM,),
    ),
)
