"""The client, against a server that does what it should not."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from duenna_actors.client import (
    Address,
    Client,
    ProblemError,
    RefusedError,
    ServerEvent,
    UnreachableError,
    UsageError,
    actor_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Server:
    """Sends what it was given to whoever connects, and keeps what it was asked."""

    def __init__(self, listener: socket.socket, answer: bytes, *, stays: bool, drops: bytes = b"") -> None:
        self.asked = b""
        self.is_asked = threading.Event()
        self._listener = listener
        self._answer = answer
        self._stays = stays
        self._drops = drops
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked = b""
                while b"\r\n\r\n" not in self.asked and (data := connection.recv(65_536)):
                    self.asked += data
                self.is_asked.set()
                connection.sendall(self._answer)
                with suppress(OSError):  # whoever asked has had enough
                    while self._drops and not self._end.is_set():
                        connection.sendall(self._drops)
                if self._stays:
                    self._end.wait()


@contextmanager
def served(
    tmp_path: Path, answer: bytes, *, stays: bool = False, drops: bytes = b"", **options: float
) -> Iterator[tuple[Client, Server]]:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        server = Server(listener, answer, stays=stays, drops=drops)
        client = Client(Address("bot", path, None, "secret"), **options)  # type: ignore[arg-type]  # max_answer is an int
        try:
            yield client, server
        finally:
            server.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_request_holds_the_token_and_the_query(tmp_path: Path) -> None:
    with served(tmp_path, answer(b'{"a": [1]}')) as (client, server):
        assert client.get("/x", path="/bot/a b&c", depth=None, dry_run=True) == {"a": [1]}
        assert server.asked.startswith(b"GET /x?path=%2Fbot%2Fa%20b%26c&dry_run=1 HTTP/1.1\r\n")
        assert b"\r\nAuthorization: Bearer secret\r\n" in server.asked

        client.post("/x", {"reason": "why \udcff"})
        assert b"\r\nContent-Type: application/json\r\n" in server.asked


def test_an_answer_without_a_body_is_an_empty_one(tmp_path: Path) -> None:
    with served(tmp_path, b"HTTP/1.1 204 No Content\r\n\r\n") as (client, server):
        assert client.delete("/x") == {}
        assert server.asked.startswith(b"DELETE /x HTTP/1.1\r\n")


def test_an_answer_in_chunks_is_one_answer(tmp_path: Path) -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n'

    with served(tmp_path, chunked) as (client, _):
        assert client.get("/x") == {"a": 1}


def test_a_problem_is_an_error_with_all_that_it_says(tmp_path: Path) -> None:
    body = b'{"title": "in cooldown", "detail": "wait \\u001b[2J", "names": ["a"]}'

    with (
        served(tmp_path, answer(body, "409 Conflict", "Retry-After: 7")) as (client, _),
        pytest.raises(ProblemError, match=r"^in cooldown: wait \\x1b\[2J$") as caught,
    ):
        client.get("/x")

    error = caught.value
    assert (error.status, error.title, error.detail) == (409, "in cooldown", "wait \x1b[2J")
    assert (error.problem["names"], error.retry_after) == (["a"], 7.0)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_token_that_is_not_good_enough_is_refused(status: str, tmp_path: Path) -> None:
    with served(tmp_path, answer(b"", status)) as (client, _), pytest.raises(RefusedError, match=status):
        client.get("/x")


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"", "broke off before its answer was complete"),
        (b"garbage\r\n\r\n", "broke off before its answer was complete: garbage"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "broke off before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: " + b"y" * 70_000, "broke off before its answer was complete"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "broke off before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\n", "it sent no more"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "it sent no more"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n{}", "a length of '9999"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n{}", "more than 100 headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 11, "status 100 10 times, and no answer"),
        (CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", "a chunk that is longer than it says"),
        (CHUNKED + b"10\r\n{}\r\n0\r\n\r\n", "its body is not complete"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", "it sent no more"),
        (CHUNKED + b"-2\r\n{}\r\n", "a chunk of '-2' bytes"),
        (CHUNKED + b"0x2\r\n{}\r\n", "a chunk of '0x2' bytes"),
    ],
    ids=[
        *("nothing", "garbage", "half", "long header", "TLS", "no headers", "half the headers", "long length"),
        *("many headers", "only news", "long chunk", "short chunk", "no trailer", "less than nothing", "no number"),
    ],
)
def test_half_an_answer_is_none(sent: bytes, text: str, tmp_path: Path) -> None:
    with served(tmp_path, sent) as (client, _), pytest.raises(UnreachableError, match=text) as caught:
        client.get("/x")

    assert caught.value.status == 0
    assert "\x15" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_something_else_than_a_console_is_told(body: bytes, tmp_path: Path) -> None:
    with served(tmp_path, answer(body)) as (client, _), pytest.raises(ProblemError, match="is it a bot's console"):
        client.get("/x")


def test_an_answer_is_bounded(tmp_path: Path) -> None:
    with (
        served(tmp_path, answer(b'{"a": "%s"}' % (b"x" * 5_000)), max_answer=4_096) as (client, _),
        pytest.raises(ProblemError, match="must have at most 4,096 bytes, has more"),
    ):
        client.get("/x")


def test_who_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with (
        served(tmp_path, b"", stays=True, read_timeout=0.05) as (client, _),
        pytest.raises(UnreachableError, match=r"has not answered within 0\.05 s; its event loop may be blocked"),
    ):
        client.get("/x")


def test_who_answers_in_drops_is_given_up(tmp_path: Path) -> None:
    """Each drop is in time, and there is no end of them."""
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    with (
        served(tmp_path, answer, drops=b" ", whole_timeout=0.2, max_answer=10**9) as (client, _),
        pytest.raises(UnreachableError, match=r"has not come to the end of its answer within 0\.2 s"),
    ):
        client.get("/x")


def test_a_stream_may_last(tmp_path: Path) -> None:
    """It is only bounded by silence."""
    drops = b"data: 1\n\n"
    with (
        served(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n", drops=drops, whole_timeout=0.05) as (client, _),
        client.stream("/live") as stream,
    ):
        end = time.monotonic() + 0.1  # noqa: TID251  # there is no event loop here
        while time.monotonic() < end:  # noqa: TID251  # as above
            assert next(stream) == ServerEvent("message", None, "1")


def test_a_redirection_is_not_followed_with_our_token(tmp_path: Path) -> None:
    with (
        served(tmp_path, answer(b"", "302 Found", "Location: http://elsewhere/")) as (client, _),
        pytest.raises(ProblemError, match="302"),
    ):
        client.get("/x")


EVENTS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    b': ping\n\nid: 7\nevent: one\ndata: {"a":\ndata:1}\n\nevent: nothing\n\n'
    b"data: \xff\r\nretry: 3\r\n\r\nid: 9\ndata: half"
)


def test_events_are_read_one_by_one(tmp_path: Path) -> None:
    with served(tmp_path, EVENTS) as (client, server), client.stream("/live", "6") as stream:
        assert next(stream) == ServerEvent("one", "7", '{"a":\n1}')
        assert next(stream) == ServerEvent("message", None, "\ufffd")
        with pytest.raises(UnreachableError, match="ended the stream"):
            next(stream)
        assert b"\r\nLast-Event-ID: 6\r\n" in server.asked


def test_a_stream_that_is_silent_is_given_up(tmp_path: Path) -> None:
    with (
        served(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n", stays=True) as (client, _),
        client.stream("/live", silence=0.05) as stream,
        pytest.raises(UnreachableError, match="nothing, not even a ping"),
    ):
        next(stream)


@pytest.mark.parametrize("sent", [b"data: %s" % (b"x" * 5_000), b"data: x\n" * 1_000], ids=["a line", "lines"])
def test_an_event_is_bounded(sent: bytes, tmp_path: Path) -> None:
    with (
        served(tmp_path, b"HTTP/1.1 200 OK\r\n\r\n" + sent, stays=True, max_answer=4_096) as (client, _),
        client.stream("/live") as stream,
        pytest.raises(UnreachableError, match="an event of more than 4,096 bytes"),
    ):
        next(stream)


@pytest.mark.parametrize("whole", [False, True], ids=["the stream", "the client"])
def test_a_stream_ends_when_another_thread_closes(whole: bool, tmp_path: Path) -> None:
    with served(tmp_path, EVENTS.partition(b"event: nothing")[0], stays=True) as (client, _):
        stream = client.stream("/live")
        with stream:
            next(stream)
            closer = threading.Thread(target=client.close if whole else stream.close)
            closer.start()
            assert list(stream) == []
            closer.join()
        if whole:
            with pytest.raises(UnreachableError, match="the client is closed"):
                client.get("/x")


def test_a_request_ends_when_another_thread_closes(tmp_path: Path) -> None:
    with served(tmp_path, b"", stays=True) as (client, server):

        def close() -> None:
            server.is_asked.wait()
            client.close()

        closer = threading.Thread(target=close)
        closer.start()
        with pytest.raises(UnreachableError, match="the client is closed"):
            client.get("/x")
        closer.join()


@pytest.mark.parametrize(
    "url", ["", "there", "ftp://there", "http://", "http://me:pw@there", "http://there:http", "http://[::1"]
)
def test_a_url_must_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="a URL must be like"):
        Client(Address("", None, url, None))


def test_a_path_of_any_name_is_a_path() -> None:
    assert actor_path("/bot/a b%/ü?#\udcff", "restart") == "/api/v1/actors/bot/a%20b%25/%C3%BC%3F%23%ED%B3%BF/restart"


def test_an_address_keeps_its_token_to_itself() -> None:
    assert "secret" not in repr(Address("bot", "/s", None, "secret")) + Address("bot", "/s", None, "secret").text()
