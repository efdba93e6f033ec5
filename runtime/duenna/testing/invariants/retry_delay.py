"""Retries come as often and as late as their settings say, and end with the deadline."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from duenna.testing.invariants._base import NOTHING, Violation, at
from duenna.testing.invariants._guarded import SLACK, Attempt, attempt_of, broken, call_of, time_of
from duenna.testing.trace import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@attrs.define(eq=False)
class _Call:
    """A call under way.

    Attributes:
        began: The record with which it began.
        sent: The attempts that were made.
        planned: The last retry that was planned.
        waited: The sum of the waits, in seconds.
        hedges: How many tries beside another were planned.
    """

    began: Record
    sent: dict[Attempt, None] = attrs.field(factory=dict[Attempt, None])
    planned: Record | None = None
    waited: float = 0.0
    hedges: int = 0


@attrs.define(eq=False)
class RetryDelays:
    """Rule 12: each wait is that of its attempt, or Retry-After if that is longer; attempts and deadline hold."""

    name = "retry_delay"
    kinds = frozenset({"call_begun", "attempt_begun", "retry_planned", "hedge_planned", "call_ended"})
    _calls: dict[int, _Call] = attrs.field(factory=dict[int, _Call])

    def apply(self, record: Record) -> Iterable[Violation]:
        """Take note of an attempt, or of the plan for the next."""
        number = call_of(record)
        call = self._calls.get(number)
        if record.kind == "call_begun":
            self._calls[number] = _Call(record)
        elif call is not None:
            match record.kind:
                case "attempt_begun":
                    return self._begin(call, record)
                case "retry_planned":
                    return self._plan(call, record)
                case "hedge_planned":
                    call.hedges += 1
                case _:
                    del self._calls[number]
        return NOTHING

    def finish(self, end: float) -> Iterable[Violation]:  # noqa: ARG002  # nothing is due
        """Find nothing: each attempt was judged when it was made."""
        return NOTHING

    def _begin(self, call: _Call, record: Record) -> Iterator[Violation]:
        attempt, hedge = attempt_of(record)
        planned = call.planned
        is_second, is_planned = (attempt, hedge) in call.sent, planned is not None and _next(planned) == attempt
        call.sent[attempt, hedge] = None
        if is_second:
            yield broken(self.name, record, "it is sent for the second time")
        elif hedge > call.hedges:
            yield broken(self.name, record, "it is sent beside another, and nothing has allowed it")
        elif attempt > 1 and not is_planned:
            yield broken(self.name, record, "it is sent, and no retry was planned")
        elif planned is not None:
            early = time_of(planned) + planned.fields.get("delay", 0.0) - time_of(record)
            if early > SLACK:
                yield broken(self.name, record, f"it is sent {early:.3f} s before the wait is over {at(planned)}")

    def _plan(self, call: _Call, record: Record) -> Iterator[Violation]:
        fields = record.fields
        before, call.planned = call.planned, record
        attempt, delay = attempt_of(record)[0], fields.get("delay", 0.0)
        call.waited += delay
        most = fields.get("attempts", inf)
        if attempt >= most:
            yield broken(self.name, record, f"attempt {attempt + 1} is planned, and {most} are allowed")
        least, longest = _bounds(fields, attempt, 0.0 if before is None else before.fields.get("delay", 0.0))
        if not least - SLACK <= delay <= longest + SLACK:
            wanted = f"{least} to {longest} s" if least != longest else f"{least} s"
            asked = f", Retry-After was {fields['retry_after']} s" if fields.get("retry_after") else ""
            yield broken(self.name, record, f"it waits {delay} s, and should {wanted}{asked}")
        if fields.get("deadline") is not None:
            yield from self._meet(call, record)

    def _meet(self, call: _Call, record: Record) -> Iterator[Violation]:
        deadline = record.fields["deadline"]
        left = time_of(call.began) + deadline - time_of(record) - record.fields.get("delay", 0.0)
        if left < -SLACK:
            yield broken(self.name, record, f"its wait ends {-left:.3f} s after the deadline of {deadline} s")
        if call.waited > deadline + SLACK:
            yield broken(self.name, record, f"it waits {call.waited:.3f} s in all, and its deadline is {deadline} s")


def _next(planned: Record) -> int:
    return attempt_of(planned)[0] + 1


def _bounds(fields: dict[str, Any], attempt: int, previous: float) -> tuple[float, float]:
    """Return the shortest and the longest wait after *attempt*, in seconds."""
    floor = fields.get("retry_after", 0.0)
    backoff, stretch = fields.get("backoff"), fields.get("stretch", 1.0)
    least, longest = _backoff(backoff, attempt, previous)
    if stretch > 1:  # retries of its kind keep failing; the cap of the backoff holds
        cap = inf if backoff is None else backoff.get("maximum") or inf
        least, longest = min(least * stretch, cap), min(longest * stretch, cap)
    return max(least, floor), max(longest, floor)


def _backoff(backoff: dict[str, Any] | None, attempt: int, previous: float) -> tuple[float, float]:
    if backoff is None:
        return 0.0, inf
    if "waits" in backoff:
        wait = backoff["waits"][min(attempt, len(backoff["waits"])) - 1]
        return wait, wait
    cap = inf if backoff["maximum"] is None else backoff["maximum"]
    initial, jitter = backoff["initial"], backoff["jitter"]
    if jitter == "decorrelated":
        return min(cap, initial), min(cap, 3.0 * max(previous, initial))
    try:
        wait = min(cap, initial * backoff["factor"] ** (attempt - 1))
    except OverflowError:
        wait = cap
    share = {"none": 1.0, "equal": 0.5}.get(jitter, 0.0)
    return share * wait, wait
