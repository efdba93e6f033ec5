"""Stores on a simulated disk, for what happens when it fails."""

from __future__ import annotations

from duenna._random import generator
from duenna.storage import FileStore
from duenna.testing import SimFs
from tests.runtime.storage.store_contract import put

HOME = "/data/state"


def new_disk() -> SimFs:
    return SimFs(generator(1))


def store_on(disk: SimFs, *, ballast: int = 0, keep: int = 3) -> FileStore:
    return FileStore(HOME, fs=disk, ballast=ballast, keep=keep, rng=generator(2))


def opened(disk: SimFs, *, ballast: int = 0) -> FileStore:
    """Return an open store that has made one commit."""
    store = store_on(disk, ballast=ballast)
    store.open()
    store.commit([put("a")], 1.0)
    return store


def names_on(disk: SimFs) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in disk.files())


def calls_of(disk: SimFs) -> list[tuple[str, str]]:
    """Return the list in which the calls to come will stand."""
    calls: list[tuple[str, str]] = []
    disk.before = lambda call, path: calls.append((call, path.removeprefix(f"{HOME}/")))
    return calls
