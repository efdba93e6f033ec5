"""The files of a bot's state in a world: real ones, on the world's disk, which fail when the plan says so."""

import errno
import os

import attrs

from duenna.storage import OsFs
from duenna.testing._disk import Disk


@attrs.frozen
class WorldFs(OsFs):
    """The calls of `OsFs`; while the disk is full none writes, while it is lost none writes or becomes durable.

    A slow disk is as quick as ever here: what takes time in a world are the waits of tasks, not a thread's.
    """

    _disk: Disk
    _paths: dict[int, str] = attrs.field(factory=dict[int, str], init=False)

    def create(self, path: str) -> int:
        """Make the file *path*."""
        self._strike(path)
        file = super().create(path)
        self._paths[file] = path
        return file

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Append *data*."""
        self._strike(self._paths[file])
        return super().write(file, data)

    def sync(self, file: int) -> None:
        """Make the bytes durable."""
        self._strike(self._paths[file], full=False)

    def close(self, file: int) -> None:
        """Close *file*."""
        del self._paths[file]
        super().close(file)

    def replace(self, source: str, target: str) -> None:
        """Rename a file."""
        self._strike(target, full=False)
        super().replace(source, target)

    def sync_directory(self, directory: str) -> None:
        """Make the names durable; nothing in a world outlives it, so that need not take the real disk's time."""

    def _strike(self, path: str, *, full: bool = True) -> None:
        if self._disk.is_lost(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        if full and self._disk.is_full(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
