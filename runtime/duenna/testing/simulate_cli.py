"""`duenna simulate`: the options, read and checked. What it does is in `duenna.testing._simulate`."""

from __future__ import annotations

import os
import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import argparse

    from duenna.cli import Subparsers

_MISUSED = 2
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "days": 86_400.0}
_LONGEST = 3660.0 * 86_400.0


class OptionError(Exception):
    """An option or the scenario makes no sense; the text says in one line which, and what was expected."""


@attrs.frozen(kw_only=True)
class Options:
    """What was asked for.

    Attributes:
        file: Where the scenario is.
        seconds: Of virtual time.
        seed: The first seed.
        seeds: How many; None for one, told in full.
        jobs: Processes.
        faults: `default`, `none` or a file.
        trace: The file for the trace, if any.
    """

    file: str
    seconds: float
    seed: int
    seeds: int | None
    jobs: int
    faults: str
    trace: Path | None


def register(subparsers: Subparsers) -> None:
    """Add the verb `simulate`."""
    parser = subparsers.add_parser(
        "simulate",
        help="run a bot in a simulated world, under faults, from a seed",
        description="Run the bot that scenario(world) in FILE describes in a simulated world: days in minutes, and the "
        "same again with the same seed. Exit status: 0 if nothing broke, 1 if something did, 2 for wrong use, "
        "130 after Ctrl-C.",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; what they hold is checked by `read_options`, which can say more in one line."""
    add = parser.add_argument
    add("file", metavar="FILE", help="a Python file with a function scenario(world)")
    for unit in _UNITS:
        add(f"--{unit}", metavar="N", help=f"{unit} of virtual time" + (" (default: 1)" if unit == "hours" else ""))
    add("--seed", default="0", metavar="N", help="same seed, same run; the first one of several (default: 0)")
    add("--seeds", metavar="N", help="run so many seeds and tell of those that break")
    add("--jobs", metavar="J", help="processes for --seeds (default: one per processor)")
    add("--faults", default="default", metavar="FILE", help="what strikes: a plan (.json, .yaml), `none`, or `default`")
    add("--trace", metavar="FILE", help="write everything that happened, a JSON object per line")


def run(arguments: argparse.Namespace) -> int:
    """Simulate and return the exit status."""
    # The simulator is imported only here: `duenna --help` does not wait for it.
    from duenna.testing._simulate import simulate  # noqa: PLC0415
    from duenna.testing._sweep_told import sweep_and_tell  # noqa: PLC0415

    try:
        options = read_options(arguments)
        return simulate(options) if options.seeds is None else sweep_and_tell(options)
    except OptionError as error:
        print(f"duenna simulate: {error}", file=sys.stderr)  # a command talks to its user
        return _MISUSED


def read_options(given: argparse.Namespace) -> Options:
    """Return the options of the command line.

    Raises:
        OptionError: One makes no sense.
    """
    seeds = None if given.seeds is None else _whole("--seeds", given.seeds, 1)
    if seeds is None and given.jobs is not None:
        raise OptionError("--jobs must be given with --seeds: one seed runs in one process")
    if seeds is not None and given.trace is not None:
        raise OptionError("--trace must be given without --seeds: it writes the trace of one run")
    return Options(
        file=given.file,
        seconds=_seconds(given),
        seed=_whole("--seed", given.seed, None),
        seeds=seeds,
        jobs=_processors() if given.jobs is None else _whole("--jobs", given.jobs, 1),
        faults=given.faults,
        trace=None if given.trace is None else _trace(given.trace),
    )


def _seconds(given: argparse.Namespace) -> float:
    named = [(unit, text) for unit in _UNITS if (text := getattr(given, unit)) is not None]
    if not named:
        return _UNITS["hours"]
    if len(named) > 1:
        raise OptionError(
            "one of --seconds, --minutes, --hours and --days may be given, got "
            + " and ".join(f"--{unit}" for unit, _ in named)
        )
    unit, text = named[0]
    try:
        seconds = float(text) * _UNITS[unit]
    except ValueError:
        seconds = -1.0
    if not (isfinite(seconds) and 0.0 < seconds <= _LONGEST):
        raise OptionError(f"--{unit} must be a number > 0 and at most ten years, got {text!r}")
    return seconds


def _whole(option: str, text: str, least: int | None) -> int:
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None or (least is not None and number < least):
        raise OptionError(f"{option} must be a whole number{'' if least is None else f' >= {least}'}, got {text!r}")
    return number


def _trace(text: str) -> Path:
    path = Path(text)
    if not text or path.is_dir():
        raise OptionError(f"--trace must be a file, got {text!r}" + (", which is a folder" if text else ""))
    if not path.parent.is_dir():
        raise OptionError(f"--trace must be in a folder that exists, got {text!r}")
    return path


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
