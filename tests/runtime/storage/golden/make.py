"""Make the golden files of the format that is written: `python -m tests.runtime.storage.golden.make DIRECTORY`.

A format's files are made once, by the first program that writes it, and never again: all later
programs read them. `test_format_golden.py` holds each new program's bytes against those of its format.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from duenna._random import generator
from duenna.storage import Change, Entry, FileStore, Loaded, read_state

LIVES = ("whole", "torn")
"""Names of the states: one that was closed in order, and one that was not."""


class Expected(msgspec.Struct, frozen=True):
    """What is read from a state."""

    entries: dict[str, Entry]
    seq: int
    was_clean: bool
    saved_at: float | None

    @classmethod
    def of(cls, loaded: Loaded) -> Expected:
        """Return what *loaded* has."""
        return cls(dict(loaded.entries), loaded.seq, loaded.was_clean, loaded.saved_at)


def entry(version: int, data: object, *, kind: str = "Ledger", money: bool = False) -> Entry:
    """Return an entry that was taken *version* seconds after a certain time."""
    at = 1_764_000_000.0 + version / 8
    return Entry(kind=kind, schema=3, version=version, at=at, money=money, data=msgspec.msgpack.encode(data))


def store_in(directory: Path, seed: int) -> FileStore:
    """Return an open store that salts from *seed*."""
    store = FileStore(directory, ballast=0, rng=generator(seed))
    store.open()
    return store


def make_whole(directory: Path) -> None:
    """A snapshot between two journals, changes of all sorts, and a mark at the end."""
    store = store_in(directory, 1)
    store.commit([Change("actor:/bot/ledger", entry(1, {"fills": 3, "price": 0.5}, money=True))], 1_764_000_001.0)
    store.commit(
        [
            Change("part:guards", entry(1, {"open": ["api"], "none": None}, kind="guards")),
            Change("actor:/bot/Ærøskøbing", entry(2**40, {"Ærø": "ø", "bytes": b"\x00\xff"}, kind="Naïve")),
            Change("work:/bot/backfill#7f3a-2-1", entry(1, {}, kind="operation")),
        ],
        1_764_000_002.0,
    )
    store.compact(1_764_000_003.0)
    store.commit(
        [Change("work:/bot/backfill#7f3a-2-1", None), Change("actor:/bot/ledger", entry(2, {"fills": 4}, money=True))],
        1_764_000_004.0,
    )
    store.commit([Change("note:life", entry(9, {"nan": float("nan")}, kind="life"))], 1_764_000_005.25)
    store.close(1_764_000_006.0, is_clean=True)


def make_torn(directory: Path) -> None:
    """Three lives that did not end in order: the second goes on from a torn end, the third was torn itself."""
    for life in range(3):
        store = store_in(directory, 2 + life)
        for number in range(2):
            change = Change(f"actor:/bot/{life}", entry(number + 1, {"life": life, "number": number}))
            store.commit([change], 1_764_000_000.0 + 10 * life + number)
        store.close(0.0, is_clean=False)
        if life != 1:
            last = max(directory.glob("jour-*.bin"))
            last.write_bytes(last.read_bytes()[:-5])


def make(directory: Path) -> None:
    """Make all of them in *directory*, with what is to be read from them beside."""
    for name, fill in zip(LIVES, (make_whole, make_torn), strict=True):
        state = directory / name
        state.mkdir(parents=True)
        fill(state)
        expected = msgspec.json.format(msgspec.json.encode(Expected.of(read_state(state))))
        (directory / f"{name}.json").write_bytes(expected + b"\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
