"""The same seed gives the same records: no order is taken from a set, an address or a hash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trio
from trio._core import _run as trio_run

from duenna.faults import FlipByte, Latency, Loss, Partition, Reset, Stall
from duenna.testing._net import Link
from tests.runtime.testing.net.support import Lab, Record, echo

ROOT = Path(__file__).parents[4]


def storm(seed: int) -> list[Record]:
    """Have ten clients talk to three hosts through everything that can go wrong."""
    lab = Lab(Link(), seed=seed)
    network, clock = lab.network, lab.clock
    for at, length, fault, target in (
        (3.0, 5.0, Latency(extra=0.5, jitter=1.0), "a"),
        (4.0, 9.0, Loss(rate=0.3), "*"),
        (10.0, 4.0, Partition(), "b"),
        (12.0, 4.0, Stall(direction="both"), "*"),
        (5.0, 0.0, Reset(), "*"),
        (16.0, 9.0, FlipByte(count=3), "*"),
    ):
        clock.call_at(at, lambda f=fault, t=target, n=length, w=at: clock.call_at(w + n, network.begin(f, t)))

    async def talk(number: int) -> None:
        for name in "abcabc":
            try:
                stream = await trio.open_tcp_stream(name, 80)
                async with stream:
                    for size in range(1, 20):
                        await stream.send_all(bytes([number]) * size * 100)
                        await stream.receive_some()
            except (OSError, trio.BrokenResourceError):
                await trio.sleep(0.1)

    async def main(nursery: trio.Nursery) -> None:
        for name in "abc":
            await lab.serve(nursery, echo, name)
        async with trio.open_nursery() as clients:
            for number in range(10):
                clients.start_soon(talk, number)

    saved = trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # as the world does
    trio_run._r.seed(seed)
    try:
        lab.run(main)
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = saved  # type: ignore[misc]
    return lab.records


def test_the_same_seed_gives_the_same_records() -> None:
    first = storm(1)
    assert len(first) > 1_000
    assert {one.kind for one in first} >= {"net_connect", "net_accept", "net_data", "net_eof", "net_reset", "net_close"}

    junk = [object() for _ in range(100_000)]  # other addresses for what is made now

    assert storm(1) == first
    assert storm(2) != first
    del junk


def test_other_processes_with_other_hashes_give_the_same_records() -> None:
    program = (
        "import hashlib; from tests.runtime.testing.net.test_repeatable import storm;"
        "print(hashlib.sha256(repr(storm(3)).encode()).hexdigest())"
    )
    hashes = [
        subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(["runtime", "actors", "."])},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 65
