"""What the tests of stores share: entries, and the state as a plain dict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from duenna.storage import Change, Entry

if TYPE_CHECKING:
    from duenna.storage import Store

A, B, C = "actor:/bot/ledger", "part:guards", "work:/bot/backfill#7f3a-2-1"


def entry(version: int, value: object = None, *, money: bool = False) -> Entry:
    """Make an entry of that *version*, and a *value*."""
    data = msgspec.msgpack.encode({"value": value})
    return Entry(kind="Ledger", schema=2, version=version, at=1_764_000_000.125 + version, money=money, data=data)


def put(key: str, version: int, value: object = None) -> Change:
    return Change(key, entry(version, value))


def fill(store: Store, *commits: Change) -> None:
    """Open *store*, make each of *commits*, and close it in order."""
    store.open()
    for number, change in enumerate(commits, 1):
        store.commit([change], float(number))
    store.close(float(len(commits)), is_clean=True)


def held(store: Store) -> dict[str, Entry]:
    """Open *store*, close it without a mark, and return what it held; an `AssertionError` if anything was wrong."""
    loaded = store.open()
    store.close(0.0, is_clean=False)
    assert loaded.damages == ()
    return dict(loaded.entries)
