"""A pytest run of its own, in a folder of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

_LIMIT = 100.0


@attrs.frozen
class Told:
    """What a run of pytest did.

    Attributes:
        status: Its exit status.
        out: What it printed.
    """

    status: int
    out: str

    def after(self, head: str) -> list[str]:
        """Return the rest of each line that begins with *head*, blanks and pytest's own margin aside."""
        lines = [line.removeprefix("E").strip() for line in self.out.splitlines()]
        return [line.removeprefix(head).strip() for line in lines if line.startswith(head)]


@attrs.frozen
class Pytest:
    """Runs pytest on test files, as a user would, in a folder with nothing else.

    Attributes:
        folder: Where.
    """

    folder: Path

    def write(self, text: str, name: str = "test_bot.py", *, settings: str = "") -> None:
        """Write a test file, and *settings* of pytest."""
        (self.folder / "pytest.ini").write_text(f"[pytest]\n{settings}")
        (self.folder / name).write_text(text)

    def run(self, *arguments: str, traces: str | None = "worlds") -> Told:
        """Run pytest and return what it said."""
        options = ["-p", "no:cacheprovider", *([] if traces is None else [f"--world-traces={traces}"])]
        # In CI pytest repeats whole messages in its summary: what is tested is what a person sees.
        environment = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        return Told(done.returncode, done.stdout + done.stderr)

    def repeat(self, command: str) -> Told:
        """Run a command that pytest printed."""
        program, *arguments = shlex.split(command)
        assert program == "pytest"
        return self.run(*arguments)


@pytest.fixture
def users(tmp_path: Path) -> Pytest:
    """Return a folder in which to run pytest."""
    return Pytest(tmp_path)
