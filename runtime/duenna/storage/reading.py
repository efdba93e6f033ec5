"""Reading a state that somebody else may be writing: for people, and for tools that do not own it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, TypeVar

from duenna.storage._recovery import Reader, recover
from duenna.storage.errors import StateUnreadableError
from duenna.storage.os_fs import OsFs

if TYPE_CHECKING:
    from collections.abc import Callable

    from duenna.storage.fs import Fs
    from duenna.storage.store import Loaded

_ATTEMPTS: Final = 5
T = TypeVar("T")


def read_state(directory: str | os.PathLike[str], fs: Fs | None = None) -> Loaded:
    """Return what the state in *directory* holds; takes no lock and changes nothing.

    While its owner writes, the last commit may look torn (a damage whose loss is `UNKNOWN`).

    Args:
        directory: Where it is.
        fs: The calls of the operating system; None: this machine's.

    Raises:
        StateFormatError: It was written by a later version.
        StateUnreadableError: The machine could not read it, or there is no such directory.
    """
    where = os.fspath(directory)
    return steadily(lambda: recover(Reader(fs or OsFs(), where, where)).loaded)


def steadily(read: Callable[[], T]) -> T:
    """Return what *read* returns, though the owner may remove, meanwhile, what it superseded.

    Raises:
        StateUnreadableError: The machine could not read it.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except StateUnreadableError as exc:
            if not isinstance(exc.__cause__, FileNotFoundError) or exc.where == "the directory":
                raise
    return read()
