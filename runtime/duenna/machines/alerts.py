"""Alerts: from what is wrong to what each receiver is told, and when.

Theory of operation. A `Condition` begins an *alert*, one for each kind and target, or is met once
more; `Cleared`, or time for one that expires, ends it. Within the *cooldown* since the last alert of
its kind and target began, a condition is kept back, and becomes an alert at the end of it if it still
holds then. A new alert that is not hidden *waits* in its *group*, and when the group's wait is over it is decided
whether it is told: not while another alert *inhibits* it or a *silence* hides it; then it is held,
and decided on again when that changes. What is told is *raised*, and is a member of its group,
which sends: at once the first time, on a CRITICAL alert, and when nothing fires any more; else
after the group's interval, and without news after the repeat interval. Each receiver's *outbox*
takes from a message what is for it, bounds the messages an hour, and sees to it that every
beginning has its end.

Everything is decided by ``apply`` and ``tick``, which take the time; ``next_at`` is when the next
``tick`` has something to do. All is bounded: `MOST` alerts, and what the parts say.
"""

from collections.abc import Iterable
from typing import Final, Self

import attrs
import msgspec

from duenna.machines.alert_cooldown import Cooldown, Key
from duenna.machines.alert_group import Group
from duenna.machines.alert_inhibition import Inhibitor
from duenna.machines.alert_matchers import Matcher
from duenna.machines.alert_options import AlertOptions, Route
from duenna.machines.alert_outbox import Outbox
from duenna.machines.alert_silences import Silence, Silences
from duenna.machines.alert_words import Alert, Cleared, Condition, Notification, Reason, alert_of, met_again
from duenna.machines.classification import Severity

MOST: Final = 1000
"""Alerts that fire at a time; conditions beyond them are counted, and are alerts when they are met again later."""


Labels = tuple[tuple[str, str], ...]
"""The labels that group, with their values."""


@attrs.frozen
class Raised:
    """An alert is told from now on; it may be over already."""

    alert: Alert


@attrs.frozen
class Ended:
    """An alert that was raised is over."""

    alert: Alert


Outcome = Raised | Ended | Notification
"""What the shell has to do."""


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires, for who asks.

    Attributes:
        alert: The alert.
        is_waiting: Whether its group still waits for others.
        inhibited_by: Id of the alert that inhibits it; None: none does.
        silenced_by: Id of the silence that hides it; None: none does.
    """

    alert: Alert
    is_waiting: bool
    inhibited_by: str | None
    silenced_by: str | None


@attrs.define
class Alerts:
    """All alerts of one bot.

    Attributes:
        options: The numbers.
        suppressed: What nobody was told of, by why: `cooldown`, `inhibited`, `silenced`, `overflow`.
        raised: Alerts raised so far.
    """

    options: AlertOptions
    suppressed: dict[str, int] = attrs.field(init=False)
    raised: int = attrs.field(default=0, init=False)
    _outboxes: tuple[Outbox, ...]
    _active: dict[Key, Alert] = attrs.field(factory=dict[Key, Alert], init=False)
    _expiring: set[Key] = attrs.field(factory=set[Key], init=False)
    _groups: dict[Labels, Group] = attrs.field(factory=dict[Labels, Group], init=False)
    _group_of: dict[str, Group] = attrs.field(factory=dict[str, Group], init=False)
    _cooldown: Cooldown = attrs.field(factory=Cooldown, init=False)
    _silences: Silences = attrs.field(factory=Silences, init=False)
    _inhibitor: Inhibitor = attrs.field(init=False)
    _numbers: int = attrs.field(default=0, init=False)
    _made: int = attrs.field(default=0, init=False)
    _due: float = attrs.field(default=float("inf"), init=False)

    @classmethod
    def of(cls, options: AlertOptions, routes: Iterable[Route]) -> Self:
        """Return alerts for the receivers of *routes*."""
        return cls(options, tuple(Outbox(route) for route in routes))

    def __attrs_post_init__(self) -> None:
        """Begin without alerts."""
        self.suppressed = dict.fromkeys(("cooldown", "inhibited", "silenced", "overflow"), 0)
        self._inhibitor = Inhibitor(self.options.inhibitions)

    # -- what happens ----------------------------------------------------------

    def apply(self, change: Condition | Cleared, now: float) -> list[Outcome]:
        """Take in that something is wrong, or over, at *now* (monotonic seconds)."""
        outcomes = self.tick(now)
        key = (change.kind, change.target)
        if isinstance(change, Condition):
            self._meet(key, change, now)
        elif key in self._active:
            self._end(key, now, outcomes)
        elif self._cooldown.drop(key):
            self.suppressed["cooldown"] += 1
        return outcomes + self.tick(now)

    def tick(self, now: float) -> list[Outcome]:
        """Do what is due at *now*."""
        outcomes: list[Outcome] = []
        while self._due <= now:
            self._due = float("inf")
            self._step(now, outcomes)
            self._due = min(self._due, self._next())
        return outcomes

    def next_at(self) -> float:
        """Return when the next tick has something to do; inf if there is nothing to wait for."""
        return self._due

    def flush(self, now: float) -> list[Outcome]:
        """Tell at once what waits, for there may be no later."""
        outcomes = self.tick(now)
        for group in self._groups.values():
            self._decide(group, now, outcomes)
            if group.has_news:
                self._send(group, now, outcomes)
        return outcomes

    def adjust(self, options: AlertOptions, now: float) -> list[Outcome]:
        """Go by other *options* from *now* on."""
        is_new = options.inhibitions != self.options.inhibitions
        self.options = options
        if is_new:
            self._inhibitor = Inhibitor(options.inhibitions)
            for alert in self._active.values():
                self._inhibitor.add(alert)
            self._release(now)
        self._wake()
        return self.tick(now)

    def test(self, text: str, now: float) -> list[Outcome]:
        """Return a notification for each receiver, for a person who wants to see one; caps do not count it."""
        condition = Condition(kind="test", target="alerts", severity=Severity.LOW, summary=text)
        alert = alert_of(condition, 0, now)
        return [
            Notification(
                receiver=outbox.route.receiver, number=self._number(), reason=Reason.TEST, firing=(alert,), time=now
            )
            for outbox in self._outboxes
        ]

    # -- silences --------------------------------------------------------------

    def silence(
        self, matchers: tuple[Matcher, ...], duration: float, now: float, *, author: str, comment: str
    ) -> Silence:
        """Begin a silence; raises as `Silences.add` does."""
        made = self._silences.add(matchers, duration, now, author=author, comment=comment)
        self._wake()
        return made

    def unsilence(self, name: str, now: float) -> tuple[bool, list[Outcome]]:
        """End the silence called *name*; return whether there was one, and what follows."""
        was_there = self._silences.delete(name)
        if was_there:
            self._release(now)
        return was_there, self.tick(now)

    def silences(self, now: float) -> tuple[Silence, ...]:
        """Return those that have not ended by *now*."""
        return tuple(silence for silence in self._silences.listed() if silence.until > now)

    # -- looking ---------------------------------------------------------------

    def states(self, now: float) -> tuple[AlertState, ...]:
        """Return the alerts that fire at *now*, in the order in which they began."""
        return tuple(
            AlertState(
                alert=alert,
                is_waiting=alert.id in self._group_of[alert.id].waiting,
                inhibited_by=self._inhibitor.inhibiting(alert),
                silenced_by=self._silences.hiding(alert.labels, now),
            )
            for alert in self._active.values()
        )

    def capped(self) -> dict[str, int]:
        """Return for each receiver how many alerts its cap has held back so far."""
        return {outbox.route.receiver: outbox.suppressed_ever for outbox in self._outboxes}

    # -- one alert -------------------------------------------------------------

    def _meet(self, key: Key, condition: Condition, now: float) -> None:
        known = self._active.get(key)
        if known is not None:
            self._meet_again(key, known, condition, now)
        elif self._cooldown.is_quiet(key, self.options.cooldown, now):
            if not self._cooldown.hold(condition, now):
                self.suppressed["cooldown"] += 1
            self._wake()
        elif len(self._active) >= MOST:
            self.suppressed["overflow"] += 1
        else:
            self._begin(key, condition, now)

    def _meet_again(self, key: Key, known: Alert, condition: Condition, now: float) -> None:
        alert = self._active[key] = met_again(known, condition, now)
        if not condition.expires:
            self._expiring.discard(key)
        if alert.severity is not known.severity:
            self._inhibitor.remove(known)
            self._inhibitor.add(alert)
            self._wake()
        self._group_of[alert.id].change(alert)

    def _begin(self, key: Key, condition: Condition, now: float) -> None:
        self._made += 1
        alert = self._active[key] = alert_of(condition, self._made, now)
        if condition.expires:
            self._expiring.add(key)
        self._cooldown.begin(key, now)
        self._inhibitor.add(alert)
        group = self._group_for(alert)
        self._group_of[alert.id] = group
        why = self._hidden(alert, now)
        if why is None:
            group.wait(alert, now)
        else:
            self._hold(group, alert, why)
        self._wake()

    def _group_for(self, alert: Alert) -> Group:
        labels = {name: alert.labels.get(name, "") for name in self.options.group_by}
        return self._groups.setdefault(tuple(labels.items()), Group(labels))

    def _hold(self, group: Group, alert: Alert, why: str) -> None:
        self.suppressed[why] += 1
        if alert.is_firing:
            group.hold(alert)

    def _end(self, key: Key, now: float, outcomes: list[Outcome]) -> None:
        ended = msgspec.structs.replace(self._active.pop(key), until=now)
        self._expiring.discard(key)
        group = self._group_of.pop(ended.id)
        if group.held.pop(ended.id, None) is None:
            group.change(ended)
            if ended.id in group.members:
                outcomes.append(Ended(ended))
        if self._inhibitor.remove(ended):
            self._release(now)
        self._wake()

    # -- what time brings ------------------------------------------------------

    def _step(self, now: float, outcomes: list[Outcome]) -> None:
        if self._silences.expire(now):
            self._release(now)
        for key in [key for key in self._expiring if self._active[key].last + self.options.resolve_after <= now]:
            self._end(key, now, outcomes)
        for condition, met in self._cooldown.due(self.options.cooldown, now):
            if condition.expires and met + self.options.resolve_after <= now:
                self.suppressed["cooldown"] += 1
            else:
                self._meet((condition.kind, condition.target), condition, now)
        for name, group in tuple(self._groups.items()):
            if group.decides_at(self.options) <= now:
                self._decide(group, now, outcomes)
            if group.sends_at(self.options) <= now:
                self._send(group, now, outcomes)
            if group.is_empty:
                del self._groups[name]
        self._summarise(now, outcomes)

    def _next(self) -> float:
        options = self.options
        ends = (self._active[key].last + options.resolve_after for key in self._expiring)
        groups = (group.next_at(options) for group in self._groups.values())
        boxes = (outbox.next_at(options.cap_per_hour) for outbox in self._outboxes)
        quiet, silence = self._cooldown.next_at(options.cooldown), self._silences.next_at()
        return min(*(min(times, default=float("inf")) for times in (ends, groups, boxes)), quiet, silence)

    def _decide(self, group: Group, now: float, outcomes: list[Outcome]) -> None:
        for alert in group.decide():
            why = self._hidden(alert, now)
            if why is not None:
                self._hold(group, alert, why)
                continue
            group.join(alert)
            self.raised += 1
            if alert.since + self.options.group_wait < now:  # it was held: nobody has heard of it until now
                self._cooldown.begin((alert.kind, alert.target), now)
            outcomes.append(Raised(alert))
            if not alert.is_firing:
                outcomes.append(Ended(alert))

    def _send(self, group: Group, now: float, outcomes: list[Outcome]) -> None:
        repeats = not group.has_news
        members = group.take(now)
        hidden = {alert.id for alert in members if self._hidden(alert, now) is not None}
        alerts = [alert for alert in members if alert.id not in hidden or not alert.is_firing]
        labels = {name: value for name, value in group.labels.items() if value}
        for outbox in self._outboxes:
            made = outbox.offer(
                labels, alerts, now, self._number, self.options.cap_per_hour, repeats=repeats, quiet=hidden
            )
            if made is not None:
                outcomes.append(made)
        group.omit(hidden)
        self._forget(alert for alert in members if not alert.is_firing)

    def _forget(self, ended: Iterable[Alert]) -> None:
        for alert in ended:
            for outbox in self._outboxes:
                outbox.forget(alert)

    def _summarise(self, now: float, outcomes: list[Outcome]) -> None:
        for outbox in self._outboxes:
            if outbox.next_at(self.options.cap_per_hour) <= now:
                members = [alert for group in self._groups.values() for alert in group.members.values()]
                told = [alert for alert in members if alert.is_firing and self._hidden(alert, now) is None]
                outcomes.append(outbox.summary(told, now, self._number))

    def _hidden(self, alert: Alert, now: float) -> str | None:
        if self._silences.hiding(alert.labels, now) is not None:
            return "silenced"
        return None if self._inhibitor.inhibiting(alert) is None else "inhibited"

    def _release(self, now: float) -> None:
        """Decide again, after a group's wait, on what is held and no longer hidden: what it suffered from may be over.

        Those that are still hidden stay held.
        """
        for group in self._groups.values():
            for alert in [alert for alert in group.held.values() if self._hidden(alert, now) is None]:
                group.release(alert, now)
            unsaid = [group.members[name] for name in group.unsaid & group.members.keys()]
            for alert in [alert for alert in unsaid if self._hidden(alert, now) is None]:
                group.reveal(alert)
        self._wake()

    def _wake(self) -> None:
        """Have the next tick look at everything."""
        self._due = float("-inf")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
