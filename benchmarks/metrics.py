"""Measure what metrics cost: one scrape of a bot, and the bot's throughput while it is scraped every second.

Usage: ``python benchmarks/metrics.py [--actors 200] [--seconds 1.0] [--rounds 15]``. Processor time of one core. Of a
scrape the best of many is given, once with every actor idle since the last one and once with every actor busy. The
throughput is that of messages to handlers that do nearly nothing, by turns without a meter, with one, and with one and
a scrape every second; the ratios are those of the medians. Beside them stands the share of the time that was spent in
scrapes, which does not depend on what else the machine does. The exit status is 1 if a floor is missed: 5 ms for a
scrape, 1 % of the time.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Sequence

import attrs
import prometheus_client
import trio
import trio.testing

from duenna import Actor, Child, Ref, Runtime, Supervisor, open_runtime
from duenna_actors.console.metrics.exposition import Exposition, exposition
from duenna_actors.console.metrics.meter import Meter

SCRAPE = 0.005
SHARE = 0.01
PLAIN, METERED, SCRAPED = MODES = ("plain", "metered", "scraped")
"""Without a meter, with one, and with a scrape every second as well."""

_EVERY = 1.0
_BATCH = 20
_OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_GROUP = 10
_SCRAPES = 30


@attrs.define
class Memory:
    """What outlives a console."""

    meter: Meter = attrs.field(factory=Meter)


@attrs.define
class Worker(Actor):
    """Does a little with each message."""

    total: int = 0

    def receive(self, message: int) -> None:
        """Add *message*."""
        self.total += message


def tree_of(actors: int) -> Supervisor:
    """Return a bot of so many workers, ten to a supervisor."""
    groups = range(0, actors, _GROUP)
    return Supervisor(
        "bot", [Supervisor(f"group{first}", [Child(f"worker{n}", Worker) for n in range(_GROUP)]) for first in groups]
    )


def workers(runtime: Runtime) -> list[Ref]:
    """Return the refs of all workers."""
    return [runtime.ref(node.path) for node in runtime.tree().walk() if node.kind != "supervisor"]


async def scrapes(actors: int) -> tuple[float, float, float]:
    """Return the seconds of a scrape of idle actors, of busy ones, and of the client library's encoder alone."""
    async with open_runtime(tree_of(actors), log_level=None) as runtime:
        page, refs = exposition(runtime, Memory()), workers(runtime)
        idle: list[float] = []
        busy: list[float] = []
        for _ in range(_SCRAPES):
            idle.append(timed(page))
            for ref in refs:
                ref.tell(1)
            await trio.testing.wait_all_tasks_blocked()
            busy.append(timed(page))
        families = list(page.collector.collect())
    registry = prometheus_client.CollectorRegistry()
    registry.register(Collected(families))
    began = time.process_time()
    prometheus_client.generate_latest(registry)
    return min(idle), min(busy), time.process_time() - began


def timed(page: Exposition) -> float:
    """Return the seconds of one scrape."""
    began = time.process_time()
    page(_OPENMETRICS)
    return time.process_time() - began


class Collected(prometheus_client.registry.Collector):
    """What was collected before."""

    def __init__(self, families: list[prometheus_client.Metric]) -> None:
        self._families = families

    def describe(self) -> list[prometheus_client.Metric]:
        """Return nothing: so nothing is collected now."""
        return []

    def collect(self) -> list[prometheus_client.Metric]:
        """Return it again."""
        return self._families


@attrs.define
class Sample:
    """What one bot did.

    Attributes:
        rate: Messages for each second of processor time.
        share: The share of that time that was spent in scrapes.
    """

    rate: float
    share: float


async def throughput(mode: str, actors: int, seconds: float) -> Sample:
    """Have a bot work for so many *seconds* of processor time, in one of the `MODES`.

    The seconds between scrapes are of processor time, too: on a machine that does other work as well there would
    be more of them otherwise, and they would be too many for what the bot did meanwhile.
    """
    async with open_runtime(tree_of(actors), log_level=None) as runtime:
        page = None if mode == PLAIN else exposition(runtime, Memory())
        refs = workers(runtime)
        for ref in refs:
            ref.tell(1)
        await trio.testing.wait_all_tasks_blocked()
        if page is not None:
            page()  # the first has all the text to make
        gc.collect()
        sent, spent, began = 0, 0.0, time.process_time()
        due = began + min(_EVERY, seconds) / 2
        while (now := time.process_time()) - began < seconds:
            for ref in refs:
                for _ in range(_BATCH):
                    ref.tell(1)
            await refs[-1].ask(1)
            sent += len(refs) * _BATCH + 1
            if page is not None and mode == SCRAPED and now >= due:
                due += _EVERY
                before = time.process_time()
                await page.scrape(_OPENMETRICS)
                spent += time.process_time() - before
        lasted = time.process_time() - began
        return Sample(sent / lasted, spent / lasted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--actors", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    idle, busy, encoder = trio.run(scrapes, options.actors)
    sys.stdout.write(
        f"a scrape of {options.actors} actors: {idle * 1e3:.2f} ms if all were idle, {busy * 1e3:.2f} ms if all were "
        f"busy (at most {SCRAPE * 1e3:.0f}); the client library's encoder alone: {encoder * 1e3:.2f} ms\n"
    )
    found: dict[str, list[Sample]] = {mode: [] for mode in MODES}
    for number in range(options.rounds):
        for turn in range(len(MODES)):
            mode = MODES[(turn + number) % len(MODES)]
            found[mode].append(trio.run(throughput, mode, options.actors, options.seconds))
    rates = {mode: statistics.median(sample.rate for sample in found[mode]) for mode in MODES}
    share = statistics.median(sample.share for sample in found[SCRAPED])
    sys.stdout.write(
        f"throughput, messages a second: {', '.join(f'{rate:,.0f} {mode}' for mode, rate in rates.items())}\n"
        f"ratio scraped/plain {rates[SCRAPED] / rates[PLAIN]:.4f}, "
        f"scraped/metered {rates[SCRAPED] / rates[METERED]:.4f}; "
        f"scrapes took {share:.2%} of the time (at most {SHARE:.0%})\n"
    )
    return int(max(idle, busy) > SCRAPE or share > SHARE)


if __name__ == "__main__":
    sys.exit(main())
