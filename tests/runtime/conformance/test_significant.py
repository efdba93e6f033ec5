"""Significant children and auto-shutdown (C65, C66, S13, S14)."""

from typing import Any

import pytest
import trio

from duenna import (
    Backoff,
    Child,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import opened, run_virtually, settle, state, states


def significant(probe: Probe, names: str, restart: Any = "transient") -> list[Child]:
    """Make significant children."""
    return probe.children(names, significant=True, restart=restart)


async def play_in_branch(
    probe: Probe, children: list[Child], rule: Any, *ended: str, restart: Any = "transient"
) -> dict[str, str]:
    """Run *children* in a branch, let some end, one per second; return the states."""
    sub = Supervisor("sub", children, auto_shutdown=rule, restart=restart, intensity=100, backoff=NOW)
    async with opened(Supervisor("bot", [sub, probe.child("other")], intensity=100)) as runtime:
        for name in ended:
            probe.end(name)
            await trio.sleep(1)
        return states(runtime)


async def test_s14_any_ends_the_supervisor_with_the_first_significant_end(probe: Probe) -> None:
    """The rest are stopped in reverse; to the parent that is a normal end, so a transient branch is finished."""
    children = [probe.child("x"), *significant(probe, "y z"), probe.child("w")]

    seen = await play_in_branch(probe, children, "any", "y")

    assert (seen["sub"], seen["other"]) == ("finished", "running")
    assert probe.log == ["+x", "+y", "+z", "+w", "+other", "-y", "-w", "-z", "-x", "-other"]


async def test_s14_end_of_an_insignificant_child_ends_nobody_else(probe: Probe) -> None:
    """Only significant children matter."""
    children = [probe.child("x", restart="transient"), *significant(probe, "y")]

    seen = await play_in_branch(probe, children, "any", "x")

    assert seen == {"sub": "running", "x": "finished", "y": "running", "other": "running"}


async def test_c65_all_ends_the_supervisor_only_after_the_last(probe: Probe) -> None:
    """`all`: when no significant child is alive any more."""
    children = [probe.child("x"), *significant(probe, "y z")]

    one = await play_in_branch(probe, children, "all", "y")
    both = await play_in_branch(probe, children, "all", "z", "y")

    assert (one["sub"], one["z"], one["x"]) == ("running", "running", "running")
    assert both["sub"] == "finished"


@pytest.mark.parametrize(
    ("restart", "expected"), [("permanent", "running"), ("transient", "finished"), ("temporary", "absent")]
)
async def test_s14_auto_shutdown_is_a_normal_end_to_the_parent(probe: Probe, restart: Any, expected: str) -> None:
    """So the branch's own restart type decides what becomes of it."""
    seen = await play_in_branch(probe, significant(probe, "y"), "any", "y", restart=restart)

    assert seen.get("sub", "absent") == expected
    assert seen["other"] == "running"
    assert probe.starts["y"] == (2 if restart == "permanent" else 1)


async def test_s14_crash_of_a_significant_transient_is_a_restart(probe: Probe) -> None:
    """It is restarted, and ends nobody."""
    sub = Supervisor("sub", [probe.child("x"), *significant(probe, "y")], auto_shutdown="any")

    async with opened(Supervisor("bot", [sub], intensity=0)) as runtime:
        probe.crash("y")
        await settle()
        seen = states(runtime)

    assert set(seen.values()) == {"running"}
    assert probe.starts == {"x": 1, "y": 2}


async def test_s14_crash_of_a_significant_temporary_is_its_end(probe: Probe) -> None:
    """It is not restarted, so its supervisor ends."""
    sub = Supervisor(
        "sub", [probe.child("x"), *significant(probe, "y", "temporary")], auto_shutdown="any", restart="transient"
    )

    async with opened(Supervisor("bot", [sub], intensity=0)) as runtime:
        probe.crash("y")
        await settle()
        seen = state(runtime, "/bot/sub")

    assert seen == "finished"
    assert probe.log == ["+x", "+y", "-y", "-x"]


async def test_s14_child_in_backoff_counts_as_alive(probe: Probe) -> None:
    """`all`: a significant child that waits for its restart keeps its supervisor up."""
    probe.plan("y", Script(lives=1, ends=BoomError))
    children = [
        probe.child("y", significant=True, restart="transient", backoff=Backoff.steps(100)),
        *significant(probe, "z"),
    ]
    sub = Supervisor("sub", children, auto_shutdown="all", restart="transient")

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(5)
        probe.end("z")
        await settle()
        during = states(runtime)
        await trio.sleep(200)
        probe.end("y")
        await settle()
        after = state(runtime, "/bot/sub")

    assert (during["sub"], during["y"], during["z"]) == ("running", "backoff", "finished")
    assert after == "finished"


@pytest.mark.parametrize("rule", ["any", "all"])
async def test_c66_operator_stop_of_a_significant_child_ends_nobody(probe: Probe, rule: Any) -> None:
    """S13: neither a stop by hand nor the deletion after it triggers an auto-shutdown."""
    sub = Supervisor("sub", [probe.child("x"), *significant(probe, "y")], auto_shutdown=rule)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.stop_child("/bot/sub/y")
        await settle()
        stopped = states(runtime)
        await runtime.delete_child("/bot/sub/y")
        await settle()
        deleted = states(runtime)

    assert stopped == {"sub": "running", "x": "running", "y": "stopped"}
    assert deleted == {"sub": "running", "x": "running"}


async def test_c66_operator_stop_of_a_significant_temporary_ends_nobody(probe: Probe) -> None:
    """Not even when its spec goes with it."""
    sub = Supervisor("sub", [probe.child("x"), *significant(probe, "y", "temporary")], auto_shutdown="any")

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.stop_child("/bot/sub/y")
        await settle()
        seen = states(runtime)

    assert seen == {"sub": "running", "x": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_c66_significant_bystander_of_a_group_ends_nobody(probe: Probe, strategy: Any, restart: Any) -> None:
    """S13: to be stopped with one's group is no end of one's own."""
    sub = Supervisor(
        "sub", [probe.child("x"), *significant(probe, "y", restart)], auto_shutdown="any", strategy=strategy
    )

    async with opened(Supervisor("bot", [sub], intensity=0)) as runtime:
        probe.crash("x")
        await settle()
        seen = states(runtime)

    kept = {"y": "running"} if restart == "transient" else {}
    assert seen == {"sub": "running", "x": "running", **kept}


async def test_c66_stopped_significant_child_counts_as_ended_for_all(probe: Probe) -> None:
    """`all`: when the last one that runs ends by itself, a stopped one holds nothing up."""
    sub = Supervisor("sub", [probe.child("x"), *significant(probe, "y z")], auto_shutdown="all", restart="transient")

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.stop_child("/bot/sub/y")
        before = state(runtime, "/bot/sub")
        probe.end("z")
        await settle()
        after = state(runtime, "/bot/sub")

    assert (before, after) == ("running", "finished")


async def test_s14_auto_shutdown_works_upwards(probe: Probe) -> None:
    """A significant transient branch that ends so ends its own parent."""
    low = Supervisor("low", significant(probe, "y"), auto_shutdown="any", restart="transient", significant=True)
    middle = Supervisor("middle", [probe.child("m"), low], auto_shutdown="any", restart="transient")

    async with opened(Supervisor("bot", [middle, probe.child("b")])) as runtime:
        probe.end("y")
        await settle()
        seen = states(runtime)

    assert (seen["middle"], seen["b"]) == ("finished", "running")
    assert probe.log == ["+m", "+y", "+b", "-y", "-m", "-b"]


async def test_s14_escalation_of_a_significant_transient_branch_is_no_auto_shutdown(probe: Probe) -> None:
    """It crashed, so it is restarted (S14 with the deviation of C60)."""
    probe.plan("y", Script(lives=1, ends=BoomError))
    low = Supervisor("low", probe.children("y"), intensity=0, restart="transient", significant=True, backoff=NOW)
    middle = Supervisor("middle", [probe.child("m"), low], auto_shutdown="any")

    async with opened(Supervisor("bot", [middle])) as runtime:
        await trio.sleep(5)
        seen = states(runtime)

    assert set(seen.values()) == {"running"}
    assert probe.starts == {"m": 1, "y": 2}


async def test_s14_dynamic_significant_child(probe: Probe) -> None:
    """A significant child may be added later."""
    sub = Supervisor("sub", probe.children("x"), auto_shutdown="any", restart="transient")

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.start_children("/bot/sub", significant(probe, "y"))
        probe.end("y")
        await settle()
        seen = state(runtime, "/bot/sub")

    assert seen == "finished"
    assert probe.log == ["+x", "+y", "-y", "-x"]


async def test_s14_finished_branch_can_be_started_again(probe: Probe) -> None:
    """`restart_child` boots it anew."""
    sub = Supervisor("sub", [probe.child("x"), *significant(probe, "y")], auto_shutdown="any", restart="transient")

    async with opened(Supervisor("bot", [sub])) as runtime:
        probe.end("y")
        await settle()
        await runtime.restart_child("/bot/sub")
        seen = states(runtime)

    assert seen == {"sub": "running", "x": "running", "y": "running"}


def test_s14_auto_shutdown_of_the_root_ends_the_bot() -> None:
    """`run` returns: the bot has finished."""
    probe = Probe(Flavour.FUNCTION)
    probe.plan("y", Script(lives=10))
    tree = Supervisor("bot", [*probe.children("a b"), *significant(probe, "y")], auto_shutdown="any")

    report = run_virtually(tree)

    assert (report.reason, report.duration) == ("finished", 0)
    assert probe.timed == [(0, "+a"), (0, "+b"), (0, "+y"), (10, "-y"), (10, "-b"), (10, "-a")]
