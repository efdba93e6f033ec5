"""A breaker whose settings change while it works."""

from __future__ import annotations

import attrs
import pytest

from duenna.machines.breaker import Breaker, BreakerState
from duenna.machines.live_circuit import LiveCircuit
from duenna.machines.permit import Change, Permit, Probe
from duenna.machines.window import Tally

S = BreakerState


def call(circuit: LiveCircuit, now: float, *, ok: bool) -> Change | None:
    permit = circuit.admit(now)
    assert isinstance(permit, Permit)
    return circuit.settle(permit, ok=ok, now=now)


def opened() -> LiveCircuit:
    """Return a circuit that opened at 0 for 10 s."""
    circuit = LiveCircuit(Breaker.consecutive(3, open_for=10.0, success_threshold=1))
    for _ in range(3):
        call(circuit, 0.0, ok=False)
    return circuit


def half_open() -> tuple[LiveCircuit, Probe]:
    circuit = opened()
    probe = circuit.admit(10.0)
    assert isinstance(probe, Probe)
    return circuit, probe


class TestOtherSettings:
    """What a breaker does whose settings change while it works."""

    def test_a_lower_threshold_counts_the_failures_so_far(self) -> None:
        circuit = LiveCircuit(Breaker.consecutive(5))
        for _ in range(3):
            call(circuit, 0.0, ok=False)

        circuit.follow(Breaker.consecutive(2))

        assert circuit.state is S.CLOSED
        change = call(circuit, 1.0, ok=False)
        assert change is not None
        assert (change.state, change.tally) == (S.OPEN, Tally(2, 2, 0))

    def test_a_higher_threshold_waits_for_more_failures(self) -> None:
        circuit = LiveCircuit(Breaker.consecutive(2))
        call(circuit, 0.0, ok=False)

        circuit.follow(Breaker.consecutive(4))

        assert [call(circuit, 1.0, ok=False) is not None for _ in range(3)] == [False, False, True]

    def test_a_success_in_between_begins_the_count_again(self) -> None:
        circuit = LiveCircuit(Breaker.consecutive(5))
        call(circuit, 0.0, ok=False)
        circuit.follow(Breaker.consecutive(2))

        call(circuit, 1.0, ok=True)

        assert call(circuit, 2.0, ok=False) is None
        assert call(circuit, 2.0, ok=False) is not None

    @pytest.mark.parametrize(("open_for", "until"), [(5.0, 5.0), (60.0, 60.0)])
    def test_what_is_open_ends_by_the_new_time(self, open_for: float, until: float) -> None:
        circuit = opened()

        circuit.follow(Breaker.consecutive(3, open_for=open_for))

        assert (circuit.state, circuit.retry_after(2.0)) == (S.OPEN, until - 2.0)

    def test_half_open_follows_with_its_next_outcome(self) -> None:
        circuit, first = half_open()

        circuit.follow(Breaker.consecutive(3, open_for=10.0, success_threshold=2))

        assert circuit.settle(first, ok=True, now=11.0) is None
        assert call(circuit, 12.0, ok=True) is not None
        assert circuit.state is S.CLOSED

    def test_a_window_over_seconds_is_kept_unless_it_changes(self) -> None:
        seconds = Breaker(per="seconds", window=10.0, minimum_calls=2)
        circuit = LiveCircuit(seconds)
        call(circuit, 0.0, ok=False)

        circuit.follow(attrs.evolve(seconds, open_for=7.0))
        assert circuit.statistics(0.0).window == Tally(1, 1, 0)

        circuit.follow(attrs.evolve(seconds, window=20.0))
        assert circuit.statistics(0.0).window == Tally(0, 0, 0)

        circuit.follow(Breaker.consecutive(1))
        change = call(circuit, 0.0, ok=False)
        assert change is not None
        assert change.state is S.OPEN

    @pytest.mark.parametrize("move", ["force_open", "disable"])
    def test_what_a_hand_has_moved_stays_so_and_learns_for_later(self, move: str) -> None:
        circuit = LiveCircuit(Breaker.consecutive(3))
        getattr(circuit, move)(0.0)
        state = circuit.state

        circuit.follow(Breaker.consecutive(1))

        assert circuit.state is state
        circuit.close(1.0)
        assert call(circuit, 2.0, ok=False) is not None
        assert circuit.state is S.OPEN

    def test_calls_that_must_be_timed_take_the_long_way_from_then_on(self) -> None:
        circuit = LiveCircuit(Breaker.consecutive(2))

        circuit.follow(Breaker.consecutive(2, slow_call=1.0))

        permit = circuit.admit(0.0)
        assert isinstance(permit, Permit)
        assert permit.gated
        circuit.settle(permit, ok=True, now=5.0, duration=5.0)
        assert permit.gated
