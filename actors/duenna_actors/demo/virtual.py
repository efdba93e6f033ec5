"""The demo in a simulated world: a day of it in less than a minute, and again from the same seed."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import attrs

from duenna import Child, Mailbox
from duenna.connection_statistics import table, verdict
from duenna.testing._one_seed import run_seed
from duenna.testing._words import counted, error_line, violation_line
from duenna.wallclock import wall_time
from duenna_actors.demo.bot import Pace, scenario
from duenna_actors.demo.chronicle import HOUR, Chronicle, clock
from duenna_actors.demo.observers import Counter
from duenna_actors.demo.screen import Screen, discard_output

if TYPE_CHECKING:
    from duenna.testing import Scenario, World
    from duenna.testing._one_seed import Run
    from duenna_actors.demo.options import Options

WELL, GAVE_UP, NOT_WELL = 0, 1, 3
_MOST_BROKEN = 10


def virtual_demo(options: Options) -> int:
    """Run the demo in a world of its own, print what became of it, and return the exit status."""
    screen = Screen(sys.stdout)
    chronicle = Chronicle(partial(_tell, screen, options), Pace().detection)
    began = wall_time()
    run = run_seed(
        partial(_watched, options=options, chronicle=chronicle),
        options.seed,
        options.seconds,
        "default" if options.has_faults else None,
        trace=options.trace,
    )
    _tell_the_end(screen, run, chronicle, wall_time() - began)
    if screen.is_broken:
        discard_output()
    return _status(run)


def _tell(screen: Screen, options: Options, line: str) -> None:
    if not options.is_quiet:
        screen.write(f"{line}\n")


def _watched(world: World, options: Options, chronicle: Chronicle) -> Scenario:
    """Return the bot's scenario with those who count and tell."""
    made = scenario(world, options.symbols)
    counter = Child("counter", partial(Counter, HOUR), mailbox=Mailbox(10_000, overflow="drop_oldest"))
    return attrs.evolve(made, system=(*made.system, counter), checkers=(*made.checkers, chronicle))


def _tell_the_end(screen: Screen, run: Run, chronicle: Chronicle, took: float) -> None:
    outcome, statistics = run.outcome, run.outcome.statistics
    for path, messages in chronicle.messages.items():
        statistics.count_messages(path, messages)
    screen.block(table(statistics))
    restarts = sum(record.restarts for record in statistics.connections.values())
    how = "interrupted, " if run.is_interrupted else ""
    screen.write(
        f"{how}{clock(outcome.seconds).strip()} simulated in {took:.1f} s, {counted(outcome.strikes, 'fault')}, "
        f"{counted(restarts, 'restart')} of connections\n"
    )
    for violation in outcome.violations[:_MOST_BROKEN]:
        screen.write(f"broken {violation_line(violation)}\n")
    if outcome.error is not None:
        print(f"duenna demo: gave up: {error_line(outcome.error)}", file=sys.stderr)
    screen.write(f"{verdict(statistics)}\ntrace sha256:{outcome.sha256}\n")


def _status(run: Run) -> int:
    outcome = run.outcome
    if outcome.error is not None:
        return GAVE_UP
    if run.is_interrupted:  # in the middle of a fault, perhaps: that is no failure
        return WELL
    is_well = outcome.ok and outcome.statistics.connections and not outcome.statistics.not_operational()
    return WELL if is_well else NOT_WELL
