"""The store in an SQLite file: who owns it, what damage does to it, and that the disk may fail."""

from __future__ import annotations

import math
import os
import re
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from duenna.storage import (
    Change,
    StateFormatError,
    StateLockedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna_actors.stores import SqliteStore

from .kit import A, B, entry, fill, held, put

if TYPE_CHECKING:
    from pathlib import Path


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


# -- who owns it -----------------------------------------------------------------------


def test_a_file_has_one_owner_and_the_other_is_told_which(path: Path) -> None:
    """By another spelling of its name as well."""
    owner = SqliteStore(path, wall=lambda: 1_764_000_000.0)
    owner.open()
    other = SqliteStore(path.parent / ".." / "data" / "state.db")

    with pytest.raises(
        StateLockedError,
        match=rf"^the state in {re.escape(other.name)} is in use by process {os.getpid()} on \S+, "
        r"since 2025-11-24 16:00:00 UTC: one at a time may write it$",
    ):
        other.open()
    with pytest.raises(StateLockedError, match=r" is in use by this very store, which is open: "):
        owner.open()
    owner.commit([put(A, 1)], 1.0)
    owner.close(2.0, is_clean=True)

    assert held(other) == {A: entry(1)}


def test_somebody_who_reads_the_file_does_not_free_it(path: Path) -> None:
    """SQLite's own locks are lost when the process that has them opens the file and closes it again."""
    owner = SqliteStore(path)
    owner.open()
    owner.commit([put(A, 1)], 1.0)
    path.read_bytes()
    path.with_name("state.db.lock").read_bytes()

    with pytest.raises(StateLockedError):
        SqliteStore(path).open()
    owner.close(2.0, is_clean=True)


def test_what_another_program_wrote_is_not_overwritten(path: Path) -> None:
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1)], 1.0)
    execute(path, "UPDATE duenna_state_meta SET seq = 41, token = 'fedcba9876'")

    for _ in range(2):
        with pytest.raises(
            StateWriteError,
            match=r"^commit 2 may not be in .*state\.db: it holds commit 41 of owner fedcba98, "
            r"and not commit 1 of owner [0-9a-f]{8}: somebody else wrote; nothing was changed$",
        ):
            store.commit([put(A, 2)], 2.0)
    with pytest.raises(StateWriteError, match=r"^the mark of an orderly end may not be in "):
        store.close(3.0, is_clean=True)


def test_a_program_that_writes_at_the_moment_is_waited_for_and_then_told(path: Path) -> None:
    store = SqliteStore(path, busy_timeout=0.01)
    store.open()
    store.commit([put(A, 1)], 1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateWriteError, match=r"^commit 2 may not be in .*: database is locked \(SQLITE_BUSY\)$"):
            store.commit([put(A, 2)], 2.0)
        other.execute("ROLLBACK")

    assert store.commit([put(A, 2)], 2.0) == 2
    store.close(3.0, is_clean=True)
    assert names(path) == ["state.db", "state.db.lock"]


def test_it_is_for_its_owner_alone(path: Path) -> None:
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1)], 1.0)
    store.commit([put(A, 2)], 1.0)

    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close(2.0, is_clean=True)


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_it_must_be_a_file(path: str) -> None:
    with pytest.raises(ValueError, match=rf"^SqliteStore: path must be that of a file, got '{path}'$"):
        SqliteStore(path)


# -- what opening does, and does not ---------------------------------------------------


def test_opening_writes_nothing_but_the_lock(path: Path) -> None:
    store = SqliteStore(path)
    assert not store.open().existed
    store.close(1.0, is_clean=True)
    assert names(path) == ["state.db.lock"]
    fill(SqliteStore(path), put(A, 1))
    before = path.read_bytes()

    assert held(SqliteStore(path)) == {A: entry(1)}

    assert path.read_bytes() == before
    assert names(path) == ["state.db", "state.db.lock"]


def test_a_later_format_is_refused_and_left_alone(path: Path) -> None:
    fill(SqliteStore(path), put(A, 1))
    execute(path, "ALTER TABLE duenna_state ADD COLUMN mood TEXT", "UPDATE duenna_state_meta SET format = 2")
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(
            StateFormatError, match=r"^state\.db in .*state\.db has format 2, this program reads formats up to 1: "
        ):
            SqliteStore(path).open()

    assert path.read_bytes() == before


def test_the_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    execute(path, "CREATE TABLE fills (id INTEGER)")
    before = path.read_bytes()

    with pytest.raises(
        StateUnreadableError,
        match=r"^state\.db in .*state\.db cannot be read: it is another program's, with the table 'fills' and none "
        r"named duenna_state_meta; nothing was changed, and nothing starts without it$",
    ):
        SqliteStore(path).open()

    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["state.db", "state.db.lock"])
def test_what_cannot_be_opened_is_not_taken_for_empty(path: Path, name: str) -> None:
    path.with_name(name).mkdir(parents=True)

    with pytest.raises(StateUnreadableError, match=r"; nothing was changed, and nothing starts without it$"):
        SqliteStore(path).open()


# -- trouble while it is open ----------------------------------------------------------


def test_a_file_that_is_removed_while_it_is_open_is_written_again(path: Path) -> None:
    """SQLite itself would go on writing into a file that nobody can find any more."""
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1), put(B, 1)], 1.0)
    store.commit([put(B, 2)], 1.0)
    for each in path.parent.iterdir():
        each.unlink()
    path.parent.rmdir()

    assert store.commit([put(A, 2)], 2.0) == 3

    store.close(3.0, is_clean=True)
    assert held(SqliteStore(path)) == {A: entry(2), B: entry(2)}


def test_a_file_that_is_replaced_while_it_is_open_is_left_alone(path: Path) -> None:
    fill(SqliteStore(path.with_name("other.db")), put(A, 7))
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1)], 1.0)
    store.commit([put(A, 2)], 1.0)
    path.with_name("other.db").replace(path)
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(
            StateWriteError,
            match=r"^commit 3 may not be in .*: it is not the file that was opened: it was removed or replaced$",
        ):
            store.commit([put(A, 2)], 2.0)
    store.close(3.0, is_clean=False)

    assert path.read_bytes() == before


def test_a_file_that_appears_where_there_was_none_is_left_alone(path: Path) -> None:
    store = SqliteStore(path)
    store.open()
    path.write_bytes(b"somebody's")

    for _ in range(2):
        with pytest.raises(
            StateWriteError,
            match=r"^commit 1 may not be in .*: there was no file, and now there is one that somebody else made; "
            r"it was left as it is$",
        ):
            store.commit([put(A, 1)], 1.0)
    store.close(3.0, is_clean=True)

    assert path.read_bytes() == b"somebody's"


def test_a_file_that_is_damaged_while_it_is_open_is_kept_and_written_again(path: Path) -> None:
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1), put(B, 1)], 1.0)
    store.commit([put(B, 2)], 1.0)
    execute(path, "DROP TABLE duenna_state")
    with pytest.raises(StateWriteError, match=r"^commit 3 may not be in .*: no such table: duenna_state \(SQLITE_"):
        store.commit([put(A, 2)], 2.0)

    assert store.commit([put(A, 2)], 2.0) == 3

    assert "state.db.corrupt" in names(path)
    store.close(3.0, is_clean=True)
    assert held(SqliteStore(path)) == {A: entry(2), B: entry(2)}


@pytest.mark.parametrize(
    "bad",
    [
        Change("actor:\ud800", entry(1)),
        Change(A, msgspec.structs.replace(entry(1), schema=2**63)),
        Change(A, msgspec.structs.replace(entry(1), schema=2**64)),
        Change(A, msgspec.structs.replace(entry(1), at=math.nan)),
    ],
)
def test_what_cannot_be_stored_is_said_and_changes_nothing(path: Path, bad: Change) -> None:
    store = SqliteStore(path)
    store.open()
    store.commit([put(A, 1)], 1.0)

    with pytest.raises(StateWriteError, match=r"^commit 2 may not be in "):
        store.commit([put(B, 1), bad], 2.0)

    assert store.commit([put(B, 2)], 3.0) == 2
    store.close(3.0, is_clean=True)
    assert held(SqliteStore(path)) == {A: entry(1), B: entry(2)}
    assert names(path) == ["state.db", "state.db.lock"]


def test_nothing_is_written_to_a_store_that_is_not_open(path: Path) -> None:
    store = SqliteStore(path)

    with pytest.raises(StateWriteError, match=r"^commit 1 may not be in .*state\.db: it is not open$"):
        store.commit([put(A, 1)], 1.0)

    assert not path.parent.exists()


def test_compacting_empties_the_log_and_a_reader_does_not_hold_it_up(path: Path) -> None:
    store = SqliteStore(path, busy_timeout=0.01)
    store.open()
    assert store.compact(1.0) is None
    store.commit([put(A, 1)], 1.0)
    while not store.wants_compacting:
        store.commit([put(B, 2, "x" * 100_000)], 1.0)
    log = path.with_name("state.db-wal")
    assert log.stat().st_size > max(1 << 20, path.stat().st_size)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM duenna_state").fetchall()
        assert store.compact(2.0) is None

    compacted = store.compact(3.0)

    assert compacted is not None
    assert (compacted.entries, compacted.size) == (2, path.stat().st_size)
    assert log.stat().st_size == 0
    assert not store.wants_compacting
    store.close(3.0, is_clean=True)
