"""The errors of a bot as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from duenna import Runtime
from duenna_actors.console.view.model import ErrorRow, Errors, ErrorType
from duenna_actors.console.view.rings import ErrorRings
from duenna_actors.console.view.texts import brief, two_digits

if TYPE_CHECKING:
    from duenna.error_events import ErrorClassified

LATEST: Final = 20
MOST_TYPES: Final = 10
RATE_OVER: Final = 300.0

_LONGEST: Final = 500


def error_row(event: ErrorClassified) -> ErrorRow:
    """Return one error with its verdict."""
    report, verdict = event.report, event.verdict
    return ErrorRow(
        id=report.id,
        time=report.time,
        path=report.path,
        type=brief(report.label or report.error_type, 200),
        message=brief(report.message, _LONGEST),
        category=str(verdict.category),
        severity=str(verdict.severity),
        transient=verdict.transient,
        service=brief(report.service, 200),
    )


@attrs.define(eq=False)
class ErrorDesk:
    """Answers what went wrong, from the tracker of a runtime; makes rows anew only when there are new errors."""

    _runtime: Runtime
    _rings: ErrorRings
    _known: tuple[int, float] = attrs.field(default=(-1, 0.0), init=False)
    _latest: tuple[ErrorRow, ...] = attrs.field(default=(), init=False)
    _types: tuple[ErrorType, ...] = attrs.field(default=(), init=False)

    def errors(self) -> Errors:
        """Return the errors so far."""
        tracker, now = self._runtime.errors, self._runtime.now()
        total = tracker.total
        if total != self._known[0] or (self._types and now - self._known[1] >= 1.0):
            self._known = (total, now)
            recent = tracker.recent
            self._latest = tuple(error_row(event) for event in reversed(recent[-LATEST:]))
            self._types = _types(recent, now)
        return Errors(
            total=total,
            rate=tracker.rate(now),
            trend=str(tracker.trend(now)),
            types=self._types,
            latest=self._latest,
            sparkline=self._rings.sparks.values(now),
        )

    def find(
        self,
        since: float | None = None,
        category: str | None = None,
        severity: str | None = None,
        path: str | None = None,
        limit: int = 100,
    ) -> tuple[ErrorRow, ...]:
        """Return the latest errors that all arguments leave, newest first.

        Args:
            since: Only those of the last so many seconds.
            category: Only those of this category, in any case.
            severity: Only those that are exactly this bad, in any case.
            path: Only those of this actor and of those below it.
            limit: How many, at most.
        """
        found: list[ErrorRow] = []
        begin = -float("inf") if since is None else self._runtime.now() - since
        for event in reversed(self._runtime.errors.recent):
            report, verdict = event.report, event.verdict
            if len(found) >= limit or report.time < begin:
                break
            if (
                (category is None or str(verdict.category).lower() == category.lower())
                and (severity is None or str(verdict.severity).lower() == severity.lower())
                and (path is None or report.path == path or report.path.startswith(f"{path}/"))
            ):
                found.append(error_row(event))
        return tuple(found)


def _types(recent: tuple[ErrorClassified, ...], now: float) -> tuple[ErrorType, ...]:
    """Return the most frequent types among the latest errors."""
    counts: dict[str, list[int]] = {}
    for event in recent:
        report = event.report
        known = counts.setdefault(report.label or report.error_type, [0, 0])
        known[0] += 1
        known[1] += now - report.time <= RATE_OVER
    ranked = sorted(counts.items(), key=lambda each: (-each[1][0], each[0]))[:MOST_TYPES]
    minutes = RATE_OVER / 60.0
    return tuple(ErrorType(brief(name, 200), n, two_digits(late / minutes)) for name, (n, late) in ranked)
