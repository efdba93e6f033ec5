"""What is told, and how: an incident is one line, and so is an event that belongs to none. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.error_events import ErrorClassified, HealthChanged, RecoveryAttempted
from duenna.events import (
    ChildExited,
    ChildParked,
    ChildRestarting,
    ChildStarted,
    DeadLetter,
    ErrorReported,
    Event,
    LoopBlocked,
    MessageDropped,
    RuntimeStarted,
    RuntimeStopping,
)
from duenna_actors.demo.events import FaultEnded, FaultInjected
from duenna_actors.feed import SubscriptionChanged

if TYPE_CHECKING:
    from duenna.incidents import Chain
    from duenna_actors.demo.report import Statistics

FAULT = "FAULT"
"""The level of a fault's line."""

BEGIN = ">>> "
"""Marks the beginning of a fault."""

END = "<<< "
"""Marks its end."""

_MOST = 90
_MOST_OF_AN_ERROR = 72
_TOLD_OTHERWISE = (
    ChildExited,
    ChildParked,
    ChildRestarting,
    ChildStarted,
    DeadLetter,
    ErrorClassified,
    ErrorReported,
    HealthChanged,
    MessageDropped,
    RecoveryAttempted,
    SubscriptionChanged,
)
_LEVELS = frozenset({"INFO", "WARNING", "ERROR", "CRITICAL"})


@attrs.frozen
class Line:
    """One line of the log.

    Attributes:
        level: Loguru's level, or `FAULT`.
        text: What it says.
    """

    level: str
    text: str


def narrate(event: Event, before: Statistics) -> Line | None:
    """Return the line of *event*; None for what another line tells already.

    What belongs to an error is told by the line of its incident, when that is over; the
    picture of the tree shows meanwhile what does not work.

    Args:
        event: What happened.
        before: What was known before it.
    """
    if isinstance(event, FaultInjected | FaultEnded):
        return Line(FAULT, (BEGIN if isinstance(event, FaultInjected) else END) + event.text())
    if isinstance(event, ConnectionChanged):
        record = before.connections.get(event.path)
        is_first = event.state is ConnectionState.OPERATIONAL and (record is None or record.up == 0.0)
        return Line("INFO", "operational") if is_first else None
    return None if isinstance(event, _TOLD_OTHERWISE) else _of_the_runtime(event)


def _of_the_runtime(event: Event) -> Line | None:
    match event:
        case LoopBlocked():
            return Line(event.level, event.text().partition("\n")[0])
        case RuntimeStarted():
            return Line("INFO", "every child has started")
        case RuntimeStopping(reason=reason):  # a signal has been answered by the runtime already
            return None if reason.startswith("SIG") else Line("INFO", "stopping in order")
        case _:
            return Line(event.level, event.text()) if event.level in _LEVELS else None


def conclude(incident: Chain) -> Line:
    """Return the line of an incident: error, verdict, action, outcome, time to recover."""
    return Line(incident.level, incident.text(_MOST_OF_AN_ERROR))


def brief(error: str, most: int = _MOST) -> str:
    """Return *error* without the causes behind it, cut to *most* characters."""
    text = error.partition(" <- ")[0]
    return text if len(text) <= most else f"{text[: most - 3]}..."
