"""The public names of `duenna.testing`, imported when the first of them is used."""

from duenna.testing._decorator import world_test
from duenna.testing._errors import WorldError
from duenna.testing._guards import fresh_guards
from duenna.testing._leaks import Leak, WorldLeakError
from duenna.testing._net import Host, Link, Network
from duenna.testing._simulation import Outcome, Scenario
from duenna.testing._world import World
from duenna.testing.invariants import Checker, Violation
from duenna.testing.probe import data_probe
from duenna.testing.rehearsal import HANGS, rehearse
from duenna.testing.simfs import SimFs, SimulatedCrash
from duenna.testing.steps import Plan

__all__ = [
    "HANGS",
    "Checker",
    "Host",
    "Leak",
    "Link",
    "Network",
    "Outcome",
    "Plan",
    "Scenario",
    "SimFs",
    "SimulatedCrash",
    "Violation",
    "World",
    "WorldError",
    "WorldLeakError",
    "data_probe",
    "fresh_guards",
    "rehearse",
    "world_test",
]
