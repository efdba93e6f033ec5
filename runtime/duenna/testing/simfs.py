"""A disk in memory that keeps as little as POSIX allows: proves that what a store calls durable is.

`SimFs` stands behind the port `duenna.storage.Fs`. It can end the program before any chosen call,
and then shows what a power cut left: bytes are certain only after ``sync`` of their file, names only after
``sync_directory``; of everything else chance decides. A proof runs many programs, with another seed each:

    disk = SimFs(Random(seed))
    disk.crash_at(number)
    try:
        store = MyStore("/state", fs=disk)
        ...  # write, and remember what was acknowledged
    except SimulatedCrash:
        pass
    disk = disk.after_power_cut()
    ...  # open the store again: is everything there that was acknowledged?

The model: each unsynced write is there or not, cut off, or zeros or an old file's bytes stand in its place or in a
part of it, independently of all others; each unsynced name is there or not, and a ``replace`` is two names. After a
``sync`` that failed, the bytes can be read, are never durable, and the next ``sync`` says nothing (Rebello
et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). Single bits do not
flip by themselves: ``put`` what is to be found.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from random import Random
from typing import Final

import attrs

from duenna.testing._simfile import SimDirectory, SimFile

_CHANGES: Final = frozenset({"make_directory", "create", "write", "sync", "replace", "remove", "sync_directory"})
_CALLS: Final = _CHANGES | {"names", "read", "close", "lock", "unlock"}

_GHOSTS: Final = 4
_FIRST_DESCRIPTOR: Final = 3


class SimulatedCrash(BaseException):
    """The program ended here: of the process nothing runs on, so nobody may catch this but who started it."""


@attrs.define
class _Fault:
    call: str
    where: str
    after: int
    times: float
    code: int


@attrs.define(eq=False)
class SimFs:
    """An `Fs` in memory, at its worst. One process uses it at a time, from one thread.

    Attributes:
        chance: Decides what a power cut leaves, and how short a short write is.
        capacity: Bytes that fit, or None for no limit; a write takes what room there is, and without any fails with
            ``ENOSPC``, as does the creation of a file. Removing files that nobody has open makes room.
        has_short_writes: Whether a write may take less than it was given.
        is_read_only: Whether everything that changes something fails with ``EROFS``.
        before: Called with the name of each call (`write`) and its path before it is carried out, to watch
            the disk or take an ``after_power_cut`` of that moment.
        calls: How many calls were made so far, counted from 1, the one that did not happen included.
    """

    chance: Random
    capacity: int | None = attrs.field(default=None, kw_only=True)
    has_short_writes: bool = attrs.field(default=False, kw_only=True)
    is_read_only: bool = attrs.field(default=False, kw_only=True)
    before: Callable[[str, str], None] | None = attrs.field(default=None, kw_only=True)
    calls: int = attrs.field(default=0, init=False)
    _crash_in: int = attrs.field(default=0, init=False)
    _crash_call: str = attrs.field(default="", init=False)
    _is_dead: bool = attrs.field(default=False, init=False)
    _faults: list[_Fault] = attrs.field(factory=list[_Fault], init=False)
    _directories: dict[str, SimDirectory] = attrs.field(factory=dict[str, SimDirectory], init=False)
    _opened: dict[int, tuple[str, SimFile]] = attrs.field(factory=dict[int, "tuple[str, SimFile]"], init=False)
    _locks: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    _next: int = attrs.field(default=_FIRST_DESCRIPTOR, init=False)
    _used: int = attrs.field(default=0, init=False)
    _ghosts: deque[bytes] = attrs.field(factory=lambda: deque[bytes](maxlen=_GHOSTS), init=False)

    # Faults, and the end.

    def crash_at(self, number: int, call: str = "") -> None:
        """End the program before a call: it, and every later one, raises `SimulatedCrash`.

        Args:
            number: The how many-th call from now on that is, at least 1.
            call: Which ones count, as the methods are called; empty: all do.

        Raises:
            ValueError: *number* is less than 1, or there is no such *call*.
        """
        if call:
            _check_call(call)
        if number < 1:
            raise ValueError(f"number must be at least 1, got {number}")
        self._crash_in, self._crash_call = number, call

    def fail(self, call: str, *, where: str = "*", nth: int = 1, times: float = 1, code: int = errno.EIO) -> None:
        """Let a call fail with the error *code*, without any effect but the one that a failed sync has.

        Args:
            call: Which one: `sync`, `write`, `read`, as the methods are called.
            where: Glob of the path that it is about, directories and all.
            nth: The how many-th such call from now on is the first to fail, at least 1.
            times: How many fail in a row; ``inf`` for all of them.
            code: ``EIO``, ``ENOSPC`` or another number of `errno`.

        Raises:
            ValueError: There is no such call.
        """
        _check_call(call)
        self._faults.append(_Fault(call, where, nth - 1, times, code))

    def after_power_cut(self, chance: Random | None = None) -> SimFs:
        """Return a disk with what the power cut leaves if it comes now, without faults; this one stays as it is.

        Args:
            chance: Decides; by default this disk's.
        """
        chance = chance or self.chance
        left = attrs.evolve(self, chance=chance, is_read_only=False, before=None)
        left._ghosts.extend(self._ghosts)  # noqa: SLF001  # another of this class
        stale = tuple(self._ghosts)
        files: dict[int, SimFile] = {}
        for path, directory in self._directories.items():
            names: dict[str, SimFile] = {}
            for name, file in directory.remains(chance).items():
                twin = files.get(id(file))
                if twin is None:
                    data = bytearray(file.remains(chance, stale))
                    files[id(file)] = twin = SimFile(data, len(data))
                    left._used += len(data)  # noqa: SLF001
                twin.links += 1
                names[name] = twin
            left._directories[path] = SimDirectory(names, names.copy())  # noqa: SLF001
        return left

    def after_kill(self) -> SimFs:
        """Return a disk with what there is if the process is killed now, without faults; this one stays as it is.

        The system has all that was written, so that the next process can read it; no more of it is durable than was.
        """
        left = attrs.evolve(self, is_read_only=False, before=None)
        left._ghosts.extend(self._ghosts)  # noqa: SLF001  # another of this class
        files: dict[int, SimFile] = {}
        left._directories.update(  # noqa: SLF001
            {path: directory.copy(files) for path, directory in self._directories.items()}
        )
        left._used = sum(len(file.data) for file in files.values() if file.links)  # noqa: SLF001
        return left

    # What is on it.

    @property
    def free(self) -> int | None:
        """Bytes that still fit; None: there is no limit."""
        return None if self.capacity is None else max(0, self.capacity - self._used)

    @property
    def is_at_rest(self) -> bool:
        """Whether no file is open and nothing is locked."""
        return not self._opened and not self._locks

    def files(self) -> Mapping[str, bytes]:
        """Return all files as a program would read them, by path."""
        return {
            f"{path}/{name}": bytes(file.data)
            for path, directory in self._directories.items()
            for name, file in directory.names.items()
        }

    def put(self, path: str, data: bytes) -> None:
        """Let *path* durably hold *data*, in place of what it held; this is no call of the program."""
        folder, _, name = path.rpartition("/")
        directory = self._directories.setdefault(folder, SimDirectory())
        self._drop(directory, name)
        file = SimFile(bytearray(data), len(data), links=1)
        self._used += len(data)
        directory.set(name, file)
        del directory.changes[name]
        directory.durable[name] = file

    # The port.

    def make_directory(self, path: str) -> None:
        """Make the directory *path* and those above it."""
        self._begin("make_directory", path)
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            self._directories.setdefault("/".join(parts[:end]), SimDirectory())

    def names(self, directory: str) -> list[str]:
        """Return the names of files and directories in *directory*, sorted."""
        self._begin("names", directory)
        found = self._directory(directory)
        inside = [path[len(directory) + 1 :] for path in self._directories if path.startswith(f"{directory}/")]
        return sorted([*found.names, *(name for name in inside if "/" not in name)])

    def read(self, path: str) -> bytes:
        """Return all bytes of the file *path*."""
        self._begin("read", path)
        return bytes(self._file(path).data)

    def create(self, path: str) -> int:
        """Make or empty the file *path* for writing; return its descriptor."""
        self._begin("create", path)
        folder, _, name = path.rpartition("/")
        directory = self._directory(folder)
        file = directory.names.get(name)
        if file is not None:
            self._used -= len(file.data)
            self._ghosts.append(bytes(file.data))
            file.empty()
        elif self.free == 0:
            raise _error(errno.ENOSPC, path)
        else:
            file = SimFile(links=1)
            directory.set(name, file)
        file.opened += 1
        self._next += 1
        self._opened[self._next] = path, file
        return self._next

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Append *data*, or the first part of it; return how many bytes that was."""
        path, opened = self._open(file)
        self._begin("write", path)
        size = len(data)
        if self.has_short_writes and size > 1:
            size = self.chance.randint(1, size)
        room = self.free
        if room is not None and size > room:
            size = room
        if not size:
            if len(data):
                raise _error(errno.ENOSPC, path)
            return 0
        opened.append(data if size == len(data) else bytes(data[:size]))
        self._used += size
        return size

    def sync(self, file: int) -> None:
        """Make the bytes written so far durable."""
        path, opened = self._open(file)
        self._begin("sync", path, opened.fail_sync)
        opened.sync()

    def close(self, file: int) -> None:
        """Close *file*."""
        path, opened = self._open(file)
        self._begin("close", path)
        del self._opened[file]
        opened.opened -= 1
        self._free(opened)

    def replace(self, source: str, target: str) -> None:
        """Give the file *source* the name *target*, in place of whatever has it."""
        self._begin("replace", source)
        file = self._file(source)
        folder, _, name = target.rpartition("/")
        directory = self._directory(folder)
        if directory.names.get(name) is file:
            return
        file.links += 1
        self._drop(directory, name)
        directory.set(name, file)
        self._remove(source)

    def remove(self, path: str) -> None:
        """Remove the file *path*."""
        self._begin("remove", path)
        self._file(path)
        self._remove(path)

    def sync_directory(self, directory: str) -> None:
        """Make the names in *directory* durable."""
        found = self._directory(directory)
        self._begin("sync_directory", directory, found.fail_sync)
        found.sync()

    def lock(self, directory: str) -> int | None:
        """Lock *directory*; None: somebody has it locked."""
        self._begin("lock", directory)
        self._directory(directory)
        if directory in self._locks.values():
            return None
        self._next += 1
        self._locks[self._next] = directory
        return self._next

    def unlock(self, lock: int) -> None:
        """Give the lock back."""
        self._begin("unlock", self._locks.get(lock, ""))
        if self._locks.pop(lock, None) is None:
            raise _error(errno.EBADF, str(lock))

    def _begin(self, call: str, path: str, fail: Callable[[], None] | None = None) -> None:
        """Count a call, and let it end or fail as was asked for; *fail* is what a failure does."""
        if self._is_dead:
            raise SimulatedCrash
        self.calls += 1
        if self.before is not None:
            self.before(call, path)
        if self._crash_in and self._crash_call in {"", call}:
            self._crash_in -= 1
            if not self._crash_in:
                self._is_dead = True
                raise SimulatedCrash
        if self.is_read_only and call in _CHANGES:
            raise _error(errno.EROFS, path)
        if self._faults:
            self._look_for_fault(call, path, fail)

    def _look_for_fault(self, call: str, path: str, fail: Callable[[], None] | None) -> None:
        for fault in self._faults:
            if fault.call != call or not fnmatchcase(path, fault.where):
                continue
            if fault.after > 0:
                fault.after -= 1
            elif fault.times > 0:
                fault.times -= 1
                if fail is not None:
                    fail()
                raise _error(fault.code, path)

    def _directory(self, path: str) -> SimDirectory:
        directory = self._directories.get(path)
        if directory is None:
            raise _error(errno.ENOENT, path)
        return directory

    def _file(self, path: str) -> SimFile:
        folder, _, name = path.rpartition("/")
        file = self._directory(folder).names.get(name)
        if file is None:
            raise _error(errno.ENOENT, path)
        return file

    def _open(self, file: int) -> tuple[str, SimFile]:
        if self._is_dead:
            raise SimulatedCrash
        opened = self._opened.get(file)
        if opened is None:
            raise _error(errno.EBADF, str(file))
        return opened

    def _remove(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        directory = self._directory(folder)
        self._drop(directory, name)
        directory.set(name, None)

    def _drop(self, directory: SimDirectory, name: str) -> None:
        """Take *name* from the file that has it, if there is one."""
        file = directory.names.get(name)
        if file is not None:
            file.links -= 1
            self._free(file)

    def _free(self, file: SimFile) -> None:
        if file.links == 0 and file.opened == 0:
            self._used -= len(file.data)
            self._ghosts.append(bytes(file.data))


def _check_call(call: str) -> None:
    if call not in _CALLS:
        raise ValueError(f"call must be one of the port Fs, got {call!r}")


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)
