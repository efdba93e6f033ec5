r"""The recovery log: one line for each action that began or ended, one file a day.

`TIMESTAMP | ACTION_TYPE | STATUS | ERROR | RETRY_COUNT`. In the first four a backslash is `\\`, a
`|` is `\|`, and line ends and control characters are escapes, so a line split at ` | ` has five
parts whatever the error says.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from duenna.error_events import RecoveryAttempted
from duenna.records.dates import timestamp
from duenna.records.escapes import escape, unescape

FOLDER: Final = "logs/recovery"
"""Where the files are, below the base directory."""

PATTERN: Final = re.compile(r"recovery-([0-9]{4})-([0-9]{2})-([0-9]{2})\.log")
"""The names of the files: the day in UTC."""

_SEPARATOR = " | "
_FIELDS = 5
_MOST = 1000
_GAVE_UP = "gave_up"


class RecoveryStatus(StrEnum):
    """How far an action is."""

    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"


class RecoveryRecord(NamedTuple):
    """A line of the recovery log.

    Attributes:
        at: When, in seconds since 1970-01-01T00:00:00Z, to a microsecond.
        action_type: The action, such as `network_retry`; of a kind of actor that has a name of
            its own, with that before it: `websocket_network_retry`.
        status: How far it is.
        error: What it answers, or failed with; empty if it succeeded.
        retry_count: Which attempt it is, counted from 1.
    """

    at: float
    action_type: str
    status: RecoveryStatus
    error: str
    retry_count: int


def recovery_record(event: RecoveryAttempted, kind: str, at: float) -> RecoveryRecord:
    """Return the line of *event*; giving up is a failure with a text of its own."""
    action = event.action if kind in _PLAIN else f"{kind}_{event.action}"
    status, error = event.status, event.error
    if status == _GAVE_UP:
        error = f"Maximum restart attempts ({event.attempts}) reached" if event.attempts else error or "gave up"
    known = RecoveryStatus(status) if status in _STATUSES else RecoveryStatus.FAILED
    return RecoveryRecord(at, action[:_MOST], known, error[:_MOST], event.attempt)


_STATUSES = frozenset(RecoveryStatus)
_PLAIN = frozenset({"", "actor", "function"})  # kinds that say nothing


def format_recovery_line(record: RecoveryRecord) -> str:
    """Return *record* as a line, without the line's end."""
    time = timestamp(record.at)
    parts = (time, escape(record.action_type), record.status, escape(record.error), str(record.retry_count))
    return _SEPARATOR.join(parts)


def parse_recovery_line(line: str) -> RecoveryRecord:
    """Return what `format_recovery_line` made *line* of; one line end at its end is allowed.

    Raises:
        ValueError: *line* is none of the recovery log; after the power failed, the last may be torn.
    """
    parts = line.removesuffix("\n").split(_SEPARATOR)
    try:
        if len(parts) != _FIELDS:
            raise ValueError(f"{_FIELDS} fields are needed, got {len(parts)}")  # noqa: TRY301  # as the others below
        at = datetime.fromisoformat(parts[0])
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        error, action = unescape(parts[3]), unescape(parts[1])
        return RecoveryRecord(at.timestamp(), action, RecoveryStatus(parts[2]), error, int(parts[4]))
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"recovery log: line must be 'time | action | status | error | count', got {line!r}") from exc


def recovery_lines(records: Sequence[RecoveryRecord]) -> dict[str, bytes]:
    """Return the lines of *records*, in order, by the name of the file that they belong to."""
    days: dict[str, list[str]] = {}
    for record in records:
        line = format_recovery_line(record)
        days.setdefault(f"recovery-{line[:10]}.log", []).append(f"{line}\n")
    return {name: "".join(lines).encode() for name, lines in days.items()}
