"""A breaker at work against a naive one: whatever calls do, in whatever order, by whatever hand."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from duenna.machines.breaker import Breaker, BreakerState
from duenna.machines.circuit import Circuit
from duenna.machines.permit import Permit, Probe, Rejected
from duenna.machines.window import SLICES

if TYPE_CHECKING:
    from collections.abc import Callable

S = BreakerState
rates = st.one_of(st.sampled_from([0.1, 0.3, 0.5, 0.55, 0.7, 1.0]), st.floats(0.01, 1))
draws = st.floats(0, 1, exclude_max=True)


@st.composite
def breakers(draw: st.DrawFn) -> Breaker:
    window = draw(st.integers(1, 12))
    per = draw(st.sampled_from(["calls", "calls", "seconds"]))
    slow_call = draw(st.sampled_from([None, None, 1.0]))
    return Breaker(
        failure_rate=draw(rates),
        window=window * (1 if per == "calls" else SLICES / 4),  # slices of whole quarters are exact
        per=per,
        minimum_calls=draw(st.one_of(st.none(), st.integers(1, window))),
        open_for=draw(st.sampled_from([0.3, 1.0, 5.0])),
        open_jitter=draw(st.sampled_from([0.0, 0.2])),
        growth=draw(st.sampled_from([1.0, 2.0])),
        probes=draw(st.integers(1, 3)),
        probe_timeout=draw(st.sampled_from([1.0, 4.0, math.inf])),
        slow_call=slow_call,
        slow_rate=1.0 if slow_call is None else draw(rates),
        success_threshold=draw(st.integers(1, 3)),
    )


@settings(max_examples=500)
@given(st.integers(1, 25), st.data(), rates, st.lists(st.booleans(), max_size=200))
def test_the_short_way_opens_exactly_when_the_textbook_does(
    size: int, data: st.DataObject, rate: float, outcomes: list[bool]
) -> None:
    minimum = data.draw(st.integers(1, size))
    circuit = Circuit(Breaker(failure_rate=rate, window=size, minimum_calls=minimum))
    ring = deque[bool](maxlen=size)
    for ok in outcomes:
        permit = circuit.permit
        if ok and not permit.gated:
            permit.seq += 1
        else:
            circuit.settle(permit, ok=ok, now=0.0)
        ring.append(ok)

        due = len(ring) >= minimum and ring.count(False) / len(ring) >= rate
        assert circuit.state is (S.OPEN if due else S.CLOSED)
        if due:
            return
        assert circuit.statistics(0.0).window == (len(ring), ring.count(False), 0)


@given(st.floats(0, 1e9), st.floats(0.001, 1e6), st.lists(st.floats(0, 1, exclude_max=True), max_size=20), draws)
def test_retry_after_is_exact(start: float, open_for: float, parts: list[float], draw: float) -> None:
    """Not a moment before it, and at it for certain."""
    circuit = Circuit(Breaker(window=1, open_for=open_for))
    circuit.settle(circuit.permit, ok=False, now=start, draw=draw)
    until = circuit.until
    for now in sorted(start + part * (until - start) for part in parts):
        verdict = circuit.admit(now)
        if now < until:
            assert isinstance(verdict, Rejected)
            assert verdict.retry_after > 0
            assert now + verdict.retry_after >= until
            assert now + math.nextafter(verdict.retry_after, 0.0) <= until
        else:
            return
    assert isinstance(circuit.admit(until), Probe)


@attrs.define(eq=False)
class _Call:
    """What the naive breaker remembers of a call: in which generation it began."""

    permit: Permit
    generation: int
    began: float
    is_probe: bool


class AgainstNaive(RuleBasedStateMachine):
    """A circuit beside a naive model that keeps every outcome and every call."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 64.0

    @initialize(breaker=breakers())
    def make(self, breaker: Breaker) -> None:
        self.settings = breaker
        self.circuit = Circuit(breaker, since=self.now)
        self.state = S.CLOSED
        self.generation = 0
        self.until = 0.0
        self.row = 0
        self.passed = 0
        self.outcomes = list[tuple[float, bool, bool]]()
        self.flying = list[_Call]()
        self.held = list[_Call]()  # probes with a place
        self.ended = 0
        self.released = 0
        self.rejected = 0
        self.late = 0
        self.failed = 0

    @rule(eighths=st.integers(1, 40))
    def wait(self, eighths: int) -> None:
        self.now += eighths / 8

    @rule()
    def wait_for_the_end_of_the_opening(self) -> None:
        self.now = max(self.now, self.until)

    @rule(times=st.integers(1, 8))
    def begin(self, times: int) -> None:
        for _ in range(times):
            verdict = self.circuit.admit(self.now)
            if self.state is S.OPEN and self.now >= self.until:
                self.move(S.HALF_OPEN)
                assert isinstance(verdict, Permit)
                assert verdict.change is not None
            self.held = [c for c in self.held if len(self.held) < self.settings.probes or self.keeps_place(c)]
            full = len(self.held) >= self.settings.probes
            refused = self.state in {S.OPEN, S.FORCED_OPEN} or (self.state is S.HALF_OPEN and full)
            assert isinstance(verdict, Rejected) == refused
            if isinstance(verdict, Rejected):
                assert verdict.state is self.state
                self.rejected += 1
                continue
            call = _Call(verdict, self.generation, self.now, self.state is S.HALF_OPEN)
            assert isinstance(verdict, Probe) == call.is_probe
            self.flying.append(call)
            if call.is_probe:
                self.held.append(call)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 1000), ok=st.booleans(), slow=st.booleans(), draw=draws)
    def end(self, which: int, ok: bool, slow: bool, draw: float) -> None:
        call = self.flying.pop(which % len(self.flying))
        self.give_place_back(call)
        self.ended += 1
        self.failed += not ok
        duration = 2.0 if slow else 0.0
        slow = slow and self.settings.slow_call is not None
        if ok and not call.permit.gated:
            call.permit.seq += 1  # the short way
            change = None
        else:
            change = self.circuit.settle(call.permit, ok=ok, now=self.now, duration=duration, draw=draw)
        before = self.state
        self.expect(call, draw, ok=ok, slow=slow)
        assert (change is not None) == (before is not self.state)
        if change is not None:
            assert (change.previous, change.state) == (before, self.state)

    @rule(outcomes=st.lists(st.booleans(), min_size=1, max_size=5), draw=draws)
    def call_one_after_the_other(self, outcomes: list[bool], draw: float) -> None:
        """Bring about what chance seldom does: several trials in a row, and calls of many generations."""
        for ok in outcomes:
            self.now = max(self.now, self.until)
            before = len(self.flying)
            self.begin(1)
            if len(self.flying) > before:
                self.end(before, ok=ok, slow=False, draw=draw)

    @precondition(lambda self: self.flying)
    @rule(which=st.integers(0, 1000))
    def cancel(self, which: int) -> None:
        call = self.flying.pop(which % len(self.flying))
        self.give_place_back(call)
        self.circuit.release(call.permit)
        self.released += 1

    @rule(name=st.sampled_from(["force_open", "disable", "metrics_only", "close", "close"]))
    def take_in_hand(self, name: str) -> None:
        hand: Callable[[float], object] = getattr(self.circuit, name)
        then = {"force_open": S.FORCED_OPEN, "disable": S.DISABLED, "close": S.CLOSED}.get(name, S.METRICS_ONLY)
        assert (hand(self.now) is not None) == (self.state is not then)
        if self.state is not then:
            self.move(then)

    @rule()
    def reset(self) -> None:
        self.circuit.reset(self.now)
        self.move(S.CLOSED)
        self.ended = self.released = self.rejected = self.late = self.failed = 0

    @rule()
    def all_who_are_out_come_to_nothing(self) -> None:
        """Nothing leaks a place: with nobody out, the next call is let through wherever calls may be."""
        while self.flying:
            self.cancel(0)
        if self.state is not S.FORCED_OPEN:
            assert self.circuit.retry_after(max(self.now, self.until)) == 0

    def expect(self, call: _Call, draw: float, *, ok: bool, slow: bool) -> None:
        """Do to the model what the outcome does."""
        if call.generation != self.generation:
            self.late += 1
        elif call.is_probe:
            self.passed += 1
            if not ok or slow:
                self.open(draw)
            elif self.passed >= self.settings.success_threshold:
                self.move(S.CLOSED)
        elif self.state in {S.CLOSED, S.METRICS_ONLY}:
            self.outcomes.append((self.now, ok, slow))
            window = self.window()
            calls, failures, slows = len(window), sum(not o for _, o, _ in window), sum(s for *_, s in window)
            if self.state is S.CLOSED and calls >= self.settings.least_calls:
                bad = failures / calls >= self.settings.failure_rate
                if bad or (slows and slows / calls >= self.settings.slow_rate):
                    self.open(draw)

    def window(self) -> list[tuple[float, bool, bool]]:
        if self.settings.per == "calls":
            return self.outcomes[-int(self.settings.window) :]
        width = self.settings.window / SLICES
        return [outcome for outcome in self.outcomes if outcome[0] // width > self.now // width - SLICES]

    def open(self, draw: float) -> None:
        self.row += 1
        self.until = self.now + self.settings.opening(self.row, draw)
        self.move(S.OPEN)

    def move(self, state: S) -> None:
        self.state = state
        self.generation += 1
        self.outcomes = []
        self.held = []
        self.passed = 0
        if state is S.CLOSED:
            self.row = 0

    def keeps_place(self, call: _Call) -> bool:
        return self.now < call.began + self.settings.probe_timeout

    def give_place_back(self, call: _Call) -> None:
        if call in self.held:
            self.held.remove(call)

    @invariant()
    def it_is_where_the_model_is(self) -> None:
        assert self.circuit.state is self.state
        assert self.state is not S.OPEN or self.circuit.until == self.until

    @invariant()
    def never_more_than_the_permitted_probes(self) -> None:
        out = [c for c in self.flying if c.is_probe and c.generation == self.generation and self.keeps_place(c)]
        assert len(out) <= self.settings.probes

    @invariant()
    def every_call_is_counted_once(self) -> None:
        seen = self.circuit.statistics(self.now)
        assert (seen.calls, seen.failures, seen.late) == (self.ended, self.failed, self.late)
        assert (seen.released, seen.rejected) == (self.released, self.rejected)
        assert seen.successes == seen.calls - seen.failures

    @invariant()
    def the_window_is_a_naive_count(self) -> None:
        if self.state in {S.CLOSED, S.METRICS_ONLY}:
            window = self.window()
            naive = (len(window), sum(not ok for _, ok, _ in window), sum(slow for *_, slow in window))
            assert self.circuit.statistics(self.now).window == naive


TestAgainstNaive = AgainstNaive.TestCase
TestAgainstNaive.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
