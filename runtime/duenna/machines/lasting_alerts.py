"""Alerts whose memory outlives the process.

Theory of operation. What is stored says what fires, who was told of it, and what is quiet or silent, so that
the next process neither tells the same again nor forgets that it must tell an end. An alert whose
condition the next process notices by itself, if it still holds, is *ours*: it counts as met when it is
restored, and ends after ``resolve_after`` unless it is met again. Any other holds until whoever raised
it says otherwise, as it would have without the restart. What a receiver may not have got when the process
ended, it is told again: delivery is at least once. Times are stored as those of another clock, so many
seconds ahead of this one.
"""

from collections.abc import Collection, Container

import attrs
import msgspec

from duenna.machines.alert_memory import AlertMemory, AlertsMemory, GroupMemory, moved
from duenna.machines.alert_outbox import Doubts
from duenna.machines.alert_words import Alert, Notification
from duenna.machines.alerts import MOST, Alerts


@attrs.define
class LastingAlerts(Alerts):
    """All alerts of one bot, in more than one process."""

    # -- for the next process --------------------------------------------------

    def dump(self, now: float, ahead: float, doubtful: Collection[Notification] = ()) -> AlertsMemory:
        """Return what the next process must know.

        Args:
            now: Monotonic seconds.
            ahead: Seconds by which the clock is ahead on which it is stored.
            doubtful: Notifications of which it is not known whether their receivers got them.
        """
        alerts = self._dumped()
        live = {each.alert.id for each in alerts}
        over = {alert.id: alert for note in doubtful for alert in note.resolved if alert.id not in live}
        alerts += [AlertMemory(alert, is_member=True) for alert in over.values()]
        alerts.sort(key=lambda each: each.alert.since)
        quiet, held = self._cooldown.dump(self.options.cooldown, now, ahead)
        by_receiver: dict[str, list[Notification]] = {}
        for note in doubtful:
            by_receiver.setdefault(note.receiver, []).append(note)
        return AlertsMemory(
            alerts=tuple(AlertMemory(moved(each.alert, ahead), each.is_member, each.expires) for each in alerts),
            groups=tuple(
                GroupMemory(group.labels, group.sent + ahead)
                for group in self._groups.values()
                if group.sent is not None
            ),
            quiet=quiet,
            held=held,
            silences=self._silences.dump(ahead),
            outboxes={
                box.route.receiver: box.dump(
                    live, over.keys(), Doubts.of(by_receiver.get(box.route.receiver, ())), ahead
                )
                for box in self._outboxes
            },
            silences_made=self._silences.made,
            made=self._made,
            numbers=self._numbers,
            raised=self.raised,
            suppressed=dict(self.suppressed),
        )

    def _dumped(self) -> list[AlertMemory]:
        """Return what is in the groups."""
        found: list[AlertMemory] = []
        for group in self._groups.values():
            for alerts, is_member in (group.waiting, False), (group.held, False), (group.members, True):
                for alert in alerts.values():
                    expires = alert.is_firing and (alert.kind, alert.target) in self._expiring
                    found.append(AlertMemory(alert, is_member, expires))
        return found

    # -- from the last one -----------------------------------------------------

    def load(self, memory: AlertsMemory, now: float, ahead: float, ours: Container[str]) -> None:
        """Go on at *now* from what the last process stored; for alerts that have just been made.

        Args:
            memory: What it stored.
            now: Monotonic seconds.
            ahead: Seconds by which the clock is ahead on which it was stored.
            ours: Kinds of conditions that are noticed again if they still hold.
        """
        self._made, self._numbers, self.raised = memory.made, memory.numbers, memory.raised
        self.suppressed.update({why: memory.suppressed.get(why, 0) for why in self.suppressed})
        self._silences.load(memory.silences, memory.silences_made, now, ahead)
        again = (held for held in memory.held if held.kind not in ours)
        self._cooldown.load(memory.quiet, again, now, ahead)
        for box in self._outboxes:
            known = memory.outboxes.get(box.route.receiver)
            if known is not None:
                box.load(known, now, ahead)
        sent = {tuple(group.labels.items()): min(now, group.sent - ahead) for group in memory.groups}
        undecided = [alert for each in memory.alerts if (alert := self._take(each, now, ahead, ours)) is not None]
        for labels, group in self._groups.items():
            group.sent = sent.get(labels, now if group.members else None)
            group.has_news = any(box.owes(alert) for alert in group.members.values() for box in self._outboxes)
            group.is_urgent = group.has_news
        for alert in undecided:  # now that all is known that may hide it
            self._decide_again(alert, now)
        self._wake()

    def _take(self, each: AlertMemory, now: float, ahead: float, ours: Container[str]) -> Alert | None:
        """Take up one alert; return it if it is to be decided on again."""
        latest = each.alert.last if each.alert.until is None else each.alert.until
        alert = moved(each.alert, -max(ahead, latest - now))  # nothing of it lies ahead of now
        group = self._group_for(alert)
        if alert.is_firing:
            key = (alert.kind, alert.target)
            if key in self._active or len(self._active) >= MOST:
                return None
            if each.expires:
                self._expiring.add(key)
            elif alert.kind in ours:
                self._expiring.add(key)
                alert = msgspec.structs.replace(alert, last=now)
            self._active[key] = alert
            self._group_of[alert.id] = group
            self._inhibitor.add(alert)
        if not each.is_member:
            return alert
        group.members[alert.id] = alert
        return None

    def _decide_again(self, alert: Alert, now: float) -> None:
        group = self._group_for(alert)
        if alert.is_firing and self._hidden(alert, now) is not None:
            group.hold(alert)
        else:
            group.wait(alert, now)
