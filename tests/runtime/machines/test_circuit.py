"""A breaker at work: literal stories, then what holds whatever happens."""

from __future__ import annotations

import math

import attrs
import pytest

from duenna.machines.breaker import Breaker, BreakerState, Cause
from duenna.machines.circuit import Circuit
from duenna.machines.permit import Change, Permit, Probe, Rejected
from duenna.machines.window import Tally

S = BreakerState
THREE = Breaker.consecutive(3, open_for=10.0, success_threshold=1)


def admitted(circuit: Circuit, now: float) -> Permit:
    verdict = circuit.admit(now)
    assert isinstance(verdict, Permit)
    return verdict


def probe(circuit: Circuit, now: float) -> Probe:
    verdict = circuit.admit(now)
    assert isinstance(verdict, Probe)
    return verdict


def call(circuit: Circuit, now: float, *, ok: bool, duration: float = 0.0, draw: float = 0.5) -> Change | None:
    """Make one call as a shell does: a success by the short way where that is open."""
    permit = admitted(circuit, now)
    if ok and not permit.gated:
        permit.seq += 1
        return None
    return circuit.settle(permit, ok=ok, now=now, duration=duration, draw=draw)


def opened(settings: Breaker = THREE, draw: float = 0.5) -> Circuit:
    """Return a circuit that opened at 0."""
    circuit = Circuit(settings)
    while circuit.state is S.CLOSED:
        call(circuit, 0.0, ok=False, draw=draw)
    return circuit


def half_open(settings: Breaker = THREE) -> tuple[Circuit, Probe]:
    """Return a circuit that opened at 0, and the probe it let through at 10."""
    circuit = opened(settings)
    return circuit, probe(circuit, 10.0)


@pytest.mark.parametrize(
    ("settings", "outcomes", "state"),
    [
        (THREE, "ff", S.CLOSED),
        (THREE, "fff", S.OPEN),
        (THREE, "ff.ff", S.CLOSED),
        (THREE, "ff.fff", S.OPEN),
        (Breaker(), "f" * 19, S.CLOSED),
        (Breaker(), "f" * 20, S.OPEN),
        (Breaker(), "." * 10 + "f" * 9, S.CLOSED),
        (Breaker(), "." * 10 + "f" * 10, S.OPEN),
        (Breaker(), "f" * 10 + "." * 9, S.CLOSED),
        (Breaker(), "f" * 10 + "." * 10, S.OPEN),  # the success that reaches the minimum opens
        (Breaker(), "f" * 9 + "." * 11 + "f", S.CLOSED),
        (Breaker(), "." * 1000 + "f." * 9 + "f", S.OPEN),
        (Breaker(minimum_calls=4), "fff", S.CLOSED),
        (Breaker(minimum_calls=4), "ff..", S.OPEN),
        (Breaker(minimum_calls=4), "f..." * 20, S.CLOSED),
        (Breaker(failure_rate=0.55), "." * 9 + "f" * 11, S.OPEN),  # 0.55 * 20 > 11
        (Breaker(failure_rate=0.1, window=30), "." * 27 + "fff", S.OPEN),  # 0.1 * 30 > 3
        (Breaker(window=1), ".f", S.OPEN),
    ],
)
def test_it_opens_when_the_window_says_so(settings: Breaker, outcomes: str, state: S) -> None:
    """f: failed, a dot: succeeded."""
    circuit = Circuit(settings)

    changes = [call(circuit, 0.0, ok=outcome == ".") for outcome in outcomes]

    assert circuit.state is state
    assert [change is not None for change in changes] == [False] * (len(outcomes) - 1) + [state is S.OPEN]


def test_a_success_takes_the_short_way_unless_it_could_open() -> None:
    circuit = Circuit(Breaker(window=4))
    gates = list[bool]()
    for ok in (True, False, False, True, True):
        gates.append(circuit.permit.gated)
        if circuit.state is S.CLOSED:
            call(circuit, 0.0, ok=ok)

    assert gates == [False, False, False, True, True]
    assert circuit.state is S.OPEN


def test_so_many_in_a_row_never_leaves_the_short_way() -> None:
    """A success ends every row, so none can open."""
    circuit = Circuit(THREE)
    for ok in (False, False, True, False, False):
        assert not circuit.permit.gated
        call(circuit, 0.0, ok=ok)

    assert not circuit.permit.gated


def test_a_success_by_the_long_way_is_the_same() -> None:
    circuit = Circuit(Breaker())
    permit = admitted(circuit, 0.0)

    assert circuit.settle(permit, ok=True, now=0.0) is None
    assert permit.seq == 1


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ([(0, "f"), (1, "f"), (2, "."), (3, ".")], S.OPEN),
        ([(0, "f"), (1, "f"), (21, "."), (22, ".")], S.CLOSED),  # too few are left to judge
        ([(0, "."), (0, "."), (0, "."), (0, "."), (19, "f"), (19, "f"), (19, "f")], S.CLOSED),
        # By the second success at 21 the good ones of 0 are gone: time, not an outcome, raised the rate.
        ([(0, "."), (0, "."), (0, "."), (0, "."), (19, "f"), (19, "f"), (19, "f"), (21, ".")], S.OPEN),
    ],
)
def test_a_window_over_seconds_opens_by_what_is_left_in_it(calls: list[tuple[float, str]], state: S) -> None:
    circuit = Circuit(Breaker(window=20.0, per="seconds", minimum_calls=4))
    for now, outcome in calls:
        assert circuit.permit.gated
        call(circuit, now, ok=outcome == ".")

    assert circuit.state is state


@pytest.mark.parametrize(
    ("durations", "ok", "state", "cause"),
    [
        ([1.0] * 8, True, S.CLOSED, None),  # exactly slow_call is not slow
        ([1.1] * 3, True, S.CLOSED, None),
        ([1.1, 0.1, 1.1, 0.1], True, S.OPEN, Cause.SLOW_CALLS),
        ([1.1, 0.1, 0.1, 0.1, 1.1], True, S.CLOSED, None),
        ([1.1] * 4, False, S.OPEN, Cause.FAILURES),
    ],
)
def test_slow_calls_open_it(durations: list[float], ok: bool, state: S, cause: Cause | None) -> None:
    circuit = Circuit(Breaker(failure_rate=1, window=4, slow_call=1.0, slow_rate=0.5))
    change = None
    for duration in durations:
        assert circuit.permit.gated
        change = call(circuit, 0.0, ok=ok, duration=duration)

    assert circuit.state is state
    assert (change and change.cause) == cause


def test_while_open_nothing_passes_and_each_is_told_exactly_how_long() -> None:
    circuit = opened()

    assert [circuit.admit(now) for now in (0.0, 4.0, 9.75)] == [
        Rejected(10.0, S.OPEN),
        Rejected(6.0, S.OPEN),
        Rejected(0.25, S.OPEN),
    ]
    assert circuit.statistics(9.75).rejected == 3


@pytest.mark.parametrize(("draw", "until"), [(0.0, 8.0), (0.5, 10.0), (0.75, 11.0)])
def test_the_jitter_moves_the_end(draw: float, until: float) -> None:
    circuit = opened(attrs.evolve(THREE, open_jitter=0.2), draw)

    assert circuit.until == until
    assert circuit.retry_after(0.0) == until
    assert circuit.retry_after(until) == 0.0
    assert circuit.state is S.OPEN  # it moves when a call comes
    assert isinstance(circuit.admit(until), Probe)


def test_the_wait_is_never_rounded_down() -> None:
    """0.2 + (0.9 - 0.2) < 0.9, in floats."""
    circuit = opened(attrs.evolve(THREE, open_for=0.9))
    verdict = circuit.admit(0.2)
    assert isinstance(verdict, Rejected)

    assert 0.2 + (0.9 - 0.2) < 0.9
    assert isinstance(circuit.admit(0.2 + verdict.retry_after), Probe)


def test_one_round_is_told_as_it_happens() -> None:
    circuit = Circuit(THREE, since=-5.0)
    call(circuit, 0.0, ok=False)
    call(circuit, 1.0, ok=False)
    tripped = call(circuit, 2.0, ok=False)
    first = probe(circuit, 13.0)
    reopened = circuit.settle(first, ok=False, now=14.0)
    second = probe(circuit, 24.0)
    closed = circuit.settle(second, ok=True, now=25.0)

    assert [tripped, first.change, reopened, second.change, closed] == [
        Change(S.CLOSED, S.OPEN, Cause.FAILURES, 7.0, 10.0, Tally(3, 3, 0)),
        Change(S.OPEN, S.HALF_OPEN, Cause.WAITED, 11.0),
        Change(S.HALF_OPEN, S.OPEN, Cause.PROBE_FAILED, 1.0, 10.0),
        Change(S.OPEN, S.HALF_OPEN, Cause.WAITED, 10.0),
        Change(S.HALF_OPEN, S.CLOSED, Cause.PROBES_PASSED, 1.0),
    ]
    assert circuit.generation == 5


def test_openings_grow_until_a_probe_passes() -> None:
    circuit = Circuit(Breaker.consecutive(1, open_for=1.0, growth=2.0, longest_open=5.0, success_threshold=1))
    now, lengths = 0.0, list[float]()
    for ok in (False, False, False, False, False, True, False):
        change = call(circuit, now, ok=ok)
        assert change is not None
        lengths.append(change.open_for)
        now += change.open_for

    assert lengths == [1, 2, 4, 5, 5, 0, 1]


def test_so_many_probes_must_pass() -> None:
    circuit, first = half_open(attrs.evolve(THREE, success_threshold=2))

    assert circuit.settle(first, ok=True, now=11.0) is None
    second = probe(circuit, 11.0)
    assert second.change is None
    change = circuit.settle(second, ok=True, now=12.0)

    assert change is not None
    assert change.state is S.CLOSED


def test_a_new_trial_begins_from_nothing() -> None:
    """Neither what passed before the last opening counts, nor who was out then."""
    circuit, first = half_open(attrs.evolve(THREE, probes=2, success_threshold=2))
    circuit.settle(first, ok=True, now=10.0)
    failed, _ = probe(circuit, 10.0), probe(circuit, 10.0)
    circuit.settle(failed, ok=False, now=10.0)

    second = probe(circuit, 20.0)
    assert isinstance(circuit.admit(20.0), Probe)
    assert isinstance(circuit.admit(20.0), Rejected)
    circuit.settle(second, ok=True, now=20.0)

    assert circuit.state is S.HALF_OPEN


def test_after_closing_it_judges_from_an_empty_window() -> None:
    circuit, first = half_open()
    circuit.settle(first, ok=True, now=10.0)

    call(circuit, 10.0, ok=False)
    call(circuit, 10.0, ok=False)

    assert circuit.state is S.CLOSED
    assert circuit.statistics(10.0).window == Tally(2, 2, 0)


def test_fifty_at_once_are_one_probe() -> None:
    """circuitbreaker, aiobreaker, purgatory, hyx and pyresilience let all fifty through."""
    circuit = opened()

    verdicts = [circuit.admit(10.0) for _ in range(50)]

    assert isinstance(verdicts[0], Probe)
    assert verdicts[1:] == [Rejected(60.0, S.HALF_OPEN)] * 49


def test_probes_may_be_several() -> None:
    circuit, first = half_open(attrs.evolve(THREE, probes=3, success_threshold=3))
    others = [probe(circuit, 11.0), probe(circuit, 12.0)]

    assert circuit.admit(13.0) == Rejected(57.0, S.HALF_OPEN)
    circuit.settle(first, ok=True, now=14.0)
    probe(circuit, 14.0)
    assert circuit.admit(15.0) == Rejected(56.0, S.HALF_OPEN)
    assert [circuit.settle(other, ok=True, now=16.0) is not None for other in others] == [False, True]


def test_the_other_probes_of_a_generation_that_ended_are_late() -> None:
    circuit, first = half_open(attrs.evolve(THREE, probes=2))
    other = probe(circuit, 10.0)
    circuit.settle(first, ok=False, now=11.0)

    assert circuit.settle(other, ok=True, now=12.0) is None
    assert circuit.state is S.OPEN
    assert circuit.statistics(12.0).late == 1


def test_a_slow_probe_has_not_passed() -> None:
    circuit, first = half_open(attrs.evolve(THREE, slow_call=1.0))

    change = circuit.settle(first, ok=True, now=12.0, duration=2.0)

    assert change is not None
    assert change.cause is Cause.PROBE_FAILED
    assert circuit.statistics(12.0).slow == 1


def test_a_released_probe_makes_room_and_decides_nothing() -> None:
    """A cancelled probe wedges the peers; an ignored error is booked as success by some."""
    circuit, first = half_open()
    circuit.release(first)

    assert circuit.state is S.HALF_OPEN
    assert isinstance(circuit.admit(10.0), Probe)
    assert circuit.statistics(10.0).released == 1


def test_a_probe_is_given_back_once() -> None:
    circuit, first = half_open(attrs.evolve(THREE, success_threshold=2))
    circuit.settle(first, ok=True, now=11.0)

    assert circuit.settle(first, ok=True, now=11.0) is None
    circuit.release(first)

    assert circuit.state is S.HALF_OPEN
    statistics = circuit.statistics(11.0)
    assert (statistics.calls, statistics.released, statistics.late) == (4, 0, 0)


def test_a_probe_that_never_ends_loses_its_place() -> None:
    circuit, first = half_open()

    assert circuit.admit(69.5) == Rejected(0.5, S.HALF_OPEN)
    second = probe(circuit, 70.0)
    assert circuit.admit(70.0) == Rejected(60.0, S.HALF_OPEN)
    circuit.release(first)
    assert circuit.admit(70.0) == Rejected(60.0, S.HALF_OPEN)
    assert circuit.statistics(70.0).expired == 1
    assert circuit.settle(second, ok=True, now=71.0) is not None


def test_only_the_places_of_those_that_are_overdue_are_given_away() -> None:
    circuit, _ = half_open(attrs.evolve(THREE, probes=2))
    probe(circuit, 20.0)

    probe(circuit, 70.0)

    assert circuit.admit(70.0) == Rejected(10.0, S.HALF_OPEN)
    assert circuit.statistics(70.0).expired == 1


@pytest.mark.parametrize(("ok", "state"), [(True, S.CLOSED), (False, S.OPEN)])
def test_a_probe_that_lost_its_place_still_tells_something(ok: bool, state: S) -> None:
    """Else a far end slower than the timeout would never be trusted again."""
    circuit, first = half_open()
    probe(circuit, 70.0)

    circuit.settle(first, ok=ok, now=75.0)

    assert circuit.state is state
    assert circuit.statistics(75.0).late == 0


def test_a_probe_may_be_waited_for_without_end() -> None:
    circuit, first = half_open(attrs.evolve(THREE, probe_timeout=math.inf))

    assert circuit.admit(1e9) == Rejected(math.inf, S.HALF_OPEN)
    circuit.release(first)
    assert isinstance(circuit.admit(1e9), Probe)


@pytest.mark.parametrize("ok", [True, False])
def test_an_outcome_of_an_older_generation_changes_nothing(ok: bool) -> None:
    """A call that began before the opening can neither close the circuit nor open it again."""
    circuit = Circuit(THREE)
    slow = [admitted(circuit, 0.0) for _ in range(5)]
    for _ in range(3):
        call(circuit, 0.0, ok=False)

    assert slow[0].gated  # so that its success takes the long way, too
    assert circuit.settle(slow[0], ok=ok, now=1.0) is None  # while open
    first = probe(circuit, 10.0)
    assert circuit.settle(slow[1], ok=ok, now=11.0) is None  # while half open
    assert circuit.state is S.HALF_OPEN
    circuit.settle(first, ok=True, now=12.0)
    for late in slow[2:]:  # while closed again
        assert circuit.settle(late, ok=ok, now=13.0) is None

    statistics = circuit.statistics(13.0)
    assert (statistics.state, statistics.late, statistics.window) == (S.CLOSED, 5, Tally(0, 0, 0))
    assert (statistics.calls, statistics.failures) == (9, 3 if ok else 8)


def test_forced_open_refuses_until_a_hand_says_otherwise() -> None:
    circuit = Circuit(THREE)

    assert circuit.force_open(3.0) == Change(S.CLOSED, S.FORCED_OPEN, Cause.FORCE_OPEN, 3.0, math.inf, Tally(0, 0, 0))
    assert circuit.force_open(4.0) is None
    assert circuit.admit(1e9) == Rejected(math.inf, S.FORCED_OPEN)
    assert circuit.close(1e9) == Change(S.FORCED_OPEN, S.CLOSED, Cause.CLOSE, 1e9 - 3.0)
    assert isinstance(circuit.admit(1e9), Permit)


def test_disabled_lets_all_pass_by_the_short_way_and_judges_nothing() -> None:
    circuit = opened(attrs.evolve(THREE, slow_call=1.0))

    assert circuit.disable(5.0) == Change(S.OPEN, S.DISABLED, Cause.DISABLE, 5.0)
    assert not circuit.permit.gated
    for _ in range(10):
        assert call(circuit, 6.0, ok=False) is None
        assert call(circuit, 6.0, ok=True) is None

    statistics = circuit.statistics(6.0)
    assert (statistics.state, statistics.calls, statistics.failures) == (S.DISABLED, 23, 13)
    assert (statistics.window, statistics.failure_rate) == (None, None)


@pytest.mark.parametrize(
    ("settings", "gated"), [(THREE, False), (attrs.evolve(THREE, slow_call=1.0), True)], ids=["calls", "slow calls"]
)
def test_metrics_only_keeps_the_window_and_never_opens(settings: Breaker, gated: bool) -> None:
    circuit = Circuit(settings)
    circuit.metrics_only(0.0)

    assert circuit.permit.gated is gated
    for ok in (True, False, False, False, False, True):
        assert call(circuit, 1.0, ok=ok) is None

    statistics = circuit.statistics(1.0)
    assert (statistics.state, statistics.window) == (S.METRICS_ONLY, Tally(3, 2, 0))
    assert statistics.failure_rate == 2 / 3


def test_closing_by_hand_forgets_the_openings_and_is_no_move_when_closed() -> None:
    circuit = opened(attrs.evolve(THREE, growth=2.0))

    assert circuit.close(1.0) == Change(S.OPEN, S.CLOSED, Cause.CLOSE, 1.0)
    call(circuit, 1.0, ok=False)
    assert circuit.close(1.0) is None
    call(circuit, 1.0, ok=False)
    change = call(circuit, 1.0, ok=False)

    assert change is not None
    assert change.open_for == 10.0


def test_reset_begins_anew_in_every_state() -> None:
    circuit, first = half_open()
    before = admitted(Circuit(THREE), 0.0)
    assert circuit.reset(20.0) == Change(S.HALF_OPEN, S.CLOSED, Cause.RESET, 10.0)
    assert circuit.statistics(20.0) == Circuit(THREE, since=20.0).statistics(20.0)

    circuit.settle(first, ok=False, now=21.0)
    circuit.settle(before, ok=False, now=21.0)
    assert circuit.statistics(21.0).late == 2

    call(circuit, 22.0, ok=False)
    assert circuit.reset(23.0) is None  # no move, and yet the window is empty
    assert circuit.statistics(23.0) == Circuit(THREE, since=23.0).statistics(23.0)


def test_the_counters_add_up() -> None:
    circuit = Circuit(Breaker.consecutive(2, open_for=10.0, success_threshold=1, slow_call=1.0))
    call(circuit, 0.0, ok=True, duration=2.0)
    circuit.release(admitted(circuit, 0.0))
    late = admitted(circuit, 0.0)
    call(circuit, 0.0, ok=False)
    call(circuit, 0.0, ok=False)
    circuit.admit(1.0)
    circuit.settle(late, ok=True, now=2.0)
    circuit.settle(probe(circuit, 10.0), ok=True, now=11.0)
    call(circuit, 12.0, ok=True)

    statistics = circuit.statistics(12.0)
    assert attrs.asdict(statistics) | {"window": statistics.window} == {
        "state": S.CLOSED,
        "since": 11.0,
        "calls": 6,
        "successes": 4,
        "failures": 2,
        "late": 1,
        "slow": 1,
        "released": 1,
        "rejected": 1,
        "expired": 0,
        "opened": 1,
        "window": Tally(1, 0, 0),
    }
    assert statistics.failure_rate == 0.0


@pytest.mark.parametrize("now", [0.0, 0.1, 1 / 3, 9.999999999999998, 10.0, 11.0])
def test_a_quick_refusal_says_what_an_admission_would(now: float) -> None:
    quick, slow = opened(), opened()

    verdict = slow.admit(now)

    assert quick.refuse(now) == (verdict.retry_after if isinstance(verdict, Rejected) else 0.0)
    assert quick.statistics(now).rejected == slow.statistics(now).rejected


def test_the_wait_of_a_quick_refusal_is_long_enough() -> None:
    """Here the difference of the two times is rounded down, so that their sum would be before the end."""
    now, until = 7.041823713559468, 25.227415821964772
    circuit = opened(Breaker.consecutive(3, open_for=until))

    assert now + (until - now) < until <= now + circuit.refuse(now)


def test_a_quick_refusal_leaves_probes_and_calls_alone() -> None:
    halfway, _ = half_open()
    closed, forced = Circuit(THREE), Circuit(THREE)
    forced.force_open(0.0)

    assert (halfway.refuse(10.0), closed.refuse(0.0), forced.refuse(0.0)) == (0.0, 0.0, math.inf)
    assert (halfway.statistics(10.0).rejected, forced.statistics(0.0).rejected) == (0, 1)


def test_outcomes_are_all_calls_that_have_ended() -> None:
    circuit = Circuit(THREE)
    call(circuit, 0.0, ok=True)
    circuit.release(admitted(circuit, 0.0))
    for _ in range(3):
        call(circuit, 1.0, ok=False)
    circuit.settle(probe(circuit, 11.0), ok=True, now=11.0)
    call(circuit, 12.0, ok=True)

    assert circuit.outcomes == 7
    circuit.reset(12.0)
    assert circuit.outcomes == 0


def test_a_permit_is_held_until_its_generation_is_over() -> None:
    circuit = Circuit(THREE)
    permit = admitted(circuit, 0.0)
    assert circuit.holds(permit)
    for _ in range(3):
        call(circuit, 0.0, ok=False)
    trial = probe(circuit, 10.0)

    assert (circuit.holds(permit), circuit.holds(trial)) == (False, True)
    circuit.settle(trial, ok=True, now=10.0)
    assert not circuit.holds(trial)


@pytest.mark.parametrize(
    ("openings", "left", "lasted", "open_for", "since"),
    [
        (1, 4.0, 6.0, 4.0, 94.0),
        (1, 10.5, 0.0, 10.0, 100.0),  # the settings say 10 s: the clock of the other process was wrong
        (2, 1_000.0, 0.0, 20.0, 100.0),
        (9, 1_000.0, 0.0, 100.0, 100.0),  # ten times the first, at most
        (0, 1_000.0, -5.0, 10.0, 100.0),
        (1, 0.0, 50.0, 0.0, 50.0),
        (1, -50.0, 60.0, 0.0, 40.0),
        (1, math.nan, math.nan, 0.0, 100.0),
    ],
)
def test_a_restored_one_is_open_for_what_is_left_and_no_longer_than_its_settings_allow(
    openings: int, left: float, lasted: float, open_for: float, since: float
) -> None:
    circuit = Circuit(attrs.evolve(THREE, growth=2.0))

    change = circuit.restore(100.0, openings=openings, left=left, lasted=lasted)

    assert change == Change(S.CLOSED, S.OPEN, Cause.RESTORED, 100.0, open_for, Tally(0, 0, 0))
    assert circuit.retry_after(100.0) == open_for
    assert (circuit.since, circuit.openings) == (since, max(1, openings))
    assert isinstance(circuit.admit(100.0 + open_for), Probe)


def test_restored_it_opens_for_longer_the_next_time() -> None:
    circuit = Circuit(attrs.evolve(THREE, growth=2.0))
    circuit.restore(0.0, openings=2, left=5.0, lasted=0.0)

    change = circuit.settle(probe(circuit, 5.0), ok=False, now=6.0)

    assert change is not None
    assert (change.cause, change.open_for) == (Cause.PROBE_FAILED, 40.0)


def test_what_is_not_closed_is_not_restored() -> None:
    circuit = Circuit(THREE)
    circuit.disable(0.0)

    assert circuit.restore(1.0, openings=1, left=5.0, lasted=0.0) is None
    assert circuit.state is S.DISABLED


def test_it_is_unused_until_a_call_has_ended_or_was_refused() -> None:
    circuit = Circuit(THREE)
    assert circuit.is_unused

    circuit.force_open(0.0)
    assert circuit.is_unused
    circuit.admit(0.0)
    assert not circuit.is_unused

    circuit.reset(1.0)
    assert circuit.is_unused
    circuit.release(admitted(circuit, 1.0))
    assert not circuit.is_unused
