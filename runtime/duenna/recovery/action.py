"""A recovery action, and the incident that it answers."""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeAlias

import attrs

from duenna.error_events import ErrorClassified, ErrorReport, Source
from duenna.machines import checks
from duenna.machines.classification import Verdict
from duenna.machines.recovery_plan import Conditions

DEFAULT_PRIORITY: Final = 100


@attrs.define(eq=False)
class Incident:
    """One error that wants an answer, and those like it that came meanwhile.

    Errors of the same actor (or service) and category join the incident that is open.

    Attributes:
        report: The error that began it.
        verdict: What that means.
        joined: Errors that joined it since.
        latest: The last error of it.
        action: Name of the action that is at work.
        attempt: Its attempt, counted from 1; 0: it makes none of its own.
        attempts: How many there may be; 0: no limit.
        wait: Seconds that this one waits before it acts.
    """

    report: ErrorReport
    verdict: Verdict
    _tell_begin: Callable[["Incident", int, int, float], None] = attrs.field(
        default=lambda incident, attempt, of, wait: None,  # noqa: ARG005  # nobody listens
        repr=False,
    )
    joined: int = attrs.field(default=0, init=False)
    latest: ErrorClassified | None = attrs.field(default=None, init=False)
    action: str = attrs.field(default="", init=False)
    attempt: int = attrs.field(default=0, init=False)
    attempts: int = attrs.field(default=0, init=False)
    wait: float = attrs.field(default=0.0, init=False)

    @property
    def path(self) -> str:
        """The actor, `/` where it was none."""
        return self.report.path

    @property
    def kind(self) -> str:
        """The actor's kind, or else the category in small letters."""
        return self.report.kind or self.verdict.category.lower()

    @property
    def source(self) -> str:
        """What it is counted under: the guard's or the component's name, or else the path."""
        return self.report.service or self.report.path

    @property
    def is_crash(self) -> bool:
        """Whether the actor died of it, so that its supervisor acts, too."""
        return self.report.source is Source.CRASH

    @property
    def is_followed(self) -> bool:
        """Whether others act already, and their attempts are told: a supervisor, or a connection whose checks fail."""
        return self.report.source in {Source.CRASH, Source.CHECK}

    @property
    def retry_after(self) -> float | None:
        """Seconds that the far end asked to be left alone, by the last error that says so."""
        if self.latest is not None and self.latest.verdict.retry_after is not None:
            return self.latest.verdict.retry_after
        return self.verdict.retry_after

    def begin(self, attempt: int, *, of: int = 0, wait: float = 0.0) -> None:
        """Tell that another attempt of this action begins; the one before it, if there was one, has failed.

        For an action that ``narrates``; any other makes one attempt, which is told for it.

        Args:
            attempt: Counted from 1.
            of: How many there may be; 0: no limit.
            wait: Seconds that it waits before it acts.
        """
        self._tell_begin(self, attempt, of, wait)

    def join(self, event: ErrorClassified) -> None:
        """Count another error of the same kind."""
        self.joined += 1
        self.latest = event


ActionFunction: TypeAlias = Callable[[Incident], Awaitable[bool | None] | bool | None]
"""Acts on an incident; False, or an exception, says that it did not help."""

Condition: TypeAlias = Callable[[Incident], bool]


def _conditions(given: Any) -> Any:
    if given is None:
        return Conditions()
    if isinstance(given, Conditions):
        return given
    if isinstance(given, str | Iterable):
        return Conditions(categories=given)  # pyright: ignore[reportUnknownArgumentType]  # checked there
    if inspect.iscoroutinefunction(given):
        message = f"RecoveryAction: conditions must be a plain `def`, for nobody awaits it, got the async {given!r}"
        raise TypeError(message)
    if callable(given) and not isinstance(given, type):
        return given
    message = (
        f"RecoveryAction: conditions must be Conditions, categories, a function of an Incident, or None, got {given!r}"
    )
    raise TypeError(message)


@attrs.frozen(eq=False)
class RecoveryAction:
    """Something that may be done about an error.

    Attributes:
        name: What settings, events and logs call it.
        action: A function of the `Incident`, `def` or `async def`: False or an exception says
            that it failed, and the next action has its turn; anything else that it helped.
        conditions: When it is meant: `Conditions`, one category or several, a function of the
            `Incident`, or None: always.
        priority: The lowest number runs first, at least 0.
        enabled: Whether it may run.
        timeout: Seconds that it may take, greater than 0; inf: no limit.
        observes: Whether it only waits for what others do: it does not count among those that
            run at the same time, and after a crash or a failing check their attempts are told, not its own.
        narrates: Whether it tells its attempts itself, with `Incident.begin`; if not, it makes one.
    """

    name: str
    action: ActionFunction
    conditions: Conditions | Condition = attrs.field(default=None, converter=_conditions)
    priority: int = DEFAULT_PRIORITY
    enabled: bool = True
    timeout: float = attrs.field(default=300.0, kw_only=True)
    observes: bool = attrs.field(default=False, kw_only=True)
    narrates: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            TypeError: A value has the wrong type.
            ValueError: A value is out of range.
        """
        checks.name("RecoveryAction", self.name)
        owner = f"recovery action {self.name!r}"
        given: object = self.action
        if not callable(given) or isinstance(given, type):
            message = f"{owner}: action must be a function of an Incident, got {given!r}"
            raise TypeError(message)
        if inspect.isgeneratorfunction(given) or inspect.isasyncgenfunction(given):
            message = f"{owner}: action must be `def` or `async def` without yield, got the generator {given!r}"
            raise TypeError(message)
        checks.count(owner, "priority", self.priority, least=0)
        checks.flag(owner, "enabled", self.enabled)
        checks.flag(owner, "observes", self.observes)
        checks.flag(owner, "narrates", self.narrates)
        checks.duration(owner, "timeout", self.timeout, zero=False)

    def holds(self, incident: Incident) -> bool:
        """Return whether it is meant for *incident*."""
        if isinstance(self.conditions, Conditions):
            return self.conditions.hold(incident.verdict, incident.report.kind)
        return bool(self.conditions(incident))
