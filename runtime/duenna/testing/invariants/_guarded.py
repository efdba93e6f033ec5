"""What the rules for guarded calls have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna.testing.invariants._base import Violation

if TYPE_CHECKING:
    from duenna.testing.trace import Record

SLACK = 1e-9
"""Seconds, or retries, that sums of floats may be off."""

Attempt = tuple[int, int]
"""Number of the attempt, and 0; or 1, 2, 3... for what was sent beside it."""


def guard_of(record: Record) -> str:
    """Return the name of the guard that *record* is about."""
    return str(record.fields.get("guard", ""))


def call_of(record: Record) -> int:
    """Return the number of the call that *record* is about; 0: it is about none."""
    return int(record.fields.get("call", 0))


def attempt_of(record: Record) -> Attempt:
    """Return which attempt of its call *record* is about."""
    return record.fields.get("attempt", 0), record.fields.get("hedge", 0)


def time_of(record: Record) -> float:
    """Return when it happened for whoever called: a worker thread may be ahead of the world."""
    return float(record.fields.get("time", record.t))


def about(record: Record) -> str:
    """Return which call *record* is about, for the text of a violation."""
    call, (attempt, hedge) = call_of(record), attempt_of(record)
    text = f"guard {guard_of(record)!r}"
    if call:
        text += f", call {call}"
    if attempt:
        text += f", attempt {attempt}" + (f" (hedge {hedge})" if hedge else "")
    return text


def broken(rule: str, record: Record, text: str) -> Violation:
    """Return the violation of *rule* that *record* shows."""
    return Violation(rule, record.t, record.seq, record.path, f"{about(record)}: {text}")
