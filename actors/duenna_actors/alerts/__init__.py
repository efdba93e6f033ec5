"""Alerts: what is wrong, told to people, and that it is over.

`open_runtime(tree, system=[alerts([LogReceiver(), SlackReceiver(url=...)])])`.
"""

from duenna.machines.alert_inhibition import Inhibition, default_inhibitions
from duenna.machines.alert_matchers import Matcher
from duenna.machines.alert_words import Alert, Cleared, Condition, Notification, Reason
from duenna.machines.alerts import AlertState
from duenna_actors.alerts.errors import DeliveryError
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.alerts.messages import (
    AddSilence,
    AlertsStatus,
    ClearAlert,
    DeleteSilence,
    GetAlerts,
    GetSilences,
    RaiseAlert,
    SendTestAlert,
    SilenceRefused,
    SilenceView,
)
from duenna_actors.alerts.receivers import (
    AppriseReceiver,
    EmailReceiver,
    LogReceiver,
    PagerDutyReceiver,
    Receiver,
    Security,
    Sender,
    SlackReceiver,
    TelegramReceiver,
    WebhookReceiver,
)
from duenna_actors.alerts.system import alerts

__all__ = [
    "AddSilence",
    "Alert",
    "AlertState",
    "AlertsStatus",
    "AppriseReceiver",
    "ClearAlert",
    "Cleared",
    "Condition",
    "DeleteSilence",
    "DeliveryError",
    "EmailReceiver",
    "GetAlerts",
    "GetSilences",
    "Inhibition",
    "LogReceiver",
    "Matcher",
    "Notification",
    "NotificationDelayed",
    "NotificationFailed",
    "NotificationSent",
    "PagerDutyReceiver",
    "RaiseAlert",
    "Reason",
    "Receiver",
    "Security",
    "SendTestAlert",
    "Sender",
    "SilenceRefused",
    "SilenceView",
    "SlackReceiver",
    "TelegramReceiver",
    "WebhookReceiver",
    "alerts",
    "default_inhibitions",
]
