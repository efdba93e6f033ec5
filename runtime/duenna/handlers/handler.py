"""The errors of code that is no actor: each is classified and reported, with a runtime or without."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import attrs
import msgspec
from loguru import logger

from duenna._facts import facts_of
from duenna._kind import kind_of
from duenna._reporting import make_report
from duenna._scope import current, surroundings
from duenna.error_events import ErrorClassified, ErrorReport, Source
from duenna.errors import DuennaError, UnknownPathError
from duenna.guards._registry import registry
from duenna.guards._timeline import Timeline
from duenna.machines import checks
from duenna.machines.classification import Severity, origin_of
from duenna.machines.classifier import Classifier
from duenna.machines.rules import rule_from
from duenna.settings import Settings, SettingsSource, load_settings
from duenna.tracker import KEPT, ErrorSummary, ErrorTracker
from duenna.wallclock import WallTime, wall_time

if TYPE_CHECKING:
    import os

_LEVELS = {
    Severity.LOW: "INFO",
    Severity.MEDIUM: "WARNING",
    Severity.HIGH: "ERROR",
    Severity.CRITICAL: "CRITICAL",
}


class RecordedError(DuennaError):
    """An error that was recorded by its text alone, for there was no exception."""


@attrs.define(eq=False)
class _Tracker(ErrorTracker):
    """An error tracker that threads share."""

    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)

    def record(self, event: ErrorClassified) -> None:
        with self._lock:
            super().record(event)

    def summary(
        self,
        *,
        since: float | None = None,
        service: str | None = None,
        min_severity: Severity | str | None = None,
        latest: int = KEPT,
    ) -> ErrorSummary:
        with self._lock:
            return super().summary(since=since, service=service, min_severity=min_severity, latest=latest)

    def clear(self) -> None:
        with self._lock:
            super().clear()


class ErrorHandler:
    """Classifies and reports errors for whoever is no actor. Thread-safe.

    Where a runtime runs in this thread, or is the only one of the process, its settings and
    its rules hold, and reports go to its classifier as those of its actors do: they are
    found in ``runtime.errors``. Without one the handler's own hold: the error is counted in
    ``errors``, and is a log line, whose level is INFO, WARNING, ERROR or CRITICAL by its severity.

    Attributes:
        errors: The errors that were reported while there was no runtime, the latest 1,000 of them whole.
    """

    def __init__(self, settings: Settings | None = None, *, wall: WallTime = wall_time) -> None:
        """Begin with *settings*; None: the defaults. Nothing is read from anywhere until `configure`.

        Raises:
            TypeError: *settings* are none.
            ValueError: One of their rules is wrong.
        """
        self._wall = wall
        self._lock = threading.RLock()
        self._followers: WeakSet[Any] = WeakSet()
        self._timeline = Timeline(self._forget)
        self.errors: ErrorTracker = _Tracker(self._timeline.now, wall)
        self._numbers = count(1)
        self._own, self._classifier = _checked(settings or Settings())

    @property
    def settings(self) -> Settings:
        """The settings in force: those of the runtime that gets the reports, or else the handler's own."""
        link = registry.link()
        return self._own if link is None else link.runtime.settings

    @property
    def classifier(self) -> Classifier:
        """The classifier in force: that of the runtime that gets the reports, or else the handler's own."""
        link = registry.link()
        return self._classifier if link is None else link.runtime.classifier

    def configure(
        self,
        settings: Settings | SettingsSource | None = None,
        *,
        yaml: str | os.PathLike[str] | None = None,
        json: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Settings:
        """Take other settings and rules for where there is no runtime, all or nothing; return the settings.

        What is decorated already follows at once.

        Args:
            settings: The settings, or where they are read from; None: from what follows.
            yaml: Path of a YAML file, see `load_settings`, whose environment and files these are.
            json: Path of a JSON file.
            env: The variables; None: those of the process.

        Raises:
            SettingsError: What was read is wrong.
            TypeError: *settings* are none, or there is something beside them.
            ValueError: One of the rules is wrong.
        """
        if settings is None:
            settings = load_settings(env=env, yaml=yaml, json=json)
        elif (yaml, json, env) != (None, None, None):
            raise TypeError("configure: settings must be given alone, got yaml, json or env as well")
        elif isinstance(settings, SettingsSource):
            settings = settings.load()
        self._adopt(*_checked(settings))
        return settings

    def reset(self) -> None:
        """Begin anew, as in a new process: default settings and rules, no errors, closed breakers. For tests."""
        self._numbers = count(1)
        self._forget()
        self._adopt(*_checked(Settings()))
        for follower in self.followers():
            follower.reset()

    def record(
        self,
        error: BaseException,
        *,
        label: str = "",
        operation: str = "",
        component: str = "",
        context: Mapping[str, Any] | None = None,
        severity: Severity | str | None = None,
        retry_count: int = 0,
        source: Source = Source.HANDLER,
    ) -> ErrorReport:
        """Classify *error*, report it, and return the report with its verdict.

        What is not given is taken from the `error_context`s round this call; their contexts are
        added.

        Args:
            error: What went wrong.
            label: What it is counted under; empty: its type.
            operation: What was done.
            component: What did it; it is counted under this, and one called `api`, `order`,
                `database` or the like is judged as such an actor is.
            context: What else is known; secrets are redacted.
            severity: How bad it is, whatever the rules say; None: they decide.
            retry_count: Attempts after the first that failed with it.
            source: Who noticed it.

        Raises:
            TypeError: *error* is no exception, or *context* no mapping.
            ValueError: There is no such severity.
        """
        given: object = error
        if not isinstance(given, BaseException):
            raise TypeError(f"record: error must be an exception, got {error!r}")
        more: object = context
        if more is not None and not isinstance(more, Mapping):
            raise TypeError(f"record: context must be a mapping, got a {type(more).__name__}")
        scope = current()
        around = surroundings(scope)
        link = registry.link()
        path, incarnation, kind = ("", 0, "") if link is None else _actor(link)
        component = component or around[1]
        facts = facts_of(error, origin=origin_of(component) or origin_of(kind))
        verdict = self.classifier.classify(facts)
        if severity is not None:
            decided = checks.choice("record", "severity", _upper(severity), Severity)
            verdict = msgspec.structs.replace(verdict, severity=decided)
        report = make_report(
            error,
            id=next(self._numbers) if link is None else link.runtime.reports.next_id(),
            time=self._timeline.now() if link is None else link.runtime.now(),
            at=self._wall(),
            path=path or "/",
            incarnation=incarnation,
            kind=kind,
            source=source,
            service=component,
            operation=operation or around[0],
            label=label,
            retry_count=retry_count,
            context={**around[2], **(context or {})},
            verdict=verdict,
            facts=facts,
        )
        if scope is not None:
            scope.note(error)
        if link is None or not link.call(link.runtime.reports.send, report):
            self._keep(report)
        return report

    def follow(self, follower: Any) -> None:
        """Call ``follower.follow()`` when the handler's own settings change, and ``reset()`` when it begins anew.

        For as long as the follower lives.
        """
        with self._lock:
            self._followers.add(follower)

    def followers(self) -> list[Any]:
        """Return who follows the settings."""
        with self._lock:
            return list(self._followers)

    def _adopt(self, settings: Settings, classifier: Classifier) -> None:
        with self._lock:
            self._own, self._classifier = settings, classifier
        if self is default:
            registry.classify_by(classifier)
        for follower in self.followers():
            follower.follow()

    def _keep(self, report: ErrorReport) -> None:
        """Do what a runtime's classifier does."""
        assert report.verdict is not None  # noqa: S101  # it is made with one
        event = ErrorClassified(time=report.time, path=report.path, report=report, verdict=report.verdict)
        self.errors.record(event)
        line = logger.bind(path=event.path, event="ErrorClassified")
        line.log(_LEVELS[report.verdict.severity], "{} {}", report.service or event.path, event.text())

    def _forget(self) -> None:
        """Forget the errors: they are of another world, where its clock is another."""
        self.errors.clear()


def _checked(settings: Any) -> tuple[Settings, Classifier]:
    """Return *settings*, and the classifier with their rules."""
    if not isinstance(settings, Settings):
        raise TypeError(f"settings must be Settings or a SettingsSource, got {type(settings).__name__}")
    rules = settings.classifier.rules
    return settings, Classifier(tuple(rule_from(rule, number=number) for number, rule in enumerate(rules, 1)))


def _actor(link: Any) -> tuple[str, int, str]:
    """Return path, incarnation and kind of the actor whose code runs here, if it is one's."""
    path = link.owner
    if not path:
        return "", 0, ""
    try:
        cell: Any = link.runtime.ref(path)  # every Ref is a Cell
    except UnknownPathError:
        return path, 0, ""
    return path, cell.incarnation, kind_of(cell)


def _upper(severity: object) -> object:
    return severity.upper() if isinstance(severity, str) else severity


default = ErrorHandler()
"""The handler of the process."""


def record_error(
    error_type: str,
    error: BaseException | str,
    *,
    context: Mapping[str, Any] | None = None,
    severity: Severity | str | None = None,
    component: str = "",
    operation: str = "",
) -> ErrorReport:
    """Classify and report an error that the program has dealt with; return the report with its verdict.

    Args:
        error_type: What it is counted under, such as `order_rejected`.
        error: The exception, or what happened in words.
        context: What else is known; secrets are redacted.
        severity: `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`, whatever the rules say; None: they decide.
        component: What it happened in.
        operation: What was done.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: There is no such severity.
    """
    given: object = error_type
    if not isinstance(given, str) or not given.strip():
        raise TypeError(f"record_error: error_type must be a text that is not empty, got {error_type!r}")
    what: object = error
    if not isinstance(what, BaseException | str):
        raise TypeError(f"record_error: error must be an exception or a text, got {error!r}")
    return default.record(
        what if isinstance(what, BaseException) else RecordedError(what),
        label=error_type,
        operation=operation,
        component=component,
        context=context,
        severity=severity,
    )


def configure(
    settings: Settings | SettingsSource | None = None,
    *,
    yaml: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Settings:
    """Configure the handler of the process; see `ErrorHandler.configure`."""
    return default.configure(settings, yaml=yaml, json=json, env=env)


def reset() -> None:
    """Have the handler of the process begin anew; see `ErrorHandler.reset`."""
    default.reset()
