"""What every worker of the benchmark shares: the clock, the memory gauge and the way to report.

A worker is one process that takes the samples of one measure of one side, when it is told to. This module needs the
standard library only, so that it also runs in the peers' environment.
"""

import argparse
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

CAPACITY = 1_000
"""Bound of every buffer and mailbox, on every side that has one."""

BURST = 250
"""Messages that a producer sends between two checkpoints, where the side lets it send without one."""

Sample = dict[str, float]
Measure = Callable[[int], Sample]


clock = time.process_time
"""What every side reads: processor time, which the machine's other work does not change."""


class Stopwatch:
    """Processor time from its creation to each call of `stop`, in seconds."""

    def __init__(self) -> None:
        """Start the watch."""
        self._begin = clock()

    def stop(self) -> float:
        """Return the seconds since the start."""
        return clock() - self._begin


def delays(count: int) -> list[float]:
    """Return *count* distinct delays between 0.5 and 1 second, well mixed and the same on every side."""
    golden_ratio = 0.6180339887498949
    return [0.5 + (index * golden_ratio) % 1 / 2 for index in range(count)]


def resident_bytes() -> int:
    """Return the resident set size of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """Return the largest resident set size that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def require(holds: bool) -> None:
    """Stop the benchmark unless *holds*; an `assert` that -O keeps.

    Raises:
        RuntimeError: It does not hold.
    """
    if not holds:
        raise RuntimeError("a message was lost or doubled")


def serve(measures: dict[str, Measure]) -> None:
    """Answer each line of standard input, a number of operations, with one line of JSON: a sample of the measure.

    Between two samples the process only waits for its next line, so that the workers of a measure can take turns.

    Args:
        measures: Measures by name; each takes the number of operations and returns seconds (or bytes) per operation.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=sorted(measures))
    parser.add_argument("--gc-off", action="store_true")
    options = parser.parse_args()
    measure = measures[options.measure]
    if options.gc_off:
        gc.disable()
    for line in sys.stdin:
        gc.collect()
        sample = measure(int(line))
        sys.stdout.write(json.dumps(sample) + "\n")
        sys.stdout.flush()
