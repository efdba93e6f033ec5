"""Keeps the orders that may have been sent in a file, for a `PositionMonitor` of the next process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import trio

from duenna.errors import DuennaError
from duenna_actors.monitors.position_messages import PendingClose

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERSION = 1


class _Content(msgspec.Struct):
    version: int
    closes: list[PendingClose]


class CloseStoreDamagedError(DuennaError):
    """What the file held cannot be read; it was set aside, and the next look finds an empty store.

    Attributes:
        path: Where it is now.
    """

    def __init__(self, path: Path, why: str) -> None:
        """Say where the file is, and what is wrong with it."""
        super().__init__(f"pending closes cannot be read, corrupt file set aside as {path}: {why}")
        self.path = path


class FileCloseStore:
    """One file, replaced as a whole: it holds what was saved last, or what before that, never something in between.

    Saved is on the disk, the name included. Reading and writing are done in a thread.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Keep them at *path*; the directory is made if it is not there. One monitor per file."""
        self._path = Path(path)

    async def load(self) -> Sequence[PendingClose]:
        """Return what was saved last; nothing if there is no file.

        Raises:
            CloseStoreDamagedError: The file is no such file, or of a later version; it is set aside.
            OSError: It cannot be read.
        """
        return await trio.to_thread.run_sync(self._load)

    async def save(self, closes: Sequence[PendingClose]) -> None:
        """Keep *closes*, and nothing else.

        Raises:
            OSError: They cannot be written; what was saved before stays.
        """
        await trio.to_thread.run_sync(self._save, msgspec.json.encode(_Content(_VERSION, list(closes))))

    def _load(self) -> list[PendingClose]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        try:
            content = msgspec.json.decode(data, type=_Content)
            if content.version == _VERSION:
                return content.closes
            why = f"version {content.version}, {_VERSION} is known"
        except msgspec.DecodeError as error:
            why = str(error)
        aside = self._path.with_name(f"{self._path.name}.corrupt")
        os.replace(self._path, aside)  # noqa: PTH105  # all of these as the system calls that they are
        raise CloseStoreDamagedError(aside, why)

    def _save(self, data: bytes) -> None:
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.tmp")
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(data)
            while rest:  # a write may take less than it was given
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(temporary, path)  # noqa: PTH105
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)  # the name, too
        finally:
            os.close(directory)
