"""What can go wrong with the console itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna.errors import DuennaError

if TYPE_CHECKING:
    from pathlib import Path


class ConsoleError(DuennaError):
    """The console cannot be reached, or cannot start; the bot goes on without it."""


class TokenFileError(ConsoleError):
    """The token file cannot be used.

    Attributes:
        path: The file.
        line: Number of the wrong line, from 1; None: it is the file as a whole.
    """

    def __init__(self, path: Path, why: str, line: int | None = None) -> None:
        """Say what is wrong with *path*; never what is in it."""
        place = f"token file {path}" if line is None else f"token file {path}, line {line}"
        super().__init__(f"{place}: {why}")
        self.path = path
        self.line = line
