"""What the end of a child means: restart types, auto-shutdown, and what giving up does."""

from enum import StrEnum


class RestartType(StrEnum):
    """When a child that ended is started again. Source: OTP, supervisor manual."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class AutoShutdown(StrEnum):
    """When the normal end of significant children ends their supervisor. Source: OTP, supervisor manual."""

    NEVER = "never"
    ANY = "any"
    ALL = "all"


class OnGiveUp(StrEnum):
    """What a child's spent failure budget does: end the supervisor, or set the child aside."""

    ESCALATE = "escalate"
    PARK = "park"


class Fate(StrEnum):
    """What becomes of a child that ended by itself."""

    RESTART = "restart"
    FINISH = "finish"
    REMOVE = "remove"


def fate(restart: RestartType, *, crashed: bool) -> Fate:
    """Return what becomes of a child that ended by itself.

    Args:
        restart: Its restart type.
        crashed: Whether it ended with an exception (a sub-supervisor that gave up did).
    """
    if restart is RestartType.PERMANENT or (restart is RestartType.TRANSIENT and crashed):
        return Fate.RESTART
    return Fate.REMOVE if restart is RestartType.TEMPORARY else Fate.FINISH


def ends_supervisor(rule: AutoShutdown, *, others_alive: bool) -> bool:
    """Return whether a significant child that ended for good ends its supervisor.

    Args:
        rule: The supervisor's rule.
        others_alive: Whether another significant child is up or about to be (one in backoff
            is); only `all` looks at it.
    """
    if rule is AutoShutdown.ALL:
        return not others_alive
    return rule is AutoShutdown.ANY
