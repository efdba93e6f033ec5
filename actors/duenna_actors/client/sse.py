"""Server-sent events, read one at a time.

Source: WHATWG HTML, "Server-sent events", 9.2.6 Interpreting an event stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from duenna_actors.client.answer import BrokenAnswerError
from duenna_actors.client.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from duenna_actors.client.answer import Answer


class ServerEvent(NamedTuple):
    """One event.

    Attributes:
        name: Its type.
        id: Its number; None: it has none.
        data: What it says.
    """

    name: str
    id: str | None
    data: str


class Stream:
    """The events of one answer, in order; pings are left out. Made by `Client.stream`."""

    def __init__(
        self,
        answer: Answer,
        most: int,
        *,
        who: str,
        cut: Callable[[], None],
        close: Callable[[], None],
        is_over: Callable[[], bool],
    ) -> None:
        """Read *answer*, of which no event has more than *most* bytes; once *is_over*, its end is in order."""
        self._answer = answer
        self._most = most
        self._who = who
        self._cut = cut
        self._close = close
        self._is_over = is_over
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        self._close()

    def close(self) -> None:
        """End the iteration, from any thread."""
        self._is_closed = True
        self._cut()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ServerEvent:
        """Wait for the next event.

        Raises:
            UnreachableError: The bot ended the stream, or is silent.
        """
        try:
            return self._next()
        except (OSError, BrokenAnswerError, ValueError) as exc:
            self._leave_if_closed()
            if isinstance(exc, TimeoutError):
                raise UnreachableError(f"{self._who} has sent nothing, not even a ping, for too long") from None
            why = str(exc) or type(exc).__name__
            raise UnreachableError(f"{self._who} broke off the stream: {why}") from None

    def _next(self) -> ServerEvent:
        name, number, data, size = "message", None, list[str](), 0
        while True:
            line = self._answer.readline(self._most)
            size += len(line)
            if not line.endswith(b"\n"):
                self._leave_if_closed()
                if size <= self._most:
                    raise UnreachableError(f"{self._who} ended the stream")
            if size > self._most:
                raise UnreachableError(f"{self._who} sent an event of more than {self._most:,} bytes")
            field, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
            text = value.removeprefix(" ")
            if field == "data":
                data.append(text)
            elif field == "event":
                name = text
            elif field == "id" and "\0" not in text:
                number = text
            elif not field and not value and line.strip() == b"":
                if data:
                    return ServerEvent(name, number, "\n".join(data))
                name, number, size = "message", None, 0

    def _leave_if_closed(self) -> None:
        if self._is_closed or self._is_over():
            raise StopIteration
