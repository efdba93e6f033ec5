"""How soon a simulated world finds bugs: 39 of them, planted one at a time, and the seeds until each is found.

Run it from the repository: `python benchmarks/planted_bugs.py`. The table in `docs/invariants.md` is its output. The
bugs of connections are looked for in the trading bot, an hour a seed under the default faults; those of the kernel
in the busy tree of `tests/worlds`, whose actors and operators do every mechanism's work at random; those of guards
in its guarded town, where every policy is at work round calls that fail, take long and are cancelled at random; those
of errors in its error bot, in which all that can go wrong does.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "examples")]

import trading_bot  # noqa: E402  # of examples/, which is no package

from duenna.testing import World  # noqa: E402
from tests.worlds import (  # noqa: E402
    busy_tree,
    error_bot,
    guarded_town,
    planted_errors,
    planted_feed,
    planted_guards,
    planted_kernel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOUR, _MINUTES = 3600.0, 200.0


def main() -> int:
    """Print the table; the exit status is 1 if a bug was not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="seeds to try for each bug (default: %(default)s)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (default: %(default)s)")
    given = parser.parse_args()
    print("| planted bug | found in | seeds until found | rule that broke | virtual time, s | real time, s |")
    print("|---|---|--:|---|--:|--:|")
    missed = 0
    for name, where, plant in plants():
        began = time.perf_counter()
        found = find(where, plant, range(given.first, given.first + given.seeds))
        took = time.perf_counter() - began
        missed += found is None
        told = "| not found | | |" if found is None else "| {} | `{}` | {:.0f} |".format(*found)
        print(f"| {name.replace('_', ' ')} | {where} {told} {took:.1f} |", flush=True)
    return 1 if missed else 0


def plants() -> Iterator[tuple[str, str, Any]]:
    """Yield the name of each bug, where it shows, and what plants it."""
    for name, plant in planted_feed.PLANTS.items():
        yield name, "trading bot", plant
    for name, plant in planted_kernel.PLANTS.items():
        yield name, "busy tree", plant
    for name, plant in planted_guards.PLANTS.items():
        yield name, "guarded town", plant
    for name, plant in planted_errors.PLANTS.items():
        yield name, "error bot", plant


def find(where: str, plant: Any, seeds: range) -> tuple[int, str, float] | None:
    """Return how many seeds it took, which rule broke, and when; None if none did."""
    for tried, seed in enumerate(seeds, start=1):
        with plant():
            if where == "trading bot":
                outcome = World(seed, faults="default").simulate(trading_bot.scenario, _HOUR)
            elif where == "guarded town":
                outcome = World(seed).simulate(guarded_town.scenario, guarded_town.SECONDS)
            elif where == "error bot":
                outcome = World(seed).simulate(error_bot.scenario, error_bot.SECONDS)
            else:
                outcome = World(seed, detail="messages").simulate(busy_tree.scenario, _MINUTES)
        if outcome.violations:
            first = outcome.violations[0]
            return tried, first.checker, first.t
        if outcome.error is not None:
            return tried, type(outcome.error).__name__, outcome.seconds
    return None


if __name__ == "__main__":
    sys.exit(main())
