"""The file beside a database: who holds the database, and what was acknowledged of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import Final

import attrs

from duenna.storage import StateLockedError

_NO_ORIGIN: Final = "-" * 32
_LENGTH: Final = len(f"{_NO_ORIGIN} {0:020d}\n")
_NO_ROOM: Final = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT})


def is_for_want_of_room(exc: OSError) -> bool:
    """Return whether *exc* says that nothing can be written there at present, and nothing else is wrong."""
    return exc.errno in _NO_ROOM


@attrs.frozen
class Witness:
    """The last commit that was acknowledged.

    Attributes:
        origin: Of which table; empty if nobody ever said.
        seq: Its number; 0 if nobody ever said.
    """

    origin: str = ""
    seq: int = 0


@attrs.define
class LockFile:
    """A file that one process at a time has locked (flock), for as long as it lives.

    SQLite's own locks are those of POSIX, which a process loses when any part of it opens the
    database and closes it again, so they cannot say who owns it.

    The owner's name is in it, and the number of the last commit that was acknowledged. That
    number is not synced: it outlives the process, which is when a write-ahead log is looked at
    again, and may be too low after a power cut, but never too high.

    Attributes:
        path: The file.
        store: What the database is called.
    """

    path: str
    store: str
    _file: int | None = attrs.field(default=None, init=False)

    @property
    def is_held(self) -> bool:
        """Whether the lock is ours."""
        return self._file is not None

    def take(self, owner: str) -> bool:
        """Lock the file, making it if need be, and write *owner* into it.

        Returns:
            Whether that worked: it does not where nothing can be written, and nobody else can write there either.

        Raises:
            OSError: The file cannot be opened.
            StateLockedError: Somebody else has it.
        """
        file = self._open()
        if file is None:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(file, 1024, _LENGTH).decode(errors="replace").strip()
            os.close(file)
            raise StateLockedError(self.store, other) from None
        except BaseException:
            os.close(file)
            raise
        self._file = file
        with contextlib.suppress(OSError):  # it is for people only
            if len(os.pread(file, _LENGTH, 0)) < _LENGTH:
                os.pwrite(file, f"{_NO_ORIGIN} {0:020d}\n".encode(), 0)
            os.ftruncate(file, _LENGTH)
            os.pwrite(file, f"{owner}\n".encode(errors="replace"), _LENGTH)
        return True

    def witness(self) -> Witness:
        """Return what was acknowledged last, as far as it says."""
        if self._file is None:
            return Witness()
        try:
            origin, seq = os.pread(self._file, _LENGTH, 0).decode("ascii").split()
            return Witness() if origin == _NO_ORIGIN else Witness(origin, int(seq))
        except (OSError, ValueError):  # it cannot convict anybody then
            return Witness()

    def acknowledge(self, witness: Witness) -> None:
        """Write down that *witness* is about to be acknowledged."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what it says stays true
                os.pwrite(self._file, f"{witness.origin:32.32} {witness.seq:020d}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; the file stays, for the next owner may hold it already."""
        file, self._file = self._file, None
        if file is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_UN)  # said aloud: a child that was forked has the file, too
            finally:
                os.close(file)

    def _open(self) -> int | None:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # there is no folder
            return None
        except OSError as exc:
            if not is_for_want_of_room(exc):
                raise
        try:
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
