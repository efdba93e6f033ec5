"""`duenna simulate --seeds N`: a line for each seed that breaks, and a summary of all."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING

from duenna.testing._one_seed import faults_of
from duenna.testing._progress import Progress
from duenna.testing._scenario_file import load_scenario
from duenna.testing._simulate import BROKE, INTERRUPTED, WELL, command
from duenna.testing._sweep import Job, SeedResult, SweepError, sweep
from duenna.testing._words import counted, length

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duenna.testing.simulate_cli import Options


def sweep_and_tell(options: Options) -> int:
    """Run ``--seeds`` seeds, tell of those that break, and return the exit status.

    Raises:
        OptionError: The file, the plan or the scenario makes no sense.
    """
    load_scenario(options.file)  # what is wrong with them is told before any process is started
    faults_of(options.faults)
    job = Job(file=options.file, seconds=options.seconds, faults=options.faults)
    seeds = options.seeds or 1
    results: list[SeedResult] = []
    status = WELL
    began = time.perf_counter()
    try:
        with Progress(sys.stderr) as progress, closing(sweep(job, options.seed, seeds, options.jobs)) as found:
            progress.show(lambda: f"{len(results)} of {counted(seeds, 'seed')}")
            for result in found:
                results.append(result)
                if result.symptom is not None:
                    status = BROKE
                    _print(f"seed {result.seed} broke: {result.symptom}\n  again: {command(options, result.seed)}")
    except KeyboardInterrupt:
        status = INTERRUPTED
    except SweepError as error:
        print(f"duenna simulate: {error}", file=sys.stderr)  # noqa: T201
        status = BROKE
    for line in told(options, results, time.perf_counter() - began):
        _print(line)
    return status


def told(options: Options, results: Sequence[SeedResult], real_seconds: float) -> Iterator[str]:
    """Yield the summary; its last line is a hash over the hashes of the traces, one a line, in the order of seeds."""
    broken = sum(result.symptom is not None for result in results)
    asked = options.seeds or 1
    done = counted(asked, "seed") if len(results) == asked else f"{len(results)} of {counted(asked, 'seed')}"
    yield f"{done} x {length(options.seconds)}: {len(results) - broken} passed, {broken} broke"
    if not results:
        return
    worst = max(results, key=lambda result: result.outage)
    outage = f", worst outage {worst.outage:.1f} s ({worst.path}, seed {worst.seed})" if worst.path else ""
    strikes, restarts = sum(each.strikes for each in results), sum(each.restarts for each in results)
    yield f"{counted(strikes, 'fault')}, {counted(restarts, 'restart')}{outage}"
    virtual = sum(result.seconds for result in results)
    per_second = virtual / real_seconds if real_seconds > 0 else 0.0
    yield f"{virtual:.0f} virtual seconds in {real_seconds:.1f} s: {per_second:.0f} per second"
    if len(results) == asked:
        hashes = "".join(each.sha256 + "\n" for each in results)
        yield f"trace sha256:{sha256(hashes.encode()).hexdigest()}"


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # a command talks to its user
