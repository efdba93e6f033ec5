"""Counts what happens, from events, for as long as a runtime lives: what the kernel itself does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna import EventStream, Runtime, events
from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified, HealthChanged, RecoveryAttempted
from duenna.guard_events import BreakerChanged
from duenna.state.events import StateNotDurable, StateUnencodable
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.binance.book_messages import BookDesynced
from duenna_actors.console.metrics._others import OtherCounts
from duenna_actors.console.metrics._outages import Outages
from duenna_actors.console.metrics._reasons import ReconnectReasons, RestartReasons, of_rotation
from duenna_actors.console.metrics.counts import LabelCounts
from duenna_actors.console.metrics.histogram import Histogram
from duenna_actors.feed_messages import FeedRotated

if TYPE_CHECKING:
    from collections.abc import Mapping


def _counts() -> LabelCounts:
    return LabelCounts()


@attrs.define(eq=False)
class Meter:
    """Hears events at once, keeps none, and counts.

    It wants none of those of which there may be floods, so that none is built for it: messages that are
    dropped, dead letters, calls that are retried, refused or answered by a fallback are counted by the
    kernel and by the guards. What it holds is bounded: 1,000 sets of labels of each metric.

    Attributes:
        restarts: By actor and reason: `crash`, `start_error`, `exit`, `group` (a sibling's), `supervisor`
            (one above was restarted), `parked` (out of that) or `operator`.
        escalations: By supervisor.
        errors: By actor, category and severity; one that is reported again is not counted again.
        actions: Recovery actions that ended, by action and outcome.
        recovery: Seconds from the detection of an outage until whatever it was runs again.
        transitions: Of breakers, by breaker, the state before and the one after.
        reconnects: By actor and reason; each attempt counts.
        gaps: Times that a book lost its sync with the stream, by actor.
        alerts: Alerts by receiver and outcome `sent` or `failed`; of `delayed`, notifications.
        snapshot_failures: Times that state could not be saved.
        dropped: Events that were lost, by kind of subscriber; whoever loses them says so.
        health: How the bot does as a whole, in a word.
        others: What actors without a label of their own have counted; scrapes keep it.
    """

    restarts: LabelCounts = attrs.field(factory=_counts, init=False)
    escalations: LabelCounts = attrs.field(factory=_counts, init=False)
    errors: LabelCounts = attrs.field(factory=_counts, init=False)
    actions: LabelCounts = attrs.field(factory=_counts, init=False)
    recovery: Histogram = attrs.field(factory=Histogram, init=False)
    transitions: LabelCounts = attrs.field(factory=_counts, init=False)
    reconnects: LabelCounts = attrs.field(factory=_counts, init=False)
    gaps: LabelCounts = attrs.field(factory=_counts, init=False)
    alerts: LabelCounts = attrs.field(factory=_counts, init=False)
    snapshot_failures: int = attrs.field(default=0, init=False)
    dropped: LabelCounts = attrs.field(factory=_counts, init=False)
    health: str = attrs.field(default="healthy", init=False)
    others: OtherCounts = attrs.field(factory=OtherCounts, init=False)
    outages: Outages = attrs.field(init=False)
    _restart_reasons: RestartReasons = attrs.field(factory=RestartReasons, init=False)
    _reconnect_reasons: ReconnectReasons = attrs.field(factory=ReconnectReasons, init=False)
    _runtime: Runtime | None = attrs.field(default=None, init=False)
    _ear: _Ear | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing."""
        self.outages = Outages(self.recovery)

    def attach(self, runtime: Runtime) -> None:
        """Count what happens in *runtime* from now on; does nothing the second time."""
        if self._ear is None:
            self._runtime = runtime
            self.health = str(runtime.health().overall)
            self._ear = _Ear(1, runtime.bus, tuple(_HEARD), runtime.clock, skips_routine=True, meter=self)
            runtime.bus.attach(self._ear)
            runtime.timings.is_on = True

    def count_dropped(self, kind: str, count: int) -> None:
        """Note that a subscriber of *kind* was too slow for so many events."""
        self.dropped.add(kind, count=count)

    # -- hearing ---------------------------------------------------------------

    def exited(self, event: events.ChildExited) -> None:
        """Note how an incarnation ended."""
        self._restart_reasons.exited(event)

    def restarting(self, event: events.ChildRestarting) -> None:
        """Note that a child failed, and will be started again."""
        self._restart_reasons.restarting(event)
        self.outages.went_down(event)

    def group_restarting(self, event: events.GroupRestarting) -> None:
        """Note that siblings are restarted together."""
        self._restart_reasons.group_restarting(event)

    def parked(self, event: events.ChildParked) -> None:
        """Note that a child was set aside."""
        self._restart_reasons.parked(event)
        self.outages.went_down(event)

    def started(self, event: events.ChildStarted) -> None:
        """Count the restart of a child."""
        if event.incarnation > 1:
            self.restarts.add(event.path, self._restart_reasons.started(event))
        self.outages.came_up(event)

    def put_down(self, event: events.Event) -> None:
        """Note that somebody has stopped or removed a child."""
        self._restart_reasons.forget(event)
        self.outages.was_put_down(event)
        if isinstance(event, events.ChildRemoved):
            self._reconnect_reasons.forget(event)

    def gave_up(self, event: events.SupervisorGaveUp) -> None:
        """Count an escalation."""
        self.escalations.add(event.path)

    def moved(self, event: ConnectionChanged) -> None:
        """Note where a connection is; count it if it connects again."""
        self.outages.moved(event)
        reason = self._reconnect_reasons.moved(event)
        if reason is not None:
            self.reconnects.add(event.path, reason)

    def rotated(self, event: FeedRotated) -> None:
        """Count a feed's change to a new websocket."""
        self.reconnects.add(event.path, of_rotation(event.why))

    def lost_sync(self, event: BookDesynced) -> None:
        """Count a gap in a feed."""
        self.gaps.add(event.path)

    def erred(self, event: ErrorClassified) -> None:
        """Count an error."""
        if event.report.repeats is None:
            self.errors.add(event.path, str(event.verdict.category), str(event.verdict.severity))

    def recovered(self, event: RecoveryAttempted) -> None:
        """Count a recovery action that ended."""
        if event.status != "started":
            self.actions.add(event.action, event.status)

    def breaker_changed(self, event: BreakerChanged) -> None:
        """Count what a breaker did."""
        self.transitions.add(event.guard, str(event.previous), str(event.state))

    def alert_sent(self, event: NotificationSent) -> None:
        """Count alerts that a receiver took."""
        self.alerts.add(event.receiver, "sent", count=event.alerts)

    def alert_failed(self, event: NotificationFailed) -> None:
        """Count alerts that a receiver never gets."""
        self.alerts.add(event.receiver, "failed", count=event.alerts)

    def alert_delayed(self, event: NotificationDelayed) -> None:
        """Count a notification that a receiver did not take at once."""
        self.alerts.add(event.receiver, "delayed")

    def not_saved(self, _event: events.Event) -> None:
        """Count a failure to save."""
        self.snapshot_failures += 1

    def booted(self, _event: events.RuntimeStarted) -> None:
        """Note how the bot does now that it has started: that it was starting is over without a `HealthChanged`."""
        if self._runtime is not None:
            self.health = str(self._runtime.health().overall)

    def health_changed(self, event: HealthChanged) -> None:
        """Note how the bot does as a whole."""
        if not event.service:
            self.health = event.health


@attrs.define(eq=False)
class _Ear(EventStream):
    """What a meter hears with."""

    meter: Meter = attrs.field(kw_only=True)

    def offer(self, event: events.Event) -> None:
        """Have *event* counted."""
        hear = _HEARD.get(type(event))
        if hear is not None:
            hear(self.meter, event)


_HEARD: Final[Mapping[type[events.Event], Any]] = {
    events.ChildExited: Meter.exited,
    events.ChildRestarting: Meter.restarting,
    events.GroupRestarting: Meter.group_restarting,
    events.ChildParked: Meter.parked,
    events.ChildStarted: Meter.started,
    events.ChildStopped: Meter.put_down,
    events.ChildRemoved: Meter.put_down,
    events.SupervisorGaveUp: Meter.gave_up,
    ConnectionChanged: Meter.moved,
    FeedRotated: Meter.rotated,
    BookDesynced: Meter.lost_sync,
    ErrorClassified: Meter.erred,
    RecoveryAttempted: Meter.recovered,
    BreakerChanged: Meter.breaker_changed,
    NotificationSent: Meter.alert_sent,
    NotificationFailed: Meter.alert_failed,
    NotificationDelayed: Meter.alert_delayed,
    StateNotDurable: Meter.not_saved,
    StateUnencodable: Meter.not_saved,
    HealthChanged: Meter.health_changed,
    events.RuntimeStarted: Meter.booted,
}
"""What is heard, and how; everything else costs one look-up."""
