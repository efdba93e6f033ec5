"""The TLS context that all connections share."""

from __future__ import annotations

import trio

from duenna.testing import World
from duenna_actors._tls import shared_tls_context


def test_every_run_takes_the_same_steps_to_it() -> None:
    """A run that finds it made by an earlier one must not be quicker: the same seed would be another run."""

    async def main() -> list[float]:
        first = await shared_tls_context()
        times = [trio.current_time()]
        assert await shared_tls_context() is first
        return [*times, trio.current_time()]

    times = [World(7).run(main) for _ in range(3)]

    assert times[0][0] > 0.0
    assert times[0][0] == times[0][1]
    assert times == [times[0]] * 3
