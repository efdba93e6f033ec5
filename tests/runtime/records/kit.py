"""Errors and recoveries as the runtime makes them, and a bot that does nothing but keep records of them."""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from duenna import Supervisor, open_runtime
from duenna.error_events import ErrorClassified, ErrorReport, RecoveryAttempted
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from duenna import Runtime
    from duenna.records import Records

NEW_YEAR = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DAY = 86_400.0

_numbers = itertools.count(1)


def classified(
    message: str = "ValueError: no",
    *,
    time: float = 0.0,
    at: float = NEW_YEAR,
    error_type: str = "ValueError",
    category: Category = Category.DATA,
    severity: Severity = Severity.LOW,
    **fields: Any,
) -> ErrorClassified:
    """Return an error with its verdict."""
    values: dict[str, Any] = {"path": "/bot/a", "id": next(_numbers), **fields}
    report = ErrorReport(
        time=time,
        at=at,
        error_type=error_type,
        message=message,
        facts=Facts(links=(Link(type=error_type, message=message),)),
        **values,
    )
    verdict = Verdict(category=category, severity=severity, transient=False, rule="test")
    return ErrorClassified(time=time, path=report.path, report=report, verdict=verdict)


def attempted(action: str = "network_retry", status: str = "started", attempt: int = 1, **fields: Any) -> Any:
    """Return a recovery action that began or ended."""
    values = {"time": 0.0, "path": "/bot/a", "report_id": 1, **fields}
    return RecoveryAttempted(action=action, status=status, attempt=attempt, **values)


@asynccontextmanager
async def bot(records: Records, *, shutdown: float = 10.0) -> AsyncIterator[Runtime]:
    """Run a bot that has *records* and nothing else."""
    system = [records.actor(shutdown=shutdown)]
    async with open_runtime(Supervisor("bot"), system=system, log_level=None) as runtime:
        yield runtime


def errors_in(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Return all lines of the error log, by file."""
    return {
        file.name: [json.loads(line) for line in file.read_bytes().splitlines()]
        for file in sorted((directory / "data/errors").iterdir())
    }


def messages_in(directory: Path) -> list[str]:
    """Return the messages in the error log, in order."""
    return [line["error_message"] for lines in errors_in(directory).values() for line in lines]
