"""Files that are only ever appended to, or replaced as a whole.

All of it blocks, so it is called in a worker thread.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_MODE: Final = 0o600  # what failed, and where, is nobody else's business


def append(path: Path, data: bytes) -> None:
    """Append *data*, which are whole lines, to the file at *path*: all of it or, on an error, nothing.

    The file and its folder are made if they are not there; the file is opened anew each time, so
    that a folder that was deleted or moved away is simply made again. If the last line in the file
    has no end, as after a power failure, it gets one first: what is appended is never glued to it.

    Raises:
        OSError: It cannot be written.
    """
    try:
        file = os.open(path, _APPEND, _MODE)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, _APPEND, _MODE)
    try:
        _append(file, data)
    finally:
        os.close(file)


def _append(file: int, data: bytes) -> None:
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        data = b"\n" + data
    written, rest = 0, memoryview(data)
    try:
        while written < len(data):
            written += os.write(file, rest[written:])
    except OSError:
        # The disk took a part: take it back, unless another process has written behind it meanwhile.
        with suppress(OSError):
            if written and os.fstat(file).st_size == size + written:
                os.ftruncate(file, size)
        raise


def replace(path: Path, data: bytes) -> None:
    """Put a file with *data* in the place of *path*: whoever looks sees the old one or the new one, whole.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    with suppress(FileExistsError):  # a file is there: that it is no folder says more
        path.parent.mkdir(parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(file, "wb") as output:
            output.write(data)
            output.flush()
            os.fsync(output.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # or the new name is gone after a power failure
    finally:
        os.close(folder)
