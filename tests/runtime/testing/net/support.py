"""What the tests of the virtual network share: a network with its clock, and all that it has recorded."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from duenna.testing._clock import WorldClock
from duenna.testing._net import Link, Network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

T = TypeVar("T")

LINK = Link(latency=0.25, jitter=0.0)
"""A quarter of a second each way, to the bit: times can be compared with `==`."""

NO_LINGER = struct.pack("ii", 1, 0)


@attrs.define
class Record:
    """What the network has told."""

    t: float
    kind: str
    path: str
    fields: dict[str, Any]


class Lab:
    """A network for one run."""

    def __init__(self, link: Link = LINK, *, seed: int = 0) -> None:
        self.clock = WorldClock()
        self.records: list[Record] = []
        self.network = Network(self.clock, Random(seed), self._record, link)  # noqa: S311  # no cryptography

    def run(self, main: Callable[[trio.Nursery], Awaitable[T]]) -> T:
        """Run *main* on the host `bot`; what it leaves in the nursery is cancelled."""

        async def live() -> T:
            deadlock = trio.CancelScope()
            self.clock.on_deadlock = deadlock.cancel
            results: list[T] = []
            errors: list[BaseException] = []
            with self.network.install(), self.network.host("bot").here(), deadlock:
                async with trio.open_nursery() as nursery:
                    try:
                        results.append(await main(nursery))
                    except Exception as error:  # noqa: BLE001  # raised below, in no group
                        errors.append(error)
                    nursery.cancel_scope.cancel()
            if errors:
                raise errors[0]
            assert not deadlock.cancelled_caught, "every task waits for something that will never happen"
            return results[0]

        return trio.run(live, clock=self.clock, strict_exception_groups=True)

    async def serve(
        self, nursery: trio.Nursery, handler: Callable[[trio.SocketStream], Awaitable[object]], host: str = "exchange"
    ) -> None:
        """Serve port 80 of *host*."""

        async def listen(task_status: trio.TaskStatus[object]) -> None:
            await trio.serve_tcp(handler, 80, host="0.0.0.0", task_status=task_status)  # noqa: S104  # a virtual one

        with self.network.host(host).here():
            await nursery.start(listen)

    async def pair(self, nursery: trio.Nursery, host: str = "exchange") -> tuple[trio.SocketStream, trio.SocketStream]:
        """Return both ends of a connection from the bot to *host*, 0.75 s after the call."""
        send, receive = trio.open_memory_channel[trio.SocketStream](1)

        async def hand_over(stream: trio.SocketStream) -> None:
            await send.send(stream)
            await trio.sleep_forever()

        if not self.network.host(host).listening:
            await self.serve(nursery, hand_over, host)
        else:
            raise AssertionError("one pair for each host")
        client = await trio.open_tcp_stream(self.network.host(host).address, 80)
        return client, await receive.receive()

    def told(self, *kinds: str) -> list[tuple[float, str, str]]:
        """Return time, kind and path of the records, of those *kinds* only if any are given."""
        return [(one.t, one.kind, one.path) for one in self.records if not kinds or one.kind in kinds]

    def _record(self, kind: str, path: str, **fields: Any) -> None:
        self.records.append(Record(self.clock.now(), kind, path, fields))


async def echo(stream: trio.SocketStream) -> None:
    """Send everything back."""
    async for data in stream:
        await stream.send_all(data)


async def hold(stream: trio.SocketStream) -> None:
    """Keep a connection and do nothing."""
    await trio.sleep_forever()


def reset(stream: trio.SocketStream) -> None:
    """Close so that the other end is reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    stream.socket.close()


@contextmanager
def raises_os_error(number: int) -> Generator[None, None, None]:
    """Expect the exception that Python makes of an errno."""
    try:
        yield
    except OSError as error:
        assert error.errno == number  # noqa: PT017  # the number is the whole point
    else:
        raise AssertionError(f"errno {number} was not raised")
