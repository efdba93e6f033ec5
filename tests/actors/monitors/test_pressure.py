"""The steps against too much memory."""

from __future__ import annotations

from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.monitors._pressure import MemoryLevel, MemoryStep, Pressure

N, S, R, X, OVER = MemoryStep.NOTICE, MemoryStep.SHRINK, MemoryStep.RESTART, MemoryStep.SPENT, MemoryStep.RELIEF


def pressure(**options: float) -> Pressure:
    return Pressure(limit=100, step_wait=10, restart_cooldown=30, **options)


def test_step_by_step_with_waits_between() -> None:
    """Each step waits 10 s for the one before; restarts are 30 s apart; the end is said once."""
    machine = pressure()
    seen = [(now, machine.assess(now, 101, None, can_restart=now < 60)) for now in range(0, 101, 5)]
    assert [(now, step) for now, step in seen if step] == [(0, N), (10, S), (20, R), (50, R), (60, X)]
    assert machine.level is MemoryLevel.CRITICAL
    assert machine.due_at() == inf


def test_the_limit_itself_is_borne() -> None:
    machine = pressure()
    assert machine.assess(0, 100, None, can_restart=True) is None
    assert machine.level is MemoryLevel.NORMAL
    assert machine.due_at() == inf


def test_between_relief_and_limit_nothing_is_done_and_nothing_is_over() -> None:
    machine = pressure()
    assert machine.assess(0, 101, None, can_restart=True) is N
    assert machine.assess(10, 95, None, can_restart=True) is None
    assert (machine.level, machine.since) == (MemoryLevel.HIGH, 0)
    assert machine.assess(20, 101, None, can_restart=True) is S
    assert machine.assess(30, 90, None, can_restart=True) is OVER
    assert (machine.level, machine.since) == (MemoryLevel.NORMAL, None)


def test_growth_alone_is_pressure_and_must_be_known_to_be_over() -> None:
    machine = pressure(max_growth=50)
    assert machine.assess(0, 10, None, can_restart=True) is None
    assert machine.assess(1, 10, 50, can_restart=True) is None
    assert machine.assess(2, 10, 51, can_restart=True) is N
    assert machine.assess(12, 10, None, can_restart=True) is None
    assert machine.assess(13, 10, 46, can_restart=True) is None
    assert machine.assess(14, 10, 45, can_restart=True) is OVER


def test_the_cooldown_of_restarts_outlasts_a_pressure() -> None:
    machine = pressure()
    for now in (0, 10, 20):
        machine.assess(now, 101, None, can_restart=True)
    assert machine.assess(21, 50, None, can_restart=True) is OVER
    steps = [(now, machine.assess(now, 101, None, can_restart=True)) for now in range(22, 60)]
    assert [(now, step) for now, step in steps if step] == [(22, N), (32, S), (50, R)]


def test_waits_begin_when_a_step_has_ended() -> None:
    machine = pressure()
    for now in (0, 10, 20):
        machine.assess(now, 101, None, can_restart=True)
    machine.ended(25)
    assert machine.due_at() == 35
    steps = [(now, machine.assess(now, 101, None, can_restart=True)) for now in range(25, 60)]
    assert [(now, step) for now, step in steps if step] == [(55, R)]
    machine = pressure()
    machine.assess(0, 101, None, can_restart=True)
    machine.ended(5)
    assert machine.due_at() == 15


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 200), st.booleans()), max_size=100))
def test_restarts_are_apart_and_the_end_is_said_once(checks: list[tuple[float, int, bool]]) -> None:
    machine, now, restarts, steps = pressure(), 0.0, [-inf], list[MemoryStep]()
    for wait, size, can_restart in checks:
        now += wait
        step = machine.assess(now, size, None, can_restart=can_restart)
        if step is not None:
            steps.append(step)
        if step is R:
            assert now - restarts[-1] >= 30
            restarts.append(now)
    for before, after in pairwise(steps):
        assert (after is N) == (before is OVER)
        assert (after is S) == (before is N and after is not OVER)
        assert after is OVER or before is not X
