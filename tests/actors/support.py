"""What the tests of connections share: servers that answer as told, and a bot to run actors in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from duenna import Backoff, Child, Mailbox, Ref, Runtime, Supervisor, open_runtime
from duenna.connection import ConnectionChanged, ConnectionState
from duenna.events import Event

E = TypeVar("E", bound=Event)
Answer = Callable[[trio.SocketStream, bytes], Awaitable[None]]


class Seen:
    """The events of a runtime, as far as a test has read them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.events: list[Event] = []

    def of(self, kind: type[E]) -> list[E]:
        """Return all events of *kind* that have been posted."""
        self.events.extend(self._stream.drain())
        return [event for event in self.events if isinstance(event, kind)]

    async def next(self, kind: type[E], fits: Callable[[E], bool] = lambda _: True) -> E:
        """Wait for an event of *kind* that *fits* and that has not been read before."""
        async for event in self._stream:
            self.events.append(event)
            if isinstance(event, kind) and fits(event):
                return event
        raise AssertionError(f"the runtime has ended, there is no {kind.__name__}")

    async def becomes(self, state: ConnectionState | str, path: str = "") -> ConnectionChanged:
        """Wait until a connection moves to *state*."""
        return await self.next(ConnectionChanged, lambda event: event.state == state and event.path.endswith(path))


class Bot:
    """A runtime with some children, and its events."""

    def __init__(self, runtime: Runtime, seen: Seen) -> None:
        self.runtime = runtime
        self.seen = seen

    def ref(self, name: str) -> Ref:
        return self.runtime.ref(f"/bot/{name}")

    async def start(self, name: str, make: Callable[[], Any], **options: Any) -> Ref:
        """Start a child, restarted without delay unless *options* say otherwise."""
        spec = Child(name, make, **({"backoff": Backoff.none()} | options))
        return await self.runtime.start_child("/bot", spec)


@asynccontextmanager
async def bot(*, seed: int = 1) -> AsyncIterator[Bot]:
    """Run a bot without children; its supervisor never gives up."""
    tree = Supervisor("bot", intensity=100_000, period=1.0)
    async with open_runtime(tree, log_level=None, seed=seed) as runtime:
        with runtime.events(capacity=100_000) as stream:
            yield Bot(runtime, Seen(stream))


class Inbox:
    """A consumer that hands every message it gets to the test."""

    def __init__(self) -> None:
        self._send, self.received = trio.open_memory_channel[Any](100_000)

    def spec(self, name: str, *types: type, mailbox: Mailbox | None = None) -> Child:
        """Make the child, which subscribes to *types*."""

        async def consume(context: Any) -> None:
            if types:
                context.subscribe(*types)
            context.ready()
            async for message in context.messages():
                self._send.send_nowait(message)

        return Child(name, consume, ready="manual", mailbox=mailbox or Mailbox(100_000))

    def drain(self) -> list[Any]:
        """Return all messages that have come and were not read."""
        messages: list[Any] = []
        while True:
            try:
                messages.append(self.received.receive_nowait())
            except trio.WouldBlock:
                return messages

    async def next(self, kind: type[Any] | None = None) -> Any:
        """Wait for the next message, of *kind* if given."""
        while True:
            message = await self.received.receive()
            if kind is None or isinstance(message, kind):
                return message


class RawServer:
    """An HTTP server that answers each request with what is next in line, bytes or behaviour; the last for ever.

    Attributes:
        requests: The heads of the requests that came.
        connections: How many connections came.
    """

    def __init__(self, answers: Sequence[bytes | Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._came = trio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._talk, [listener])

    async def has_requests(self, count: int) -> None:
        """Wait until *count* requests have come."""
        while len(self.requests) < count:
            await self._came.wait()

    async def _talk(self, stream: trio.SocketStream) -> None:
        self.connections += 1
        data = bytearray()
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    part = await stream.receive_some()
                    if not part:
                        return
                    data += part
                head, _, rest = bytes(data).partition(b"\r\n\r\n")
                data = bytearray(rest)
                self.requests.append(head)
                self._came.set()
                self._came = trio.Event()
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if isinstance(answer, bytes):
                    await stream.send_all(answer)
                else:
                    await answer(stream, head)
                    return
        except trio.BrokenResourceError:
            return


@asynccontextmanager
async def raw_server(*answers: bytes | Answer) -> AsyncIterator[RawServer]:
    """Run a `RawServer`."""
    server = RawServer(answers)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        yield server
        nursery.cancel_scope.cancel()


def http(body: bytes | str, status: int = 200, **headers: object) -> bytes:
    """Make an answer."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def hang(_stream: trio.SocketStream, _head: bytes) -> None:
    """Never answer."""
    await trio.sleep_forever()


async def hang_up(stream: trio.SocketStream, _head: bytes) -> None:
    """Close the connection without an answer."""
    await stream.aclose()


def then_hang_up(data: bytes) -> Answer:
    """Send *data* and close the connection."""

    async def answer(stream: trio.SocketStream, _head: bytes) -> None:
        await stream.send_all(data)
        await stream.aclose()

    return answer
