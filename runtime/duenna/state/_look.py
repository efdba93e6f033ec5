"""Finds the state in a folder and reads it for people: takes no lock, changes nothing, minds no owner at work."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from duenna.state._place import FOLDER
from duenna.storage import Damage, Loaded, Loss, StateReport, read_state, verify_state
from duenna.storage._layout import LOCK, list_files

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ATTEMPTS: Final = 5
_LOCKS: Final = Path("/proc/locks")
_FLOCK: Final = re.compile(r"^\d+: FLOCK .* (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) 0 EOF$", re.MULTILINE)


@attrs.frozen
class Seen:
    """A state as it was at one moment.

    Attributes:
        folder: Where it is.
        loaded: What its next owner would be given.
        holder: Who has it now, in words; empty: nobody, as far as this machine knows.
        damages: What is wrong; what its owner has under way is no damage.
        is_being_written: Whether the end of its last journal was being written.
    """

    folder: str
    loaded: Loaded
    holder: str
    damages: tuple[Damage, ...]
    is_being_written: bool


def folder_of(given: str) -> str:
    """Return the folder with a state that is meant by *given*: itself, or the `data/state` of a base directory.

    Raises:
        OSError: It cannot be looked at.
        ValueError: There is no state.
    """
    try:
        names = os.listdir(given)  # noqa: PTH208  # names, not paths
    except FileNotFoundError:
        raise ValueError(f"there is no directory {given!r}") from None
    except NotADirectoryError:
        raise ValueError(f"{given!r} is no directory: the state is a folder of files, such as {FOLDER}") from None
    if not list_files(names).is_empty:
        return given
    below = os.path.join(given, FOLDER)  # noqa: PTH118  # as it was given: text
    if os.path.isdir(below) and not list_files(os.listdir(below)).is_empty:  # noqa: PTH112, PTH208
        return below
    raise ValueError(f"there is no state in {given!r}, nor in {FOLDER} below it")


def look(folder: str) -> Seen:
    """Return what is in *folder*.

    Raises:
        StateFormatError: It was written by a later version.
        StateUnreadableError: The machine could not read it.
    """
    return _seen(folder, lambda: read_state(folder), lambda loaded: (loaded, loaded.damages))[1]


def look_over(folder: str) -> tuple[StateReport, Seen]:
    """Return what each file in *folder* is, and all of it.

    Raises:
        StateFormatError: A later version wrote it.
        StateUnreadableError: The machine could not read it.
    """
    return _seen(folder, lambda: verify_state(folder), lambda report: (report.loaded, report.damages))


def _seen(
    folder: str, read: Callable[[], T], parts: Callable[[T], tuple[Loaded, tuple[Damage, ...]]]
) -> tuple[T, Seen]:
    """Read, and again if something seems wrong while the owner is at work: it moves files about meanwhile."""
    for attempt in range(_ATTEMPTS):
        found = read()
        holder = holder_of(folder)
        loaded, damages = parts(found)
        wrong = tuple(damage for damage in damages if not (holder and damage.loss is Loss.UNKNOWN))
        if not (holder and wrong) or attempt == _ATTEMPTS - 1:
            return found, Seen(folder, loaded, holder, wrong, len(wrong) < len(damages))
    raise AssertionError("the last attempt returns")


def holder_of(folder: str) -> str:
    """Return who has the state in *folder* locked, in words; empty if nobody of this machine is known to.

    The list of the machine's locks is read: to try the lock would be to hold it for a moment, and
    a bot that starts then would be refused.
    """
    try:
        locks = _LOCKS.read_text()
        where = os.stat(folder)  # noqa: PTH116  # text in
    except OSError:
        return ""
    said = _jotted(folder)
    for pid, major, minor, inode in _FLOCK.findall(locks):
        is_device = (int(major, 16), int(minor, 16)) == (os.major(where.st_dev), os.minor(where.st_dev))
        if int(inode) == where.st_ino and (is_device or f"process {pid} " in said):
            return said or f"process {pid}"
    return ""


def _jotted(folder: str) -> str:
    try:
        return Path(folder, LOCK).read_text(errors="replace")[:200].strip()
    except OSError:
        return ""
