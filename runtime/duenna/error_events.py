"""Errors as messages: the report of one, the verdict on it, and what was done about it."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from duenna.events import Event
from duenna.machines.classification import Facts, Severity, Verdict


class Source(StrEnum):
    """Who noticed an error."""

    CRASH = "crash"
    REPORT = "report"
    CHECK = "check"
    GUARD = "guard"
    HANDLER = "handler"


class ErrorReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An error as a message: who, what, when and in which circumstances. Bounded, and without secrets.

    Attributes:
        id: Its number in this process, from 1; what is done about the error refers to it.
        time: When, in seconds of trio's clock.
        at: When, in seconds since 1970-01-01T00:00:00Z.
        path: The actor, `/` where it was none.
        incarnation: Which of the actor's, 0 where it was none.
        kind: The actor's kind, such as `api` or `websocket`; empty where it was none.
        source: Who noticed it.
        error_type: Its type, with the module.
        message: Its text in one line, causes included; at most 500 characters.
        facts: What its verdict depends on: the whole chain.
        frames: Where it was raised, outermost first: `File "...", line n, in function`; at most 50.
        function: Name of the function that raised it, empty if it was not raised.
        service: What it counts under: the guard's or the component's name, or else the path.
        operation: What was being done, in the caller's words.
        label: The name that it is counted under; its type if empty.
        retry_count: Attempts after the first that failed with it before it was reported.
        repeats: The number of an earlier report of the same exception, which was passed on and
            is reported again by whom it ended; None: it is the first.
        context: What the reporter added.
        verdict: The verdict if it was needed on the spot; None: the classifier decides.
    """

    id: int
    time: float
    at: float
    path: str
    incarnation: int = 0
    kind: str = ""
    source: Source = Source.REPORT
    error_type: str
    message: str
    facts: Facts
    frames: tuple[str, ...] = ()
    function: str = ""
    service: str = ""
    operation: str = ""
    label: str = ""
    retry_count: int = 0
    repeats: int | None = None
    context: dict[str, str] = {}
    verdict: Verdict | None = None


class ErrorClassified(Event, frozen=True):
    """An error has its verdict.

    Attributes:
        report: The error.
        verdict: What it means.
    """

    report: ErrorReport
    verdict: Verdict

    def text(self) -> str:
        """Return the log line."""
        verdict = self.verdict
        words = [verdict.category, verdict.severity, "transient" if verdict.transient else "not transient"]
        if verdict.outcome_unknown:
            words.append("outcome unknown")
        if verdict.retry_after is not None:
            words.append(f"retry after {verdict.retry_after:.1f} s")
        return f"error {self.report.id}: {', '.join(words)} ({verdict.rule}): {self.report.message}"


class RecoveryAttempted(Event, frozen=True):
    """A recovery action has begun, or one has ended.

    Attributes:
        report_id: The `ErrorReport` that it answers; 0 if there is none.
        action: Its name, such as `network_retry`.
        status: `started`, `success`, `failed` or `gave_up`.
        attempt: Which attempt at this error it is, counted from 1.
        attempts: How many there may be; 0: no limit.
        wait: Seconds that it waits before it acts, or did.
        elapsed: Seconds from the error to this.
        error: What it failed with, as text; before it ended, the error that it answers.
    """

    level: ClassVar[str] = "INFO"
    report_id: int
    action: str
    status: str
    attempt: int
    attempts: int = 0
    wait: float = 0.0
    elapsed: float = 0.0
    error: str = ""

    def text(self) -> str:
        """Return the log line."""
        of = f" of {self.attempts}" if self.attempts else ""
        tail = f": {self.error}" if self.error else ""
        return f"{self.action} {self.status} (attempt {self.attempt}{of}, {self.elapsed:.1f} s after the error){tail}"


class HealthChanged(Event, frozen=True):
    """The overall health of the bot changed, or that of one service.

    Attributes:
        service: The service; empty: the bot as a whole.
        previous: `healthy`, `degraded` or `unhealthy`; of a service `operational`, `degraded` or `unavailable`.
        health: The same, now.
        why: What led there, in words.
    """

    level: ClassVar[str] = "DEBUG"  # what led there has a line of its own, and a bad one an alert
    service: str
    previous: str
    health: str
    why: str

    def text(self) -> str:
        """Return the log line."""
        who = self.service or "bot"
        return f"{who}: {self.previous} -> {self.health}" + (f": {self.why}" if self.why else "")


class AlertRaised(Event, frozen=True):
    """Something needs to be known by a person.

    Attributes:
        kind: Which rule raised it, such as `breaker_open`.
        target: What it is about: a path, a guard, a category.
        severity: How bad it is.
        summary: One line for a person.
        id: The same for the alert's whole life, in `AlertResolved` too.
    """

    level: ClassVar[str] = "WARNING"
    kind: str
    target: str
    severity: Severity
    summary: str
    id: str

    def text(self) -> str:
        """Return the log line."""
        return f"alert {self.kind} [{self.severity}] {self.target}: {self.summary}"


class AlertResolved(Event, frozen=True):
    """What an alert was about is over.

    Attributes:
        kind: Which rule had raised it.
        target: What it was about.
        id: As in `AlertRaised`.
        duration: Seconds that it lasted.
    """

    kind: str
    target: str
    id: str
    duration: float

    def text(self) -> str:
        """Return the log line."""
        return f"alert {self.kind} {self.target} resolved after {self.duration:.1f} s"


class SettingsChanged(Event, frozen=True):
    """The settings were read again, and these differ.

    Attributes:
        changes: For each key, by its dotted name, the value before and now, as text.
    """

    changes: dict[str, tuple[str, str]]

    def text(self) -> str:
        """Return the log line."""
        told = ", ".join(f"{key} {before} -> {now}" for key, (before, now) in self.changes.items())
        return f"settings reloaded: {told or 'nothing changed'}"


class SettingsRejected(Event, frozen=True):
    """The settings were read again and are wrong: those from before stay.

    Attributes:
        error: What is wrong: file, key, value, expectation.
    """

    level: ClassVar[str] = "ERROR"
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"settings not reloaded, those from before stay: {self.error}"
