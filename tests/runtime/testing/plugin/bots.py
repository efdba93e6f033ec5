"""Source texts of test files with small bots, for pytest runs of their own."""

FEED = '''
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from duenna import Backoff, Child, Supervisor
from duenna.faults import FaultPlan, HalfOpen, Latency, Planned, Reset
from duenna.testing import Scenario, world_test
from duenna.testing.invariants import Violation


async def serve(*, task_status):
    async def tick(stream):
        while True:
            await stream.send_all(b"tick")
            await trio.sleep(5.0)

    listeners = await trio.open_tcp_listeners(80)
    task_status.started()
    await trio.serve_listeners(partial(hang_up, tick), listeners)


async def hang_up(tick, stream):
    try:
        await tick(stream)
    except trio.BrokenResourceError:
        await trio.aclose_forcefully(stream)


def ticking(world, patience):
    """A bot with one feed, which waits so long for its next tick."""

    async def feed(context):
        async with await trio.open_tcp_stream("exchange", 80) as stream:
            while True:
                with trio.fail_after(patience):
                    data = await stream.receive_some()
                if not data:
                    raise ConnectionError("the exchange hung up")
                world.record("data", context.path)

    world.serve("exchange", serve)
    child = Child("feed", feed, backoff=Backoff.exponential(1.0, maximum=10.0))
    return Scenario(tree=Supervisor("bot", [child], intensity=1000, period=60.0), bound=60.0)


STORM = FaultPlan(
    faults=(
        Planned(at=100.0, target="exchange", fault=Reset()),
        Planned(at=200.0, target="exchange", fault=Latency(extra=0.5), duration=60.0),
        Planned(at=300.0, target="exchange", fault=HalfOpen()),
        Planned(at=400.0, target="exchange", fault=Latency(extra=0.2), duration=10.0),
    )
)
'''

BUG = (
    FEED
    + """

@world_test(seeds=3, seconds=900.0, faults=STORM)
def test_feed(world):
    return ticking(world, float("inf"))  # the bug: it waits for ever
"""
)

GOOD = (
    FEED
    + """

@world_test(seeds=3, seconds=900.0, faults=STORM)
def test_feed(world):
    return ticking(world, 12.0)
"""
)
