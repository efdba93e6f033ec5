"""Parking: set aside, alive, tried again later."""

import pytest
import trio

from duenna import (
    Backoff,
    ChildParked,
    GaveUpError,
    StartFailedError,
    Supervisor,
)

from .probe import NOW, BoomError, Probe, Script
from .support import STEPS, attempt, crashing, node, opened, serve, state, states, watching


@pytest.mark.parametrize("failed_starts", [False, True])
async def test_steps_10_30_60_and_then_park(probe: Probe, failed_starts: bool) -> None:
    """Three consecutive restarts, after 10, 30 and 60 s; the next failure gives up, however the child fails."""
    first, again = crashing(0)[0], Script(start_error=BoomError) if failed_starts else crashing(0)[0]
    probe.plan("a", first, again, again, again)
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec, probe.child("b")])) as runtime:
        await trio.sleep(10_000)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 40, 100]
    assert seen is not None
    assert (seen.state, seen.failures, seen.budget_left) == ("failed", 4, 0)


async def test_parked_child_costs_nobody_else(probe: Probe) -> None:
    """Its siblings and its supervisor go on; an alert says that a hand is needed."""
    probe.plan("a", *crashing(1))
    children = [probe.child("a", max_failures=0, on_give_up="park", unpark_after=300), probe.child("b")]

    async with opened(Supervisor("bot", children)) as runtime, watching(runtime, ChildParked) as seen:
        await trio.sleep(10)
        shown = states(runtime)
        parked = [(event.time, event.path, event.failures, event.unpark_after) for event in seen]

    assert shown == {"a": "failed", "b": "running"}
    assert parked == [(1, "/bot/a", 1, 300)]
    assert probe.starts["b"] == 1


async def test_parked_child_begins_a_new_round_after_unpark_after(probe: Probe) -> None:
    """Each round is a fresh count of failures, the first step first."""
    probe.always("a", *crashing(0))
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])):
        await trio.sleep(1000)
        times = probe.times("~", "a")

    assert times == [0, 10, 40, 100, 400, 410, 440, 500, 800, 810, 840, 900]


async def test_new_round_that_succeeds_is_an_ordinary_life(probe: Probe) -> None:
    """Unparked and well, the child has its whole budget again."""
    probe.plan("a", *crashing(0, 0))
    spec = probe.child("a", backoff=Backoff.steps(10), max_failures=1, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(400)
        seen = node(runtime, "/bot/a")

    assert probe.times("~", "a") == [0, 10, 310]
    assert seen is not None
    assert (seen.state, seen.failures, seen.budget_left) == ("running", 0, 1)


async def test_default_unpark_after_is_five_minutes(probe: Probe) -> None:
    """A parked child is tried again after 300 s."""
    probe.plan("a", *crashing(1))

    async with opened(Supervisor("bot", [probe.child("a", max_failures=0, on_give_up="park")])):
        await trio.sleep(1000)
        times = probe.times("~", "a")

    assert times == [0, 301]


async def test_unpark_after_none_waits_for_a_hand(probe: Probe) -> None:
    """Only an operator brings it back."""
    probe.plan("a", *crashing(1))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(80_000)
        before = state(runtime, "/bot/a")
        await runtime.restart_child("/bot/a")
        after = state(runtime, "/bot/a")

    assert (before, after) == ("failed", "running")


async def test_parking_is_no_restart(probe: Probe) -> None:
    """The window counts restarts: a child that is set aside spends nothing."""
    probe.plan("a", *crashing(1))
    children = [probe.child("a", max_failures=0, on_give_up="park", unpark_after=None), probe.child("b")]

    async with opened(Supervisor("bot", children, intensity=0)) as runtime:
        await trio.sleep(5)
        seen = states(runtime)

    assert seen == {"a": "failed", "b": "running"}


async def test_window_is_not_parked_by_a_childs_on_give_up(probe: Probe) -> None:
    """A spent window is the supervisor's end, whatever its children would do."""
    probe.plan("a", *crashing(1, 1))
    tree = Supervisor("bot", probe.children("a b", max_failures=10, on_give_up="park"), intensity=1, period=5)

    with pytest.raises(GaveUpError):
        await serve(tree)

    assert probe.times("-", "b") == [2]


async def test_parked_supervisor_stays_down_as_a_whole(probe: Probe) -> None:
    """A sub-supervisor is a child: its own budget can park it, and a new round boots it again."""
    probe.plan("x", *crashing(1, 1))
    sub = Supervisor(
        "sub", probe.children("w x"), intensity=0, backoff=NOW, max_failures=1, on_give_up="park", unpark_after=100
    )

    async with opened(Supervisor("bot", [sub, probe.child("b")])) as runtime:
        await trio.sleep(5)
        parked = state(runtime, "/bot/sub")
        await trio.sleep(200)
        after = states(runtime)

    assert parked == "failed"
    assert after == {"sub": "running", "w": "running", "x": "running", "b": "running"}
    assert probe.times("+", "w") == [0, 1, 102]


async def test_stop_child_of_a_parked_child_is_sticky(probe: Probe) -> None:
    """An operator's stop ends the rounds."""
    probe.plan("a", *crashing(1))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=100)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(5)
        await runtime.stop_child("/bot/a")
        await trio.sleep(1000)
        seen = state(runtime, "/bot/a")

    assert seen == "stopped"
    assert probe.starts["a"] == 1


async def test_c47_restart_of_a_parked_child_clears_its_count(probe: Probe) -> None:
    """By hand it begins a round of its own, and the old round's timer is void."""
    probe.always("a", *crashing(0))
    spec = probe.child("a", backoff=STEPS, max_failures=3, on_give_up="park", unpark_after=300)

    async with opened(Supervisor("bot", [spec])) as runtime:
        await trio.sleep(150)
        await runtime.restart_child("/bot/a")
        await trio.sleep(510)
        times = probe.times("~", "a")

    assert times == [0, 10, 40, 100, 150, 160, 190, 250, 550, 560, 590, 650]


async def test_failed_restart_of_a_parked_child_is_told_to_its_caller(probe: Probe) -> None:
    """S12: a start by hand that fails is an error of the call, and is not counted in the window."""
    probe.plan("a", *crashing(1), Script(start_error=BoomError))
    spec = probe.child("a", max_failures=0, on_give_up="park", unpark_after=None)

    async with opened(Supervisor("bot", [spec, probe.child("b")], intensity=0)) as runtime:
        await trio.sleep(5)
        caught = await attempt(lambda: runtime.restart_child("/bot/a"))
        await trio.sleep(5)
        seen = states(runtime)

    assert isinstance(caught, StartFailedError)
    assert seen["b"] == "running"
    assert seen["a"] in {"failed", "stopped"}
