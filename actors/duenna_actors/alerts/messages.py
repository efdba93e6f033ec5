"""What one says to the alerter at `/system/alerts/alerter`, and what it answers."""

import msgspec

from duenna.machines import checks
from duenna.machines.alert_matchers import Matcher, matchers
from duenna.machines.alert_words import Cleared, Condition
from duenna.machines.alerts import AlertState

RaiseAlert = Condition
"""Something of the bot's own is wrong. An alert of any kind may be raised so."""

ClearAlert = Cleared
"""What a `RaiseAlert` was about is over."""


class AddSilence(msgspec.Struct, frozen=True, tag=True):
    """Tell nobody of some alerts for a while. An ask is answered with the `SilenceView`, or a `SilenceRefused`.

    Attributes:
        matchers: Which alerts, those that all of them mean: `kind="feed_stale"`,
            `path=~"/bot/feeds/.*"`, with `=`, `!=`, `=~` (the whole of it) or `!~`; at least one.
        duration: Seconds, greater than 0 and finite.
        author: Who wants it; not empty.
        comment: Why.
    """

    matchers: tuple[str, ...]
    duration: float
    author: str
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no sense where it is made, not in the alerter.

        Raises:
            TypeError: An attribute is of the wrong type.
            ValueError: An attribute is out of range, or a matcher cannot be read.
        """
        if not self.matchers or isinstance(self.matchers, str):
            message = f"AddSilence: matchers must be a list of at least one matcher, got {self.matchers!r}"
            raise ValueError(message)
        checks.duration("AddSilence", "duration", self.duration, zero=False, inf=False)
        if not self.author.strip():
            message = "AddSilence: author must not be empty"
            raise ValueError(message)
        self.parsed()

    def parsed(self) -> tuple[Matcher, ...]:
        """Return the matchers."""
        return matchers(self.matchers)


class DeleteSilence(msgspec.Struct, frozen=True, tag=True):
    """End a silence before its time. An ask is answered with whether there was one.

    Attributes:
        id: Its id.
    """

    id: str


class GetSilences(msgspec.Struct, frozen=True, tag=True):
    """Ask for the silences that hold; answered with a tuple of `SilenceView`."""


class SilenceView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A silence.

    Attributes:
        id: What `DeleteSilence` wants.
        matchers: Which alerts.
        remaining: Seconds until it ends.
        until: When it ends, in seconds since 1970-01-01T00:00:00Z.
        author: Who wanted it.
        comment: Why.
    """

    id: str
    matchers: tuple[str, ...]
    remaining: float
    until: float
    author: str
    comment: str


class SilenceRefused(msgspec.Struct, frozen=True, tag=True):
    """A silence was not added.

    Attributes:
        why: Why not.
    """

    why: str


class GetAlerts(msgspec.Struct, frozen=True, tag=True):
    """Ask what fires, and what became of alerts so far; answered with `AlertsStatus`."""


class AlertsStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How alerting does.

    Attributes:
        alerts: What fires, in the order in which it began.
        raised: Alerts raised so far.
        suppressed: Of what nobody was told, by why: `cooldown`, `inhibited`, `silenced`, `overflow`.
        capped: Alerts held back by the cap so far, by receiver.
    """

    alerts: tuple[AlertState, ...]
    raised: int
    suppressed: dict[str, int]
    capped: dict[str, int]


class SendTestAlert(msgspec.Struct, frozen=True, tag=True):
    """Send every receiver a notification that says that it is a test. An ask is answered with their number."""

    text: str = "this is a test, nothing is wrong"


Question = AddSilence | DeleteSilence | GetSilences | GetAlerts | SendTestAlert | Condition | Cleared
"""All that the alerter understands."""
