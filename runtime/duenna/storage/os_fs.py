"""The files of this machine, as the port has them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import attrs


@attrs.frozen
class OsFs:
    """The operating system's files. All of them are closed in a program that this one starts (`O_CLOEXEC`).

    The lock is `flock` on the directory itself: it is had on a full disk and on a read-only one, and goes with
    the process. A child that was forked without `exec` shares it for as long as it lives, unless it is given
    back. It says nothing about other machines: on NFS it may, or may not, be seen by them.
    """

    def make_directory(self, path: str) -> None:
        """Make the directory *path* and those above it, mode 0700; also make its name durable if it is there.

        Whoever made it may have been killed before it was durable. Only a name in a directory that may not be
        read, such as `/srv`, is left to its owner.
        """
        made = Path(path)
        if not made.is_dir():
            self.make_directory(str(made.parent))
            made.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(PermissionError):
            self.sync_directory(str(made.parent))

    def names(self, directory: str) -> list[str]:
        """Return the names in *directory*, sorted."""
        return sorted(os.listdir(directory))  # noqa: PTH208  # names, not paths

    def read(self, path: str) -> bytes:
        """Return all bytes of the file *path*."""
        return Path(path).read_bytes()

    def create(self, path: str) -> int:
        """Make or empty the file *path*, mode 0600, for writing; return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Append *data*, or the first part of it; return how many bytes that was, at least 1."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """Make the bytes written so far durable (fdatasync, and the size with them)."""
        os.fdatasync(file)

    def close(self, file: int) -> None:
        """Close *file*."""
        os.close(file)

    def replace(self, source: str, target: str) -> None:
        """Give the file *source* the name *target*, in place of whatever has it."""
        os.replace(source, target)  # noqa: PTH105  # text in, text out

    def remove(self, path: str) -> None:
        """Remove the file *path*."""
        os.unlink(path)  # noqa: PTH108  # the same

    def sync_directory(self, directory: str) -> None:
        """Make the names in *directory* durable."""
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def lock(self, directory: str) -> int | None:
        """Lock *directory* for this open file (flock), without writing to it; None: somebody has it locked."""
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return None
        except BaseException:
            os.close(opened)
            raise
        return opened

    def unlock(self, lock: int) -> None:
        """Give the lock back."""
        try:
            fcntl.flock(lock, fcntl.LOCK_UN)  # for a forked child, too
        finally:
            os.close(lock)
