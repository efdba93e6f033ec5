"""What happened: frozen, tagged values, in the past tense. One event is one log line.

Every event has ``time``, in seconds of the runtime's clock (trio's), and ``path``, the
child or supervisor that it is about. ``level`` is the level of its log line.
"""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all events.

    Attributes:
        time: When, in seconds of trio's clock.
        path: Who.
    """

    level: ClassVar[str] = "INFO"

    time: float
    path: str

    def text(self) -> str:
        """Return the log line, without time and path."""
        return type(self).__name__


class ChildStarting(Event, frozen=True):
    """An incarnation begins its start."""

    level: ClassVar[str] = "DEBUG"
    incarnation: int

    def text(self) -> str:
        """Return the log line."""
        return f"starting, incarnation {self.incarnation}"


class ChildStarted(Event, frozen=True):
    """An incarnation is ready."""

    incarnation: int

    def text(self) -> str:
        """Return the log line."""
        return "started" if self.incarnation == 1 else f"started, incarnation {self.incarnation}"


class ChildExited(Event, frozen=True):
    """An incarnation has ended, its cleanup included.

    Attributes:
        incarnation: Which one.
        reason: `normal`, `shutdown`, or the exception as text.
        context: `child_terminated` (by itself), `start_error`, `shutdown`, `shutdown_error`.
        uptime: Seconds from ready to the end; 0 if it never was ready.
    """

    incarnation: int
    reason: str
    context: str
    uptime: float

    def text(self) -> str:
        """Return the log line."""
        return f"ended after {self.uptime:.1f} s: {self.reason} ({self.context})"


class ChildRestarting(Event, frozen=True):
    """A child will be started again.

    Attributes:
        incarnation: The one that ended.
        delay: Seconds until then.
        failures: Consecutive failures so far.
        reason: Why it ended.
    """

    level: ClassVar[str] = "WARNING"
    incarnation: int
    delay: float
    failures: int
    reason: str

    def text(self) -> str:
        """Return the log line."""
        return f"restart in {self.delay:.1f} s (failure {self.failures}): {self.reason}"


class GroupRestarting(Event, frozen=True):
    """Siblings are stopped and started together.

    Attributes:
        strategy: `one_for_all` or `rest_for_one`.
        trigger: Name of the child that began it.
        members: Names of the group, in start order.
        delay: Seconds between the stop and the start.
    """

    level: ClassVar[str] = "WARNING"
    strategy: str
    trigger: str
    members: tuple[str, ...]
    delay: float

    def text(self) -> str:
        """Return the log line."""
        return f"{self.strategy} because of {self.trigger}: {len(self.members)} children, start in {self.delay:.1f} s"


class ChildParked(Event, frozen=True):
    """A child spent its budget and is set aside: manual intervention required.

    Attributes:
        failures: Consecutive failures.
        reason: The last one.
        unpark_after: Seconds until a new round of attempts; None: only by hand.
    """

    level: ClassVar[str] = "CRITICAL"
    failures: int
    reason: str
    unpark_after: float | None

    def text(self) -> str:
        """Return the log line."""
        then = "never" if self.unpark_after is None else f"in {self.unpark_after:.0f} s"
        failures = "1 failure" if self.failures == 1 else f"{self.failures} failures"
        return f"parked after {failures}, manual intervention required (next try {then}): {self.reason}"


class ChildStuck(Event, frozen=True):
    """A child did not end within its shutdown time; nothing replaces it before it has.

    Attributes:
        incarnation: Which one.
        after: Its shutdown time, in seconds.
    """

    level: ClassVar[str] = "ERROR"
    incarnation: int
    after: float

    def text(self) -> str:
        """Return the log line."""
        return f"stuck: has not ended {self.after:.1f} s after it was told to"


class CleanupFailed(Event, frozen=True):
    """A child raised while it was being stopped.

    Attributes:
        incarnation: Which one.
        error: The exception as text.
    """

    level: ClassVar[str] = "ERROR"
    incarnation: int
    error: str

    def text(self) -> str:
        """Return the log line."""
        return f"cleanup failed: {self.error}"


class ChildStopped(Event, frozen=True):
    """An operator stopped a child; it stays so until an operator starts it."""

    def text(self) -> str:
        """Return the log line."""
        return "stopped by operator"


class ChildRemoved(Event, frozen=True):
    """A child and its spec are gone."""

    level: ClassVar[str] = "DEBUG"

    def text(self) -> str:
        """Return the log line."""
        return "removed"


class ChildSuspended(Event, frozen=True):
    """A child's mailbox is held."""

    def text(self) -> str:
        """Return the log line."""
        return "suspended"


class ChildResumed(Event, frozen=True):
    """A child's mailbox is served again."""

    def text(self) -> str:
        """Return the log line."""
        return "resumed"


class SupervisorGaveUp(Event, frozen=True):
    """A supervisor ends itself, so that its parent decides.

    Attributes:
        reason: Which budget was spent, and on what.
        restarts: Restarts that its intensity allows.
    """

    level: ClassVar[str] = "CRITICAL"
    reason: str
    restarts: int

    def text(self) -> str:
        """Return the log line."""
        return f"gave up: {self.reason}"


class MessageDropped(Event, frozen=True):
    """A mailbox dropped a message by its rule.

    Attributes:
        message_type: Its type.
        policy: The rule.
        count: Messages that this mailbox has dropped so far.
    """

    level: ClassVar[str] = "WARNING"
    message_type: str
    policy: str
    count: int

    def text(self) -> str:
        """Return the log line."""
        return f"dropped a {self.message_type} ({self.policy}), {self.count} so far"


class DeadLetter(Event, frozen=True):
    """Messages that nobody will read.

    Attributes:
        message_type: Type of the message, of the first if there are several.
        why: Why nobody will.
        count: How many.
    """

    level: ClassVar[str] = "WARNING"
    message_type: str
    why: str
    count: int = 1

    def text(self) -> str:
        """Return the log line."""
        return f"{self.count} dead letter(s), {self.message_type}: {self.why}"


class ErrorReported(Event, frozen=True):
    """An actor reported an error that it survived.

    Attributes:
        incarnation: Which one.
        error: The exception as text.
        details: What the actor added.
    """

    level: ClassVar[str] = "ERROR"
    incarnation: int
    error: str
    details: dict[str, str]

    def text(self) -> str:
        """Return the log line."""
        added = "".join(f" {key}={value}" for key, value in self.details.items())
        return f"reported {self.error}{added}"


class LoopBlocked(Event, frozen=True):
    """Something holds the event loop: nothing else runs.

    Attributes:
        seconds: For how long, at least, when it was noticed.
        actor: Path of the actor that does, empty if it is no actor.
        stack: Where it is, innermost frame last.
    """

    level: ClassVar[str] = "CRITICAL"
    seconds: float
    actor: str
    stack: str

    def text(self) -> str:
        """Return the log line."""
        return f"event loop blocked for {self.seconds:.1f} s by {self.actor or 'code outside any actor'}\n{self.stack}"


class RuntimeStarted(Event, frozen=True):
    """Every child is ready."""

    def text(self) -> str:
        """Return the log line."""
        return "runtime started"


class RuntimeStopping(Event, frozen=True):
    """The ordered stop begins.

    Attributes:
        reason: Why.
    """

    reason: str

    def text(self) -> str:
        """Return the log line."""
        return f"stopping: {self.reason}"


class RuntimeStopped(Event, frozen=True):
    """Every child has ended.

    Attributes:
        duration: Seconds that the stop took.
    """

    duration: float

    def text(self) -> str:
        """Return the log line."""
        return f"stopped within {self.duration:.1f} s"


class EventsLost(Event, frozen=True):
    """A slow reader lost the oldest events of its stream.

    Attributes:
        count: How many since the last one it got.
    """

    level: ClassVar[str] = "WARNING"
    count: int

    def text(self) -> str:
        """Return the log line."""
        return f"{self.count} events lost by a slow reader"
