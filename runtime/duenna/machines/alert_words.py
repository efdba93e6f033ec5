"""The words of alerting: what is wrong, the alert that it becomes, and the message that tells of it.

The words are Alertmanager's (https://prometheus.io/docs/alerting/latest/alertmanager/): an alert has
labels, fires until it is resolved, is grouped with others, inhibited by others, silenced by people.
"""

from enum import StrEnum
from hashlib import blake2b
from typing import Any, Final

import msgspec

from duenna.machines import checks
from duenna.machines.classification import Severity

_OWNER = "alert"

LONGEST: Final = 300
"""Characters of a summary, a target or the value of a label."""

LONGEST_DETAILS: Final = 1000
"""Characters of the details."""

MOST_LABELS: Final = 20
"""Labels of one alert beside the fixed ones."""


class Reason(StrEnum):
    """Why a notification is sent.

    FIRING: a group has alerts that it was not told of. RESOLVED: none fires any more. UPDATED:
    something resolved and something still fires. REPEATED: nothing changed for the repeat
    interval. SUMMARY: the cap left room again, this is what it held back. TEST: a person asked.
    """

    FIRING = "firing"
    UPDATED = "updated"
    RESOLVED = "resolved"
    REPEATED = "repeated"
    SUMMARY = "summary"
    TEST = "test"


class Condition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that a person needs to know holds, or has happened once more.

    Attributes:
        kind: Which rule says so, such as `breaker_open`; at most 300 characters.
        target: What it is about: a path, a guard, a type of error; at most 300 characters.
        severity: How bad it is; its name will do.
        summary: One line for a person.
        details: More for a person, in lines, such as the end of a stack.
        path: The actor that it is about, empty if it is about none.
        expires: Whether it ends by itself when it has not happened again for a while; if not, it
            holds until it is `Cleared`.
        labels: More to match, group and route by; `kind`, `target`, `path` and `severity` are
            always there.
    """

    kind: str
    target: str
    severity: Severity
    summary: str
    details: str = ""
    path: str = ""
    expires: bool = False
    labels: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse what makes no sense where it is made: whoever takes it in must not end by it.

        Raises:
            TypeError: An attribute is of the wrong type.
            ValueError: There is no such severity.
        """
        for name in ("summary", "details", "path"):
            _set(self, name, encodable(name, getattr(self, name)))
        for name in ("kind", "target"):
            _set(self, name, encodable(name, getattr(self, name))[:LONGEST])
        if type(self.severity) is not Severity:
            _set(self, "severity", checks.choice(_OWNER, "severity", self.severity, Severity))
        checks.flag(_OWNER, "expires", self.expires)
        labels: object = self.labels
        if not isinstance(labels, dict):
            message = f"{_OWNER}: labels must be a dict of str to str, got {labels!r}"
            raise TypeError(message)
        if self.labels:
            found = {encodable("labels", name): encodable("labels", value) for name, value in self.labels.items()}
            _set(self, "labels", found)


class Cleared(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that held is over.

    Attributes:
        kind: As in the `Condition`.
        target: The same.
    """

    kind: str
    target: str

    def __post_init__(self) -> None:
        """Refuse what makes no sense, as `Condition` does.

        Raises:
            TypeError: An attribute is no text.
        """
        for name in ("kind", "target"):
            _set(self, name, encodable(name, getattr(self, name))[:LONGEST])


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert, as it was at one moment.

    Attributes:
        id: The same for this alert's whole life, in every notification and event.
        fingerprint: The same for every alert of this kind and target; 16 hexadecimal digits.
        kind: Which rule raised it.
        target: What it is about.
        severity: The highest so far.
        summary: The latest, one line.
        details: The latest.
        labels: What it is matched, grouped and routed by.
        count: How often the condition was met.
        since: When it began, in seconds of trio's clock.
        last: When the condition was met last.
        until: When it was resolved; None: it fires.
    """

    id: str
    fingerprint: str
    kind: str
    target: str
    severity: Severity
    summary: str
    details: str = ""
    labels: dict[str, str]
    count: int = 1
    since: float
    last: float
    until: float | None = None

    @property
    def is_firing(self) -> bool:
        """Whether it is not resolved."""
        return self.until is None

    @property
    def duration(self) -> float:
        """Seconds that it lasted, or has so far been met."""
        return (self.last if self.until is None else self.until) - self.since


class Notification(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One message to one receiver.

    Attributes:
        receiver: Its name.
        number: Counts the notifications of one alerter, from 1.
        reason: Why it is sent.
        group: The labels that its alerts share, by which they were grouped; none in a summary.
        firing: Alerts that fire, those that were told before included.
        resolved: Alerts that are over.
        brief: Ids of those of them whose beginning is told here, too: they came and went.
        suppressed: Alerts that the cap of this receiver has held back since its last message.
        time: When, in seconds of trio's clock.
    """

    receiver: str
    number: int
    reason: Reason
    group: dict[str, str] = {}
    firing: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    brief: tuple[str, ...] = ()
    suppressed: int = 0
    time: float

    @property
    def severity(self) -> Severity:
        """The highest severity of what fires, or else of what is over; LOW if there is nothing."""
        return max((alert.severity for alert in self.firing or self.resolved), key=_rank, default=Severity.LOW)


def _rank(severity: Severity) -> int:
    return severity.rank


def worst(one: Severity, other: Severity) -> Severity:
    """Return the higher of two severities."""
    return max(one, other, key=_rank)


def encodable(what: str, text: object) -> str:
    r"""Return *text* with what is no Unicode as escapes such as `\udcff`, which no receiver could be sent otherwise.

    Raises:
        TypeError: It is no text; the message calls it *what*.
    """
    if not isinstance(text, str):
        message = f"{_OWNER}: {what} must be a str, got {text!r}"
        raise TypeError(message)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _set(struct: msgspec.Struct, name: str, value: object) -> None:
    """Set an attribute of a frozen *struct* that is being made."""
    if value is not getattr(struct, name):
        msgspec.structs.force_setattr(struct, name, value)


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return *text* in one line of at most *longest* characters."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def fingerprint(kind: str, target: str) -> str:
    """Return what stands for all alerts of a kind and target, the same in every process."""
    return blake2b(f"{kind}\0{target}".encode(errors="replace"), digest_size=8).hexdigest()


def alert_of(condition: Condition, number: int, now: float) -> Alert:
    """Return the alert that *condition* begins at *now*, the alerter's *number*-th."""
    print_ = fingerprint(condition.kind, condition.target)
    return Alert(
        id=f"{print_}-{number}",
        fingerprint=print_,
        kind=condition.kind,
        target=condition.target,
        severity=condition.severity,
        summary=one_line(condition.summary),
        details=condition.details[:LONGEST_DETAILS],
        labels=labels_of(condition, condition.severity),
        since=now,
        last=now,
    )


def met_again(alert: Alert, condition: Condition, now: float) -> Alert:
    """Return *alert* after *condition* was met once more at *now*."""
    severity = worst(alert.severity, condition.severity)
    changes: dict[str, Any] = {"count": alert.count + 1, "last": now}
    if condition.summary != alert.summary:
        changes["summary"] = one_line(condition.summary)
    if condition.details:
        changes["details"] = condition.details[:LONGEST_DETAILS]
    if severity is not alert.severity:
        changes |= {"severity": severity, "labels": alert.labels | {"severity": str(severity)}}
    return msgspec.structs.replace(alert, **changes)


def labels_of(condition: Condition, severity: Severity) -> dict[str, str]:
    """Return all labels of *condition*: the fixed ones, then its own, bounded; empty values are left out."""
    fixed = {
        "kind": condition.kind,
        "target": condition.target,
        "path": condition.path,
        "severity": str(severity),
    }
    own = [(name, value) for name, value in condition.labels.items() if name not in fixed][:MOST_LABELS]
    found = {name: one_line(value) for name, value in (*fixed.items(), *own)}
    return {name: value for name, value in found.items() if value}
