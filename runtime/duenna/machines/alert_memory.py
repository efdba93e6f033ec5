"""What alerting knows, as values that outlive the process. All times are of the clock on which they are stored."""

import msgspec

from duenna.machines.alert_words import Alert, Condition
from duenna.machines.classification import Severity


class HeldMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that waits for the end of its quiet time; its attributes are those of a `Condition`.

    Attributes:
        kind: As there, like all that follow but the last.
        target: What it is about.
        severity: How bad it is.
        summary: One line.
        details: More.
        path: The actor that it is about.
        expires: Whether it ends by itself.
        labels: More to match by.
        met: When it was met last.
    """

    kind: str
    target: str
    severity: Severity
    summary: str
    details: str = ""
    path: str = ""
    expires: bool = False
    labels: dict[str, str] = {}
    met: float

    @classmethod
    def of(cls, condition: Condition, met: float) -> "HeldMemory":
        """Return *condition*, met last at *met*."""
        fields = {name: getattr(condition, name) for name in condition.__struct_fields__}
        return cls(**fields, met=met)

    def condition(self) -> Condition:
        """Return the condition."""
        return Condition(**{name: getattr(self, name) for name in Condition.__struct_fields__})


class QuietMemory(msgspec.Struct, frozen=True):
    """When an alert of a kind and target began, for its quiet time.

    Attributes:
        kind: Its kind.
        target: Its target.
        began: When.
    """

    kind: str
    target: str
    began: float


class SilenceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """A silence.

    Attributes:
        id: Its name.
        matchers: Which alerts, as they are written.
        since: When it began.
        until: When it ends.
        author: Who wanted it.
        comment: Why.
    """

    id: str
    matchers: tuple[str, ...]
    since: float
    until: float
    author: str
    comment: str


class OutboxMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What one receiver was told.

    Attributes:
        told: The highest rank of severity that it was told of each alert, by id.
        held: Alerts that the cap has held back.
        sent: When messages that count for the cap were sent.
        suppressed: Alerts held back since the last of these.
        suppressed_ever: The same since the beginning.
    """

    told: dict[str, int] = {}
    held: tuple[str, ...] = ()
    sent: tuple[float, ...] = ()
    suppressed: int = 0
    suppressed_ever: int = 0


class AlertMemory(msgspec.Struct, frozen=True):
    """An alert that fires, or whose end is not told yet.

    Attributes:
        alert: The alert.
        is_member: Whether it is told; if not, it is decided on again.
        expires: Whether it ends by itself.
    """

    alert: Alert
    is_member: bool
    expires: bool = False


class GroupMemory(msgspec.Struct, frozen=True):
    """When the last message about a group was made.

    Attributes:
        labels: What its alerts share.
        sent: When.
    """

    labels: dict[str, str]
    sent: float


class AlertsMemory(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        alerts: What fires, and what is over and not told yet, in the order in which it began.
        groups: The groups of which something was told.
        quiet: Quiet times.
        held: What waits for the end of one.
        silences: The silences.
        outboxes: What each receiver was told, by name.
        silences_made: How many silences were ever added.
        made: How many alerts there were.
        numbers: How many notifications there were.
        raised: How many alerts were raised.
        suppressed: Of what nobody was told, by why.
    """

    alerts: tuple[AlertMemory, ...] = ()
    groups: tuple[GroupMemory, ...] = ()
    quiet: tuple[QuietMemory, ...] = ()
    held: tuple[HeldMemory, ...] = ()
    silences: tuple[SilenceMemory, ...] = ()
    outboxes: dict[str, OutboxMemory] = {}
    silences_made: int = 0
    made: int = 0
    numbers: int = 0
    raised: int = 0
    suppressed: dict[str, int] = {}


def moved(alert: Alert, by: float) -> Alert:
    """Return *alert* with its times on a clock that is *by* seconds ahead."""
    until = None if alert.until is None else alert.until + by
    return msgspec.structs.replace(alert, since=alert.since + by, last=alert.last + by, until=until)
