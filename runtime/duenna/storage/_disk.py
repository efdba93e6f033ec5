"""The directory of a state, for its one writer: files appear in it whole and durable, or not at all."""

from __future__ import annotations

import contextlib
import errno
import random
from typing import TYPE_CHECKING, Final

import attrs

from duenna.storage._format import joined
from duenna.storage._layout import BALLAST, LOCK, TEMPORARY, File, Listing, list_files
from duenna.storage.fs import Fs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from duenna.storage._format import Piece
    from duenna.storage.store import Damage

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def is_full(exc: OSError) -> bool:
    """Whether *exc* says that there is no room: nothing is wrong with what the disk has."""
    return exc.errno in _FULL


@attrs.define
class Disk:
    """One directory, which the caller has locked.

    Attributes:
        fs: Where it is.
        directory: Which.
        rng: Where salts come from.
        ballast: Bytes of the file that is given up when there is no room; 0: there is none.
        newest: The greatest number of a file so far: those to come get the following ones, and none gets its twice.
    """

    fs: Fs
    directory: str
    rng: random.Random
    ballast: int
    newest: int = 0

    def path(self, name: str) -> str:
        """Return where *name* is."""
        return f"{self.directory}/{name}"

    def new_file(self, kind: str) -> File:
        """Return the name of a file to come."""
        self.newest += 1
        return File(self.newest, kind)

    def salt(self) -> int:
        """Return 64 bits of chance."""
        return self.rng.getrandbits(64)

    def list(self) -> Listing:
        """Return what is there."""
        return list_files(self.fs.names(self.directory))

    def prepare(self, file: File, pieces: Iterable[Piece]) -> tuple[int, int]:
        """Write *pieces* to a temporary file for *file* and make them durable; after an error it is gone.

        Returns:
            Its descriptor, still open, and its bytes.
        """
        path = self.path(file.name + TEMPORARY)
        with contextlib.ExitStack() as undo:
            opened = self.fs.create(path)
            undo.callback(self.discard, file.name + TEMPORARY)
            undo.callback(self.close, opened)
            size = self.write(opened, pieces)
            self.fs.sync(opened)
            undo.pop_all()
        return opened, size

    def publish(self, file: File) -> None:
        """Give *file* its name, durably; after an error nobody knows whether it has it."""
        self.fs.replace(self.path(file.name + TEMPORARY), self.path(file.name))
        self.fs.sync_directory(self.directory)

    def write(self, file: int, pieces: Iterable[Piece]) -> int:
        """Append all of *pieces*; return how many bytes they were."""
        size = 0
        for piece in joined(pieces):
            size += len(piece)
            rest = memoryview(piece)
            while rest:
                rest = rest[self.fs.write(file, rest) :]
        return size

    def close(self, file: int) -> None:
        """Close *file*; whatever matters was made durable before."""
        with contextlib.suppress(OSError):
            self.fs.close(file)

    def discard(self, name: str) -> None:
        """Remove *name*, if that can be done."""
        with contextlib.suppress(OSError):
            self.fs.remove(self.path(name))

    def set_aside(self, damages: Sequence[Damage]) -> tuple[Damage, ...]:
        """Give damaged files the names that they are kept under; return those that could not be given theirs."""
        left: list[Damage] = []
        for damage in damages:
            try:
                self.fs.replace(self.path(damage.where), self.path(damage.kept_as))
            except OSError:
                left.append(damage)
        if len(left) < len(damages):
            with contextlib.suppress(OSError):  # nothing depends on it
                self.fs.sync_directory(self.directory)
        return tuple(left)

    def jot(self, text: str) -> None:
        """Write down who has the directory, if that can be done: it is for people, the lock is another thing."""
        with contextlib.suppress(OSError):
            self._fill(LOCK, text.encode())

    def jotted(self) -> str:
        """Return what was written down; empty if nothing was, or it cannot be read."""
        try:
            text = self.fs.read(self.path(LOCK)).decode(errors="replace")
        except OSError:
            return ""
        return text[:200].strip()

    def take_ballast(self) -> None:
        """Fill room that can be given up later, if it is not full yet and there is room."""
        if not self.ballast:
            return
        with contextlib.suppress(OSError):
            if len(self.fs.read(self.path(BALLAST))) == self.ballast:
                return
        with contextlib.suppress(OSError):
            self._fill(BALLAST, self.rng.randbytes(self.ballast))

    def drop_ballast(self) -> None:
        """Give the room up, so that the next try finds some."""
        if self.ballast:
            self.discard(BALLAST)

    def _fill(self, name: str, data: bytes) -> None:
        """Write a file of no importance."""
        opened = self.fs.create(self.path(name))
        try:
            self.write(opened, [data])
        except OSError:
            self.discard(name)
            raise
        finally:
            self.close(opened)
