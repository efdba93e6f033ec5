"""The disk's faults that hold at the moment."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING

from duenna.faults import DatabaseLost, DatabaseSlow, DiskFull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DiskFault = DatabaseLost | DatabaseSlow | DiskFull


class Disk:
    """Where the files of a world are: knows which of them cannot be used, and how."""

    def __init__(self) -> None:
        """Make a disk that has no fault."""
        self._faults: dict[int, tuple[DiskFault, str]] = {}
        self._number = 0

    def begin(self, fault: DiskFault, target: str) -> Callable[[], None]:
        """Let *fault* hold.

        Args:
            fault: What happens to the files.
            target: Glob of the files' paths, or of their names alone.

        Returns:
            What ends it; does nothing the second time.

        Raises:
            TypeError: *fault* is not one of the disk's.
        """
        given: object = fault
        if not isinstance(given, DatabaseLost | DatabaseSlow | DiskFull):
            raise TypeError(f"fault must be a DatabaseLost, DatabaseSlow or DiskFull, got {fault!r}")
        self._number += 1
        number = self._number
        self._faults[number] = fault, target

        def end() -> None:
            self._faults.pop(number, None)

        return end

    def is_lost(self, path: str) -> bool:
        """Whether nothing can be read from or written to the file *path*."""
        return bool(self._faults) and any(isinstance(fault, DatabaseLost) for fault in self._of(path))

    def is_full(self, path: str) -> bool:
        """Whether there is no room for what is written to the file *path*."""
        return bool(self._faults) and any(isinstance(fault, DiskFull) for fault in self._of(path))

    def delay(self, path: str) -> float:
        """Return how much longer a call takes that uses the file *path*, in seconds."""
        if not self._faults:
            return 0.0
        return sum(fault.delay for fault in self._of(path) if isinstance(fault, DatabaseSlow))

    def _of(self, path: str) -> Iterator[DiskFault]:
        name = PurePath(path).name
        for fault, target in self._faults.values():
            if fnmatchcase(path, target) or fnmatchcase(name, target):
                yield fault
