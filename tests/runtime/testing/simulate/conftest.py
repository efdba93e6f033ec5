"""The command `duenna simulate`, in processes of its own and, where one line is all that it says, in this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import attrs
import pytest

from duenna.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 100.0
_PROGRAM = "import sys; from duenna.cli import main; sys.exit(main())"


@attrs.frozen
class Told:
    """What a command did: its exit status, and what it printed where."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of its output."""
        return self.out.splitlines()


@attrs.frozen
class Simulate:
    """Runs `duenna simulate` in a folder of its own.

    Attributes:
        folder: Where.
    """

    folder: Path

    def write(self, text: str, name: str = "bot.py") -> None:
        """Write a file into the folder."""
        (self.folder / name).write_text(text)

    def start(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start the command."""
        return subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-c", _PROGRAM, "simulate", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def run(self, *arguments: str) -> Told:
        """Run the command and return what it said."""
        return self.told(self.start(*arguments))

    def told(self, process: subprocess.Popen[str]) -> Told:
        """Wait for the end of *process* and return what it said."""
        try:
            out, err = process.communicate(timeout=_LIMIT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return Told(process.returncode, out, err or "")


def read_until(stream: IO[str] | int, text: str) -> str:
    """Read *stream* until *text* has come."""
    got = ""
    while text not in got:
        piece = os.read(stream if isinstance(stream, int) else stream.fileno(), 1000).decode()
        assert piece, got
        got += piece
    return got


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Return a folder in which to simulate."""
    return Simulate(tmp_path)


@pytest.fixture
def refused(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Told]:
    """Return what runs the command in this process, for uses of it after which no world is made."""

    def run(*arguments: str) -> Told:
        with monkeypatch.context() as patch:
            patch.chdir(simulate.folder)
            patch.setattr(sys, "path", sys.path[:])  # the command adds the file's folder
            patch.delitem(sys.modules, "bot", raising=False)
            status = main(["simulate", *arguments])
            sys.modules.pop("bot", None)
        return Told(status, *capsys.readouterr())

    return run
