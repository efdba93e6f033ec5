"""A server of the page that is not this version's: it says what it is told to, whole or in pieces, and counts."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import msgspec
import trio

import duenna_actors.console
from duenna_actors.console.view import model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FILES: Final = Path(duenna_actors.console.__file__).parent / "page"
TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
Piece: TypeAlias = "str | bytes | trio.Event | None"


def row(path: str, **more: Any) -> dict[str, Any]:
    """Return a row as it is sent."""
    name, depth = path.rpartition("/")[2], path.count("/") - 1
    made = msgspec.to_builtins(model.Row(path=path, name=name, depth=depth, kind="function", state="running"))
    return {**made, **more}


def header(**more: Any) -> dict[str, Any]:
    """Return a header as it is sent, of a bot that is well."""
    bot = model.Bot(
        name="polybot",
        version="",
        phase="running",
        started_at=1_799_999_900.0,
        pid=1,
        host="",
        duenna="",
        python="",
        trio="",
        trading="live",
        trading_why="",
    )
    made = model.Header(
        id=1,
        now=1000.0,
        at=1_800_000_000.0,
        interval=0.2,
        bot=bot,
        overall="healthy",
        issues=(),
        needs=(),
        loop=model.Loop(lag=None, lag_max=None, blocked=0, blocked_by="", blocked_at=None),
        errors=model.Errors(total=0, rate=0.0, trend="steady", types=(), latest=(), sparkline=(0,) * 30),
        breakers=(),
        alerts=None,
        silences=None,
        why=(),
        kpis=(),
        state=model.StateRow(store="memory", is_durable=False, problem="", saved_at=None, size=0, is_reconciling=False),
        viewers=1,
        dead_letters=0,
    )
    return {**msgspec.to_builtins(made), **more}


def frame(kind: str, data: Any) -> str:
    """Return a frame of the stream."""
    return f"event: {kind}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n"


@attrs.define
class Other:
    """The server.

    Attributes:
        answers: What it answers to a path, as JSON; to any other one a problem of status 404.
        streams: What each connection to the live stream is sent; the last one again and again.
        asked: How often the live stream was asked for.
        is_refusing: Whether it knows no token any more.
    """

    answers: dict[str, Any] = attrs.field(factory=lambda: {"/api/v1/whoami": {"name": "me", "role": "operate"}})
    streams: list[list[Piece]] = attrs.field(factory=list[Any])
    asked: int = 0
    is_refusing: bool = False
    url: str = ""

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer one request."""
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                more = await stream.receive_some()
                if not more:
                    return
                head += more
            path = head.split(b" ")[1].decode().partition("?")[0]
            try:
                await self.answer(stream, path)
            except trio.BrokenResourceError:
                return

    async def answer(self, stream: trio.SocketStream, path: str) -> None:
        """Answer with a file of the page, the stream, or JSON."""
        file = FILES / ("index.html" if path == "/" else path.removeprefix("/page/"))
        if path == "/" or path.startswith("/page/"):
            await say(stream, 200, TYPES[file.suffix], file.read_bytes())
        elif self.is_refusing:
            await say(stream, 401, "application/problem+json", b'{"detail": "this token is gone"}')
        elif path == "/api/v1/live":
            await self.stream(stream)
        else:
            found = self.answers.get(path)
            body = json.dumps({"detail": "no such thing"} if found is None else found).encode()
            await say(stream, 404 if found is None else 200, "application/json", body)

    async def stream(self, stream: trio.SocketStream) -> None:
        """Send what is to be sent; wait for an event; None: stay, and say no more."""
        pieces = self.streams[min(self.asked, len(self.streams) - 1)]
        self.asked += 1
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for piece in pieces:
            if piece is None:
                await trio.sleep_forever()
            elif isinstance(piece, trio.Event):
                await piece.wait()
            else:
                await stream.send_all(piece.encode() if isinstance(piece, str) else piece)


async def say(stream: trio.SocketStream, status: int, kind: str, body: bytes) -> None:
    """Send an answer."""
    head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    await stream.send_all(head.encode() + body)


@asynccontextmanager
async def other(*streams: list[Piece]) -> AsyncIterator[Other]:
    """Run the server."""
    server = Other(streams=list(streams))
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.start_soon(trio.serve_listeners, server.serve, [listener])
        yield server
        nursery.cancel_scope.cancel()
