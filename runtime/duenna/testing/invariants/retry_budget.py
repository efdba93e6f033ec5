"""Retries are a share of the calls, whatever happens, and a lone caller is never denied his."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._guarded import SLACK, broken, call_of, guard_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.define(eq=False)
class _Budget:
    """What retries are paid from.

    Attributes:
        is_shared: Whether it is that of all guards of one name.
        spent: What is owed of its ``cap``, in retries: 0 is full.
        retrying: The calls that have retried and not ended.
        paid: The first attempts of each guard that have paid into it.
        last: The last retry that was paid for.
    """

    is_shared: bool
    spent: float = 0.0
    retrying: dict[int, None] = attrs.field(factory=dict[int, None])
    paid: dict[str, int] = attrs.field(factory=dict[str, int])
    last: Record | None = None


@attrs.define(eq=False)
class RetryBudgets:
    """Rule 13: in any stretch of time retries cost no more than ``cap`` and ``ratio`` for each first attempt in it.

    Left out are those that were made while no more than ``free`` calls were retrying; to these
    none is denied. It is a bucket that leaks: if it never overflows, no stretch of time has too many.
    """

    name = "retry_budget"
    kinds = frozenset(
        {
            "attempt_ended",
            "retry_planned",
            "hedge_planned",
            "hedge_denied",
            "call_ended",
            "guard_reset",
        }
    )
    _budgets: dict[str, _Budget] = attrs.field(factory=dict[str, _Budget])
    _made: dict[str, int] = attrs.field(factory=dict[str, int])
    _of: dict[int, str] = attrs.field(factory=dict[int, str])
    _tried: dict[int, None] = attrs.field(factory=dict[int, None])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of an attempt, or of what is paid for."""
        guard, call, terms = guard_of(record), call_of(record), record.fields.get("budget")
        match record.kind:
            case "attempt_ended" if call not in self._tried:
                self._tried[call] = None
                self._made[guard] = self._made.get(guard, 0) + 1
            case "retry_planned" | "hedge_planned" if terms is not None:
                return self._pay(record, terms)
            case "hedge_denied" if terms is not None:
                self._fill(record, terms)
            case "call_ended":
                return self._end(record, terms)
            case "guard_reset":
                self._refill(guard)
            case _:
                pass
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each retry was judged when it was paid for."""
        return NOTHING

    def _refill(self, guard: str) -> None:
        """Fill the budget of *guard*, and any that its guards may have for themselves: it is not known which."""
        for name, budget in self._budgets.items():
            budget.paid.pop(guard, None)
            if name == guard or not budget.is_shared:
                budget.spent = 0.0

    def _fill(self, record: Record, terms: dict[str, Any]) -> _Budget:
        """Return the budget of a call, filled by the first attempts of its guard since that asked for the last time."""
        guard, name = guard_of(record), terms["name"]
        budget = self._budgets.setdefault(name, _Budget(is_shared=name == guard))
        made = self._made.get(guard, 0)
        calls = made - budget.paid.get(guard, made)  # a new budget is full
        budget.paid[guard] = made
        budget.spent = max(0.0, budget.spent - terms["ratio"] * calls)
        return budget

    def _pay(self, record: Record, terms: dict[str, Any]) -> Iterable[Violation]:
        budget = self._fill(record, terms)
        if record.kind == "retry_planned":
            budget.retrying[call_of(record)] = None
            self._of[call_of(record)] = terms["name"]
            if len(budget.retrying) <= terms["free"]:
                return NOTHING
        before, budget.last = budget.last, record
        spent, cap = budget.spent + record.fields.get("cost", 1.0), terms["cap"]
        budget.spent = min(spent, cap)
        if spent <= cap + SLACK:
            return NOTHING
        text = f"a retry too many: {spent:.3f} are spent of {terms['name']!r}, which holds {cap} "
        text += f"and gets {terms['ratio']} for each call"
        return (broken(self.name, record, text if before is None else f"{text}; the last was paid {at(before)}"),)

    def _end(self, record: Record, terms: dict[str, Any] | None) -> Iterable[Violation]:
        call = call_of(record)
        self._tried.pop(call, None)
        budget = self._budgets.get(self._of.pop(call, ""))
        if budget is not None:
            budget.retrying.pop(call, None)
        if terms is None:
            return NOTHING
        others = self._fill(record, terms).retrying
        if len(others) >= terms["free"]:
            return NOTHING
        text = f"its budget denies it a retry; {len(others)} others retry, and {terms['free']} calls may at any time"
        return (broken(self.name, record, text),)
