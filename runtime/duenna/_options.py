"""The options of a child, checked when its spec is made."""

from enum import StrEnum
from functools import lru_cache, partial
from typing import Any

import attrs

from duenna.machines import checks
from duenna.machines.backoff import Backoff
from duenna.machines.verdict import OnGiveUp, RestartType
from duenna.mailbox import Mailbox

DEFAULT_BACKOFF = Backoff.exponential(1.0, maximum=60.0, jitter="equal")
DEFAULT_MAILBOX = Mailbox()


class ReadyMode(StrEnum):
    """When a child counts as ready."""

    AUTO = "auto"
    MANUAL = "manual"


@attrs.frozen(kw_only=True, cache_hash=True)
class ChildOptions:
    """Everything of a `Child` but its name and its factory; equal ones are shared."""

    restart: RestartType
    backoff: Backoff
    max_failures: int | None
    on_give_up: OnGiveUp
    unpark_after: float | None
    reset_after: float
    start_timeout: float
    ready: ReadyMode
    drain: float
    shutdown: float
    significant: bool
    mailbox: Mailbox
    critical: bool | None = None
    is_reconnecting: bool = False


def checked_options(  # noqa: PLR0917  # one argument per option
    owner: str,
    restart: str,
    backoff: Backoff,
    max_failures: int | None,
    on_give_up: str,
    unpark_after: float | None,
    reset_after: float,
    start_timeout: float,
    ready: str,
    drain: float,
    shutdown: float,
    significant: bool,  # called with all of them in order
    mailbox: Mailbox,
    critical: bool | None,
) -> ChildOptions:
    restarts = checks.choice(owner, "restart", restart, RestartType)
    check_significant(owner, significant=checks.flag(owner, "significant", significant), restart=restarts)
    return ChildOptions(
        restart=restarts,
        start_timeout=checks.duration(owner, "start_timeout", start_timeout, zero=False),
        ready=checks.choice(owner, "ready", ready, ReadyMode),
        drain=checks.duration(owner, "drain", drain),
        shutdown=checks.duration(owner, "shutdown", shutdown),
        significant=significant,
        mailbox=instance(owner, "mailbox", mailbox, Mailbox),
        critical=None if critical is None else checks.flag(owner, "critical", critical),
        **giving_up(owner, backoff, max_failures, on_give_up, unpark_after, reset_after),
    )


def giving_up(  # noqa: PLR0917  # one argument per option
    owner: str,
    backoff: Backoff,
    max_failures: int | None,
    on_give_up: str,
    unpark_after: float | None,
    reset_after: float,
) -> dict[str, Any]:
    return {
        "backoff": instance(owner, "backoff", backoff, Backoff),
        "max_failures": None if max_failures is None else checks.count(owner, "max_failures", max_failures, least=0),
        "on_give_up": checks.choice(owner, "on_give_up", on_give_up, OnGiveUp),
        "unpark_after": None if unpark_after is None else checks.duration(owner, "unpark_after", unpark_after),
        "reset_after": checks.duration(owner, "reset_after", reset_after),
    }


def instance(owner: str, what: str, value: Any, *kinds: type) -> Any:
    if not isinstance(value, kinds):
        message = f"{owner}: {what} must be a {' or a '.join(kind.__name__ for kind in kinds)}, got {value!r}"
        raise TypeError(message)
    return value


def check_significant(owner: str, *, significant: bool, restart: RestartType) -> None:
    if significant and restart is RestartType.PERMANENT:
        message = f"{owner}: significant=True needs restart='transient' or 'temporary', got 'permanent'"
        raise ValueError(message)


options_of = lru_cache(maxsize=1024, typed=True)(partial(checked_options, "child"))
