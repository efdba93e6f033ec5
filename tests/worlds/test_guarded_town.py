"""Guards keep every rule, whatever is called, cancelled and moved by hand, and each bug that is planted is found."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duenna.testing import Outcome, World
from duenna.testing.invariants import check, standard
from duenna.testing.trace import read_trace

from .guarded_town import SECONDS, calm, scenario
from .planted_guards import PLANTS

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "call_begun",
    "attempt_begun",
    "attempt_ended",
    "attempt_refused",
    "failure_counted",
    "retry_planned",
    "hedge_planned",
    "hedge_denied",
    "call_ended",
    "breaker_moved",
    "guard_reset",
}
ELSEWHERE = (
    "from tests.worlds.test_guarded_town import town; from duenna.guards import Guard; "
    "Guard('left behind'); print(town(3, 20.0).sha256)"
)


def town(seed: int, seconds: float = SECONDS, **options: object) -> Outcome:
    return World(seed, **options).simulate(scenario, seconds)  # type: ignore[arg-type]  # what a World takes


@pytest.mark.parametrize("seed", range(1, 4))
def test_guards_keep_every_rule(seed: int) -> None:
    outcome = town(seed)

    assert outcome.violations == ()
    assert outcome.error is None
    assert outcome.records > 8_000


@pytest.mark.parametrize("seed", range(1, 3))
def test_guards_keep_every_rule_without_operators(seed: int) -> None:
    outcome = World(seed).simulate(calm, SECONDS)

    assert outcome.violations == ()
    assert outcome.error is None


def test_the_town_does_all_that_is_recorded(tmp_path: Path) -> None:
    town(1, trace_file=tmp_path / "trace")

    records = list(read_trace(tmp_path / "trace"))
    assert {record.kind for record in records} >= KINDS
    assert list(check(records, standard())) == []


FINDS = {
    "probe_too_early": "open_breaker",
    "uncounted_probes": "open_breaker",
    "stale_permit": "open_breaker",
    "closed_by_time": "open_breaker",
    "retried_rejection": "rejection",
    "counted_rejection": "rejection",
    "one_attempt_more": "retry_delay",
    "deaf_to_retry_after": "retry_delay",
    "waits_past_the_deadline": "retry_delay",
    "bottomless_budget": "retry_budget",
    "retries_that_pay": "retry_budget",
    "bare_bucket": "retry_budget",
    "order_sent_twice": "ambiguous_retry",
    "leaked_permit": "given_back",
    "leaked_slot": "given_back",
}
"""By which rule each bug is found, within a dozen seeds."""


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_planted_bug_is_found(name: str) -> None:
    with PLANTS[name]():
        found = (town(seed, 60.0) for seed in range(1, 13))
        broken = any(FINDS[name] == violation.checker for outcome in found for violation in outcome.violations)

    assert broken


def test_the_same_seed_gives_the_same_calls() -> None:
    hashes = [town(seed, 20.0).sha256 for seed in (3, 4, 3)]

    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def test_in_processes_with_other_hash_seeds_too() -> None:
    """And with guards in them that have nothing to do with the world."""
    hashes = {
        subprocess.run(  # noqa: S603  # this very Python
            [sys.executable, "-c", ELSEWHERE],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "random")
    }

    assert hashes == {f"{town(3, 20.0).sha256}\n"}
