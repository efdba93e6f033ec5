"""An open breaker lets nothing through, a half-open one its probes, and each moves as breakers do."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._guarded import SLACK, Attempt, attempt_of, broken, call_of, guard_of, time_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

_BY_ITSELF = {
    ("closed", "failures"): "open",
    ("closed", "slow_calls"): "open",
    ("closed", "restored"): "open",
    ("open", "waited"): "half_open",
    ("half_open", "probe_failed"): "open",
    ("half_open", "probes_passed"): "closed",
}
_BY_HAND = {
    "force_open": "forced_open",
    "disable": "disabled",
    "metrics_only": "metrics_only",
    "close": "closed",
    "reset": "closed",
}
_SHUT = frozenset({"open", "forced_open"})


@attrs.define(eq=False)
class _Breaker:
    """A breaker, since its last move.

    Attributes:
        moved: The record of it.
        state: The state that it entered.
        until: When an open one may let a probe through.
        probes: The probes under way, and when each was let through.
    """

    moved: Record
    state: str
    until: float = -inf
    probes: dict[tuple[int, Attempt], float] = attrs.field(factory=dict[tuple[int, Attempt], float])


@attrs.define(eq=False)
class OpenBreaker:
    """Rule 10: no call gets through an open breaker until it was open for its time; then its probes, and no more.

    A probe that has been out for longer than ``probe_timeout`` has lost its place to another.
    """

    name = "open_breaker"
    kinds = frozenset({"attempt_begun", "attempt_ended", "breaker_moved", "guard_reset"})
    _breakers: dict[str, _Breaker] = attrs.field(factory=dict[str, _Breaker])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of a move, or of a call that got through."""
        guard = guard_of(record)
        breaker = self._breakers.get(guard)
        match record.kind:
            case "guard_reset":
                self._breakers.pop(guard, None)
            case "breaker_moved":
                return self._move(guard, record)
            case "attempt_begun" if breaker is not None:
                return self._let_through(breaker, record)
            case "attempt_ended" if breaker is not None:
                breaker.probes.pop((call_of(record), attempt_of(record)), None)
            case _:
                pass
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each call was judged when it got through."""
        return NOTHING

    def _move(self, guard: str, record: Record) -> Iterable[Violation]:
        fields, now = record.fields, time_of(record)
        before = self._breakers.get(guard)
        cause, state = str(fields.get("cause")), str(fields.get("state"))
        previous = str(fields.get("previous"))
        lasts = inf if fields.get("open_for") is None else fields["open_for"]
        until = now + lasts if state in _SHUT else -inf
        self._breakers[guard] = _Breaker(record, state, until)
        move = f"it moves from {previous} to {state} ({cause})"
        if before is not None and before.state != previous:
            yield broken(self.name, record, f"{move}, but it was {before.state} {at(before.moved)}")
        if state != (_BY_ITSELF.get((previous, cause)) or _BY_HAND.get(cause)):
            yield broken(self.name, record, f"{move}, which no breaker does")
        if before is not None and cause == "waited" and now < before.until - SLACK:
            text = f"{move}, {before.until - now:.3f} s before its time: it opened {at(before.moved)}"
            yield broken(self.name, record, text)
        if state == "open" and not _is_within(record, lasts, was_restored=cause == "restored"):
            shortest, longest = fields.get("shortest"), fields.get("longest")
            yield broken(self.name, record, f"{move} for {lasts} s, and should for {shortest} to {longest} s")

    def _let_through(self, breaker: _Breaker, record: Record) -> Iterable[Violation]:
        if breaker.state in _SHUT:
            left = breaker.until - time_of(record)
            still = f"for another {left:.3f} s" if 0 < left < inf else "until a probe, or a hand, says otherwise"
            text = f"it reaches the function, but the breaker is {breaker.state} {still} {at(breaker.moved)}"
            return (broken(self.name, record, text),)
        if breaker.state != "half_open":
            return NOTHING
        fields = breaker.moved.fields
        most, timeout = fields.get("probes", inf), fields.get("probe_timeout")
        now = record.fields.get("admitted", time_of(record))
        held = [since for since in breaker.probes.values() if timeout is None or since + timeout > now]
        breaker.probes[call_of(record), attempt_of(record)] = now
        if len(held) < most:
            return NOTHING
        text = f"it is probe {len(held) + 1} at once of a half-open breaker, and {most} may be under way"
        return (broken(self.name, record, f"{text} {at(breaker.moved)}"),)


def _is_within(record: Record, lasts: float, *, was_restored: bool) -> bool:
    shortest, longest = record.fields.get("shortest", 0.0), record.fields.get("longest", inf)
    if was_restored:  # some of its time was over
        shortest = 0.0
    return bool(shortest - SLACK <= lasts <= longest + SLACK)
