"""`duenna simulate` for one seed: runs it, shows how far it is, and tells what became of the bot."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING

from duenna.connection_statistics import table, verdict
from duenna.testing._one_seed import Run, faults_of, run_seed
from duenna.testing._progress import Progress
from duenna.testing._scenario_file import load_scenario
from duenna.testing._words import clock, counted, error_line, length, violation_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.testing._simulation import Outcome
    from duenna.testing._world import World
    from duenna.testing.simulate_cli import Options

WELL, BROKE, INTERRUPTED = 0, 1, 130

_MOST_TOLD = 20
_MOST_NAMED = 5


def simulate(options: Options) -> int:
    """Run one seed, tell what became of it, and return the exit status.

    Raises:
        OptionError: The file, the plan or the scenario makes no sense.
    """
    scenario, faults = load_scenario(options.file), faults_of(options.faults)
    began = time.perf_counter()
    with Progress(sys.stderr) as progress:

        def begun(world: World) -> None:
            now = world.clock.current_time
            progress.show(lambda: f"{clock(now())} of {clock(options.seconds)} ({100 * now() / options.seconds:.0f} %)")

        run = run_seed(scenario, options.seed, options.seconds, faults, trace=options.trace, begun=begun)
    for line in told(options, run, time.perf_counter() - began):
        print(line)  # noqa: T201  # a command talks to its user
    if run.is_interrupted:
        return INTERRUPTED
    return WELL if run.outcome.ok else BROKE


def told(options: Options, run: Run, real_seconds: float) -> Iterator[str]:
    """Yield what became of one seed; the last line is the hash of the trace, unless it was cut short."""
    outcome, statistics = run.outcome, run.outcome.statistics
    done = f"{clock(outcome.seconds)} of " if run.is_interrupted else ""
    yield f"{done}{length(options.seconds)}, seed {outcome.seed}, faults: {_faults(options, outcome)}"
    if statistics.connections:
        yield ""
        yield from table(statistics, has_messages=False)
        yield ""
    yield from summary(outcome)
    yield verdict(statistics)
    yield from _broken(outcome)
    per_second = outcome.seconds / real_seconds if real_seconds > 0 else 0.0
    yield f"{outcome.seconds:.0f} virtual seconds in {real_seconds:.1f} s: {per_second:.0f} per second"
    if outcome.trace_file is not None:
        yield f"trace written to {outcome.trace_file}"
    if run.is_interrupted:
        yield "interrupted: what is told is what there was until then"
    else:
        yield f"trace sha256:{outcome.sha256}"


def summary(outcome: Outcome) -> Iterator[str]:
    """Yield the worst outage of a connection, if there was one, and the restarts of all actors."""
    path, worst = worst_outage(outcome)
    if path:
        yield f"worst outage {worst:.1f} s ({path})"
    restarts = outcome.statistics.restarts
    most = ", ".join(f"{path} {number}" for path, number in restarts.most_common(_MOST_NAMED))
    more = ", ..." if len(restarts) > _MOST_NAMED else ""
    yield counted(restarts.total(), "restart") + (f": {most}{more}" if most else "")


def worst_outage(outcome: Outcome) -> tuple[str, float]:
    """Return the path of the connection with the longest outage, and its seconds; an empty path where none was."""
    now = outcome.statistics.now
    outages = [(record.longest_at(now), path) for path, record in outcome.statistics.connections.items()]
    worst, path = max(outages, key=lambda each: each[0], default=(0.0, ""))
    return path if worst > 0 else "", worst


def command(options: Options, seed: int) -> str:
    """Return the command that repeats *seed* alone."""
    words = ["duenna", "simulate", options.file, "--seconds", f"{options.seconds!r}", "--seed", str(seed)]
    return shlex.join([*words, *(["--faults", options.faults] if options.faults != "default" else [])])


def first_symptom(outcome: Outcome) -> str:
    """Return in one line what broke first."""
    if outcome.error is not None:
        return error_line(outcome.error)
    return violation_line(outcome.violations[0]) if outcome.violations else "nothing"


def _broken(outcome: Outcome) -> Iterator[str]:
    if outcome.ok:
        yield "nothing broke"
        return
    number = len(outcome.violations) + (outcome.error is not None)
    yield f"what broke ({number}):"
    if outcome.error is not None:
        yield f"  at {clock(outcome.seconds)}: the run ended: {error_line(outcome.error)}"
    for violation in outcome.violations[:_MOST_TOLD]:
        yield f"  {violation_line(violation)}"
    if len(outcome.violations) > _MOST_TOLD:
        yield f"  and {len(outcome.violations) - _MOST_TOLD} more"


def _faults(options: Options, outcome: Outcome) -> str:
    if options.faults == "none":
        return "none"
    plan = "drawn from the seed" if options.faults == "default" else options.faults
    return f"{plan}, {counted(outcome.strikes, 'strike')}"
