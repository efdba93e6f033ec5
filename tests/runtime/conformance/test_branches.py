"""Branches: supervisors as children, and what is below them (C62, C63, S16)."""

import pytest
import trio

from duenna import (
    Backoff,
    ChildStateError,
    Supervisor,
)

from .probe import NOW, BoomError, Flavour, Probe, Script
from .support import attempt, opened, serve, settle, state, states


async def test_operator_stop_inside_a_branch_ends_with_the_branchs_incarnation(probe: Probe) -> None:
    """S16: a restarted supervisor starts its static children; the tree is sound, a stop remembered or not."""
    sub = Supervisor("sub", probe.children("x y"))

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.stop_child("/bot/sub/x")
        await runtime.restart_child("/bot/sub")
        seen = states(runtime)

    assert seen["sub"] == "running"
    assert seen["y"] == "running"
    assert seen["x"] in {"running", "stopped"}


async def test_c62_dynamic_children_are_not_remembered(probe: Probe) -> None:
    """S16: a restarted supervisor starts its static children only."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.start_child("/bot/sub", probe.child("d"))
        await trio.sleep(5)
        seen, log = states(runtime), list(probe.log)

    assert seen == {"sub": "running", "x": "running"}
    assert log == ["+x", "+d", "-x", "-d", "+x"]


async def test_c62_their_names_are_free_afterwards(probe: Probe) -> None:
    """A dynamic child can be started again under the restarted supervisor."""
    sub = Supervisor("sub", probe.children("x"))

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.start_child("/bot/sub", probe.child("d"))
        await runtime.restart_child("/bot/sub")
        between = states(runtime)
        await runtime.start_child("/bot/sub", probe.child("d"))
        after = states(runtime)

    assert between == {"sub": "running", "x": "running"}
    assert after == {"sub": "running", "x": "running", "d": "running"}
    assert probe.overlaps == []


async def test_c62_deleted_static_child_comes_back_with_its_supervisor(probe: Probe) -> None:
    """What a supervisor starts with is its spec."""
    sub = Supervisor("sub", probe.children("x y"))

    async with opened(Supervisor("bot", [sub])) as runtime:
        await runtime.stop_child("/bot/sub/x")
        await runtime.delete_child("/bot/sub/x")
        await runtime.restart_child("/bot/sub")
        seen = states(runtime)

    assert seen == {"sub": "running", "x": "running", "y": "running"}


async def test_c62_ended_temporary_child_comes_back_with_its_supervisor(probe: Probe) -> None:
    """A static temporary child is part of the spec too."""
    sub = Supervisor("sub", [probe.child("x", restart="temporary"), probe.child("y")])

    async with opened(Supervisor("bot", [sub])) as runtime:
        probe.end("x")
        await settle()
        before = states(runtime)
        await runtime.restart_child("/bot/sub")
        after = states(runtime)

    assert before == {"sub": "running", "y": "running"}
    assert after == {"sub": "running", "x": "running", "y": "running"}


async def test_c62_refs_of_static_children_outlive_their_supervisor(actors: Probe) -> None:
    """A ref names a path: it is the same across restarts of the child and of its parent."""
    sub = Supervisor("sub", actors.children("x"))

    async with opened(Supervisor("bot", [sub])) as runtime:
        ref = runtime.ref("/bot/sub/x")
        await runtime.restart_child("/bot/sub")
        same = runtime.ref("/bot/sub/x") is ref
        if actors.flavour is Flavour.CELL:
            actors.crash("x")
            await settle()

    assert same
    assert actors.starts["x"] == (3 if actors.flavour is Flavour.CELL else 2)


async def test_dynamic_branch_is_supervised_like_a_static_one(probe: Probe) -> None:
    """A supervisor that was started by hand restarts its children and is restarted itself."""
    probe.plan("x", *[Script(lives=1, ends=BoomError)] * 2)
    sub = Supervisor("sub", probe.children("x"), intensity=1, period=100, backoff=NOW)

    async with opened(Supervisor("bot", intensity=1)) as runtime:
        await runtime.start_child("/bot", sub)
        await trio.sleep(10)
        seen = states(runtime)

    assert probe.times("+", "x") == [0, 1, 2]
    assert seen == {"sub": "running", "x": "running"}


async def test_stop_and_delete_of_a_branch(probe: Probe) -> None:
    """A branch is stopped inside out, shown stopped, and deleted with all that is below it."""
    sub = Supervisor("sub", [probe.child("x"), Supervisor("deep", probe.children("y z"))])

    async with opened(Supervisor("bot", [probe.child("a"), sub])) as runtime:
        probe.forget()
        await runtime.stop_child("/bot/sub")
        log, stopped = list(probe.log), state(runtime, "/bot/sub")
        below = {
            name: state(runtime, path)
            for name, path in (("x", "/bot/sub/x"), ("deep", "/bot/sub/deep"), ("y", "/bot/sub/deep/y"))
        }
        await runtime.delete_child("/bot/sub")
        gone = states(runtime)

    assert log == ["-z", "-y", "-x"]
    assert stopped == "stopped"
    assert "running" not in below.values()
    assert gone == {"a": "running"}


async def test_call_into_a_branch_that_is_down_is_refused(probe: Probe) -> None:
    """Nobody can be started under a supervisor that does not run."""
    sub = Supervisor("sub", probe.children("x"))

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await runtime.stop_child("/bot/sub")
        started = await attempt(lambda: runtime.start_child("/bot/sub", probe.child("d")))
        restarted = await attempt(lambda: runtime.restart_child("/bot/sub/x"))
        seen = {name: kind for name, kind in states(runtime).items() if kind == "running"}

    assert isinstance(started, Exception)
    assert isinstance(restarted, Exception)
    assert not isinstance(started, AssertionError)
    assert seen == {"b": "running"}
    assert probe.log == ["+x", "+b", "-x", "-b"]


async def test_restart_of_a_branch_in_backoff_starts_it_now(probe: Probe) -> None:
    """C43 for a supervisor."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=Backoff.steps(100))

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(5)
        before = state(runtime, "/bot/sub")
        await runtime.restart_child("/bot/sub")
        after = states(runtime)
        await trio.sleep(500)

    assert before == "backoff"
    assert after == {"sub": "running", "x": "running"}
    assert probe.times("+", "x") == [0, 5]


async def test_c63_outer_cancel_of_three_levels_is_depth_first_in_reverse(probe: Probe) -> None:
    """The order of a stop is the exact reverse of the order of the boot."""
    low = Supervisor("low", probe.children("d e"))
    middle = Supervisor("middle", [probe.child("c"), low, probe.child("f")])
    tree = Supervisor("bot", [*probe.children("a b"), middle, probe.child("g")])

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.log == ["+a", "+b", "+c", "+d", "+e", "+f", "+g", "-g", "-f", "-e", "-d", "-c", "-b", "-a"]


async def test_c63_each_clean_up_of_three_levels_has_its_time(probe: Probe) -> None:
    """A supervisor's `shutdown` is infinite: it waits for all of its children's."""
    for name in "abcd":
        probe.plan(name, Script(stop_takes=4))
    low = Supervisor("low", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), Supervisor("middle", [low, probe.child("d")])])

    with trio.move_on_after(10):
        await serve(tree)

    assert probe.timed[4:] == [(14, "-d"), (18, "-c"), (22, "-b"), (26, "-a")]


async def test_crash_in_one_branch_leaves_the_others_alone(probe: Probe) -> None:
    """W1: isolation across branches."""
    left = Supervisor("left", probe.children("x"), strategy="one_for_all")
    right = Supervisor("right", probe.children("y"), strategy="one_for_all")

    async with opened(Supervisor("bot", [left, right], strategy="one_for_all")):
        probe.forget()
        probe.crash("x")
        await settle()
        log = list(probe.log)

    assert log == ["-x", "+x"]


async def test_slow_branch_boot_delays_no_other_restart(probe: Probe) -> None:
    """W6 for supervisors: while a branch boots for long, its siblings are restarted as ever."""
    probe.plan("x", Script(lives=1, ends=BoomError), Script(start_takes=29))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await trio.sleep(5)
        booting = state(runtime, "/bot/sub")
        probe.crash("b")
        await settle()
        seen = state(runtime, "/bot/b")
        await trio.sleep(50)

    assert (booting, seen) == ("starting", "running")
    assert probe.times("+", "b") == [0, 5]
    assert probe.times("+", "x") == [0, 30]


async def test_stop_while_a_branch_boots_again(probe: Probe) -> None:
    """The boot is broken off, what has started is stopped in reverse."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    probe.plan("y", Script(), Script(start_takes=20))
    sub = Supervisor("sub", probe.children("x y"), intensity=0, backoff=NOW)

    async with opened(Supervisor("bot", [probe.child("a"), sub])) as runtime:
        await trio.sleep(5)
        probe.forget()
        await runtime.stop_child("/bot/sub")
        stopped, log, seen = trio.current_time(), list(probe.log), state(runtime, "/bot/sub")

    assert stopped == 5
    assert log == ["!y", "-x"]
    assert seen == "stopped"


async def test_delete_of_a_running_branch_is_refused(probe: Probe) -> None:
    """S12 for supervisors."""
    async with opened(Supervisor("bot", [Supervisor("sub", probe.children("x"))])) as runtime:
        refusal = await attempt(lambda: runtime.delete_child("/bot/sub"))
        seen = states(runtime)

    assert isinstance(refusal, ChildStateError)
    assert seen == {"sub": "running", "x": "running"}


@pytest.mark.parametrize("operation", ["stop_child", "restart_child", "delete_child"])
async def test_operations_on_the_root_never_hang(probe: Probe, operation: str) -> None:
    """The root has no parent: whatever the call does, it answers, and an end of the tree is an ordered one."""
    async with opened(Supervisor("bot", probe.children("a b"))) as runtime:
        await attempt(lambda: getattr(runtime, operation)("/bot"))

    assert sum(probe.alive.values()) == 0
    assert probe.log[-2:] == ["-b", "-a"]
    assert probe.overlaps == []
