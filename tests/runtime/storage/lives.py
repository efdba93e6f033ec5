"""Lives of a store in processes of their own, and what they said before they were killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

import attrs
import msgspec

from tests.runtime.storage.programs.numbered import States, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.runtime.storage.programs.lives import Order

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "programs" / "lives.py"


@attrs.define
class Told:
    """What the lives of one state have said so far, held against each other.

    Attributes:
        acknowledged: The last commit that was.
        tried: The last one that may be there.
        recovered: What the last life found; None: it did not get so far.
        failed: Commits that failed in the last life.
        is_closed: Whether the last life ended in order.
        syncs: How many it made, if so.
        states: All states.
    """

    acknowledged: int = 0
    tried: int = 0
    recovered: int | None = None
    failed: list[str] = attrs.field(factory=list[str])
    is_closed: bool = False
    syncs: int = 0
    states: States = attrs.field(factory=States)

    def begin(self) -> None:
        """A new life begins."""
        self.recovered = None
        self.failed.clear()
        self.is_closed = False

    def hear(self, line: str) -> None:
        """Take in a line that a life has said; fail if no store says so that keeps its promise."""
        word, _, rest = line.partition(" ")
        number, _, more = rest.partition(" ")
        if word == "RECOVERED":
            self.check(int(number), more)
        elif word == "TRY":
            self.tried = int(number)
        elif word == "ACK":
            self.acknowledged = int(number)
        elif word in {"FAILED", "UNTIDY", "REFUSED"}:
            self.failed.append(line)
        elif word == "CLOSED":
            self.is_closed, self.syncs = True, int(number)
        elif word == "EXIT":
            assert rest in {"0", str(int(signal.SIGKILL))}, f"the process ended with {rest}"
        else:
            assert word == "PID", line

    def check(self, number: int, found: str) -> None:
        """Hold what a life *found*, the digest of state *number*, against what was acknowledged and tried."""
        assert self.acknowledged <= number <= self.tried, f"{self.acknowledged} <= {number} <= {self.tried}"
        expected = States() if number < self.states.number else self.states
        assert found == digest(expected.advance(number)), f"the state after commit {number} is torn"
        self.states = expected
        self.recovered = self.tried = number


class Lives:
    """The program that lives with stores: one process that forks one for each life, which can be killed."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Start it; it ends with the ``with`` block."""
        paths = [str(ROOT), *filter(None, sys.path)]
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter, our own program
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | dict(environ or {}),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout.fileno()
        self._rest = b""
        self.pid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, order: Order) -> Iterator[str]:
        """Begin a life; return the lines that it says, up to its end."""
        self._in.write(msgspec.json.encode(order) + b"\n")
        self._in.flush()
        return self._lines()

    def _lines(self) -> Iterator[str]:
        line = ""
        while not line.startswith("EXIT"):
            while b"\n" not in self._rest:
                self._read()
            head, _, self._rest = self._rest.partition(b"\n")
            line = head.decode()
            if line.startswith("PID"):
                self.pid = int(line[4:])
            yield line

    def _read(self) -> None:
        more = os.read(self._out, 65536)
        assert more, "the program of the lives has ended"
        self._rest += more

    def freeze(self) -> list[str]:
        """Stop the life where it is; return what it has said meanwhile."""
        os.kill(self.pid, signal.SIGSTOP)
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] not in "Tt":
            os.sched_yield()
        while select.select([self._out], [], [], 0)[0]:
            self._read()
        said, _, self._rest = self._rest.rpartition(b"\n")
        return said.decode().splitlines()

    def thaw(self) -> None:
        """Let the life go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the life where it is."""
        os.kill(self.pid, signal.SIGKILL)
