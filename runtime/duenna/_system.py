"""The runtime's own actors, under `/system`: what judges, answers, records and announces its errors."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from duenna._classifier import classifier_child
from duenna._failing import Failing
from duenna._standard_parts import add_standard_parts
from duenna.health import HealthMonitor, health_child
from duenna.incident_files.files import IncidentFiles
from duenna.machines.classifier import Classifier
from duenna.machines.rule_table import STANDARD
from duenna.machines.rules import Rule, rules_from
from duenna.machines.standard import standard_classifier
from duenna.records import Records
from duenna.recovery import RecoveryAction, recovery_actor, recovery_of
from duenna.secrets import redact
from duenna.settings import Problem, Settings, SettingsError
from duenna.spec import Child, Supervisor
from duenna.state.actor import persistence_child
from duenna.tracker import ErrorTracker

if TYPE_CHECKING:
    from duenna._runtime import Runtime

_INTENSITY = 30  # each of the runtime's own parks itself long before: it is the user's that are held to this


class System:
    """The parts of one runtime that deal with its errors.

    Attributes:
        classifier: The rules; another one when the settings bring others.
        errors: What went wrong so far.
        recovery: What is done about it.
        monitor: How the bot does.
        records: What is written to disk, None if nothing is.
        failing: The children that are in a round of attempts.
        breakers: What is known of breakers of an earlier process, None if nothing outlives this one.
        incident_files: What it looked like when something gave up.
    """

    def __init__(
        self,
        runtime: "Runtime",
        *,
        rules: Iterable[Rule],
        actions: Iterable[RecoveryAction],
        directory: str | os.PathLike[str] | None,
        log_level: str | None,
    ) -> None:
        """Make the parts of *runtime*; they follow its settings.

        Raises:
            SettingsError: The settings disable a rule that is not there.
            TypeError: A rule or an action is none, or *directory* no path.
            ValueError: Two rules or two actions have one name, a rule disables what is not there, or
                the settings name an action that is not there.
        """
        settings = runtime.settings
        given = tuple(rules)
        self._own = Classifier(given) if given else standard_classifier()
        self._known = {rule.name for rule in (*given, *STANDARD)}
        self.classifier = self._classifier(settings)
        self.errors = ErrorTracker(now=runtime.now)
        self.records = None
        if directory is not None:
            self.records = Records(directory, retention_days=settings.logs.retention_days)
        runtime.system = self
        self.recovery = recovery_of(runtime, actions, log_level)
        self.monitor = HealthMonitor.of(runtime)
        self.failing = Failing(runtime)
        self.breakers = add_standard_parts(runtime)
        self.incident_files = IncidentFiles(runtime, directory)
        runtime.on_settings(self._changed)

    def supervisor(self, runtime: "Runtime", children: Iterable[Child | Supervisor]) -> Supervisor:
        """Return the spec of `/system` with the user's *children* in it.

        The classifier starts last and stops first: what it still hands on is taken.
        """
        own = [recovery_actor(runtime, self.recovery), health_child(self.monitor)]
        first = [persistence_child(runtime.state)]  # the last to stop: all others leave it what they know
        if self.records is not None:
            first.append(self.records.actor())
        return Supervisor(
            "system", [*first, *own, *children, classifier_child(runtime)], intensity=_INTENSITY, period=60.0
        )

    def _classifier(self, settings: Settings) -> Classifier:
        """Return the one with the rules of *settings*.

        These come before those of the program and the built-in ones, and may replace or disable them.

        Raises:
            SettingsError: They disable a rule that none of these is.
        """
        table = self._own.rules
        gone = self._known.difference(rule.name for rule in table)  # by the program; disabled again is no fault
        given = [rule for rule in rules_from(settings.classifier.rules) if rule.enabled or rule.name not in gone]
        if not given:
            return self._own
        try:
            return Classifier(given, table=table)
        except ValueError as error:
            why = f"has a wrong rule: {error}"
            raise SettingsError([Problem(source="settings", key="classifier.rules", why=redact(why))]) from error

    def _changed(self, before: Settings, now: Settings) -> None:
        """Follow the settings; what may be refused comes before what changes something."""
        classifier = self.classifier if before.classifier == now.classifier else self._classifier(now)
        self.recovery.configure(now)
        self.classifier = classifier
        if self.records is not None:
            self.records.keep_for(now.logs.retention_days)
