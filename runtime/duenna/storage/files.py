"""The state in plain files: a journal of commits, and snapshots that make it short."""

from __future__ import annotations

import contextlib
import errno
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from duenna._random import generator
from duenna.storage._disk import Disk, is_full
from duenna.storage._layout import LOCK, superseded
from duenna.storage._recovery import Found, Reader, reason, recover
from duenna.storage._writer import Writer
from duenna.storage.errors import StateLockedError, StateUnreadableError, StateWriteError
from duenna.storage.fs import Fs
from duenna.storage.os_fs import OsFs
from duenna.storage.store import Compacted, Damage, Loaded
from duenna.wallclock import WallTime, wall_time

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from duenna.storage.entries import Change

_UNWRITABLE: Final = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM)
_MANY: Final = 32
"""Journals after one snapshot: each life begins one, however little there is to write."""


def _text(path: str | os.PathLike[str]) -> str:
    return os.fspath(path)


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class FileStore:
    """Keeps the state in a directory of its own.

    A commit is a record at the end of a journal, which is made durable before ``commit`` returns. ``compact`` writes
    all entries to a snapshot, after which a new journal begins. The *keep* latest snapshots stay, and all journals
    after the oldest of them: as long as one of them is whole, nothing is lost.

    ``open`` changes nothing but the text in `LOCK`, so that a state can be read on a full disk, and on one that can
    only be read. A directory that is not there is made; if it cannot be, for it is on such a disk or somebody
    else's, the state is empty and each commit tries again, and fails with `StateWriteError` until it can be made.

    After an error of writing, the journal is given up for good: the next commit begins another one, and writes a
    whole snapshot before it, unless all that was wrong was a full disk. A file whose fsync failed is never used again.

    Attributes:
        directory: Where it is, also if the process goes elsewhere; made, with mode 0700, if it is not there.
        fs: The calls of the operating system.
        keep: How many snapshots stay, at least 1.
        compact_at: Bytes of journals, in all, that make compacting worth its while, if the last snapshot is no larger.
        ballast: Bytes of a file that is removed when the disk is full, so that the next try finds room, and made
            again with the next snapshot; 0: there is none.
        rng: Where the salts of files come from; None: from the system.
        wall_time: The time of day, for the text that says since when the state is in use.
        name: What people know it by: the directory.
    """

    directory: str = attrs.field(converter=_text, validator=attrs.validators.min_len(1))
    fs: Fs = attrs.field(factory=OsFs, kw_only=True)
    keep: int = attrs.field(default=3, validator=attrs.validators.ge(1), kw_only=True)
    compact_at: int = attrs.field(default=1024 * 1024, validator=attrs.validators.ge(1), kw_only=True)
    ballast: int = attrs.field(default=256 * 1024, validator=attrs.validators.ge(0), kw_only=True)
    rng: random.Random | None = attrs.field(default=None, kw_only=True)
    wall_time: WallTime = attrs.field(default=wall_time, kw_only=True)
    name: str = attrs.field(init=False)
    is_durable: bool = attrs.field(default=True, init=False)
    _disk: Disk = attrs.field(init=False)
    _lock: int | None = attrs.field(default=None, init=False)
    _is_open: bool = attrs.field(default=False, init=False)
    _writer: Writer = attrs.field(init=False)
    # The mark of an orderly end is the last word on the disk.
    _is_marked: bool = attrs.field(default=False, init=False)
    # Nobody has made the directory durable so far, for all that is known.
    _is_new: bool = attrs.field(default=False, init=False)
    _is_tidy: bool = attrs.field(default=False, init=False)
    # Something that was acknowledged is missing: until a commit says what became of it, nothing hides that.
    _is_incomplete: bool = attrs.field(default=False, init=False)
    # A file that something could be read from if all others fail is gone.
    _is_damaged: bool = attrs.field(default=False, init=False)
    _damages: tuple[Damage, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        self.name = self.directory
        self._disk = Disk(self.fs, str(Path(self.directory).absolute()), self.rng or generator(None), self.ballast)
        self._writer = Writer(self._disk)

    def open(self) -> Loaded:
        """Take possession and read everything; changes nothing but the text that says whose it is.

        Raises:
            StateFormatError: It was written by a later version; it is left as it is.
            StateLockedError: Somebody else has it, or this object is open already.
            StateUnreadableError: The machine could not read it, or there is something else in its place.
        """
        if self._is_open:
            raise StateLockedError(self.name, "another runtime of this process")
        self._lock = self._locked()
        with contextlib.ExitStack() as undo:
            undo.callback(self._unlock)
            loaded = self._load()
            undo.pop_all()
        self._is_open = True
        return loaded

    def commit(self, changes: Sequence[Change], at: float) -> int:
        """Carry out all *changes* or none of them; return their number, when they are durable.

        Raises:
            RuntimeError: The store is not open.
            StateWriteError: They are not known to be durable.
            ValueError: There are none.
        """
        self._check_open()
        if not changes:
            raise ValueError("a commit needs at least one change, got none")
        with self._writing(f"commit {self._writer.seq + 1}"):
            seq = self._writer.commit(changes, at)
        self._is_incomplete = False
        if not self._is_tidy:
            self._tidy()
        return seq

    @property
    def wants_compacting(self) -> bool:
        """Whether the journals are larger than the last snapshot and `compact_at`, or many, or damage was found."""
        writer = self._writer
        if self._is_incomplete or writer.seq == 0:
            return False
        is_large = writer.journal_size > max(self.compact_at, writer.snapshot_size)
        return is_large or writer.journals > _MANY or self._is_damaged

    def compact(self, at: float) -> Compacted | None:
        """Write a snapshot and remove what is superseded; None: there is nothing to do.

        Raises:
            RuntimeError: The store is not open.
            StateWriteError: It failed; nothing that was committed is lost.
        """
        self._check_open()
        writer = self._writer
        if self._is_incomplete or (writer.seq == writer.snapshot_seq and not self._is_damaged):
            return None
        with self._writing(f"the snapshot of commit {writer.seq}"):
            number = writer.snapshot(at)
        self._is_damaged = False
        self._tidy()
        self._prune()
        return Compacted(number, len(writer.entries), writer.snapshot_size)

    def close(self, at: float, *, is_clean: bool) -> None:
        """Let go; with *is_clean*, leave the mark of an orderly end first.

        There is no mark of a state that was never written, and none that would hide a loss which no commit came after.

        Raises:
            StateWriteError: The mark could not be left; the store is closed all the same.
        """
        if not self._is_open:
            return
        try:
            if is_clean and self._writer.seq and not (self._is_marked or self._is_incomplete):
                with self._writing("the mark of an orderly end"):
                    self._writer.mark(at)
        finally:
            self._is_open = False
            self._writer.retire()
            self._unlock()

    def _locked(self) -> int | None:
        """Return the lock; None: there is no directory, and it cannot be made."""
        try:
            try:
                lock = self.fs.lock(self._disk.directory)
            except FileNotFoundError:
                self.fs.make_directory(self._disk.directory)
                lock = self.fs.lock(self._disk.directory)
        except OSError as exc:
            if exc.errno in _UNWRITABLE and not self._is_there():
                return None
            raise StateUnreadableError(self.name, "the directory", reason(exc)) from exc
        if lock is None:
            raise StateLockedError(self.name, self._disk.jotted())
        self._disk.jot(self._owner())
        return lock

    def _is_there(self) -> bool:
        """Whether there is something in the directory's place."""
        try:
            self.fs.names(self._disk.directory)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def _owner(self) -> str:
        """Say who has the state."""
        since = datetime.fromtimestamp(self.wall_time(), UTC).isoformat(timespec="seconds")
        return f"process {os.getpid()} on {os.uname().nodename}, since {since}"

    def _load(self) -> Loaded:
        """Read what is there; forget what an earlier life of this object knew."""
        reader = Reader(self.fs, self._disk.directory, self.name)
        found = recover(reader) if self._lock is not None else Found(Loaded(entries={}))
        loaded = found.loaded
        self._writer = Writer.after(found, self._disk)
        self._disk.newest = found.listing.newest
        self._damages = tuple(damage for damage in loaded.damages if damage.kept_as not in ("", damage.where))
        self._is_damaged = any(damage.kept_as for damage in loaded.damages)
        self._is_incomplete = not loaded.is_complete
        self._is_marked = loaded.was_clean
        self._is_new = not loaded.existed
        self._is_tidy = False
        return loaded

    @contextlib.contextmanager
    def _writing(self, what: str) -> Generator[None]:
        """Say that *what* may not be there, whatever the machine says; make room if there was none."""
        try:
            self._possess()
            self._is_marked = False
            yield
        except OSError as exc:
            if is_full(exc):
                self._disk.drop_ballast()
            raise StateWriteError(self.name, what, reason(exc)) from exc

    def _check_open(self) -> None:
        if not self._is_open:
            raise RuntimeError(f"the store {self.name} is not open")

    def _possess(self) -> None:
        """Make sure that the directory is durably there, and locked, in case that it could not be made before."""
        if self._is_new:
            self.fs.make_directory(self._disk.directory)
            self._is_new = False
        if self._lock is not None:
            return
        lock = self.fs.lock(self._disk.directory)
        if lock is None:
            raise OSError(errno.EAGAIN, f"in use by {self._disk.jotted() or 'another process'}")
        if not self._disk.list().is_empty:
            self.fs.unlock(lock)
            raise OSError(errno.EEXIST, "it holds a state that was not there at the start: start again to read it")
        self._lock = lock
        self._disk.jot(self._owner())

    def _tidy(self) -> None:
        """Set aside what is damaged, remove what a crash left, and take ballast, as far as that can be done."""
        self._is_tidy = True
        self._damages = self._disk.set_aside(self._damages)
        with contextlib.suppress(OSError):
            for file in self._disk.list().temporaries:
                self._disk.discard(file.name)
        self._disk.take_ballast()

    def _prune(self) -> None:
        """Remove what is superseded, as far as that can be done."""
        with contextlib.suppress(OSError):
            damaged = {damage.where for damage in self._damages}
            for file in superseded(self._disk.list(), self.keep, damaged=damaged):
                self._disk.discard(file.name)

    def _unlock(self) -> None:
        if self._lock is not None:
            lock, self._lock = self._lock, None
            self._disk.discard(LOCK)
            with contextlib.suppress(OSError):
                self.fs.unlock(lock)
