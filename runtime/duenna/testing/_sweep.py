"""Runs many seeds in parallel processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from duenna.testing._one_seed import faults_of, run_seed
from duenna.testing._scenario_file import load_scenario
from duenna.testing._simulate import first_symptom, worst_outage
from duenna.testing.simulate_cli import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

    from duenna.spec import Supervisor
    from duenna.testing._simulation import Scenario
    from duenna.testing._world import World

_PATIENCE = 5.0  # real seconds for a process to clean up after itself


@attrs.frozen(kw_only=True)
class Job:
    """What is the same for all seeds. It goes to other processes, so it holds plain values only."""

    file: str
    seconds: float
    faults: str


@attrs.frozen(kw_only=True)
class SeedResult:
    """What came of one seed.

    Attributes:
        seed: Which.
        symptom: What broke first, in words; None if nothing did.
        sha256: Hash of its trace.
        seconds: Virtual seconds.
        strikes: Faults that struck.
        restarts: Of all actors.
        outage: The worst one of any connection, in seconds.
        path: Of that connection.
    """

    seed: int
    symptom: str | None
    sha256: str
    seconds: float
    strikes: int
    restarts: int
    outage: float
    path: str


class SweepError(RuntimeError):
    """A process ended in the middle of its work: killed, out of memory, or crashed."""


def sweep(job: Job, first: int, seeds: int, jobs: int) -> Generator[SeedResult, None, None]:
    """Yield the result of each of *seeds* seeds from *first* on, in their order.

    Closing the generator, or an exception in it, ends the processes.

    Args:
        job: What to run.
        first: The first seed.
        seeds: How many. At least 1.
        jobs: Processes. At least 1.

    Raises:
        OptionError: The scenario or the plan makes no sense.
        SweepError: A process died.
    """
    context = multiprocessing.get_context("spawn")  # nothing of this process, its threads above all, gets there
    pool = ProcessPoolExecutor(min(jobs, seeds), mp_context=context, initializer=_begin)
    futures: list[Future[SeedResult | str]] = []
    try:
        with _ctrl_c_held_back():
            futures.extend(pool.submit(_run, job, seed) for seed in range(first, first + seeds))
        for number, future in enumerate(futures):
            result = future.result()
            futures[number] = _DONE
            if isinstance(result, str):
                raise OptionError(result)
            yield result
    except BrokenProcessPool as exc:
        raise SweepError("a process of the sweep died: was it killed, or was there too little memory?") from exc
    finally:
        _end(pool)


_DONE: Future[Any] = Future()


@contextmanager
def _ctrl_c_held_back() -> Generator[None, None, None]:
    """Hold Ctrl-C back until the end of the block, and for ever in the processes that are started in it.

    Ctrl-C reaches every process and the first one decides. A process that is still importing has not heard of that.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(_PATIENCE)
        if child.is_alive():
            child.kill()


# -- in the other processes ----------------------------------------------------

_scenarios: dict[str, Callable[[World], Scenario | Supervisor]] = {}
_running: list[int] = []  # the seed
_ending: list[int] = []  # the signal


class _Terminated(BaseException):
    """Ends a run so that the world removes its folder."""


def _begin() -> None:
    signal.signal(signal.SIGTERM, _on_terminate)


def _on_terminate(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    _ending.append(number)
    if _running:
        raise _Terminated
    os._exit(0)


def _run(job: Job, seed: int) -> SeedResult | str:
    """Run one seed; return a text if the job makes no sense."""
    _running.append(seed)
    try:
        if job.file not in _scenarios:
            _scenarios[job.file] = load_scenario(job.file)
        outcome = run_seed(_scenarios[job.file], seed, job.seconds, faults_of(job.faults)).outcome
    except OptionError as error:
        return str(error)
    finally:
        _running.clear()
        if _ending:
            os._exit(0)
    path, worst = worst_outage(outcome)
    return SeedResult(
        seed=seed,
        symptom=None if outcome.ok else first_symptom(outcome),
        sha256=outcome.sha256,
        seconds=outcome.seconds,
        strikes=outcome.strikes,
        restarts=outcome.statistics.restarts.total(),
        outage=worst,
        path=path,
    )
