"""What the tests of the command share: a bot as a process, and the command as another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-c", "import sys; from duenna.cli import main; sys.exit(main())"]
_BOT = Path(__file__).with_name("bot.py")
_TIMEOUT = 60


@attrs.frozen
class Bot:
    """A running bot.

    Attributes:
        name: Its name.
        folder: Its run folder.
        process: Its process.
    """

    name: str
    folder: Path
    process: subprocess.Popen[str]

    @property
    def socket(self) -> str:
        return str(self.folder / f"{self.name}.sock")

    @property
    def discovery(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{self.name}.json").read_text())
        return found

    def token(self, role: str) -> str:
        lines = (self.folder / f"{self.name}.tokens").read_text().splitlines()
        return next(line.split()[2] for line in lines if line.split()[1:2] == [role])

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the command, which finds this bot by itself."""
        return run(*arguments, DUENNA_RUN_DIR=str(self.folder), **env)

    def json(self, *arguments: str) -> dict[str, Any]:
        """Return what the command prints with ``--json``, as a document."""
        done = self.run(*arguments, "--json")
        assert done.stderr == "", done.stderr
        return document(done.stdout)


def document(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def environment(**env: str) -> dict[str, str]:
    """Return an environment in which nothing of ours is set but *env*."""
    known = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DUENNA_") and name not in {"COLUMNS", "NO_COLOR"}
    }
    return {**known, "TZ": "UTC", "XDG_RUNTIME_DIR": "/nonexistent", **env}


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process."""
    return subprocess.run(  # noqa: S603 - our own
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=_TIMEOUT,
        check=False,
        env=environment(**env),
    )


def end(process: subprocess.Popen[str]) -> None:
    """Have a bot end in order. Its input need not: another process may have it open, too."""
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it has ended, or been told
        process.stdin.write("end\n")
        process.stdin.close()


@contextmanager
def running_bot(name: str) -> Iterator[Bot]:
    """Run a bot: `ill`, which has had all sorts of faults, or one of another name, which is well."""
    with tempfile.TemporaryDirectory(prefix="duenna-") as made:  # a socket's path must be short
        folder = Path(made, "run")
        with subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, str(_BOT), name, made],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(DUENNA_RUN_DIR=str(folder)),
        ) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "up\n"
            try:
                yield Bot(name, folder, process)
            finally:
                end(process)
                try:
                    process.wait(_TIMEOUT)
                finally:
                    process.kill()
