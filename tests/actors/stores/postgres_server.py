"""A PostgreSQL server of the tests' own, which may be stopped, started and killed."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import pytest

from tests.conftest import IN_CI

USER, PASSWORD = "bot", "correct horse battery"


def _tool(name: str) -> str:
    """Return where *name* is: in the path, or where Debian has it."""
    places = [Path(shutil.which(name) or ""), *sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    for place in reversed(places):
        if place.is_file():
            return str(place)
    why = f"no server of our own, so none was restarted: there is no {name}"
    (pytest.fail if IN_CI else pytest.skip)(why)
    raise AssertionError(why)


class PrivateServer:
    """A server with one user, who needs a password. Root's tests run it as `postgres`, for it refuses to be root's.

    It does not sync: only it is killed here, not the machine.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="duenna-postgres-"))
        self._user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        shutil.chown(self._folder, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-N", "-U", USER, "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8")

    @property
    def dsn(self) -> str:
        return self.dsn_with(PASSWORD)

    def dsn_with(self, password: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres password='{password}' sslmode=disable"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it; it serves when this returns."""
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c fsync=off -c shared_buffers=8MB"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str) -> None:
        """Stop it, in order (`fast`) or as a kill would (`immediate`)."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def _run(self, tool: str, *arguments: str) -> None:
        command = [_tool(tool), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(  # noqa: S603
            command, check=True, user=self._user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self._folder
        )
