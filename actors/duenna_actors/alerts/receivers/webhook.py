"""Alerts to a web server of one's own, in the form of Alertmanager's webhooks."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.secrets import redact
from duenna_actors.alerts.receivers._post import Poster, check_url
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.text import Desk, worst_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Alert, Notification

SIGNATURE: Final = "X-Duenna-Signature"
"""The header of a signed webhook: `t=SECONDS,v1=HEX`, HEX being HMAC-SHA256 of `SECONDS.` and the body."""

MOST_ALERTS: Final = 200
"""Alerts in one message; `truncatedAlerts` says how many there are beside them."""

_NEVER: Final = "0001-01-01T00:00:00Z"


@attrs.frozen(kw_only=True)
class WebhookReceiver(Receiver):
    """Posts JSON, in the form that Alertmanager's webhooks have (version 4), to an address.

    Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.

    Attributes:
        url: Where to. Kept out of every text.
        headers: In addition, such as `Authorization`; their values are kept out of every text.
        secret: Key of the signature in the header `X-Duenna-Signature`; empty: none.
    """

    name: str = "webhook"
    url: str = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(factory=dict[str, str], repr=False)
    secret: str = attrs.field(default="", repr=False)

    def check(self) -> None:
        """Refuse what is no address; raises as the constructor does."""
        check_url(type(self).__name__, self.url)

    def secrets(self) -> Sequence[str]:
        """Return the address, the values of the headers and the key."""
        return [text for text in (self.url, self.secret, *self.headers.values()) if text]

    def sender(self, desk: Desk) -> WebhookSender:
        """Make what posts."""
        return WebhookSender(self, desk, Poster(self.name, self.url, timeout=self.timeout))


@attrs.define
class WebhookSender:
    """Posts to one address."""

    _receiver: WebhookReceiver
    _desk: Desk
    _poster: Poster

    async def send(self, note: Notification) -> None:
        """Post *note*; raises `DeliveryError`."""
        body = msgspec.json.encode(payload(note, self._desk))
        headers = dict(self._receiver.headers)
        if self._receiver.secret:
            headers[SIGNATURE] = signature(self._receiver.secret, body, int(self._desk.at(note.time)))
        await self._poster.post(body, headers)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._poster.aclose()


def signature(secret: str, body: bytes, at: int) -> str:
    """Return the value of the header `X-Duenna-Signature` for *body*, sent at *at* (seconds since 1970)."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return f"t={at},v1={signed}"


def payload(note: Notification, desk: Desk) -> dict[str, Any]:
    """Return *note* as Alertmanager would send it, with `reason`, `bot` and `suppressed` beside that."""
    listed = worst_first(note.firing) + worst_first(note.resolved)
    shown = listed[:MOST_ALERTS]
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in note.group.items()) + "}",
        "truncatedAlerts": len(listed) - len(shown),
        "status": "firing" if note.firing else "resolved",
        "receiver": note.receiver,
        "groupLabels": note.group,
        "commonLabels": _common(shown),
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": [_alert(alert, desk) for alert in shown],
        "bot": desk.bot,
        "reason": str(note.reason),
        "number": note.number,
        "title": desk.title(note),
        "suppressed": note.suppressed,
    }


def _alert(alert: Alert, desk: Desk) -> dict[str, Any]:
    return {
        "status": "firing" if alert.is_firing else "resolved",
        "labels": {"alertname": alert.kind} | {name: redact(value) for name, value in alert.labels.items()},
        "annotations": {
            "summary": redact(alert.summary),
            "description": redact(alert.details),
        },
        "startsAt": desk.stamp(alert.since),
        "endsAt": _NEVER if alert.until is None else desk.stamp(alert.until),
        "generatorURL": "",
        "fingerprint": alert.fingerprint,
        "id": alert.id,
        "count": alert.count,
        "duration": alert.duration,
    }


def _common(alerts: Sequence[Alert]) -> dict[str, str]:
    if not alerts:
        return {}
    first = {"alertname": alerts[0].kind} | alerts[0].labels
    rest = [{"alertname": alert.kind} | alert.labels for alert in alerts[1:]]
    return {name: redact(value) for name, value in first.items() if all(labels.get(name) == value for labels in rest)}
