"""A store in an SQLite file that was damaged, cut, put back, or taken away: what is missing is said."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from duenna.storage import (
    Damage,
    Loss,
    StateFormatError,
    StateUnreadableError,
    StateWriteError,
)
from duenna_actors.stores import SqliteStore
from tests.runtime.storage.telling import tell

from .kit import A, B, C, entry, fill, put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from duenna.storage import Entry


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


def damages_of(path: Path) -> tuple[dict[str, object], tuple[Damage, ...]]:
    store = SqliteStore(path)
    loaded = store.open()
    store.close(0.0, is_clean=True)
    return dict(loaded.entries), loaded.damages


def test_a_malformed_row_is_reported_and_the_others_are_read(path: Path) -> None:
    fill(SqliteStore(path), put(A, 1), put(B, 1), put(C, 1))
    execute(path, "UPDATE duenna_state SET data = x'80' WHERE key = 'part:guards'")
    damage = Damage("state.db", f"1 row is malformed, such as '{B}'", Loss.ACKNOWLEDGED, "state.db.corrupt")

    assert damages_of(path) == ({A: entry(1), C: entry(1)}, (damage,))
    assert damages_of(path)[1] == (damage,), "an orderly end without a commit does not hide it"
    damaged = path.read_bytes()
    store = SqliteStore(path)
    assert not store.open().is_complete
    assert store.commit([put(B, 7)], 9.0) == 4

    assert path.with_name("state.db.corrupt").read_bytes() == damaged
    store.close(9.0, is_clean=True)
    assert damages_of(path) == ({A: entry(1), B: entry(7), C: entry(1)}, ())


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM duenna_state WHERE key = 'part:guards'", "holds 1 of 2 rows"),
        ("DELETE FROM duenna_state_meta", "duenna_state_meta has 0 rows instead of 1"),
        ("UPDATE duenna_state_meta SET rows = 1", "the row of duenna_state_meta is malformed: its checksum is wrong"),
        ("DROP TABLE duenna_state", "no such table: duenna_state"),
        ("INSERT INTO duenna_state VALUES (1, 2, 3, 4, 5, 6, 7, 8)", "1 row is malformed, such as '1'"),
        (
            "UPDATE duenna_state SET kind = CAST(x'ff' AS TEXT) WHERE key = 'part:guards'",
            "1 row is malformed, such as 'part:guards'",
        ),
    ],
)
def test_what_somebody_did_to_the_tables_is_noticed(path: Path, statement: str, what: str) -> None:
    fill(SqliteStore(path), put(A, 1), put(B, 1))
    execute(path, statement)

    assert [(damage.what, damage.loss) for damage in damages_of(path)[1]] == [(what, Loss.ACKNOWLEDGED)]


def test_a_row_from_an_earlier_commit_is_noticed(path: Path) -> None:
    """Its checksum is right; it is the whole that is not."""
    fill(SqliteStore(path), put(A, 1))
    execute(path, "CREATE TEMP TABLE old AS SELECT * FROM duenna_state")
    with closing(sqlite3.connect(path)) as connection:
        old = connection.execute("SELECT * FROM duenna_state").fetchone()
    fill(SqliteStore(path), put(A, 2))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("REPLACE INTO duenna_state VALUES (?, ?, ?, ?, ?, ?, ?, ?)", old)
        connection.commit()

    assert [damage.what for damage in damages_of(path)[1]] == ["holds a row that was not written last"]


def test_a_file_that_is_gone_or_put_back_from_a_backup_is_reported(path: Path) -> None:
    """The lock beside it knows what was acknowledged; removed, it lets the backup pass."""
    fill(SqliteStore(path), put(A, 1))
    backup = path.read_bytes()
    fill(SqliteStore(path), put(A, 2))
    path.write_bytes(backup)
    assert damages_of(path) == (
        {A: entry(1)},
        (Damage("state.db", "it ends with commit 1, and 2 were acknowledged", Loss.ACKNOWLEDGED, "state.db.corrupt"),),
    )
    path.unlink()
    gone = Damage("state.db", "it is gone, with 2 commits that were acknowledged", Loss.ACKNOWLEDGED)
    assert damages_of(path) == ({}, (gone,))
    fill(SqliteStore(path.with_name("other.db")), put(B, 1))
    path.write_bytes(path.with_name("other.db").read_bytes())
    assert [damage.what for damage in damages_of(path)[1]] == [
        "it is not the file that was here, of which 2 commits were acknowledged"
    ]

    path.with_name("state.db.lock").unlink()

    assert damages_of(path) == ({B: entry(1)}, ())


def test_a_lost_log_is_reported(path: Path) -> None:
    """A crash leaves the last commits in the write-ahead log; somebody copies the database without it."""
    store = SqliteStore(path)
    store.open()
    for version in (1, 2, 3):
        store.commit([put(A, version)], 1.0)
    copy = path.read_bytes()
    lock = path.with_name("state.db.lock").read_bytes()
    store.close(2.0, is_clean=True)
    path.write_bytes(copy)
    path.with_name("state.db.lock").write_bytes(lock)

    entries, (damage,) = damages_of(path)

    assert entries == {A: entry(1)}
    assert (damage.what, damage.loss) == ("it ends with commit 1, and 3 were acknowledged", Loss.ACKNOWLEDGED)


def test_damaged_files_are_all_kept(path: Path) -> None:
    for garbage in (b"not a database, but long enough to look like one" * 100, b""):
        fill(SqliteStore(path), put(A, 1))
        path.write_bytes(garbage)
        store = SqliteStore(path)
        assert not store.open().is_complete
        store.commit([put(A, 2)], 1.0)
        store.close(1.0, is_clean=True)

    assert names(path) == ["state.db", "state.db.2.corrupt", "state.db.corrupt", "state.db.lock"]
    assert path.with_name("state.db.2.corrupt").read_bytes() == b""


@pytest.mark.slow
def test_no_flipped_bit_and_no_cut_goes_unnoticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a database, and of a write-ahead log that a crash left, neither of which SQLite checks."""
    live = tmp_path / "live" / "state.db"
    store = SqliteStore(live)
    store.open()
    for version in range(1, 4):
        store.commit([put(A, version, "x" * 30), put(B, version)], 1.0)
    whole = {each.name: each.read_bytes() for each in live.parent.iterdir() if not each.name.endswith("-shm")}
    store.close(2.0, is_clean=False)
    place = tmp_path / "copy" / "state.db"
    place.parent.mkdir()
    expected = {A: entry(3, "x" * 30), B: entry(3)}
    seen = {True: 0, False: 0}
    for name in ("state.db", "state.db-wal"):
        for damaged in cuts_and_flips(whole[name]):
            for each in place.parent.iterdir():
                each.unlink()
            for other, data in (whole | {name: damaged}).items():
                place.with_name(other).write_bytes(data)
            is_whole = is_read_whole(place, expected)
            seen[is_whole] += 1
            if is_whole and seen[True] % 16 == 0:
                goes_on(place, expected)

    assert seen[True] > 100, "what does not matter"
    assert seen[False] > 500
    tell(capsys, f"flipped bits and cuts of an SQLite store: {sum(seen.values())}, {seen[False]} mattered, all noticed")


def cuts_and_flips(data: bytes) -> Iterator[bytes]:
    """Give *data* with a flipped bit in each byte that is not 0, and in some that are; and cut at as many places."""
    for place, byte in enumerate(data):
        if byte or place % 193 == 0:
            yield data[:place] + bytes([byte ^ 1 << place % 8]) + data[place + 1 :]
        if place % 127 == 0 or place % 512 == 0:
            yield data[:place]


def goes_on(path: Path, expected: dict[str, Entry]) -> None:
    """Make two commits to what was read whole; the first may fail if the file does not let itself be written to."""
    store = SqliteStore(path)
    store.open()
    with suppress(StateWriteError):
        store.commit([put(C, 1)], 9.0)
    store.commit([put(C, 2)], 9.0)
    store.close(9.0, is_clean=True)
    assert is_read_whole(path, expected | {C: entry(2)})


def is_read_whole(path: Path, expected: dict[str, Entry]) -> bool:
    """Return whether the state was read whole; an `AssertionError` if it was not and nothing said so."""
    store = SqliteStore(path)
    try:
        loaded = store.open()
    except (StateFormatError, StateUnreadableError):
        return False
    store.close(0.0, is_clean=False)
    is_whole = dict(loaded.entries) == expected
    assert is_whole or not loaded.is_complete, loaded
    return is_whole
