"""Measure what a guard costs, beside its peers, in one run, and hold it against its goals.

Usage: ``python benchmarks/guards.py [--quick] [--json]``. The exit status is 1 if a goal was missed. README.md, beside
this file, says what is compared with what.
"""

import argparse
import json
import platform
import sys
from importlib import metadata

import attrs
from _guards_plan import BARE, CHECKPOINT, GOALS, GUARD, REQUIREMENTS, TOPICS, Extra, Ratio, Subject, Topic
from _launcher import Launcher, Samples, WorkerError, peers_python, take
from _plan import FLOOR_MACHINE_CHECKPOINT

ROUNDS = 15
QUICK_ROUNDS = 6
TURNS = 3
"""The rounds are parted among so many processes of each side: where one's memory lies can make it slower for good."""

NOTES = """\
Nanoseconds of processor time for each call, the loop round it included: the best of all samples, each the best of five
parts; the sides take turns, every second round in reverse order. In brackets, how many times the guard's it is. The
ratios hold on any machine, the nanoseconds on this one only.
No peer does what the guard does: those of one policy have one of them, and none of the breakers has a window but
pyresilience's (here with retry). hyx and pyresilience are asyncio's: under trio they work until the first retry.
"scaled": the limit was set on a machine whose trio checkpoint takes 2.97 us. Here a checkpoint, measured in turn with
the line, took longer; with time counted in checkpoints the goal is reached."""


@attrs.frozen
class Verdict:
    """A goal, and what came of it.

    Attributes:
        goal: In words.
        found: In words.
        verdict: `pass`, `scaled`, `not measured` or `MISSED`.
    """

    goal: str
    found: str
    verdict: str


Results = dict[str, Samples]
"""What was measured, by ``topic.column``."""


def best(samples: Samples, job: str) -> float:
    """Return the seconds of the best sample."""
    return min(sample["seconds"] for sample in samples.by_job[job])


def ratio(samples: Samples, over: str, under: str) -> float:
    """Return how many times one job's seconds the other's are."""
    return best(samples, over) / best(samples, under)


def subject_of(topic: Topic, name: str) -> Subject:
    """Return the line of *topic* that is called *name*."""
    return next(subject for subject in topic.subjects if subject.name == name)


def judge(goal: Ratio | Extra, topic: Topic, samples: Samples) -> Verdict:
    """Return what came of *goal*."""
    guard = subject_of(topic, GUARD).job(topic.name, goal.column)
    what = f"{topic.title.partition(' (')[0].lower()}, {goal.column}"
    if isinstance(goal, Ratio):
        return _ratio_verdict(goal, topic, samples, guard, what)
    words = f"{what}: <= {goal.most * 1e6:g} us over the bare call"
    bare = subject_of(topic, BARE).job(topic.name, goal.column)
    if guard not in samples.by_job or bare not in samples.by_job:
        return Verdict(words, "-", "not measured")
    extra = best(samples, guard) - best(samples, bare)
    found = f"{extra * 1e6:.2f} us"
    if extra <= goal.most:
        return Verdict(words, found, "pass")
    if CHECKPOINT in samples.by_job:
        scaled = extra / best(samples, CHECKPOINT) * FLOOR_MACHINE_CHECKPOINT
        found += f" (scaled: {scaled * 1e6:.2f} us)"
        if scaled <= goal.most:
            return Verdict(words, found, "scaled")
    return Verdict(words, found, "MISSED")


def _ratio_verdict(goal: Ratio, topic: Topic, samples: Samples, guard: str, what: str) -> Verdict:
    words = f"{what}: <= {goal.most:g}x of the quickest peer of one policy"
    peers = {
        job: subject
        for subject in topic.subjects
        if subject.is_single and (job := subject.job(topic.name, goal.column)) in samples.by_job
    }
    if guard not in samples.by_job or not peers:
        return Verdict(words, "-", "not measured")
    quickest = min(peers, key=lambda job: best(samples, job))
    found = ratio(samples, guard, quickest)
    return Verdict(words, f"{found:.2f}x of {peers[quickest].name}", "pass" if found <= goal.most else "MISSED")


def cell(topic: Topic, subject: Subject, column: str, results: Results) -> str:
    """Return what *subject* took in one column, and how many times the guard's that is."""
    samples = results.get(f"{topic.name}.{column}")
    job = subject.job(topic.name, column)
    if samples is None or column not in subject.columns:
        return ""
    if job not in samples.by_job:
        return "failed"
    guard = subject_of(topic, GUARD).job(topic.name, column)
    figure = f"{best(samples, job) * 1e9:,.0f}"
    return f"{figure} ({ratio(samples, job, guard):.2f}x)" if guard in samples.by_job else figure


def table(topic: Topic, results: Results) -> str:
    """Return one topic's table as text."""
    cells = [(topic.title, *(f"{column}, ns" for column in topic.columns))]
    cells += [
        (each.title, *(cell(topic, each, column, results) for column in topic.columns)) for each in topic.subjects
    ]
    return aligned(cells)


def verdicts_table(verdicts: list[Verdict]) -> str:
    """Return the goals as text."""
    return aligned([("goal", "found", "verdict"), *(attrs.astuple(verdict) for verdict in verdicts)])


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return rows of text in columns, the first of them over a line."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def circumstances(options: argparse.Namespace) -> dict[str, str]:
    """Return what the numbers depend on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "trio": metadata.version("trio"),
        "peers": "none" if options.no_peers else ", ".join(REQUIREMENTS),
        "gc": "off" if options.gc_off else "on, default thresholds, a full collection before each sample",
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "rounds": str(options.rounds),
    }


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Measure what a guard costs, beside its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, samples included")
    parser.add_argument("--rounds", type=int, help=f"samples of each job ({ROUNDS}; quick: {QUICK_ROUNDS})")
    parser.add_argument("--only", help="tables, parted by commas: " + ", ".join(topic.name for topic in TOPICS))
    parser.add_argument("--gc-off", action="store_true", help="switch the cyclic garbage collector off, on every side")
    parser.add_argument("--no-peers", action="store_true", help="measure the guard alone")
    options = parser.parse_args()
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    return options


def note(text: str) -> None:
    """Tell the person who waits, apart from the tables."""
    print(text, file=sys.stderr, flush=True)


def measure_all(options: argparse.Namespace) -> Results:
    """Take the samples of every table that is wanted."""
    try:
        requirements = (f"trio=={metadata.version('trio')}", *REQUIREMENTS)
        peers = None if options.no_peers else peers_python(note, requirements, "guards")
    except WorkerError as error:
        note(f"no peers: {error}")
        peers = None
    launcher = Launcher(peers, options.gc_off)
    wanted = options.only.split(",") if options.only else [topic.name for topic in TOPICS]
    results: Results = {}
    for topic in TOPICS:
        for column in topic.columns if topic.name in wanted else ():
            measure = topic.measure(column)
            note(f"measuring {measure.name}")
            turns = [take(measure, launcher, max(1, options.rounds // TURNS)) for _ in range(TURNS)]
            results[measure.name] = samples = merged(turns)
            for job, why in samples.failures.items():
                note(f"  {job} failed: {why}")
    return results


def merged(turns: list[Samples]) -> Samples:
    """Return the samples of all *turns* together; a job that failed in one has failed."""
    failures = {job: why for turn in turns for job, why in turn.failures.items()}
    jobs = [job for job in turns[0].by_job if job not in failures]
    return Samples({job: [sample for turn in turns for sample in turn.by_job[job]] for job in jobs}, failures)


def main() -> int:
    """Measure, print, and return the exit status."""
    options = arguments()
    results = measure_all(options)
    topics = {topic.name: topic for topic in TOPICS}
    measured = [goal for goal in GOALS if f"{goal.topic}.{goal.column}" in results]
    verdicts = [judge(goal, topics[goal.topic], results[f"{goal.topic}.{goal.column}"]) for goal in measured]
    facts = circumstances(options)
    if options.json:
        samples = {name: attrs.asdict(taken) for name, taken in results.items()}
        goals = [attrs.asdict(verdict) for verdict in verdicts]
        print(json.dumps({"circumstances": facts, "goals": goals, "samples": samples}, indent=2))
    else:
        tables = [table(topic, results) for topic in TOPICS if f"{topic.name}.{topic.columns[0]}" in results]
        lines = "\n".join(f"{name}: {fact}" for name, fact in facts.items())
        print(lines, *tables, verdicts_table(verdicts), NOTES, sep="\n\n")
    is_lost = any(job.startswith("guard:") for samples in results.values() for job in samples.failures)
    return int(is_lost or "MISSED" in {verdict.verdict for verdict in verdicts})


if __name__ == "__main__":
    sys.exit(main())
