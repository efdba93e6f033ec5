"""What a simulated disk holds: files and directories, each as programs see it and as a power cut may leave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

Span: TypeAlias = tuple[int, int]
"""First byte, and the one after the last."""

_COMES_BACK: Final = 0.5
_GETS_THROUGH: Final = 0.25
_IN_PART: Final = 0.5
_ABSENT, _CUT, _ZEROS, _STALE = range(4)


@attrs.define(eq=False)
class SimFile:
    """The bytes of one file. They are only ever appended, or all thrown away.

    Attributes:
        data: What a program reads.
        durable: How many bytes of it are durable, but for *lost*.
        writes: What was written since, write by write.
        lost: What a sync has failed for: it is readable, will never be durable, and no later sync says so.
        before: What the file durably held before it was emptied, until a sync makes that durable too.
        links: How many names it has.
        opened: How often it is open.
    """

    data: bytearray = attrs.field(factory=bytearray)
    durable: int = 0
    writes: list[Span] = attrs.field(factory=list[Span])
    lost: list[Span] = attrs.field(factory=list[Span])
    before: bytes | None = None
    links: int = 0
    opened: int = 0

    def copy(self) -> SimFile:
        """Return a file of its own that holds the same, as durably, and that nobody has open."""
        return SimFile(
            bytearray(self.data), self.durable, self.writes.copy(), self.lost.copy(), self.before, self.links
        )

    def append(self, data: bytes | memoryview) -> None:
        """Write *data* at the end."""
        start = len(self.data)
        self.data += data
        self.writes.append((start, len(self.data)))

    def empty(self) -> None:
        """Throw all bytes away."""
        if self.before is None:
            self.before = bytes(self.data[: self.durable])
        self.data = bytearray()
        self.durable = 0
        self.writes.clear()
        self.lost.clear()

    def sync(self) -> None:
        """Make everything durable, but for what is lost."""
        self.durable = len(self.data)
        self.writes.clear()
        self.before = None

    def fail_sync(self) -> None:
        """Lose what was written since the last sync: from now on it passes for clean."""
        self.lost += self.writes
        self.durable = len(self.data)
        self.writes.clear()

    def remains(self, chance: Random, stale: Sequence[bytes]) -> bytes:
        """Return what a power cut leaves of it.

        Args:
            chance: Decides what becomes of each write.
            stale: What removed files held: their blocks may turn up in this one.
        """
        if not self.writes and not self.lost and self.before is None:
            return bytes(self.data)
        image = bytearray(self.before or b"") if chance.random() < _COMES_BACK else bytearray()
        position = 0
        for start, end in self.lost:
            _put(image, position, self.data[position:start])
            position = end
        _put(image, position, self.data[position : self.durable])
        for start, end in self.lost:
            _put(image, start, _spoilt(self.data[start:end], start, chance, ()))
        for start, end in self.writes:
            whole = self.data[start:end]
            _put(image, start, whole if chance.random() < _GETS_THROUGH else _spoilt(whole, start, chance, stale))
        return bytes(image)


def _put(image: bytearray, start: int, data: bytes | bytearray) -> None:
    """Write *data* into *image*; what was never written before it reads as zeros."""
    if not data:
        return
    if len(image) < start:
        image.extend(bytes(start - len(image)))
    image[start : start + len(data)] = data


def _spoilt(data: bytearray, start: int, chance: Random, stale: Sequence[bytes]) -> bytes | bytearray:
    """Return what a write of *data* at *start* leaves if it did not get through."""
    kind = int(chance.random() * (_STALE + 1 if stale else _STALE))
    if kind == _ABSENT:
        return b""
    size = len(data)
    if kind == _CUT:
        return data[: int(chance.random() * size)]
    first = int(chance.random() * size) if chance.random() < _IN_PART else 0
    last = first + int(chance.random() * (size - first)) if chance.random() < _IN_PART else size - 1
    block = bytes(last + 1 - first) if kind == _ZEROS else chance.choice(stale)[start + first : start + last + 1]
    return data[:first] + block + bytes(last + 1 - first - len(block)) + data[last + 1 :]


@attrs.define(eq=False)
class SimDirectory:
    """The names in one directory.

    Attributes:
        names: What a program sees: the file of each name.
        durable: What is certain to be there after a power cut, where nothing else is said of the name.
        changes: What became of a name since the last sync, in order; None: it was removed.
        doubtful: The same, where a sync has failed: no later sync helps, until the name changes again.
    """

    names: dict[str, SimFile] = attrs.field(factory=dict[str, SimFile])
    durable: dict[str, SimFile] = attrs.field(factory=dict[str, SimFile])
    changes: dict[str, list[SimFile | None]] = attrs.field(factory=dict[str, "list[SimFile | None]"])
    doubtful: dict[str, list[SimFile | None]] = attrs.field(factory=dict[str, "list[SimFile | None]"])

    def set(self, name: str, file: SimFile | None) -> None:
        """Give *name* to *file*, or to nothing."""
        if file is None:
            del self.names[name]
        else:
            self.names[name] = file
        self.changes.setdefault(name, []).append(file)

    def sync(self) -> None:
        """Make all names durable, but for the doubtful."""
        for name, files in self.changes.items():
            self.doubtful.pop(name, None)
            _assign(self.durable, name, files[-1])
        self.changes.clear()

    def fail_sync(self) -> None:
        """Leave it open for ever what became of the names since the last sync."""
        for name, files in self.changes.items():
            self.doubtful.setdefault(name, []).extend(files)
        self.changes.clear()

    def remains(self, chance: Random) -> dict[str, SimFile]:
        """Return the names that a power cut leaves; of the changes of each name, some first ones got through."""
        if not self.changes and not self.doubtful:
            return self.durable
        left = dict(self.durable)
        for changes in (self.doubtful, self.changes):
            for name, files in changes.items():
                kept = int(chance.random() * (len(files) + 1))
                if kept:
                    _assign(left, name, files[kept - 1])
        return left

    def copy(self, files: dict[int, SimFile]) -> SimDirectory:
        """Return the same names, of the copies in *files*, by ``id`` of the original; add those that are missing."""

        def twin(file: SimFile | None) -> SimFile | None:
            return None if file is None else files.setdefault(id(file), file.copy())

        def twins(changes: dict[str, list[SimFile | None]]) -> dict[str, list[SimFile | None]]:
            return {name: [twin(file) for file in given] for name, given in changes.items()}

        copy = SimDirectory(changes=twins(self.changes), doubtful=twins(self.doubtful))
        for name, file in self.names.items():
            _assign(copy.names, name, twin(file))
        for name, file in self.durable.items():
            _assign(copy.durable, name, twin(file))
        return copy


def _assign(names: dict[str, SimFile], name: str, file: SimFile | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
