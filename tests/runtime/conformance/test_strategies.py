"""Strategies: who goes down and comes up together (C20 to C25, S6 to S9)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    ChildExited,
    CleanupFailed,
    GaveUpError,
    GroupRestarting,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import ALL_UP, GROUPS, opened, serve, settle, state, states, watching


async def test_c20_one_for_one_restarts_only_the_crashed_child(probe: Probe) -> None:
    """-b +b; a and c are left alone."""
    async with opened(Supervisor("bot", probe.children("a b c"))):
        probe.forget()
        probe.crash("b")
        await settle()
        log = list(probe.log)

    assert log == ["-b", "+b"]


async def test_c21_one_for_all_restarts_everyone(probe: Probe) -> None:
    """The others stop in reverse, then all start in order."""
    async with opened(Supervisor("bot", probe.children("a b c"), strategy="one_for_all")):
        probe.forget()
        probe.crash("b")
        await settle()
        log = list(probe.log)

    assert log == ["-b", "-c", "-a", "+a", "+b", "+c"]


async def test_c22_rest_for_one_restarts_the_child_and_its_followers(probe: Probe) -> None:
    """The followers stop in reverse, then the child and they start in order; earlier ones are left alone."""
    async with opened(Supervisor("bot", probe.children("a b c d"), strategy="rest_for_one")):
        probe.forget()
        probe.crash("b")
        await settle()
        log = list(probe.log)

    assert log == ["-b", "-d", "-c", "+b", "+c", "+d"]


async def test_s08_order_of_children_of_the_otp_suite(probe: Probe) -> None:
    """S8: crash ch10 of [ch7, ch3, ch10, ch2, ch5]."""
    tree = Supervisor("bot", probe.children("ch7 ch3 ch10 ch2 ch5"), strategy="rest_for_one")

    async with opened(tree):
        probe.forget()
        probe.crash("ch10")
        await settle()
        log = list(probe.log)

    assert log == ["-ch10", "-ch5", "-ch2", "+ch10", "+ch2", "+ch5"]


@pytest.mark.parametrize(
    ("crashed", "expected"),
    [("a", ["-a", "-c", "-b", "+a", "+b", "+c"]), ("c", ["-c", "+c"])],
)
async def test_c22_rest_for_one_at_the_ends_of_the_list(probe: Probe, crashed: str, expected: list[str]) -> None:
    """The first child takes everyone along, the last nobody."""
    async with opened(Supervisor("bot", probe.children("a b c"), strategy="rest_for_one")):
        probe.forget()
        probe.crash(crashed)
        await settle()
        log = list(probe.log)

    assert log == expected


async def test_c21_group_with_a_nested_supervisor(probe: Probe) -> None:
    """A supervisor in a group is stopped and started as a whole, inside out and outside in."""
    sub = Supervisor("sub", probe.children("x y"))
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("c")], strategy="one_for_all")

    async with opened(tree):
        probe.forget()
        probe.crash("a")
        await settle()
        log = list(probe.log)

    assert log == ["-a", "-c", "-y", "-x", "+a", "+x", "+y", "+c"]


@GROUPS
async def test_group_stops_and_starts_are_sequential(probe: Probe, strategy: Any) -> None:
    """Each member is down before the next one is stopped, and ready before the next one starts."""
    for name, takes in (("a", 1), ("b", 2), ("c", 3)):
        probe.always(name, Script(start_takes=takes, stop_takes=takes))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy)

    async with opened(tree):
        probe.forget()
        probe.crash("a")
        await trio.sleep(20)
        log = list(probe.timed)

    assert log == [(7, "-a"), (10, "-c"), (12, "-b"), (13, "+a"), (15, "+b"), (18, "+c")]


@GROUPS
async def test_group_restart_is_announced_once(probe: Probe, strategy: Any) -> None:
    """`GroupRestarting` names the trigger, the members and the wait."""
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(2)), strategy=strategy)

    async with opened(tree) as runtime, watching(runtime, GroupRestarting) as seen:
        probe.crash("b")
        await trio.sleep(5)
        events = [(event.path, event.strategy, event.trigger, event.delay) for event in seen]
        members = [name.rsplit("/", 1)[-1] for event in seen for name in event.members]

    assert [(path, kind, wait) for path, kind, _, wait in events] == [("/bot", strategy, 2.0)]
    assert events[0][2] in {"b", "/bot/b"}
    assert members == (["a", "b", "c"] if strategy == "one_for_all" else ["b", "c"])


async def test_stopped_bystanders_exit_by_shutdown(probe: Probe) -> None:
    """The exit of a bystander is a shutdown, the trigger's is a crash."""
    tree = Supervisor("bot", probe.children("a b"), strategy="one_for_all")

    async with opened(tree) as runtime, watching(runtime, ChildExited) as seen:
        probe.crash("a", ValueError("bad"))
        await settle()
        exits = [(event.path, event.reason, event.context) for event in seen]

    assert exits == [("/bot/a", "ValueError: bad", "child_terminated"), ("/bot/b", "shutdown", "shutdown")]


async def test_c23_one_for_all_starts_over_when_a_member_fails_to_start(probe: Probe) -> None:
    """What came up goes down again, then all start; two restarts are counted."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b"), strategy="one_for_all", intensity=2, period=5)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a", "-b", "+a", "!b", "-a", "+a", "+b"]
    assert seen == {"a": "running", "b": "running"}


async def test_c23_a_failed_start_in_a_group_is_counted(probe: Probe) -> None:
    """With an intensity of 1 the failed start is one too many, and its error is the cause."""
    error = BoomError("start")
    probe.plan("b", Script(), Script(start_error=error))
    probe.plan("a", Script(lives=1, ends=BoomError))
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all", intensity=1, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "+c", "-a", "-c", "-b", "+a", "!b", "-a"]
    assert caught.value.__cause__ is error


async def test_s09_rest_for_one_keeps_the_earlier_members_of_a_failed_group_start(probe: Probe) -> None:
    """A failed start in a rest_for_one group concerns it and later members; those already up stay up."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b c"), strategy="rest_for_one", intensity=2, period=5)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a", "-c", "-b", "+a", "!b", "+b", "+c"]
    assert seen == ALL_UP


async def test_s09_failed_member_waits_its_own_backoff(probe: Probe) -> None:
    """The retry of a group start is the failed member's restart: one_for_all stops at once, then waits its backoff."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    children = [
        probe.child("a", backoff=Backoff.steps(2)),
        probe.child("b", backoff=Backoff.steps(7)),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy="one_for_all")):
        probe.forget()
        probe.crash("a")
        await trio.sleep(20)
        log = list(probe.timed)

    assert log == [(0, "-a"), (0, "-c"), (0, "-b"), (2, "+a"), (2, "!b"), (2, "-a"), (9, "+a"), (9, "+b"), (9, "+c")]


async def test_s09_rest_for_one_failed_member_waits_while_earlier_ones_run(probe: Probe) -> None:
    """The members before the failed one run on during its backoff."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    children = [
        probe.child("a", backoff=Backoff.steps(2)),
        probe.child("b", backoff=Backoff.steps(7)),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy="rest_for_one")) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(5)
        meanwhile = state(runtime, "/bot/a")
        await trio.sleep(15)
        log = list(probe.timed)

    assert log == [(0, "-a"), (0, "-c"), (0, "-b"), (2, "+a"), (2, "!b"), (9, "+b"), (9, "+c")]
    assert meanwhile == "running"


@GROUPS
async def test_c45_start_timeout_inside_a_group_start(probe: Probe, strategy: Any) -> None:
    """A member that hangs in a group start is cut at its start timeout and retried like a failed one."""
    probe.plan("b", Script(), Script(start_takes=1000))
    tree = Supervisor("bot", probe.children("a b c", start_timeout=3), strategy=strategy, intensity=2)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(20)
        log, seen = list(probe.timed), states(runtime)

    head = [(0, "-a"), (0, "-c"), (0, "-b"), (0, "+a"), (3, "!b")]
    again = [(3, "-a"), (3, "+a")] if strategy == "one_for_all" else []
    assert log == [*head, *again, (3, "+b"), (3, "+c")]
    assert seen == ALL_UP


@GROUPS
async def test_crash_of_a_member_while_a_later_one_still_starts(probe: Probe, strategy: Any) -> None:
    """A member that crashes during the group's start begins the restart anew; nobody is started twice at once."""
    probe.plan("a", Script(), Script(lives=2, ends=BoomError))
    probe.plan("b", Script(), Script(start_takes=5), Script(start_takes=5))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(30)
        log, seen = list(probe.log), states(runtime)

    assert seen == ALL_UP
    assert probe.overlaps == []
    assert log[:4] == ["-a", "-c", "-b", "+a"]
    assert log[-3:] == ["+a", "+b", "+c"]
    assert log.count("+c") == 1


@GROUPS
async def test_c25_cleanup_that_raises_does_not_stop_the_group_restart(probe: Probe, strategy: Any) -> None:
    """A bystander's failed clean-up is reported; the restart goes on and is counted once."""
    probe.plan("b", Script(stop_error=ValueError("cleanup")))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy, intensity=1, period=5)

    async with opened(tree) as runtime, watching(runtime, CleanupFailed) as seen:
        probe.forget()
        probe.crash("a")
        await settle()
        log, failures, running = list(probe.log), [(event.path, event.incarnation) for event in seen], states(runtime)

    assert log == ["-a", "-c", "-b", "+a", "+b", "+c"]
    assert failures == [("/bot/b", 1)]
    assert running == ALL_UP


@GROUPS
async def test_c51_group_waits_for_a_member_that_will_not_end(tasks: Probe, strategy: Any) -> None:
    """No member starts before the last old one is down."""
    tasks.plan("b", Script(stubborn=100))
    tree = Supervisor("bot", tasks.children("a b c", shutdown=2), strategy=strategy)

    async with opened(tree):
        tasks.forget()
        tasks.crash("a")
        await trio.sleep(200)
        log = list(tasks.timed)

    assert log == [(0, "-a"), (0, "-c"), (100, "-b"), (100, "+a"), (100, "+b"), (100, "+c")]
    assert tasks.overlaps == []
