"""The chain of one incident: error, verdict, actions, outcome; and its line."""

from enum import StrEnum
from typing import Final

import msgspec

from duenna.machines.classification import Severity, Verdict


class Outcome(StrEnum):
    """How an incident ended.

    RECOVERED: all is well again. SURVIVED: the actor went on, and nothing was done. FAILED: it
    went on, and nothing that was done helped. GAVE_UP: the actor is parked. STOPPED: by hand.
    UNKNOWN: events were lost, or nobody said what came of a crash. OPEN: it is not over.
    """

    RECOVERED = "recovered"
    SURVIVED = "survived"
    FAILED = "failed"
    GAVE_UP = "gave_up"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    OPEN = "open"


LEVELS: Final = {
    Outcome.RECOVERED: "INFO",
    Outcome.SURVIVED: "WARNING",
    Outcome.FAILED: "WARNING",
    Outcome.GAVE_UP: "CRITICAL",
    Outcome.STOPPED: "INFO",
    Outcome.UNKNOWN: "WARNING",
    Outcome.OPEN: "WARNING",
}
"""The level that the line of an incident deserves, by its outcome."""


class Action(msgspec.Struct, frozen=True):
    """What was done.

    Attributes:
        name: Such as `network_retry`.
        attempt: Its last attempt, counted from 1; 0: it was given up before the first.
        status: `started`, `success`, `failed` or `gave_up`; `dropped` if it was called off.
    """

    name: str
    attempt: int
    status: str

    def text(self) -> str:
        """Return it in words."""
        if self.status == "gave_up":
            return f"{self.name} gave up after {_counted(self.attempt)}" if self.attempt else f"no {self.name}"
        number = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        return f"{self.name}{number}" + (" failed" if self.status == "failed" else "")


def _counted(attempts: int) -> str:
    return f"{attempts} attempt{'s' * (attempts > 1)}"


class Chain(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An incident: what went wrong, what that means, what was done, and what came of it.

    Attributes:
        path: The actor, or the service where there was none.
        began: Time of the first error, in monotonic seconds.
        took: Seconds from it to the end; of an open one, so far.
        error: The first error, type and message in one line.
        errors: Errors of it, the first included.
        ids: The numbers of the first and of the last one's report; empty if it has none.
        verdicts: The worst verdict of each category, in order; at most 3.
        actions: What was done, in order; at most 5.
        outcome: How it ended.
    """

    path: str
    began: float
    took: float
    error: str
    errors: int
    ids: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    actions: tuple[Action, ...]
    outcome: Outcome

    @property
    def level(self) -> str:
        """The level of its line; an error of HIGH or above that nothing helped against is an ERROR."""
        is_bad = any(verdict.severity.rank >= Severity.HIGH.rank for verdict in self.verdicts)
        return "ERROR" if is_bad and self.outcome is Outcome.FAILED else LEVELS[self.outcome]

    def text(self, most: int = 90) -> str:
        """Return it as one line: error, verdict, actions, outcome.

        Args:
            most: Characters of the error that are shown, at least 4.
        """
        error = _brief(self.error, most) + (f" x{self.errors}" if self.errors > 1 else "")
        verdict = ", then ".join(_words(each) for each in self.verdicts) or "not judged"
        actions = ", ".join(action.text() for action in self.actions) or "no action"
        return f"{error} -> {verdict} -> {actions} -> {self._end()}"

    def _end(self) -> str:
        after = f" after {self.took:.1f} s"
        late = after if self.took else ""
        helped = any(action.status == "success" for action in self.actions)
        return {
            Outcome.RECOVERED: f"ok{after}" if helped else f"ok by itself{after}",
            Outcome.SURVIVED: "goes on",
            Outcome.FAILED: "nothing helped, goes on",
            Outcome.GAVE_UP: f"parked{late}, a person is needed",
            Outcome.STOPPED: f"stopped{after}",
            Outcome.UNKNOWN: "outcome not known",
            Outcome.OPEN: f"not over{after}",
        }[self.outcome]


def _words(verdict: Verdict) -> str:
    lasts = "transient" if verdict.transient else "not transient"
    unknown = ", outcome unknown" if verdict.outcome_unknown else ""
    return f"{verdict.category}/{verdict.severity} {lasts}{unknown}"


def _brief(error: str, most: int) -> str:
    """Return *error* in one line without its causes, and without the function that its type is local to."""
    text = " ".join(error.partition(" <- ")[0].split())
    kind, colon, rest = text.partition(":")
    text = kind.rpartition("<locals>.")[2] + colon + rest
    return text if len(text) <= most else f"{text[: most - 3]}..."
