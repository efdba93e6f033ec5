"""Measure what an error costs: to count, to keep, to write; and whether 100,000 a second stall the event loop.

Usage: ``python benchmarks/errors.py [--errors 100000]``. Processor time of one core, the best of five rounds. The exit
status is 1 if a floor is missed: 2 us to count one, and no gap of 100 ms in the loop during the flood.
"""

import argparse
import gc
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

import duenna
from duenna.error_events import ErrorClassified, ErrorReport
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.records import Records
from duenna.records.error_log import error_lines, held
from duenna.tracker import ErrorTracker

ROUNDS = 5
RATE = 100_000
"""Errors a second in the flood."""

TO_COUNT = 2.0
LONGEST_GAP = 0.1
_TICK = 0.005
_NEW_YEAR = 1_767_225_600.0


def made_up(count: int, *, distinct: int = 20) -> list[ErrorClassified]:
    """Return so many errors of *distinct* types and services, with ten frames each, over ten minutes."""
    frames = tuple(f'File "/srv/bot/strategies/momentum_{n}.py", line {n}, in step_{n}' for n in range(10))
    verdict = Verdict(category=Category.NETWORK, severity=Severity.MEDIUM, transient=True, rule="connect")
    facts = Facts(links=(Link(type="httpx.ConnectError", message="all connection attempts failed"),))
    errors: list[ErrorClassified] = []
    for number in range(count):
        at = 600 * number / count
        report = ErrorReport(
            id=number + 1,
            time=at,
            at=_NEW_YEAR + at,
            path=f"/bot/api_{number % distinct}",
            error_type=f"exchange.Error{number % distinct}",
            message="httpx.ConnectError: all connection attempts failed <- OSError: [Errno 101] Network is unreachable",
            facts=facts,
            frames=frames,
            function="fetch",
            context={"symbol": "BTCUSDT", "attempt": "3"},
        )
        errors.append(ErrorClassified(time=at, path=report.path, report=report, verdict=verdict))
    return errors


def best(work: Callable[[], Callable[[], object]], count: int) -> float:
    """Return the microseconds of one of *count*: the best round of what *work* prepares."""
    times: list[float] = []
    for _ in range(ROUNDS):
        run = work()
        gc.collect()
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times) / count * 1e6


def each(function: Callable[[ErrorClassified], object], errors: Sequence[ErrorClassified]) -> Callable[[], object]:
    """Return what calls *function* with each of *errors*."""

    def run() -> None:
        for error in errors:
            function(error)

    return run


def costs(errors: list[ErrorClassified], distinct: list[ErrorClassified]) -> dict[str, float]:
    """Return the microseconds for one error, by what is done with it."""
    lines = [held(error) for error in errors]

    def write() -> object:
        return [error_lines(lines[first : first + 1000]) for first in range(0, len(lines), 1000)]

    full = ErrorTracker(lambda: 600.0)
    each(full.record, errors)()
    return {
        "count it (20 types)": best(lambda: each(ErrorTracker(lambda: 0.0).record, errors), len(errors)),
        "count it (each of a new type)": best(lambda: each(ErrorTracker(lambda: 0.0).record, distinct), len(distinct)),
        "hand it to the error log": best(lambda: each(Records(".").error, errors), len(errors)),
        "make its line (in the thread)": best(lambda: write, len(errors)),
        "summary of 1,000 kept errors": best(lambda: full.summary, 1),
    }


def memory(count: int) -> float:
    """Return the MB that a tracker holds after *count* errors, each of a type and a service of its own."""
    tracker = ErrorTracker(lambda: 0.0)
    tracemalloc.start()
    for first in range(0, count, 1000):
        for error in made_up(1000, distinct=1000):
            report = error.report
            kind, service = f"type {first + report.id}", f"service {first + report.id}"
            fields = {name: getattr(report, name) for name in report.__struct_fields__}
            new = ErrorReport(**{**fields, "error_type": kind, "service": service})
            tracker.record(ErrorClassified(time=error.time, path=error.path, report=new, verdict=error.verdict))
    gc.collect()
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if tracker.total != count:
        raise RuntimeError(f"{tracker.total} errors were counted, not {count}")
    return held_bytes / 1e6


async def flood(errors: list[ErrorClassified], folder: Path) -> tuple[float, float, int]:
    """Count and write *errors* at `RATE` a second; return the seconds, the longest gap, and the lines lost."""
    records, tracker = Records(folder), ErrorTracker(trio.current_time)
    gap = 0.0

    async def tick() -> None:
        nonlocal gap
        last = trio.current_time()
        while True:
            await trio.sleep(_TICK)
            now = trio.current_time()
            gap, last = max(gap, now - last - _TICK), now

    bot = duenna.Supervisor("bot")
    began = trio.current_time()
    async with duenna.open_runtime(bot, system=[records.actor()], log_level=None), trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        began = trio.current_time()
        for first in range(0, len(errors), 500):
            for error in errors[first : first + 500]:
                tracker.record(error)
                records.error(error)
            await trio.sleep_until(began + (first + 500) / RATE)
        nursery.cancel_scope.cancel()
    return trio.current_time() - began, gap, records.statistics()["errors"].lost


def main() -> int:
    """Print the figures; return 1 if a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", type=int, default=RATE, help="how many errors")
    count: int = parser.parse_args().errors
    errors = made_up(count)

    figures = costs(errors, made_up(count, distinct=count))
    for what, microseconds in figures.items():
        print(f"{what:<34} {microseconds:>9.2f} us")
    print(f"{'held after 1,000,000 distinct types':<34} {memory(1_000_000):>8.2f} MB")
    with tempfile.TemporaryDirectory() as folder:
        seconds, gap, lost = trio.run(flood, errors, Path(folder))
    print(f"{count:,} errors, counted and on disk after {seconds:.2f} s: longest gap {gap * 1e3:.1f} ms, {lost} lost")
    is_slow = figures["count it (20 types)"] > TO_COUNT or gap > LONGEST_GAP or lost > 0
    return 1 if is_slow else 0


if __name__ == "__main__":
    sys.exit(main())
