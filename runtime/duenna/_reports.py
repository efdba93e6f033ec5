"""Each error of a runtime becomes a report, once, and goes to the classifier.

The supervisor needs its verdict at once and gets it here, from the same rules, so that a
restart never waits for another actor.
"""

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from loguru import logger

from duenna._facts import facts_of
from duenna._kind import kind_of
from duenna._reporting import make_report
from duenna._text import describe
from duenna.error_events import ErrorReport, Source
from duenna.errors import UnknownPathError
from duenna.machines.classification import Facts, Verdict, origin_of
from duenna.wallclock import wall_time

if TYPE_CHECKING:
    from duenna._cell import Cell
    from duenna._runtime import Runtime
    from duenna._scope import Surroundings
    from duenna.ref import Ref

CLASSIFIER = "/system/classifier"


class Reports:
    """Makes the reports of one runtime, and sends them."""

    def __init__(self, runtime: "Runtime") -> None:
        """Report the errors of *runtime*."""
        self._runtime = runtime
        self._numbers = count(1)
        self._classifier: Ref | None = None

    def crash(self, cell: "Cell", error: BaseException) -> Verdict | None:
        """Report that *cell* ended with *error*; return what that means, None if that cannot be said."""
        kind = cell.more.kind = kind_of(cell)
        facts: Facts | None = None
        verdict: Verdict | None = None
        try:
            facts = facts_of(error, origin=origin_of(kind))
            verdict = self._runtime.classifier.classify(facts)
        except Exception as exc:  # noqa: BLE001  # rules that fail must not keep a child from being restarted
            logger.error("{}: no verdict on its crash: {}", cell.path, describe(exc))
        self._report(
            error,
            path=cell.path,
            incarnation=cell.incarnation,
            kind=kind,
            source=Source.CRASH,
            facts=facts,
            verdict=verdict,
            retry_count=cell.more.failures.failures,
        )
        return verdict

    def survived(self, cell: "Cell", error: BaseException, details: Mapping[str, object]) -> None:
        """Report an *error* that the actor of *cell* goes on after."""
        source = Source.CHECK if details.get("hook") == "check" else Source.REPORT
        self._report(
            error,
            path=cell.path,
            incarnation=cell.incarnation,
            kind=kind_of(cell),
            source=source,
            context=details,
        )

    def guard(self, guard: str, error: BaseException, attempts: int, path: str, around: "Surroundings") -> None:
        """Report that a call through *guard* failed for good after so many *attempts*, made by the actor at *path*.

        What is *around* the call, its operation and context, is said: it is reported nowhere else.
        """
        operation, _, context = around
        cell = self._find(path)
        kind = "" if cell is None else kind_of(cell)
        self._report(
            error,
            path=path or "/",
            incarnation=0 if cell is None else cell.incarnation,
            kind=kind,
            source=Source.GUARD,
            service=guard,
            operation=operation,
            context=context,
            retry_count=max(0, attempts - 1),
        )

    def send(self, report: ErrorReport) -> None:
        """Tell the classifier; of more than its mailbox holds, the oldest are dropped, and counted."""
        if self._classifier is None:
            self._classifier = self._runtime.ref(CLASSIFIER)
        self._classifier.tell(report)

    def next_id(self) -> int:
        """Return the number of the next report."""
        return next(self._numbers)

    def _report(self, error: BaseException, **fields: Any) -> None:
        """Make a report and send it; whatever fails at that, the error that is reported goes its own way."""
        try:
            self.send(make_report(error, id=self.next_id(), time=self._runtime.now(), at=wall_time(), **fields))
        except Exception as exc:  # noqa: BLE001  # see above
            logger.error("{}: an error could not be reported: {}", fields["path"], describe(exc))

    def _find(self, path: str) -> "Cell | None":
        try:
            found: Any = self._runtime.ref(path) if path not in {"", "/"} else None
        except UnknownPathError:
            return None
        return found  # type: ignore[no-any-return]  # every Ref is a Cell
