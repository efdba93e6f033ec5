"""When a group stops and starts, and how it is counted (C28, C29, C74)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    GaveUpError,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import ALL_UP, GROUPS, node, opened, serve, settle, state, states


async def test_c28_siblings_wait_each_for_their_own_time(probe: Probe) -> None:
    """A crash during a sibling's backoff neither delays nor hastens it."""
    children = [probe.child("a", backoff=Backoff.steps(10)), probe.child("b", backoff=Backoff.steps(1))]

    async with opened(Supervisor("bot", children)):
        probe.crash("a")
        await trio.sleep(5)
        probe.crash("b")
        await trio.sleep(20)

    assert probe.times("+", "a") == [0, 10]
    assert probe.times("+", "b") == [0, 6]


@GROUPS
async def test_group_stops_at_once_and_starts_after_the_triggers_backoff(probe: Probe, strategy: Any) -> None:
    """The group is down for the backoff of the child whose crash began it, and no other."""
    children = [
        probe.child("a", backoff=Backoff.steps(3)),
        probe.child("b", backoff=Backoff.steps(50)),
        probe.child("c", backoff=Backoff.steps(70)),
    ]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(1)
        meanwhile = state(runtime, "/bot/a")
        await trio.sleep(200)
        log = list(probe.timed)

    assert log == [(0, "-a"), (0, "-c"), (0, "-b"), (3, "+a"), (3, "+b"), (3, "+c")]
    assert meanwhile == "backoff"


async def test_slow_stop_of_the_group_runs_beside_the_backoff(probe: Probe) -> None:
    """The backoff runs from the crash: a stop that takes longer than it adds no further wait."""
    probe.plan("b", Script(stop_takes=5))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(3)), strategy="one_for_all")

    async with opened(tree):
        probe.forget()
        probe.crash("a")
        await trio.sleep(50)
        stopped, started = probe.times("-", "b")[0], probe.times("+", "a")[0]

    assert stopped == 5
    assert started in {5, 8}


async def test_crash_of_an_earlier_child_cancels_the_pending_restart_of_a_later_one(probe: Probe) -> None:
    """rest_for_one: c waits out its backoff when a crashes; c then comes up with a's group, once."""
    children = [
        probe.child("a", backoff=Backoff.steps(3)),
        probe.child("b"),
        probe.child("c", backoff=Backoff.steps(10)),
    ]

    async with opened(Supervisor("bot", children, strategy="rest_for_one")):
        probe.forget()
        probe.crash("c")
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(50)
        log = list(probe.timed)

    assert log == [(0, "-c"), (5, "-a"), (5, "-b"), (8, "+a"), (8, "+b"), (8, "+c")]


async def test_pending_restart_that_was_cancelled_never_fires(probe: Probe) -> None:
    """The other way round: the group's wait is longer than what was left of c's."""
    children = [
        probe.child("a", backoff=Backoff.steps(30)),
        probe.child("b"),
        probe.child("c", backoff=Backoff.steps(10)),
    ]

    async with opened(Supervisor("bot", children, strategy="rest_for_one")):
        probe.forget()
        probe.crash("c")
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(100)
        log = list(probe.timed)

    assert log == [(0, "-c"), (5, "-a"), (5, "-b"), (35, "+a"), (35, "+b"), (35, "+c")]


async def test_crash_of_an_earlier_child_during_a_groups_backoff_widens_the_group(probe: Probe) -> None:
    """rest_for_one: [c d] wait for c's backoff; a crashes; all four come up with a."""
    children = [
        probe.child("a", backoff=Backoff.steps(20)),
        probe.child("b"),
        probe.child("c", backoff=Backoff.steps(10)),
        probe.child("d"),
    ]

    async with opened(Supervisor("bot", children, strategy="rest_for_one")):
        probe.forget()
        probe.crash("c")
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(100)
        log = list(probe.timed)

    assert log == [(0, "-c"), (0, "-d"), (5, "-a"), (5, "-b"), (25, "+a"), (25, "+b"), (25, "+c"), (25, "+d")]


async def test_crash_of_an_earlier_child_while_a_group_stops(probe: Probe) -> None:
    """rest_for_one: while d takes 5 s to stop for c's sake, a crashes; the groups become one."""
    probe.plan("d", Script(stop_takes=5))
    tree = Supervisor("bot", probe.children("a b c d"), strategy="rest_for_one")

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("c")
        await trio.sleep(2)
        probe.crash("a")
        await trio.sleep(50)
        log, seen = list(probe.log), states(runtime)

    assert seen == {**ALL_UP, "d": "running"}
    assert probe.overlaps == []
    assert log[-4:] == ["+a", "+b", "+c", "+d"]
    assert log.count("+d") == 1


@GROUPS
async def test_c29_group_restart_counts_once(probe: Probe, strategy: Any) -> None:
    """However large the group, its restart is one restart."""
    names = " ".join(f"n{i}" for i in range(20))
    probe.plan("n0", Script(lives=1, ends=BoomError), Script(lives=1, ends=BoomError))
    tree = Supervisor("bot", probe.children(names), strategy=strategy, intensity=1, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.times("+", "n19") == [0, 1]
    assert probe.times("-", "n19") == [1, 2]


@GROUPS
async def test_c29_bystanders_have_no_failure(probe: Probe, strategy: Any) -> None:
    """Only the trigger's own count of failures grows."""
    tree = Supervisor("bot", probe.children("a b", max_failures=1), strategy=strategy, intensity=100)

    async with opened(tree) as runtime:
        probe.crash("a")
        await settle()
        failures = [found.failures for name in "ab" if (found := node(runtime, f"/bot/{name}"))]
        probe.crash("b")
        await settle()
        seen = states(runtime)

    assert failures == [1, 0]
    assert seen == {"a": "running", "b": "running"}


async def test_one_for_all_two_crashes_in_one_tick_are_one_restart(probe: Probe) -> None:
    """A member that crashes while its group goes down is part of that group restart (C74)."""
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all", intensity=1, period=5)

    async with opened(tree) as runtime:
        probe.crash("a")
        probe.crash("c")
        await trio.sleep(1)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.starts == {"a": 2, "b": 2, "c": 2}


@pytest.mark.parametrize("order", [("b", "a"), ("a", "b"), ("c", "b"), ("b", "c")])
async def test_rest_for_one_two_crashes_in_one_tick(probe: Probe, order: tuple[str, str]) -> None:
    """Whatever the order of the two exits, all end up running, started in order, none twice at once."""
    tree = Supervisor("bot", probe.children("a b c"), strategy="rest_for_one", intensity=2, period=5)

    async with opened(tree) as runtime:
        for name in order:
            probe.crash(name)
        await trio.sleep(1)
        seen = states(runtime)
        last = [max(i for i, line in enumerate(probe.log) if line == f"+{name}") for name in "abc"]

    assert seen == ALL_UP
    assert last == sorted(last)
    assert probe.overlaps == []


async def test_one_for_one_two_crashes_in_one_tick(probe: Probe) -> None:
    """Each is restarted once; the third child is left alone."""
    async with opened(Supervisor("bot", probe.children("a b c"), intensity=2)) as runtime:
        probe.crash("a")
        probe.crash("b")
        await settle()
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.starts == {"a": 2, "b": 2, "c": 1}


async def test_one_for_one_all_crash_in_one_tick(probe: Probe) -> None:
    """The window counts each one: one more than it allows is one too many."""
    for name in "abc":
        probe.plan(name, Script(lives=1, ends=BoomError))

    with pytest.raises(GaveUpError):
        await serve(Supervisor("bot", probe.children("a b c"), intensity=2))

    assert sum(probe.alive.values()) == 0


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_crash_of_an_early_child_while_the_boot_goes_on(probe: Probe, strategy: Any) -> None:
    """Under any strategy a crash during the boot ends with everybody up, each once."""
    probe.plan("a", Script(lives=1, ends=BoomError))
    probe.plan("c", Script(start_takes=5))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy, intensity=1)

    async with opened(tree) as runtime:
        await trio.sleep(100)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.overlaps == []
    assert probe.log[-3:] == ["-c", "-b", "-a"]
