"""What the benchmark of guards makes of its samples, and that each of its jobs exists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.kit import load

guards = load("guards")
launcher = load("_launcher")
plan = load("_guards_plan")
side_guard = load("side_guard")

SUCCESS, REJECTED, FAILED = plan.TOPICS


def samples(topic: Any, column: str, **seconds: list[float]) -> Any:
    """Return the samples of some lines of a table."""
    named = {name.replace("_", " "): values for name, values in seconds.items()}
    jobs = {
        subject.job(topic.name, column): [{"seconds": value} for value in named[subject.name]]
        for subject in topic.subjects
        if subject.name in named
    }
    return launcher.Samples(by_job=jobs)


def test_a_ratio_is_of_the_quickest_peer_of_one_policy() -> None:
    """A peer with both policies does not count, nor does the guard itself or the bare call."""
    taken = samples(SUCCESS, "sync", bare=[1.0], guard=[3.0], tenacity=[100.0], circuitbreaker=[10.0], stamina=[50.0])

    verdict = guards.judge(plan.Ratio("success", "sync", 0.35), SUCCESS, taken)

    assert (verdict.found, verdict.verdict) == ("0.30x of circuitbreaker", "pass")


def test_a_ratio_is_that_of_the_best_samples() -> None:
    taken = samples(REJECTED, "trio", guard=[9.0, 2.0, 9.0], hyx=[7.0, 7.0, 1.0])

    verdict = guards.judge(plan.Ratio("rejected", "trio", 1.0), REJECTED, taken)

    assert (verdict.found, verdict.verdict) == ("2.00x of hyx", "MISSED")


def test_turns_are_taken_together() -> None:
    """A job that failed in one of them is no longer measured, wherever it succeeded."""
    first = launcher.Samples(by_job={"a": [{"seconds": 1.0}], "b": [{"seconds": 2.0}]})
    second = launcher.Samples(by_job={"a": [{"seconds": 3.0}]}, failures={"b": "why"})

    both = guards.merged([first, second])

    assert both.by_job == {"a": [{"seconds": 1.0}, {"seconds": 3.0}]}
    assert both.failures == {"b": "why"}


@pytest.mark.parametrize(
    ("guard", "checkpoint", "verdict"),
    [(3.2e-6, 2.97e-6, "pass"), (4.4e-6, 5.94e-6, "scaled"), (4.4e-6, 2.97e-6, "MISSED")],
)
def test_an_extra_cost_is_counted_in_checkpoints_where_they_are_slow(
    guard: float, checkpoint: float, verdict: str
) -> None:
    taken = samples(FAILED, "sync", bare=[1.3e-6, 1.2e-6], guard=[9e-6, guard])
    taken.by_job[plan.CHECKPOINT] = [{"seconds": checkpoint}]

    assert guards.judge(plan.Extra("failed", "sync", 2e-6), FAILED, taken).verdict == verdict


@pytest.mark.parametrize("goal", plan.GOALS)
def test_what_was_not_measured_is_neither_reached_nor_missed(goal: Any) -> None:
    topic = next(topic for topic in plan.TOPICS if topic.name == goal.topic)

    assert guards.judge(goal, topic, launcher.Samples()).verdict == "not measured"


def test_a_table_shows_what_failed_and_leaves_out_what_does_not_take_part() -> None:
    column = samples(REJECTED, "sync", guard=[1e-6, 2e-6], circuitbreaker=[2e-6, 4e-6])

    lines = guards.table(REJECTED, {"rejected.sync": column}).splitlines()

    assert [line.split("  ")[0] for line in lines[2:]] == [subject.title for subject in REJECTED.subjects]
    assert lines[2].endswith("1,000 (1.00x)")
    assert lines[3].endswith("2,000 (2.00x)")
    assert lines[4].endswith("failed")
    assert lines[7].strip() == "hyx"


def test_each_job_of_the_guard_is_one_that_its_worker_has() -> None:
    made = set(side_guard.measures())
    jobs = {job for topic in plan.TOPICS for column in topic.columns for job in topic.measure(column).jobs}

    assert {job.partition(":")[2] for job in jobs if job.startswith("guard:")} == made


@pytest.mark.parametrize("name", sorted(side_guard.measures()))
def test_each_job_of_the_guard_takes_a_sample(name: str) -> None:
    assert side_guard.measures()[name](40)["seconds"] > 0
