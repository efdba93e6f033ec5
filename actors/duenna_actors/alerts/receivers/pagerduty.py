"""Alerts as incidents of PagerDuty, by its Events API v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.machines.alert_words import Reason
from duenna.machines.classification import Severity
from duenna.secrets import redact
from duenna_actors.alerts.receivers._post import Poster, check_url
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Alert, Notification

LONGEST_KEY: Final = 255
LONGEST_SUMMARY: Final = 1024
SEVERITIES: Final = {
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}


@attrs.frozen(kw_only=True)
class PagerDutyReceiver(Receiver):
    """Triggers an incident for each alert, and resolves it when that is over.

    Events of one kind and target of one bot have one `dedup_key`: sent twice, or again after a
    restart, they are one incident. Source: https://developer.pagerduty.com/docs/events-api-v2/.

    Attributes:
        routing_key: The integration key. Kept out of every text.
        url: Where events are sent to.
    """

    name: str = "pagerduty"
    routing_key: str = attrs.field(repr=False)
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def check(self) -> None:
        """Refuse what is no address, or no key; raises as the constructor does."""
        check_url(type(self).__name__, self.url)
        if not self.routing_key.strip():
            message = f"{type(self).__name__}: routing_key must not be empty"
            raise ValueError(message)

    def secrets(self) -> Sequence[str]:
        """Return the key."""
        return (self.routing_key,)

    def parts(self, note: Notification) -> Sequence[Notification]:
        """Return an event for each alert: what came and went, and a test, begin and end."""
        parts = [self._part(note, firing=alert) for alert in note.firing]
        for alert in note.resolved:
            if alert.id in note.brief:
                parts.append(self._part(note, firing=alert))
            parts.append(self._part(note, over=alert))
        if note.reason is Reason.TEST:
            parts += [self._part(note, over=alert) for alert in note.firing]
        return parts

    def _part(self, note: Notification, *, firing: Alert | None = None, over: Alert | None = None) -> Notification:
        begins, ends = () if firing is None else (firing,), () if over is None else (over,)
        return msgspec.structs.replace(note, firing=begins, resolved=ends)

    def sender(self, desk: Desk) -> PagerDutySender:
        """Make what sends."""
        return PagerDutySender(self.routing_key, desk, Poster(self.name, self.url, timeout=self.timeout))


@attrs.define
class PagerDutySender:
    """Sends events of one alert each."""

    _key: str = attrs.field(repr=False)
    _desk: Desk
    _poster: Poster

    async def send(self, note: Notification) -> None:
        """Send the one event of *note*; raises `DeliveryError`."""
        await self._poster.post(msgspec.json.encode(event(note, self._desk, self._key)))

    async def aclose(self) -> None:
        """Close the connection."""
        await self._poster.aclose()


def event(note: Notification, desk: Desk, routing_key: str) -> dict[str, Any]:
    """Return the one alert of *note* as an event."""
    begins = bool(note.firing)
    alert = (note.firing or note.resolved)[0]
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger" if begins else "resolve",
        "dedup_key": f"{desk.bot}/{alert.fingerprint}"[-LONGEST_KEY:],
    }
    if begins:
        found["payload"] = _payload(alert, note, desk)
    return found


def _payload(alert: Alert, note: Notification, desk: Desk) -> dict[str, Any]:
    details = {"count": alert.count, "duration": span(alert.duration), "details": redact(alert.details)}
    if note.suppressed:
        details["suppressed"] = note.suppressed
    return {
        "summary": redact(f"{alert.kind} {alert.target}: {alert.summary}")[:LONGEST_SUMMARY],
        "source": desk.bot,
        "severity": SEVERITIES[alert.severity],
        "timestamp": desk.stamp(alert.since),
        "component": redact(alert.target),
        "group": alert.labels.get("exchange", ""),
        "class": alert.kind,
        "custom_details": details | {name: redact(value) for name, value in alert.labels.items()},
    }
