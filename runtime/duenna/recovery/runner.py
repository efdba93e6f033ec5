"""Runs recovery actions: the first that is meant for an error, then the next if it did not help."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio
from loguru import logger

from duenna.error_events import ErrorClassified
from duenna.machines.classification import Category
from duenna.machines.recovery_course import Status
from duenna.recovery._lines import plain
from duenna.recovery.action import Incident, RecoveryAction
from duenna.recovery.attempts import Journal, Subject

MOST_OPEN: Final = 1000
"""Incidents that are open at the same time, at most; more are counted as refused, and not answered."""

MOST_ACTING: Final = 100
"""Of these, how many have an action at work at the same time; observers do not count."""

Spawn = Callable[[Callable[[Incident], Awaitable[None]], Incident], None]
"""Runs an async function of an incident in the background."""

_Key = tuple[str, Category]


@attrs.define(eq=False, repr=False)
class _Answer:
    """An incident that is open, and the actions that were meant for it when it began."""

    incident: Incident
    actions: list[RecoveryAction]
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)


@attrs.define(eq=False, repr=False)
class Runner:
    """Answers errors; those like one that is open join it."""

    _now: Callable[[], float]
    _journal: Journal
    _actions: Callable[[], list[RecoveryAction]]
    _is_automatic: Callable[[str], bool]
    _open: dict[_Key, _Answer] = attrs.field(factory=dict[_Key, _Answer], init=False)
    _limiter: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(MOST_ACTING), init=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    @property
    def open(self) -> list[Incident]:
        """The incidents that are being answered."""
        return [answer.incident for answer in self._open.values()]

    def candidates(self, incident: Incident) -> list[RecoveryAction]:
        """Return the enabled actions that are meant for *incident*, in order; none where nothing is automatic."""
        if not self._is_automatic(incident.report.kind):
            return []
        return [action for action in self._actions() if _holds(action, incident)]

    def take(self, event: ErrorClassified, spawn: Spawn) -> list[RecoveryAction]:
        """Answer an error, in the background; return the actions that are meant for it."""
        incident = Incident(event.report, event.verdict, self._begin)
        actions = self.candidates(incident)
        key = _key(incident)
        known = self._open.get(key)
        if known is not None:
            known.incident.join(event)
        elif self._is_closed or not actions or (event.report.repeats is not None and not incident.is_crash):
            pass
        elif len(self._open) >= MOST_OPEN:
            self._journal.refused += 1
        else:
            spawn(self._answer, incident)  # begins later: what it needs is there by then, unless this raises
            self._open[key] = _Answer(incident, actions)
        return actions

    def open_again(self) -> None:
        """Answer errors again, none being open: for the next incarnation of whoever runs this."""
        self._open.clear()
        self._is_closed = False
        self._limiter = trio.Semaphore(MOST_ACTING)

    def close(self) -> None:
        """Answer nothing any more, and call off what is under way: the runtime stops."""
        self._is_closed = True
        for answer in self._open.values():
            answer.scope.cancel()

    async def _answer(self, incident: Incident) -> None:
        key = _key(incident)
        try:
            actions, scope = self._open[key].actions, self._open[key].scope
            with scope:
                for action in actions:
                    if action in self._actions() and await self._try(action, incident):  # it may be gone by now
                        break
        finally:
            self._open.pop(key, None)

    async def _try(self, action: RecoveryAction, incident: Incident) -> bool:
        if action.observes:
            return await self._run(action, incident, told=not incident.is_followed)
        async with self._limiter:
            return await self._run(action, incident, told=True)

    async def _run(self, action: RecoveryAction, incident: Incident, *, told: bool) -> bool:
        """Run one action; return whether it helped. Cancelled, its attempt counts for nothing."""
        incident.action = action.name if told else ""
        incident.attempt = incident.attempts = 0
        incident.wait = 0.0
        if told and not action.narrates:
            incident.begin(1, of=1)
        is_over = False
        error = ""
        try:
            error = await _helps(action, incident)
            is_over = True
        finally:
            if not is_over and incident.attempt:
                self._journal.cancelled(
                    _subject(incident),
                    attempt=incident.attempt,
                    wait=incident.wait,
                    elapsed=self._elapsed(incident),
                    error=incident.report.message,
                )
        if incident.attempt or told:
            incident.attempt = incident.attempt or 1  # it failed before it could say that it begins
            self._tell(Status.FAILED if error else Status.SUCCESS, incident, error)
        return not error

    def _begin(self, incident: Incident, attempt: int, of: int, wait: float) -> None:
        """Tell that another attempt begins."""
        if incident.attempt:
            self._tell(Status.FAILED, incident, incident.report.message)
        incident.attempt, incident.attempts, incident.wait = attempt, of, wait
        self._tell(Status.STARTED, incident, incident.report.message)

    def _tell(self, status: Status, incident: Incident, error: str) -> None:
        self._journal.tell(
            status,
            _subject(incident),
            attempt=incident.attempt,
            attempts=incident.attempts,
            wait=incident.wait,
            elapsed=self._elapsed(incident),
            error=error,
        )

    def _elapsed(self, incident: Incident) -> float:
        return max(0.0, self._now() - incident.report.time)


async def _helps(action: RecoveryAction, incident: Incident) -> str:
    """Return what the action failed with, empty if it helped."""
    try:
        result: Any = action.action(incident)
        if inspect.isawaitable(result):
            with trio.CancelScope(relative_deadline=action.timeout) as scope:
                result = await result
            if scope.cancelled_caught:
                return f"took longer than {action.timeout} s"
    except Exception as error:  # noqa: BLE001  # whatever it raises, it did not help
        return plain(error) or type(error).__name__
    return "it did not help" if result is False else ""


def _holds(action: RecoveryAction, incident: Incident) -> bool:
    try:
        return action.holds(incident)
    except Exception as error:  # noqa: BLE001  # a condition that cannot be told does not hold
        line = logger.bind(path=incident.path)
        line.error("recovery action {}: its condition raised, it does not hold: {}", action.name, plain(error))
        return False


def _key(incident: Incident) -> _Key:
    where = incident.path if incident.path != "/" else incident.source
    return where, incident.verdict.category


def _subject(incident: Incident) -> Subject:
    return Subject(
        kind=incident.kind,
        action=incident.action,
        path=incident.path,
        context=incident.report.service if incident.path == "/" else "",
        report_id=incident.report.id,
    )
