"""Alerts in the log, for who reads that anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from loguru import logger

from duenna.machines.classification import Severity
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk

if TYPE_CHECKING:
    from duenna.machines.alert_words import Notification

_LEVELS: Final = {
    Severity.LOW: "INFO",
    Severity.MEDIUM: "WARNING",
    Severity.HIGH: "ERROR",
    Severity.CRITICAL: "CRITICAL",
}


@attrs.frozen(kw_only=True)
class LogReceiver(Receiver):
    """Writes one loguru record for each notification: at the level of what fires, INFO when all is over."""

    name: str = "log"

    def sender(self, desk: Desk) -> LogSender:
        """Make what writes."""
        return LogSender(desk)


@attrs.define
class LogSender:
    """Writes to the log."""

    _desk: Desk

    async def send(self, note: Notification) -> None:
        """Write *note*; what a sink makes of it is the sink's."""
        level = _LEVELS[note.severity] if note.firing else "INFO"
        logger.bind(path="/system/alerts", alert=note.group.get("kind", "")).log(level, "{}", self._desk.text(note))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""
