"""What the tests of the console share: a real bot with a real console, on a Unix socket and on TCP."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections import deque
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import h11
import httpx2
import msgspec
import trio

from duenna import Actor, Child, Runtime, Supervisor, open_runtime
from duenna_actors.console import ConsoleAddress, GetConsole, console
from duenna_actors.console.server.tokens import OPERATE, VIEW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading the certificates takes longer than most of these tests
CONSOLE = "/system/console"
NO_HEADERS: dict[str, str] = {}


@attrs.frozen
class Running:
    """A bot and its console.

    Attributes:
        runtime: The bot.
        folder: Where the console's files are; `DUENNA_RUN_DIR` of a client.
        address: Where the console is.
        tokens: The tokens by their names, `view` and `operate` if no others were given.
    """

    runtime: Runtime
    folder: Path
    address: ConsoleAddress
    tokens: dict[str, str]

    @property
    def socket(self) -> str:
        """The Unix socket."""
        assert self.address.socket is not None
        return self.address.socket

    @property
    def url(self) -> str:
        """The address of the TCP socket."""
        assert self.address.url is not None
        return self.address.url

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.url.rpartition(":")[2])

    @asynccontextmanager
    async def client(
        self, token: str | None = OPERATE, *, unix: bool = False, **options: Any
    ) -> AsyncGenerator[httpx2.AsyncClient]:
        """Give a client with the token of the name *token*; None: without one."""
        headers = {} if token is None else {"authorization": f"Bearer {self.tokens.get(token, token)}"}
        transport = httpx2.AsyncHTTPTransport(uds=self.socket, verify=NO_TLS) if unix else None
        url = "http://localhost" if unix else self.url
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, transport=transport, verify=NO_TLS, timeout=30.0, **options
        ) as http:
            yield http

    async def get(self, path: str, token: str | None = VIEW, **options: Any) -> httpx2.Response:
        """GET *path*."""
        async with self.client(token) as http:
            return await http.get(path, **options)

    async def post(
        self, path: str, content: Any = None, token: str | None = OPERATE, **options: Any
    ) -> httpx2.Response:
        """POST *content* as JSON to *path*; None: no body."""
        async with self.client(token) as http:
            return await http.post(path, **({} if content is None else {"json": content}), **options)

    async def raw(self, data: bytes, *, unix: bool = False) -> bytes:
        """Send *data* on a connection of its own, and return what comes until its end."""
        stream = await self.connect(unix=unix)
        async with stream:
            await stream.send_all(data)
            heard = bytearray()
            try:
                async for chunk in stream:
                    heard += chunk
            except trio.BrokenResourceError:
                pass
            return bytes(heard)

    async def connect(self, *, unix: bool = False) -> trio.SocketStream:
        """Open a connection."""
        if unix:
            return await trio.open_unix_socket(self.socket)
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    @asynccontextmanager
    async def stream(
        self,
        path: str = "/api/v1/live",
        token: str = VIEW,
        *,
        unix: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> AsyncGenerator[Sse]:
        """Give the events of an event stream as pairs of their type and data; comments are of the type `:`."""
        async with await self.connect(unix=unix) as stream:
            events = Sse(stream)
            fields = {"host": "localhost", "accept": "text/event-stream", **(headers or {})}
            fields["authorization"] = f"Bearer {self.tokens.get(token, token)}"
            await events.ask(path, fields)
            yield events


class Sse:
    """The events of one stream: an async iterator that ends when the server ends it in form.

    Attributes:
        status: Of the answer.
        last_id: Of the last event so far that had an id; empty if none had.
        stream: The connection.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.status = 0
        self.last_id = ""
        self._http = h11.Connection(h11.CLIENT)
        self._text = b""
        self._ready: deque[tuple[str, str, str]] = deque()

    async def ask(self, path: str, headers: dict[str, str]) -> None:
        """Send the request, and take the head of the answer."""
        await self.stream.send_all(
            self._http.send(h11.Request(method="GET", target=path, headers=list(headers.items())))
            + self._http.send(h11.EndOfMessage())
        )
        head = await self._next()
        assert isinstance(head, h11.Response)
        self.status = head.status_code
        if self.status != 200:
            body = await self._next()
            raise AssertionError(f"{self.status}: {getattr(body, 'data', b'')!r}")

    async def _next(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.receive_some())
        return event

    def __aiter__(self) -> Sse:
        return self

    async def __anext__(self) -> tuple[str, str]:
        while not self._ready:
            event = await self._next()
            if not isinstance(event, h11.Data):
                raise StopAsyncIteration
            self._text += event.data
            *blocks, self._text = self._text.split(b"\n\n")
            self._ready.extend(self._event(block.decode()) for block in blocks)
        kind, data, number = self._ready.popleft()
        self.last_id = number or self.last_id
        return kind, data

    def _event(self, block: str) -> tuple[str, str, str]:
        if block.startswith(":"):
            return ":", block[1:].strip(), ""
        fields: dict[str, list[str]] = {}
        for line in block.splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
        return fields.get("event", ["message"])[-1], "\n".join(fields.get("data", [])), fields.get("id", [""])[-1]

    async def until(self, kind: str) -> str:
        """Return the data of the next event of type *kind*."""
        async for found, data in self:
            if found == kind:
                return data
        raise AssertionError(f"the stream ended without {kind!r}")


class Idle(Actor):
    """Does nothing, and is well."""


def small_tree(*children: Child | Supervisor, name: str = "bot") -> Supervisor:
    """Return a tree with *children*, or with one idle actor."""
    return Supervisor(name, children or [Child("idle", Idle)], intensity=1_000, period=1.0)


@asynccontextmanager
async def running_console(
    tree: Supervisor | None = None,
    *,
    system: Iterable[Child | Supervisor] = (),
    runtime_options: dict[str, Any] | None = None,
    folder: Path | None = None,
    **options: Any,
) -> AsyncGenerator[Running]:
    """Run *tree* with a console beside the block, on a Unix socket and a TCP port of its own.

    Args:
        tree: The bot; None: one idle actor.
        system: More children of `/system`, before the console.
        runtime_options: Of ``open_runtime``.
        folder: Where the console's files are; None: a folder of its own that goes with the block.
        options: Of ``console``.
    """
    with tempfile.TemporaryDirectory(prefix="duenna-") as made:  # a socket's path must be short
        place = folder or Path(made)
        tree = tree or small_tree()
        child = console(**{"socket": place / f"{tree.name}.sock", "port": 0, **options})
        more = {"log_level": None, **(runtime_options or {})}
        async with open_runtime(tree, system=[*system, child], **more) as runtime:
            yield await running(runtime)


async def running(runtime: Runtime) -> Running:
    """Wait until the console of *runtime* listens."""
    address = await runtime.ref(CONSOLE).ask(GetConsole(), timeout=30.0)
    return Running(runtime, Path(address.discovery_file).parent, address, tokens_in(Path(address.token_file)))


def tokens_in(path: Path) -> dict[str, str]:
    """Return the tokens in a file by their names."""
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {name: token for name, _, token in lines}


def client_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command that is to find the bot whose files are in *folder*."""
    return {**os.environ, "DUENNA_RUN_DIR": str(folder)}


def decoded(text: str | bytes) -> Any:
    """Return what JSON says."""
    return msgspec.json.decode(text)
