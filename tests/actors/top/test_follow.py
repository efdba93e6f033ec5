"""A bot that sends nonsense: the screen says so, keeps what it knew, and goes on when it is spoken to sensibly."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from duenna_actors.client import Address, Client, UnreachableError
from duenna_actors.top.follow import Follower, Lost, News
from tests.actors.top.bots import running_bot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.actors.top.pilots import Driver

pytest.importorskip("textual", reason="the screen needs the extra `tui`")
from tests.actors.top.pilots import drive


class Script:
    """A server that sends each connection the next of *scripts*, and the last one again and again.

    Attributes:
        connections: How many there were.
        gate: Must be set before a second connection is answered: until then, the first one's end is to be seen.
        ended: Set when it is over.
    """

    def __init__(self, *scripts: list[tuple[str, str]]) -> None:
        self.scripts = list(scripts)
        self.connections = 0
        self.gate = threading.Event()
        self.ended = threading.Event()

    def next(self) -> list[tuple[str, str]]:
        self.connections += 1
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    @contextmanager
    def served(self) -> Iterator[Address]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                events = script.next()
                if script.connections > 1:
                    script.gate.wait()
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for name, data in events:
                    self.wfile.write(f"event: {name}\ndata: {data}\n\n".encode())
                    self.wfile.flush()
                script.ended.wait()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield Address(bot="fake", socket=None, url=f"http://127.0.0.1:{server.server_address[1]}", token=None)
        finally:
            self.gate.set()
            self.ended.set()
            server.shutdown()
            server.server_close()


@pytest.fixture
def snapshot(tmp_path: Path) -> str:
    """Return a snapshot of a real bot."""
    with running_bot(tmp_path) as bot:
        return json.dumps(bot.client().get("/api/v1/snapshot"))


@pytest.mark.parametrize(
    ("nonsense", "told"),
    [
        (("snapshot", "{"), "no JSON"),
        (("snapshot", "[]"), "snapshot cannot be read"),
        (("delta", '{"base": 1, "header": {}, "rows": []}'), "delta must follow tick None"),
        (("delta", '{"base": "[/bad]\\u001b[2J"}'), "[/bad]\\x1b[2J"),
    ],
)
def test_nonsense_is_told_and_the_next_connection_used(nonsense: tuple[str, str], told: str, snapshot: str) -> None:
    script = Script([nonsense], [("of a newer bot", "{}"), ("snapshot", snapshot)])

    async def watch(screen: Driver) -> None:
        await screen.shows(told)
        script.gate.set()
        await screen.shows("polybot", "● live", "crasher")

    with script.served() as address:
        drive(lambda: Client(address), watch, size=(200, 50))

    assert script.connections == 2


def test_a_bot_of_another_version_does_not_end_the_screen(snapshot: str) -> None:
    """What cannot be drawn is told in one line."""
    changed = json.loads(snapshot)
    del changed["header"]["errors"]

    async def watch(screen: Driver) -> None:
        await screen.shows("this bot speaks another version: KeyError('errors')")

    with Script([("snapshot", json.dumps(changed))]).served() as address:
        drive(lambda: Client(address), watch)


def test_a_bye_and_dropped_frames_are_understood(snapshot: str) -> None:
    dropped = ("dropped", '{"events": 3, "frames": 2}')

    async def watch(screen: Driver) -> None:
        await screen.shows("✖ LOST", "the bot ended the stream", "crasher")
        assert screen.app.mirror.missed == 3

    with Script([("snapshot", snapshot), dropped, ("bye", "{}")], []).served() as address:
        drive(lambda: Client(address), watch, size=(120, 40))


def test_it_waits_longer_from_attempt_to_attempt() -> None:
    """A bot that is away is not asked twice a second for hours."""
    waits: list[float] = []
    enough = threading.Event()

    def tell(news: News) -> None:
        if isinstance(news, Lost):
            waits.append(news.retry_in)
        if len(waits) == 2:
            enough.set()

    def connect() -> Client:
        raise UnreachableError("nobody there")

    follower = Follower(connect, tell)
    follower.start()
    enough.wait(30)
    follower.stop()

    assert waits == [0.5, 1.0]
