"""A bot in a process of its own, driven by what it prints."""

import os
import signal
import subprocess
import sys
import threading
from typing import Self

PREAMBLE = """
import os, signal, sys, time
import attrs, duenna, trio
from duenna import Actor, Backoff, Child, Supervisor

def say(*words):  # in one piece: a thread's log line must not come in between
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def tell_report(report):
    say("report", report.reason, list(report.overran), len(report.cleanup_errors), report.duration >= 0)

class Member(Actor):
    '''Says when it has started and when it stops.'''
    def started(self):
        say("started", self.context.name, self.context.incarnation)
    async def run(self):
        await trio.sleep_forever()
    def stopping(self, reason):
        say("stopping", self.context.name)
"""


class Program:
    """A Python program in a process of its own: what it prints, errors included, is read line by line."""

    def __init__(self, source: str, patience: float = 40.0) -> None:
        """Run *source* after the preamble; after *patience* seconds it is killed, and the test fails."""
        self.lines: list[str] = []
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter, our own text
            [sys.executable, "-c", PREAMBLE + source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        )
        self._guard = threading.Timer(patience, self._process.kill)
        self._guard.daemon = True

    def __enter__(self) -> Self:
        """Begin to lose patience."""
        self._guard.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it, if it has not ended."""
        self._guard.cancel()
        self._process.kill()
        self._process.communicate()

    def wait_for(self, text: str) -> str:
        """Read until a line contains *text*; return the line."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"the program ended without {text!r}; it said:\n" + "\n".join(self.lines))

    def send(self, number: signal.Signals) -> None:
        """Send the signal *number*."""
        self._process.send_signal(number)

    def write(self, text: str) -> None:
        """Write *text* to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def end(self) -> int:
        """Read the rest, and return the exit status."""
        assert self._process.stdout is not None
        self.lines += [line.rstrip("\n") for line in self._process.stdout]
        return self._process.wait()

    def said(self, *beginnings: str) -> list[str]:
        """Give the lines that begin with one of *beginnings*, in order."""
        return [line for line in self.lines if line.startswith(beginnings)]

    @property
    def text(self) -> str:
        """All that was read so far."""
        return "\n".join(self.lines)
