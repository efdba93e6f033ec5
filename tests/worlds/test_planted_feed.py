"""Each bug that is planted in the connections breaks a rule, and what breaks it is the plan, not the bot."""

from __future__ import annotations

import pytest

from duenna.faults import FaultPlan, HalfOpen, Planned, Service
from duenna.testing import Outcome, World
from duenna_actors.demo.bot import scenario

from .planted_feed import PLANTS


def closed(at: float, code: int) -> Planned:
    return Planned(fault=Service(name="close_sockets", params={"code": code}), target="exchange", at=at)


FINDS: dict[str, tuple[str, tuple[Planned, ...]]] = {
    "no_receive_timeout": ("staleness", (Planned(fault=HalfOpen(), target="exchange", at=100.0),)),
    "backoff_reset_at_connect": ("failure_count", tuple(closed(100.0 + 15.0 * count, 1006) for count in range(3))),
    "resubscription_forgotten": ("staleness", (closed(100.0, 1006),)),
    "close_code_1000_is_final": ("staleness", (closed(100.0, 1000),)),
}


def rough(*faults: Planned) -> Outcome:
    return World(1, faults=FaultPlan(faults=faults)).simulate(scenario, 900.0)


@pytest.mark.parametrize("name", FINDS)
def test_planted_bug_is_found(name: str) -> None:
    rule, faults = FINDS[name]

    with PLANTS[name]():
        outcome = rough(*faults)

    assert rule in {violation.checker for violation in outcome.violations}


@pytest.mark.parametrize("name", FINDS)
def test_without_the_bug_the_same_faults_break_nothing(name: str) -> None:
    assert rough(*FINDS[name][1]).violations == ()


def test_every_bug_has_its_test() -> None:
    assert FINDS.keys() == PLANTS.keys()
