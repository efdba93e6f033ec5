"""Leaks: places where code in a world touches something real, and the run cannot be repeated any more."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from duenna.testing._presence import Presence

_OURS = str(Path(__file__).parent)
_STANDARD = (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["platstdlib"], "<frozen ")
_INSTALLED = ("site-packages", "dist-packages")


@attrs.frozen
class Leak:
    """Something real that was touched in a world.

    Attributes:
        what: What happened.
        where: The caller, as `file:line`.
        by: What it called.
        instead: What to do about it.
    """

    what: str
    where: str
    by: str
    instead: str

    def __str__(self) -> str:
        return f"{self.what} at {self.where} ({self.by}): {self.instead}"


class WorldLeakError(RuntimeError):
    """Code in a world asked for something real: a thread, a socket, a process, a real second.

    Attributes:
        leak: What, where, and what to do.
    """

    def __init__(self, leak: Leak) -> None:
        """Refuse *leak*."""
        super().__init__(str(leak))
        self.leak = leak


def refuse(here: Presence, what: str, by: str, instead: str) -> NoReturn:
    """Tell the world of a leak, and raise it where it happens.

    Args:
        here: The world.
        what: What would have happened.
        by: What the caller called.
        instead: What to do.

    Raises:
        WorldLeakError: Always.
    """
    leak = Leak(what, whereabouts(here, sys._getframe(1)), by, instead)  # noqa: SLF001  # inspect.currentframe() is it
    tell(here, leak)
    raise WorldLeakError(leak)


def tell(here: Presence, leak: Leak) -> None:
    """Tell the world of *leak*, unless it knows that line already: an actor that is restarted leaks again and again."""
    if (leak.what, leak.where) not in here.told:
        here.told.add((leak.what, leak.where))
        here.on_leak(leak)


def whereabouts(here: Presence, frame: FrameType | None) -> str:
    """Return `file:line` of the innermost code around *frame* that is neither ours, nor Python's, nor installed.

    Where there is none, as in a library's own task, that of the innermost code that is neither ours nor Python's.
    """
    installed = ""
    for file, line in _places(here, frame):
        if not any(part in file for part in _INSTALLED):
            return f"{_short(file)}:{line}"
        installed = installed or f"{_short(file)}:{line}"
    return installed or "an unknown place"


def _places(here: Presence, frame: FrameType | None) -> Iterator[tuple[str, int]]:
    """Give files and lines from *frame* outwards, up to trio's loop; then those of the task that wanted a thread."""
    while frame is not None and frame.f_code.co_name != "unrolled_run":
        yield from _place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    if here.call is not None and here.call.task is not None:
        for each, line in reversed(list(here.call.task.iter_await_frames())):
            yield from _place(each.f_code.co_filename, line)


def _place(file: str, line: int) -> Iterator[tuple[str, int]]:
    is_installed = any(part in file for part in _INSTALLED)
    if not file.startswith(_OURS) and (is_installed or not file.startswith(_STANDARD)):
        yield file, line


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
