"""A backfill that may be killed at any moment: 50,000 trades, and in the end each of them counts once.

    python examples/backfill.py

Kill it while it runs (`kill -9`, Ctrl-C, the power) and start it again, as often as you like: it goes on
behind the last batch that is durable. At the end it says what it has counted, which must be what one pass
over all trades counts, and how often each batch was begun: one that was cut off was begun again, and yet
counts once, because what it adds and the place that was reached are saved in one commit.
"""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

import duenna
from duenna import Actor, Backoff, Child, Supervisor, persistent

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def trades(begin: int, end: int) -> Iterator[tuple[str, int]]:
    """Yield trades number *begin* to *end* - 1, made up but always the same: the contract, and how many lots."""
    for number in range(begin, end):
        yield SYMBOLS[number * 7919 % 31 % len(SYMBOLS)], number * 104_729 % 97 + 1


def lots_by_symbol(begin: int, end: int) -> Counter[str]:
    """Return how many lots of each contract trades number *begin* to *end* - 1 are about."""
    lots: Counter[str] = Counter()
    for symbol, quantity in trades(begin, end):
        lots[symbol] += quantity
    return lots


@attrs.frozen
class Attempts:
    """A file that has a line for each batch that was begun: it is added to, and nothing else knows of it.

    What a process has written there stays when the process is killed. After a power cut the last
    lines may be missing, for nothing waits until they are on the disk.
    """

    path: Path

    def note(self, begin: int) -> None:
        """Note that the batch from trade number *begin* on is begun."""
        with self.path.open("a") as file:
            file.write(f"{begin}\n")

    def times(self) -> Counter[int]:
        """Return how many batches were begun so often, by how often."""
        return Counter(Counter(self.path.read_text().split()).values())


@attrs.define
class Backfill(Actor):
    """Counts the lots of all trades, a batch at a time."""

    items: int
    batch: int
    attempts: Attempts
    applied: int = persistent(default=0)
    lots: dict[str, int] = persistent(factory=dict)
    is_done: bool = persistent(default=False)

    async def run(self) -> None:
        """Go on where the last incarnation, or the last process, has got to."""
        if not self.is_done:
            await self.backfill()
        self.report()
        self.context.runtime.request_stop("all is counted")

    async def backfill(self) -> None:
        """Count batch after batch; cut off anywhere, the next attempt begins with the first that is not durable."""
        async with self.context.operation("backfill", items=self.items) as work:
            for begin in range(work.get("index", 0), self.items, self.batch):
                end = min(begin + self.batch, self.items)
                self.attempts.note(begin)
                lots = await trio.to_thread.run_sync(lots_by_symbol, begin, end)
                # From here to `progress` there is no other await: the count and the index are saved together.
                for symbol, more in lots.items():
                    self.lots[symbol] = self.lots.get(symbol, 0) + more
                self.applied += end - begin
                await work.progress(index=end)
                self.context.log.info("{} of {} trades", end, self.items)
            self.is_done = True  # saved with the end of the operation: nobody begins it a second time

    def report(self) -> None:
        """Say what was counted, what it should be, and how often each batch was begun."""
        right = lots_by_symbol(0, self.items)
        is_right = (self.applied, self.lots) == (self.items, dict(right))
        print(f"applied: {self.applied} of {self.items} trades, {self.lots}")
        print("each of them once" if is_right else f"WRONG: {dict(right)} would be right")
        for times, batches in sorted(self.attempts.times().items()):
            print(f"attempted {times}x: {batches} batches")


def backfill_bot(items: int, batch: int, attempts: Path) -> Supervisor:
    """Return the bot's tree."""
    backfill = partial(Backfill, items, batch, Attempts(attempts))
    return Supervisor("bot", [Child("backfill", backfill, restart="transient", backoff=Backoff.steps(0.1, 1))])


def main() -> None:
    """Run the bot until all is counted, or it is stopped."""
    parser = argparse.ArgumentParser(description="Count made-up trades, once each, however often this is killed.")
    parser.add_argument("--state", type=Path, default=Path("data/backfill"), metavar="DIR", help="where the state is")
    parser.add_argument("--items", type=int, default=50_000, metavar="N", help="how many trades there are")
    parser.add_argument("--batch", type=int, default=500, metavar="N", help="how many are counted at a time")
    given = parser.parse_args()
    given.state.parent.mkdir(parents=True, exist_ok=True)
    attempts = given.state.with_name(f"{given.state.name}.attempts")
    duenna.run(backfill_bot(given.items, given.batch, attempts), state=given.state)


if __name__ == "__main__":
    main()
