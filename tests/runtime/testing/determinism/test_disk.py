"""The disk's faults, as SQLite shows them."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from sqlite3 import connect as copied_connect
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.faults import DatabaseLost, DatabaseSlow, DiskFull, Partition
from duenna.testing._disk import Disk
from duenna.testing._sqlite import is_synchronous, kind_of, path_of

from .support import Bare
from .test_threads import delays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TABLE = "CREATE TABLE t (a)"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def bare(disk: Disk) -> Bare:
    return Bare(disk=disk)


@pytest.fixture
def connection(tmp_path: Path, bare: Bare) -> Iterator[sqlite3.Connection]:
    """A connection that was opened in the world, in WAL mode and without transactions of Python's."""
    connection = bare.call(lambda: sqlite3.connect(tmp_path / "bot.db", isolation_level=None))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(TABLE)
    yield connection
    connection.close()


def error_of(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(sqlite3.OperationalError) as caught:
        call()
    return str(caught.value), caught.value.sqlite_errorcode, caught.value.sqlite_errorname


def test_a_target_is_a_glob_of_the_path_or_of_the_name(disk: Disk) -> None:
    disk.begin(DatabaseLost(), "bot.*")

    assert [disk.is_lost(path) for path in ("/x/bot.db", "bot.db", "/bot.x/other.db")] == [True, True, False]
    disk.begin(DiskFull(), "/data/*")
    assert [disk.is_full(path) for path in ("/data/a.db", "/other/a.db")] == [True, False]


def test_faults_overlap_and_end_one_by_one(disk: Disk) -> None:
    ends = [disk.begin(DatabaseSlow(delay=1.0), "*"), disk.begin(DatabaseSlow(delay=0.5), "a*")]

    assert disk.delay("a.db") == 1.5
    ends[0]()
    ends[0]()
    assert (disk.delay("a.db"), disk.delay("b.db")) == (0.5, 0.0)
    ends[1]()
    assert disk.delay("a.db") == 0.0


def test_another_fault_is_refused(disk: Disk) -> None:
    with pytest.raises(TypeError, match=r"^fault must be a DatabaseLost, DatabaseSlow or DiskFull, got Partition\("):
        disk.begin(Partition(), "*")  # type: ignore[arg-type]


def test_a_lost_database_cannot_be_opened(bare: Bare, disk: Disk, tmp_path: Path) -> None:
    end = disk.begin(DatabaseLost(), "*")
    cannot = ("unable to open database file", sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN")

    assert bare.call(error_of, lambda: sqlite3.connect(tmp_path / "bot.db")) == cannot
    assert bare.call(error_of, lambda: copied_connect(f"file:{tmp_path}/bot.db?mode=rwc", uri=True)) == cannot
    bare.call(lambda: sqlite3.connect(":memory:")).close()
    end()
    bare.call(lambda: sqlite3.connect(tmp_path / "bot.db")).close()


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda c: c.execute("SELECT * FROM t"), "SQLITE_IOERR_READ"),
        (lambda c: c.execute("BEGIN IMMEDIATE"), "SQLITE_IOERR_READ"),
        (lambda c: c.execute("INSERT INTO t VALUES (1)"), "SQLITE_IOERR_WRITE"),
        (lambda c: c.executemany("INSERT INTO t VALUES (?)", [(1,)]), "SQLITE_IOERR_WRITE"),
        (lambda c: c.executescript("DELETE FROM t; SELECT 1"), "SQLITE_IOERR_WRITE"),
        (lambda c: c.cursor().execute("SELECT 1"), "SQLITE_IOERR_READ"),
    ],
)
def test_a_lost_database_cannot_be_used(
    use: Callable[[sqlite3.Connection], Any], name: str, bare: Bare, disk: Disk, connection: sqlite3.Connection
) -> None:
    end = disk.begin(DatabaseLost(), "*.db")

    assert bare.call(error_of, lambda: use(connection)) == ("disk I/O error", getattr(sqlite3, name), name)
    end()
    bare.call(use, connection)
    connection.rollback()


@pytest.mark.parametrize("fetch", ["fetchone", "fetchmany", "fetchall", "__next__"])
def test_rows_cannot_be_read_from_a_database_that_was_lost_meanwhile(
    fetch: str, bare: Bare, disk: Disk, connection: sqlite3.Connection
) -> None:
    connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    cursor = connection.execute("SELECT a FROM t")
    disk.begin(DatabaseLost(), "*")

    assert bare.call(error_of, getattr(cursor, fetch))[2] == "SQLITE_IOERR_READ"
    cursor.close()


def test_losing_the_database_rolls_the_transaction_back(bare: Bare, disk: Disk, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (1)")
    end = disk.begin(DatabaseLost(), "*")

    assert bare.call(error_of, lambda: connection.execute("COMMIT"))[2] == "SQLITE_IOERR_WRITE"

    end()
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_rollback_and_a_close_always_work(bare: Bare, disk: Disk, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    disk.begin(DatabaseLost(), "*")

    bare.call(connection.execute, "ROLLBACK")
    bare.call(connection.close)


def test_on_a_full_disk_writes_fail_and_reads_work(bare: Bare, disk: Disk, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t VALUES (1)")
    end = disk.begin(DiskFull(), "*")
    full = ("database or disk is full", sqlite3.SQLITE_FULL, "SQLITE_FULL")

    for sql in ("INSERT INTO t VALUES (2)", "WITH x AS (SELECT 3) INSERT INTO t SELECT * FROM x", "DROP TABLE t"):
        assert bare.call(error_of, lambda sql=sql: connection.execute(sql)) == full
    assert bare.call(lambda: connection.execute("WITH x AS (SELECT 1) SELECT * FROM x").fetchall()) == [(1,)]
    bare.call(lambda: [connection.execute(sql) for sql in ("BEGIN", "COMMIT")])
    assert bare.call(lambda: connection.execute("SELECT a FROM t").fetchall()) == [(1,)]
    end()
    bare.call(connection.execute, "INSERT INTO t VALUES (2)")


def test_a_disk_that_is_full_at_the_commit_undoes_the_transaction(
    bare: Bare, disk: Disk, connection: sqlite3.Connection
) -> None:
    def fill() -> tuple[str, int, str]:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO t VALUES (1)")
        disk.begin(DiskFull(), "*")
        return error_of(lambda: connection.execute("COMMIT"))

    assert bare.call(fill)[2] == "SQLITE_FULL"
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_failed_statement_on_a_full_disk_leaves_the_transaction(
    bare: Bare, disk: Disk, connection: sqlite3.Connection
) -> None:
    connection.execute("BEGIN")
    disk.begin(DiskFull(), "*")

    bare.call(error_of, lambda: connection.execute("INSERT INTO t VALUES (1)"))

    assert connection.in_transaction
    connection.execute("ROLLBACK")


def test_transactions_of_python_fail_too(bare: Bare, disk: Disk, tmp_path: Path) -> None:
    """Those that ``with connection`` and ``commit()`` end."""
    path = tmp_path / "bot.db"

    def use() -> list[str]:
        connection = sqlite3.connect(path)
        connection.execute(TABLE)
        names = []
        with contextlib.closing(connection):
            connection.execute("INSERT INTO t VALUES (1)")
            end = disk.begin(DatabaseLost(), "*")
            names.append(error_of(connection.commit)[2])
            connection.commit()  # there is none any more
            end()
            end = disk.begin(DiskFull(), "*")
            names.append(error_of(lambda: connection.execute("INSERT INTO t VALUES (1)"))[2])
            connection.rollback()
            end()
            with connection:
                connection.execute("INSERT INTO t VALUES (2)")
            with contextlib.suppress(KeyError), connection:
                connection.execute("INSERT INTO t VALUES (3)")
                raise KeyError
            with contextlib.suppress(sqlite3.OperationalError), connection:
                connection.execute("INSERT INTO t VALUES (4)")
                disk.begin(DiskFull(), "*")
            names.append(str(connection.execute("SELECT a FROM t").fetchall()))
        return names

    assert bare.call(use) == ["SQLITE_IOERR_WRITE", "SQLITE_FULL", "[(2,)]"]


def test_a_slow_database_delays_the_result_of_the_thread(bare: Bare, disk: Disk, tmp_path: Path) -> None:
    """Once for every call of a thread that uses it, however many statements that runs."""
    path = tmp_path / "bot.db"

    async def main() -> list[float]:
        times = []
        connection = await trio.to_thread.run_sync(lambda: sqlite3.connect(path, isolation_level=None))
        times.append(trio.current_time())
        disk.begin(DatabaseSlow(delay=2.0), "bot.db")
        await trio.to_thread.run_sync(lambda: [connection.execute(sql) for sql in ("BEGIN", TABLE, "COMMIT")])
        times.append(trio.current_time())
        await trio.to_thread.run_sync(connection.close)
        times.append(trio.current_time())
        return times

    draws = delays()
    opened = next(draws)
    written = opened + next(draws) + 2.0
    assert bare.run(main) == [opened, written, written + next(draws)]


def test_an_interrupt_ends_the_wait_for_a_slow_database(bare: Bare, disk: Disk, connection: sqlite3.Connection) -> None:
    disk.begin(DatabaseSlow(delay=60.0), "*")

    async def main() -> tuple[list[Any], float]:
        rows: list[Any] = []

        async def query() -> None:
            rows.extend(await trio.to_thread.run_sync(lambda: connection.execute("SELECT 1").fetchall()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(query)
            await trio.sleep(1.0)
            await trio.to_thread.run_sync(connection.interrupt)
        return rows, trio.current_time()

    draws = delays()
    next(draws)
    assert bare.run(main) == ([(1,)], 1.0 + next(draws))


def test_a_lock_that_is_held_is_not_waited_for_in_real_time(bare: Bare, tmp_path: Path) -> None:
    path = tmp_path / "bot.db"

    def use() -> str:
        first = sqlite3.connect(path, isolation_level=None)
        second = sqlite3.connect(path, timeout=1000.0, isolation_level=None)
        first.execute("BEGIN IMMEDIATE")
        assert second.execute("PRAGMA busy_timeout").fetchone() == (0,)
        try:
            return error_of(lambda: second.execute("BEGIN IMMEDIATE"))[2]
        finally:
            first.close()
            second.close()

    assert bare.call(use) == "SQLITE_BUSY"


def test_faults_do_not_strike_outside_of_the_world(disk: Disk, connection: sqlite3.Connection) -> None:
    disk.begin(DatabaseLost(), "*")

    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_sqlites_own_clock_and_chance_are_the_worlds(bare: Bare) -> None:
    sql = "SELECT datetime('now'), datetime(), current_timestamp, current_date, strftime('%Y', 'NOW'), unixepoch()"
    rest = "SELECT date('now', '+1 day'), julianday('2026-01-01'), datetime('nonsense'), datetime(0, 'unixepoch')"
    chance = "SELECT random(), hex(randomblob(4)), length(randomblob(0)), hex(randomblob(3)) FROM (VALUES (1), (2))"

    def use() -> list[Any]:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE t (a, at DEFAULT CURRENT_TIMESTAMP)")
            connection.execute("INSERT INTO t (a) VALUES (1)")
            return [connection.execute(each).fetchall() for each in (sql, rest, "SELECT at FROM t", chance)]

    seen = bare.call(use)

    day, second = "2026-01-01", "2026-01-01 00:00:00"
    assert seen[0] == [(second, second, second, day, "2026", 1_767_225_600)]
    assert seen[1] == [("2026-01-02", 2461041.5, None, "1970-01-01 00:00:00")]
    assert seen[2] == [(second,)]
    assert bare.call(use)[3] == seen[3]
    assert seen[3][0] != seen[3][1]
    assert [row[2] for row in seen[3]] == [1, 1]


def test_a_connection_that_outlives_its_world_has_a_clock(connection: sqlite3.Connection) -> None:
    (seconds,) = connection.execute("SELECT unixepoch('now')").fetchone()
    assert abs(seconds - time.time()) < 60.0
    assert connection.execute("SELECT random() = random()").fetchone() == (0,)


def test_writes_do_not_wait_for_the_disk(bare: Bare, connection: sqlite3.Connection) -> None:
    """A bot asks for ``synchronous = FULL``, which costs real time, and nobody needs the file afterwards."""
    bare.call(connection.execute, "PRAGMA synchronous = FULL")

    assert connection.execute("PRAGMA synchronous").fetchone() == (0,)


def test_a_factory_of_ones_own_is_kept(bare: Bare, disk: Disk, tmp_path: Path) -> None:
    class Mine(sqlite3.Connection):
        def mine(self) -> str:
            return "mine"

    class MyCursor(sqlite3.Cursor):
        pass

    path = tmp_path / "bot.db"
    by_name = bare.call(lambda: sqlite3.connect(path, factory=Mine))
    by_place = bare.call(lambda: sqlite3.connect(path, 5.0, 0, None, True, Mine))
    cursor = by_name.cursor(MyCursor)
    disk.begin(DatabaseLost(), "*")

    assert by_name.mine() == by_place.mine() == "mine"
    assert isinstance(cursor, MyCursor)
    assert by_place.isolation_level is None
    assert bare.call(error_of, lambda: cursor.execute("SELECT 1"))[2] == "SQLITE_IOERR_READ"
    by_name.close()
    by_place.close()


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "SELECT"),
        ("  -- why\n /* and */ insert into t values (1)", "INSERT"),
        (";update t set a = 1", "UPDATE"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH"),
        ("with x as (select 1) delete from t", "DELETE"),
        ("", ""),
        ("-- nothing", ""),
    ],
)
def test_the_kind_of_a_statement_is_its_first_word(sql: str, kind: str) -> None:
    assert kind_of(sql) == kind


def test_a_pragma_is_recognised() -> None:
    asking = [
        "PRAGMA synchronous = FULL",
        "pragma main.synchronous(2)",
        "PRAGMA synchronous",
        "PRAGMA journal_mode=WAL",
    ]

    assert [is_synchronous(sql) for sql in asking] == [True, True, False, False]


def test_what_is_in_memory_has_no_path() -> None:
    named = [path_of(name, is_uri=True) for name in (":memory:", "", "file::memory:?mode=memory", "file:/a/b.db?x=1")]

    assert [*named, path_of(b"/a/c.db", is_uri=False)] == [None, None, None, "/a/b.db", "/a/c.db"]
