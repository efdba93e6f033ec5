"""A group: alerts that are told in one message, and when that is due."""

from typing import Final

import attrs

from duenna.machines.alert_options import AlertOptions
from duenna.machines.alert_words import Alert
from duenna.machines.classification import Severity

MOST: Final = 1000
"""Alerts that wait, or members, at which a group waits for nothing more."""

_NEVER: Final = float("inf")


@attrs.define
class Group:
    """Alerts with the same values of the labels that group.

    An alert is first *waiting*: whether it is told is decided when the group's wait is over, so
    that an alert that comes later can still inhibit it. Then it is a *member*, or *held*, because
    it is inhibited or silenced, until it is over, or waits again because it is hidden no longer:
    what it suffered from is over, so it may be too, and then nobody is told.

    Attributes:
        labels: What the alerts share.
        waiting: Alerts that are not decided on, by id, the oldest first.
        held: Alerts that fire and are not told.
        members: Alerts that are told; those that are over until the next message.
        again: Ids of the waiting ones that were held.
        unsaid: Ids of members that fire and were hidden when a message was made.
        opened: When the first of the waiting came.
        presses: Whether they cannot wait.
        sent: When the last message was made; None: there was none.
        has_news: Whether there is something that the last message did not say.
        is_urgent: Whether it cannot wait for the interval.
    """

    labels: dict[str, str]
    waiting: dict[str, Alert] = attrs.field(factory=dict[str, Alert], init=False)
    held: dict[str, Alert] = attrs.field(factory=dict[str, Alert], init=False)
    members: dict[str, Alert] = attrs.field(factory=dict[str, Alert], init=False)
    again: set[str] = attrs.field(factory=set[str], init=False)
    unsaid: set[str] = attrs.field(factory=set[str], init=False)
    presses: bool = attrs.field(default=False, init=False)
    opened: float = attrs.field(default=0.0, init=False)
    sent: float | None = attrs.field(default=None, init=False)
    has_news: bool = attrs.field(default=False, init=False)
    is_urgent: bool = attrs.field(default=False, init=False)

    @property
    def is_empty(self) -> bool:
        """Whether it can be forgotten."""
        return not (self.waiting or self.held or self.members)

    def wait(self, alert: Alert, now: float) -> None:
        """Take a new *alert* in at *now*, undecided."""
        self._open(now)
        self.waiting[alert.id] = alert
        self.presses = self.presses or alert.severity is Severity.CRITICAL or len(self.waiting) >= MOST

    def release(self, alert: Alert, now: float) -> None:
        """Have *alert*, which was held and is hidden no longer at *now*, wait for what becomes of it."""
        del self.held[alert.id]
        self._open(now)
        self.again.add(alert.id)
        self.waiting[alert.id] = alert

    def omit(self, hidden: set[str]) -> None:
        """Note that the message just made says nothing of the members *hidden*."""
        self.unsaid = hidden & self.members.keys()

    def reveal(self, alert: Alert) -> None:
        """Note that *alert*, a member, is hidden no longer: that it fires is news if it was not said."""
        self.unsaid.discard(alert.id)
        self.has_news = True

    def _open(self, now: float) -> None:
        if not self.waiting:
            self.opened, self.presses = now, False
            self.again.clear()

    def hold(self, alert: Alert) -> None:
        """Keep *alert*, which fires, from being told."""
        self.held[alert.id] = alert

    def decide(self) -> tuple[Alert, ...]:
        """Return the waiting alerts, which now become members, are held, or forgotten."""
        waiting, self.waiting = tuple(self.waiting.values()), {}
        return waiting

    def join(self, alert: Alert) -> None:
        """Make *alert* a member."""
        self.members[alert.id] = alert
        self.has_news = True
        if alert.severity is Severity.CRITICAL or len(self.members) >= MOST:
            self.is_urgent = True
        self._end()

    def change(self, alert: Alert) -> None:
        """Note that *alert* changed: it was met again, got worse, or is over."""
        if alert.id in self.waiting:
            self._change_waiting(alert)
        elif alert.id in self.held:
            self.held[alert.id] = alert
        else:
            previous, self.members[alert.id] = self.members[alert.id], alert
            self._judge(previous, alert)

    def _change_waiting(self, alert: Alert) -> None:
        previous = self.waiting[alert.id]
        if alert.id in self.again and not alert.is_firing:
            del self.waiting[alert.id]
            return
        self.waiting[alert.id] = alert
        if alert.severity is Severity.CRITICAL and alert.severity is not previous.severity:
            self.presses = True

    def _judge(self, previous: Alert, alert: Alert) -> None:
        if alert.severity is not previous.severity or alert.is_firing is not previous.is_firing:
            self.has_news = True
        if alert.severity is Severity.CRITICAL and alert.severity is not previous.severity:
            self.is_urgent = True
        self._end()

    def _end(self) -> None:
        """That none fires any more is told at once."""
        self.is_urgent = self.is_urgent or not any(member.is_firing for member in self.members.values())

    def decides_at(self, options: AlertOptions) -> float:
        """Return when the waiting alerts are decided on; inf if there are none."""
        if not self.waiting:
            return _NEVER
        return float("-inf") if self.presses else self.opened + options.group_wait

    def sends_at(self, options: AlertOptions) -> float:
        """Return when a message is due; inf if none is."""
        if self.has_news:
            urgent = self.is_urgent or self.sent is None
            return float("-inf") if urgent else (self.sent or 0.0) + options.group_interval
        return _NEVER if self.sent is None or not self.members else self.sent + options.repeat_interval

    def next_at(self, options: AlertOptions) -> float:
        """Return when something is due; inf if nothing is."""
        return min(self.decides_at(options), self.sends_at(options))

    def take(self, now: float) -> tuple[Alert, ...]:
        """Return the members for a message at *now*; those that are over leave."""
        members = tuple(self.members.values())
        self.members = {alert.id: alert for alert in members if alert.is_firing}
        self.sent, self.has_news, self.is_urgent = now, False, False
        return members
