"""The recovery log as an answer: pages of records, newest first."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
import trio
from msgspec import Meta
from starlette.responses import Response

from duenna.records.dates import timestamp
from duenna_actors.console.api.answers import HEADERS, answer
from duenna_actors.console.api.audit import PREFIX
from duenna_actors.console.api.endpoint import Call, Endpoint
from duenna_actors.console.api.log_files import Found, Place, read_back
from duenna_actors.console.api.names import kinds_of
from duenna_actors.console.api.problems import ProblemError, shown
from duenna_actors.console.view.frames import encoded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from duenna.records import RecoveryRecord

NDJSON: Final = "application/x-ndjson"

MOST_TURNS: Final = 4
"""Turns of reading for one page; when they are over, it holds what was found, and where to go on."""

MOST_DAYS: Final = 90
"""Days of the log that can be asked for, today included."""

_GRACE: Final = 7  # days that a cursor of the oldest of them stays right
_ONE_DAY: Final = timedelta(days=1)  # the clock may be set back between two pages
_CURSOR: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})\.(e|[0-9]{1,15})\.([0-9]{4}-[0-9]{2}-[0-9]{2})", re.ASCII)


class LogsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which lines of the recovery log.

    Attributes:
        days: Of so many days, today included.
        service: Of this service: a stock name or a kind, such as `database`; of what operators did, the target.
        status: Of this status.
        limit: At most so many.
        cursor: What the page before gave as ``next_cursor``; it knows the days.
    """

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 7
    service: Annotated[str, Meta(max_length=1000)] = ""
    status: Literal["", "started", "success", "failed"] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Annotated[str, Meta(max_length=100)] = ""


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the recovery log.

    Attributes:
        at: When, in seconds since 1970.
        timestamp: The same as it stands in the log.
        action: What was done.
        status: `started`, `success` or `failed`.
        error: What it answers, or failed with; of what an operator did, to what, by whom, and why.
        retry_count: Which attempt it was.
    """

    at: float
    timestamp: str
    action: str
    status: str
    error: str
    retry_count: int


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Records, newest first.

    Attributes:
        records: What was found. There may be none although there are more: reading takes its time.
        next_cursor: Gives what is older; None: nothing is.
        damaged: Lines that could not be read, such as one torn by a power failure; they are left out.
    """

    records: tuple[LogRecord, ...]
    next_cursor: str | None
    damaged: int


async def get_logs(call: Call) -> Response:
    """Answer with a page of the recovery log."""
    query: LogsQuery = call.query
    records = call.deps.runtime.records
    if records is None:
        detail = "this bot writes no logs: give open_runtime(tree, directory=...) a directory to keep them in"
        raise ProblemError(404, "no logs", detail)
    today = datetime.fromtimestamp(records.wall(), UTC).date()
    place = _place(query.cursor, today) if query.cursor else Place(today, None, today - timedelta(days=query.days - 1))
    folder = records.directory / "logs" / "recovery"
    try:
        found = await _read(folder, place, query.limit, _wanted(query))
    except OSError as exc:
        raise ProblemError(503, "logs cannot be read", f"the recovery log cannot be read: {exc.strerror}") from None
    return _page(call, found)


async def _read(folder: Path, place: Place, most: int, wants: Callable[[RecoveryRecord], bool]) -> Found:
    """Read a page, turn by turn; cancelled, it returns at once."""
    whole = Found(place)
    for _ in range(MOST_TURNS):
        left = most - len(whole.records)
        read = partial(read_back, folder, whole.place, left, wants)
        turn = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        whole.place = turn.place
        whole.records += turn.records
        whole.damaged += turn.damaged
        if whole.place.is_over or len(whole.records) >= most:
            break
    return whole


def _page(call: Call, found: Found) -> Response:
    rows = tuple(map(_row, found.records))
    cursor = None if found.place.is_over else _written(found.place)
    if not call.wants(NDJSON):
        return answer(LogPage(records=rows, next_cursor=cursor, damaged=found.damaged))
    headers = {**HEADERS, "duenna-damaged": str(found.damaged)}
    if cursor is not None:
        headers["duenna-next-cursor"] = cursor
    return Response(b"".join(encoded(row) + b"\n" for row in rows), headers=headers, media_type=NDJSON)


def _row(record: RecoveryRecord) -> LogRecord:
    return LogRecord(
        at=record.at,
        timestamp=timestamp(record.at),
        action=record.action_type,
        status=str(record.status),
        error=record.error,
        retry_count=record.retry_count,
    )


def _wanted(query: LogsQuery) -> Callable[[RecoveryRecord], bool]:
    """Return what tells the records that *query* wants."""
    service, status = query.service, query.status
    kinds = tuple(f"{kind}_" for kind in kinds_of(service))

    def is_wanted(record: RecoveryRecord) -> bool:
        if status and record.status != status:
            return False
        if not service:
            return True
        if record.action_type.startswith(PREFIX):
            target = record.error.partition(" by ")[0]
            return target == service or target.endswith(f"/{service}")
        return record.action_type.startswith(kinds) or record.action_type == service

    return is_wanted


def _written(place: Place) -> str:
    offset: Any = "e" if place.offset is None else place.offset
    return f"{place.day.isoformat()}.{offset}.{place.first.isoformat()}"


def _place(cursor: str, today: date) -> Place:
    """Return the place that *cursor* names; it may be older than `MOST_DAYS` by the days that a reader has had it."""
    matched = _CURSOR.fullmatch(cursor)
    try:
        if matched is None:
            raise ValueError(cursor)  # noqa: TRY301  # as one whose date does not exist
        day, offset, first = matched.groups()
        place = Place(date.fromisoformat(day), None if offset == "e" else int(offset), date.fromisoformat(first))
        if not today - place.first <= timedelta(days=MOST_DAYS + _GRACE) or place.day > today + _ONE_DAY:
            raise ValueError(cursor)  # noqa: TRY301
    except ValueError:
        detail = f"parameter cursor must be the next_cursor of an answer, got {shown(cursor)}"
        raise ProblemError(422, "wrong parameter", detail, field="cursor") from None
    return place


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/api/recovery/logs",
        summary="The recovery log, newest line first, a page at a time.",
        handle=get_logs,
        answers={200: LogPage},
        query=LogsQuery,
        problems=(404, 503),
        media=(NDJSON,),
    ),
)
