"""Trees: escalation, branches, dynamic children, significant children (C60 to C66, S4, S13, S14, S16, W15)."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from duenna import Backoff, Child, ChildStateError, GaveUpError, StopReport, Supervisor, run

from .probe import NOW, BoomError, Flavour, Probe, Script, attempt, causes, node, opened, serve, settle, state, states


def run_virtually(tree: Supervisor) -> StopReport:
    """Run a bot's main loop on a virtual clock."""
    return run(tree, log_level=None, watchdog=None, clock=MockClock(autojump_threshold=0))


# Escalation


@pytest.mark.parametrize("restart", ["permanent", "transient"])
async def test_c60_supervisor_that_gives_up_is_restarted_by_its_parent(probe: Probe, restart: Any) -> None:
    """Escalation is a crash, so a transient sub-supervisor is restarted too (DEVIATION from OTP S4)."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("w x y"), intensity=0, restart=restart, backoff=NOW)

    async with opened(Supervisor("bot", [probe.child("a"), sub, probe.child("b")])) as runtime:
        probe.forget()
        await trio.sleep(5)
        log, seen = list(probe.log), node(runtime, "/bot/sub")

    assert log == ["-x", "-y", "-w", "+w", "+x", "+y"]
    assert seen is not None
    assert (seen.state, seen.incarnation, seen.restarts) == ("running", 2, 1)


async def test_c60_temporary_supervisor_that_gives_up_is_gone(probe: Probe) -> None:
    """A temporary child is never restarted, and a supervisor is a child."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, restart="temporary")

    async with opened(Supervisor("bot", [sub, probe.child("b")], intensity=0)) as runtime:
        await trio.sleep(5)
        seen = states(runtime)

    assert seen == {"b": "running"}


async def test_c60_escalation_counts_in_the_parent(probe: Probe) -> None:
    """The parent's own intensity is spent by it, and its error has the whole chain of causes."""
    error = BoomError("leaf")
    probe.always("x", Script(lives=1, ends=error))
    sub = Supervisor("sub", probe.children("x"), intensity=0, restart="transient", backoff=NOW)

    with pytest.raises(GaveUpError) as caught:
        await serve(Supervisor("bot", [probe.child("a"), sub], intensity=1, period=5))

    chain = causes(caught.value)
    assert caught.value.path == "/bot"
    assert [link.path for link in chain if isinstance(link, GaveUpError)] == ["/bot", "/bot/sub"]
    assert chain[-1] is error
    assert probe.times("+", "x") == [0, 1]
    assert probe.times("-", "a") == [2]


async def test_c60_escalation_waits_the_supervisors_backoff(probe: Probe) -> None:
    """A supervisor has a backoff and a count of failures like any child."""
    probe.always("x", Script(lives=0, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=Backoff.steps(10, 30), max_failures=2)

    with pytest.raises(GaveUpError):
        await serve(Supervisor("bot", [probe.child("a"), sub], intensity=100))

    assert probe.times("+", "x") == [0, 10, 40]
    assert probe.times("-", "a") == [40]


async def test_c60_product_rule_of_three_levels(probe: Probe) -> None:
    """S5: budgets multiply: with one restart on each of three levels a leaf has eight lives."""
    error = BoomError("leaf")
    probe.always("x", Script(lives=1, ends=error))
    low = Supervisor("low", probe.children("x"), intensity=1, period=100, backoff=NOW)
    middle = Supervisor("middle", [probe.child("m"), low], intensity=1, period=100, backoff=NOW)
    tree = Supervisor("bot", [probe.child("a"), middle], intensity=1, period=100)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert probe.times("+", "x") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert probe.times("+", "m") == [0, 4]
    assert probe.times("-", "a") == [8]
    assert causes(caught.value)[-1] is error


async def test_c60_restarted_supervisor_has_a_fresh_window(probe: Probe) -> None:
    """A new incarnation of a supervisor begins with an empty window."""
    probe.plan("x", *[Script(lives=1, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("x"), intensity=1, period=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(50)
        seen = node(runtime, "/bot/sub")

    assert probe.times("+", "x") == [0, 1, 2, 3]
    assert seen is not None
    assert (seen.state, seen.incarnation) == ("running", 2)


async def test_c60_restarted_supervisor_gives_its_children_a_fresh_count(probe: Probe) -> None:
    """Nothing of a child's history outlives its supervisor's incarnation: first step, whole budget."""
    probe.plan("x", *[Script(lives=0, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("x", backoff=Backoff.steps(10, 30)), intensity=1, period=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])):
        await trio.sleep(200)
        times = probe.times("+", "x")

    assert times == [0, 10, 10, 20]


async def test_c60_escalation_under_a_group_strategy(probe: Probe) -> None:
    """A sub-supervisor that gives up takes its group along like any other child."""
    probe.plan("x", Script(lives=1, ends=BoomError))
    sub = Supervisor("sub", probe.children("x"), intensity=0, backoff=NOW)
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("c")], strategy="rest_for_one")

    async with opened(tree):
        probe.forget()
        await trio.sleep(5)
        log = list(probe.log)

    assert log == ["-x", "-c", "+x", "+c"]


async def test_c60_budget_of_one_child_escalates_through_its_supervisor(probe: Probe) -> None:
    """`on_give_up="escalate"`: the spent budget of a child is its supervisor's end, and its parent decides."""
    probe.plan("x", *[Script(lives=1, ends=BoomError)] * 3)
    sub = Supervisor("sub", probe.children("w x", max_failures=1), intensity=100, backoff=NOW)

    async with opened(Supervisor("bot", [sub])) as runtime:
        await trio.sleep(10)
        seen = states(runtime)

    assert probe.times("+", "x") == [0, 1, 2, 3]
    assert probe.times("+", "w") == [0, 2]
    assert set(seen.values()) == {"running"}


async def test_c60_operator_restart_of_a_supervisor(probe: Probe) -> None:
    """`restart_child` of a branch restarts it as a whole, uncounted."""
    sub = Supervisor("sub", probe.children("x y"))

    async with opened(Supervisor("bot", [probe.child("a"), sub], intensity=0)) as runtime:
        probe.forget()
        await runtime.restart_child("/bot/sub")
        log, seen = list(probe.log), node(runtime, "/bot/sub")

    assert log == ["-y", "-x", "+x", "+y"]
    assert seen is not None
    assert (seen.incarnation, seen.failures) == (2, 0)


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


# Branches and dynamic children


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


# Significant children


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


def test_run_raises_what_the_root_gave_up_on() -> None:
    """`run` raises GaveUpError, bare, after the ordered stop."""
    probe = Probe(Flavour.TASK)
    error = BoomError("one too many")
    probe.plan("b", Script(lives=10, ends=error))

    with pytest.raises(GaveUpError) as caught:
        run_virtually(Supervisor("bot", probe.children("a b c"), intensity=0))

    assert caught.value.__cause__ is error
    assert probe.log == ["+a", "+b", "+c", "-b", "-c", "-a"]


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
