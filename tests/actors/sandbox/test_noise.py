"""Chance by position."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna_actors.sandbox._noise import bits, flow, gauss, mix, signed, uniform, walk, wave

KEYS = st.integers(0, 2**64 - 1)
TIMES = st.floats(-1e8, 1e8)


def test_the_bits_are_those_of_splitmix64() -> None:
    """The second output of SplitMix64 with seed 0, as its authors publish it: mix of twice the golden gamma."""
    assert mix(2 * 0x9E3779B97F4A7C15 & 2**64 - 1) == 0x6E789E6AA1B965F4


@given(KEYS, st.integers(-(2**40), 2**40), st.integers(0, 100))
def test_draws_stay_in_their_ranges(key: int, across: int, down: int) -> None:
    assert 0 <= bits(key, across, down) < 2**64
    assert 0.0 <= uniform(key, across, down) <= 1.0
    assert -1.0 <= signed(key, across, down) <= 1.0
    assert abs(gauss(key, across, down)) < 3.5


def test_the_bell_has_mean_0_and_deviation_1() -> None:
    drawn = [gauss(1, position) for position in range(20_000)]

    assert statistics.fmean(drawn) == pytest.approx(0.0, abs=0.02)
    assert statistics.pstdev(drawn) == pytest.approx(1.0, abs=0.02)


def test_a_walk_moves_by_the_root_of_the_time() -> None:
    """Brownian motion: the variance of a step is its length, at every scale."""
    path = walk(7)
    for step in (1.0, 60.0, 3_600.0):
        moves = [path.at(i * step + step) - path.at(i * step) for i in range(4_000)]

        assert statistics.pstdev(moves) == pytest.approx(step**0.5, rel=0.06)


@given(KEYS, st.lists(TIMES, min_size=1, max_size=20))
def test_a_path_does_not_remember(key: int, times: list[float]) -> None:
    """What was asked before changes nothing: any order gives the same answers."""
    asked = walk(key)
    answers = [asked.at(time) for time in times]

    assert [walk(key).at(time) for time in times] == answers
    assert [asked.at(time) for time in reversed(times)] == answers[::-1]


@given(KEYS, TIMES)
def test_a_wave_stays_within_one(key: int, time: float) -> None:
    assert abs(wave(key).at(time)) <= 1.0


@given(KEYS, st.floats(-1e6, 1e6), st.floats(0.001, 10_000.0))
def test_time_with_its_flow_only_grows(key: int, time: float, later: float) -> None:
    path = flow(key)

    grown = later + path.at(time + later) - path.at(time)

    assert 0.05 * later <= grown <= 1.95 * later
