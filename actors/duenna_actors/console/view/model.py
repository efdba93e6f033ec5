"""What a viewer sees: one snapshot of the bot as values, and what changed since the last one.

Times are in seconds of the bot's own clock, trio's; ``Header.now`` and ``Header.at`` convert them.
A row holds no ages, which would change by themselves: a row of an idle actor stays as it is, byte for
byte, and is not sent again.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Budget(msgspec.Struct, frozen=True, gc=False):
    """What is left before somebody gives up.

    Attributes:
        left: Restarts (of a supervisor) or failures in a row (of a child) that are still borne.
        of: How many there may be.
        period: Seconds in which a supervisor counts its restarts; None: it is a child's budget.
    """

    left: int
    of: int
    period: float | None = None


class MailboxRow(msgspec.Struct, frozen=True, gc=False):
    """A mailbox.

    Attributes:
        depth: Messages that wait.
        capacity: Messages it holds.
        oldest_at: When the oldest came; None: none waits, or it is not known.
        dropped: Messages dropped or replaced since the beginning.
        received: Messages handed to the actor since the beginning.
    """

    depth: int
    capacity: int
    oldest_at: float | None
    dropped: int
    received: int


class DataRow(msgspec.Struct, frozen=True, gc=False):
    """How fresh the data of a feed, a poller or the like is.

    Attributes:
        at: When fresh data came last; None: there has been none.
        expect_every: Seconds within which there must be more; None: nobody said.
        is_stale: Whether it is late.
    """

    at: float | None
    expect_every: float | None
    is_stale: bool


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One actor or supervisor.

    Attributes:
        path: Its path, its identity.
        name: The last part.
        depth: 0 for a root.
        kind: `supervisor`, `function`, or the actor's own word, such as `websocket`.
        strategy: Of a supervisor: `one_for_one`, `one_for_all` or `rest_for_one`; else empty.
        state: `pending`, `starting`, `running`, `suspended`, `stopping`, `backoff`, `stopped`,
            `finished` or `failed` (parked: a person is needed).
        status: What it is good for: `operational`, `degraded`, `unavailable`; empty where that makes no sense.
        why: What is wrong, in words; empty if nothing is.
        link: Of a connection: `connecting`, `operational`, `degraded`, `recovering`, `cooldown`, `failed`
            or `closed`; else empty.
        is_critical: Whether the bot is not ready without it.
        is_suspended: Whether its mailbox is held.
        incarnation: Number of the present or last incarnation; 0: it was never started.
        restarts: How often it was started again.
        failures: Consecutive failures.
        budget: What is left before it gives up; None: no limit.
        since: When it became ready; None: it is not.
        retry_at: When it is tried again; None: it does not wait for that.
        mailbox: None of a supervisor.
        rate: Messages per second of late, two digits; 0 where nobody looked before.
        message_at: When it was seen handling messages last, to a tick; None: not since somebody looks.
        data: None where nobody says how fresh it must be.
        breakers: Names of the guards that this actor has called and whose breaker is not closed.
        last_error: The last crash or reported error, redacted; empty if there was none.
    """

    path: str
    name: str
    depth: int
    kind: str
    strategy: str = ""
    state: str
    status: str = ""
    why: str = ""
    link: str = ""
    is_critical: bool = False
    is_suspended: bool = False
    incarnation: int = 0
    restarts: int = 0
    failures: int = 0
    budget: Budget | None = None
    since: float | None = None
    retry_at: float | None = None
    mailbox: MailboxRow | None = None
    rate: float = 0.0
    message_at: float | None = None
    data: DataRow | None = None
    breakers: tuple[str, ...] = ()
    last_error: str = ""


class BreakerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The guards of one name.

    Attributes:
        name: The name.
        state: `closed`, `open`, `half_open`, `forced_open`, `disabled`, `metrics_only`.
        health: `ok`, `degraded` or `unavailable`.
        since: When ``state`` was entered.
        retry_at: When an open breaker lets a probe through; None: it is not open, or only a hand can close it.
        calls: Calls that came to an end.
        successes: Of these.
        failures: Of these.
        rejected: Attempts that were refused.
        fallbacks: Calls that a fallback answered.
        failure_rate: Within the window, 0 to 1; None: there is none.
        last_error: As text; empty if there was none.
    """

    name: str
    state: str
    health: str
    since: float
    retry_at: float | None
    calls: int
    successes: int
    failures: int
    rejected: int
    fallbacks: int
    failure_rate: float | None
    last_error: str


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs the operator, most urgent first.

    Attributes:
        path: The actor or the guard.
        severity: `critical`, `warning` or `notice`.
        text: One plain sentence, such as `kraken.ws silent 41 s (expects 5 s); one more crash stops all feeds`.
        since: When it began; None: that is not known.
        actions: What helps, as verbs of the API: `restart`, `resume`, `start`, `reset`.
    """

    path: str
    severity: Literal["critical", "warning", "notice"]
    text: str
    since: float | None = None
    actions: tuple[str, ...] = ()


class VerdictRow(msgspec.Struct, frozen=True):
    """What an error means: `NETWORK`, `MEDIUM`, transient or not."""

    category: str
    severity: str
    transient: bool


class ActionRow(msgspec.Struct, frozen=True):
    """What was done: its name, its last attempt from 1, and `started`, `success`, `failed`, `gave_up` or `dropped`."""

    name: str
    attempt: int
    status: str


class WhyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the why-timeline: error -> verdict -> action -> outcome.

    Attributes:
        id: Stable for the incident's life.
        path: The actor or service.
        began: When.
        took: Seconds to its end; of an open one None.
        error: Type and message, redacted, one line.
        errors: How many joined it.
        verdicts: What they mean.
        actions: What was done.
        outcome: `open`, `recovered`, `survived`, `failed`, `gave_up`, `stopped`, `unknown`.
        text: The whole line for a person.
    """

    id: int
    path: str
    began: float
    took: float | None
    error: str
    errors: int
    verdicts: tuple[VerdictRow, ...]
    actions: tuple[ActionRow, ...]
    outcome: str
    text: str


class ErrorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One error with its verdict; as in the error log, without its stack."""

    id: int
    time: float
    path: str
    type: str
    message: str
    category: str
    severity: str
    transient: bool
    service: str


class ErrorType(msgspec.Struct, frozen=True):
    """How often errors of one type came: in all, and within the last 5 minutes, per minute."""

    type: str
    count: int
    rate: float


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """Errors so far.

    Attributes:
        total: How many.
        rate: In the last 60 seconds.
        trend: `rising`, `falling` or `steady`, in the tracker's own words.
        types: The most frequent, at most 10.
        latest: The last 20, newest first.
        sparkline: Errors in each of the last 30 periods of 10 s, oldest first.
    """

    total: int
    rate: float
    trend: str
    types: tuple[ErrorType, ...]
    latest: tuple[ErrorRow, ...]
    sparkline: tuple[int, ...]


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires."""

    id: str
    kind: str
    target: str
    severity: str
    summary: str
    since: float
    count: int
    path: str
    silenced_by: str | None
    inhibited_by: str | None


class SilenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A silence that holds; ``until`` in seconds since 1970."""

    id: str
    matchers: tuple[str, ...]
    until: float
    author: str
    comment: str


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """How the event loop does.

    Attributes:
        lag: Seconds by which the loop answered late when it was last asked; None: nobody asks (a virtual clock).
        lag_max: The most in the last minute.
        blocked: How often it was found blocked.
        blocked_by: The actor that blocked it last, empty if none did or it was no actor.
        blocked_at: When that was; None: never.
    """

    lag: float | None
    lag_max: float | None
    blocked: int
    blocked_by: str
    blocked_at: float | None


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """Which bot this is.

    Attributes:
        name: Name of the user's root.
        version: Its version as its author gave it; empty if not.
        phase: `starting`, `running`, `stopping` or `stopped`.
        started_at: When the runtime began, in seconds since 1970.
        pid: Its process.
        host: Its machine.
        duenna: Version of duenna.
        python: Version of Python.
        trio: Version of trio.
        trading: `live` or `paper`.
        trading_why: What holds it on paper; empty if nothing does.
    """

    name: str
    version: str
    phase: str
    started_at: float
    pid: int
    host: str
    duenna: str
    python: str
    trio: str
    trading: str
    trading_why: str


class KpiRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key figure and its target; ``text`` is the line for a person."""

    name: str
    value: float | None
    unit: str
    comparison: str
    target: float
    met: bool
    text: str


class StateRow(msgspec.Struct, frozen=True, kw_only=True):
    """How the stored state does: where, since when not durable (None: it is), last saved (seconds since 1970)."""

    store: str
    is_durable: bool
    problem: str
    saved_at: float | None
    size: int
    is_reconciling: bool


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """All of a snapshot but the tree.

    Attributes:
        id: Number of the tick, from 1; it grows for the console's whole life.
        now: The moment in seconds of the bot's clock.
        at: The same in seconds since 1970.
        interval: Seconds between two ticks at present.
        bot: Which bot.
        overall: `healthy`, `degraded` or `unhealthy`.
        issues: What is wrong, a sentence each, at most 100.
        needs: What needs the operator, at most 5, most urgent first.
        loop: The event loop.
        errors: The errors.
        breakers: Every guard with a breaker that was used, those that are not closed first.
        alerts: What fires, newest first; None: the bot has no alerting.
        silences: What is silent; None: the bot has no alerting.
        why: The timeline, open ones and newest first, at most 50.
        kpis: Key figures.
        state: The stored state.
        viewers: Who is looking now.
        dead_letters: Messages so far that nobody read.
        operations: Ids of operations that are under way.
    """

    id: int
    now: float
    at: float
    interval: float
    bot: Bot
    overall: str
    issues: tuple[str, ...]
    needs: tuple[Need, ...]
    loop: Loop
    errors: Errors
    breakers: tuple[BreakerRow, ...]
    alerts: tuple[AlertRow, ...] | None
    silences: tuple[SilenceRow, ...] | None
    why: tuple[WhyRow, ...]
    kpis: tuple[KpiRow, ...]
    state: StateRow
    viewers: int
    dead_letters: int
    operations: tuple[str, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The whole: the header, and every row, parents before children, in start order; roots `/system` and the bot's."""

    header: Header
    rows: tuple[Row, ...]


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What changed since the tick before.

    Attributes:
        base: The tick that it follows; a viewer that has another one asks for a snapshot.
        header: Keys of `Header` that changed, with their values; ``id``, ``now`` and ``at`` always.
        rows: Rows that changed or are new.
        order: All paths in order, if rows came, went or moved; else None.
    """

    base: int
    header: dict[str, msgspec.Raw]
    rows: tuple[msgspec.Raw, ...]
    order: tuple[str, ...] | None = None


class EventRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event for a person.

    Attributes:
        id: Its number in this console's life, from 1, without gaps.
        time: When.
        type: Its class, such as `ChildRestarting`.
        level: `DEBUG` to `CRITICAL`.
        path: Who.
        text: Its log line, redacted.
    """

    id: int
    time: float
    type: str
    level: str
    path: str
    text: str


class Transition(msgspec.Struct, frozen=True):
    """A state that an actor came to at ``time``, and why."""

    time: float
    state: str
    why: str


class Waiting(msgspec.Struct, frozen=True):
    """A message that waits: its type, and when it came (None: not known). Never its content."""

    type: str
    at: float | None


class MailboxDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox and its first 100 messages, oldest first."""

    mailbox: MailboxRow
    policy: str
    current: str
    waiting: tuple[Waiting, ...]
    senders: int
    stashed: int


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """All about one actor.

    Attributes:
        row: Its row.
        spec: Its recipe, as text by option: restart, backoff, shutdown, and so on.
        errors: Its last 20 errors, newest first.
        sparkline: Its errors in each of the last 60 minutes, oldest first.
        why: Its lines of the timeline, newest first, at most 20.
        history: States it came to in the last 24 h, oldest first, at most 200.
        events: Its last 100 events, oldest first; what its log says.
        mailbox: None of a supervisor.
        saved_at: When its state was saved last, in seconds since 1970; None: it has none, or never.
        children: Paths of its children.
    """

    row: Row
    spec: dict[str, str]
    errors: tuple[ErrorRow, ...]
    sparkline: tuple[int, ...]
    why: tuple[WhyRow, ...]
    history: tuple[Transition, ...]
    events: tuple[EventRow, ...]
    mailbox: MailboxDetails | None
    saved_at: float | None
    children: tuple[str, ...]


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """What an action would do; nothing was done.

    Attributes:
        action: `restart`, `stop`, `start`, `suspend` or `resume`.
        path: Whom it is asked for.
        is_possible: Whether it can be done now.
        why_not: Why not; empty if it can.
        stops: Paths that would be stopped, in that order.
        starts: Paths that would be started, in that order.
        strategy: Of the supervisor above.
        text: One sentence for the person who confirms, such as
            `rest_for_one: also restarts book-builder. 7 messages wait and are kept.`
    """

    action: str
    path: str
    is_possible: bool
    why_not: str
    stops: tuple[str, ...]
    starts: tuple[str, ...]
    strategy: str
    text: str


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """What the charts show.

    Attributes:
        now: The moment.
        errors: Errors of each of the last 60 minutes, oldest first.
        by_severity: The same for each severity.
        states: For each actor that was not running at some time of the last 24 h, and each connection, its
            transitions, oldest first; at most 200 actors.
    """

    now: float
    errors: tuple[int, ...]
    by_severity: dict[str, tuple[int, ...]]
    states: dict[str, tuple[Transition, ...]]
