"""Shrinking a fault plan, with rules in the place of worlds."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from duenna.faults import FaultPlan, HalfOpen, Latency, Partition, Planned, Reset, random_plan
from duenna.testing.shrink import shrink, unrolled

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600.0


class Bug:
    """Breaks where *rule* holds, and counts how often it was asked."""

    def __init__(self, rule: Callable[[FaultPlan], bool]) -> None:
        self.rule = rule
        self.runs = 0

    def __call__(self, plan: FaultPlan) -> bool:
        self.runs += 1
        return self.rule(plan)


def kinds(plan: FaultPlan) -> list[type]:
    return [type(planned.fault) for planned in plan.faults]


def storm(seed: int, seconds: float = HOUR) -> FaultPlan:
    """Draw a plan, with a half-open peer among the faults."""
    drawn = random_plan(Random(seed), seconds, hosts=["exchange"], every=400.0)  # noqa: S311
    others = [planned for planned in drawn.faults if not isinstance(planned.fault, HalfOpen)]
    return FaultPlan(faults=(*others, Planned(at=1234.567, target="exchange", fault=HalfOpen())))


@pytest.mark.parametrize("seed", range(5))
def test_only_the_fault_that_matters_is_left(seed: int) -> None:
    """It is moved to the front, too, and no more runs are made than were allowed."""
    bug = Bug(lambda plan: HalfOpen in kinds(plan))

    found = shrink(storm(seed), HOUR, bug, runs=60)

    assert found.plan.faults == (Planned(at=1.0, target="exchange", fault=HalfOpen()),)
    assert not found.is_exhausted
    assert bug.runs == found.runs <= 60


def test_two_faults_that_only_break_together_both_stay() -> None:
    bug = Bug(lambda plan: {Reset, Partition} <= set(kinds(plan)))
    plan = FaultPlan(
        faults=(
            Planned(at=100.0, fault=Reset()),
            Planned(at=200.0, fault=Latency(extra=3.0), duration=50.0),
            Planned(at=300.0, fault=Partition(), duration=500.0),
            Planned(at=900.0, fault=HalfOpen()),
        )
    )

    found = shrink(plan, HOUR, bug, runs=60)

    assert found.plan.faults == (Planned(at=1.0, fault=Reset()), Planned(at=1.0, fault=Partition(), duration=1.0))


def test_a_fault_is_as_long_as_it_must_be() -> None:
    bug = Bug(lambda plan: any((planned.duration or 0.0) >= 45.0 for planned in plan.faults))
    plan = FaultPlan(faults=(Planned(at=100.0, fault=Partition(), duration=1000.0),))

    found = shrink(plan, HOUR, bug, runs=60)

    assert found.plan.faults == (Planned(at=1.0, fault=Partition(), duration=60.0),)


def test_a_fault_that_must_come_late_stays_late() -> None:
    bug = Bug(lambda plan: any(planned.at >= 250.0 for planned in plan.faults))
    plan = FaultPlan(faults=(Planned(at=1000.0, fault=Reset()),))

    assert shrink(plan, HOUR, bug, runs=60).plan.faults == (Planned(at=300.0, fault=Reset()),)


def test_what_breaks_without_faults_shrinks_to_none() -> None:
    assert shrink(storm(1), HOUR, lambda plan: True, runs=60).plan.faults == ()


def test_of_repeats_only_the_one_that_matters_is_left() -> None:
    bug = Bug(lambda plan: bool(plan.faults))
    plan = FaultPlan(faults=(Planned(at=10.0, fault=Reset(), every=1.0),))

    found = shrink(plan, HOUR, bug, runs=60)

    assert found.plan.faults == (Planned(at=1.0, fault=Reset()),)


def test_of_a_thousand_faults_the_last_ones_are_tried_first() -> None:
    """What broke at the end of a day mostly broke by what came just before."""
    bug = Bug(lambda plan: any(planned.at > 86_000.0 for planned in plan.faults))
    plan = FaultPlan(faults=(Planned(at=10.0, fault=Reset(), every=80.0),))

    found = shrink(plan, 86_400.0, bug, runs=30)

    assert kinds(found.plan) == [Reset]
    assert found.runs <= 30


def test_the_limit_is_kept_and_what_was_found_until_then_breaks() -> None:
    bug = Bug(lambda plan: HalfOpen in kinds(plan))

    found = shrink(storm(1), HOUR, bug, runs=4)

    assert found.is_exhausted
    assert bug.runs == 4
    assert HalfOpen in kinds(found.plan)


def test_the_same_failure_shrinks_the_same_way() -> None:
    def once() -> FaultPlan:
        return shrink(storm(2), HOUR, lambda plan: HalfOpen in kinds(plan), runs=25).plan

    assert once() == once()


def test_repeats_are_written_out() -> None:
    plan = FaultPlan(
        faults=(
            Planned(at=10.0, fault=Partition(), duration=2.0, every=50.0, times=2),
            Planned(at=20.0, fault=Reset()),
        )
    )

    assert unrolled(plan, 100.0) == (
        Planned(at=10.0, fault=Partition(), duration=2.0),
        Planned(at=20.0, fault=Reset()),
        Planned(at=60.0, fault=Partition(), duration=2.0),
    )
