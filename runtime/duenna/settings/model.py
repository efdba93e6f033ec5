"""Every setting with its default. Frozen: a reload replaces the whole, so that nobody sees half of a change.

All durations are seconds. A wrong value raises `ValueError` where the settings are made; a file or a
variable with a wrong value is a `SettingsError` that names it (see ``sources``).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from duenna.settings._fields import check
from duenna.settings._rules import wrong_rules

# The upper limits catch values in the wrong unit rather than keep anybody from anything: a year, a million.
_YEAR = 31_536_000
_MANY = 1_000_000
_SECONDS = {"unit": "seconds"}

Seconds = Annotated[float, Meta(gt=0, le=_YEAR, extra=_SECONDS)]
SecondsFromOne = Annotated[float, Meta(ge=1, le=_YEAR, extra=_SECONDS)]
SecondsFromZero = Annotated[float, Meta(ge=0, le=_YEAR, extra=_SECONDS)]
Count = Annotated[int, Meta(ge=0, le=_MANY)]
CountFromOne = Annotated[int, Meta(ge=1, le=_MANY)]


class _Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    def __post_init__(self) -> None:
        check(self)


class CircuitBreaker(_Block, frozen=True):
    """When a breaker whose numbers come from the settings opens, and for how long.

    Attributes:
        failure_threshold: Consecutive failures that open it, at least 1.
        recovery_timeout: Seconds that it stays open before it lets a probe through, greater than 0.
    """

    failure_threshold: CountFromOne = 5
    recovery_timeout: Seconds = 60.0


class RecoveryActionSettings(_Block, frozen=True):
    """What the settings change about one recovery action; None leaves it as it was made.

    Attributes:
        enabled: Whether it may run.
        priority: The lowest runs first, at least 0.
    """

    enabled: bool | None = None
    priority: Count | None = None


class ErrorHandling(_Block, frozen=True):
    """How failures are tried again: of connections, and of code that is no actor.

    The waits are ``base_delay``, then each ``backoff_factor`` times the one before, none longer
    than ``max_delay``: 10, 30, 60 s as they stand.

    Attributes:
        max_retries: Attempts after a failure before a hand is needed, at least 0 (none).
        base_delay: The first wait in seconds, greater than 0.
        max_delay: The longest wait in seconds, at least ``base_delay``.
        backoff_factor: Growth from one wait to the next, 1 to 100.
        jitter: Whether chance shortens the waits, so that many bots do not come back at once.
        circuit_breaker: When breakers open.
        recovery_actions: By name, which actions run and in which order.
        state_save_interval: Seconds between two saves of the state, greater than 0.
        unpark_after: Seconds until a parked connection gets a new round of attempts, greater
            than 0; None: only a hand starts it.
    """

    max_retries: Count = 3
    base_delay: Seconds = 10.0
    max_delay: Seconds = 60.0
    backoff_factor: Annotated[float, Meta(ge=1, le=100)] = 3.0
    jitter: bool = False
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    recovery_actions: dict[str, RecoveryActionSettings] = {}
    state_save_interval: Seconds = 60.0
    unpark_after: Seconds | None = 300.0

    def __post_init__(self) -> None:
        """Check the values, each and together.

        Raises:
            ValueError: One is out of range, or they contradict each other.
        """
        check(self)
        if self.max_delay < self.base_delay:
            message = f"max_delay must be at least base_delay ({self.base_delay}), got {self.max_delay}"
            raise ValueError(message)


class HealthSettings(_Block, frozen=True):
    """How connections are watched, and how often a failing one is repaired.

    Attributes:
        check_interval: Seconds between two checks, at least 1.
        max_restart_attempts: Repairs of a connection whose checks keep failing before a hand is
            needed, at least 0 (none).
        restart_cooldown: Seconds after the first such repair, doubled after each; at least 1.
        max_error_threshold: Consecutive failing checks that are borne, at least 0; more start a repair.
    """

    check_interval: SecondsFromOne = 30.0
    max_restart_attempts: Count = 3
    restart_cooldown: SecondsFromOne = 60.0
    max_error_threshold: Count = 10


class AlertSettings(_Block, frozen=True):
    """When a person is told, and how often.

    Attributes:
        cooldown: Seconds of quiet after an alert of the same kind and target, at least 0.
        error_burst: Errors of one kind within ``error_burst_within`` that are borne, at least 1.
        error_burst_within: Seconds, greater than 0.
        error_rate: Errors of all kinds a minute that are borne, at least 1.
        recovery_attempts: Attempts at one recovery that are borne, at least 1.
        group_wait: Seconds that the first alert of a group waits for others, at least 0.
        group_interval: Seconds after which what is new in a group is sent, greater than 0.
        repeat_interval: Seconds after which an alert that still holds is sent again, greater than 0.
        cap_per_hour: Messages an hour to one receiver, at least 1; what is more is counted and told as a number.
    """

    cooldown: SecondsFromZero = 300.0
    error_burst: CountFromOne = 10
    error_burst_within: Seconds = 300.0
    error_rate: CountFromOne = 5
    recovery_attempts: CountFromOne = 3
    group_wait: SecondsFromZero = 10.0
    group_interval: Seconds = 300.0
    repeat_interval: Seconds = 14_400.0
    cap_per_hour: CountFromOne = 30


class LogSettings(_Block, frozen=True):
    """What becomes of the error and recovery logs.

    Attributes:
        retention_days: Days that a log file is kept, by the date in its name, at least 1; None: for ever.
    """

    retention_days: Annotated[int, Meta(ge=1, le=36_500, extra={"unit": "days"})] | None = None


class ClassifierSettings(_Block, frozen=True):
    """How errors are judged.

    Attributes:
        rules: The user's own rules, each a mapping of the fields of a `Rule`, as in a file; they come
            before the built-in ones.
    """

    rules: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Check the rules.

        Raises:
            ValueError: One of them is none.
        """
        check(self)
        for why in wrong_rules(self.rules):
            message = f"rules {why}"
            raise ValueError(message)


class Settings(_Block, frozen=True):
    """All of a bot's settings.

    Attributes:
        error_handling: How failures are tried again.
        health: How connections are watched.
        alerts: When a person is told.
        logs: What becomes of the logs.
        classifier: How errors are judged.
        auto_recovery_enabled: Whether what crashes is restarted; if not, it is parked until a hand starts it,
            and errors are still detected.
        trade_engine_auto_restart: The same for children of kind `trade_engine` alone.
        database_auto_reconnect: The same for children of kind `database` alone.
    """

    error_handling: ErrorHandling = ErrorHandling()
    health: HealthSettings = HealthSettings()
    alerts: AlertSettings = AlertSettings()
    logs: LogSettings = LogSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    auto_recovery_enabled: bool = True
    trade_engine_auto_restart: bool = True
    database_auto_reconnect: bool = True
