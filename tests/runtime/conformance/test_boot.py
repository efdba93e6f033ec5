"""Boot: who starts when, and what a boot that fails leaves behind (C1 to C4, C10, S1, W12, W15)."""

import math
from typing import Any

import attrs
import pytest
import trio

from duenna import (
    Actor,
    Backoff,
    Child,
    Context,
    StartFailedError,
    Supervisor,
)

from .probe import BoomError, Flavour, Probe, Script
from .support import attempt, causes, opened, serve, states


async def test_c01_children_start_in_the_order_of_the_list(probe: Probe) -> None:
    """The order of the list is the order of the starts, whatever the names."""
    tree = Supervisor("bot", probe.children("c7 c3 c10"))

    async with opened(tree):
        booted = list(probe.log)

    assert booted == ["+c7", "+c3", "+c10"]


async def test_c01_a_child_waits_until_the_one_before_it_is_ready(probe: Probe) -> None:
    """Child k+1 does not begin to start before child k is ready."""
    for name, takes in (("c7", 2), ("c3", 1), ("c10", 3)):
        probe.plan(name, Script(start_takes=takes))
    tree = Supervisor("bot", probe.children("c7 c3 c10"))

    async with opened(tree):
        booted = [(mark.time, mark.sign + mark.name) for mark in probe.marks]

    assert booted == [(0, "~c7"), (2, "+c7"), (2, "~c3"), (3, "+c3"), (3, "~c10"), (6, "+c10")]


async def test_c01_the_body_begins_when_the_whole_tree_is_ready(probe: Probe) -> None:
    """`open_runtime` yields once the last child is ready, and every child then runs."""
    probe.plan("b", Script(start_takes=7))
    tree = Supervisor("bot", [probe.child("a"), Supervisor("sub", [probe.child("b")])])

    async with opened(tree) as runtime:
        began, seen = trio.current_time(), states(runtime)

    assert began == 7
    assert seen == {"a": "running", "sub": "running", "b": "running"}


async def test_c01_a_nested_supervisor_is_ready_when_its_own_boot_is_over(probe: Probe) -> None:
    """W15: a supervisor's children start where it stands in the order, before its later siblings."""
    probe.plan("c", Script(start_takes=5))
    sub = Supervisor("sub", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("d")])

    async with opened(tree):
        booted = list(probe.timed)

    assert booted == [(0, "+a"), (0, "+b"), (5, "+c"), (5, "+d")]


async def test_c01_a_supervisor_has_no_start_timeout(probe: Probe) -> None:
    """A supervisor's boot may take longer than any one child's start timeout of 30 s."""
    for name in ("a", "b", "c"):
        probe.plan(name, Script(start_takes=25))
    tree = Supervisor("bot", [Supervisor("sub", probe.children("a b c"))])

    async with opened(tree):
        booted = list(probe.timed)

    assert booted == [(25, "+a"), (50, "+b"), (75, "+c")]


async def test_an_empty_supervisor_boots() -> None:
    """A supervisor without children is ready at once."""
    tree = Supervisor("bot", [Supervisor("sub")])

    async with opened(tree) as runtime:
        seen = states(runtime)

    assert seen == {"sub": "running"}


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_c02_failed_start_ends_the_boot(probe: Probe, restart: Any) -> None:
    """A failed start stops those that started in reverse and is never tried again, whatever the restart type (S1)."""
    error = BoomError("no")
    probe.plan("c", Script(start_error=error))
    tree = Supervisor("bot", probe.children("a b c d", restart=restart), intensity=100)

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]
    assert probe.starts["c"] == 1
    assert caught.value.path == "/bot/c"
    assert caught.value.__cause__ is error


async def test_c02_failed_boot_waits_for_no_backoff(probe: Probe) -> None:
    """A boot failure is the supervisor's failure at once: neither backoff nor parking comes in."""
    probe.always("b", Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10), max_failures=5, on_give_up="park"))

    with pytest.raises(StartFailedError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "!b"), (0, "-a")]


async def test_c02_cleanup_of_a_failed_boot_is_sequential(probe: Probe) -> None:
    """Those that started are stopped one after the other, each to its end."""
    for name in ("a", "b"):
        probe.plan(name, Script(stop_takes=2))
    probe.plan("c", Script(start_error=BoomError))
    tree = Supervisor("bot", probe.children("a b c"))

    with pytest.raises(StartFailedError):
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (0, "!c"), (2, "-b"), (4, "-a")]


async def test_c02_cleanup_that_raises_does_not_hide_the_failed_start(probe: Probe) -> None:
    """The error of a boot is the failed start, even when a child's clean-up raises on the way down."""
    error = BoomError("no")
    probe.plan("b", Script(stop_error=ValueError("cleanup")))
    probe.plan("c", Script(start_error=error))
    tree = Supervisor("bot", probe.children("a b c"))

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert caught.value.__cause__ is error
    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]


async def test_c02_failed_boot_of_a_nested_supervisor_is_a_start_error_of_its_parent(probe: Probe) -> None:
    """S1: a supervisor whose boot fails has failed to start, so its parent's boot fails with it."""
    error = BoomError("no")
    probe.plan("c", Script(start_error=error))
    sub = Supervisor("sub", probe.children("b c"), intensity=100)
    tree = Supervisor("bot", [probe.child("a"), sub, probe.child("d")], intensity=100)

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.log == ["+a", "+b", "!c", "-b", "-a"]
    assert causes(caught.value)[-1] is error


async def test_c03_return_before_ready_is_a_failed_start() -> None:
    """A child that returns before it is ready has failed to start; the cause says so."""
    probe = Probe(Flavour.FUNCTION)

    async def hasty(context: Context) -> None:
        del context

    children = [*probe.children("a b"), Child("c", hasty, ready="manual"), probe.child("d")]

    with pytest.raises(StartFailedError) as caught:
        await serve(Supervisor("bot", children))

    assert probe.log == ["+a", "+b", "-b", "-a"]
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "returned before it was ready" in str(caught.value.__cause__)


async def test_c04_start_that_hangs_is_cancelled_at_its_start_timeout(probe: Probe) -> None:
    """At `start_timeout` the start is cancelled, and the boot fails with TooSlowError as its cause."""
    probe.plan("c", Script(start_takes=math.inf))
    tree = Supervisor("bot", probe.children("a b c d", start_timeout=3))

    with pytest.raises(StartFailedError) as caught:
        await serve(tree)

    assert probe.timed == [(0, "+a"), (0, "+b"), (3, "!c"), (3, "-b"), (3, "-a")]
    assert isinstance(caught.value.__cause__, trio.TooSlowError)


async def test_c04_the_default_start_timeout_is_thirty_seconds(probe: Probe) -> None:
    """A child has 30 s to become ready."""
    probe.plan("a", Script(start_takes=math.inf))

    with pytest.raises(StartFailedError):
        await serve(Supervisor("bot", probe.children("a")))

    assert probe.timed == [(30, "!a")]


async def test_c04_start_timeout_ends_with_readiness(probe: Probe) -> None:
    """Once ready, a child may run for longer than its start timeout."""
    probe.plan("a", Script(start_takes=2))
    tree = Supervisor("bot", probe.children("a", start_timeout=3), intensity=0)

    await serve(tree, 100)

    assert probe.timed == [(2, "+a"), (102, "-a")]


async def test_c04_infinite_start_timeout_waits(probe: Probe) -> None:
    """`start_timeout=inf` never cuts a start."""
    probe.plan("a", Script(start_takes=100_000))

    await serve(Supervisor("bot", probe.children("a", start_timeout=math.inf)), 1)

    assert probe.log == ["+a", "-a"]


async def test_c10_cancel_during_boot_stops_in_reverse(probe: Probe) -> None:
    """A cancelled boot stops what started, in reverse, and Cancelled passes on."""
    probe.plan("c", Script(start_takes=10))
    tree = Supervisor("bot", probe.children("a b c d"))

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (5, "-b"), (5, "-a")]


async def test_c10_cancel_during_boot_lets_cleanup_finish(probe: Probe) -> None:
    """W2: clean-up is shielded from a cancel of the surroundings."""
    for name in ("a", "b"):
        probe.plan(name, Script(stop_takes=2))
    probe.plan("c", Script(start_takes=10))
    tree = Supervisor("bot", probe.children("a b c"))

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (7, "-b"), (9, "-a")]


async def test_c10_cancel_before_boot_starts_nothing_that_it_does_not_stop(probe: Probe) -> None:
    """A scope that is cancelled already leaves no child behind."""
    tree = Supervisor("bot", probe.children("a b"))

    with trio.CancelScope() as scope:
        scope.cancel()
        await serve(tree)

    assert scope.cancelled_caught
    assert sum(probe.alive.values()) == 0


async def test_c10_cancel_during_the_boot_of_a_nested_supervisor(probe: Probe) -> None:
    """The reverse order holds across levels."""
    probe.plan("c", Script(start_takes=10))
    sub = Supervisor("sub", probe.children("b c"))
    tree = Supervisor("bot", [probe.child("a"), sub])

    with trio.move_on_after(5) as scope:
        await serve(tree)

    assert scope.cancelled_caught
    assert probe.timed == [(0, "+a"), (0, "+b"), (5, "!c"), (5, "-b"), (5, "-a")]


async def test_w12_boot_failure_of_a_deep_tree_is_no_group(probe: Probe) -> None:
    """W12: whatever the depth, the error of a boot is one bare StartFailedError."""
    error = BoomError("deep")
    probe.plan("leaf", Script(start_error=error))
    tree = Supervisor("leaf-parent", probe.children("leaf"))
    for level in range(5):
        tree = Supervisor(f"level{level}", [tree])

    caught = await attempt(lambda: serve(tree))

    assert isinstance(caught, StartFailedError)
    assert causes(caught)[-1] is error


async def test_stop_during_boot_ends_in_reverse() -> None:
    """`runtime.stop()` from a child while a later one still boots: the boot is given up, in reverse order."""
    probe = Probe(Flavour.TASK)
    probe.plan("c", Script(start_takes=10))

    @attrs.define
    class Stopper(Actor):
        async def run(self) -> None:
            await trio.sleep(5)
            await self.context.runtime.stop()

    tree = Supervisor("bot", [Child("stopper", Stopper), *probe.children("a c d")])

    await attempt(lambda: serve(tree, 1))

    assert probe.timed[:3] == [(0, "+a"), (5, "!c"), (5, "-a")]
    assert "+d" not in probe.log
    assert sum(probe.alive.values()) == 0
