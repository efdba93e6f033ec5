"""Source texts of files for `duenna simulate`."""

BOT = '''
from functools import partial
import math
import sys

import trio

from duenna import Backoff, Child, Connection, Supervisor
from duenna.testing import Scenario


async def serve(*, task_status):
    async def tick(stream):
        try:
            while True:
                await stream.send_all(b"tick")
                await trio.sleep(5.0)
        except trio.BrokenResourceError:
            await trio.aclose_forcefully(stream)

    listeners = await trio.open_tcp_listeners(80)
    task_status.started()
    await trio.serve_listeners(tick, listeners)


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
'''

GOOD = (
    BOT
    + """

def scenario(world):
    return ticking(world, 12.0)
"""
)

BUGGY = (
    BOT
    + '''

def scenario(world):
    """Wait for ever with every other seed."""
    return ticking(world, 12.0 if world.seed % 2 else math.inf)
'''
)

HALF_OPEN = """
faults:
  - {at: 100, target: exchange, fault: {kind: half_open}}
"""
