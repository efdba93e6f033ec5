"""Let a fleet of clients overload a server on a virtual clock, under one policy after the other.

Usage: ``python benchmarks/overload.py [--write] [--seeds 3]``. The exit status is 1 if the defaults do not recover from
the brownout within 10 seconds, or if attempts and jitter alone do. The same seeds give the same table. ``--write``
puts it into docs/guards.md. `_brownout` has the server, `_fleet` the clients; README.md, beside this file, the model.
"""

import argparse
import re
import statistics
import sys
from pathlib import Path

import attrs
from _brownout import Result, Scenario
from _fleet import BREAKER, BUDGET, DEFAULTS, JITTER, NO_RETRY, POLICIES, Policy, simulate

LIMIT = 10.0
"""Seconds within which the defaults are to recover."""

PAGE = Path(__file__).parents[1] / "docs" / "guards.md"
BLOCK = re.compile(r"(<!-- made by benchmarks/overload\.py -->\n).*?(<!-- end of overload -->)", re.DOTALL)
HEADINGS = ("answered per second", "succeeded", "work wasted", "sends per call", "p99, s", "recovered after, s")

MODEL = """\
Ten processes make 400 calls per second in all, at random, to a server that can do 500 and for half a minute only 50. It
works in the order of arrival, keeps 1,000 requests waiting, refuses more, and does not notice that a client has gone.
Each attempt waits 1 second. Each process has a guard of its own. *Answered per second* is of the half minute, in which
no more than 50 is possible; *recovered* says after how many seconds at least 95 % of the calls of each second succeed,
for good; the other columns are of the half minute and the one after it, *work wasted* being what the server did for
clients that had gone. The figures are"""

LOADS = (300.0, 400.0, 450.0, 475.0)
FLEETS = (1, 10, 50, 400)


def middle(results: list[Result]) -> Result:
    """Return the median of each column; the time to recover is the worst."""
    columns = {
        field.name: statistics.median(getattr(result, field.name) for result in results)
        for field in attrs.fields(Result)
        if field.name != "recovered"
    }
    times = [result.recovered for result in results]
    worst = None if None in times else max(time for time in times if time is not None)
    return Result(**columns, recovered=worst)


def told(scenario: Scenario, recovered: float | None) -> str:
    """Return the seconds to recover in words."""
    return f"not within {scenario.after:.0f}" if recovered is None else f"{recovered:.0f}"


def table(scenario: Scenario, results: dict[str, Result], what: str = "policy") -> str:
    """Return the results as a table in Markdown."""
    rows = [[what, *HEADINGS]]
    for title, result in results.items():
        figures = (
            f"{result.goodput:.1f}",
            f"{result.succeeded:.0%}",
            f"{result.wasted:.0%}",
            f"{result.sends:.2f}",
            f"{result.p99:.2f}",
            told(scenario, result.recovered),
        )
        rows.append([title, *figures])
    return markdown(rows)


def markdown(rows: list[list[str]]) -> str:
    """Return rows of cells as a table in Markdown; all columns but the first hold numbers."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" + "|--:" * (len(rows[0]) - 1) + "|", *lines[1:]])


def complaints(results: dict[tuple[Scenario, str], Result]) -> list[str]:
    """Return what did not come out as it should: the defaults in any scenario, the others in the first."""
    first = Scenario()
    wrong: list[str] = []
    for (scenario, title), result in results.items():
        policy = next(policy for policy in POLICIES if policy.title == title)
        recovered = "never" if result.recovered is None else f"after {result.recovered:.0f} s"
        where = f"{title}, {scenario.rate:.0f} calls per second, {scenario.processes} processes: recovered {recovered}"
        if policy.recovers and (result.recovered is None or result.recovered > LIMIT):
            wrong.append(f"{where}, must within {LIMIT:.0f} s")
        if policy.recovers is False and scenario == first and result.recovered is not None:
            wrong.append(f"{where}, must never")
    return wrong


def note(text: str) -> None:
    """Tell the person who waits, apart from the table."""
    print(text, file=sys.stderr, flush=True)


class Series:
    """All runs, each made once.

    Attributes:
        results: What came of them.
    """

    def __init__(self, seeds: int) -> None:
        """Make no run yet; *seeds* of each scenario and policy."""
        self.results: dict[tuple[Scenario, str], Result] = {}
        self._seeds = seeds

    def result(self, scenario: Scenario, policy: Policy) -> Result:
        """Return what *policy* comes to over all seeds."""
        key = scenario, policy.title
        if key not in self.results:
            note(f"{policy.title}, {scenario.rate:.0f} calls per second, {scenario.processes} processes")
            self.results[key] = middle([simulate(scenario, policy, seed) for seed in range(self._seeds)])
        return self.results[key]

    def report(self) -> str:
        """Make all runs and return the tables."""
        scenario = Scenario()
        fleets = {f"{count}": attrs.evolve(scenario, processes=count) for count in FLEETS}
        return "\n\n".join(
            [
                f"{MODEL} {self._runs()}.",
                table(scenario, {policy.title: self.result(scenario, policy) for policy in POLICIES}),
                "Seconds to recover, by the load before the brownout, of a server that can do 500 calls per second:",
                self._by_load(scenario),
                "The defaults, by the number of processes that share the 400 calls per second:",
                table(scenario, {count: self.result(fleet, DEFAULTS) for count, fleet in fleets.items()}, "processes"),
            ]
        )

    def _runs(self) -> str:
        if self._seeds == 1:
            return "those of one run"
        return f"the medians of {self._seeds} runs, the seconds to recover the worst of them"

    def _by_load(self, scenario: Scenario) -> str:
        rows = [["policy", *(f"{load:.0f} per second" for load in LOADS)]]
        for policy in (NO_RETRY, JITTER, BUDGET, BREAKER, DEFAULTS):
            loaded = [self.result(attrs.evolve(scenario, rate=load), policy) for load in LOADS]
            rows.append([policy.title, *(told(scenario, result.recovered) for result in loaded)])
        return markdown(rows)


def main() -> int:
    """Simulate, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Simulate a fleet of clients and an overloaded server.")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each policy (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/guards.md")
    options = parser.parse_args()
    if options.write:
        written(PAGE.read_text(encoding="utf-8"), "")  # a page without marks is found before the work
    series = Series(options.seeds)
    text = series.report()
    wrong = complaints(series.results)
    print(text)
    if options.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    for complaint in wrong:
        note(f"MISSED: {complaint}")
    return int(bool(wrong))


def written(page: str, text: str) -> str:
    """Return *page* with *text* between its marks.

    Raises:
        ValueError: It has no marks, or several.
    """
    made, count = BLOCK.subn(lambda marks: f"{marks[1]}{text}\n{marks[2]}", page)
    if count != 1:
        message = f"docs/guards.md: one block between the marks of benchmarks/overload.py is expected, found {count}"
        raise ValueError(message)
    return made


if __name__ == "__main__":
    sys.exit(main())
