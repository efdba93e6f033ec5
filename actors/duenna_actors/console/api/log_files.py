"""The recovery log, read from its end: newest line first, in bounded pieces, day after day.

A place in it is a day and an offset in that day's file: lines that are appended meanwhile, and the
day that begins meanwhile, come before it and change nothing. All of it blocks: it is called in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from duenna.records import RecoveryRecord, parse_recovery_line

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

PIECE: Final = 64 * 1024
"""Bytes that are read at once; a line that is longer is damaged."""

MOST_BYTES: Final = 1024 * 1024
"""Bytes that are read in one turn; then others have theirs."""

_ONE_DAY: Final = timedelta(days=1)


@attrs.frozen
class Place:
    """Where to go on: what lies before byte *offset* of the file of *day*; None: its end. Down to *first*, with it."""

    day: date
    offset: int | None
    first: date

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.day < self.first

    def day_before(self) -> Place:
        """Return the end of the day before."""
        return Place(self.day - _ONE_DAY, None, self.first)


@attrs.define
class Found:
    """What one turn found.

    Attributes:
        place: Where to go on.
        records: Records that are wanted, newest first.
        damaged: Lines that are none.
    """

    place: Place
    records: list[RecoveryRecord] = attrs.field(factory=list[RecoveryRecord])
    damaged: int = 0


def read_back(folder: Path, place: Place, most: int, wants: Callable[[RecoveryRecord], bool]) -> Found:
    """Return at most *most* records before *place* that are wanted, and where to go on.

    It reads about `MOST_BYTES` at most: there may be more when it has found fewer than *most*.

    Raises:
        OSError: A file that is there cannot be read.
    """
    found, left = Found(place), MOST_BYTES
    while not found.place.is_over and len(found.records) < most and left > 0:
        with _opened(folder / f"recovery-{found.place.day.isoformat()}.log") as file:
            left -= 1024  # a day without a file costs a little, too
            if file is None:
                found.place = found.place.day_before()
            else:
                left -= _read_day(file, found, most, wants, left)
    return found


@contextmanager
def _opened(path: Path) -> Generator[int | None]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)


def _read_day(file: int, found: Found, most: int, wants: Callable[[RecoveryRecord], bool], left: int) -> int:
    """Read one file backwards until there is enough; return how many bytes were read."""
    size = os.fstat(file).st_size
    given = found.place.offset
    reader = _Reader(found, most, wants, size if given is None else min(given, size))
    read = 0
    while reader.end > 0 and len(found.records) < most and read < left:
        begin = max(0, reader.end - PIECE)
        block = os.pread(file, reader.end - begin, begin)
        if not block:  # it was cut off meanwhile
            reader.end = begin
            continue
        reader.take(block, begin)
        read += len(block)
    place = found.place
    found.place = Place(place.day, reader.end, place.first) if reader.end > 0 else place.day_before()
    return read


@attrs.define
class _Reader:
    """Takes blocks of one file, the last first.

    Attributes:
        end: Whatever lies behind this offset is done with.
    """

    found: Found
    most: int
    wants: Callable[[RecoveryRecord], bool]
    end: int
    _is_in_long_line: bool = False

    def take(self, block: bytes, begin: int) -> None:
        """Take the lines of *block*, which lies between *begin* and ``end``."""
        lines = block.split(b"\n")
        torn = lines.pop()  # what follows the last line end: nothing, or a line without its own
        if not lines or (len(lines) == 1 and not torn and begin > 0):  # of a line that is longer than a block
            self.found.damaged += not self._is_in_long_line
            self._is_in_long_line = True
            self.end = begin
            return
        if torn and not self._is_in_long_line:
            self.found.damaged += 1
        self._is_in_long_line = False
        self.end -= len(torn)
        whole = lines if begin == 0 else lines[1:]  # of the first, the beginning lies before this block
        for line in reversed(whole):
            if len(self.found.records) >= self.most:
                return
            self.end -= len(line) + 1
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if not line:
            return
        try:
            record = parse_recovery_line(line.decode())
        except ValueError:
            self.found.damaged += 1
            return
        if self.wants(record):
            self.found.records.append(record)
