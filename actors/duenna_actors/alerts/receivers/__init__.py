"""Who is told of alerts."""

from duenna_actors.alerts.receivers.apprise import AppriseReceiver
from duenna_actors.alerts.receivers.base import Receiver, Sender
from duenna_actors.alerts.receivers.email import EmailReceiver, Security
from duenna_actors.alerts.receivers.log import LogReceiver
from duenna_actors.alerts.receivers.pagerduty import PagerDutyReceiver
from duenna_actors.alerts.receivers.slack import SlackReceiver
from duenna_actors.alerts.receivers.telegram import TelegramReceiver
from duenna_actors.alerts.receivers.webhook import WebhookReceiver

__all__ = [
    "AppriseReceiver",
    "EmailReceiver",
    "LogReceiver",
    "PagerDutyReceiver",
    "Receiver",
    "Security",
    "Sender",
    "SlackReceiver",
    "TelegramReceiver",
    "WebhookReceiver",
]
