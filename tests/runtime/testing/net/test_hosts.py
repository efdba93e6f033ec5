"""Hosts, their names and ports, and the links between them."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from duenna.testing._net import Link
from tests.runtime.testing.net.support import LINK, Lab, echo, hold, raises_os_error


def test_a_host_reaches_itself_at_once_under_all_its_addresses() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[tuple[str, int]]:
        await lab.serve(nursery, echo, "bot")
        peers = []
        for name in ("localhost", "127.0.0.1", "bot"):
            stream = await trio.open_tcp_stream(name, 80)
            peers.append(stream.socket.getpeername())
            assert stream.socket.getsockname()[0] == peers[-1][0]
            await stream.send_all(b"x")
            assert await stream.receive_some() == b"x"
        assert trio.current_time() < 0.6  # the last name was looked up
        return peers

    assert lab.run(main) == [("127.0.0.1", 80), ("127.0.0.1", 80), ("10.0.0.1", 80)]


def test_tasks_make_sockets_on_the_host_that_they_were_started_on() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await lab.serve(nursery, hold)
        with lab.network.host("desk").here():
            stream = await trio.open_tcp_stream("exchange", 80)
            assert stream.socket.getsockname() == ("10.0.0.3", 50001)
        stream = await trio.open_tcp_stream("exchange", 80)
        assert stream.socket.getsockname() == ("10.0.0.1", 50001)

    lab.run(main)


def test_a_link_of_its_own_lies_both_ways_between_two_hosts_only() -> None:
    lab = Lab()
    lab.network.connect_link("bot", "exchange", Link(latency=2.0, jitter=0.0))

    async def main(nursery: trio.Nursery) -> list[float]:
        times = []
        for host in ("exchange", "other"):
            start = trio.current_time()
            await lab.pair(nursery, host)
            times.append(trio.current_time() - start)
        return times

    assert lab.run(main) == [6.0, 0.75]


def test_outside_of_install_trio_has_its_own_sockets() -> None:
    async def main() -> bool:
        with Lab().network.install():
            pass
        with trio.socket.socket() as made:
            return made.fileno() < 1_000_000

    assert trio.run(main)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"latency": -1.0}, "link: latency must be >= 0 seconds, got -1.0"),
        ({"jitter": float("inf")}, "link: jitter must be a finite number of seconds, got inf"),
        ({"bandwidth": 0.0}, "link: bandwidth must be > 0 bytes per second or None, got 0.0"),
        ({"loss": 1.0}, "link: loss must be >= 0 and < 1, got 1.0"),
    ],
)
def test_a_link_refuses_what_makes_no_sense(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Link(**values)


@pytest.mark.parametrize("name", ["", "a b", "a:1", "x>y", "*"])
def test_a_host_refuses_a_name_that_would_confuse(name: str) -> None:
    with pytest.raises(ValueError, match="name must not be empty"):
        Lab().network.host(name)


def test_a_name_belongs_to_one_host() -> None:
    network = Lab().network
    network.host("exchange", ["api.example"])
    network.host("exchange", ["ws.example"])

    with pytest.raises(
        ValueError, match=r"^name must be of one host only, got 'API\.example', which is one of 'exchange'$"
    ):
        network.host("other", ["API.example"])

    assert network.host("exchange").names == ["api.example", "ws.example"]
    assert network.matching("ws.*") == ["exchange"]


def test_ports_are_not_given_twice() -> None:
    lab = Lab(LINK)

    async def main(nursery: trio.Nursery) -> None:
        one = trio.socket.socket()
        await one.bind(("0.0.0.0", 50001))  # noqa: S104  # a virtual one
        other = trio.socket.socket()
        await other.bind(("10.0.0.1", 0))
        assert other.getsockname() == ("10.0.0.1", 50002)
        for taken in (("10.0.0.1", 50001), ("0.0.0.0", 50002)):  # noqa: S104  # virtual ones
            with raises_os_error(errno.EADDRINUSE), trio.socket.socket() as third:
                await third.bind(taken)
        with raises_os_error(errno.EADDRNOTAVAIL), trio.socket.socket() as third:
            await third.bind(("10.0.0.2", 1))
        one.close()
        with trio.socket.socket() as third:
            await third.bind(("10.0.0.1", 50001))

    lab.run(main)


@pytest.mark.parametrize(
    ("family", "kind", "number", "text"),
    [
        (socket.AF_INET6, socket.SOCK_STREAM, errno.EAFNOSUPPORT, "a virtual network has only IPv4"),
        (socket.AF_UNIX, socket.SOCK_STREAM, errno.EAFNOSUPPORT, "a virtual network has only IPv4"),
        (socket.AF_INET, socket.SOCK_DGRAM, errno.EPROTONOSUPPORT, "a virtual network has only TCP"),
    ],
)
def test_other_kinds_of_sockets_cannot_be_made(family: int, kind: int, number: int, text: str) -> None:
    async def main(nursery: trio.Nursery) -> None:
        with pytest.raises(OSError, match=text + "$") as caught:
            trio.socket.socket(family, kind)
        assert caught.value.errno == number

    Lab().run(main)
