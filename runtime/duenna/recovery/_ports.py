"""What recovery needs of the world around it."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from duenna.error_events import RecoveryAttempted
from duenna.events import Event
from duenna.machines.classification import Verdict
from duenna.machines.recovery_plan import Override, Switches

Now: TypeAlias = Callable[[], float]
"""Gives the time in monotonic seconds."""

Classify: TypeAlias = Callable[[BaseException, str], Verdict]
"""Gives the verdict on an error of an actor of a kind."""

RecordSink: TypeAlias = Callable[[RecoveryAttempted, str], None]
"""Keeps what was done, with the kind of what it was done to; never blocks."""


class EventSink(Protocol):
    """Takes events; the runtime's bus is one."""

    def wants(self, kind: type[Event], /) -> bool:
        """Return whether anybody would see an event of *kind*."""
        ...

    def post(self, event: Event, /) -> None:
        """Give *event* to everybody who wants it, the log included."""
        ...

    def offer(self, event: Event, /) -> None:
        """Give *event* to everybody but the log."""
        ...


class NoSink:
    """Where there is no runtime, nobody hears of anything."""

    def wants(self, kind: type[Event], /) -> bool:  # noqa: ARG002  # an event sink's shape
        """Return False."""
        return False

    def post(self, event: Event, /) -> None:
        """Do nothing."""

    def offer(self, event: Event, /) -> None:
        """Do nothing."""


class ErrorHandlingSettings(Protocol):
    """How failures are tried again."""

    @property
    def max_retries(self) -> int:
        """Attempts of one round."""
        ...

    @property
    def base_delay(self) -> float:
        """The first wait in seconds."""
        ...

    @property
    def max_delay(self) -> float:
        """The longest wait in seconds."""
        ...

    @property
    def backoff_factor(self) -> float:
        """Growth from one wait to the next."""
        ...

    @property
    def jitter(self) -> bool:
        """Whether chance shortens the waits."""
        ...

    @property
    def unpark_after(self) -> float | None:
        """Seconds until a new round may begin."""
        ...

    @property
    def recovery_actions(self) -> Mapping[str, Override]:
        """By name, what the settings change about an action."""
        ...


class HealthSettings(Protocol):
    """How connections are repaired."""

    @property
    def max_restart_attempts(self) -> int:
        """Repairs before a hand is needed."""
        ...


class RecoverySettings(Switches, Protocol):
    """The settings that recovery follows; the runtime's `Settings` are such."""

    @property
    def error_handling(self) -> ErrorHandlingSettings:
        """How failures are tried again."""
        ...

    @property
    def health(self) -> HealthSettings:
        """How connections are repaired."""
        ...
