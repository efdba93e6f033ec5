"""Every error goes its whole way, once, whatever goes wrong; and each bug that is planted on that way is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.error_events import AlertRaised, AlertResolved, ErrorClassified, RecoveryAttempted
from duenna.records import parse_recovery_line
from duenna.testing import Outcome, World
from duenna.testing.invariants import check, standard
from duenna.testing.trace import read_trace

from .error_bot import SECONDS, calm, make, scenario
from .planted_errors import PLANTS

if TYPE_CHECKING:
    from pathlib import Path

    from duenna.events import Event

KINDS = {
    "alert_raised",
    "alert_resolved",
    "alert_settings",
    "breaker_moved",
    "child_parked",
    "child_restarting",
    "error_classified",
    "error_counted",
    "error_logged",
    "error_reported",
    "error_sent",
    "errors_begin",
    "errors_end",
    "health_changed",
    "notification_delayed",
    "notification_sent",
    "recovery_attempted",
    "recovery_logged",
    "settings_changed",
    "settings_rejected",
}
ELSEWHERE = "from tests.worlds.test_error_bot import bot; print(bot(3, 900.0).sha256)"


def bot(seed: int, seconds: float = SECONDS, **options: Any) -> Outcome:
    return World(seed, **options).simulate(scenario, seconds)


@pytest.mark.parametrize("seed", range(1, 7))
def test_errors_keep_every_rule(seed: int) -> None:
    outcome = bot(seed)

    assert outcome.violations == ()
    assert outcome.error is None
    assert outcome.records > 3_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_errors_keep_every_rule_in_many_worlds(seed: int) -> None:
    outcome = bot(seed, detail="messages" if seed % 2 else "events", faults="default" if seed % 3 == 0 else None)

    assert outcome.violations == ()
    assert outcome.error is None


def test_under_the_faults_of_a_network_too() -> None:
    """Those of the pager's: a receiver that cannot be reached is an error of its own."""
    outcome = bot(1, faults="default", detail="messages")

    assert outcome.strikes > 0
    assert outcome.violations == ()


def test_without_faults_there_is_no_error_and_no_alert(tmp_path: Path) -> None:
    outcome = World(1, trace_file=tmp_path / "trace").simulate(calm, SECONDS)

    seen = Counter(record.kind for record in read_trace(tmp_path / "trace"))
    assert outcome.violations == ()
    told = {
        "settings_rejected",
        "alert_raised",
        "alert_resolved",
    }  # of the wrong settings, which are written on purpose
    assert {kind for kind in seen if kind in KINDS} <= told | {
        "alert_settings",
        "errors_begin",
        "errors_end",
        "notification_sent",
        "settings_changed",
    }
    assert [seen[kind] for kind in sorted(told)] == [1, 1, 1]


def test_the_bot_does_all_that_rules_are_about(tmp_path: Path) -> None:
    bot(1, trace_file=tmp_path / "trace")

    records = list(read_trace(tmp_path / "trace"))
    assert {record.kind for record in records} >= KINDS
    assert {record.fields["source"] for record in records if record.kind == "error_sent"} == {
        "check",
        "crash",
        "guard",
        "handler",
        "report",
    }
    judged = [record.fields["verdict"] for record in records if record.kind == "error_classified"]
    assert {verdict["category"] for verdict in judged} >= {"NETWORK", "RATE_LIMIT", "AUTH", "DATA", "DATABASE"}
    assert list(check(records, standard(bound=700.0))) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_on_the_disk_is_what_was_told(seed: int) -> None:
    """Line by line, in order: each new error in the one log, each step of a recovery in the other."""
    world = World(seed)
    told: list[Event] = []
    given = scenario(world)
    counts: dict[str, int] = {}

    async def main() -> list[list[str]]:
        async with world.open_runtime(given, hear=told.append) as runtime:
            await trio.sleep(SECONDS)
        counts.update(runtime.errors.summary().errors_by_category)
        logs = runtime.records.logs if runtime.records is not None else ()
        return [
            [line for file in sorted(log.folder.iterdir()) for line in file.read_text().splitlines()] for log in logs
        ]

    errors, steps = world.run(main, seconds=SECONDS)

    assert world.violations() == ()
    new = [each for each in told if isinstance(each, ErrorClassified) and each.report.repeats is None]
    assert [(line["error_message"], line["category"]) for line in map(json.loads, errors)] == [
        (each.report.message, str(each.verdict.category)) for each in new
    ]
    assert Counter(counts) == Counter(str(each.verdict.category) for each in new)
    lines = [(line.status, line.retry_count) for line in map(parse_recovery_line, steps)]
    assert lines == [
        (each.status if each.status != "gave_up" else "failed", each.attempt)
        for each in told
        if isinstance(each, RecoveryAttempted)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_who_is_told_that_something_is_wrong_is_told_that_it_is_over(seed: int) -> None:
    world = World(seed)
    told: list[Event] = []
    given, _, book, pager = make(world)

    async def main() -> None:
        async with world.open_runtime(given, hear=told.append):
            await trio.sleep(SECONDS)

    world.run(main, seconds=SECONDS)

    raised = {each.id for each in told if isinstance(each, AlertRaised)}
    over = {each.id for each in told if isinstance(each, AlertResolved)}
    firing = {alert.id for note in book.got for alert in note.firing}
    ended = {alert.id for note in book.got for alert in note.resolved}
    assert len(firing) > 30
    assert over <= raised
    assert firing | ended <= raised  # what is explained by another alert when its group's turn comes is not told
    assert firing & over <= ended <= over
    posted = [json.loads(body) for body in pager.bodies]
    assert {alert["id"] for body in posted for alert in body["alerts"]} <= raised


FINDS = {
    "dropped_report": "errors_once",
    "doubled_report": "errors_once",
    "silent_crash": "errors_once",
    "doubled_count": "errors_once",
    "counted_again": "errors_once",
    "lost_line": "errors_once",
    "lost_step": "recoveries_told",
    "success_of_nothing": "recoveries_told",
    "silent_park": "recoveries_told",
    "no_cooldown": "alert_pairs",
    "endless_alert": "alert_pairs",
    "ended_twice": "alert_pairs",
    "stubborn_restart": "by_hand",
    "impatient_park": "by_hand",
}
"""By which rule each bug is found, within a dozen seeds."""


@pytest.mark.parametrize("name", list(PLANTS))
def test_a_planted_bug_is_found(name: str) -> None:
    with PLANTS[name]():
        found = (bot(seed) for seed in range(1, 13))
        broken = any(FINDS[name] == violation.checker for outcome in found for violation in outcome.violations)

    assert broken


def test_the_same_seed_gives_the_same_errors() -> None:
    hashes = [bot(seed, 900.0).sha256 for seed in (3, 4, 3)]

    assert hashes[0] == hashes[2]
    assert hashes[0] != hashes[1]


def test_in_processes_with_other_hash_seeds_too() -> None:
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

    assert hashes == {f"{bot(3, 900.0).sha256}\n"}
