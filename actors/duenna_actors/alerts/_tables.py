"""Which events mean something, and which kinds of conditions they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from duenna.connection_events import ConnectionChanged
from duenna.error_events import ErrorClassified, HealthChanged, RecoveryAttempted, SettingsRejected
from duenna.events import (
    ChildParked,
    ChildRemoved,
    ChildStarted,
    ChildStopped,
    LoopBlocked,
    SupervisorGaveUp,
)
from duenna.guard_events import BreakerChanged
from duenna.machines.alert_options import DELIVERY
from duenna.records.events import RecordsFailed, RecordsLost, RecordsResumed
from duenna.recovery.events import TradingModeChanged
from duenna_actors.alerts._state_rules import STATE_EVENTS, STATE_KINDS
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.feed_messages import SubscriptionChanged

if TYPE_CHECKING:
    from duenna.events import Event

EVENTS: Final[tuple[type[Event], ...]] = (
    BreakerChanged,
    ChildParked,
    ChildRemoved,
    ChildStarted,
    ChildStopped,
    ConnectionChanged,
    ErrorClassified,
    HealthChanged,
    LoopBlocked,
    NotificationDelayed,
    NotificationFailed,
    NotificationSent,
    RecordsFailed,
    RecordsLost,
    RecordsResumed,
    RecoveryAttempted,
    SettingsRejected,
    SubscriptionChanged,
    SupervisorGaveUp,
    TradingModeChanged,
    *STATE_EVENTS,
)
"""The classes of events that have a meaning here."""

OURS: Final = STATE_KINDS | {
    "breaker_open",
    "child_parked",
    "critical_error",
    "error_burst",
    "error_rate",
    "exchange_down",
    "feed_stale",
    "loop_blocked",
    "recovery_attempts",
    "recovery_failed",
    "records_failed",
    "service_status",
    "settings_rejected",
    "supervisor_gave_up",
    DELIVERY,
}
"""The kinds of conditions that these rules make: what still holds after a restart is noticed again."""
