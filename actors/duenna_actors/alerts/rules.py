"""From events to conditions: what a person needs to know, and when it is over.

One function for each kind of event; all that they remember is in `Rules`, and is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import singledispatchmethod
from math import isinf
from typing import TYPE_CHECKING, Any, Final

import attrs

from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified, HealthChanged, RecoveryAttempted, SettingsRejected
from duenna.events import (
    ChildParked,
    ChildRemoved,
    ChildStarted,
    ChildStopped,
    Event,
    LoopBlocked,
    SupervisorGaveUp,
)
from duenna.guard_events import BreakerChanged
from duenna.machines.alert_options import DELIVERY
from duenna.machines.alert_rates import Rates
from duenna.machines.alert_words import Cleared, Condition
from duenna.machines.breaker import BreakerState
from duenna.machines.classification import Category, Severity
from duenna.machines.link import ConnectionState
from duenna.records.events import RecordsFailed, RecordsLost, RecordsResumed
from duenna.recovery.events import Mode, TradingModeChanged
from duenna_actors._subscriptions import SubscriptionState
from duenna_actors.alerts._knowledge import remember
from duenna_actors.alerts._state_rules import LOST, STATE, StateEvent, StateRules
from duenna_actors.alerts._tables import EVENTS
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.alerts.text import without_secrets
from duenna_actors.feed_messages import SubscriptionChanged

if TYPE_CHECKING:
    from duenna.error_events import ErrorReport
    from duenna.machines.alert_words import Alert
    from duenna.recovery import TradingMode

Change = Condition | Cleared
"""What an event means."""

Rule = Callable[[Any], Iterable[Change]]
"""A rule of the user's own: what an event of one class means."""

GUARDS: Final = "alerts:"
"""What the names of the deliveries' guards begin with."""

MINUTE: Final = 60.0
_OPEN: Final = frozenset({BreakerState.OPEN, BreakerState.FORCED_OPEN})
_WELL: Final = frozenset({"operational", "healthy"})
_BAD: Final = frozenset({"unavailable", "unhealthy"})
_RECOVERED: Final = ("recovery_attempts", "recovery_failed")
_BACK: Final = ("feed_stale", *_RECOVERED, "child_parked")  # what it inhibits first, or that would be told now
_STARTED: Final = ("feed_stale", "recovery_failed", "child_parked")
_FRAMES: Final = 5


@attrs.frozen
class Numbers:
    """How much is borne.

    Attributes:
        error_burst: Errors of one kind within ``error_burst_within``.
        error_burst_within: Seconds.
        error_rate: Errors of all kinds a minute.
        recovery_attempts: Attempts to recover one thing until it succeeds.
    """

    error_burst: int = 10
    error_burst_within: float = 300.0
    error_rate: int = 5
    recovery_attempts: int = 3


@attrs.define(eq=False)
class Rules(StateRules):
    """What each event means. Takes events in their order; the time is theirs.

    Attributes:
        more: Rules of the user's own, by class of event.
    """

    more: Mapping[type[Event], Rule]
    _numbers: Numbers = attrs.field(alias="numbers")
    _by_type: Rates = attrs.field(init=False)
    _in_all: Rates = attrs.field(init=False)
    _attempts: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _stale: dict[str, set[str]] = attrs.field(factory=dict[str, set[str]], init=False)
    _holding: dict[tuple[str, str], str] = attrs.field(factory=dict[tuple[str, str], str], init=False)

    def __attrs_post_init__(self) -> None:
        """Begin to count."""
        self._by_type = Rates(self._numbers.error_burst, self._numbers.error_burst_within)
        self._in_all = Rates(self._numbers.error_rate, MINUTE)

    def adjust(self, numbers: Numbers) -> None:
        """Go by other *numbers* from now on."""
        self._numbers = numbers
        self._by_type.adjust(numbers.error_burst, numbers.error_burst_within)
        self._in_all.adjust(numbers.error_rate, MINUTE)

    def events(self) -> tuple[type[Event], ...]:
        """Return the classes of events that mean something."""
        return (*EVENTS, *self.more)

    def read(self, event: Event) -> list[Change]:
        """Return what *event* means, what became due before it first."""
        changes = [*self.due(event.time), *self._meaning(event)]
        for kind, rule in self.more.items():
            if isinstance(event, kind):
                changes.extend(map(without_secrets, rule(event)))
        return [self.noted(change) for change in changes]

    def due(self, now: float) -> list[Change]:
        """Return what is over at *now* because nothing happened."""
        bursts: list[Change] = [_cleared("error_burst", key) for key in self._by_type.ended(now)]
        return bursts + [_cleared("error_rate", key) for key in self._in_all.ended(now)]

    def next_at(self) -> float:
        """Return when something may be over because nothing happened; inf if nothing may."""
        return min(self._by_type.next_at(), self._in_all.next_at())

    def holding(self, kind: str) -> list[str]:
        """Return the targets of the conditions of *kind* that hold as far as is known."""
        return [target for held, target in self._holding if held == kind]

    def resume(self, alerts: Iterable[Alert]) -> None:
        """Take *alerts*, which the last process raised and which may fire still, for conditions that hold."""
        for alert in alerts:
            remember(self._holding, (alert.kind, alert.target), alert.labels.get("path", ""))

    def known_by_sight(self, kind: str, target: str, severity: Severity, summary: str) -> Condition:
        """Return the condition of what is seen to be the case, without an event."""
        path = target if target.startswith("/") else ""
        return self._condition(kind, target, severity, summary, path=path)

    def paper(self, trading: TradingMode) -> dict[str, dict[str, str]]:
        """Return what it means that orders go to paper *trading*, if they do: by kind, what is wrong of each target."""
        text = f"orders go to paper trading: {trading.why}"
        return {"exchange_down": {self._exchange("/"): text} if trading.is_paper else {}}

    # -- each kind of event ----------------------------------------------------

    @singledispatchmethod
    def _meaning(self, event: Event) -> Iterable[Change]:
        del event
        return ()

    @_meaning.register
    def _(self, event: ErrorClassified) -> Iterable[Change]:
        report, verdict = event.report, event.verdict
        if report.repeats is not None or self._is_own(report):
            return
        self.learn(report.path, report.kind)
        name = report.label or report.error_type
        if self._by_type.record(name, event.time):
            numbers = self._numbers
            text = f"more than {numbers.error_burst} errors within {numbers.error_burst_within:.0f} s: {report.message}"
            yield self._condition("error_burst", name, Severity.HIGH, text, labels=_category(verdict.category))
        if self._in_all.record("bot", event.time):
            text = f"more than {self._numbers.error_rate} errors a minute, the latest: {report.message}"
            yield self._condition("error_rate", "bot", Severity.HIGH, text)
        yield from self._judged(report, verdict.category, verdict.severity)

    def _judged(self, report: ErrorReport, category: Category, severity: Severity) -> Iterable[Change]:
        details, labels = "\n".join(report.frames[-_FRAMES:]), _category(category)
        if severity is Severity.CRITICAL:
            yield self._condition(
                "critical_error",
                report.service or report.path,
                severity,
                report.message,
                path=report.path,
                details=details,
                labels=labels,
                expires=True,
            )
        if category is Category.EXCHANGE and severity.rank >= Severity.HIGH.rank:
            yield self._exchange_down(report.path, report.message, expires=True)
        if report.error_type.rpartition(".")[2] == "StaleFeedError":
            yield self._condition("feed_stale", report.path, Severity.HIGH, report.message, path=report.path)

    @_meaning.register
    def _(self, event: BreakerChanged) -> Iterable[Change]:
        if event.guard.startswith(GUARDS):
            return
        if event.state in _OPEN:
            wait = "until a hand closes it" if isinf(event.open_for) else f"for {event.open_for:.1f} s"
            text = f"breaker of {event.guard} is {event.state} {wait} ({event.cause})"
            text += f": {event.error}" if event.error else ""
            by_hand = event.state is BreakerState.FORCED_OPEN
            severity = Severity.MEDIUM if by_hand else Severity.HIGH
            yield self._condition("breaker_open", event.guard, severity, text, path=_actor(event.path))
        elif event.state is not BreakerState.HALF_OPEN:
            yield _cleared("breaker_open", event.guard)

    @_meaning.register
    def _(self, event: HealthChanged) -> Iterable[Change]:
        service = event.service
        if not service or self._is_within(service) or service.startswith(GUARDS):
            return  # of the bot as a whole, its services tell more
        if service == STATE and event.health not in _BAD | _WELL:
            return  # the alerts about the state tell more
        if event.health in _WELL:
            yield _cleared("service_status", service)
        else:
            severity = Severity.HIGH if event.health in _BAD else Severity.MEDIUM
            text = f"{service} is {event.health}, was {event.previous}" + (f": {event.why}" if event.why else "")
            path = service if service.startswith("/") else _actor(event.path)
            yield self._condition("service_status", service, severity, text, path=path)

    @_meaning.register
    def _(self, event: RecoveryAttempted) -> Iterable[Change]:
        target = event.path if event.path != "/" else event.action
        if self._is_within(event.path):
            return
        if event.status == "success":
            self._attempts.pop(target, None)
            # Of an actor that is no connection it says no more than that it was started, and it may end again at once.
            is_well = event.path == "/" or event.path in self._speaking
            yield from (_cleared(kind, target) for kind in (_RECOVERED if is_well else _RECOVERED[1:]))
        elif event.status == "started":
            tries = max(event.attempt, self._attempts.get(target, 0) + 1)
            remember(self._attempts, target, tries)
            if tries > self._numbers.recovery_attempts:
                text = f"{event.action}: attempt {tries} since it last was well: {event.error}"
                yield self._recovery("recovery_attempts", target, Severity.MEDIUM, text, event)
        else:
            gave_up = event.status == "gave_up"
            text = f"{event.action} {event.status.replace('_', ' ')} after attempt {event.attempt}: {event.error}"
            severity = Severity.CRITICAL if gave_up else Severity.HIGH
            yield self._recovery("recovery_failed", target, severity, text, event)

    def _recovery(self, kind: str, target: str, severity: Severity, text: str, event: RecoveryAttempted) -> Condition:
        # What is no connection says nothing when it is well again, and then nobody would ever end the alert.
        expires = event.path not in self._speaking or event.status != "gave_up"
        labels = {"action": event.action}
        return self._condition(kind, target, severity, text, path=_actor(event.path), labels=labels, expires=expires)

    @_meaning.register
    def _(self, event: ChildParked) -> Iterable[Change]:
        if self._is_within(event.path):
            return
        yield self._condition("child_parked", event.path, Severity.CRITICAL, event.text(), path=event.path)

    @_meaning.register
    def _(self, event: ChildStarted) -> Iterable[Change]:
        yield _cleared("supervisor_gave_up", event.path)
        if event.path not in self._speaking:  # a connection is ready before it is connected
            yield from (_cleared(kind, event.path) for kind in _STARTED)

    @_meaning.register(ChildStopped)
    @_meaning.register(ChildRemoved)
    def _(self, event: ChildStopped | ChildRemoved) -> Iterable[Change]:
        below = event.path + "/"
        self._stale.pop(event.path, None)
        if isinstance(event, ChildRemoved):
            self.forget(event.path)
            self._attempts.pop(event.path, None)
        for (kind, target), path in tuple(self._holding.items()):
            if kind != "breaker_open" and (path == event.path or path.startswith(below)):
                yield _cleared(kind, target)

    @_meaning.register
    def _(self, event: SupervisorGaveUp) -> Iterable[Change]:
        if not self._is_within(event.path):
            yield self._condition("supervisor_gave_up", event.path, Severity.CRITICAL, event.text(), path=event.path)

    @_meaning.register
    def _(self, event: ConnectionChanged) -> Iterable[Change]:
        self.learn(event.path, event.kind, speaks=True)
        if event.state is ConnectionState.OPERATIONAL:
            self._stale.pop(event.path, None)
            self._attempts.pop(event.path, None)
            yield from (_cleared(kind, event.path) for kind in _BACK)

    @_meaning.register
    def _(self, event: SubscriptionChanged) -> Iterable[Change]:
        stale = self._stale.get(event.path, set())
        if event.state is SubscriptionState.STALE:
            remember(self._stale, event.path, stale | set(event.keys))
            keys = sorted(self._stale[event.path])
            text = f"no fresh data of {', '.join(keys[:5])}" + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")  # noqa: PLR2004  # a few
            labels = {"connection": "websocket"}
            yield self._condition("feed_stale", event.path, Severity.HIGH, text, path=event.path, labels=labels)
        elif not stale.difference(event.keys):
            self._stale.pop(event.path, None)
            yield _cleared("feed_stale", event.path)
        else:
            self._stale[event.path] = stale.difference(event.keys)

    @_meaning.register
    def _(self, event: LoopBlocked) -> Iterable[Change]:
        who = event.actor or "code outside any actor"
        text = f"the event loop was blocked for {event.seconds:.1f} s or more by {who}"
        details = "\n".join(event.stack.splitlines()[-2 * _FRAMES :])
        yield self._condition(
            "loop_blocked",
            event.actor or "loop",
            Severity.CRITICAL,
            text,
            path=event.actor,
            details=details,
            expires=True,
        )

    @_meaning.register
    def _(self, event: TradingModeChanged) -> Iterable[Change]:
        if event.mode is Mode.PAPER:
            yield self._exchange_down(_actor(event.path), event.text(), expires=False)
        else:
            yield _cleared("exchange_down", self._exchange(event.path))
            yield _cleared(LOST, "state")  # an operator's word that all is well covers it

    @_meaning.register(RecordsFailed)
    @_meaning.register(RecordsLost)
    @_meaning.register(RecordsResumed)
    def _(self, event: RecordsFailed | RecordsLost | RecordsResumed) -> Iterable[Change]:
        if isinstance(event, RecordsResumed):
            yield _cleared("records_failed", event.log)
        else:
            yield self._condition("records_failed", event.log, Severity.HIGH, event.text(), path=_actor(event.path))

    @_meaning.register
    def _(self, event: SettingsRejected) -> Iterable[Change]:
        yield self._condition("settings_rejected", "settings", Severity.MEDIUM, event.text(), expires=True)

    @_meaning.register
    def _(self, event: StateEvent) -> Iterable[Change]:
        yield from self.of_state(event)

    @_meaning.register(NotificationDelayed)
    @_meaning.register(NotificationFailed)
    @_meaning.register(NotificationSent)
    def _(self, event: NotificationDelayed | NotificationFailed | NotificationSent) -> Iterable[Change]:
        if isinstance(event, NotificationSent):
            yield _cleared(DELIVERY, event.receiver)
        else:
            yield self._condition(DELIVERY, event.receiver, Severity.MEDIUM, event.text(), path=event.path)

    # -- parts -----------------------------------------------------------------

    def _is_own(self, report: ErrorReport) -> bool:
        return report.label == DELIVERY or report.service.startswith(GUARDS) or self._is_within(report.path)

    def noted(self, change: Change) -> Change:
        """Remember whether *change* holds; return it."""
        key = (change.kind, change.target)
        if isinstance(change, Cleared) or change.expires:
            self._holding.pop(key, None)
        else:
            remember(self._holding, key, change.path)
        return change


def _cleared(kind: str, target: str) -> Cleared:
    return Cleared(kind=kind, target=target)


def _category(category: Category) -> dict[str, str]:
    return {"category": str(category)}


def _actor(path: str) -> str:
    return "" if path == "/" else path
