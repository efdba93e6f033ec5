"""Strategies: who goes down and comes up together (C20 to C32, S6 to S10, S15, W6)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    Child,
    ChildExited,
    ChildStateError,
    CleanupFailed,
    Context,
    DuennaError,
    GaveUpError,
    GroupRestarting,
    Supervisor,
)

from .probe import BoomError, Flavour, Probe, Script, attempt, node, opened, serve, settle, state, states, watching

ALL_UP = {"a": "running", "b": "running", "c": "running"}
GROUPS = pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])


# The plain cases


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


# Failed starts inside a group


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


# Clean-up inside a group


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


# Time


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


# Counting


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


# Who stays down


async def test_c30_dynamic_child_takes_part_at_the_end_of_the_order(probe: Probe) -> None:
    """A child added later is the last of its group."""
    tree = Supervisor("bot", probe.children("b a"), strategy="one_for_all")

    async with opened(tree) as runtime:
        await runtime.start_child("/bot", probe.child("A"))
        probe.forget()
        probe.crash("b")
        await settle()
        log = list(probe.log)

    assert log == ["-b", "-A", "-a", "+b", "+a", "+A"]


async def test_c30_dynamic_child_follows_in_rest_for_one(probe: Probe) -> None:
    """It follows every static child, and its own crash takes only its followers along."""
    tree = Supervisor("bot", probe.children("a b"), strategy="rest_for_one")

    async with opened(tree) as runtime:
        await runtime.start_children("/bot", probe.children("d1 d2"))
        probe.forget()
        probe.crash("b")
        await settle()
        first = list(probe.log)
        probe.forget()
        probe.crash("d1")
        await settle()
        second = list(probe.log)

    assert first == ["-b", "-d2", "-d1", "+b", "+d1", "+d2"]
    assert second == ["-d1", "-d2", "+d1", "+d2"]


async def test_c30_deleted_child_that_is_added_again_goes_to_the_end(probe: Probe) -> None:
    """The order is the order of the starts of the specs, not of their names."""
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all")

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")
        await runtime.start_child("/bot", probe.child("a"))
        probe.forget()
        probe.crash("b")
        await settle()
        log = list(probe.log)

    assert log == ["-b", "-a", "-c", "+b", "+c", "+a"]


@GROUPS
async def test_c31_operator_stopped_member_stays_down(probe: Probe, strategy: Any) -> None:
    """DEVIATION from OTP's S10: what an operator stopped, only an operator starts."""
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/b")
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a", "-c", "+a", "+c"]
    assert seen == {"a": "running", "b": "stopped", "c": "running"}


@GROUPS
async def test_c31_operator_stopped_supervisor_stays_down(probe: Probe, strategy: Any) -> None:
    """The same for a whole branch."""
    tree = Supervisor("bot", [probe.child("a"), Supervisor("sub", probe.children("x"))], strategy=strategy)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/sub")
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), state(runtime, "/bot/sub")

    assert log == ["-a", "+a"]
    assert seen == "stopped"


@GROUPS
async def test_c32_finished_transient_is_started_with_its_group(probe: Probe, strategy: Any) -> None:
    """S10: a group restart starts a transient child that had finished."""
    children = [probe.child("a"), probe.child("b", restart="transient"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.end("b")
        await settle()
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a", "-c", "+a", "+b", "+c"]
    assert seen == ALL_UP


async def test_c32_finished_transient_before_the_trigger_is_left_alone(probe: Probe) -> None:
    """rest_for_one: it is no member of the group."""
    children = [probe.child("a", restart="transient"), probe.child("b"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy="rest_for_one")) as runtime:
        probe.end("a")
        await settle()
        probe.crash("b")
        await settle()
        seen = states(runtime)

    assert seen == {"a": "finished", "b": "running", "c": "running"}


@GROUPS
async def test_parked_member_stays_down_through_a_group_restart(probe: Probe, strategy: Any) -> None:
    """Who was given up on is not brought back by a sibling's crash."""
    probe.plan("b", Script(lives=1, ends=BoomError))
    children = [
        probe.child("a"),
        probe.child("b", max_failures=0, on_give_up="park", unpark_after=None),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        await trio.sleep(2)
        probe.forget()
        probe.crash("a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a", "-c", "+a", "+c"]
    assert seen == {"a": "running", "b": "failed", "c": "running"}


@GROUPS
async def test_parking_begins_no_group_restart(probe: Probe, strategy: Any) -> None:
    """A child that is parked is not restarted, so nobody is restarted with it."""
    children = [probe.child("a", max_failures=0, on_give_up="park", unpark_after=None), *probe.children("b c")]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(1000)
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a"]
    assert seen == {"a": "failed", "b": "running", "c": "running"}


@GROUPS
async def test_a_parked_members_new_round_is_its_own_start(probe: Probe, strategy: Any) -> None:
    """When its time comes it starts again, after a group restart that it slept through."""
    probe.plan("b", Script(lives=1, ends=BoomError))
    children = [
        probe.child("a"),
        probe.child("b", max_failures=0, on_give_up="park", unpark_after=100),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        await trio.sleep(50)
        probe.crash("a")
        await trio.sleep(100)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.times("+", "b") == [0, 101]


# The operator and a group on its way


async def test_operator_stop_of_a_member_while_the_group_stops(probe: Probe) -> None:
    """Stopped by hand during the group's stop phase, it stays down when the group starts."""
    probe.plan("c", Script(stop_takes=5))
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all")

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(1)
        await runtime.stop_child("/bot/b")
        await trio.sleep(20)
        seen, restarted = states(runtime), [line for line in probe.log if line.startswith("+")]

    assert seen == {"a": "running", "b": "stopped", "c": "running"}
    assert restarted == ["+a", "+c"]


@GROUPS
async def test_operator_stop_of_a_member_during_the_groups_backoff(probe: Probe, strategy: Any) -> None:
    """The stop returns at once, and holds when the group starts."""
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(10)), strategy=strategy)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(5)
        await runtime.stop_child("/bot/b")
        returned = trio.current_time()
        await trio.sleep(20)
        seen, log = states(runtime), list(probe.timed)

    assert returned == 5
    assert seen == {"a": "running", "b": "stopped", "c": "running"}
    assert log[-2:] == [(10, "+a"), (10, "+c")]


@GROUPS
async def test_operator_stop_of_the_trigger_during_the_groups_backoff(probe: Probe, strategy: Any) -> None:
    """The trigger stays down; its group does not stay down with it."""
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(10)), strategy=strategy)

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(5)
        await runtime.stop_child("/bot/a")
        returned = trio.current_time()
        await trio.sleep(20)
        seen = states(runtime)

    assert returned == 5
    assert seen == {"a": "stopped", "b": "running", "c": "running"}
    assert probe.starts["a"] == 1


@GROUPS
async def test_restart_child_of_the_trigger_ends_the_groups_backoff(probe: Probe, strategy: Any) -> None:
    """In backoff, `restart_child` starts now: the group that waits for it starts with it."""
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(10)), strategy=strategy)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(5)
        await runtime.restart_child("/bot/a")
        await trio.sleep(50)
        log, seen = list(probe.timed), states(runtime)

    assert seen == ALL_UP
    assert log == [(0, "-a"), (0, "-c"), (0, "-b"), (5, "+a"), (5, "+b"), (5, "+c")]


@GROUPS
async def test_c47_restart_child_restarts_the_group_uncounted(probe: Probe, strategy: Any) -> None:
    """By hand a running child is restarted under the strategy, at once and without being counted."""
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(10)), strategy=strategy, intensity=0)

    async with opened(tree) as runtime:
        for _ in range(3):
            probe.forget()
            await runtime.restart_child("/bot/b")
            await settle()
        log, seen, found = list(probe.timed), states(runtime), node(runtime, "/bot/b")

    group = "abc" if strategy == "one_for_all" else "bc"
    downs = [line for _, line in log if line.startswith("-")]
    assert seen == ALL_UP
    assert [line for _, line in log][len(downs) :] == [f"+{name}" for name in group]
    assert sorted(downs) == [f"-{name}" for name in group]
    assert [line for line in downs if line != "-b"] == [f"-{name}" for name in reversed(group) if name != "b"]
    assert {time for time, _ in log} == {0}
    assert found is not None
    assert (found.incarnation, found.failures) == (4, 0)


@GROUPS
async def test_c47_restart_child_of_a_temporary_member(probe: Probe, strategy: Any) -> None:
    """An operator named it, so it comes up again with its group; its temporary siblings do not."""
    children = [probe.child("a"), *probe.children("b c", restart="temporary"), probe.child("d")]

    async with opened(Supervisor("bot", children, strategy=strategy, intensity=0)) as runtime:
        await runtime.restart_child("/bot/b")
        seen = states(runtime)

    assert seen == {"a": "running", "b": "running", "d": "running"}
    assert probe.overlaps == []


async def test_c47_restart_child_of_a_stopped_member_starts_only_it(probe: Probe) -> None:
    """Nothing runs that would have to be restarted with it."""
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all", intensity=0)

    async with opened(tree) as runtime:
        await runtime.stop_child("/bot/b")
        probe.forget()
        await runtime.restart_child("/bot/b")
        await settle()
        log = list(probe.log)

    assert log == ["+b"]


@GROUPS
async def test_stop_child_stops_only_that_child(probe: Probe, strategy: Any) -> None:
    """S13: an operator's stop begins no group restart and counts for nothing."""
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy, intensity=0)

    async with opened(tree) as runtime:
        probe.forget()
        await runtime.stop_child("/bot/a")
        await settle()
        log, seen = list(probe.log), states(runtime)

    assert log == ["-a"]
    assert seen == {"a": "stopped", "b": "running", "c": "running"}


async def test_w06_calls_are_answered_while_a_group_stops(probe: Probe) -> None:
    """The manager awaits no child: refusals and snapshots come at once."""
    probe.plan("c", Script(stop_takes=50))
    tree = Supervisor("bot", probe.children("a b c", shutdown=100), strategy="one_for_all")

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(1)
        seen = state(runtime, "/bot/c")
        taken = await attempt(lambda: runtime.start_child("/bot", probe.child("b")))
        refused = await attempt(lambda: runtime.delete_child("/bot/b"))
        answered = trio.current_time()

    assert seen == "stopping"
    assert isinstance(taken, ChildStateError)
    assert isinstance(refused, ChildStateError)
    assert answered == 1


async def test_w06_calls_are_answered_while_a_group_starts(probe: Probe) -> None:
    """The same while a member takes its time to start."""
    probe.plan("b", Script(), Script(start_takes=20))
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all")

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(1)
        seen = states(runtime)
        taken = await attempt(lambda: runtime.start_child("/bot", probe.child("b")))
        await runtime.stop_child("/bot/a")
        answered = trio.current_time()
        await trio.sleep(50)
        finally_ = states(runtime)

    assert (seen["a"], seen["b"]) == ("running", "starting")
    assert isinstance(taken, ChildStateError)
    assert answered == 1
    assert finally_ == {"a": "stopped", "b": "running", "c": "running"}


async def test_operator_stop_of_a_member_that_is_starting_in_a_group(probe: Probe) -> None:
    """The start is broken off; the group goes on without it."""
    probe.plan("b", Script(), Script(start_takes=20))
    tree = Supervisor("bot", probe.children("a b c"), strategy="one_for_all", intensity=1)

    async with opened(tree) as runtime:
        probe.forget()
        probe.crash("a")
        await trio.sleep(1)
        await runtime.stop_child("/bot/b")
        stopped = trio.current_time()
        await trio.sleep(50)
        seen, log = states(runtime), list(probe.timed)

    assert stopped == 1
    assert seen == {"a": "running", "b": "stopped", "c": "running"}
    assert log == [(0, "-a"), (0, "-c"), (0, "-b"), (0, "+a"), (1, "!b"), (1, "+c")]


@GROUPS
async def test_dynamic_child_added_while_its_group_is_down(probe: Probe, strategy: Any) -> None:
    """Added during the group's backoff it runs once, last in the order, when all is over."""
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10)), strategy=strategy)

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(5)
        await runtime.start_child("/bot", probe.child("c"))
        await trio.sleep(50)
        seen = states(runtime)
        probe.forget()

    assert seen == ALL_UP
    assert probe.overlaps == []
    assert probe.log == ["-c", "-b", "-a"]


# Members that drop out while their group is on its way


@GROUPS
async def test_member_that_is_parked_in_a_group_start_holds_up_nobody(probe: Probe, strategy: Any) -> None:
    """Member b's failed start spends its budget: it is parked, and the members after it still start."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    children = [
        probe.child("a"),
        probe.child("b", max_failures=0, on_give_up="park", unpark_after=None),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.crash("a")
        await trio.sleep(10)
        seen = states(runtime)

    assert seen == {"a": "running", "b": "failed", "c": "running"}
    assert probe.overlaps == []


@GROUPS
async def test_operator_stop_of_a_failed_member_lets_the_later_ones_start(probe: Probe, strategy: Any) -> None:
    """Member b's start failed and it waits; stopped by hand, it stays down and c starts."""
    probe.plan("b", Script(), Script(start_error=BoomError))
    children = [probe.child("a"), probe.child("b", backoff=Backoff.steps(10)), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        probe.crash("a")
        await trio.sleep(5)
        await runtime.stop_child("/bot/b")
        await trio.sleep(50)
        seen = states(runtime)

    assert seen == {"a": "running", "b": "stopped", "c": "running"}
    assert probe.overlaps == []


@GROUPS
async def test_member_that_finishes_while_its_group_stops_is_started_with_it(probe: Probe, strategy: Any) -> None:
    """A transient that returns in the stop phase has finished, and a group restart starts finished ones (C32)."""
    probe.plan("c", Script(stop_takes=5))
    children = [probe.child("a"), probe.child("b", restart="transient"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy, intensity=1)) as runtime:
        probe.crash("a")
        await trio.sleep(1)
        probe.end("b")
        await trio.sleep(50)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.starts == {"a": 2, "b": 2, "c": 2}


@GROUPS
async def test_member_that_crashes_while_its_group_stops_is_started_with_it(probe: Probe, strategy: Any) -> None:
    """It is going down anyway: no restart of its own, nothing more is counted."""
    probe.plan("c", Script(stop_takes=5))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy, intensity=1)

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(1)
        probe.crash("b")
        await trio.sleep(50)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.starts == {"a": 2, "b": 2, "c": 2}


@GROUPS
async def test_temporary_that_ends_while_its_group_stops_is_gone(probe: Probe, strategy: Any) -> None:
    """By whichever way it ends, a temporary member is removed."""
    probe.plan("c", Script(stop_takes=5))
    children = [probe.child("a"), probe.child("b", restart="temporary"), probe.child("c")]

    async with opened(Supervisor("bot", children, strategy=strategy, intensity=1)) as runtime:
        probe.crash("a")
        await trio.sleep(1)
        probe.crash("b")
        await trio.sleep(50)
        seen = states(runtime)

    assert seen == {"a": "running", "c": "running"}


@GROUPS
async def test_unparking_falls_into_a_groups_backoff(probe: Probe, strategy: Any) -> None:
    """Member b's new round falls due while its group is down: whoever starts it, it runs once."""
    probe.plan("b", Script(lives=1, ends=BoomError))
    children = [
        probe.child("a", backoff=Backoff.steps(20)),
        probe.child("b", max_failures=0, on_give_up="park", unpark_after=10),
        probe.child("c"),
    ]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(100)
        seen = states(runtime)

    assert seen == ALL_UP
    assert probe.overlaps == []
    assert probe.starts["b"] <= 3


@GROUPS
@pytest.mark.parametrize("phase", [1, 7, 12])
async def test_restart_of_a_bystander_while_its_group_is_down(probe: Probe, strategy: Any, phase: float) -> None:
    """In the stop phase, the wait or the start phase: the call is answered, and all run once in the end."""
    probe.plan("c", Script(stop_takes=5), Script(start_takes=3))
    probe.plan("a", Script(), Script(start_takes=3))
    tree = Supervisor("bot", probe.children("a b c", backoff=Backoff.steps(10)), strategy=strategy)
    answers: list[object] = []

    async with opened(tree) as runtime:
        probe.crash("a")
        await trio.sleep(phase)
        answers.append(await attempt(lambda: runtime.restart_child("/bot/b")))
        await trio.sleep(100)
        seen = states(runtime)

    assert not isinstance(answers[0], Exception) or isinstance(answers[0], DuennaError)
    assert seen == ALL_UP
    assert probe.overlaps == []


@GROUPS
@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba", "aab", "cca"])
async def test_operators_restart_one_group_at_once(probe: Probe, strategy: Any, order: str) -> None:
    """However many `restart_child` there are at once, all are answered and nobody is doubled."""
    for name in "abc":
        probe.always(name, Script(start_takes=1, stop_takes=1))
    tree = Supervisor("bot", probe.children("a b c"), strategy=strategy, intensity=0)
    answers: list[object] = []

    async with opened(tree) as runtime:

        async def restart(name: str) -> None:
            answers.append(await attempt(lambda: runtime.restart_child(f"/bot/{name}")))

        async with trio.open_nursery() as nursery:
            for name in order:
                nursery.start_soon(restart, name)
                await settle()
        await trio.sleep(100)
        seen = states(runtime)

    assert len(answers) == 3
    assert all(not isinstance(answer, Exception) or isinstance(answer, DuennaError) for answer in answers)
    assert seen == ALL_UP
    assert probe.overlaps == []


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


async def test_child_that_adds_a_sibling_while_the_boot_goes_on() -> None:
    """A call to one's own supervisor during its boot is answered, and the new child is the last in the order."""
    probe = Probe(Flavour.TASK)
    probe.plan("b", Script(start_takes=5))

    async def parent(context: Context) -> None:
        await context.runtime.start_child("/bot", probe.child("d"))
        await trio.sleep_forever()

    async with opened(Supervisor("bot", [Child("a", parent), *probe.children("b c")])) as runtime:
        await trio.sleep(100)
        seen = states(runtime)
        probe.forget()

    assert seen == {**ALL_UP, "d": "running"}
    assert probe.log == ["-d", "-c", "-b"]
