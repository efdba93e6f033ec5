"""`/system/classifier`: every error gets its verdict, is counted and kept, and is handed to recovery."""

from typing import TYPE_CHECKING

from duenna.actor import Actor
from duenna.error_events import ErrorClassified, ErrorReport
from duenna.machines.backoff import Backoff
from duenna.mailbox import Mailbox
from duenna.spec import Child

if TYPE_CHECKING:
    from duenna._runtime import Runtime

MOST_REPORTS = 10_000
"""Reports that wait for their verdict, at most; of more, the oldest are dropped, and counted."""


class ErrorClassifier(Actor):
    """Judges reports; an error that the supervisor has judged on the spot keeps that verdict."""

    kind = "classifier"

    def __init__(self, runtime: "Runtime") -> None:
        """Serve *runtime*."""
        self._runtime = runtime
        self._recovery = runtime.ref("/system/recovery")

    def receive(self, message: ErrorReport) -> None:
        """Judge one report, and tell everybody whom it concerns."""
        runtime = self._runtime
        given: object = message
        if not isinstance(given, ErrorReport):
            self.context.report(TypeError(f"the classifier takes an ErrorReport, got {type(given).__name__}"))
            return
        verdict = message.verdict if message.verdict is not None else runtime.classifier.classify(message.facts)
        event = ErrorClassified(time=message.time, path=message.path, report=message, verdict=verdict)
        runtime.errors.record(event)
        if runtime.records is not None and message.repeats is None:  # one line for one error
            runtime.records.error(event)
        if runtime.bus.wants(ErrorClassified):
            runtime.bus.post(event)
        self._recovery.tell(event)


def classifier_child(runtime: "Runtime") -> Child:
    """Return the spec of the classifier of *runtime*."""
    return Child(
        "classifier",
        lambda: ErrorClassifier(runtime),
        mailbox=Mailbox(MOST_REPORTS, overflow="drop_oldest"),
        backoff=Backoff.steps(0.1, 1.0),
        max_failures=2,
        on_give_up="park",
        unpark_after=30.0,
        drain=1.0,
        shutdown=1.0,
    )
