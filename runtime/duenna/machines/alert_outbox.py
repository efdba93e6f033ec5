"""What one receiver is told: the alerts that are for it, at most so many messages an hour, and every end."""

from collections import deque
from collections.abc import Callable, Container, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import attrs

from duenna.machines.alert_memory import OutboxMemory
from duenna.machines.alert_options import Route
from duenna.machines.alert_words import Alert, Notification, Reason

HOUR: Final = 3600.0
"""Seconds over which messages are counted."""

Number = Callable[[], int]
"""Gives the number of the next notification."""


@attrs.frozen
class Doubts:
    """What of one receiver's notifications may not have reached it.

    Attributes:
        begun: Ids of alerts whose beginning may not have.
        ended: Ids of alerts whose end may not have.
    """

    begun: AbstractSet[str] = frozenset()
    ended: AbstractSet[str] = frozenset()

    @classmethod
    def of(cls, notes: Iterable[Notification]) -> "Doubts":
        """Return those about *notes*."""
        listed = list(notes)
        begun = {alert.id for note in listed for alert in note.firing}
        begun |= {name for note in listed for name in note.brief}
        return cls(begun, {alert.id for note in listed for alert in note.resolved})


@attrs.define
class Outbox:
    """Makes the notifications of one receiver.

    An alert is *told* once a notification says that it fires. That it is over is said of what was
    told, and of that alone, whatever the cap: nobody gets an end without a beginning, or a
    beginning without an end. So no more than the messages an hour, and one end for each alert in
    them, ever leave. Memory: the alerts that fire.

    Attributes:
        route: What this receiver is told.
        suppressed: Alerts held back by the cap since its last message.
        suppressed_ever: The same since the beginning.
    """

    route: Route
    suppressed: int = attrs.field(default=0, init=False)
    suppressed_ever: int = attrs.field(default=0, init=False)
    _told: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _worst: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _held: dict[str, None] = attrs.field(factory=dict[str, None], init=False)
    _sent: deque[float] = attrs.field(factory=deque[float], init=False)

    def offer(
        self,
        group: dict[str, str],
        alerts: Iterable[Alert],
        now: float,
        number: Number,
        cap: int,
        *,
        repeats: bool = False,
        quiet: Container[str] = (),
    ) -> Notification | None:
        """Return what the receiver is told of a group's *alerts* at *now*; None: nothing.

        Args:
            group: The labels that they share.
            alerts: Those that fire, and those that ended since the group's last message.
            now: Monotonic seconds.
            number: Gives the number of a notification.
            cap: Messages an hour, unless the route has its own.
            repeats: Whether it is told again what it knows.
            quiet: Ids of alerts whose beginning is not told.
        """
        mine = [alert for alert in alerts if alert.id in self._told or self._is_wanted(alert, quiet)]
        firing = [alert for alert in mine if alert.is_firing]
        over = [alert for alert in mine if not alert.is_firing]
        new = [alert for alert in mine if alert.id not in self._told]
        worse = [alert for alert in firing if self._worst.get(alert.id, -1) < alert.severity.rank]
        if (new or repeats or worse) and not self._has_room(now, cap):
            self._hold([*new, *(alert for alert in worse if alert.id in self._told)])
            firing, over = [], [alert for alert in over if alert.id in self._told]
            new, worse = [], []
        if not (new or worse or over or (repeats and firing)):
            return None
        reason = _reason(new=bool(new or worse), over=bool(over), firing=bool(firing))
        return self._send(Reason(reason), group, firing, over, now=now, number=number, counts=bool(firing or new))

    def _is_wanted(self, alert: Alert, quiet: Container[str]) -> bool:
        """Say whether to tell of *alert*, of which nothing was told: not of the end of what the cap held back."""
        if alert.id in quiet or not self.route.leads(alert):
            return False
        return alert.is_firing or alert.id not in self._held

    def summary(self, firing: Iterable[Alert], now: float, number: Number) -> Notification:
        """Return the message that tells how much was held back; for when `next_at` says that there is room.

        Args:
            firing: All alerts that fire and are told; of these, it has what the receiver was not told, and
                those of which it was not told that they got worse.
            now: Monotonic seconds.
            number: Gives the number of a notification.
        """
        missed = [alert for alert in firing if alert.id in self._held]
        return self._send(Reason.SUMMARY, {}, missed, [], now=now, number=number, counts=True)

    def next_at(self, cap: int) -> float:
        """Return when a summary is due; inf if nothing was held back."""
        if not self.suppressed:
            return float("inf")
        full = self.route.cap_per_hour or cap
        return self._sent[-full] + HOUR if len(self._sent) >= full else float("-inf")

    def forget(self, alert: Alert) -> None:
        """Forget an *alert* that will not be offered again."""
        for kept in (self._told, self._held, self._worst):
            kept.pop(alert.id, None)

    def owes(self, alert: Alert) -> bool:
        """Return whether there is something of *alert* that the receiver is to be told and was not."""
        if alert.id in self._told:
            return not alert.is_firing or self._worst[alert.id] < alert.severity.rank
        return alert.id not in self._held and self._is_wanted(alert, ())

    def dump(self, live: AbstractSet[str], gone: AbstractSet[str], doubts: Doubts, ahead: float) -> OutboxMemory:
        """Return what the receiver was told, for the next process.

        Args:
            live: Ids of the alerts of which it may be told more.
            gone: Ids of those whose end was told, but may not have reached every receiver.
            doubts: What may not have reached this one.
            ahead: Seconds by which the clock is ahead on which it is stored.
        """
        told = {name: rank for name, rank in self._worst.items() if name in live and name not in doubts.begun}
        told |= dict.fromkeys(sorted((doubts.ended & gone) - doubts.begun), 0)
        return OutboxMemory(
            told=told,
            held=(*(name for name in self._held if name in live), *sorted(gone - doubts.ended)),
            sent=tuple(time + ahead for time in self._sent),
            suppressed=self.suppressed,
            suppressed_ever=self.suppressed_ever,
        )

    def load(self, memory: OutboxMemory, now: float, ahead: float) -> None:
        """Go on with what the receiver was told."""
        self._told.update(dict.fromkeys(memory.told))
        self._worst.update(memory.told)
        self._held.update(dict.fromkeys(memory.held))
        self._sent.extend(min(now, time - ahead) for time in memory.sent)
        self.suppressed, self.suppressed_ever = memory.suppressed, memory.suppressed_ever

    def _hold(self, new: list[Alert]) -> None:
        missed = [alert for alert in new if alert.id not in self._held]
        self._held.update((alert.id, None) for alert in missed if alert.is_firing)
        self.suppressed += len(missed)
        self.suppressed_ever += len(missed)

    def _has_room(self, now: float, cap: int) -> bool:
        while self._sent and self._sent[0] + HOUR <= now:  # the same sum as in next_at(): floats round
            self._sent.popleft()
        return len(self._sent) < (self.route.cap_per_hour or cap)

    def _send(
        self,
        reason: Reason,
        group: dict[str, str],
        firing: list[Alert],
        over: list[Alert],
        *,
        now: float,
        number: Number,
        counts: bool,
    ) -> Notification:
        held_back = 0
        if counts:
            self._sent.append(now)
            held_back, self.suppressed = self.suppressed, 0
        for alert in firing:
            self._told[alert.id] = None
            self._worst[alert.id] = alert.severity.rank
            self._held.pop(alert.id, None)
        return Notification(
            receiver=self.route.receiver,
            number=number(),
            reason=reason,
            group=group,
            firing=tuple(firing),
            resolved=tuple(over),
            brief=tuple(alert.id for alert in over if alert.id not in self._told),
            suppressed=held_back,
            time=now,
        )


def _reason(*, new: bool, over: bool, firing: bool) -> Reason:
    if not firing:
        return Reason.RESOLVED
    if new:
        return Reason.FIRING
    return Reason.UPDATED if over else Reason.REPEATED
