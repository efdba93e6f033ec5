"""How the state of an actor, a breaker or the whole bot looks: a shape, a word and a tone, never a colour alone."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

GOOD: Final = "good"
WARN: Final = "warn"
BAD: Final = "bad"
QUIET: Final = "quiet"


class Look(NamedTuple):
    """How something is shown: its shape, its word, and its tone (`good`, `warn`, `bad` or `quiet`)."""

    shape: str
    word: str
    tone: str

    def __str__(self) -> str:
        return f"{self.shape} {self.word}"


_STATES: Final = {
    "pending": Look("○", "pending", QUIET),
    "starting": Look("◔", "starting", WARN),
    "running": Look("●", "running", GOOD),
    "suspended": Look("‖", "suspended", WARN),
    "stopping": Look("◑", "stopping", WARN),
    "backoff": Look("◐", "backoff", WARN),
    "stopped": Look("■", "stopped", QUIET),
    "finished": Look("□", "finished", QUIET),
    "failed": Look("✖", "parked", BAD),  # for a person to help; the sentences and the page say so, too
}
_STATUSES: Final = {
    "degraded": Look("▲", "degraded", WARN),
    "unavailable": Look("▼", "unavail.", BAD),
}
_OVERALL: Final = {
    "healthy": Look("●", "HEALTHY", GOOD),
    "degraded": Look("▲", "DEGRADED", WARN),
    "unhealthy": Look("✖", "UNHEALTHY", BAD),
}
_BREAKERS: Final = {
    "closed": Look("●", "closed", GOOD),
    "half_open": Look("◐", "half open", WARN),
    "open": Look("✖", "OPEN", BAD),
    "forced_open": Look("✖", "FORCED OPEN", BAD),
    "disabled": Look("○", "disabled", QUIET),
    "metrics_only": Look("○", "metrics only", QUIET),
}
_SEVERITIES: Final = {
    "critical": Look("✖", "critical", BAD),
    "warning": Look("▲", "warning", WARN),
    "notice": Look("○", "notice", QUIET),
}
_OUTCOMES: Final = {
    "open": WARN,
    "recovered": GOOD,
    "survived": GOOD,
    "failed": BAD,
    "gave_up": BAD,
    "stopped": QUIET,
}


def of_row(row: dict[str, Any]) -> Look:
    """Return how an actor's row looks: its state, or, while it runs, what it is good for if that is less."""
    state = str(row.get("state", ""))
    if row.get("is_suspended") and state == "running":
        state = "suspended"
    if state == "running":
        return _STATUSES.get(str(row.get("status", "")), _STATES["running"])
    return _look(_STATES, state)


def of_bot(overall: str) -> Look:
    """Return how the health of the whole looks."""
    return _look(_OVERALL, overall)


def of_breaker(state: str) -> Look:
    """Return how the state of a breaker looks."""
    return _look(_BREAKERS, state)


def of_severity(severity: str) -> Look:
    """Return how urgent something looks."""
    return _look(_SEVERITIES, severity)


def tone_of_outcome(outcome: str) -> str:
    """Return the tone of how an incident ended."""
    return _OUTCOMES.get(outcome, QUIET)


def _look(known: dict[str, Look], word: str) -> Look:
    """Return what is known of *word*; a newer bot may have words that this one has not."""
    return known.get(word) or Look("?", word or "unknown", QUIET)
