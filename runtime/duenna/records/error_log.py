"""The error log: one JSON object a line, one file a day.

Lines are made in two steps, since an error must cost the event loop next to nothing: `held` takes
what a line is made of, and `error_lines` makes lines of many at once, in a worker thread.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from duenna.error_events import ErrorClassified
from duenna.records.dates import timestamp

FOLDER: Final = "data/errors"
"""Where the files are, below the base directory."""

PATTERN: Final = re.compile(r"errors_([0-9]{4})([0-9]{2})([0-9]{2})\.jsonl")
"""The names of the files: the day in UTC."""

_OVERHEAD = 500
_MOST = 100_000
_ENCODER = msgspec.json.Encoder(enc_hook=str)

# A line ends at \n only, but str.splitlines() ends it at these too: they go as JSON's own escapes.
_BREAKS = tuple((text.encode(), f"\\u{ord(text):04x}".encode()) for text in "\x85\u2028\u2029")


class ErrorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An error as the log, the tracker and its export show it.

    Attributes:
        timestamp: When, ISO 8601 in UTC.
        error_type: What it is counted under: its label, or else its type with the module.
        error_message: Its text in one line, causes included, without secrets.
        severity: LOW, MEDIUM, HIGH or CRITICAL.
        category: What it is about.
        service_name: Whom it happened to: the component, the guard, or else the actor's path.
        function_name: Who raised it; empty if nobody did.
        retry_count: Retries that failed with it before it was reported.
        stack_trace: Where it was raised, outermost first, one frame a line; empty if it was not.
        context: What the reporter added; the operation, if it named one, as `operation`.
    """

    timestamp: str
    error_type: str
    error_message: str
    severity: str
    category: str
    service_name: str
    function_name: str
    retry_count: int
    stack_trace: str
    context: dict[str, str]


class HeldError(msgspec.Struct, frozen=True, gc=False):
    """What a line of the error log is made of, without what it does not need of the report."""

    at: float
    kind: str
    message: str
    severity: str
    category: str
    service: str
    function: str
    retry_count: int
    frames: tuple[str, ...]
    operation: str
    context: dict[str, str]


def service_of(event: ErrorClassified) -> str:
    """Return whom the error counts for: its service, or else the actor's path."""
    return event.report.service or event.report.path


def type_of(event: ErrorClassified) -> str:
    """Return what the error is counted under: its label, or else its type."""
    return event.report.label or event.report.error_type


def held(event: ErrorClassified) -> HeldError:
    """Return what the line of *event* is made of."""
    report, verdict = event.report, event.verdict
    return HeldError(
        report.at,
        report.label or report.error_type,
        report.message,
        verdict.severity,
        verdict.category,
        report.service or report.path,
        report.function,
        report.retry_count,
        report.frames,
        report.operation,
        report.context,
    )


def size_of(error: HeldError) -> int:
    """Return about how much memory *error* takes, in bytes."""
    texts = sum(map(len, error.frames)) + sum(map(len, error.context.values()))
    return _OVERHEAD + len(error.message) + texts


def record_of(event: ErrorClassified) -> ErrorRecord:
    """Return *event* as a record."""
    return _record(held(event))


def error_lines(errors: Sequence[HeldError]) -> dict[str, bytes]:
    """Return the lines of *errors*, in order, by the name of the file that they belong to."""
    days: dict[str, list[ErrorRecord]] = {}
    for error in errors:
        record = _record(error)
        days.setdefault(f"errors_{record.timestamp[:10].replace('-', '')}.jsonl", []).append(record)
    return {name: encode(records) for name, records in days.items()}


def encode(records: Sequence[ErrorRecord]) -> bytes:
    """Return one line of JSON for each of *records*; whatever they hold, none is left out."""
    try:
        data = _ENCODER.encode_lines(records)
    except Exception:  # noqa: BLE001  # a text that is no Unicode, a number too large, a str() that raises
        data = b"".join(_ENCODER.encode(_cleaned(record)) + b"\n" for record in records)
    if not data.isascii():
        for text, escape in _BREAKS:
            data = data.replace(text, escape)
    return data


def _record(error: HeldError) -> ErrorRecord:
    context = error.context
    if error.operation and "operation" not in context:
        context = {**context, "operation": error.operation}
    return ErrorRecord(
        timestamp=timestamp(error.at),
        error_type=error.kind,
        error_message=error.message,
        severity=error.severity,
        category=error.category,
        service_name=error.service,
        function_name=error.function,
        retry_count=error.retry_count,
        stack_trace="\n".join(error.frames),
        context=context,
    )


def _cleaned(record: ErrorRecord) -> dict[str, Any]:
    """Return *record* with texts that can be encoded: what is no Unicode becomes an escape."""
    values: dict[str, Any] = {name: _text(getattr(record, name)) for name in record.__struct_fields__}
    values["context"] = {_text(key): _text(value) for key, value in record.context.items()}
    count: object = record.retry_count
    values["retry_count"] = count if isinstance(count, int) and abs(count) < 1 << 53 else 0
    return values


def _text(value: object) -> str:
    try:
        text = str(value)
    except Exception as exc:  # noqa: BLE001  # the line is worth more than this part of it
        text = f"<its __str__ raised {type(exc).__name__}>"
    return text[:_MOST].encode("utf-8", "backslashreplace").decode()
