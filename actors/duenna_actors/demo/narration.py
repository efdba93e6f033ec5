"""Which events are told, and how: one event, one line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.connection import ConnectionChanged, ConnectionState
from duenna.events import (
    ChildExited,
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
    from duenna_actors.demo.report import Statistics

FAULT = "FAULT"
"""The level of a fault's line."""

BEGIN = ">>> "
"""Marks the beginning of a fault."""

END = "<<< "
"""Marks its end."""

_MOST = 90
_TOLD_OTHERWISE = (ChildExited, MessageDropped, DeadLetter, SubscriptionChanged)
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

    A crash is told once, when its restart is decided, a failing check once, when it degrades
    its connection, and a connection's coming back with the time that it was away.

    Args:
        event: What happened.
        before: What was known before it.
    """
    if isinstance(event, FaultInjected | FaultEnded):
        return Line(FAULT, (BEGIN if isinstance(event, FaultInjected) else END) + event.text())
    if isinstance(event, _TOLD_OTHERWISE):
        return None
    return _of_a_child(event, before) or _of_the_runtime(event)


def _of_a_child(event: Event, before: Statistics) -> Line | None:
    match event:
        case ConnectionChanged():
            return _connection(event, before)
        case ChildRestarting():
            return _restart(event, before)
        case ChildStarted(incarnation=incarnation) if incarnation > 1:
            return Line("INFO", f"restarted, incarnation {incarnation}")
        case ErrorReported(details=details, error=error) if details.get("hook") != "check":
            return Line("WARNING", f"reported {brief(error)}")
        case _:
            return None


def _of_the_runtime(event: Event) -> Line | None:
    match event:
        case ConnectionChanged() | ChildStarted() | ErrorReported():
            return None
        case LoopBlocked():
            return Line(event.level, event.text().partition("\n")[0])
        case RuntimeStarted():
            return Line("INFO", "every child has started")
        case RuntimeStopping(reason=reason):  # a signal has been answered by the runtime already
            return None if reason.startswith("SIG") else Line("INFO", "stopping in order")
        case _:
            return Line(event.level, event.text()) if event.level in _LEVELS else None


def brief(error: str, most: int = _MOST) -> str:
    """Return *error* without the causes behind it, cut to *most* characters."""
    text = error.partition(" <- ")[0]
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _restart(event: ChildRestarting, before: Statistics) -> Line:
    record = before.connections.get(event.path)
    if record is None:
        return Line("WARNING", f"crashed: {brief(event.reason)}; restart in {event.delay:.1f} s")
    if record.has_been_up:
        return Line("WARNING", f"lost: {brief(event.reason)}; restart in {event.delay:.1f} s")
    return Line("WARNING", f"not back: {brief(event.reason)}; next try in {event.delay:.1f} s")


def _connection(event: ConnectionChanged, before: Statistics) -> Line | None:
    match event.state:
        case ConnectionState.OPERATIONAL:
            record = before.connections.get(event.path)
            if record is None or record.up == 0.0:
                return Line("INFO", "operational")
            away = event.time - record.down_since if record.down_since is not None else 0.0
            return Line("INFO", f"operational again after {away:.1f} s")
        case ConnectionState.DEGRADED:
            return Line("WARNING", f"degraded: {brief(event.why)}")
        case ConnectionState.RECOVERING:
            return Line("WARNING", f"to be recovered: {event.why}")
        case _:
            return None
