"""Whatever the network is like: bytes arrive complete and in order, or a prefix of them does."""

from __future__ import annotations

from random import Random
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.faults import Bandwidth, Fault, HalfOpen, Latency, Loss, Partition, Reset, Stall, Truncate
from duenna.testing._net import Link
from tests.runtime.testing.net.support import Lab

links = st.builds(
    Link,
    latency=st.sampled_from([0.0, 0.001, 0.25]),
    jitter=st.sampled_from([0.0, 0.01, 3.0]),
    bandwidth=st.sampled_from([None, 1e4, 1e6]),
    loss=st.sampled_from([0.0, 0.1, 0.5]),
)
sizes = st.lists(st.integers(1, 40_000), min_size=1, max_size=12)
pieces = st.lists(st.integers(300, 40_000), min_size=1, max_size=12)
gentle = st.one_of(
    st.just(Partition()),
    st.builds(Stall, direction=st.sampled_from(["from", "to", "both"])),
    st.builds(Latency, extra=st.just(2.0), jitter=st.sampled_from([0.0, 5.0])),
    st.builds(Loss, rate=st.just(0.4)),
    st.builds(Bandwidth, bytes_per_second=st.just(1_000.0)),
)
deadly = st.one_of(st.just(HalfOpen()), st.just(Reset()), st.builds(Truncate, keep=st.sampled_from([0.0, 0.5])))
times = st.floats(0.0, 20.0)


def strikes(faults: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[float, float, Fault]]]:
    return st.lists(st.tuples(times, times, faults), max_size=4)


def exchange(
    link: Link, seed: int, sends: list[int], reads: list[int], struck: list[tuple[float, float, Fault]]
) -> tuple[bytes, bytes]:
    """Send in pieces and receive in others, while faults begin and end; return what was sent and what arrived."""
    lab = Lab(link, seed=seed)
    text = Random(seed).randbytes(sum(sends))  # noqa: S311  # no cryptography
    heard = bytearray()

    def begin(fault: Fault, length: float) -> None:
        lab.clock.call_at(lab.clock.now() + length, lab.network.begin(fault, "exchange"))

    async def send(stream: trio.SocketStream) -> None:
        at = 0
        try:
            for size in sends:
                await stream.send_all(text[at : at + size])
                at += size
            await stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        start = lab.clock.now()
        for at, length, fault in struck:
            lab.clock.call_at(start + at, begin, fault, length)
        nursery.start_soon(send, server)
        number = 0
        with trio.move_on_after(5_000.0):
            try:
                while data := await client.receive_some(reads[number % len(reads)]):
                    heard.extend(data)
                    number += 1
                    if number % 3 == 0:
                        await trio.sleep(0.01)
            except trio.BrokenResourceError:
                pass
        client.socket.close()
        server.socket.close()

    lab.run(main)
    assert lab.network.connections() == []
    assert lab.network.open_sockets() == []
    return text, bytes(heard)


@given(link=links, seed=st.integers(0, 100), sends=sizes, reads=pieces, struck=strikes(gentle))
@settings(max_examples=80)
def test_bytes_arrive_complete_and_in_order(
    link: Link, seed: int, sends: list[int], reads: list[int], struck: list[tuple[float, float, Fault]]
) -> None:
    sent, heard = exchange(link, seed, sends, reads, struck)
    assert heard == sent


@given(link=links, seed=st.integers(0, 100), sends=sizes, reads=pieces, struck=strikes(st.one_of(gentle, deadly)))
@settings(max_examples=80)
def test_of_a_connection_that_breaks_a_prefix_has_arrived(
    link: Link, seed: int, sends: list[int], reads: list[int], struck: list[tuple[float, float, Fault]]
) -> None:
    sent, heard = exchange(link, seed, sends, reads, struck)
    assert sent.startswith(heard)
