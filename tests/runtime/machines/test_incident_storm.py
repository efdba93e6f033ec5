"""How many incidents are let through."""

from __future__ import annotations

from duenna.machines.incident_storm import IncidentStorm


def test_one_of_a_path_within_the_time_apart_its_end_excluded() -> None:
    storm = IncidentStorm(apart=60.0)

    told = [storm.admits(now, "/a") for now in (0.0, 59.9, 60.0, 119.0, 120.0)]

    assert told == [True, False, True, False, True]
    assert (storm.told(), storm.told()) == (2, 0)


def test_paths_do_not_wait_for_each_other() -> None:
    storm = IncidentStorm()

    assert [storm.admits(0.0, "/a"), storm.admits(0.0, "/b"), storm.admits(0.0, "/a")] == [True, True, False]


def test_so_many_of_all_paths_within_the_longer_time() -> None:
    storm = IncidentStorm(apart=1.0, most=3, within=100.0)

    told = [storm.admits(now, f"/{now}") for now in (0.0, 10.0, 20.0, 30.0, 99.9, 100.0, 105.0, 110.0)]

    assert told == [True, True, True, False, False, True, False, True]
    assert storm.skipped == 3


def test_so_many_of_all_paths_at_once() -> None:
    """A thousand that are parked together hold the loop three times, not twenty; a second later it may be again."""
    storm = IncidentStorm()

    told = [storm.admits(now, f"/{number}") for number, now in enumerate((0.0, 0.2, 0.9, 0.99, 1.0, 1.1, 1.2, 1.3))]

    assert told == [True, True, True, False, True, False, True, False]
