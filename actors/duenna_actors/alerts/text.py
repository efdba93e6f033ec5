"""Notifications as text for people: bounded, without secrets, the worst first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from duenna.machines.alert_words import LONGEST, LONGEST_DETAILS, Cleared, Condition, Reason
from duenna.secrets import redact, redact_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duenna.machines.alert_words import Alert, Notification

MOST_LINES: Final = 20
"""Alerts of a notification that have a line of their own; the others are a number."""

_TITLES: Final = {
    Reason.FIRING: "firing",
    Reason.UPDATED: "update",
    Reason.RESOLVED: "resolved",
    Reason.REPEATED: "still firing",
    Reason.SUMMARY: "held back",
    Reason.TEST: "test",
}


@attrs.frozen
class Desk:
    """What a sender knows of the bot it writes for.

    Attributes:
        bot: Its name.
        at: Gives the time of day, in seconds since 1970-01-01T00:00:00Z, of a time of trio's clock.
    """

    bot: str
    at: Callable[[float], float]

    def stamp(self, time: float) -> str:
        """Return a time of trio's clock as `2026-03-01T12:00:00Z`."""
        return iso(self.at(time))

    def title(self, note: Notification) -> str:
        """Return one line that says what it is about: `[bot] firing: breaker_open (2)`."""
        shown = note.firing or note.resolved
        what = note.group.get("kind") or ", ".join(sorted({alert.kind for alert in shown})[:3]) or "alerts"
        if len(shown) == 1 and note.reason is not Reason.TEST:
            what += f" {shown[0].target}"
        count = f" ({len(shown)})" if len(shown) > 1 else ""
        return redact(f"[{self.bot}] {_TITLES[note.reason]}: {what}{count}")[:300]

    def lines(self, note: Notification) -> list[str]:
        """Return a line for each alert, the worst first, and what there is to say beside them."""
        found = self._section(note.firing, self._firing) + self._section(note.resolved, self._over)
        if note.suppressed:
            found.append(f"{note.suppressed} suppressed: more alerts than are sent in an hour")
        return [redact(line) for line in found]

    def text(self, note: Notification) -> str:
        """Return title, lines, and the details of the worst alert."""
        details = next((alert.details for alert in worst_first(note.firing) if alert.details), "")
        return "\n".join([self.title(note), *self.lines(note), *(["", redact(details)] if details else [])])

    def _section(self, alerts: Sequence[Alert], line: Callable[[Alert], str]) -> list[str]:
        ordered = worst_first(alerts)
        rest = len(ordered) - MOST_LINES
        return [line(alert) for alert in ordered[:MOST_LINES]] + ([f"... and {rest} more"] if rest > 0 else [])

    def _firing(self, alert: Alert) -> str:
        times = "" if alert.count == 1 else f", {alert.count} times"
        return f"{alert.severity} {alert.kind} {alert.target}: {alert.summary} (since {self.stamp(alert.since)}{times})"

    def _over(self, alert: Alert) -> str:
        return f"RESOLVED {alert.kind} {alert.target} after {span(alert.duration)}: {alert.summary}"


def without_secrets(change: Condition | Cleared) -> Condition | Cleared:
    """Return what the bot's own code says is wrong, or over, without secrets: what is cut later shows no part."""
    target = redact_to(change.target, LONGEST)
    if isinstance(change, Cleared):
        return Cleared(kind=change.kind, target=target)
    return msgspec.structs.replace(
        change,
        target=target,
        summary=redact_to(change.summary, LONGEST),
        details=redact_to(change.details, LONGEST_DETAILS),
        labels={name: redact_to(value, LONGEST) for name, value in change.labels.items()},
    )


def worst_first(alerts: Sequence[Alert]) -> list[Alert]:
    """Return *alerts* with the worst first, and of those the oldest."""
    return sorted(alerts, key=lambda alert: (-alert.severity.rank, alert.since))


def span(seconds: float) -> str:
    """Return a duration for a person: `42 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    for unit, size, lesser, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{whole} s"


def iso(at: float) -> str:
    """Return seconds since 1970 as `2026-03-01T12:00:00Z`; the years 1 to 9999."""
    return datetime.fromtimestamp(min(max(at, 0.0), 253_402_300_799.0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cut(text: str, most: int) -> str:
    """Return *text* with at most *most* characters as JavaScript, and so Telegram, counts them."""
    if len(text.encode("utf-16-le", "replace")) <= 2 * most:
        return text
    kept = text.encode("utf-16-le", "replace")[: 2 * (most - 1)].decode("utf-16-le", "ignore")
    return kept + "…"
