"""What the demo writes to: log lines through loguru, and blocks of text between them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

import attrs
from loguru import logger

from duenna_actors.demo.narration import BEGIN, FAULT, brief
from duenna_actors.demo.picture import ASCII, UNICODE, Symbols

if TYPE_CHECKING:
    from loguru import Message, Record

_WIDEST = 150
_SEVERITY = 35  # between WARNING and ERROR
_HEAD = "{extra[at]:>6.1f}  <level>{level: <8}</level> {extra[path]: <21} "


@attrs.define
class Screen:
    """A stream to people, which may be a terminal, a file, or a pipe that is closed half-way.

    Attributes:
        stream: Where it goes.
        now: Seconds since the start, for lines that do not know their time.
        is_broken: Whether the reader has gone: nothing is written any more.
    """

    stream: TextIO
    now: Callable[[], float] = attrs.field(default=lambda: 0.0)
    is_broken: bool = attrs.field(default=False, init=False)
    _has_gap: bool = attrs.field(default=True, init=False)

    @property
    def symbols(self) -> Symbols:
        """The symbols that the stream can show."""
        try:
            "".join(attrs.astuple(UNICODE)).encode(self.stream.encoding or "ascii")
        except (UnicodeError, LookupError):
            return ASCII
        return UNICODE

    @property
    def has_colors(self) -> bool:
        """Whether the stream shows colors, and they are wanted."""
        return self.stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def write(self, text: str) -> None:
        """Write *text* as far as the stream can; never raises for a reader that has gone."""
        if self.is_broken:
            return
        self._has_gap = False
        try:
            encoding = self.stream.encoding or "ascii"
            self.stream.write(text.encode(encoding, errors="replace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):  # a closed pipe; a closed file
            self.is_broken = True

    def gap(self) -> None:
        """Write an empty line, unless there is one already."""
        if not self._has_gap:
            self.write("\n")
            self._has_gap = True

    def block(self, lines: Iterable[str]) -> None:
        """Write *lines* with an empty one round them."""
        self.gap()
        self.write("".join(f"{line}\n" for line in lines))
        self.gap()

    @contextmanager
    def logging(self, level: str = "INFO") -> Generator[None]:
        """Have all that is logged at *level* or above written here, and nowhere else."""
        _add_level()
        logger.remove()
        number = logger.add(self._sink, format=self._format, colorize=self.has_colors, level=level, catch=True)
        try:
            yield
        finally:
            logger.remove(number)

    def _sink(self, message: Message) -> None:
        if message.record["level"].name == FAULT and message.record["message"].startswith(BEGIN):
            self.gap()
        self.write(str(message))

    def _format(self, record: Record) -> str:
        extra = record["extra"]
        extra.setdefault("at", self.now())
        extra.setdefault("path", "/")
        extra["line"] = record["message"] if "incident" in extra else brief(record["message"], _WIDEST)
        text = "<level>{extra[line]}</level>" if record["level"].name == FAULT else "{extra[line]}"
        return f"{_HEAD}{text}\n{{exception}}"


def _add_level() -> None:
    try:
        logger.level(FAULT)
    except ValueError:  # it is not known yet
        logger.level(FAULT, no=_SEVERITY, color="<bold><magenta>")


def discard_output() -> None:
    """Point the standard output at nothing, so that the interpreter's last flush into a closed pipe is silent."""
    with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123 - a device, no path of ours
        os.dup2(nothing.fileno(), sys.stdout.fileno())
