"""Weight per second: what holds for whoever asks, waits, gives up, is banned or fed."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.machines.token_bucket import Refused, TokenBucket, Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sums, products and quotients of these are exact, so the bounds hold to the last bit.
rates = st.sampled_from([0.5, 1.0, 2.0, 8.0])
bursts = st.integers(1, 12).map(float)
gaps = st.integers(0, 256).map(lambda n: n / 64)


def turn(bucket: TokenBucket, weight: float, now: float, max_wait: float = math.inf) -> Turn:
    taken = bucket.take(weight, now, max_wait)
    assert isinstance(taken, Turn)
    return taken


def excess(sent: Sequence[tuple[float, float]], bucket: TokenBucket) -> float:
    """Return by how much the worst window holds more than it may."""
    worst = -math.inf
    ordered = sorted(sent)
    for first in range(len(ordered)):
        total = 0.0
        for at, weight in ordered[first:]:
            total += weight
            worst = max(worst, total - bucket.burst - bucket.rate * (at - ordered[first][0]))
    return worst


@attrs.define
class Callers:
    """Those who use one bucket: they sleep, confirm, send, or think better of it."""

    bucket: TokenBucket
    sent: list[tuple[float, float]] = attrs.field(factory=list)
    asleep: list[tuple[float, int, Turn]] = attrs.field(factory=list)
    numbers: count[int] = attrs.field(factory=count)

    def follow(self, verdict: Turn | Refused, now: float) -> None:
        if isinstance(verdict, Refused):
            return
        assert verdict.wait == verdict.at - now >= 0
        if verdict.wait == 0:
            assert now >= self.bucket.blocked_until
            self.sent.append((now, verdict.weight))
        else:
            heapq.heappush(self.asleep, (verdict.at, next(self.numbers), verdict))

    def wake(self, now: float, max_wait: float) -> None:
        while self.asleep and self.asleep[0][0] <= now:
            at, _, turn = heapq.heappop(self.asleep)
            verdict = self.bucket.confirm(turn, at, max_wait)
            if verdict is turn:
                assert at >= self.bucket.blocked_until
                self.sent.append((at, turn.weight))
            else:
                self.follow(verdict, at)

    def cancel(self, which: int, now: float) -> None:
        if self.asleep:
            _, _, turn = self.asleep.pop(which % len(self.asleep))
            heapq.heapify(self.asleep)
            self.bucket.give_back(turn, now)


steps = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 48).map(lambda n: n / 4), st.sampled_from([0.0, 1.0, 8.0, math.inf])),
    st.tuples(st.just("cancel"), st.integers(0, 10), st.just(0.0)),
    st.tuples(st.just("block"), gaps, st.just(0.0)),
    st.tuples(st.just("feed"), st.integers(0, 20).map(float), gaps),
    st.tuples(st.just("unblock"), st.just(0.0), st.just(0.0)),
)


@settings(max_examples=300)
@given(rates, bursts, st.lists(st.tuples(gaps, steps), max_size=40), st.sampled_from([0.0, 4.0, math.inf]))
def test_no_window_holds_more_than_burst_and_rate_allow(
    rate: float, burst: float, plan: list[tuple[float, tuple[str, float, float]]], max_wait: float
) -> None:
    """Whoever asks, waits, gives up, is banned or fed: and nobody is sent during a block."""
    callers = Callers(bucket := TokenBucket(rate, burst))
    now = 0.0
    for gap, (what, amount, more) in plan:
        now += gap
        callers.wake(now, max_wait)
        if what == "take":
            callers.follow(bucket.take(min(amount, burst), now, more), now)
        elif what == "cancel":
            callers.cancel(int(amount), now)
        elif what == "block":
            bucket.block_until(now + amount)
        elif what == "unblock":
            bucket.unblock()
        else:
            bucket.feed(amount, 16, now, now + more)
        assert bucket.available(now) <= burst
    callers.wake(math.inf, math.inf)

    assert not callers.asleep
    assert excess(callers.sent, bucket) <= 0


@given(rates, bursts, st.lists(st.tuples(gaps, st.integers(0, 48).map(lambda n: n / 4)), min_size=1, max_size=30))
def test_nobody_waits_for_longer_than_the_bound_demands(
    rate: float, burst: float, asks: list[tuple[float, float]]
) -> None:
    """Each turn is the earliest after those before it that no window forbids."""
    bucket = TokenBucket(rate, burst)
    turns: list[tuple[float, float]] = []
    now = 0.0
    for gap, asked in asks:
        now += gap
        weight = min(asked, burst)
        earliest, total = max([now, *(at for at, _ in turns)]), weight
        for at, taken in reversed(turns):
            total += taken
            earliest = max(earliest, at + (total - burst) / rate)

        given_turn = turn(bucket, weight, now)

        assert given_turn.at == earliest
        turns.append((given_turn.at, weight))


@given(
    st.floats(0.01, 1000),
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=60),
    st.floats(0, 1e6),
)
def test_any_numbers_will_do(rate: float, burst: float, asks: list[tuple[float, float]], start: float) -> None:
    """With floats of any kind the bound holds but for rounding, which does not add up to a drift."""
    bucket = TokenBucket(rate, burst)
    sent: list[tuple[float, float]] = []
    now = start
    for gap, share in asks:
        now += gap
        given_turn = turn(bucket, min(burst, share * burst), now)
        sent.append((given_turn.at, given_turn.weight))

    assert excess(sent, bucket) <= 1e-6 * (burst + rate)


@given(st.floats(1, 5000), st.floats(0.01, 0.99), st.lists(st.floats(0, 30), max_size=60))
def test_a_period_holds_at_most_the_limit(limit: float, share: float, gaps_between: list[float]) -> None:
    bucket = TokenBucket.at_most(limit, per=60, burst=limit * share)
    sent: list[tuple[float, float]] = []
    now = 0.0
    for gap in gaps_between:
        now += gap
        given_turn = turn(bucket, bucket.burst / 2, now)
        sent.append((given_turn.at, given_turn.weight))

    for at, _ in sent:
        assert sum(weight for when, weight in sent if at <= when < at + 60) <= limit * (1 + 1e-9)


@given(st.lists(st.tuples(gaps, st.integers(0, 5).map(float), st.integers(0, 5)), max_size=80))
def test_an_exchange_that_reports_is_never_asked_for_too_much(plan: list[tuple[float, float, int]]) -> None:
    """Windows of 16 s of 20 units, others at the same address, a report after each call: no 429 of our making."""
    bucket = TokenBucket(8, 5)
    now, window, used = 0.0, 0.0, 0.0
    for gap, weight, others in plan:
        now += gap
        if now // 16 != window:
            window, used = now // 16, 0.0
        taken = bucket.take(weight, now, max_wait=0)
        if isinstance(taken, Turn):
            assert used + weight <= 20
            used += weight
        used = min(20.0, used + others)
        bucket.feed(used, 20, now, (window + 1) * 16)
