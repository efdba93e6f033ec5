"""How names are resolved on a virtual network."""

from __future__ import annotations

import socket
from socket import AddressFamily, SocketKind, gaierror
from typing import Any

import pytest
import trio

from tests.runtime.testing.net.support import Lab

TCP = (AddressFamily.AF_INET, SocketKind.SOCK_STREAM, socket.IPPROTO_TCP)


def resolve(name: Any, port: Any, **options: Any) -> tuple[Any, float]:
    lab = Lab()
    lab.network.host("bot")
    lab.network.host("exchange", ["api.example", "münchen.example".encode("idna").decode()])

    async def main(nursery: trio.Nursery) -> tuple[Any, float]:
        found = await trio.socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, **options)
        return [info for info in found if info[0] == AddressFamily.AF_INET], trio.current_time()

    return lab.run(main)


@pytest.mark.parametrize(
    ("name", "port", "flags", "address", "took"),
    [
        ("exchange", 80, 0, ("10.0.0.2", 80), 0.5),
        ("EXCHANGE.", "https", 0, ("10.0.0.2", 443), 0.5),
        (b"api.example", "8080", 0, ("10.0.0.2", 8080), 0.5),
        ("münchen.example", None, 0, ("10.0.0.2", 0), 0.5),
        ("bot", 80, 0, ("10.0.0.1", 80), 0.5),
        ("localhost", 80, 0, ("127.0.0.1", 80), 0.0),
        ("exchange.localhost", 80, 0, ("127.0.0.1", 80), 0.0),
        ("192.0.2.1", 80, 0, ("192.0.2.1", 80), 0.0),
        ("192.0.2.1", "http", 0, ("192.0.2.1", 80), 0.0),
        (None, 80, 0, ("127.0.0.1", 80), 0.0),
        (None, "http", socket.AI_PASSIVE, ("0.0.0.0", 80), 0.0),  # noqa: S104  # a virtual one
    ],
)
def test_a_name_is_found(name: Any, port: Any, flags: int, address: tuple[str, int], took: float) -> None:
    assert resolve(name, port, flags=flags) == ([(*TCP, "", address)], took)


@pytest.mark.parametrize(
    ("name", "port", "options", "number", "text"),
    [
        ("nowhere", 80, {}, "EAI_NONAME", "Name or service not known"),
        ("exchange", "no-such-service", {}, "EAI_SERVICE", "Servname not supported for ai_socktype"),
        ("exchange", 80, {"flags": socket.AI_NUMERICHOST}, "EAI_NONAME", "Name or service not known"),
        ("exchange", 80, {"family": socket.AF_INET6}, "EAI_ADDRFAMILY", "Address family for hostname not supported"),
        (None, None, {}, "EAI_NONAME", "Name or service not known"),
    ],
)
def test_a_name_is_not_found(name: Any, port: Any, options: dict[str, int], number: str, text: str) -> None:
    with pytest.raises(gaierror, match=text) as caught:
        resolve(name, port, **options)
    assert caught.value.errno == getattr(socket, number)


def test_the_canonical_name_is_given_when_asked_for() -> None:
    found, _ = resolve("api.example", 80, flags=socket.AI_CANONNAME)
    assert found == [(*TCP, "api.example", ("10.0.0.2", 80))]


def test_lookups_are_recorded() -> None:
    lab = Lab()
    lab.network.host("exchange")

    async def main(nursery: trio.Nursery) -> None:
        await trio.socket.getaddrinfo("exchange", 80)
        with pytest.raises(gaierror):
            await trio.socket.getaddrinfo("nowhere", 80)
        await trio.socket.getaddrinfo("localhost", 80)

    lab.run(main)
    assert [(one.t, one.kind, one.path, one.fields) for one in lab.records] == [
        (0.5, "net_dns", "bot", {"name": "exchange", "found": True}),
        (1.0, "net_dns", "bot", {"name": "nowhere", "found": False}),
    ]


def test_addresses_have_names() -> None:
    lab = Lab()
    lab.network.host("exchange")

    async def main(nursery: trio.Nursery) -> None:
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        assert await trio.socket.getnameinfo(("10.0.0.1", 443), 0) == ("exchange", "https")
        assert await trio.socket.getnameinfo(("10.0.0.1", 443), numeric) == ("10.0.0.1", "443")
        assert await trio.socket.getnameinfo(("192.0.2.1", 7), 0) == ("192.0.2.1", "7")
        with pytest.raises(gaierror, match="Name or service not known"):
            await trio.socket.getnameinfo(("192.0.2.1", 7), socket.NI_NAMEREQD)

    lab.run(main)


def test_sockets_take_names_too() -> None:
    lab = Lab()
    lab.network.host("bot")

    async def main(nursery: trio.Nursery) -> None:
        listener = trio.socket.socket()
        await listener.bind(("localhost", 80))
        assert listener.getsockname() == ("127.0.0.1", 80)
        listener.listen()
        client = trio.socket.socket()
        await client.connect(("localhost", "http"))
        assert client.getpeername() == ("127.0.0.1", 80)
        with pytest.raises(ValueError, match=r"^address should be a \(host, port\) tuple$"):
            await client.connect("localhost")
        with pytest.raises(OverflowError, match=r"^port must be 0-65535\.$"):
            await trio.socket.socket().connect(("127.0.0.1", 70_000))

    lab.run(main)
