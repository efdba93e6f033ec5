"""One side of one measure of `state.py`, in a process of its own: it prints its figures as a JSON object.

Usage: ``python benchmarks/_state_side.py MEASURE SIDE SIZE FOLDER``; `state.py` starts it, with a slow fsync or not.
"""

import json
import pickle
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import outcome
import trio
import trio.lowlevel
import trio.testing

import duenna
from duenna import Actor, Child, Supervisor, persistent
from duenna.fields import codec_of
from duenna.state._captures import READ_BACK, SMALL
from duenna.storage import Change, Entry, FileStore
from duenna.storage.os_fs import OsFs

ROUNDS = 7
ACTORS = 100
QUOTE = 24
"""Bytes of one quote, about, in MessagePack."""

RECORDS = 100_000
UPDATES = 3000
RATE = 1000.0


@attrs.define
class Quotes(Actor):
    """What is saved: prices by symbol."""

    prices: dict[str, float] = persistent(factory=dict[str, float])
    count: int = persistent(default=0)

    async def receive(self, message: str) -> None:
        """Count, and save if that is asked for."""
        self.count += 1
        if message == "save":
            await self.context.save()


def actors(size: int) -> list[Quotes]:
    """Return actors that hold *size* bytes, about, in all."""
    count = min(ACTORS, max(1, size // 1024))
    draw = random.Random(1)  # noqa: S311  # made-up prices
    each = max(1, size // count // QUOTE)
    return [
        Quotes(prices={f"SYMBOL{n:05d}USDT": draw.random() * 1e5 for n in range(each)}, count=number)
        for number in range(count)
    ]


def change(quotes: list[Quotes]) -> None:
    """Change every price: a database does not write what is as it was."""
    for each in quotes:
        each.count += 1
        for symbol in each.prices:
            each.prices[symbol] += 0.5


def values_of(quotes: list[Quotes]) -> dict[str, dict[str, Any]]:
    """Return the same as plain values, for those that save these."""
    return {f"/bot/{number}": {"prices": each.prices, "count": each.count} for number, each in enumerate(quotes)}


# -- sides: each gives what saves, and what restores -----------------------------


def side_duenna(quotes: list[Quotes], folder: Path) -> tuple[Callable[[], None], Callable[[], object]]:
    """Save by a commit of all entries, encoded as `/system/persistence` does: one in ten is read back."""
    codec = codec_of(Quotes)
    assert codec is not None  # noqa: S101  # it has fields
    store = FileStore(str(folder / "state"))
    store.open()
    version = 0

    def encoded(number: int, each: Quotes) -> bytes:
        return codec.encode(each, is_read_back=len(each.prices) * QUOTE <= SMALL or (number + version) % READ_BACK == 0)

    def save() -> None:
        nonlocal version
        version += 1
        changes = [
            Change(f"actor:/bot/{n}", Entry(kind="Quotes", schema=1, version=version, at=0.0, data=encoded(n, each)))
            for n, each in enumerate(quotes)
        ]
        store.commit(changes, 0.0)

    def tidy() -> None:
        if store.wants_compacting:  # what a bot does after it has acknowledged
            store.compact(0.0)

    save.tidy = tidy  # type: ignore[attr-defined]  # done between two saves, and not timed with them

    def restore() -> object:
        store.close(0.0, is_clean=False)
        loaded = store.open()
        made = [Quotes() for _ in quotes]
        for number, each in enumerate(made):
            entry = loaded.entries[f"actor:/bot/{number}"]
            codec.restore(each, entry.schema, entry.data)
        return made

    return save, restore


def _renamed(folder: Path, data: bytes) -> None:
    import os  # noqa: PLC0415  # the whole recipe in one place

    path, temporary = folder / "state", folder / "state.tmp"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def side_pickle(quotes: list[Quotes], folder: Path) -> tuple[Callable[[], None], Callable[[], object]]:
    """Save by pickle, fsync, rename, fsync of the folder."""
    values = values_of(quotes)
    return (
        lambda: _renamed(folder, pickle.dumps(values)),
        lambda: pickle.loads((folder / "state").read_bytes()),  # noqa: S301  # its own
    )


def side_json(quotes: list[Quotes], folder: Path) -> tuple[Callable[[], None], Callable[[], object]]:
    """Save by json, fsync, rename, fsync of the folder."""
    values = values_of(quotes)
    return (
        lambda: _renamed(folder, json.dumps(values).encode()),
        lambda: json.loads((folder / "state").read_bytes()),
    )


def side_sqlite(quotes: list[Quotes], folder: Path) -> tuple[Callable[[], None], Callable[[], object]]:
    """Save a row an actor in one transaction, write-ahead log, synchronous = FULL."""
    values = values_of(quotes)
    database = sqlite3.connect(folder / "state.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE state (key TEXT PRIMARY KEY, data BLOB)")

    def save() -> None:
        database.execute("BEGIN IMMEDIATE")
        rows = [(key, msgspec.msgpack.encode(value)) for key, value in values.items()]
        database.executemany(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET data = excluded.data", rows
        )
        database.execute("COMMIT")

    def restore() -> object:
        with closing(sqlite3.connect(folder / "state.db")) as again:
            return {key: msgspec.msgpack.decode(data) for key, data in again.execute("SELECT key, data FROM state")}

    return save, restore


SIDES = {"duenna": side_duenna, "pickle": side_pickle, "json": side_json, "sqlite": side_sqlite}


# -- measures ---------------------------------------------------------------------


def median(work: Callable[[], object], rounds: int, before: Callable[[], None] = lambda: None) -> float:
    """Return the milliseconds of *work*: the median of so many rounds, after one that does not count."""
    work()
    tidy: Callable[[], None] = getattr(work, "tidy", lambda: None)
    times: list[float] = []
    for _ in range(rounds):
        before()
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
        tidy()
    return statistics.median(times) * 1e3


def save_and_restore(side: str, size: int, folder: Path) -> dict[str, float]:
    """Measure a save of everything, and a restore."""
    quotes = actors(size)
    save, restore = SIDES[side](quotes, folder)
    rounds = ROUNDS if size < 50_000_000 else 3  # noqa: PLR2004  # 100 MiB takes its time
    return {"save_ms": median(save, rounds, partial(change, quotes)), "restore_ms": median(restore, rounds)}


class UnsyncedFs(OsFs):
    """Files whose fsync does nothing, to write a hundred thousand commits soon."""

    def sync(self, file: int) -> None:
        """Do nothing."""


def journal(_side: str, _size: int, folder: Path) -> dict[str, float]:
    """Measure the restore of a journal of 100,000 commits, 200 bytes each."""
    store = FileStore(str(folder / "state"), fs=UnsyncedFs(), compact_at=10**12)
    store.open()
    for number in range(RECORDS):
        entry = Entry(kind="Quotes", schema=1, version=number + 1, at=0.0, data=b"\x81\xa1a\xc4\x96" + bytes(150))
        store.commit([Change(f"actor:/bot/{number % 200}", entry)], 0.0)
    store.close(0.0, is_clean=True)

    def restore() -> None:
        loaded = store.open()
        store.close(0.0, is_clean=False)
        assert loaded.seq == RECORDS  # noqa: S101  # all of it was read

    return {"restore_ms": median(restore, 5)}


def tree(quotes: list[Quotes]) -> Supervisor:
    """Return a bot of these actors, good for one start."""
    made = iter(quotes)
    return Supervisor("bot", [Child(str(number), lambda: next(made)) for number in range(len(quotes))])


async def _watch_the_loop(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await trio.sleep(0.001)
        lags.append((time.perf_counter() - began - 0.001) * 1e3)


def p(values: list[float], share: float) -> float:
    """Return the value below which *share* of *values* lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def lag(side: str, size: int, folder: Path) -> dict[str, float]:
    """Measure how late the event loop is while all is saved; the peers save as scripts do, in the loop."""
    quotes = actors(size)
    lags: list[float] = []
    took: list[float] = []

    async def of_duenna() -> None:
        async with duenna.open_runtime(tree(quotes), log_level=None, state=folder / "state") as runtime:
            await trio.sleep(0.2)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_the_loop, lags)
                for _ in range(ROUNDS):
                    for number in range(len(quotes)):
                        runtime.ref(f"/bot/{number}").tell("change")
                    await trio.sleep(0.1)
                    began = time.perf_counter()
                    await runtime.state.save(force=True)
                    took.append((time.perf_counter() - began) * 1e3)
                nursery.cancel_scope.cancel()

    async def of_others() -> None:
        save, _ = SIDES[side](quotes, folder)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_the_loop, lags)
            for _ in range(ROUNDS):
                await trio.sleep(0.1)
                change(quotes)
                await trio.sleep(0.1)
                began = time.perf_counter()
                save()
                took.append((time.perf_counter() - began) * 1e3)
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    trio.run(of_duenna if side == "duenna" else of_others)
    return {"lag_p99_ms": p(lags, 0.99), "lag_max_ms": max(lags), "save_ms": statistics.median(took)}


def updates(side: str, _size: int, folder: Path) -> dict[str, float]:
    """Measure 1,000 updates a second of 200 bytes, each acknowledged when it is durable."""
    acks: list[float] = []
    lags: list[float] = []

    async def update(write: Callable[[], Any], due: float) -> None:
        await trio.sleep_until(due)
        await write()
        acks.append((trio.current_time() - due) * 1e3)

    async def drive(write: Callable[[int], Callable[[], Any]]) -> float:
        began = trio.current_time() + 0.2
        async with trio.open_nursery() as outer:
            outer.start_soon(_watch_the_loop, lags)
            async with trio.open_nursery() as nursery:
                for number in range(UPDATES):
                    nursery.start_soon(update, write(number), began + number / RATE)
            outer.cancel_scope.cancel()
        return trio.current_time() - began

    async def of_duenna() -> float:
        quotes = [Quotes(prices={f"SYMBOL{n}": float(n) for n in range(8)}) for _ in range(ACTORS)]
        async with duenna.open_runtime(tree(quotes), log_level=None, state=folder / "state") as runtime:
            refs = [runtime.ref(f"/bot/{number}") for number in range(ACTORS)]
            return await drive(lambda number: partial(refs[number % ACTORS].ask, "save", 600.0))

    async def of_others() -> float:
        save, _ = SIDES[side](actors(200), folder)
        limiter = trio.CapacityLimiter(1)
        return await drive(lambda _number: partial(trio.to_thread.run_sync, save, limiter=limiter))

    if side == "sqlite":  # its connection belongs to its thread
        return {}
    took = trio.run(of_duenna if side == "duenna" else of_others)
    return {
        "per_s": UPDATES / took,
        "ack_p50_ms": p(acks, 0.5),
        "ack_p99_ms": p(acks, 0.99),
        "lag_p99_ms": p(lags, 0.99),
    }


def one_dirty(_side: str, _size: int, folder: Path) -> dict[str, float]:
    """Measure the loop's time of a save when one actor of 200 has changed, and when all have."""
    quotes = [Quotes(prices={f"SYMBOL{n}": float(n) for n in range(8)}) for _ in range(200)]
    times: dict[str, list[float]] = {"one": [], "all": []}

    async def main() -> None:
        async with duenna.open_runtime(tree(quotes), log_level=None, state=folder / "state") as runtime:
            refs = [runtime.ref(f"/bot/{number}") for number in range(200)]
            await runtime.state.save(force=True)
            for which, dirty in (("one", refs[:1]), ("all", refs)):
                for _ in range(200):
                    for ref in dirty:
                        ref.tell("change")
                    await trio.testing.wait_all_tasks_blocked()
                    began = time.thread_time()  # of the loop: the commit before may still be written
                    coroutine = runtime.state.collect()
                    resume: Any = None
                    try:
                        while True:  # without the turns of others in between
                            coroutine.send(resume)
                            resume = outcome.Value(None)
                    except StopIteration:
                        pass
                    times[which].append((time.thread_time() - began) * 1e6)

    trio.run(main)
    return {"one_us": statistics.median(times["one"]), "all_us": statistics.median(times["all"])}


MEASURES: dict[str, Callable[[str, int, Path], dict[str, float]]] = {
    "save": save_and_restore,
    "journal": journal,
    "lag": lag,
    "updates": updates,
    "one_dirty": one_dirty,
}

if __name__ == "__main__":
    measure, side, size, folder = sys.argv[1:]
    print(json.dumps(MEASURES[measure](side, int(size), Path(folder))))
