"""``alerts(...)``: the part of `/system` that tells people."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from duenna import Backoff, Child, Mailbox, Supervisor
from duenna.machines import checks
from duenna.machines.alert_delivery import Patience
from duenna.machines.alert_options import AlertOptions
from duenna.settings import AlertSettings
from duenna.wallclock import WallTime, wall_time
from duenna_actors.alerts.alerter import Alerter, Plan
from duenna_actors.alerts.delivery import Delivery
from duenna_actors.alerts.receivers.base import Receiver
from duenna_actors.alerts.rules import Numbers
from duenna_actors.alerts.text import Desk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from duenna.events import Event
    from duenna.machines.alert_inhibition import Inhibition
    from duenna_actors.alerts.rules import Rule

ALERTER: Final = "alerter"
MOST_WAITING: Final = 200
"""Notifications that wait for one receiver; of more, the oldest are dropped, and counted."""

_BACKOFF: Final = Backoff.exponential(1.0, maximum=60.0, jitter="equal")
_SETTINGS: Final = frozenset(field.name for field in attrs.fields(AlertOptions))


def alerts(
    receivers: Iterable[Receiver],
    *,
    settings: AlertSettings | None = None,
    bot: str = "bot",
    labels: Mapping[str, Mapping[str, str]] | None = None,
    group_by: Iterable[str] = ("kind",),
    inhibitions: Iterable[Inhibition] | None = None,
    resolve_after: float = 300.0,
    rules: Mapping[type[Event], Rule] | None = None,
    max_age: float = 3600.0,
    drain: float = 3.0,
    wall_time: WallTime = wall_time,
) -> Supervisor:
    """Return the supervisor of alerting, for ``open_runtime(tree, system=[alerts(...)])``.

    It is `/system/alerts`, with the actor `alerter` and one actor for each receiver. None of
    them can end the bot, hold up its start, or, beyond *drain*, its stop.

    Args:
        receivers: Who is told; names all different, none `alerter`.
        settings: The numbers; None: those of the runtime, also when they change while it runs.
        bot: Name of the bot in what is sent; part of the identity of an incident of PagerDuty.
        labels: Labels of alerts about a path and what is below it, or about a guard, such as
            `{"/bot/binance": {"exchange": "binance"}}`, to match, group and inhibit by.
        group_by: Labels that alerts must share to be told in one message.
        inhibitions: Which alerts keep which others from being told; None: `default_inhibitions()`.
        resolve_after: Seconds after which what merely happened, such as a CRITICAL error, is over if
            it has not happened again; at least 0.
        rules: What events of other classes mean, for each a function that gives conditions.
        max_age: Seconds for which a notification that a receiver does not take is tried, greater than 0.
        drain: Seconds that the deliveries have when the bot stops, at least 0 and finite.
        wall_time: The time of day, for what is sent.

    Raises:
        TypeError: Something is of the wrong type.
        ValueError: A number is out of range, or names are not all different.
    """
    listed = _checked(receivers)
    checks.duration("alerts", "drain", drain, inf=False)
    checks.duration("alerts", "max_age", max_age, zero=False)
    more: dict[str, Any] = {"group_by": tuple(group_by), "resolve_after": resolve_after}
    if inhibitions is not None:
        more["inhibitions"] = tuple(inhibitions)
    options = partial(_options, more)
    options(settings or AlertSettings())  # what is wrong is said here
    desk = Desk(bot, lambda time: wall_time() + time - trio.current_time())
    plan = Plan(
        routes=tuple(receiver.route for receiver in listed),
        desk=desk,
        options=options,
        numbers=_numbers,
        settings=settings,
        labels={place: dict(given) for place, given in (labels or {}).items()},
        rules=dict(rules or {}),
        max_age=max_age,
    )
    deliveries = [_delivery(receiver, desk, Patience(max_age=max_age), drain) for receiver in listed]
    alerter = Child(
        ALERTER,
        partial(Alerter, plan),
        backoff=_BACKOFF,
        on_give_up="park",
        mailbox=Mailbox(1000, overflow="drop_newest"),
        shutdown=1.0,
    )
    # One after the other they may restart as often as their backoff lets them: this one never gives up.
    return Supervisor("alerts", [*deliveries, alerter], intensity=1_000_000, period=1.0, on_give_up="park")


def _delivery(receiver: Receiver, desk: Desk, patience: Patience, drain: float) -> Child:
    return Child(
        receiver.name,
        partial(Delivery, receiver, desk, patience, drain),
        backoff=_BACKOFF,
        mailbox=Mailbox(MOST_WAITING, overflow="drop_oldest"),
        drain=drain,
        shutdown=2.0,
    )


def _checked(receivers: Iterable[Receiver]) -> list[Receiver]:
    listed = list(receivers)
    seen: set[str] = {ALERTER}
    for receiver in listed:
        given: object = receiver
        if not isinstance(given, Receiver):
            message = f"alerts: each of receivers must be a Receiver, got {type(given).__name__}"
            raise TypeError(message)
        if receiver.name in seen:
            message = f"alerts: names of receivers must all be different and not {ALERTER!r}, got {receiver.name!r}"
            raise ValueError(message)
        seen.add(receiver.name)
    return listed


def _options(more: dict[str, Any], settings: AlertSettings) -> AlertOptions:
    given = {name: getattr(settings, name) for name in _SETTINGS if hasattr(settings, name)}
    return AlertOptions(**(given | more))


def _numbers(settings: AlertSettings) -> Numbers:
    return Numbers(
        error_burst=settings.error_burst,
        error_burst_within=settings.error_burst_within,
        error_rate=settings.error_rate,
        recovery_attempts=settings.recovery_attempts,
    )
