"""Random trees under random faults and operators: what must hold whatever happens."""

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from duenna import (
    ChildRestarting,
    ChildStarting,
    GaveUpError,
    Supervisor,
    TreeNode,
)

from .probe import LONG, Flavour, Probe
from .programs import CALM, MOMENTS, PERIOD, Play, Program, all_leaves, programs
from .support import opened, settle, watching


def running_leaves(node: TreeNode) -> list[str]:
    """Return the names of the leaves that run, in start order."""
    if node.children:
        return [name for child in node.children for name in running_leaves(child)]
    return [node.name] if node.state == "running" and node.kind != "supervisor" else []


def check_states(play: Play) -> None:
    """After the calm every child is where its restart type and its operator want it."""
    specs = {leaf.name: leaf for leaf in all_leaves(play.program)}

    branched = (play.program.left, play.program.right, play.program.spare_branch)
    may_finish = {branch.name for branch in branched if branch.restart == "transient"}

    def check(node: TreeNode) -> None:
        if node.name in specs:
            allowed = {"running"} if specs[node.name].restart == "permanent" else {"running", "finished"}
            assert node.state in allowed | {"stopped"}, node
            assert play.probe.alive[node.name] == (1 if node.state == "running" else 0), node
        else:
            assert node.state in {"running", "stopped"} | ({"finished"} if node.name in may_finish else set()), node
        if node.state == "stopped":
            assert node.path in play.touched, node
        if node.state == "running":
            for child in node.children:
                check(child)

    check(play.runtime.tree())


def check_windows(program: Program, seen: list[ChildRestarting | ChildStarting]) -> None:
    """No supervisor restarted more children within a period than its intensity allows."""
    for branch in (program.left, program.right):
        path = f"/bot/{branch.name}"
        times: list[float] = []
        for event in seen:
            if isinstance(event, ChildStarting):
                if event.path == path:
                    times.clear()  # a new incarnation, a new window
            elif event.path.startswith(f"{path}/"):
                times.append(event.time)
                assert sum(time >= event.time - PERIOD for time in times) <= branch.intensity, event


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs)
def test_whatever_happens_the_tree_comes_to_rest(program: Program) -> None:
    """No overlap, every call answered, windows kept, everyone where he belongs, stopped in reverse."""
    probe = Probe(Flavour.CELL)

    async def main() -> None:
        async with opened(program.tree(probe)) as runtime:
            async with watching(runtime, ChildRestarting, ChildStarting) as seen, trio.open_nursery() as nursery:
                play = Play(program, probe, runtime, nursery)
                await play.play()
                await trio.sleep(CALM)
                play.resume_all()
                await trio.sleep(CALM)
                await settle()
                nursery.cancel_scope.cancel()
                assert play.pending == 0
            assert play.oddities == []
            check_windows(program, seen)
            check_states(play)
            expected = [f"-{name}" for name in reversed(running_leaves(runtime.tree()))]
            probe.forget()
            await runtime.stop()
            stuck = {f"-{leaf.name}" for leaf in all_leaves(program) if leaf.stubborn}  # these come when they come
            assert sorted(probe.log) == sorted(expected)
            assert [line for line in probe.log if line not in stuck] == [line for line in expected if line not in stuck]
        assert probe.overlaps == []
        assert sum(probe.alive.values()) == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs, moment=MOMENTS)
def test_whatever_happens_a_cancel_ends_it(program: Program, moment: float) -> None:
    """Cut off from outside at any moment, nobody is left, nobody was doubled, and it takes no longer than it may."""
    probe = Probe(Flavour.CELL)

    async def main() -> None:
        with trio.move_on_after(moment) as scope:
            async with opened(program.tree(probe)) as runtime, trio.open_nursery() as nursery:
                await Play(program, probe, runtime, nursery).play()
                await trio.sleep(LONG)
        assert scope.cancelled_caught
        assert probe.overlaps == []
        assert sum(probe.alive.values()) == 0
        assert trio.current_time() <= moment + 10 * len(all_leaves(program))

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs, moment=MOMENTS)
def test_whatever_happens_a_stop_ends_it(program: Program, moment: float) -> None:
    """The same for `runtime.stop()`; every call that is under way, or comes too late, is answered."""
    probe = Probe(Flavour.CELL)

    async def main() -> None:
        async with opened(program.tree(probe)) as runtime, trio.open_nursery() as nursery:
            play = Play(program, probe, runtime, nursery)
            nursery.start_soon(play.play)
            await trio.sleep(moment)
            await runtime.stop()
            assert sum(probe.alive.values()) == 0
            assert trio.current_time() <= moment + 10 * len(all_leaves(program))
            await trio.sleep(CALM)
            await settle()
            assert (play.pending, play.oddities) == (0, [])
        assert probe.overlaps == []
        assert sum(probe.alive.values()) == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs, intensity=st.integers(0, 3))
def test_whatever_happens_a_root_that_gives_up_leaves_nobody(program: Program, intensity: int) -> None:
    """A root with a small budget either holds or ends with GaveUpError; never anything else."""
    probe = Probe(Flavour.CELL)

    async def main() -> None:
        spec = program.tree(probe)
        tree = Supervisor("bot", spec.children, strategy=spec.strategy, intensity=intensity, period=PERIOD)
        try:
            async with opened(tree) as runtime, trio.open_nursery() as nursery:
                await Play(program, probe, runtime, nursery).play()
                await trio.sleep(CALM)
                nursery.cancel_scope.cancel()
        except GaveUpError as error:
            assert error.path == "/bot"  # noqa: PT017  # it may hold as well
        assert probe.overlaps == []
        assert sum(probe.alive.values()) == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))
