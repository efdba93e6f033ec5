"""Measure duenna's kernel beside raw trio and its peers, in one run, and hold it against its floors.

Usage: ``python benchmarks/kernel.py [--quick] [--json]``. The exit status is 1 if a floor was missed. README.md, beside
this file, says what is compared with what.
"""

import argparse
import json
import platform
import statistics
import sys
from importlib import metadata

import attrs
from _launcher import REQUIREMENTS, Launcher, Samples, WorkerError, peers_python, take
from _plan import CHECKPOINT, FLOOR_MACHINE_CHECKPOINT, MEASURES, ROWS, AtLeast, AtMost, Row

ROUNDS = 15
QUICK_ROUNDS = 3
UNITS = {"us": 1e-6, "ms": 1e-3, "bytes": 1.0, "GB": 1e9}
SIDES = {"trio": "raw trio", "triotp": "triotp", "pykka": "pykka", "asyncio": "asyncio"}
HEADINGS = ("what", "duenna", *SIDES.values(), "floor", "verdict")

NOTES = """\
Times are processor time. Each cell is the best of its samples; in brackets, how many times duenna's it is: the median
of the ratios of the rounds, in which the sides take turns. duenna runs with supervision, counters, bounded mailboxes
and its watchdog on, and no log.
Why the ratios are large: raw trio, awaited, pays one checkpoint for every send and one for every receive; duenna's
dispatcher pays one for every batch of messages. A trio program that batches by hand (`send_nowait` in bursts) has a
line of its own.
"scaled": the limit was set on a machine whose trio checkpoint takes 2.97 us. Here a checkpoint, measured in turn with
the line, took longer; with time counted in checkpoints the floor is held."""


@attrs.frozen
class Line:
    """A row of the table with what was measured for it.

    Attributes:
        row: What it is.
        value: duenna's best; None if it could not be measured.
        others: The best of each other side.
        ratios: How many times duenna's each other side is: the median over the rounds.
        floors: Each floor in words, and whether it is held: `pass`, `scaled` or `MISSED`.
    """

    row: Row
    value: float | None
    others: dict[str, float]
    ratios: dict[str, float]
    floors: list[tuple[str, str]]


def median_ratio(samples: Samples, over: str, under: str, over_metric: str, under_metric: str) -> float:
    """Return the median over the rounds of the one job's metric over the other's."""
    pairs = zip(samples.by_job[over], samples.by_job[under], strict=True)
    return float(statistics.median(a[over_metric] / b[under_metric] for a, b in pairs))


def line_of(row: Row, samples: Samples) -> Line:
    """Work out one line from the samples of its measure."""
    own = samples.by_job.get(row.own)
    value = min(sample[row.metric] for sample in own) if own else None
    others: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for side, job in row.jobs().items():
        if job in samples.by_job:
            metric = row.metric if row.metric in samples.by_job[job][0] else "seconds"
            others[side] = min(sample[metric] for sample in samples.by_job[job])
            if own:
                ratios[side] = median_ratio(samples, job, row.own, metric, row.metric)
    if value is None:
        return Line(row, value, others, ratios, [])
    floors = [judge(row, floor, value, ratios, samples) for floor in row.floors]
    return Line(row, value, others, ratios, floors)


def judge(
    row: Row, floor: AtLeast | AtMost, value: float, ratios: dict[str, float], samples: Samples
) -> tuple[str, str]:
    """Return one floor in words and whether it is held."""
    if isinstance(floor, AtLeast):
        words = f">= {floor.ratio:g}x {SIDES[floor.side]}"
        if floor.side not in ratios:
            return words, "not measured"
        return words, "pass" if ratios[floor.side] >= floor.ratio else "MISSED"
    words = f"<= {floor.limit / UNITS[row.unit]:g} {row.unit}"
    if value <= floor.limit:
        return words, "pass"
    if row.unit in ("us", "ms") and CHECKPOINT in samples.by_job:
        checkpoints = median_ratio(samples, row.own, CHECKPOINT, row.metric, "seconds")
        scaled = checkpoints * FLOOR_MACHINE_CHECKPOINT
        words += f" (scaled: {scaled / UNITS[row.unit]:.3g})"
        if scaled <= floor.limit:
            return words, "scaled"
    return words, "MISSED"


def shown(value: float | None, unit: str, ratio: float | None = None) -> str:
    """Return a value in its unit and, if there is one, its ratio."""
    if value is None:
        return "-"
    scaled = value / UNITS[unit]
    figure = f"{scaled:,.0f}" if unit == "bytes" or scaled >= 1_000 else f"{scaled:.3g}"  # noqa: PLR2004 - digits
    return f"{figure} {unit}" if ratio is None else f"{figure} {unit} ({ratio:.3g}x)"


def table(lines: list[Line]) -> str:
    """Return the table as text."""
    cells = [HEADINGS]
    for line in lines:
        others = [shown(line.others.get(side), line.row.unit, line.ratios.get(side)) for side in SIDES]
        floors = ", ".join(words for words, _ in line.floors) or "-"
        verdicts = [verdict for _, verdict in line.floors]
        verdict = next((word for word in ("MISSED", "not measured", "scaled", "pass") if word in verdicts), "")
        cells.append((line.row.title, shown(line.value, line.row.unit), *others, floors, verdict))
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])


def circumstances(options: argparse.Namespace) -> dict[str, str]:
    """Return what the numbers depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "trio": metadata.version("trio"),
        "peers": "none" if options.no_peers else f"{', '.join(REQUIREMENTS)} (with the trio that triotp pins)",
        "gc": "off" if options.gc_off else "on, default thresholds, a full collection before each sample",
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "rounds": str(options.rounds),
    }


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure duenna's kernel beside raw trio and its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and no million actors")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, samples included")
    parser.add_argument("--rounds", type=int, help=f"samples of each job ({ROUNDS}; quick: {QUICK_ROUNDS})")
    parser.add_argument("--only", help="measures, parted by commas: " + ", ".join(measure.name for measure in MEASURES))
    parser.add_argument("--gc-off", action="store_true", help="switch the cyclic garbage collector off, on every side")
    parser.add_argument("--no-peers", action="store_true", help="compare with raw trio alone")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    return options


def note(text: str) -> None:
    """Tell the person who waits, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def measure_all(options: argparse.Namespace) -> dict[str, Samples]:
    """Take the samples of every measure that is wanted."""
    try:
        peers = None if options.no_peers else peers_python(note)
    except WorkerError as error:
        note(f"no peers: {error}")
        peers = None
    launcher = Launcher(peers, options.gc_off)
    wanted = set(options.only.split(",")) if options.only else {measure.name for measure in MEASURES}
    results: dict[str, Samples] = {}
    for measure in MEASURES:
        if measure.name not in wanted or (options.quick and measure.is_long):
            continue
        note(f"measuring {measure.name}")
        rounds = 1 if options.quick and measure.rounds < ROUNDS else min(options.rounds, measure.rounds)
        results[measure.name] = samples = take(measure, launcher, rounds)
        for job, why in samples.failures.items():
            note(f"  {job} failed: {why}")
    return results


def main() -> int:
    """Measure, print, and return the exit status."""
    options = arguments()
    results = measure_all(options)
    lines = [line_of(row, results[row.measure]) for row in ROWS if row.measure in results]
    facts = circumstances(options)
    if options.json:
        samples = {name: attrs.asdict(taken) for name, taken in results.items()}
        rows = [attrs.asdict(line) for line in lines]
        print(json.dumps({"circumstances": facts, "rows": rows, "samples": samples}, indent=2))
    else:
        print("\n".join(f"{name}: {fact}" for name, fact in facts.items()), table(lines), NOTES, sep="\n\n")
    is_missed = any(line.value is None or "MISSED" in {verdict for _, verdict in line.floors} for line in lines)
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
