"""The numbers of alerting, and which receiver is told what."""

from collections.abc import Iterable
from typing import Any

import attrs

from duenna.machines import checks
from duenna.machines.alert_inhibition import Inhibition, default_inhibitions
from duenna.machines.alert_matchers import Matcher, all_fit, matchers
from duenna.machines.alert_words import Alert
from duenna.machines.classification import Severity

_OWNER = "alerts"


def _seconds(*, zero: bool) -> Any:
    def check(_: object, attribute: Any, value: object) -> None:
        checks.duration(_OWNER, attribute.name, value, zero=zero)

    return check


def _count(_: object, attribute: Any, value: object) -> None:
    checks.count(_OWNER, attribute.name, value, least=1)


@attrs.frozen(kw_only=True)
class AlertOptions:
    """When a person is told, and how often. Durations are seconds; inf means never.

    Attributes:
        cooldown: Quiet time after an alert of the same kind and target began, at least 0. What
            still holds when it is over is told then.
        resolve_after: How long a condition that ends by itself must not be met to be over; at least 0.
        group_by: Labels that alerts must share to be told in one message.
        group_wait: How long the first alert of a group waits for others, at least 0. One that is
            CRITICAL waits for nobody.
        group_interval: How long after a message a group's news are collected, at least 0. News of
            a CRITICAL alert, and that none fires any more, are told at once.
        repeat_interval: After how long a group is told again in which nothing changed; greater than 0.
        cap_per_hour: Messages an hour to one receiver, at least 1. Held back are new alerts, never
            the end of one that was told.
    """

    cooldown: float = attrs.field(default=300.0, validator=_seconds(zero=True))
    resolve_after: float = attrs.field(default=300.0, validator=_seconds(zero=True))
    group_by: tuple[str, ...] = attrs.field(default=("kind",), converter=tuple[str, ...])
    group_wait: float = attrs.field(default=10.0, validator=_seconds(zero=True))
    group_interval: float = attrs.field(default=300.0, validator=_seconds(zero=True))
    repeat_interval: float = attrs.field(default=14_400.0, validator=_seconds(zero=False))
    cap_per_hour: int = attrs.field(default=30, validator=_count)
    inhibitions: tuple[Inhibition, ...] = attrs.field(factory=default_inhibitions, converter=tuple[Inhibition, ...])


def _matchers(given: Iterable[Matcher | str]) -> tuple[Matcher, ...]:
    return matchers(given)


@attrs.frozen
class Route:
    """What one receiver is told.

    Attributes:
        receiver: Its name.
        least: The least severity.
        only: Matchers that all must fit; none: every alert.
        cap_per_hour: Messages an hour, at least 1; None: as all receivers.
    """

    receiver: str
    least: Severity = attrs.field(default=Severity.LOW, converter=Severity, kw_only=True)
    only: tuple[Matcher, ...] = attrs.field(default=(), converter=_matchers, kw_only=True)
    cap_per_hour: int | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse a cap of its own that is none."""
        if self.cap_per_hour is not None:
            checks.count(f"route to {self.receiver}", "cap_per_hour", self.cap_per_hour, least=1)

    def leads(self, alert: Alert) -> bool:
        """Return whether *alert* is for this receiver: of its own troubles it is never told, it would not hear."""
        if alert.kind == DELIVERY and alert.target == self.receiver:
            return False
        return alert.severity.rank >= self.least.rank and all_fit(self.only, alert.labels)


DELIVERY = "alert_delivery"
"""The kind of the alert that a receiver, its target, does not take alerts."""
