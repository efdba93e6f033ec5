"""Faults of the ways between hosts, seen by an unmodified trio program: the right exception at the right time."""

from __future__ import annotations

import errno

import pytest
import trio

from duenna.faults import (
    Bandwidth,
    Fault,
    Latency,
    Loss,
    Partition,
)
from duenna.testing._net import Link
from tests.runtime.testing.net.support import Lab, echo, raises_os_error

EXCHANGE = "10.0.0.2"


def test_latency_is_added_while_it_lasts() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[float]:
        await lab.serve(nursery, echo)
        stream = await trio.open_tcp_stream(EXCHANGE, 80)
        end = lab.network.begin(Latency(extra=2.0), "exch*")
        times = []
        for _ in range(2):
            start = trio.current_time()
            await stream.send_all(b"x")
            await stream.receive_some()
            times.append(trio.current_time() - start)
            end()
        return times

    assert lab.run(main) == [4.5, 0.5]


def test_faults_of_a_line_add_up() -> None:
    lab = Lab(Link(latency=0.25, jitter=0.0, bandwidth=1024.0, loss=0.5))
    line = lab.network.line(lab.network.host("bot"), lab.network.host("exchange"))
    faults: list[Fault] = [
        Latency(extra=1.0, jitter=0.5),
        Latency(extra=2.0),
        Bandwidth(bytes_per_second=512),
        Loss(rate=0.5),
        Partition(),
    ]

    ends = [lab.network.begin(fault, "exchange") for fault in faults]
    assert (line.latency, line.jitter, line.bandwidth, line.loss, line.blocked) == (3.25, 0.5, 512.0, 0.75, True)

    for end in [*ends, *ends]:
        end()
    assert (line.latency, line.jitter, line.bandwidth, line.loss, line.blocked) == (0.25, 0.0, 1024.0, 0.5, False)


def test_what_waited_for_bandwidth_is_sent_when_there_is_more() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        end = lab.network.begin(Bandwidth(bytes_per_second=1.0), "*")
        await client.send_all(bytes(10_000))
        await trio.sleep(4.25)
        end()
        await server.receive_some()
        return trio.current_time()

    assert lab.run(main) == 0.75 + 4.25 + 0.25


def test_loss_makes_late() -> None:
    lab = Lab(seed=2)

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        lab.network.begin(Loss(rate=0.5), "*")
        late = 0.0
        for _ in range(20):
            start = trio.current_time()
            await client.send_all(b"x")
            assert await server.receive_some() == b"x"
            delay = trio.current_time() - start - 0.25
            assert min(abs(delay - wait) for wait in (0.0, 0.2, 0.6, 1.4, 3.0, 6.2, 12.6, 25.4)) < 1e-9
            late += delay
        return late

    assert lab.run(main) > 1.0


def test_a_partition_holds_bytes_until_it_ends_and_connections_survive() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[tuple[float, bytes]]:
        client, server = await lab.pair(nursery)
        await client.send_all(b"on the way, ")
        end = lab.network.begin(Partition(), "exchange")
        await client.send_all(b"held, ")
        await server.send_all(b"answer")
        await trio.sleep(300.0)
        end()
        await client.send_all(b"after")
        heard = []
        for stream in (server, client):
            data = await stream.receive_some()
            heard.append((trio.current_time(), data))
        return heard

    assert lab.run(main) == [(301.0, b"on the way, held, after"), (301.0, b"answer")]


def test_a_partition_lets_a_connect_wait_and_go_on() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        end = lab.network.begin(Partition(), "exchange")
        lab.clock.call_at(60.0, end)
        await trio.open_tcp_stream(EXCHANGE, 80)
        return trio.current_time()

    assert lab.run(main) == 60.5


def test_a_connect_gives_up_after_127_seconds() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        end = lab.network.begin(Partition(), "exchange")
        made = trio.socket.socket()
        lab.clock.call_at(126.5, end)
        lab.clock.call_at(126.75, lab.network.begin, Latency(extra=10.0), "exchange")
        with raises_os_error(errno.ETIMEDOUT):
            await made.connect((EXCHANGE, 80))
        failed = trio.current_time()
        await trio.sleep(100.0)
        made.close()
        return failed

    assert lab.run(main) == 127.0
    assert lab.told("net_connect", "net_accept") == []


@pytest.mark.parametrize("begins_first", [True, False])
def test_a_sender_gives_up_924_6_seconds_after_what_was_never_acknowledged(begins_first: bool) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        if not begins_first:
            await client.send_all(b"x")
        end = lab.network.begin(Partition(), "exchange")
        if begins_first:
            await client.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError, match=r"Connection timed out"):
            await client.receive_some()
        waited = trio.current_time() - 0.75
        end()
        await server.send_all(b"still there?")
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await server.receive_some()
        return waited

    assert lab.run(main) == 924.6
    assert [kind for _, kind, _ in lab.told("net_timeout", "net_reset")] == ["net_timeout", "net_reset"]


def test_a_partition_that_ends_in_time_is_forgotten() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        client, server = await lab.pair(nursery)
        end = lab.network.begin(Partition(), "exchange")
        await client.send_all(b"in time")
        await trio.sleep(900.0)
        end()
        await trio.sleep(100.0)
        return await server.receive_some()

    assert lab.run(main) == b"in time"
    assert lab.told("net_timeout") == []


def test_who_sends_nothing_into_a_partition_never_notices() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        client, server = await lab.pair(nursery)
        end = lab.network.begin(Partition(), "exchange")
        await trio.sleep(80_000.0)
        end()
        await server.send_all(b"hello again")
        return await client.receive_some()

    assert lab.run(main) == b"hello again"


def test_a_partition_spares_the_loopback_and_other_hosts() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await lab.serve(nursery, echo, "bot")
        await lab.serve(nursery, echo, "other")
        lab.network.begin(Partition(), "exchange")
        for host in ("localhost", "other"):
            stream = await trio.open_tcp_stream(host, 80)
            await stream.send_all(b"x")
            assert await stream.receive_some() == b"x"

    lab.run(main)
