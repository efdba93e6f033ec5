"""A store in an SQLite file on disks that fail, are full, or can only be read."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing, suppress
from itertools import count
from typing import TYPE_CHECKING

import attrs
import pytest

from duenna.storage import (
    OsFs,
    StateWriteError,
)
from duenna_actors.stores import SqliteStore
from tests.runtime.storage.mounts import mounted, needs, remount
from tests.runtime.storage.programs.numbered import number_in

from .kit import A, B, C, entry, fill, held, put
from .lives import StoreLives
from .programs.lives import StoreOrder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = "a small disk for an SQLite store"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.db"


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def execute(path: Path, *statements: str) -> None:
    """Do to the file what another program does that knows nothing of its owner."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@attrs.frozen
class FailingFs(OsFs):
    """The real disk, until the n-th call that changes it fails, and all after that if it *is_dead* then."""

    fail_at: int
    is_dead: bool
    calls: count[int] = attrs.field(factory=lambda: count(1))

    def call(self) -> None:
        call = next(self.calls)
        if call == self.fail_at or (self.is_dead and call > self.fail_at):
            raise OSError(errno.EIO, "Input/output error")

    def create(self, path: str) -> int:
        self.call()
        return super().create(path)

    def write(self, file: int, data: bytes | memoryview) -> int:
        self.call()
        return super().write(file, data[:3000])

    def sync(self, file: int) -> None:
        self.call()
        super().sync(file)

    def replace(self, source: str, target: str) -> None:
        self.call()
        super().replace(source, target)

    def remove(self, path: str) -> None:
        self.call()
        super().remove(path)

    def sync_directory(self, directory: str) -> None:
        self.call()
        super().sync_directory(directory)


@pytest.mark.parametrize("is_dead", [True, False])
@pytest.mark.parametrize("damages", [True, False])
def test_a_file_is_written_anew_or_it_is_as_it_was(tmp_path: Path, is_dead: bool, damages: bool) -> None:
    """Whichever call fails: with the whole disk, the next life goes on; else the next commit does."""
    has_failed, number = True, 0
    while has_failed:
        number += 1
        path = tmp_path / str(number) / "state.db"
        path.parent.mkdir()
        before = {}
        if damages:
            fill(SqliteStore(path), put(A, 1), put(B, 1))
            execute(path, "DELETE FROM duenna_state WHERE key = 'part:guards'")
            before = {A: entry(1)}
        disk = FailingFs(number + 1, is_dead=is_dead)  # the first are to open
        store = SqliteStore(path, fs=disk)
        store.open()
        try:
            store.commit([put(C, 1)], 1.0)
            has_failed = False
        except StateWriteError:
            if not is_dead:
                store.commit([put(C, 1)], 1.0)
        store.close(2.0, is_clean=False)

        store = SqliteStore(path)
        entries = dict(store.open().entries)
        store.close(3.0, is_clean=False)
        assert entries in (before, before | {C: entry(1)})
        if not is_dead or not has_failed:
            assert entries == before | {C: entry(1)}
            assert [name for name in names(path) if "corrupt" in name] == ["state.db.corrupt"] * damages

    assert number > 10


# -- real ones -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lives() -> Iterator[StoreLives]:
    with StoreLives() as started:
        yield started


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 1 MiB."""
    needs(SMALL)
    with mounted(SMALL, tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        yield disk


def fill_up(disk: Path) -> Path:
    """Write a file that leaves no byte of *disk*."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


def commit_until_it_fails(store: SqliteStore) -> tuple[int, str]:
    """Return how many commits were acknowledged, and what the one after that failed of."""
    acknowledged = 0
    try:
        while True:
            acknowledged = store.commit([put(A, acknowledged + 1, "x" * 1000)], 1.0)
    except StateWriteError as error:
        return acknowledged, error.why


def test_a_disk_that_runs_full_loses_nothing(small_disk: Path) -> None:
    store = SqliteStore(small_disk / "state.db")
    store.open()

    acknowledged, why = commit_until_it_fails(store)

    assert why == "database or disk is full (SQLITE_FULL)"
    assert acknowledged > 10
    assert store.compact(2.0) is not None, "there is room for what the log repeats"
    assert store.commit([put(A, acknowledged + 1)], 1.0) == acknowledged + 1
    store.close(2.0, is_clean=True)
    assert held(SqliteStore(small_disk / "state.db")) == {A: entry(acknowledged + 1)}


@pytest.mark.parametrize("ends", ["in order", "killed", "never was", "never was, nor was the folder"])
@pytest.mark.parametrize("is_full", [True, False])
def test_it_starts_on_a_disk_that_takes_nothing(lives: StoreLives, small_disk: Path, ends: str, is_full: bool) -> None:
    """Full, or read-only: with what it holds; it saves again as soon as it can."""
    path = small_disk / ("state.db" if ends != "never was, nor was the folder" else "data/state.db")
    if not ends.startswith("never"):
        for line in lives.begin(StoreOrder(sqlite=str(path), commits=2 if ends == "in order" else 0)):
            if line == "TRY 3":
                lives.kill()
    others = fill_up(small_disk) if is_full else None
    if not is_full:
        remount(small_disk, "ro")

    store = SqliteStore(path)
    expected = dict(store.open().entries)
    assert number_in(expected) == 0 if ends.startswith("never") else number_in(expected) >= 2
    for _ in range(2):
        with pytest.raises(StateWriteError, match=r"^commit \d+ may not be in "):
            store.commit([put(C, 1)], 3.0)
    if others is None:
        remount(small_disk, "rw")
    else:
        others.unlink()
    store.commit([put(C, 1)], 3.0)
    store.close(3.0, is_clean=True)

    assert held(SqliteStore(path)) == expected | {C: entry(1)}
