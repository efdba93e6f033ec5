"""An HTTP/1.1 answer, read from a socket.

``http.client`` imports the parser of e-mails for the headers, and TLS: 20 ms, a third of what a whole command takes.

Source: RFC 9112, "HTTP/1.1", sections 4 to 7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

_LONGEST_LINE: Final = 65_536
_MOST_HEADERS: Final = 100
_PIECE: Final = 65_536
_OK_BEFORE: Final = 200  # what is below is only news of an answer to come
_MOST_NEWS: Final = 10
_LENGTH: Final = re.compile("[0-9]{1,18}")
_CHUNK: Final = re.compile("[0-9A-Fa-f]{1,15}")
_NO_CONTENT: Final = {204, 304}


class BrokenAnswerError(Exception):
    """What came is no HTTP answer, or only the beginning of one."""


class Answer:
    """An answer whose head has been read.

    Attributes:
        status: Its status.
        reason: What the server calls it.
        headers: By their names in lower case; of several of one name, the last.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Read the head of the answer in *file*.

        Raises:
            BrokenAnswerError: It is none.
        """
        self._file = file
        for _ in range(_MOST_NEWS):
            self.status, self.reason = self._first_line()
            self.headers = self._headers()
            if self.status >= _OK_BEFORE:
                break
        else:
            raise BrokenAnswerError(f"status {self.status} {_MOST_NEWS} times, and no answer")
        self._is_chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self._left = self._length()
        self._is_over = self._left == 0
        self._held = bytearray()

    def read(self, most: int) -> bytes:
        """Return the whole body, or the beginning of one that has more than *most* bytes."""
        while len(self._held) <= most and (piece := self._piece()):
            self._held += piece
        return bytes(self._held)

    def readline(self, most: int) -> bytes:
        """Return the next line of the body; without its end if the body ends, or if it has more than *most* bytes."""
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            piece = self._piece() if searched <= most else b""
            if not piece:
                end = searched - 1
                break
            self._held += piece
        line = bytes(self._held[: end + 1])
        del self._held[: end + 1]
        return line

    def _first_line(self) -> tuple[int, str]:
        line = self._line()
        version, _, rest = line.partition(" ")
        status, _, reason = rest.partition(" ")
        if not version.startswith("HTTP/1.") or len(status) != 3 or not status.isdecimal():  # noqa: PLR2004 - three digits
            raise BrokenAnswerError(line[:100] or "an empty line")
        return int(status), reason

    def _headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for _ in range(_MOST_HEADERS):
            line = self._line()
            if not line:
                return found
            name, _, value = line.partition(":")
            found[name.strip().lower()] = value.strip()
        raise BrokenAnswerError(f"more than {_MOST_HEADERS} headers")

    def _length(self) -> int | None:
        """Return the length of the body, or of the chunk before the first; None: as long as the connection lasts."""
        if self.status in _NO_CONTENT:
            return 0
        if self._is_chunked:
            return None
        length = self.headers.get("content-length")
        if length is None:
            return None
        if _LENGTH.fullmatch(length) is None:
            raise BrokenAnswerError(f"a length of {length[:100]!r}")
        return int(length)

    def _piece(self) -> bytes:
        """Return the next bytes of the body; none: it is over."""
        if self._is_over:
            return b""
        if self._is_chunked and not self._left:
            self._left = self._chunk()
            if self._is_over:
                return b""
        reader = getattr(self._file, "read1")  # noqa: B009 - the type of makefile() does not have it
        piece: bytes = reader(_PIECE if self._left is None else min(self._left, _PIECE))
        if self._left is None:
            self._is_over = not piece
            return piece
        if not piece:
            raise BrokenAnswerError("its body is not complete")
        self._left -= len(piece)
        if self._is_chunked and not self._left and self._line():
            raise BrokenAnswerError("a chunk that is longer than it says")
        self._is_over = not self._left and not self._is_chunked
        return piece

    def _chunk(self) -> int:
        """Return the length of the next chunk; after the last one the answer is over."""
        line = self._line().partition(";")[0].strip()
        if _CHUNK.fullmatch(line) is None:
            raise BrokenAnswerError(f"a chunk of {line[:100]!r} bytes")
        length = int(line, 16)
        if length == 0:
            self._is_over = True
            self._headers()
        return length

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise BrokenAnswerError(f"a line of more than {_LONGEST_LINE} bytes")
        if not line.endswith(b"\n"):
            raise BrokenAnswerError(f"{line[:100].decode('latin-1')}, and no more" if line else "it sent no more")
        return line.decode("latin-1").rstrip("\r\n")
