"""A database file is put in the place of another one, whole, whenever the process or the power ends.

An SQLite file has a log beside it that SQLite would carry over into whatever file has the name.
So the new file is made durable under a name of its own first, from which it is read for as long
as it is there: until the old log is gone and the new file has its name, both for certain. No
rename needs to be one step for the power: its two names may come and go on their own.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from duenna.storage import Fs

_LOGS: Final = ("-wal", "-journal", "-shm")


def new_name(path: str) -> str:
    """Return the name of the file that is to be at *path*, as long as it is not."""
    return f"{path}.new"


def free_name(path: str, names: list[str]) -> str:
    """Return a name for the damaged file at *path* that none of *names*, those of its folder, is."""
    name = path.rpartition("/")[2]
    number = 1
    while any(each.startswith(_corrupt(name, number)) for each in names):
        number += 1
    return _corrupt(name, number)


def put_in_place(fs: Fs, path: str, data: bytes, keep_as: str = "") -> None:
    """Make *data* the content of the file at *path*, durably.

    Args:
        fs: The disk.
        path: The file.
        data: What it is to hold.
        keep_as: The name in the same folder for the file that is there, and for its log; empty: they go. What has
            that name has it from an attempt that failed later on, so what is there now is the work of that.

    Raises:
        OSError: Something failed: the old file is there, or the new one is under its own name, or both are.
    """
    folder, _, name = path.rpartition("/")
    names = fs.names(folder)
    others = [f"{name}{end}" for end in (*_LOGS, "") if f"{name}{end}" in names]
    new = new_name(path)
    if others or f"{name}.new" in names:
        _write(fs, new, data)
        for other in others:
            kept = f"{keep_as}{other.removeprefix(name)}"
            if keep_as and kept not in names:
                fs.replace(f"{folder}/{other}", f"{folder}/{kept}")
            elif other != name:
                fs.remove(f"{folder}/{other}")
    _write(fs, path, data)
    if others or f"{name}.new" in names:
        fs.remove(new)
        fs.sync_directory(folder)


def _corrupt(name: str, number: int) -> str:
    return f"{name}.corrupt" if number == 1 else f"{name}.{number}.corrupt"


def _write(fs: Fs, path: str, data: bytes) -> None:
    """Make *data* the content of the file at *path*, which has no log, durably."""
    temporary = f"{path}.tmp"
    file = fs.create(temporary)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[fs.write(file, rest) :]
            fs.sync(file)
        finally:
            fs.close(file)
    except OSError:
        with contextlib.suppress(OSError):  # it is in the way of whatever frees the disk
            fs.remove(temporary)
        raise
    fs.replace(temporary, path)
    fs.sync_directory(path.rpartition("/")[0])
