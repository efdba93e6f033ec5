"""A simulated socket answers as a real one on Linux does: the same calls on both, and what they say."""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.runtime.testing.net.support import NO_LINGER, Lab, hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SO_LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


class Told:
    """What the calls of a script have said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def ask(self, call: Callable[..., Awaitable[object]], *args: object) -> None:
        """Make a call that does not have to wait, and write down its answer or its error."""
        with trio.move_on_after(0.05) as patience:
            try:
                self.lines.append(repr(await call(*args)))
            except (OSError, trio.ClosedResourceError, trio.BusyResourceError) as error:
                self.lines.append(_shown(error))
        if patience.cancelled_caught:
            self.lines.append("waits")

    def say(self, call: Callable[..., object], *args: object) -> None:
        """Make a call and write down its answer or its error."""
        try:
            self.lines.append(repr(call(*args)))
        except OSError as error:
            self.lines.append(_shown(error))


def _shown(error: Exception) -> str:
    number = f"[{errno.errorcode[error.errno]}]" if isinstance(error, OSError) and error.errno else ""
    return f"{type(error).__name__}{number}"


async def arrival() -> None:
    """Let what was sent arrive."""
    await trio.sleep(0.02)


async def reset_after_data(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    await other.send(b"hello")
    await arrival()
    other.setsockopt(*SO_LINGER)
    other.close()
    await arrival()
    for _ in range(3):
        await told.ask(one.recv, 100)
    await told.ask(one.send, b"x")


async def send_after_reset(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    other.setsockopt(*SO_LINGER)
    other.close()
    await arrival()
    told.say(one.is_readable)
    await told.ask(one.send, b"x")
    await told.ask(one.send, b"x")
    await told.ask(one.recv, 100)
    told.say(one.getpeername)
    told.say(one.shutdown, socket.SHUT_WR)


async def close_over_unread(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    await one.send(b"unread")
    await other.send(b"answer")
    await arrival()
    other.close()
    await arrival()
    for _ in range(3):
        await told.ask(one.recv, 100)


async def send_to_the_closed(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    other.close()
    await arrival()
    await told.ask(one.send, b"x")
    await arrival()
    await told.ask(one.recv, 10)
    await told.ask(one.send, b"x")
    await told.ask(one.send, b"x")
    await told.ask(one.recv, 10)


async def error_option(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    other.close()
    await arrival()
    await one.send(b"x")
    await arrival()
    for _ in range(2):
        told.say(one.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR)


async def half_closed(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    one.shutdown(socket.SHUT_WR)
    told.say(lambda: one.did_shutdown_SHUT_WR)
    await told.ask(one.send, b"x")
    await told.ask(other.recv, 10)
    await told.ask(other.send, b"z")
    await told.ask(one.recv, 10)
    await told.ask(one.recv, 10)
    other.setsockopt(*SO_LINGER)
    other.close()
    await arrival()
    await told.ask(one.recv, 10)
    await told.ask(one.recv, 10)


async def deaf(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    one.shutdown(socket.SHUT_RD)
    await told.ask(one.recv, 10)
    await other.send(b"late")
    await arrival()
    await told.ask(one.recv, 10)
    await told.ask(one.recv, 10)
    await told.ask(one.send, b"still")
    await arrival()
    await told.ask(other.recv, 10)


async def deaf_while_waiting(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.ask, one.recv, 10)
        await trio.testing.wait_all_tasks_blocked()
        one.shutdown(socket.SHUT_RDWR)


async def nothing(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    await told.ask(one.recv, 0)
    await told.ask(one.send, b"")
    await told.ask(one.recv, 1)


async def wrong_state(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    await told.ask(one.accept)
    await told.ask(one.bind, ("127.0.0.1", 0))
    told.say(one.listen)
    with trio.socket.socket() as fresh:
        await told.ask(fresh.send, b"x")
        await told.ask(fresh.recv, 1)
        await told.ask(fresh.accept)
        told.say(fresh.getpeername)
        told.say(fresh.getsockname)
        told.say(fresh.shutdown, socket.SHUT_RD)
        await fresh.bind(("127.0.0.1", 0))
        await told.ask(fresh.bind, ("127.0.0.1", 0))
        fresh.listen()
        await told.ask(fresh.recv, 1)
        await told.ask(fresh.send, b"x")
        await told.ask(fresh.connect, ("127.0.0.1", 1))
        with trio.socket.socket() as second:
            await told.ask(second.bind, fresh.getsockname())


async def closed(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    one.close()
    one.close()
    told.say(one.fileno)
    await told.ask(one.send, b"x")
    await told.ask(one.recv, 1)
    await told.ask(one.bind, ("127.0.0.1", 0))
    await told.ask(one.connect, ("127.0.0.1", 1))
    await told.ask(one.accept)
    for call in (one.getsockname, one.getpeername, one.listen):
        told.say(call)
    told.say(one.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE)
    told.say(one.shutdown, socket.SHUT_RD)


async def busy(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(told.ask, one.recv, 1)
        await trio.testing.wait_all_tasks_blocked()
        await told.ask(one.recv, 1)
        one.close()


async def options(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    one.setsockopt(*SO_LINGER)
    told.say(one.getsockopt, socket.SOL_SOCKET, socket.SO_LINGER, 8)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    told.say(one.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
    told.say(one.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE, 4)
    told.say(one.getsockopt, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    told.say(one.setsockopt, 4711, 1, 1)
    told.say(one.getsockopt, 4711, 1)
    told.say(lambda: (one.family, one.type, one.get_inheritable()))


async def other_calls(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    await told.ask(one.sendmsg, [b"ab", b"cd"])
    buffer = bytearray(3)
    await told.ask(other.recv_into, buffer)
    told.lines.append(repr(buffer))
    await told.ask(other.recvfrom, 10)
    await told.ask(one.wait_writable)
    with one as same:
        told.say(lambda: same is one)
    told.say(one.fileno)


async def reset_before_accept(told: Told, one: trio.socket.SocketType, other: trio.socket.SocketType) -> None:
    with trio.socket.socket() as listener:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = trio.socket.socket()
        await client.connect(listener.getsockname())
        client.setsockopt(*SO_LINGER)
        client.close()
        await arrival()
        late, _ = await listener.accept()
        await told.ask(late.recv, 1)
        await told.ask(late.recv, 1)
        late.close()


SCRIPTS = {
    reset_after_data: ["b'hello'", "ConnectionResetError[ECONNRESET]", "b''", "BrokenPipeError[EPIPE]"],
    send_after_reset: [
        "True",
        "ConnectionResetError[ECONNRESET]",
        "BrokenPipeError[EPIPE]",
        "b''",
        "OSError[ENOTCONN]",
        "OSError[ENOTCONN]",
    ],
    close_over_unread: ["b'answer'", "ConnectionResetError[ECONNRESET]", "b''"],
    send_to_the_closed: ["1", "b''", "BrokenPipeError[EPIPE]", "BrokenPipeError[EPIPE]", "b''"],
    error_option: [str(errno.EPIPE), "0"],
    half_closed: [
        "True",
        "BrokenPipeError[EPIPE]",
        "b''",
        "1",
        "b'z'",
        "waits",
        "ConnectionResetError[ECONNRESET]",
        "b''",
    ],
    deaf: ["b''", "b'late'", "b''", "5", "b'still'"],
    deaf_while_waiting: ["b''"],
    nothing: ["b''", "0", "waits"],
    wrong_state: [
        "OSError[EINVAL]",
        "OSError[EINVAL]",
        "OSError[EINVAL]",
        "BrokenPipeError[EPIPE]",
        "OSError[ENOTCONN]",
        "OSError[EINVAL]",
        "OSError[ENOTCONN]",
        "('0.0.0.0', 0)",
        "OSError[ENOTCONN]",
        "OSError[EINVAL]",
        "OSError[ENOTCONN]",
        "BrokenPipeError[EPIPE]",
        "OSError[EISCONN]",
        "OSError[EADDRINUSE]",
    ],
    closed: ["-1", *["OSError[EBADF]"] * 10],
    busy: ["BusyResourceError", "ClosedResourceError"],
    options: [
        repr(NO_LINGER),
        "1",
        repr(b"\x01\0\0\0"),
        "0",
        "OSError[ENOPROTOOPT]",
        f"OSError[{errno.errorcode[errno.EOPNOTSUPP]}]",
        "(<AddressFamily.AF_INET: 2>, <SocketKind.SOCK_STREAM: 1>, False)",
    ],
    other_calls: ["4", "3", "bytearray(b'abc')", "(b'd', None)", "None", "True", "-1"],
    reset_before_accept: ["ConnectionResetError[ECONNRESET]", "b''"],
}


async def act(script: Any) -> list[str]:
    told = Told()
    with trio.socket.socket() as listener, trio.socket.socket() as one:
        await listener.bind(("127.0.0.1", 0))
        listener.listen()
        await one.connect(listener.getsockname())
        other, _ = await listener.accept()
        with other:
            await script(told, one, other)
    return told.lines


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_simulated_socket_says_what_linux_says(script: Any) -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> list[str]:
        return await act(script)

    assert lab.run(main) == SCRIPTS[script]
    assert lab.network.open_sockets() == []
    assert lab.network.connections() == []


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that is simulated")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_linux_says_so(script: Any) -> None:
    """The tables above are what the kernel does, not what we believe; its loopback delivers within the call."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(act, script, clock=clock) == SCRIPTS[script]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda made: made.detach(), "detach(): it has no file descriptor"),
        (lambda made: made.dup(), "dup(): it has no file descriptor"),
        (lambda made: made.set_inheritable(True), "set_inheritable(True): it has no file descriptor"),
        (lambda made: made.recv(1, socket.MSG_PEEK), f"recv() with flags {socket.MSG_PEEK}"),
        (lambda made: made.send(b"x", socket.MSG_OOB), f"send() with flags {socket.MSG_OOB}"),
        (lambda made: made.recvmsg(1), "recvmsg()"),
        (lambda made: made.recvmsg_into([bytearray(1)]), "recvmsg_into()"),
        (lambda made: made.sendto(b"x", ("127.0.0.1", 1)), "sendto()"),
        (lambda made: made.sendmsg([b"x"], [(1, 1, b"")]), "sendmsg() with ancillary data or an address"),
    ],
)
def test_what_is_not_simulated_says_so(call: Callable[[Any], Any], message: str) -> None:
    async def main(nursery: trio.Nursery) -> None:
        async def ask(made: trio.socket.SocketType) -> None:
            await call(made)

        with trio.socket.socket() as made, pytest.raises(NotImplementedError) as caught:
            await ask(made)
        assert str(caught.value) == f"a simulated socket does not have {message}"

    Lab().run(main)


def test_options_are_checked_as_by_the_standard_library() -> None:
    async def main(nursery: trio.Nursery) -> None:
        made = trio.socket.socket()
        made.set_inheritable(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, None, 4)
        with pytest.raises(TypeError, match="must not be None when specifying optlen"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, None)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="must be None when specifying optlen"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1, 4)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="negative buffersize in recv"):
            await made.recv(-1)

    Lab().run(main)


def test_a_connect_that_failed_may_be_tried_again() -> None:
    lab = Lab()

    async def main(nursery: trio.Nursery) -> None:
        await lab.serve(nursery, hold, "bot")
        with trio.socket.socket() as made:
            with pytest.raises(ConnectionRefusedError):
                await made.connect(("127.0.0.1", 81))
            await made.connect(("127.0.0.1", 80))
            assert repr(made) == "<simulated socket bot:50002>bot:80 connected>"
        assert repr(made) == "<simulated socket bot:50002 closed>"

    lab.run(main)
