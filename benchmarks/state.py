"""Measure what it costs to save and to restore, beside what one would write by hand.

Usage: ``python benchmarks/state.py [--quick] [--folder DIR] [--json]``. Each figure comes from a process of its own.
fsync is the machine's own, and with 2 and 10 ms added to it by a library of a few lines that is compiled with ``cc``
and preloaded; without a compiler these rows are left out. The exit status is 1 if a floor is missed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIDE = Path(__file__).with_name("_state_side.py")
SIDES = ("duenna", "sqlite", "pickle", "json")
SIZES = {"1 KiB": 1024, "1 MiB": 1024**2, "10 MiB": 10 * 1024**2, "100 MiB": 100 * 1024**2}
DELAYS = (0, 2, 10)
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_a_little(void) { const char *us = getenv("BENCH_FSYNC_US"); if (us) usleep(atoi(us)); }
typedef int (*sync_call)(int);
int fsync(int fd) { wait_a_little(); return ((sync_call)dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { wait_a_little(); return ((sync_call)dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""

JOURNAL_MS, LAG_MS, ONE_DIRTY_US = 150.0, 5.0, 50.0


class Disk:
    """Where it is measured, and how slow fsync is there."""

    def __init__(self, folder: Path, delay: int, library: Path | None) -> None:
        """Have *library* add *delay* milliseconds."""
        self.folder, self.delay, self.library = folder, delay, library


def measured(measure: str, side: str, size: int, disk: Disk) -> dict[str, float]:
    """Return the figures of one side, from a process of its own."""
    folder, delay, library = disk.folder, disk.delay, disk.library
    work = Path(tempfile.mkdtemp(dir=folder))
    surroundings = dict(os.environ)
    if delay and library is not None:
        surroundings |= {"LD_PRELOAD": str(library), "BENCH_FSYNC_US": str(delay * 1000)}
    try:
        command = [sys.executable, str(SIDE), measure, side, str(size), str(work)]
        done = subprocess.run(command, env=surroundings, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own
    finally:
        shutil.rmtree(work)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def compiled(folder: Path) -> Path | None:
    """Return the library that slows fsync down, None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(SLOW)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)  # noqa: S603  # found on the path
    return library


class Report:
    """The figures, and which floors were missed."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: list[dict[str, object]] = []
        self.missed: list[str] = []

    def row(self, what: str, figures: dict[str, dict[str, float]]) -> None:
        """Print the figures of each side, those of duenna first, and the ratio of the others to it."""
        self.rows.append({"what": what, **figures})
        own = figures["duenna"]
        for name, value in own.items():
            others = [
                f"{side} {other[name]:,.2f} ({other[name] / value:.2f}x)"
                for side, other in figures.items()
                if side != "duenna" and name in other
            ]
            print(f"{what:<34}{name:<14}{value:>12,.2f}   {'   '.join(others)}", flush=True)

    def floor(self, what: str, value: float, most: float) -> None:
        """Note whether *value* is at most *most*."""
        verdict = "held" if value <= most else "MISSED"
        print(f"  floor: {what}: {value:,.2f}, at most {most:,.2f}: {verdict}", flush=True)
        if value > most:
            self.missed.append(what)


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description="What it costs to save and to restore.")
    parser.add_argument("--quick", action="store_true", help="leave out 100 MiB and the rows with 2 ms")
    parser.add_argument("--folder", default=".", help="on the disk to measure (default: here)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON at the end")
    given = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="duenna-bench-", dir=given.folder) as name:
        folder = Path(name)
        library = compiled(folder)
        if library is None:
            print("no C compiler: the rows with a slow fsync are left out")
        delays = [delay for delay in DELAYS if (delay == 0 or library) and not (given.quick and delay == 2)]  # noqa: PLR2004
        for title, size in SIZES.items():
            if given.quick and size > SIZES["10 MiB"]:
                continue
            for delay in delays:
                figures = {side: measured("save", side, size, Disk(folder, delay, library)) for side in SIDES}
                report.row(f"{title}, fsync +{delay} ms", figures)
                if title == "1 MiB" and delay:
                    own, other = figures["duenna"]["save_ms"], figures["sqlite"]["save_ms"]
                    report.floor(f"full save of 1 MiB at +{delay} ms, against sqlite FULL", own, other)
        figures = {"duenna": measured("journal", "duenna", 0, Disk(folder, 0, None))}
        report.row("100,000 journal records", figures)
        report.floor("restore of 100,000 journal records, ms", figures["duenna"]["restore_ms"], JOURNAL_MS)
        for delay in delays:
            figures = {side: measured("lag", side, SIZES["10 MiB"], Disk(folder, delay, library)) for side in SIDES}
            report.row(f"loop while 10 MiB, +{delay} ms", figures)
            report.floor("loop lag p99 while 10 MiB are saved, ms", figures["duenna"]["lag_p99_ms"], LAG_MS)
        for delay in delays:
            sides = [side for side in SIDES if side != "sqlite"]
            figures = {side: measured("updates", side, 200, Disk(folder, delay, library)) for side in sides}
            report.row(f"1,000 updates/s, +{delay} ms", figures)
        figures = {"duenna": measured("one_dirty", "duenna", 0, Disk(folder, 0, None))}
        report.row("re-save, 1 and 200 of 200 dirty", figures)
        report.floor("loop time of a save with one dirty actor of 200, us", figures["duenna"]["one_us"], ONE_DIRTY_US)
    if given.json:
        print(json.dumps(report.rows, indent=1))
    if report.missed:
        print(f"missed: {'; '.join(report.missed)}")
    return 1 if report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
