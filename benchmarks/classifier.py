"""Measure how often the classifier is right, and what a verdict costs.

Usage: ``python benchmarks/classifier.py [--cold ROUNDS] [FILE.jsonl ...]``. A file has labelled records, as
tests/runtime/classifier/second_corpus.jsonl, which is the default. Warm: types, codes and words have
been met before. Cold: the first verdict of a new classifier, which has met nothing.
"""

import argparse
import gc
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from duenna.machines.classification import Category, Facts, Verdict
from duenna.machines.classifier import Classifier
from duenna.machines.error_records import facts_from_record

CORPUS = Path(__file__).parent.parent / "tests" / "runtime" / "classifier" / "second_corpus.jsonl"
LABELS = ("category", "severity", "transient", "outcome_unknown")
ROUNDS = 7

Record = dict[str, Any]


def read(path: Path) -> list[tuple[Record, Facts]]:
    """Return the records of a file, each with its facts."""
    with path.open() as file:
        records: list[Record] = [json.loads(line) for line in file if line.strip()]
    return [(record, facts_from_record(record)) for record in records]


def accuracy(judged: list[tuple[Record, Verdict]]) -> dict[str, float]:
    """Return for each label the share of verdicts that are right."""
    return {
        label: sum(getattr(verdict, label) == record[label] for record, verdict in judged) / len(judged)
        for label in LABELS
    }


def print_confusion(judged: list[tuple[Record, Verdict]]) -> None:
    """Print the categories: those that were meant down, those that were given across, and the recall."""
    pairs = Counter((str(record["category"]), str(verdict.category)) for record, verdict in judged)
    names = [str(category) for category in Category]
    print(f"{'meant, given':14}" + "".join(f"{name[:6]:>7}" for name in names) + "  recall")
    for meant in names:
        row = [pairs[meant, given] for given in names]
        recall = f"{pairs[meant, meant] / sum(row):8.3f}" if sum(row) else "       -"
        print(f"{meant:14}" + "".join(f"{number or '.':>7}" for number in row) + recall)


def best(work: Callable[[], object], verdicts: int, rounds: int = ROUNDS) -> float:
    """Return the microseconds of one verdict, the best of some rounds."""
    times: list[float] = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times) / verdicts * 1e6


def judge(classifier: Classifier, facts: list[Facts]) -> None:
    """Judge all of *facts*."""
    for one in facts:
        classifier.classify(one)


def cold(facts: list[Facts], rounds: int) -> float:
    """Return the microseconds of a classifier's first verdict, the mean over the records, best of some rounds."""
    sums: list[float] = []
    for _ in range(rounds):
        total = 0.0
        for one in facts:
            classifier = Classifier()
            began = time.process_time()
            classifier.classify(one)
            total += time.process_time() - began
        sums.append(total / len(facts) * 1e6)
    return min(sums)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[CORPUS])
    parser.add_argument("--cold", type=int, default=0, metavar="ROUNDS", help="measure first verdicts, too (slow)")
    arguments = parser.parse_args()
    classifier = Classifier()
    for path in arguments.files:
        labelled = read(path)
        facts = [one for _, one in labelled]
        judged = [(record, classifier.classify(one)) for record, one in labelled]
        print(f"{path}: {len(judged)} records, {len(classifier.rules)} rules")
        for label, share in accuracy(judged).items():
            print(f"  {label:16} {share:.3f}")
        print_confusion(judged)
        print(f"  warm {best(partial(judge, classifier, facts), len(facts)):.1f} us a verdict")
        if arguments.cold:
            print(f"  cold {cold(facts, arguments.cold):.1f} us a verdict")


if __name__ == "__main__":
    main()
