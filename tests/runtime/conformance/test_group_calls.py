"""The calls of an operator, and a group that is on its way (C47, W6)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    ChildStateError,
    DuennaError,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import ALL_UP, GROUPS, attempt, node, opened, settle, state, states


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
        await settle()
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
