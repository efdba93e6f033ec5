"""HTTP/1.1 to one bot: over its Unix socket, TCP or TLS, with what the standard library has."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any, Final, cast

from duenna_actors.client.answer import BrokenAnswerError
from duenna_actors.client.errors import ClientError, ProblemError, RefusedError, UnreachableError, UsageError
from duenna_actors.client.sse import Stream
from duenna_actors.client.urls import query_of, split
from duenna_actors.client.wire import Connection

if TYPE_CHECKING:
    from duenna_actors.client.address import Address
    from duenna_actors.client.answer import Answer

_MOST_BYTES: Final = 64 * 1024 * 1024
_REFUSED: Final = {401, 403}
_FIRST_PROBLEM: Final = 300


class Client:
    """Speaks to the console of one bot; each request is a connection of its own, so threads may share it.

    Attributes:
        address: Whom it speaks to.
    """

    def __init__(
        self,
        address: Address,
        *,
        connect_timeout: float = 3.0,
        read_timeout: float = 15.0,
        whole_timeout: float = 120.0,
        max_answer: int = _MOST_BYTES,
    ) -> None:
        """Connect to nobody yet.

        Args:
            address: Whom to speak to.
            connect_timeout: Seconds for the connection.
            read_timeout: Seconds without a byte after which a request is given up.
            whole_timeout: Seconds after which it is given up, though bytes come; not of a stream.
            max_answer: The most bytes of an answer, and of one event of a stream.

        Raises:
            UsageError: The address is none, or the token cannot be one.
        """
        if address.token and not (address.token.isascii() and address.token.isprintable()):
            raise UsageError("a token must be plain ASCII, without spaces at its ends; this one is not")
        self.address = address
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._whole_timeout = whole_timeout
        self._max_answer = max_answer
        self._base = "" if address.socket else split(address.url)[3]
        self._open: set[Connection] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def get(self, path: str, /, **query: object) -> dict[str, Any]:
        """Return the answer to `GET` of *path*; of *query*, what is None is left out.

        Raises:
            UnreachableError: There was no answer.
            RefusedError: The token is not good enough.
            ProblemError: The bot said no.
        """
        return self._ask("GET", path, None, query)

    def post(self, path: str, body: dict[str, Any] | None = None, /, **query: object) -> dict[str, Any]:
        """Return the answer to `POST` of *body*; raises as `get` does."""
        return self._ask("POST", path, {} if body is None else body, query)

    def delete(self, path: str, /, **query: object) -> dict[str, Any]:
        """Return the answer to `DELETE`, which may be empty; raises as `get` does."""
        return self._ask("DELETE", path, None, query)

    def stream(self, path: str, /, last_id: str | None = None, *, silence: float = 45.0, **query: object) -> Stream:
        """Return the events that *path* sends, from now on or after *last_id*; raises as `get` does.

        Args:
            path: What to listen to.
            last_id: The last event that was seen.
            silence: Seconds without a byte, not even a ping, after which the bot is given up.
            query: As of `get`.
        """
        headers = {"Accept": "text/event-stream", **({} if last_id is None else {"Last-Event-ID": last_id})}
        connection = self._connection()
        try:
            answer = self._send(connection, "GET", self._target(path, query), None, headers)
            self._check(connection, answer)
        except BaseException:
            self._release(connection)
            raise
        connection.listen(silence)
        who = self.address.text()
        return Stream(
            answer,
            self._max_answer,
            who=who,
            cut=connection.cut,
            close=lambda: self._release(connection),
            is_over=lambda: self._is_closed,
        )

    def close(self) -> None:
        """End every request and stream that is under way, in whatever thread, and begin no more."""
        with self._lock:
            self._is_closed = True
            connections = list(self._open)
        for connection in connections:
            connection.cut()

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, query: dict[str, object]) -> dict[str, Any]:
        connection = self._connection()
        try:
            answer = self._send(connection, method, self._target(path, query), body, {"Accept": "application/json"})
            self._check(connection, answer)
            content = self._read(connection, answer)
        finally:
            self._release(connection)
        return _document(content, self.address.text()) if content.strip() else {}

    def _check(self, connection: Connection, answer: Answer) -> None:
        if answer.status >= _FIRST_PROBLEM:
            raise _problem(answer, self._read(connection, answer))

    def _send(
        self,
        connection: Connection,
        method: str,
        target: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
    ) -> Answer:
        content = b"" if body is None else json.dumps(body).encode()
        sent = {"Connection": "close", "User-Agent": "duenna", **headers}
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        if self.address.token:
            sent["Authorization"] = f"Bearer {self.address.token}"
        try:
            connection.connect()
            if self._is_closed:  # meanwhile: there was nothing to cut yet
                raise UnreachableError("the client is closed")
            connection.set_timeout(self._read_timeout)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
                connection.send(method, target, sent, content)
            return connection.answer(self._whole_timeout)
        except (OSError, BrokenAnswerError) as exc:
            raise self._unreachable(exc, connection) from None

    def _read(self, connection: Connection, answer: Answer) -> bytes:
        try:
            content = answer.read(self._max_answer)
        except (OSError, BrokenAnswerError) as exc:
            raise self._unreachable(exc, connection) from None
        if len(content) > self._max_answer:
            raise ProblemError(answer.status, "", f"the answer must have at most {self._max_answer:,} bytes, has more")
        return content

    def _unreachable(self, exc: Exception, connection: Connection) -> ClientError:
        if self._is_closed:
            return UnreachableError("the client is closed")
        who, is_connected = self.address.text(), connection.is_connected
        if connection.is_late():
            return UnreachableError(f"{who} has not come to the end of its answer within {self._whole_timeout:g} s")
        if isinstance(exc, TimeoutError):
            waited = self._read_timeout if is_connected else self._connect_timeout
            what = "is there, and has not answered" if is_connected else "did not take the connection"
            return UnreachableError(f"{who} {what} within {waited:g} s; its event loop may be blocked")
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc) or type(exc).__name__
        if not is_connected:
            return UnreachableError(f"no bot answers at {who}: {why}; is it running, with console() in system=[...]?")
        return UnreachableError(f"{who} broke off before its answer was complete: {why}")

    def _connection(self) -> Connection:
        with self._lock:
            if self._is_closed:
                raise UnreachableError("the client is closed")
            connection = Connection(self.address, self._connect_timeout)
            self._open.add(connection)
        return connection

    def _release(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _target(self, path: str, query: dict[str, object]) -> str:
        return self._base + path + query_of(query)


def _document(content: bytes, who: str) -> dict[str, Any]:
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise ProblemError(0, "", f"{who} answered with something that is no JSON: is it a bot's console?") from None
    if not isinstance(document, dict):
        raise ProblemError(0, "", f"{who} answered with something that is no JSON object: is it a bot's console?")
    return cast("dict[str, Any]", document)


def _problem(answer: Answer, content: bytes) -> ClientError:
    document: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(content)
    problem = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    title, detail = (str(problem.get(key) or "") for key in ("title", "detail"))
    kind = RefusedError if answer.status in _REFUSED else ProblemError
    if not title and not detail:
        title = f"HTTP status {answer.status} {answer.reason}"
    return kind(answer.status, title, detail, problem=problem, retry_after=_seconds(answer.headers.get("retry-after")))


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
