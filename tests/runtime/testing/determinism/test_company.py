"""A world in the company of hypothesis: both look after `random`, the scheduler and the collector."""

from __future__ import annotations

import gc
import random
import time
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from .support import WALL, run

SEEN: dict[int, Any] = {}


@settings(max_examples=30)
@given(seed=st.integers(0, 3), junk=st.integers(0, 300))
def test_examples_of_hypothesis_run_in_worlds(seed: int, junk: int) -> None:
    """Hypothesis times the collector by callbacks, and seeds `random` around every example."""

    async def main() -> Any:
        _ = [[number] for number in range(junk)]
        await trio.sleep(random.random())
        gc.collect()
        return time.time(), random.random(), await trio.to_thread.run_sync(random.random), trio.current_time()

    outside = random.getstate()

    seen = run(main, seed=seed)

    assert SEEN.setdefault(seed, seen) == seen
    assert seen[0] > WALL
    assert random.getstate() == outside
