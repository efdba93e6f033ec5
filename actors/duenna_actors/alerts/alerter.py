"""The actor `/system/alerts/alerter`: reads the events, asks the machine, tells the deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import trio

from duenna import Actor
from duenna.error_events import AlertRaised, AlertResolved
from duenna.errors import UnknownPathError
from duenna.events import Event, EventsLost, RuntimeStopping
from duenna.machines.alert_options import AlertOptions, Route
from duenna.machines.alert_words import Cleared, Condition, Notification
from duenna.machines.alerts import Ended, Raised
from duenna.machines.breaker import BreakerState
from duenna.machines.classification import Severity
from duenna.machines.health import ServiceStatus
from duenna.machines.lasting_alerts import LastingAlerts
from duenna.machines.lifecycle import ChildState
from duenna_actors.alerts._closing import closing_of
from duenna_actors.alerts._lasting import Lasting
from duenna_actors.alerts._memory import Memory, keep, recall
from duenna_actors.alerts._state_rules import state_by_sight
from duenna_actors.alerts._tables import OURS
from duenna_actors.alerts.events import NotificationSent
from duenna_actors.alerts.messages import (
    AddSilence,
    AlertsStatus,
    DeleteSilence,
    GetAlerts,
    GetSilences,
    Question,
    SendTestAlert,
    SilenceRefused,
    SilenceView,
)
from duenna_actors.alerts.rules import GUARDS, Numbers, Rule, Rules
from duenna_actors.alerts.text import Desk, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.machines.alert_silences import Silence
    from duenna.machines.alerts import Outcome
    from duenna_actors.alerts.rules import Change

CAPACITY = 10_000
"""Events that wait for the alerter; of more, the oldest are lost, and the bot is looked at as it is."""

_AT_ONCE = 100
_A_WHILE = 0.005  # seconds that it works without letting others work
_WELL = ServiceStatus.OPERATIONAL
_CLOSED = frozenset({BreakerState.CLOSED, BreakerState.DISABLED, BreakerState.METRICS_ONLY})


@attrs.frozen(kw_only=True)
class Plan:
    """What an alerter is made with.

    Attributes:
        routes: Its receivers.
        desk: Knows the time of day.
        options: Gives the numbers of the machine that hold for settings.
        numbers: Gives those of the rules.
        settings: The `AlertSettings` to go by; None: those of the runtime, also when they change.
        labels: As of `Rules`.
        rules: Rules of the user's own.
        max_age: Seconds after which a notification that did not arrive is given up.
    """

    routes: tuple[Route, ...]
    desk: Desk
    options: Callable[[Any], AlertOptions]
    numbers: Callable[[Any], Numbers]
    settings: Any
    labels: Mapping[str, Mapping[str, str]]
    rules: Mapping[type[Event], Rule]
    max_age: float = 3600.0


class Alerter(Actor):
    """Turns events into alerts, and alerts into notifications.

    It wakes up for an event, a message, and when something is due. Restarted, it goes on with what
    it knew, and looks at what fails at that moment. If it had not lasted a minute, what it knew may be
    the cause: then it begins anew, and raises what fails again under the same fingerprints.

    Where the state outlives the process, the first incarnation of the next one goes on with what fires,
    who was told, what is quiet and silent. What it would notice by itself if it still held, and does
    not within ``resolve_after``, is over; other alerts hold until the bot says otherwise.
    """

    kind: ClassVar[str] = "alerter"

    def __init__(self, plan: Plan) -> None:
        """Alert by *plan*."""
        self._plan = plan
        self._nap: trio.CancelScope | None = None
        self._faults = 0
        self._unfollow: Callable[[], None] | None = None
        self._alerts: LastingAlerts
        self._rules: Rules
        self._lasting: Lasting | None = None
        self._is_resumed = False

    def started(self) -> None:
        """Begin with what fails already."""
        context, plan = self.context, self._plan
        settings = context.runtime.settings.alerts if plan.settings is None else plan.settings
        now = context.now()
        memory = recall(context.runtime, context.path, now)
        self._lasting = lasting = Lasting.of(context.runtime, context.path, plan.max_age)
        if memory is None:
            self._alerts = LastingAlerts.of(plan.options(settings), plan.routes)
            own = context.path.rpartition("/")[0]
            self._rules = Rules(own=own, labels=plan.labels, more=plan.rules, numbers=plan.numbers(settings))
            if lasting is not None and lasting.follow(self._alerts, OURS):
                self._is_resumed = True
                self._rules.resume(state.alert for state in self._alerts.states(now))
        else:
            self._alerts, self._rules = memory.alerts, memory.rules
            self._adjust(settings, now)
        keep(context.runtime, context.path, Memory(self._alerts, self._rules, now))
        if plan.settings is None:
            self._unfollow = context.runtime.on_settings(self._follow)

    async def run(self) -> None:
        """Read the events as they come, and do what is due when it is."""
        runtime = self.context.runtime
        with runtime.events(*self._rules.events(), RuntimeStopping, capacity=CAPACITY) as stream:
            self._look(is_first=True)  # now that nothing is missed any more
            while True:
                event: Event | None = None
                with trio.CancelScope(deadline=self._next_at()) as self._nap:
                    event = await anext(stream, None)
                    if event is None:
                        return
                self._nap = None
                if event is not None:
                    began = self.context.now()
                    self._take(event)
                    for more in islice(stream.drain(), _AT_ONCE):
                        self._take(more)
                        if self.context.now() - began > _A_WHILE:
                            break
                self._tick()

    def receive(self, message: Question) -> Any:
        """Answer a question, or take in what the bot says is wrong."""
        now = self.context.now()
        answer = self._answer(message, now)
        self._tick()
        if self._lasting is not None and isinstance(message, AddSilence | DeleteSilence):
            self._lasting.changed(at_once=True)
        if self._nap is not None:
            self._nap.cancel()  # when it is due next may have changed
        return answer

    def stopping(self, reason: object) -> None:
        """Tell what waits: there is no later."""
        del reason
        if self._unfollow is not None:
            self._unfollow()
        runtime = self.context.runtime
        self._do(self._alerts.flush(runtime.now()))
        if runtime.stopping.is_set():
            closing_of(runtime).begin(runtime.now())

    # -- events ----------------------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, RuntimeStopping):
            self._do(self._alerts.flush(event.time))
        elif isinstance(event, EventsLost):
            self._look()
        else:
            self._apply(self._read(event))
            if self._lasting is not None and isinstance(event, NotificationSent):
                self._lasting.changed()  # what arrived is not told again

    def _read(self, event: Event) -> Iterable[Change]:
        try:
            return self._rules.read(event)
        except Exception as error:  # noqa: BLE001  # a rule of the user's own must not end the alerts
            self._faults += 1
            if self._faults & (self._faults - 1) == 0:
                self.context.report(error, rule_of=type(event).__name__, count=self._faults)
            return ()

    def _apply(self, changes: Iterable[Change]) -> None:
        now = self.context.now()
        for change in changes:
            self._do(self._alerts.apply(change, now))

    def _tick(self) -> None:
        now = self.context.now()
        self._apply(self._rules.due(now))
        self._do(self._alerts.tick(now))

    def _next_at(self) -> float:
        return min(self._rules.next_at(), self._alerts.next_at())

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        has_news = False
        for outcome in outcomes:
            has_news = True
            match outcome:
                case Notification():
                    self._send(outcome)
                case Raised(alert=alert):
                    self._post(AlertRaised, alert, severity=alert.severity, summary=alert.summary)
                case Ended(alert=alert):
                    self._post(AlertResolved, alert, duration=alert.duration)
        if has_news and self._lasting is not None:
            self._lasting.changed()

    def _post(self, kind: Any, alert: Any, **fields: Any) -> None:
        context = self.context
        if context.runtime.bus.wants(kind):
            path = alert.labels.get("path", "/")
            context.post(
                kind(time=context.now(), path=path, kind=alert.kind, target=alert.target, id=alert.id, **fields)
            )

    def _send(self, note: Notification) -> None:
        try:
            self.context.lookup(note.receiver).tell(note)
        except UnknownPathError:
            return  # an operator deleted it
        if self._lasting is not None:
            self._lasting.sent(note)

    # -- the state of the bot --------------------------------------------------

    def _look(self, *, is_first: bool = False) -> None:
        """Raise and clear by what is the case, where events may have been missed.

        The first look of a process that goes on from the last one's alerts clears none: what of them is
        over shows when the bot has started, or by ``resolve_after``. What is seen is met again.
        """
        runtime = self.context.runtime
        is_resumed, self._is_resumed = self._is_resumed, False
        parked: dict[str, str] = {}
        for node in runtime.tree().walk():
            self._rules.learn(node.path, node.kind)
            if node.state == ChildState.FAILED:
                parked[node.path] = f"parked, manual intervention required: {node.last_error or 'no error is known'}"
        open_ones = {
            name: f"breaker of {name} is {guard.state}"
            for name, guard in runtime.guards.items()
            if guard.state not in _CLOSED and not name.startswith(GUARDS)
        }
        self._compare("child_parked", parked, Severity.CRITICAL, is_resumed=is_resumed)
        self._compare("breaker_open", open_ones, Severity.HIGH, is_resumed=is_resumed)
        for kind, found in (self._rules.paper(runtime.recovery.trading) | state_by_sight(runtime.state)).items():
            self._compare(kind, found, Severity.CRITICAL, is_resumed=is_resumed)
        if is_first and self._lasting is not None and self._lasting.is_first:
            self._apply(map(self._rules.noted, self._rules.found_in(runtime.state)))
        if held := self._rules.holding("service_status"):
            self._look_at_services(held, is_resumed=is_resumed)

    def _look_at_services(self, held: list[str], *, is_resumed: bool) -> None:
        services, rules = self.context.runtime.health().services, self._rules
        ill = {name: services[name] for name in held if services.get(name, _WELL) != _WELL}
        if not is_resumed:
            self._apply(rules.noted(Cleared(kind="service_status", target=name)) for name in held if name not in ill)
            return
        for name in [name for name in ill if not name.startswith("/")]:  # of an actor that is ill, events will tell
            condition = rules.known_by_sight("service_status", name, Severity.MEDIUM, f"{name} is {ill[name]}")
            self._apply([rules.noted(condition)])

    def _compare(self, kind: str, found: dict[str, str], severity: Severity, *, is_resumed: bool) -> None:
        """Clear what was known of *kind* and is not found, raise what is found and was not known.

        Of what is known from the last process, nothing is cleared, and whatever is found is met again.
        """
        known: set[str] = set() if is_resumed else set(self._rules.holding(kind))
        changes: list[Change] = [Cleared(kind=kind, target=target) for target in sorted(known - found.keys())]
        new = sorted(found.keys() - known)
        changes += [self._rules.known_by_sight(kind, target, severity, found[target]) for target in new]
        self._apply(self._rules.noted(change) for change in changes)

    def _follow(self, _before: Any, settings: Any) -> None:
        """Go by other settings at once."""
        self._adjust(settings.alerts, self.context.now())
        if self._nap is not None:
            self._nap.cancel()

    def _adjust(self, settings: Any, now: float) -> None:
        plan = self._plan
        self._rules.adjust(plan.numbers(settings))
        self._do(self._alerts.adjust(plan.options(settings), now))

    # -- questions -------------------------------------------------------------

    def _answer(self, message: Question, now: float) -> Any:
        match message:
            case Condition() | Cleared():
                return self._apply([self._rules.noted(without_secrets(message))])
            case AddSilence():
                return self._silence(message, now)
            case DeleteSilence(id=name):
                was_there, outcomes = self._alerts.unsilence(name, now)
                self._do(outcomes)
                return was_there
            case GetSilences():
                return tuple(self._view(silence, now) for silence in self._alerts.silences(now))
            case GetAlerts():
                alerts = self._alerts
                return AlertsStatus(
                    alerts=alerts.states(now),
                    raised=alerts.raised,
                    suppressed=dict(alerts.suppressed),
                    capped=alerts.capped(),
                )
            case SendTestAlert(text=text):
                notes = self._alerts.test(text, now)
                self._do(notes)
                return len(notes)

    def _silence(self, message: AddSilence, now: float) -> SilenceView | SilenceRefused:
        wanted = message.parsed()
        try:
            made = self._alerts.silence(wanted, message.duration, now, author=message.author, comment=message.comment)
        except ValueError as error:
            return SilenceRefused(str(error))
        return self._view(made, now)

    def _view(self, silence: Silence, now: float) -> SilenceView:
        return SilenceView(
            id=silence.id,
            matchers=tuple(str(matcher) for matcher in silence.matchers),
            remaining=silence.until - now,
            until=self._plan.desk.at(silence.until),
            author=silence.author,
            comment=silence.comment,
        )
