"""Traces written by hand: a story, told record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from duenna.testing.invariants import Checker, check
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

WORKER = {
    "role": "worker",
    "restart": "permanent",
    "max_failures": None,
    "max_backoff": 60.0,
    "reset_after": 60.0,
    "shutdown": 5.0,
    "drain": 0.0,
    "capacity": 3,
    "overflow": "fail",
}
SUPERVISOR = {
    "role": "supervisor",
    "restart": "permanent",
    "max_failures": None,
    "max_backoff": 60.0,
    "reset_after": 60.0,
    "shutdown": None,
    "drain": 0.0,
    "strategy": "one_for_one",
    "intensity": 3,
    "period": 5.0,
}
RETRY: dict[str, Any] = {
    "delay": 1.0,
    "retry_after": 0.0,
    "attempts": 3,
    "backoff": {"waits": [1.0]},
    "deadline": None,
    "idempotent": True,
    "outcome_known": False,
    "budget": None,
    "cost": 1.0,
}
BREAKER: dict[str, Any] = {"open_for": 0.0, "probes": 1, "probe_timeout": 60.0, "shortest": 4.0, "longest": 6.0}


@attrs.define
class Story:
    """Records, one after the other; the numbers are given by the story."""

    records: list[Record] = attrs.field(factory=list[Record])
    t: float = 0.0

    def at(self, t: float) -> Self:
        """Go on at *t* seconds."""
        self.t = t
        return self

    def add(self, kind: str, /, path: str = "", incarnation: int = 0, **fields: Any) -> Self:
        """Add a record."""
        self.records.append(Record(self.t, len(self.records) + 1, kind, path, incarnation, fields))
        return self

    def bot(self, *names: str, **options: Any) -> Self:
        """Describe a supervisor `/bot` with permanent workers."""
        self.supervisor("/bot", *names, **options)
        for name in names:
            self.worker(f"/bot/{name}")
        return self

    def supervisor(self, path: str, *names: str, **options: Any) -> Self:
        """Describe a supervisor."""
        return self.add("spec", path, **{**SUPERVISOR, "children": list(names), **options})

    def worker(self, path: str, **options: Any) -> Self:
        """Describe a worker."""
        return self.add("spec", path, **{**WORKER, **options})

    def start(self, *paths: str, incarnation: int = 1) -> Self:
        """Start children, one after the other."""
        for path in paths:
            self.add("child_starting", path, incarnation).add("child_started", path, incarnation)
        return self

    def crash(self, path: str, incarnation: int = 1, reason: str = "OSError: gone", uptime: float = 1.0) -> Self:
        """End a child by itself."""
        fields: dict[str, Any] = {"reason": reason, "context": "child_terminated", "uptime": uptime}
        return self.add("child_exited", path, incarnation, **fields)

    def stop(self, *paths: str, incarnation: int = 1) -> Self:
        """End children that were told to."""
        for path in paths:
            self.add("child_exited", path, incarnation, reason="shutdown", context="shutdown", uptime=1.0)
        return self

    def retry(self, path: str, delay: float = 1.0, failures: int = 1) -> Self:
        """Say that a child will be restarted."""
        return self.add("child_restarting", path, 1, delay=delay, failures=failures, reason="OSError: gone")

    def group(self, path: str, strategy: str, trigger: str, *members: str, delay: float = 0.0) -> Self:
        """Begin the restart of a group."""
        fields: dict[str, Any] = {"strategy": strategy, "trigger": trigger, "members": list(members), "delay": delay}
        return self.add("group_restarting", path, **fields)

    def fault(self, number: int = 1, duration: float | None = 10.0, kind: str = "partition") -> Self:
        """Begin a fault."""
        return self.add("fault_begin", "exchange", number=number, duration=duration, fault={"kind": kind})

    def fault_over(self, number: int = 1) -> Self:
        """End it."""
        return self.add("fault_end", "exchange", number=number, fault={"kind": "partition"})

    def letter(self, kind: str, number: int, path: str = "/bot/a", sender: str = "/bot/b", **fields: Any) -> Self:
        """Say what becomes of a message."""
        return self.add(kind, path, 1, sender=sender, number=number, message="Order", **fields)

    # -- guarded calls ---------------------------------------------------------

    def guarded(self, kind: str, call: int = 1, attempt: int = 0, /, *, hedge: int = 0, **fields: Any) -> Self:
        """Tell of a guarded call, or of one attempt of it."""
        which: dict[str, Any] = {"guard": "g"} | ({"call": call} if call else {})
        if attempt:
            which |= {"attempt": attempt} | ({"hedge": hedge} if "planned" not in kind else {})
        return self.add(kind, "/bot/a", **which, **fields)

    def tries(self, call: int = 1, attempt: int = 1, outcome: str = "error", hedge: int = 0) -> Self:
        """Make an attempt that ends at once; an error is counted as a failure."""
        self.guarded("attempt_begun", call, attempt, hedge=hedge)
        self.guarded("attempt_ended", call, attempt, hedge=hedge, outcome=outcome)
        return self.guarded("failure_counted", 0) if outcome == "error" else self

    def plans(self, call: int = 1, attempt: int = 1, **fields: Any) -> Self:
        """Plan the retry after an attempt."""
        return self.guarded("retry_planned", call, attempt, **(RETRY | fields))

    def moves(self, previous: str, state: str, cause: str, **fields: Any) -> Self:
        """Move the breaker."""
        return self.guarded("breaker_moved", 0, previous=previous, state=state, cause=cause, **(BREAKER | fields))

    def found(self, *checkers: Checker) -> list[str]:
        """Return what *checkers* find, as their users read it."""
        return texts(self.records, checkers)


def texts(records: Iterable[Record], checkers: Iterable[Checker]) -> list[str]:
    """Return what *checkers* find in *records*, as their users read it."""
    return [str(violation) for violation in check(records, checkers)]
