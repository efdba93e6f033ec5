"""How a TCP connection is made, used and ended on a virtual network."""

from __future__ import annotations

import errno
import gc

import pytest
import trio

from duenna.testing._net import Link
from duenna.testing._net._pipe import WINDOW
from tests.runtime.testing.net.support import Lab, echo, hold, raises_os_error, reset


def test_a_connection_takes_a_round_trip_and_is_accepted_after_another_half() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        await lab.serve(nursery, hold)
        stream = await trio.open_tcp_stream("exchange", 80)
        connected = trio.current_time()
        await trio.sleep(1)
        await stream.aclose()
        await trio.sleep(1)
        return connected

    assert lab.run(main) == 1.0
    assert lab.told() == [
        (0.5, "net_dns", "bot"),
        (1.0, "net_connect", "bot:50001>exchange:80"),
        (1.25, "net_accept", "bot:50001>exchange:80"),
        (2.0, "net_close", "bot:50001>exchange:80"),
        (2.25, "net_eof", "bot:50001>exchange:80"),
        (3.0, "net_close", "exchange:80>bot:50001"),
    ]


def test_an_echo_takes_a_round_trip_and_is_recorded_as_it_arrives() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> tuple[bytes, float]:
        await lab.serve(nursery, echo)
        stream = await trio.open_tcp_stream("10.0.0.2", 80)
        await stream.send_all(b"hello")
        answer = await stream.receive_some()
        return answer, trio.current_time()

    assert lab.run(main) == (b"hello", 1.0)
    data = [one for one in lab.records if one.kind == "net_data"]
    assert [(one.t, one.path, one.fields) for one in data] == [
        (0.75, "bot:50001>exchange:80", {"bytes": 5, "crc": 0x3610A686}),
        (1.0, "exchange:80>bot:50001", {"bytes": 5, "crc": 0x3610A686}),
    ]


def test_nobody_listening_refuses_after_a_round_trip() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        lab.network.host("exchange")
        with pytest.raises(OSError, match=r"^all attempts to connect to 10\.0\.0\.2:80 failed$") as caught:
            await trio.open_tcp_stream("10.0.0.2", 80)
        group = caught.value.__cause__
        assert isinstance(group, ExceptionGroup)
        assert isinstance(group.exceptions[0], ConnectionRefusedError)
        assert (
            str(group.exceptions[0])
            == f"[Errno {errno.ECONNREFUSED}] Error connecting to ('10.0.0.2', 80): Connection refused"
        )
        return trio.current_time()

    assert lab.run(main) == 0.5
    assert lab.told("net_refused") == [(0.25, "net_refused", "bot:50001>exchange:80")]


def test_an_address_of_nobody_is_unreachable() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        made = trio.socket.socket()
        with raises_os_error(errno.ENETUNREACH):
            await made.connect(("192.0.2.1", 80))

    lab.run(main)


def test_the_end_of_file_follows_the_data_and_the_other_direction_goes_on() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[tuple[float, bytes]]:
        client, server = await lab.pair(nursery)
        await client.send_all(b"last words")
        await client.send_eof()
        heard = [(await server.receive_some(), trio.current_time()), (await server.receive_some(), trio.current_time())]
        await server.send_all(b"answer")
        await server.aclose()
        heard += [
            (await client.receive_some(), trio.current_time()),
            (await client.receive_some(), trio.current_time()),
        ]
        return [(t, data) for data, t in heard]

    assert lab.run(main) == [(1.0, b"last words"), (1.0, b""), (1.25, b"answer"), (1.25, b"")]
    assert lab.told("net_eof") == [
        (1.0, "net_eof", "bot:50001>exchange:80"),
        (1.25, "net_eof", "exchange:80>bot:50001"),
    ]


def test_sending_to_who_has_closed_is_answered_by_a_reset() -> None:
    """The first send goes out; its answer makes the next one a broken pipe."""
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        await server.aclose()
        assert await client.receive_some() == b""
        await client.send_all(b"anybody there?")
        await trio.sleep(0.5)
        with pytest.raises(trio.BrokenResourceError, match=r"Broken pipe"):
            await client.send_all(b"hello?")

    lab.run(main)
    assert lab.told("net_reset") == [(1.5, "net_reset", "exchange:80>bot:50001")]


def test_closing_over_unread_bytes_resets_but_what_had_arrived_is_read() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        await server.send_all(b"answer")
        await client.send_all(b"more")
        await trio.sleep(0.25)
        await server.aclose()
        await trio.sleep(0.25)
        assert await client.receive_some() == b"answer"
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await client.receive_some()
        assert await client.receive_some() == b""

    lab.run(main)


def test_no_linger_resets() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        reset(server)
        with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
            await client.receive_some()
        assert trio.current_time() == 1.0

    lab.run(main)


def test_a_sender_waits_when_the_window_is_full_and_goes_on_when_it_was_read() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, server = await lab.pair(nursery)
        assert await client.socket.send(bytes(WINDOW + 1)) == WINDOW
        with trio.move_on_after(100) as patience:
            await client.socket.send(b"x")
        assert patience.cancelled_caught
        nursery.start_soon(client.send_all, b"x")
        await trio.testing.wait_all_tasks_blocked()
        assert len(await server.receive_some(WINDOW)) == WINDOW
        read = trio.current_time()
        assert await server.receive_some() == b"x"
        return trio.current_time() - read

    assert lab.run(main) == 0.5  # the news of room, and the byte


def test_a_slow_reader_makes_no_flood_of_tiny_segments() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        nursery.start_soon(client.send_all, bytes(200_000))
        for _ in range(200):
            await trio.sleep(1.0)
            assert len(await server.receive_some(1_000)) == 1_000

    lab.run(main)
    sizes = [one.fields["bytes"] for one in lab.records if one.kind == "net_data"]
    assert sum(sizes) == 200_000
    assert min(sizes[:-1]) >= 16_384


def test_bandwidth_is_shared_by_the_connections_of_a_line() -> None:
    lab = Lab(Link(latency=0.25, jitter=0.0, bandwidth=1024.0))

    async def main(nursery: trio.Nursery) -> list[float]:
        client, server = await lab.pair(nursery)
        await client.send_all(bytes(1024))
        await client.send_all(bytes(512))
        times = []
        for _ in range(2):
            await server.receive_some()
            times.append(trio.current_time() - 0.75)
        return times

    assert lab.run(main) == [1.25, 1.75]


def test_lost_segments_come_late_but_in_order() -> None:
    lab = Lab(seed=3)

    async def main(nursery: trio.Nursery) -> bytes:
        client, server = await lab.pair(nursery)
        lab.network.connect_link("bot", "exchange", Link(latency=0.25, jitter=0.0, loss=0.9))
        for number in range(20):
            await client.send_all(bytes([number]))
        await client.send_eof()
        return b"".join([data async for data in server])

    assert lab.run(main) == bytes(range(20))
    assert lab.clock.now() > 30


def test_a_full_backlog_makes_the_next_one_ask_again() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80, backlog=1))[0]
        await trio.open_tcp_stream("10.0.0.2", 80)
        nursery.start_soon(trio.open_tcp_stream, "10.0.0.2", 80)
        await trio.sleep(1.0)
        await listener.accept()
        await trio.testing.wait_all_tasks_blocked()
        await listener.accept()
        return trio.current_time()

    assert lab.run(main) == 2.25  # asked at 0.5, seen at 0.75 and 1 s later, and confirmed after a round trip


def test_a_listener_that_closes_resets_those_that_wait() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80))[0]
        waiting = await trio.open_tcp_stream("10.0.0.2", 80)
        await trio.sleep(1.0)
        early = await trio.open_tcp_stream("10.0.0.2", 80)
        await listener.aclose()
        for stream in (waiting, early):
            with pytest.raises(trio.BrokenResourceError, match=r"Connection reset by peer"):
                await stream.receive_some()
        with pytest.raises(OSError, match=r"failed$"):
            await trio.open_tcp_stream("10.0.0.2", 80)

    lab.run(main)
    assert not [one for one in lab.network.open_sockets() if "listening" in one]


def test_a_client_that_closes_early_is_accepted_all_the_same() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80))[0]
        client = await trio.open_tcp_stream("10.0.0.2", 80)
        await client.send_all(b"bye")
        await client.aclose()
        server = await listener.accept()
        return b"".join([data async for data in server])

    assert lab.run(main) == b"bye"


def test_open_sockets_are_listed_in_the_order_of_their_making_until_they_are_closed() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        unconnected = trio.socket.socket()
        client, server = await lab.pair(nursery)
        assert lab.network.open_sockets() == [
            "bot unconnected",
            "exchange:80 listening",
            "bot:50001>exchange:80 connected",
            "exchange:80>bot:50001 connected",
        ]
        client.socket.close()
        server.socket.close()
        unconnected.close()
        assert lab.network.open_sockets() == ["exchange:80 listening"]
        assert lab.network.connections() == []

    lab.run(main)
    assert lab.network.open_sockets() == []


def test_a_socket_that_nobody_has_any_more_closes_itself() -> None:
    """As one of CPython does: libraries that forget to close rely on it, and so does the other end."""
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes | bytearray:
        client, server = await lab.pair(nursery)
        lost = trio.socket.socket()
        await lost.bind(("127.0.0.1", 81))
        lost.listen()
        assert len(lab.network.open_sockets()) == 4
        del client, lost
        assert lab.network.open_sockets() == ["exchange:80 listening", "exchange:80>bot:50001 connected"]
        assert not lab.network.host("bot").listening
        assert not lab.network.host("bot").bound
        return await server.receive_some()

    assert lab.run(main) == b""
    assert [one.fields for one in lab.records if one.kind == "net_close"] == [{"collected": True}, {}]


def test_a_socket_that_outlives_the_network_is_left_alone() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> trio.SocketStream:
        return (await lab.pair(nursery))[0]

    client = lab.run(main)
    assert lab.network.open_sockets() == ["bot:50001>exchange:80 connected"]
    told = len(lab.records)
    del client
    gc.collect()

    assert len(lab.records) == told
