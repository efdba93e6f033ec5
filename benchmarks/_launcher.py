"""The worker processes: where they come from, the peers' environment, and the turns that they take."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import attrs
from _plan import Measure

HERE = Path(__file__).parent
PEERS = HERE / ".peers"
REQUIREMENTS = ("triotp==0.2.1", "pykka==4.5.0")
INSTALLED = ("triotp:", "pykka:", "policies:")
"""Jobs that run in the peers' environment."""

WARM_UP = 5
"""The warm-up of a worker is a sample of one part in so many."""

Sample = dict[str, float]


class WorkerError(Exception):
    """A worker could not start or did not finish its sample."""


def peers_python(say: Callable[[str], None], requirements: Sequence[str] = REQUIREMENTS, name: str = "kernel") -> Path:
    """Return the interpreter of the peers' environment, which is made on the first call.

    Args:
        say: Is told that it takes a while.
        requirements: What pip installs there.
        name: Of the environment.

    Raises:
        WorkerError: pip could not install the peers.
    """
    home = PEERS / f"{name}-{sys.implementation.cache_tag}"
    python = home / "bin" / "python"
    stamp = home / "requirements"
    wanted = "\n".join(requirements)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    say(f"installing {' and '.join(requirements)} in {home}")
    PEERS.mkdir(exist_ok=True)
    (PEERS / ".gitignore").write_text("*\n", encoding="utf-8")
    venv.create(home, clear=True, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    if done.returncode:
        raise WorkerError(f"pip could not install the peers: {_last_line(done.stderr)}")
    stamp.write_text(wanted, encoding="utf-8")
    return python


@attrs.frozen
class Launcher:
    """How to start a worker for a job.

    Attributes:
        peers: The peers' interpreter; None leaves the peers out.
        is_gc_off: Workers run without the cyclic garbage collector.
    """

    peers: Path | None
    is_gc_off: bool

    def can_run(self, job: str) -> bool:
        """Return if there is an interpreter for *job*."""
        return self.peers is not None or not job.startswith(INSTALLED)

    def command(self, job: str) -> list[str]:
        """Return the command line of the worker for *job*."""
        side, _, measure = job.partition(":")
        python = self.peers if job.startswith(INSTALLED) else sys.executable
        return [str(python), str(HERE / f"side_{side}.py"), measure, *["--gc-off"] * self.is_gc_off]


class Worker:
    """One worker process, which waits between its samples."""

    def __init__(self, command: list[str]) -> None:
        """Start the process."""
        root = HERE.parent
        path = os.pathsep.join([str(root / "runtime"), str(root / "actors"), os.environ.get("PYTHONPATH", "")])
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - `close` does
        self._process = process = subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)},
        )
        if process.stdin is None or process.stdout is None:
            raise WorkerError("no pipe to the worker")
        self._input, self._output = process.stdin, process.stdout

    def sample(self, size: int) -> Sample:
        """Take one sample of *size* operations.

        Raises:
            WorkerError: The process ended without an answer; the message is the last line of its traceback.
        """
        with contextlib.suppress(BrokenPipeError):
            self._input.write(f"{size}\n")
            self._input.flush()
        line = self._output.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise WorkerError(_last_line(self._errors.read()))
        sample: Sample = json.loads(line)
        return sample

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        self._output.close()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@attrs.define
class Samples:
    """What the jobs of one measure gave, round by round.

    Attributes:
        by_job: The samples of each job that did not fail, one a round.
        failures: Why a job failed.
    """

    by_job: dict[str, list[Sample]] = attrs.field(factory=dict[str, list[Sample]])
    failures: dict[str, str] = attrs.field(factory=dict[str, str])


def take(measure: Measure, launcher: Launcher, rounds: int) -> Samples:
    """Let the jobs of *measure* take turns for some *rounds*, every second round in reverse order."""
    samples = Samples()
    jobs = [job for job in measure.jobs if launcher.can_run(job)]
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for number in range(rounds):
            for job in reversed(jobs) if number % 2 else jobs:
                if job in samples.failures:
                    continue
                try:
                    if job not in workers or measure.fresh:
                        workers[job] = stack.enter_context(Worker(launcher.command(job)))
                        if not measure.fresh:
                            workers[job].sample(measure.jobs[job] // WARM_UP)
                    sample = workers[job].sample(measure.jobs[job])
                except WorkerError as error:
                    samples.failures[job] = str(error)
                    samples.by_job.pop(job, None)
                else:
                    samples.by_job.setdefault(job, []).append(sample)
                if measure.fresh:
                    workers[job].close()
    return samples


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "the process ended without a word"
