"""The field's worst outage: a peer that vanishes without a word. How long a feed is silent after it is bounded."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from duenna.faults import FaultPlan, HalfOpen, Planned
from duenna.testing import World
from duenna.testing.trace import read_trace
from duenna_actors.demo.bot import Pace, scenario

if TYPE_CHECKING:
    from pathlib import Path

TICK = 5.0
STRIKES = 24


def longest_silence(file: Path) -> float:
    """Return the longest time between two data of one feed, in seconds."""
    newest: dict[str, float] = {}
    longest = 0.0
    for record in read_trace(file):
        if record.kind == "data":
            longest = max(longest, record.t - newest.get(record.path, record.t))
            newest[record.path] = record.t
    return longest


@pytest.mark.parametrize("seed", range(3))
def test_a_feed_is_silent_no_longer_than_its_deadlines_add_up_to(seed: int, tmp_path: Path) -> None:
    """Deadline of the data, of the handshake, and the longest backoff; strikes come at 24 moments of its life."""
    pace, rng = Pace(), Random(seed)  # noqa: S311 - moments of strikes need no cryptography
    moments = [200.0 * n + 190.0 * rng.random() for n in range(STRIKES)]
    strikes = tuple(Planned(fault=HalfOpen(), target="exchange", at=moment) for moment in moments)
    world = World(seed, trace_file=tmp_path / "trace", faults=FaultPlan(faults=strikes))

    outcome = world.simulate(scenario, 200.0 * STRIKES + 300.0)

    assert outcome.ok, outcome.violations
    assert outcome.strikes == STRIKES
    silence = longest_silence(tmp_path / "trace")
    assert TICK * 2 < silence <= pace.detection + pace.connect_timeout + pace.longest_backoff
