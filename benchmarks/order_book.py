"""Measure how many updates of a stream one core applies to an order book, and what the prices cost.

Usage: ``python benchmarks/order_book.py``. Made-up updates in a row, near the best prices as on an
exchange, a third of them removals; the book has 1,000 levels on each side. Best of five.
"""

import gc
import time
from collections.abc import Callable
from decimal import Decimal
from random import Random

import msgspec

from duenna_actors.binance import DepthSnapshot, DepthUpdate, OrderBook

LEVELS = 1_000
UPDATES = 20_000
ROUNDS = 5


class DecimalUpdate(msgspec.Struct):
    """The same as `DepthUpdate`, as far as the cost goes, with exact decimals."""

    b: list[tuple[Decimal, Decimal]]
    a: list[tuple[Decimal, Decimal]]


def made_up(per_update: int) -> tuple[DepthSnapshot, list[DepthUpdate]]:
    """Return a snapshot and the updates behind it, with so many levels each."""
    random = Random(1)  # noqa: S311  # prices need no cryptography
    middle = 300_000

    def change(sign: int) -> tuple[float, float]:
        distance = min(LEVELS, int(random.expovariate(1 / 30)) + 1)
        is_removal = distance > 1 and random.random() < 1 / 3
        return round((middle + sign * distance) * 0.1, 1), 0.0 if is_removal else round(random.random() * 9 + 0.001, 3)

    bids = [(round((middle - each) * 0.1, 1), 5.0) for each in range(1, LEVELS + 1)]
    asks = [(round((middle + each) * 0.1, 1), 5.0) for each in range(1, LEVELS + 1)]
    updates = [
        DepthUpdate(
            event_time_ms=number,
            symbol="BTCUSDT",
            first_id=8 * number + 1,
            last_id=8 * number + 8,
            previous_id=8 * number,
            bids=[change(-1) for _ in range(per_update // 2)],
            asks=[change(1) for _ in range(per_update // 2)],
        )
        for number in range(UPDATES)
    ]
    return DepthSnapshot(last_update_id=0, bids=bids, asks=asks), updates


def apply(snapshot: DepthSnapshot, updates: list[DepthUpdate]) -> None:
    """Build a book of it."""
    book = OrderBook("BTCUSDT")
    book.snapshot(snapshot)
    for update in updates:
        book.update(update)
    if not book.is_synced or book.applied != UPDATES - 1:
        raise RuntimeError(f"the book is not right: {book.why or book.applied}")


def decode(decoder: msgspec.json.Decoder[object], frames: list[bytes]) -> None:
    """Decode all of *frames*."""
    for frame in frames:
        decoder.decode(frame)


def best(work: Callable[..., None], *args: object) -> float:
    """Return the microseconds for one update."""
    times: list[float] = []
    for _ in range(ROUNDS):
        gc.collect()
        began = time.process_time()
        work(*args)
        times.append(time.process_time() - began)
    return min(times) / UPDATES * 1e6


def main() -> None:
    """Print the table."""
    floats = msgspec.json.Decoder(DepthUpdate, strict=False)
    decimals = msgspec.json.Decoder(DecimalUpdate, strict=False)
    print("levels  applied/s   apply us   decode us   with Decimal")
    for per_update in (2, 6, 10, 20, 40):
        snapshot, updates = made_up(per_update)
        frames = [_frame(update) for update in updates]
        applied = best(apply, snapshot, updates)
        as_float, as_decimal = best(decode, floats, frames), best(decode, decimals, frames)
        print(f"{per_update:6} {1e6 / applied:10,.0f} {applied:10.2f} {as_float:11.2f} {as_decimal:14.2f}")


def _frame(update: DepthUpdate) -> bytes:
    def written(side: list[tuple[float, float]]) -> list[tuple[str, str]]:
        return [(f"{price:.2f}", f"{quantity:.3f}") for price, quantity in side]

    fields = msgspec.to_builtins(update)
    return msgspec.json.encode({**fields, "b": written(update.bids), "a": written(update.asks)})


if __name__ == "__main__":
    main()
