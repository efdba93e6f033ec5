"""The port to the operating system's files: every call that a store of files makes goes through it."""

from typing import Protocol


class Fs(Protocol):
    """The calls of POSIX that durable files need, under names of their own; each raises `OSError`.

    Paths are text. What is durable after which call is POSIX's, at its worst: a file's bytes after
    ``sync`` of the file, a name (made, replaced, removed) after ``sync_directory`` of its directory.
    """

    def make_directory(self, path: str) -> None:
        """Make the directory *path* and those above it, mode 0700, durably; if it is there, only make it durable."""
        ...

    def names(self, directory: str) -> list[str]:
        """Return the names in *directory*, sorted.

        Raises:
            FileNotFoundError: There is no such directory.
        """
        ...

    def read(self, path: str) -> bytes:
        """Return all bytes of the file *path*."""
        ...

    def create(self, path: str) -> int:
        """Make or empty the file *path*, mode 0600, for writing; return its descriptor."""
        ...

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Append *data*, or the first part of it; return how many bytes that was, at least 1."""
        ...

    def sync(self, file: int) -> None:
        """Make the bytes written so far durable (fdatasync, and the size with them)."""
        ...

    def close(self, file: int) -> None:
        """Close *file*."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Give the file *source* the name *target*, in place of whatever has it."""
        ...

    def remove(self, path: str) -> None:
        """Remove the file *path*."""
        ...

    def sync_directory(self, directory: str) -> None:
        """Make the names in *directory* durable."""
        ...

    def lock(self, directory: str) -> int | None:
        """Lock *directory* for this open file (flock), without writing to it; None: somebody has it locked."""
        ...

    def unlock(self, lock: int) -> None:
        """Give the lock back."""
        ...
