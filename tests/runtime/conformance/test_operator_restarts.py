"""Starts and stops by hand, and slow ones, of one child (C40 to C47, W6)."""

import pytest
import trio

from duenna import (
    Backoff,
    ChildStateError,
    GaveUpError,
    StartFailedError,
    Supervisor,
)

from .probe import BoomError, Probe, Script
from .support import STEPS, attempt, causes, crashing, node, opened, serve, settle, state


async def test_c40_stop_in_backoff_is_immediate(probe: Probe) -> None:
    """`stop()` waits for no backoff."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a b", backoff=Backoff.steps(1000)))) as runtime:
        await trio.sleep(5)
        await runtime.stop()
        stopped = trio.current_time()

    assert stopped == 5
    assert probe.timed[-1] == (5, "-b")
    assert probe.starts["a"] == 1


async def test_c40_stop_child_in_backoff_is_immediate_and_sticky(probe: Probe) -> None:
    """S12: the restart loop is broken."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))) as runtime:
        await trio.sleep(5)
        await runtime.stop_child("/bot/a")
        stopped = trio.current_time()
        await trio.sleep(100)
        seen = state(runtime, "/bot/a")

    assert (stopped, seen) == (5, "stopped")
    assert probe.starts["a"] == 1


async def test_c43_restart_child_in_backoff_starts_now(probe: Probe) -> None:
    """At once, once, and without being counted."""
    probe.plan("a", *crashing(0))
    tree = Supervisor("bot", probe.children("a b", backoff=Backoff.steps(10)), intensity=1, period=100)

    async with opened(tree) as runtime:
        await trio.sleep(5)
        before = state(runtime, "/bot/a")
        await runtime.restart_child("/bot/a")
        after = state(runtime, "/bot/a")
        await trio.sleep(100)

    assert (before, after) == ("backoff", "running")
    assert probe.times("~", "a") == [0, 5]


async def test_c43_failed_restart_in_backoff_goes_back_to_backoff(probe: Probe) -> None:
    """The caller is told; the child is still one that is to run, so its supervisor goes on trying."""
    probe.plan("a", *crashing(0), Script(start_error=BoomError))
    spec = probe.child("a", backoff=Backoff.steps(10))

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(5)
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(100)
        seen = state(runtime, "/bot/a")

    assert isinstance(caught, StartFailedError)
    assert seen == "running"


async def test_c43_delete_and_start_in_backoff_are_refused(probe: Probe) -> None:
    """A child in backoff is there."""
    probe.plan("a", *crashing(0))

    async with opened(Supervisor("bot", probe.children("a", backoff=Backoff.steps(10)))) as runtime:
        await trio.sleep(5)
        deleted = await attempt(lambda: runtime.delete_child("/bot/a"))
        started = await attempt(lambda: runtime.start_child("/bot", probe.child("a")))
        await trio.sleep(10)
        seen = state(runtime, "/bot/a")

    assert isinstance(deleted, ChildStateError)
    assert isinstance(started, ChildStateError)
    assert seen == "running"


async def test_c45_start_timeout_in_a_restart_is_a_failure_like_another(probe: Probe) -> None:
    """It is counted, waits the next step, and is tried again."""
    probe.plan("a", *crashing(0), Script(start_takes=1000), Script(start_takes=1000))
    spec = probe.child("a", backoff=STEPS, start_timeout=3)

    async with opened(Supervisor("bot", [spec, probe.child("b")], intensity=3, period=1000)) as runtime:
        await trio.sleep(500)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 43, 106]
    assert probe.times("!", "a") == [13, 46]
    assert seen is not None
    assert (seen.state, seen.last_error is not None and "TooSlowError" in seen.last_error) == ("running", True)
    assert probe.starts["b"] == 1


async def test_c45_start_timeouts_can_give_up(probe: Probe) -> None:
    """Given up on for being slow, its cause is TooSlowError."""
    probe.plan("a", *crashing(1), Script(start_takes=1000))
    tree = Supervisor("bot", probe.children("a b", start_timeout=3), intensity=1, period=5)

    with pytest.raises(GaveUpError) as caught:
        await serve(tree)

    assert isinstance(causes(caught.value)[-1], trio.TooSlowError)
    assert probe.timed == [(0, "+a"), (0, "+b"), (1, "-a"), (4, "!a"), (4, "-b")]


async def test_c46_slow_start_delays_no_siblings_restart(probe: Probe) -> None:
    """W6: the supervisor does not wait for one child's start."""
    probe.plan("a", *crashing(0), Script(start_takes=29))

    async with opened(Supervisor("bot", probe.children("a b"))):
        await trio.sleep(5)
        probe.crash("b")
        await trio.sleep(100)

    assert probe.times("+", "b") == [0, 5]
    assert probe.times("+", "a") == [0, 29]


async def test_c46_slow_stop_delays_no_siblings_restart(probe: Probe) -> None:
    """The same for a child that takes its time to stop."""
    probe.plan("a", Script(stop_takes=29))

    async with opened(Supervisor("bot", probe.children("a b", shutdown=60))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.stop_child, "/bot/a")
            await trio.sleep(5)
            probe.crash("b")
            await settle()
            restarted = probe.times("+", "b")
        stopped = trio.current_time()

    assert restarted == [0, 5]
    assert stopped == 29


async def test_c46_slow_dynamic_start_delays_nobody(probe: Probe) -> None:
    """`start_child` holds up its caller, not the supervisor."""
    probe.plan("slow", Script(start_takes=20))

    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(runtime.start_child, "/bot", probe.child("slow"))
            await trio.sleep(5)
            probe.crash("a")
            await runtime.start_child("/bot", probe.child("quick"))
            quick = trio.current_time()
        slow = trio.current_time()

    assert (quick, slow) == (5, 20)
    assert probe.times("+", "a") == [0, 5]


async def test_c47_manual_restart_is_not_counted(probe: Probe) -> None:
    """An operator spends neither the window nor the child's budget."""
    tree = Supervisor("bot", probe.children("a b", max_failures=0), intensity=0)

    async with opened(tree) as runtime:
        for _ in range(5):
            await runtime.restart_child("/bot/a")
        seen = node(runtime, "/bot/a")

    assert seen is not None
    assert (seen.state, seen.incarnation, seen.failures) == ("running", 6, 0)


async def test_c47_manual_restart_waits_for_no_backoff(probe: Probe) -> None:
    """It is down for no longer than its stop takes, and the call returns when it is ready."""
    probe.plan("a", Script(stop_takes=2), Script(start_takes=3))
    spec = probe.child("a", backoff=Backoff.steps(100))

    async with opened(Supervisor("bot", [spec])) as runtime:
        await runtime.restart_child("/bot/a")
        returned = trio.current_time()
        seen = state(runtime, "/bot/a")

    assert (returned, seen) == (5, "running")
    assert probe.timed[:3] == [(0, "+a"), (2, "-a"), (5, "+a")]


@pytest.mark.parametrize("how", ["stopped", "parked"])
async def test_c47_restart_clears_the_count_of_failures(probe: Probe, how: str) -> None:
    """After a stop or a parking, the first crash waits the first step."""
    probe.plan("a", *crashing(0, 0), Script())
    spec = probe.child(
        "a", backoff=STEPS, max_failures=1 if how == "parked" else 9, on_give_up="park", unpark_after=None
    )

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(20)
        if how == "stopped":
            await runtime.stop_child("/bot/a")
        await runtime.restart_child("/bot/a")
        fresh = node(runtime, "/bot/a")
        await trio.sleep(5)
        probe.crash("a")
        await trio.sleep(100)

    assert fresh is not None
    assert (fresh.state, fresh.failures) == ("running", 0)
    assert probe.times("~", "a") == [0, 10, 20, 35]
