"""What becomes of notifications."""

from typing import ClassVar

from duenna.events import Event


class NotificationSent(Event, frozen=True):
    """A receiver took a notification.

    Attributes:
        receiver: Its name.
        number: That of the notification.
        alerts: Alerts in it.
        attempts: Times that it was tried, from 1.
        delay: Seconds since it was made.
    """

    level: ClassVar[str] = "DEBUG"
    receiver: str
    number: int
    alerts: int
    attempts: int
    delay: float

    def text(self) -> str:
        """Return the log line."""
        tries = "" if self.attempts == 1 else f", {self.attempts} attempts"
        return f"{self.receiver} was told of {self.alerts} alert(s) after {self.delay:.1f} s{tries}"


class NotificationDelayed(Event, frozen=True):
    """A receiver does not take a notification, which is tried again.

    Posted once for each notification, not for each attempt.

    Attributes:
        receiver: Its name.
        number: That of the notification.
        error: Why, in words.
    """

    level: ClassVar[str] = "WARNING"
    receiver: str
    number: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"{self.receiver} does not take alerts, notification {self.number} waits: {self.error}"


class NotificationFailed(Event, frozen=True):
    """A notification is given up: this receiver never gets it.

    Attributes:
        receiver: Its name.
        number: That of the notification.
        alerts: Alerts in it.
        attempts: Times that it was tried.
        error: Why, in words.
    """

    level: ClassVar[str] = "ERROR"
    receiver: str
    number: int
    alerts: int
    attempts: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        return (
            f"{self.receiver} was not told of {self.alerts} alert(s), given up after {self.attempts} attempt(s): "
            f"{self.error}"
        )
