"""The simulated disk and the real one look the same to a program, as long as nothing fails."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from duenna.storage import Fs, OsFs
from duenna.testing import SimFs
from tests.runtime.storage.simulated_programs import chance_of

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("a", "b", "nowhere/a")
Step = tuple[str, str, str, bytes]


class Program:
    """Makes calls of one disk, with one open file at a time, and writes down what comes of each."""

    def __init__(self, disk: Fs, directory: str) -> None:
        self.disk = disk
        self.directory = directory
        self.seen: list[object] = []
        self.file: int | None = None
        self.held: int | None = None
        disk.make_directory(directory)

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def do(self, step: Step) -> None:
        """Make a call; write down what it returns, or what kind of error it raises."""
        call, name, other, data = step
        disk = self.disk
        calls: dict[str, Callable[[], object]] = {
            "names": lambda: disk.names(self.directory),
            "read": lambda: disk.read(self.path(name)),
            "create": lambda: self.create(name),
            "write": lambda: self.file and disk.write(self.file, data),
            "sync": self.sync,
            "replace": lambda: disk.replace(self.path(name), self.path(other)),
            "remove": lambda: disk.remove(self.path(name)),
            "sync_directory": lambda: disk.sync_directory(self.directory),
            "make_directory": lambda: disk.make_directory(self.path("inside")),
            "lock": self.lock,
            "unlock": self.unlock,
        }
        try:
            self.seen.append(calls[call]())
        except OSError as exc:
            self.seen.append((type(exc), exc.errno))

    def create(self, name: str) -> None:
        self.close()
        self.file = self.disk.create(self.path(name))

    def sync(self) -> None:
        if self.file is not None:
            self.disk.sync(self.file)

    def lock(self) -> bool:
        """Lock the directory; return whether nobody had."""
        lock = self.disk.lock(self.directory)
        self.held = self.held if lock is None else lock
        return lock is not None

    def unlock(self) -> None:
        if self.held is not None:
            self.disk.unlock(self.held)
            self.held = None

    def close(self) -> None:
        if self.file is not None:
            self.disk.close(self.file)
            self.file = None


CALLS = (
    "names",
    "read",
    "create",
    "write",
    "sync",
    "replace",
    "remove",
    "sync_directory",
    "make_directory",
    "lock",
    "unlock",
)
STEPS = st.tuples(st.sampled_from(CALLS), st.sampled_from(NAMES), st.sampled_from(NAMES), st.binary(max_size=6))


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=30))
def test_a_program_cannot_tell_them_apart(steps: list[Step]) -> None:
    folder = tempfile.mkdtemp()
    try:
        real, simulated = Program(OsFs(), f"{folder}/state"), Program(SimFs(chance_of(1)), "/state")
        for step in steps:
            real.do(step)
            simulated.do(step)
        for program in (real, simulated):
            program.close()
            program.unlock()
        assert real.seen == simulated.seen
    finally:
        shutil.rmtree(folder)
