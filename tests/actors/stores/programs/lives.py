"""Live with a store in a database, one process a life: `python lives.py`, then an order a line (JSON of `StoreOrder`).

What it says is said in `tests.runtime.storage.programs.lives`, whose words these are.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from duenna.storage import Change, FileStore, StateError, StateWriteError
from duenna_actors.stores import PostgresStore, ReplicatedStore, SqliteStore
from tests.runtime.storage.programs.lives import Order, WatchedFs, fork, say
from tests.runtime.storage.programs.numbered import changes_of, digest, number_in

if TYPE_CHECKING:
    from duenna.storage import Store


class StoreOrder(Order, kw_only=True, omit_defaults=True):
    """What a life is to do, and with which store: one of those below, or *directory* replicated to *postgres*.

    Attributes:
        sqlite: The path of an SQLite file.
        postgres: The address of a database.
    """

    directory: str = ""
    sqlite: str = ""
    postgres: str = ""


def store_of(order: StoreOrder) -> Store:
    """Return the store that *order* is about."""
    if order.sqlite:
        return SqliteStore(order.sqlite, fs=WatchedFs(order))
    remote = PostgresStore(order.postgres)
    return ReplicatedStore(FileStore(order.directory), remote) if order.directory else remote


def live(order: Order) -> None:
    """Carry out *order*."""
    assert isinstance(order, StoreOrder)
    say(f"PID {os.getpid()}")
    store = store_of(order)
    try:
        loaded = store.open()
    except StateError as exc:
        say(f"REFUSED {exc}")
        return
    number = number_in(loaded.entries)
    assert not loaded.damages, loaded.damages
    say(f"RECOVERED {number} {digest(loaded.entries)}")
    end = number + order.commits if order.commits else sys.maxsize
    pending: dict[str, Change] = {}
    while number < end:
        number += 1
        pending |= {change.key: change for change in changes_of(number)}
        say(f"TRY {number}")
        try:
            store.commit(tuple(pending.values()), float(number))
            pending.clear()
            say(f"ACK {number}")
            if order.compact_every and number % order.compact_every == 0:
                store.compact(float(number))
        except StateWriteError as exc:
            say(f"FAILED {number} {exc}")
    try:
        store.close(float(number), is_clean=True)
    except StateWriteError as exc:
        say(f"UNTIDY {number} {exc}")
    say("CLOSED 0")


if __name__ == "__main__":
    for line in sys.stdin:
        fork(live, msgspec.json.decode(line, type=StoreOrder))
