"""A bot whose requests are guarded keeps every rule on a network and an exchange that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.faults import FaultPlan, Planned, Service
from duenna.testing import Outcome, World
from duenna.testing.trace import read_trace

from .guarded_bot import scenario
from .planted_guards import PLANTS

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 300.0
DOWN = FaultPlan(faults=(Planned(fault=Service(name="down"), target="exchange", at=20.0, duration=100.0),))


def rough(seed: int, faults: FaultPlan | None = None, seconds: float = SECONDS, file: Path | None = None) -> Outcome:
    return World(seed, faults=faults or "default", trace_file=file).simulate(scenario, seconds)


@pytest.mark.parametrize("seed", range(1, 7))
def test_guards_keep_every_rule_whatever_happens(seed: int) -> None:
    outcome = rough(seed)

    assert outcome.violations == ()
    assert outcome.error is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(7, 15))
def test_guards_keep_every_rule_over_many_seeds(seed: int) -> None:
    outcome = rough(seed, seconds=900.0)

    assert outcome.violations == ()
    assert outcome.error is None


def test_an_outage_shows_in_the_trace(tmp_path: Path) -> None:
    """Calls are tried again, the breaker opens, lets probes through, and closes when all is well."""
    outcome = rough(1, DOWN, file=tmp_path / "trace")

    assert outcome.ok
    records = list(read_trace(tmp_path / "trace"))
    moves = [record.fields["state"] for record in records if record.kind == "breaker_moved"]
    assert moves[:2] == ["open", "half_open"]
    assert moves[-1] == "closed"
    sent = [record for record in records if record.kind == "attempt_begun" and 40.0 < record.t < 110.0]
    refused = [record for record in records if record.kind == "attempt_refused" and 40.0 < record.t < 110.0]
    assert len(refused) > 5 * len(sent)


def test_an_order_that_is_sent_twice_is_found_by_the_guard_and_by_the_exchange() -> None:
    with PLANTS["order_sent_twice"]():
        outcome = rough(1, DOWN)

    assert {violation.checker for violation in outcome.violations} == {"ambiguous_retry", "one_order"}


def test_the_same_seed_gives_the_same_trace() -> None:
    hashes = [rough(seed, seconds=150.0).sha256 for seed in (2, 3, 2)]

    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]
