"""Who is a member of a group, and who stays down (C16, C30 to C32, S10)."""

from typing import Any

import trio

from duenna import (
    Backoff,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import ALL_UP, GROUPS, crashing, opened, settle, states


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
async def test_trigger_that_is_parked_while_its_group_starts(probe: Probe, strategy: Any) -> None:
    """It crashes again and is parked, then a later member begins the next restart: its new round comes all the same."""
    probe.plan("a", *crashing(1, 1))
    probe.plan("b", Script(), Script(start_takes=5, start_error=BoomError))
    children = [probe.child("a", max_failures=1, on_give_up="park", unpark_after=100), *probe.children("b c")]

    async with opened(Supervisor("bot", children, strategy=strategy)) as runtime:
        await trio.sleep(50)
        before = states(runtime)
        await trio.sleep(100)
        after = states(runtime)

    assert before == {"a": "failed", "b": "running", "c": "running"}
    assert after == ALL_UP
    assert probe.times("~", "a") == [0, 1, 102]
