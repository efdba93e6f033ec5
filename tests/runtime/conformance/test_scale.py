"""Scale (C81, C83, W9)."""

import time

import pytest
import trio

from duenna import (
    Backoff,
    Supervisor,
)

from .probe import Flavour, Probe, Script
from .support import attempt, opened, settle, states

pytestmark = pytest.mark.slow

MANY = 10_000


def many(probe: Probe) -> int:
    """Return how many children a test makes whose point is made by fewer where each costs a task."""
    return MANY if probe.flavour is Flavour.CELL else MANY // 10


async def test_c81_ten_thousand_children_crash_in_one_tick(probe: Probe) -> None:
    """Every one is restarted exactly once, and never has two live incarnations."""
    names = [f"n{i}" for i in range(MANY)]
    tree = Supervisor("bot", [probe.child(name) for name in names], intensity=MANY)

    async with opened(tree) as runtime:
        began = time.perf_counter()
        for name in names:
            probe.crash(name)
        await settle()
        took = time.perf_counter() - began
        seen = set(states(runtime).values())

    assert set(probe.starts.values()) == {2}
    assert probe.overlaps == []
    assert seen == {"running"}
    assert sum(probe.alive.values()) == 0
    assert took < 60  # a scan per event would take minutes


async def test_c81_ten_thousand_restarts_fall_due_in_one_tick(probe: Probe) -> None:
    """The same through the heap of due times (W9)."""
    names = [f"n{i}" for i in range(many(probe))]
    tree = Supervisor("bot", [probe.child(name, backoff=Backoff.steps(10)) for name in names], intensity=len(names))

    async with opened(tree) as runtime:
        for name in names:
            probe.crash(name)
        await trio.sleep(10)
        await settle()
        seen = set(states(runtime).values())

    assert set(probe.starts.values()) == {2}
    assert probe.times("+", names[-1]) == [0, 10]
    assert seen == {"running"}


async def test_c81_storm_one_over_the_limit_gives_up_once(probe: Probe) -> None:
    """In the middle of a storm the window trips, and everything is stopped."""
    names = [f"n{i}" for i in range(1_000)]
    tree = Supervisor("bot", [probe.child(name) for name in names], intensity=999)

    async def play() -> None:
        async with opened(tree):
            for name in names:
                probe.crash(name)
            await trio.sleep(100)

    outcome = await attempt(play)

    assert type(outcome).__name__ == "GaveUpError"
    assert sum(probe.alive.values()) == 0
    assert probe.overlaps == []


async def test_c81_group_of_ten_thousand(probe: Probe) -> None:
    """one_for_all of 10,000: one restart each, in order, counted once."""
    size = many(probe)
    names = [f"n{i}" for i in range(size)]
    tree = Supervisor("bot", [probe.child(name) for name in names], strategy="one_for_all", intensity=1)

    async with opened(tree):
        probe.forget()
        probe.crash("n500")
        await settle()
        log = list(probe.log)

    assert log[0] == "-n500"
    assert log[1:size] == [f"-{name}" for name in reversed(names) if name != "n500"]
    assert log[size:] == [f"+{name}" for name in names]


async def test_c83_tree_is_readable_at_any_time(probe: Probe) -> None:
    """`tree()` is a plain call: it reads, it never queues behind a busy supervisor."""
    probe.plan("a", Script(stop_takes=50))
    probe.plan("b", Script(), Script(start_takes=20))
    tree = Supervisor("bot", probe.children("a b", shutdown=100))

    async with opened(tree) as runtime, trio.open_nursery() as nursery:
        nursery.start_soon(runtime.stop_child, "/bot/a")
        probe.crash("b")
        await trio.sleep(5)
        seen, read = states(runtime), trio.current_time()

    assert seen == {"a": "stopping", "b": "starting"}
    assert read == 5


async def test_c83_tree_is_a_snapshot(probe: Probe) -> None:
    """What was read does not change afterwards."""
    async with opened(Supervisor("bot", probe.children("a"))) as runtime:
        before = runtime.tree()
        await runtime.stop_child("/bot/a")
        found = before.find("/bot/a")

    assert found is not None
    assert found.state == "running"
