"""Every call that waits can be cancelled, loses nothing by it, and leaves nobody waiting."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.faults import Partition
from duenna.testing._net._pipe import WINDOW
from tests.runtime.testing.net.support import Lab, hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def cancelled_after(seconds: float, call: Callable[..., Awaitable[object]], *args: object) -> None:
    with trio.move_on_after(seconds) as scope:
        await call(*args)
    assert scope.cancelled_caught


def test_a_cancelled_recv_loses_nothing() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes:
        client, server = await lab.pair(nursery)
        await cancelled_after(1.0, server.socket.recv, 100)
        await client.send_all(b"all of it")
        await trio.sleep(1.0)
        await cancelled_after(0.0, server.socket.recv, 100)
        return await server.socket.recv(100)

    assert lab.run(main) == b"all of it"


def test_a_recv_that_is_cancelled_as_bytes_arrive_leaves_them() -> None:
    """Whether the bytes or the deadline come first, they are read once."""
    lab = Lab()

    async def main(nursery: trio.Nursery) -> bytes:
        client, server = await lab.pair(nursery)
        heard = b""
        for number in range(50):
            await client.send_all(bytes([number]))
            with trio.move_on_after(0.25):
                heard += await server.socket.recv(100)
        client.socket.close()
        while data := await server.socket.recv(100):
            heard += data
        return heard

    assert lab.run(main) == bytes(range(50))


def test_a_cancelled_send_has_sent_nothing() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> int:
        client, server = await lab.pair(nursery)
        await cancelled_after(0.0, client.socket.send, b"never")
        assert await client.socket.send(bytes(WINDOW)) == WINDOW
        await cancelled_after(1.0, client.socket.send, b"never")
        await cancelled_after(1.0, client.socket.wait_writable)
        client.socket.close()
        return sum([len(data) async for data in server])

    assert lab.run(main) == WINDOW


def test_a_cancelled_accept_takes_no_connection() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> int:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80))[0]
        await cancelled_after(1.0, listener.accept)
        client = await trio.open_tcp_stream("10.0.0.2", 80)
        await trio.sleep(1.0)
        await cancelled_after(0.0, listener.accept)
        stream = await listener.accept()
        return int(stream.socket.getpeername()[1]) - int(client.socket.getsockname()[1])

    assert lab.run(main) == 0


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.25, 0.4])
def test_a_cancelled_connect_closes_its_socket_and_is_never_accepted(seconds: float) -> None:
    """Before the server knows of it, at that moment, and when its answer is on the way."""
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await lab.serve(nursery, hold)
        made = trio.socket.socket()
        await cancelled_after(seconds, made.connect, ("10.0.0.2", 80))
        assert made.fileno() == -1
        await trio.sleep(1000.0)
        assert lab.network.connections() == []
        assert lab.network.open_sockets() == ["exchange:80 listening"]

    lab.run(main)
    assert lab.told("net_connect", "net_accept") == []
    listening = lab.network.host("exchange").listening
    assert listening == {}


def test_a_cancelled_connect_gives_its_place_in_the_backlog_back() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        with lab.network.host("exchange").here():
            listener = (await trio.open_tcp_listeners(80, backlog=1))[0]
        for seconds in (0.1, 0.3, 0.4):
            await cancelled_after(seconds, trio.open_tcp_stream, "10.0.0.2", 80)
        start = trio.current_time()
        await trio.open_tcp_stream("10.0.0.2", 80)
        assert trio.current_time() - start == 0.5
        await listener.accept()

    lab.run(main)


@pytest.mark.parametrize("seconds", [0.0, 0.25, 0.5, 7.0])
def test_a_cancelled_lookup_just_ends(seconds: float) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        if seconds > 5.0:
            lab.network.begin(Partition(), "dns")
        await cancelled_after(seconds / 2.0 if seconds == 0.5 else seconds, trio.socket.getaddrinfo, "exchange", 80)

    lab.run(main)
    assert lab.records == []


async def _sent_full(client: Any) -> None:
    await client.send(bytes(WINDOW))


@pytest.mark.parametrize("call", ["recv", "send", "wait_writable", "accept"])
def test_a_close_wakes_who_waits(call: str) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> float:
        client, _ = await lab.pair(nursery)
        made = client.socket
        if call == "accept":
            made = trio.socket.socket()
            made.listen()
        else:
            await _sent_full(made)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "recv": lambda: made.recv(1),
            "send": lambda: made.send(b"x"),
            "wait_writable": made.wait_writable,
            "accept": made.accept,
        }
        lab.clock.call_at(5.0, made.close)
        with pytest.raises(trio.ClosedResourceError, match=r"^another task closed this fd$"):
            await calls[call]()
        return trio.current_time()

    assert lab.run(main) == 5.0


def test_a_close_wakes_who_connects() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        lab.network.host("exchange")
        made = trio.socket.socket()
        lab.clock.call_at(0.1, made.close)
        with pytest.raises(trio.ClosedResourceError):
            await made.connect(("10.0.0.2", 80))

    lab.run(main)
    assert lab.network.connections() == []


def test_two_tasks_do_not_wait_for_the_same() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        await client.socket.send(bytes(WINDOW))
        for call in (lambda: client.socket.recv(1), lambda: client.socket.send(b"x")):
            async with trio.open_nursery() as first:
                first.start_soon(call)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(
                    trio.BusyResourceError, match=r"^another task is already reading / writing this fd$"
                ):
                    await call()
                first.cancel_scope.cancel()
        client.socket.shutdown(socket.SHUT_WR)
        await trio.sleep(1.0)
        assert len(await server.receive_some()) == WINDOW

    lab.run(main)


@pytest.mark.parametrize("call", ["recv", "send", "accept", "connect", "wait_writable", "bind", "getaddrinfo"])
def test_every_call_is_a_checkpoint_though_it_need_not_wait(call: str) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        client, server = await lab.pair(nursery)
        await server.send_all(b"x")
        listener = trio.socket.socket()
        listener.listen()
        await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1])
        await trio.sleep(1.0)
        with trio.socket.socket() as fresh:
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "recv": lambda: client.socket.recv(1),
                "send": lambda: client.socket.send(b"x"),
                "accept": listener.accept,
                "connect": lambda: fresh.connect(listener.getsockname()),
                "wait_writable": client.socket.wait_writable,
                "bind": lambda: fresh.bind(("127.0.0.1", 0)),
                "getaddrinfo": lambda: trio.socket.getaddrinfo("localhost", 80),
            }
            with trio.testing.assert_checkpoints():
                await calls[call]()

    lab.run(main)
