"""What an incident file holds: one versioned document, made of values alone.

All text in it is redacted and bounded. `path` is an actor's or a supervisor's, `at` is in seconds since
1970-01-01T00:00:00Z, `timestamp` the same for people; all other times are in seconds.
"""

from enum import StrEnum
from typing import Final

import msgspec

FORMAT: Final = "duenna-incident"
"""What the document says of itself first."""

VERSION: Final = 1
"""Grows when an older reader would misread a newer document; a reader passes over keys that it does not know."""


class Trigger(StrEnum):
    """Why an incident was taken: a supervisor gave up, a child was parked, or somebody asked."""

    GAVE_UP = "gave_up"
    PARKED = "parked"
    REQUEST = "request"


class IncidentSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in one line.

    Attributes:
        id: Its id, which is a part of its file's name.
        at: When, in seconds since 1970.
        path: Whom it is about, `/`: the bot as a whole.
        reason: Why it was taken.
        trigger: `gave_up`, `parked` or `request`.
        by: Who asked for it, empty if nobody did or said so.
        size: Bytes of the document; 0: it has not been made of what was taken yet.
        file: Where it is; empty: in memory alone.
    """

    id: str
    at: float
    path: str
    reason: str
    trigger: str
    by: str = ""
    size: int = 0
    file: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident is, as the document says it.

    Attributes:
        id: Its id.
        at: When.
        timestamp: When, for people.
        trigger: `gave_up`, `parked` or `request`.
        path: Whom it is about, `/`: the bot as a whole.
        reason: Why it was taken.
        by: Who asked for it, empty if nobody did or said so.
        skipped: Incidents before it that were not taken, since too many came.
    """

    id: str
    at: float
    timestamp: str
    trigger: str
    path: str
    reason: str
    by: str
    skipped: int


class BotPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which bot it was: its name, `starting`, `running` or `stopping`, why it stops, its process, and its versions."""

    name: str
    phase: str
    stops_because: str
    uptime: float
    pid: int
    host: str
    system: str
    versions: dict[str, str]


class HealthPart(msgspec.Struct, frozen=True, kw_only=True):
    """How the bot did: the whole, what was wrong, key figures."""

    overall: str
    issues: tuple[str, ...]
    kpis: tuple[str, ...]


class NodePart(msgspec.Struct, frozen=True, kw_only=True):
    """One actor or supervisor.

    Attributes:
        path: Its path.
        depth: 0 for a root.
        kind: `supervisor`, or what the actor is.
        state: Its state, `suspended` if its mailbox is held.
        status: `operational`, `degraded` or `unavailable`; empty where that makes no sense.
        incarnation: Number of the last incarnation, 0: it was never started.
        failures: In a row.
        budget_left: Failures, or restarts of a supervisor's children, until it gives up; None: no limit.
        uptime: Seconds since it was ready; None: it is not.
        mail: Messages that wait.
        last_error: The last crash or reported error, empty if there was none.
    """

    path: str
    depth: int
    kind: str
    state: str
    status: str
    incarnation: int
    failures: int
    budget_left: int | None
    uptime: float | None
    mail: int
    last_error: str


class WaitingPart(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one type that wait: how many, and for how long the oldest has (None: not known)."""

    type: str
    count: int
    oldest: float | None


class MailboxPart(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox with something in it, or an actor that is busy; never what a message holds.

    Attributes:
        path: Whose.
        depth: Messages that wait.
        capacity: Messages it holds.
        policy: Its rule for when it is full.
        oldest: Seconds that the oldest has waited; None: not known.
        dropped: Messages dropped so far.
        received: Messages handed out so far.
        current: Type of the message at hand, empty if there is none.
        senders: Who waits for room.
        stashed: Messages set aside by the actor.
        waiting: What waits by type, in the order in which the types came; of the first 1,000 messages.
    """

    path: str
    depth: int
    capacity: int
    policy: str
    oldest: float | None
    dropped: int
    received: int
    current: str
    senders: int
    stashed: int
    waiting: tuple[WaitingPart, ...]


class StackPart(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that are at the same place: their names, how many they are, and their frames, outermost first."""

    tasks: tuple[str, ...]
    count: int
    frames: tuple[str, ...]


class EventPart(msgspec.Struct, frozen=True, kw_only=True):
    """One event."""

    timestamp: str
    type: str
    level: str
    path: str
    text: str


class ErrorPart(msgspec.Struct, frozen=True, kw_only=True):
    """One error: what it means, and where it was raised, outermost first; without verdict if there was none yet."""

    timestamp: str
    path: str
    type: str
    message: str
    category: str
    severity: str
    transient: bool
    frames: tuple[str, ...]


class CountsPart(msgspec.Struct, frozen=True, kw_only=True):
    """Errors so far, in the last minute, whether they become more; messages that nobody read."""

    total: int
    last_minute: float
    trend: str
    dead_letters: int


class BreakerPart(msgspec.Struct, frozen=True, kw_only=True):
    """The guards of one name."""

    name: str
    state: str
    health: str
    calls: int
    failures: int
    rejected: int
    last_error: str


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole.

    Attributes:
        format: `duenna-incident`.
        version: Of the format.
        summary: What it is.
        bot: Which bot.
        health: How it did.
        why: Errors, what they mean, what was done, and what came of it: a line each, oldest first.
        tree: Every actor, parents before children, in start order.
        tree_left_out: Actors that there was no room for.
        stacks: Where the tasks were, those of whom it is about first.
        stacks_left_out: Tasks that there was no room for; of an actor that was not looked into they count as one.
        mailboxes: Those with something in them, the fullest first.
        errors: The last ones, oldest first.
        counts: The errors, counted.
        breakers: Those that were used, or are not closed.
        events: The last ones, oldest first.
        settings: The settings in force, without secrets.
    """

    format: str = FORMAT
    version: int = VERSION
    summary: Summary
    bot: BotPart
    health: HealthPart
    why: tuple[str, ...]
    tree: tuple[NodePart, ...]
    tree_left_out: int
    stacks: tuple[StackPart, ...]
    stacks_left_out: int
    mailboxes: tuple[MailboxPart, ...]
    errors: tuple[ErrorPart, ...]
    counts: CountsPart
    breakers: tuple[BreakerPart, ...]
    events: tuple[EventPart, ...]
    settings: dict[str, str]
