"""What fires and what is silenced, asked of the alerter: seldom, and never waiting long for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import trio

from duenna import Runtime
from duenna.errors import DuennaError
from duenna.inspection import Inspector
from duenna_actors.alerts.messages import AlertsStatus, GetAlerts, GetSilences
from duenna_actors.console.view.model import AlertRow, SilenceRow
from duenna_actors.console.view.texts import brief

if TYPE_CHECKING:
    from duenna.machines.alerts import AlertState
    from duenna_actors.alerts.messages import SilenceView

ALERTER: Final = "/system/alerts/alerter"
PATIENCE: Final = 0.2
EVERY: Final = 0.5
MOST: Final = 200
MOST_WAITING: Final = 10
"""Messages that may wait in the alerter's mailbox for it to be asked still."""


@attrs.frozen
class Alerting:
    """What the alerter said: what fires, newest first, and what is silent. None: the bot has no alerting."""

    alerts: tuple[AlertRow, ...] | None = None
    silences: tuple[SilenceRow, ...] | None = None


@attrs.define(eq=False)
class AlertDesk:
    """Asks the alerter; while it does not answer in time, what it said before stands.

    One that is held, down or far behind is not asked: nobody would take the questions out of its mailbox.
    """

    _runtime: Runtime
    _inspector: Inspector = attrs.field(init=False)
    _said: Alerting = attrs.field(factory=Alerting, init=False)
    _asked: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Look at the alerter before it is asked."""
        self._inspector = Inspector(self._runtime)

    async def look(self) -> Alerting:
        """Return what fires, at most half a second old as far as the alerter answers within 0.2 s."""
        now = self._runtime.now()
        if self._asked is not None and now - self._asked < EVERY:
            return self._said
        self._asked = now
        try:
            alerter = self._runtime.ref(ALERTER)
            facts = self._inspector.one(ALERTER)
        except DuennaError:
            self._said = Alerting()
            return self._said
        if facts.state != "running" or facts.depth_now > MOST_WAITING:  # its mailbox is for alerts, not for questions
            self._said = Alerting((), ()) if self._said.alerts is None else self._said
            return self._said
        try:
            with trio.move_on_after(PATIENCE):
                status: AlertsStatus = await alerter.ask(GetAlerts(), timeout=PATIENCE)
                silences: tuple[SilenceView, ...] = await alerter.ask(GetSilences(), timeout=PATIENCE)
                self._said = Alerting(
                    tuple(alert_row(state) for state in list(reversed(status.alerts))[:MOST]),
                    tuple(silence_row(view) for view in silences[:MOST]),
                )
        except DuennaError:
            if self._said.alerts is None:
                self._said = Alerting((), ())
        return self._said

    def forget(self) -> None:
        """Ask anew the next time: something was just changed."""
        self._asked = None


def alert_row(state: AlertState) -> AlertRow:
    """Return an alert that fires."""
    alert = state.alert
    return AlertRow(
        id=alert.id,
        kind=alert.kind,
        target=brief(alert.target, 300),
        severity=str(alert.severity),
        summary=brief(alert.summary, 300),
        since=alert.since,
        count=alert.count,
        path=alert.labels.get("path", ""),
        silenced_by=state.silenced_by,
        inhibited_by=state.inhibited_by,
    )


def silence_row(view: SilenceView) -> SilenceRow:
    """Return a silence that holds."""
    return SilenceRow(
        id=view.id,
        matchers=view.matchers,
        until=view.until,
        author=brief(view.author, 200),
        comment=brief(view.comment, 300),
    )
