"""The kernel keeps every rule on the busy tree, and each bug that is planted in it is found."""

from pathlib import Path
from typing import Any

import pytest

from duenna.testing import Outcome, World
from duenna.testing.trace import Record, read_trace

from .busy_tree import SECONDS, peaceful, scenario
from .planted_kernel import PLANTS

MESSAGE_KINDS = {"sent", "received", "handled", "dropped", "redelivered", "watch", "unwatch", "down", "down_received"}
TIMER_KINDS = {"timer", "timer_received"}


def run(seed: int, seconds: float, make: Any = scenario, **options: Any) -> Outcome:
    """Run the busy tree in a world of its own, with all its messages in the trace."""
    return World(seed, **{"detail": "messages", **options}).simulate(make, seconds)


def found(outcome: Outcome) -> set[str]:
    """Give the names of the rules that were broken."""
    return {violation.checker for violation in outcome.violations}


@pytest.mark.parametrize("seed", range(1, 4))
def test_busy_tree_keeps_every_rule(seed: int) -> None:
    outcome = run(seed, 60.0)

    assert outcome.violations == ()
    assert outcome.error is None
    assert outcome.records > 2_000


@pytest.mark.slow
def test_busy_tree_comes_to_rest() -> None:
    """To the end, with its calm part, after which everybody has to run."""
    outcome = run(1, SECONDS)

    assert outcome.violations == ()
    assert outcome.error is None


def test_peaceful_tree_has_no_errors() -> None:
    """Operators and messages alone break nothing."""
    outcome = run(1, 60.0, peaceful)

    assert outcome.violations == ()
    assert outcome.error is None


def test_tap_changes_nothing(tmp_path: Path) -> None:
    """With and without it, everything else happens in the same order at the same times."""
    files = [tmp_path / "events", tmp_path / "messages"]

    run(2, 60.0, detail="events", trace_file=files[0])
    run(2, 60.0, trace_file=files[1])

    events, messages = (list(read_trace(file)) for file in files)
    assert len(messages) > 2 * len(events)
    assert [facts(record) for record in messages if not is_message(record)] == [facts(record) for record in events]


def test_same_seed_gives_the_same_messages() -> None:
    hashes = [run(seed, 30.0).sha256 for seed in (1, 2, 1)]

    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


FINDS: dict[str, tuple[str, Any, float, int]] = {
    "stop_order_reversed": ("stop_order", scenario, 30.0, 1),
    "double_start": ("one_incarnation", scenario, 200.0, 8),
    "lost_down": ("death_watch", scenario, 200.0, 8),
    "unbounded_queue": ("mailbox_bound", scenario, 30.0, 1),
    "swallowed_cancelled": ("explained", peaceful, 60.0, 1),
    "old_timer": ("old_timer", scenario, 60.0, 1),
}
"""By which rule each bug is found, where, within how many seconds of how many seeds."""


@pytest.mark.parametrize("name", list(PLANTS))
def test_planted_bug_is_found(name: str) -> None:
    """By the rule that is for it; other rules may see what follows from it."""
    rule, make, seconds, seeds = FINDS[name]

    with PLANTS[name]():
        broken = next((seed for seed in range(1, seeds + 1) if rule in found(run(seed, seconds, make))), None)

    assert broken is not None


def is_message(record: Record) -> bool:
    """Return whether *record* is one that only the tap writes; the event of a dead letter has no number."""
    return record.kind in MESSAGE_KINDS | TIMER_KINDS or (record.kind == "dead_letter" and "number" in record.fields)


def facts(record: Record) -> tuple[Any, ...]:
    """Return all of *record* but its number."""
    return record.t, record.kind, record.path, record.incarnation, record.fields
