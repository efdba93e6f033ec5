"""What the tests of recovery share: a recorder of events, the log's lines, errors that were judged."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import attrs
import trio
from loguru import logger

from duenna.error_events import ErrorClassified, ErrorReport, RecoveryAttempted, Source
from duenna.events import Event
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = count(1)


@attrs.define
class Recorder:
    """Stands for the bus: keeps every event, and which of them are not for the log."""

    events: list[Event] = attrs.field(factory=list)
    unlogged: list[Event] = attrs.field(factory=list)

    def wants(self, kind: type[Event], /) -> bool:
        return True

    def post(self, event: Event, /) -> None:
        self.events.append(event)

    def offer(self, event: Event, /) -> None:
        self.events.append(event)
        self.unlogged.append(event)

    @property
    def attempts(self) -> list[RecoveryAttempted]:
        return [event for event in self.events if isinstance(event, RecoveryAttempted)]

    @property
    def steps(self) -> list[tuple[float, str, str, int]]:
        """When, which action, how far, which attempt."""
        return [(event.time, event.action, event.status, event.attempt) for event in self.attempts]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def logged() -> Iterator[list[tuple[str, str]]]:
    """Give the log's lines as level and text."""
    lines: list[tuple[str, str]] = []
    number = logger.add(lambda line: lines.append((line.record["level"].name, line.record["message"])), level="DEBUG")
    try:
        yield lines
    finally:
        logger.remove(number)


def made(recorder: Recorder | None = None, **options: Any) -> Recovery:
    """Return a recovery on trio's clock."""
    return Recovery(now=trio.current_time, events=recorder, wall=lambda: 0.0, **options)


def classified(
    category: Category = Category.NETWORK,
    severity: Severity = Severity.MEDIUM,
    *,
    path: str = "/bot/api",
    kind: str = "api",
    source: Source = Source.REPORT,
    incarnation: int = 1,
    service: str = "",
    message: str = "Connection timeout",
    retry_after: float | None = None,
    repeats: int | None = None,
    transient: bool = True,
) -> ErrorClassified:
    """Return an error of the actor at *path* with its verdict."""
    now = trio.current_time()
    report = ErrorReport(
        id=next(_NUMBERS),
        time=now,
        at=0.0,
        path=path,
        incarnation=incarnation,
        kind=kind,
        source=source,
        error_type="TimeoutError",
        message=f"TimeoutError: {message}",
        facts=Facts(links=(Link(type="TimeoutError", message=message),)),
        service=service,
        repeats=repeats,
    )
    verdict = Verdict(category=category, severity=severity, transient=transient, retry_after=retry_after)
    return ErrorClassified(time=now, path=path, report=report, verdict=verdict)
