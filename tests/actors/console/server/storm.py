"""What no honest client sends: malformed requests without end, and connections that misbehave; all from a seed."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.actors.console.support import Running

_METHODS = (
    "GET",
    "POST",
    "DELETE",
    "PUT",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "HEAD",
    "get",
    "G\x00T",
    "A" * 40,
    "",
)
_PATHS = (
    "/",
    "/livez",
    "/readyz?verbose&exclude=",
    "/metrics",
    "/openapi.json",
    "/api/v1/snapshot",
    "/api/v1/tree?path=/nowhere&depth=-1",
    "/api/v1/actors/bot/ticker",
    "/api/v1/actors/bot/ticker/stack",
    "/api/v1/actors/%2e%2e/%2e%2e/etc/passwd",
    "/api/v1/actors/bot/%00%ff%fe",
    "/api/v1/actors/" + "x/" * 500,
    "/api/v1/errors?limit=1e999&since=nan",
    "/api/v1/events?limit=-5&after=99999999999999999999",
    "/api/v1/operations/%3Cscript%3E",
    "/api/v1/incidents/..%2f..%2f",
    "/api/recovery/status?x=" + "%41" * 200,
    "/api/recovery/logs?days=91",
    "/api/recovery/logs?days=1&limit=0&cursor=%f0%9f",
    "/api/v1/breakers",
    "/api/v1/silences",
    "/page/../../../etc/passwd",
    "//",
    "*",
    "http://evil.example/",
    "/\x7f",
    "/ HTTP/1.1\r\nHost: evil",
)
_VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "HTTP/1.1 ", "http/1.1", "", "SPAM/1.1")
_HEADERS = (
    "Host: localhost",
    "Host: evil.example",
    "Host:",
    "Host : localhost",
    "Content-Length: -1",
    "Content-Length: 5",
    "Content-Length: 5, 6",
    "Content-Length: 18446744073709551616",
    "Content-Length: 99999999999999999999999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity",
    "Content-Type: application/json",
    "Content-Type: text/plain; charset=utf-16",
    "Authorization: Bearer",
    "Authorization: Bearer \xff\xfe",
    "Authorization: Basic YTpi",
    "Accept: text/event-stream",
    "Accept: " + "a/b;q=0.1," * 100,
    "Last-Event-ID: -1",
    "Last-Event-ID: " + "9" * 400,
    "Range: bytes=0-,1-,2-",
    "Expect: 100-continue",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Connection: Upgrade",
    "Connection: close, keep-alive",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: x",
    "Sec-Fetch-Site: cross-site",
    "Origin: null",
    "Idempotency-Key: " + "k" * 300,
    "If-None-Match: W/" + '"' * 50,
    "X-Long: " + "x" * 8000,
    "X-Fold: a\r\n b",
    "X\x00Null: 1",
    ": empty",
    "no colon",
    "Cookie: token=x",
)
_BODIES = (
    b"",
    b"{}",
    b"[" * 2000,
    b'{"service": "ticker"',
    b'{"service": "\xff\xfe\xed\xa0\x80"}',
    b'{"service": "\\ud800"}',
    b'{"service": 1e999}',
    b"5\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"-1\r\n\r\n",
    b"0\r\nTrailer: x\r\n\r\n",
    b"\x00" * 500,
    b"x" * 2000,
)


def malformed(chance: Random, token: str) -> bytes:
    """Return a request of which something, or nothing, is wrong; now and then with a *token* that is right."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(1, 400)) + b"\r\n\r\n"
    method = chance.choice(_METHODS) if chance.random() < 0.5 else "GET"
    version = chance.choice(_VERSIONS) if chance.random() < 0.2 else "HTTP/1.1"
    headers = chance.sample(_HEADERS, chance.randrange(5))
    if chance.random() < 0.8:
        headers.insert(0, "Host: localhost")
    if chance.random() < 0.5:
        headers.append(f"Authorization: Bearer {token}")
    end = chance.choice(("\r\n", "\r\n", "\r\n", "\n", "\r"))
    head = end.join((f"{method} {chance.choice(_PATHS)} {version}", *headers, "", ""))
    request = head.encode("latin-1") + chance.choice(_BODIES)
    if chance.random() < 0.2:
        place = chance.randrange(len(request))
        request = request[:place] + bytes([chance.randrange(256)]) + request[place + 1 :]
    return request


async def send_malformed(running: Running, chance: Random, count: int, at_once: int = 100) -> int:
    """Send *count* malformed requests, each on a connection of its own; return how many were answered at all.

    Most say that no more will come: else the server would wait for the rest of each that is half a request.
    """
    answered = 0
    left = count

    async def send() -> None:
        nonlocal answered, left
        while left > 0:
            left -= 1
            request = malformed(chance, running.tokens["view"])
            with trio.socket.socket(socket.AF_UNIX) as line:
                await line.connect(running.socket)
                try:
                    await line.send(request)
                    if left % 20:
                        line.shutdown(socket.SHUT_WR)
                    heard = await line.recv(65_536)
                    answered += bool(heard)
                except OSError:
                    pass  # cut off in the middle, as it deserves

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(send)
    return answered


def _reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def _misbehave(running: Running, sent: bytes, *, resets: bool, unix: bool) -> None:
    stream = await running.connect(unix=unix)
    async with stream:
        try:
            await stream.send_all(sent)
        except trio.BrokenResourceError:
            return
        if resets:
            _reset(stream)
            return
        with suppress(trio.BrokenResourceError):
            await stream.send_eof()
            await stream.receive_some()


_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04" + b"\x00" * 30
_SOCKET = (
    b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_STREAM = "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"

ABUSES: tuple[Callable[[Random, str], bytes], ...] = (
    lambda _chance, _token: b"",
    lambda _chance, _token: b"GET /livez HTTP/1.1\r\nHost: loc",
    lambda chance, _token: chance.randbytes(70_000),
    lambda _chance, _token: _HELLO,
    lambda _chance, _token: _PREFACE,
    lambda chance, _token: _SOCKET + b"\xff\x7f" + chance.randbytes(100),
    lambda _chance, _token: b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 200_000 + b"\r\n\r\n",
    lambda _chance, _token: b"GET / HTTP/1.1\r\n" + b"X-Many: x\r\n" * 5_000 + b"\r\n",
    lambda _chance, _token: (
        b"POST /api/recovery/restart HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n" + b"x" * 500_000
    ),
    lambda _chance, token: _STREAM.format(token=token).encode(),
    lambda _chance, token: _STREAM.format(token=token).encode() * 20,
    lambda chance, token: b"".join(malformed(chance, token) for _ in range(20)),
    lambda _chance, _token: b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" * 300,
)


async def abuse(running: Running, chance: Random, count: int, *, unix: bool = False) -> None:
    """Open *count* connections at once that misbehave, each in its own way; half of them end by a reset."""
    async with trio.open_nursery() as nursery:
        for number in range(count):
            sent = ABUSES[number % len(ABUSES)](chance, running.tokens["view"])
            resets = bool(number // len(ABUSES) % 2)
            nursery.start_soon(_one, running, sent, resets, unix)


async def _one(running: Running, sent: bytes, resets: bool, unix: bool) -> None:
    await _misbehave(running, sent, resets=resets, unix=unix)
