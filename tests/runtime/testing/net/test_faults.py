"""Faults of connections, segments and names: the right exception at the right time, in an unmodified program."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from duenna.faults import (
    Bandwidth,
    DiskFull,
    Fault,
    FlipByte,
    HalfOpen,
    Latency,
    Loss,
    NameNotFound,
    Partition,
    Refuse,
    Reset,
    Stall,
    TlsFailure,
    Truncate,
)
from tests.runtime.testing.net.support import Lab, echo, hold, raises_os_error

EXCHANGE = "10.0.0.2"


@pytest.mark.parametrize(
    ("direction", "answered", "asked"), [("from", 100.25, 1.0), ("to", 1.0, 100.25), ("both", 100.25, 100.25)]
)
def test_a_stall_holds_one_direction_of_open_connections(direction: str, answered: float, asked: float) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> tuple[float, float]:
        client, server = await lab.pair(nursery)
        end = lab.network.begin(Stall(direction=direction), "exchange")  # type: ignore[arg-type]  # one of the three
        lab.clock.call_at(100.0, end)
        await client.send_all(b"question")
        await server.send_all(b"answer")
        times = {}

        async def hear(name: str, stream: trio.SocketStream) -> None:
            await stream.receive_some()
            times[name] = trio.current_time()

        async with trio.open_nursery() as both:
            both.start_soon(hear, "client", client)
            both.start_soon(hear, "server", server)
        return times["client"], times["server"]

    assert lab.run(main) == (answered, asked)


def test_a_stall_spares_new_connections_and_never_times_out() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await lab.serve(nursery, echo)
        old = await trio.open_tcp_stream(EXCHANGE, 80)
        await trio.sleep(1.0)
        ends = [lab.network.begin(Stall(direction="both"), "*") for _ in range(2)]
        await old.send_all(b"old")
        new = await trio.open_tcp_stream(EXCHANGE, 80)
        await new.send_all(b"new")
        assert await new.receive_some() == b"new"
        await trio.sleep(2000.0)
        ends[0]()
        ends[0]()
        with trio.move_on_after(10.0) as patience:
            await old.receive_some()
        assert patience.cancelled_caught
        ends[1]()
        assert await old.receive_some() == b"old"

    lab.run(main)


def test_a_full_window_opens_after_a_stall() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> int:
        client, server = await lab.pair(nursery)
        end = lab.network.begin(Partition(), "*")
        nursery.start_soon(client.send_all, bytes(200_000))
        await trio.sleep(500.0)
        end()
        got = 0
        while got < 200_000:
            got += len(await server.receive_some())
        return got

    assert lab.run(main) == 200_000


def test_half_open_connections_are_dead_and_silent_and_new_ones_work() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        old = await trio.open_tcp_stream(EXCHANGE, 80)
        await trio.sleep(1.0)
        lab.network.begin(HalfOpen(), "exchange")()
        with trio.move_on_after(10_000.0) as patience:
            await old.receive_some()
        assert patience.cancelled_caught
        new = await trio.open_tcp_stream(EXCHANGE, 80)
        await new.send_all(b"new")
        assert await new.receive_some() == b"new"
        start = trio.current_time()
        await old.send_all(b"old")
        with pytest.raises(trio.BrokenResourceError, match=r"Connection timed out"):
            await old.receive_some()
        return trio.current_time() - start

    assert lab.run(main) == pytest.approx(924.6)


def test_what_was_on_the_way_when_a_connection_died_is_given_up() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        await client.send_all(b"on the way")
        lab.network.begin(HalfOpen(), "exchange")
        with pytest.raises(trio.BrokenResourceError, match=r"Connection timed out"):
            await client.receive_some()
        with trio.move_on_after(1.0):
            await server.receive_some()
        return trio.current_time() - 1.75

    assert lab.run(main) == pytest.approx(924.6)
    assert lab.told("net_data") == []


def test_a_machine_that_slept_finds_its_connections_half_open() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        other, far = await lab.pair(nursery, "other")
        lab.network.vanish_all_of("exchange")
        await client.send_all(b"x")
        await server.send_all(b"x")
        await far.send_all(b"fine")
        assert await other.receive_some() == b"fine"
        with trio.move_on_after(900.0) as patience:
            await client.receive_some()
        assert patience.cancelled_caught

    lab.run(main)


def test_a_reset_reaches_both_ends_at_once() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        await trio.sleep(1.0)
        lab.network.begin(Reset(), "exchange")
        for stream in (client, server):
            with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
                await stream.receive_some()
        return trio.current_time()

    assert lab.run(main) == 1.75
    assert lab.told("net_reset") == [
        (1.75, "net_reset", "exchange:80>bot:50001"),
        (1.75, "net_reset", "bot:50001>exchange:80"),
    ]


@pytest.mark.parametrize("fault", [Reset(), HalfOpen()], ids=lambda fault: type(fault).__name__)
def test_a_connection_that_breaks_in_its_handshake_leaves_no_trace_in_the_backlog(fault: Fault) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80, backlog=1))[0]
        client = await trio.open_tcp_stream(EXCHANGE, 80)
        lab.network.begin(fault, "exchange")
        start = trio.current_time()
        other = await trio.open_tcp_stream(EXCHANGE, 80)
        assert trio.current_time() - start == 0.5
        assert (await listener.accept()).socket.getpeername() == other.socket.getsockname()
        assert client.socket.getsockname() == ("10.0.0.1", 50001)

    lab.run(main)


def test_refusal_lasts_and_spares_open_connections() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        old = await trio.open_tcp_stream(EXCHANGE, 80)
        end = lab.network.begin(Refuse(), "exchange")
        start = trio.current_time()
        with trio.socket.socket() as made, raises_os_error(errno.ECONNREFUSED):
            await made.connect((EXCHANGE, 80))
        took = trio.current_time() - start
        await old.send_all(b"x")
        assert await old.receive_some() == b"x"
        end()
        await trio.open_tcp_stream(EXCHANGE, 80)
        return took

    assert lab.run(main) == 0.5


def test_a_truncated_segment_arrives_in_part_and_then_a_reset() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        lab.network.begin(Truncate(keep=0.5, count=1), "exchange")
        await client.send_all(b"to the target")
        assert await server.receive_some() == b"to the target"
        await server.send_all(b"0123456789")
        await server.send_all(b"more")
        assert await client.receive_some() == b"01234"
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await client.receive_some()
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await server.receive_some()

    lab.run(main)


def test_nothing_of_a_segment_may_be_left() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        lab.network.begin(Truncate(keep=0.0), "exchange")
        await server.send_all(b"0123456789")
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await client.receive_some()

    lab.run(main)


def test_one_byte_of_each_of_the_next_segments_is_flipped() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[int]:
        client, server = await lab.pair(nursery)
        lab.network.begin(FlipByte(count=2), "exchange")
        wrong = []
        for _ in range(3):
            await server.send_all(bytes(100))
            data = await client.receive_some()
            wrong.append(100 - data.count(0))
        await client.send_all(b"to the target")
        assert await server.receive_some() == b"to the target"
        return wrong

    assert lab.run(main) == [1, 1, 0]


def test_a_fault_that_counts_is_over_when_it_is_ended() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        client, server = await lab.pair(nursery)
        lab.network.begin(FlipByte(count=2), "*")()
        await server.send_all(b"whole")
        return await client.receive_some()

    assert lab.run(main) == b"whole"


def test_names_are_not_found_while_it_lasts() -> None:
    lab = Lab()
    lab.network.host("exchange", ["api.exchange.example"])

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        end = lab.network.begin(NameNotFound(), "api.*")
        for name in ("exchange", "api.exchange.example"):
            with pytest.raises(socket.gaierror, match=r"Name or service not known") as caught:
                await trio.open_tcp_stream(name, 80)
            assert caught.value.errno == socket.EAI_NONAME
        end()
        took = trio.current_time()
        await trio.open_tcp_stream("API.exchange.example.", 80)
        return took

    assert lab.run(main) == 1.0


@pytest.mark.parametrize("target", ["bot", "dns"])
def test_without_a_way_to_dns_a_lookup_fails_after_ten_seconds(target: str) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, hold)
        end = lab.network.begin(Partition(), target)
        with pytest.raises(socket.gaierror, match=r"Temporary failure in name resolution") as caught:
            await trio.open_tcp_stream("exchange", 80)
        assert caught.value.errno == socket.EAI_AGAIN
        took = trio.current_time()
        lab.clock.call_at(took + 3.0, end)
        await trio.socket.getaddrinfo("exchange", 80)
        return took + 100.0 * (trio.current_time() - took)

    assert lab.run(main) == 10.0 + 100.0 * 5.5


@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.1), (0.1, 0.6)])
def test_a_question_or_an_answer_that_is_lost_is_asked_again_after_five_seconds(begin: float, end: float) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        lab.network.host("exchange")
        lab.clock.call_at(begin, lambda: lab.clock.call_at(end, lab.network.begin(Partition(), "dns")))
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.0 if begin else 0.01)
        start = trio.current_time()
        await trio.socket.getaddrinfo("exchange", 80)
        return trio.current_time() - start

    assert lab.run(main) == 5.5


ALL = [
    Latency(),
    Bandwidth(bytes_per_second=1.0),
    Loss(rate=0.9),
    Partition(),
    Stall(direction="both"),
    HalfOpen(),
    Reset(),
    Refuse(),
    Truncate(),
    FlipByte(),
    TlsFailure(),
]


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: type(fault).__name__)
def test_what_a_host_says_to_itself_suffers_no_fault(fault: Fault) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo, "bot")
        old = await trio.open_tcp_stream("localhost", 80)
        await trio.sleep(1.0)
        lab.network.begin(fault, "*")
        lab.network.vanish_all_of("bot")
        new = await trio.open_tcp_stream("localhost", 80)
        for stream in (old, new):
            await stream.send_all(b"\x16 unhurt")
            assert await stream.receive_some() == b"\x16 unhurt"
        return trio.current_time()

    assert 1.0 < lab.run(main) < 1.01


@pytest.mark.parametrize(
    "fault", [Stall(direction="both"), HalfOpen(), Reset()], ids=lambda fault: type(fault).__name__
)
def test_a_connection_that_is_being_made_is_none_that_is_open(fault: Fault) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, echo)
        lab.clock.call_at(0.375, lab.network.begin, fault, "*")
        stream = await trio.open_tcp_stream(EXCHANGE, 80)
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"
        return trio.current_time()

    assert lab.run(main) == 1.0


def test_a_fault_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^fault must be one of the network's, got DiskFull\(\)$"):
        Lab().network.begin(DiskFull(), "*")
