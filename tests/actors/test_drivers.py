"""The contract of database drivers, against each of them: SQLite in a file and in memory, PostgreSQL."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from duenna_actors._driver import Driver, Written
from duenna_actors._extras import MissingExtraError, need
from duenna_actors._sqlite import SqliteDriver
from duenna_actors.database_messages import DatabaseLostError, StatementError, TableGoneError, Write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


from .kit import KINDS, TABLES, Kit, stored


@pytest.fixture(params=KINDS)
def kit(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kit]:
    address = {"file": str(tmp_path / "bot.db"), "memory": ":memory:"}.get(request.param)
    kit = Kit(request.param, address or request.getfixturevalue("postgres_dsn"))
    yield kit
    for driver in kit.drivers:
        driver.close()


@pytest.fixture
def driver(kit: Kit) -> Driver:
    return kit.driver()


def test_a_batch_is_written_in_order(kit: Kit, driver: Driver) -> None:
    token = driver.new_token()

    assert driver.write(token, kit.fills(1, 2, 3), is_final=False) == Written(3)
    assert stored(driver) == [1, 2, 3]


def test_a_batch_that_comes_again_is_written_once(kit: Kit, driver: Driver) -> None:
    """The answer to the commit was lost: the numbers in the database tell what it did."""
    token = driver.new_token()
    driver.write(token, kit.fills(1, 2), is_final=False)

    assert driver.write(token, kit.fills(1, 2, 3), is_final=False) == Written(3)
    assert stored(driver) == [1, 2, 3]


def test_two_buffers_do_not_know_each_other(kit: Kit, driver: Driver) -> None:
    one, other = driver.new_token(), driver.new_token()
    assert one != other

    driver.write(one, [(1, kit.fill(10))], is_final=False)
    driver.write(other, [(1, kit.fill(20))], is_final=False)

    assert stored(driver) == [10, 20]


def test_a_refused_write_is_named_and_what_was_before_it_stays(kit: Kit, driver: Driver) -> None:
    token = driver.new_token()
    batch = [*kit.fills(1, 2), (3, kit.fill(2)), *kit.fills(4)]

    written = driver.write(token, batch, is_final=False)

    assert written.up_to == 2
    assert written.rejected is not None
    number, error = written.rejected
    assert number == 3
    assert not isinstance(error, TableGoneError)
    assert "INSERT INTO fills" in str(error)
    assert stored(driver) == [1, 2]


def test_the_first_write_may_be_the_refused_one(kit: Kit, driver: Driver) -> None:
    token = driver.new_token()

    written = driver.write(token, [(1, kit.fill(1, None)), (2, kit.fill(2))], is_final=False)

    assert written.up_to == 0
    assert written.rejected is not None
    assert written.rejected[0] == 1
    assert driver.write(token, kit.fills(2), is_final=False) == Written(2)


@pytest.mark.parametrize("parameters", [(1, object()), (1,), (1, 2.0, 3), {"id": 1}])
def test_values_that_do_not_fit_are_the_writes_fault(kit: Kit, driver: Driver, parameters: Any) -> None:
    bad = Write(kit.fill(1).sql, parameters)

    written = driver.write(driver.new_token(), [(1, bad)], is_final=False)

    assert written.rejected is not None
    driver.ping()


def test_a_number_that_is_too_big_is_the_writes_fault(kit: Kit, driver: Driver) -> None:
    written = driver.write(driver.new_token(), [(1, kit.fill(2**80))], is_final=False)

    assert written.rejected is not None


def test_a_missing_table_is_told_apart_and_nothing_was_done(kit: Kit, driver: Driver) -> None:
    token = driver.new_token()
    driver.write(token, kit.fills(1), is_final=False)
    drop = Write("DROP TABLE fills")
    driver.write(token, [(2, drop)], is_final=False)

    with pytest.raises(TableGoneError):
        driver.write(token, kit.fills(3), is_final=False)
    driver.prepare(TABLES)

    assert driver.write(token, kit.fills(3), is_final=False) == Written(3)
    assert stored(driver) == [3]


def test_our_own_table_may_be_gone_too(kit: Kit, driver: Driver) -> None:
    token = driver.new_token()
    driver.write(token, kit.fills(1), is_final=False)
    driver.write(token, [(2, Write("DROP TABLE fills")), (3, Write("DELETE FROM duenna_writes"))], is_final=False)
    other = kit.driver() if kit.kind != "memory" else driver
    other.prepare(TABLES)

    assert driver.write(token, kit.fills(4), is_final=False) == Written(4)
    assert stored(driver) == [4]


def test_a_table_that_nobody_makes_is_the_writes_fault_in_the_end(driver: Driver) -> None:
    batch = [(1, Write("INSERT INTO nowhere VALUES (1)"))]
    with pytest.raises(TableGoneError):
        driver.write(driver.new_token(), batch, is_final=False)

    written = driver.write(driver.new_token(), batch, is_final=True)

    assert written.rejected is not None
    assert isinstance(written.rejected[1], TableGoneError)


def test_a_query_gives_columns_and_rows(kit: Kit, driver: Driver) -> None:
    driver.write(driver.new_token(), kit.fills(1, 2, 3), is_final=False)

    found = driver.query("SELECT id, size FROM fills ORDER BY id", (), 2)

    assert found.columns == ("id", "size")
    assert found.rows == [(1, 1.0), (2, 1.0)]
    assert found.is_cut


def test_a_query_takes_values(kit: Kit, driver: Driver) -> None:
    driver.write(driver.new_token(), kit.fills(1, 2), is_final=False)
    mark = "%s" if kit.kind == "postgres" else "?"

    found = driver.query(f"SELECT id FROM fills WHERE id > {mark}", (1,), 10)  # noqa: S608 - a mark is no value

    assert (found.rows, found.is_cut) == ([(2,)], False)


def test_a_query_changes_nothing(kit: Kit, driver: Driver) -> None:
    driver.write(driver.new_token(), kit.fills(1), is_final=False)

    driver.query("DELETE FROM fills", (), 10)

    assert stored(driver) == [1]


def test_a_query_that_is_refused_leaves_the_connection_usable(driver: Driver) -> None:
    with pytest.raises(StatementError, match="SELEC"):
        driver.query("SELEC 1", (), 10)
    with pytest.raises(TableGoneError):
        driver.query("SELECT * FROM nowhere", (), 10)

    driver.ping()


def test_a_closed_driver_says_so(driver: Driver) -> None:
    driver.close()
    driver.close()
    driver.cancel()
    driver.kill()

    with pytest.raises(DatabaseLostError):
        driver.ping()
    with pytest.raises(DatabaseLostError):
        driver.query("SELECT 1", (), 1)


def test_it_can_be_opened_again(kit: Kit, driver: Driver) -> None:
    driver.close()

    driver.open()

    driver.ping()


def test_a_running_query_can_be_called_off(kit: Kit, driver: Driver) -> None:
    """From another thread: the one that waits gets an error at once, and the connection can be used again."""
    slow = (
        "SELECT pg_sleep(60)"
        if kit.kind == "postgres"
        else "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    errors: list[Exception] = []

    def work() -> None:
        try:
            driver.query(slow, (), 10)
        except (StatementError, DatabaseLostError) as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():  # the query may not have begun at the first try
        driver.cancel()
        thread.join(0.01)

    assert len(errors) == 1
    driver.ping()


# -- what only one of them can suffer --------------------------------------------------


def test_a_file_that_was_removed_is_lost_and_not_written_into(tmp_path: Path) -> None:
    """SQLite itself would go on writing into a file that nobody can find any more."""
    kit = Kit("file", str(tmp_path / "bot.db"))
    driver = kit.driver()
    token = driver.new_token()
    driver.write(token, kit.fills(1), is_final=False)
    for part in tmp_path.iterdir():
        part.unlink()

    with pytest.raises(DatabaseLostError, match=r"was removed or replaced$"):
        driver.ping()
    with pytest.raises(DatabaseLostError, match=r"was removed or replaced$"):
        driver.write(token, kit.fills(2), is_final=False)
    driver.close()
    driver.open()
    driver.prepare(TABLES)
    assert driver.write(token, kit.fills(2), is_final=False) == Written(2)
    assert stored(driver) == [2]
    driver.close()


@pytest.mark.parametrize("content", [b"not a database, but long enough to look like one" * 100, None])
def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bot.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    driver = SqliteDriver(path)

    with pytest.raises(DatabaseLostError, match=r"^cannot open "):
        driver.open()
    driver.close()


def test_a_file_that_somebody_else_writes_is_busy_not_broken(tmp_path: Path) -> None:
    kit = Kit("file", str(tmp_path / "bot.db"))
    other = kit.driver()
    driver = SqliteDriver(kit.address, busy_timeout=0.0)
    driver.open()
    other._execute("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    with pytest.raises(DatabaseLostError, match="locked"):
        driver.write("token", kit.fills(1), is_final=False)
    other._execute("ROLLBACK")  # type: ignore[attr-defined]

    assert driver.write("token", kit.fills(1), is_final=False) == Written(1)
    driver.close()
    other.close()


def test_a_missing_extra_is_named() -> None:
    with pytest.raises(
        MissingExtraError, match=r'^SomeActor needs an extra that is not installed: pip install "duenna\[some\]"$'
    ):
        need("no_such_library_anywhere", what="SomeActor", extra="some")
