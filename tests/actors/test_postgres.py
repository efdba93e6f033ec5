"""PostgreSQL: what only a server can do to a connection."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from duenna_actors._driver import Written
from duenna_actors._postgres import PostgresDriver
from duenna_actors.database_messages import DatabaseLostError, Write

if TYPE_CHECKING:
    from collections.abc import Iterator


from .kit import Kit, stored


class Server:
    """An operator's own connection to the PostgreSQL server under test."""

    def __init__(self, dsn: str) -> None:
        psycopg = importlib.import_module("psycopg")
        self.connection: Any = psycopg.connect(dsn, autocommit=True)

    def kill_others(self) -> int:
        return len(
            self.connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        )


@pytest.fixture
def server(postgres_dsn: str) -> Iterator[Server]:
    server = Server(postgres_dsn)
    yield server
    server.connection.close()


def test_a_backend_that_was_killed_is_a_lost_connection(postgres_dsn: str, server: Server) -> None:
    kit = Kit("postgres", postgres_dsn)
    driver = kit.driver()
    token = driver.new_token()
    driver.write(token, kit.fills(1), is_final=False)
    assert server.kill_others() == 1

    with pytest.raises(DatabaseLostError):
        driver.write(token, kit.fills(2), is_final=False)
    driver.close()
    driver.open()

    assert driver.write(token, kit.fills(1, 2), is_final=False) == Written(2)
    assert stored(driver) == [1, 2]
    driver.close()


def test_a_transaction_that_the_server_still_holds_is_waited_for(postgres_dsn: str, server: Server) -> None:
    """We lost the connection during a commit; the server has not noticed yet. Written twice otherwise."""
    kit = Kit("postgres", postgres_dsn)
    driver = kit.driver()
    token = driver.new_token()
    driver.write(token, kit.fills(1), is_final=False)
    pending: Any = importlib.import_module("psycopg").connect(postgres_dsn)
    pending.execute("SELECT number FROM duenna_writes WHERE token = %s FOR UPDATE", (token,))
    pending.execute("INSERT INTO fills VALUES (2, 1.0)")
    pending.execute("UPDATE duenna_writes SET number = 2 WHERE token = %s", (token,))
    results: list[Written] = []
    thread = threading.Thread(target=lambda: results.append(driver.write(token, kit.fills(2, 3), is_final=False)))
    thread.start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not server.connection.execute(waiting).fetchall():
        assert thread.is_alive()

    pending.commit()
    thread.join()
    pending.close()

    assert results == [Written(3)]
    assert stored(driver) == [1, 2, 3]
    driver.close()


def test_a_deadlock_is_tried_again(postgres_dsn: str, server: Server) -> None:
    """Whoever the server picks as the victim: our batch ends up written once."""
    kit = Kit("postgres", postgres_dsn)
    driver = kit.driver()
    token = driver.new_token()
    driver.write(token, kit.fills(1, 2), is_final=False)
    other: Any = importlib.import_module("psycopg").connect(postgres_dsn)
    other.execute("SET deadlock_timeout = '10s'")  # so that we are the victim
    other.execute("UPDATE fills SET size = 5 WHERE id = 2")
    batch = [
        (3, Write("UPDATE fills SET size = 6 WHERE id = 1")),
        (4, Write("UPDATE fills SET size = size + 1 WHERE id = 2")),
    ]
    results: list[Written] = []
    thread = threading.Thread(target=lambda: results.append(driver.write(token, batch, is_final=False)))
    thread.start()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not server.connection.execute(waiting).fetchall():
        assert thread.is_alive()

    other.execute("UPDATE fills SET size = 5 WHERE id = 1")
    other.commit()
    thread.join()
    other.close()

    assert results == [Written(4)]
    assert driver.query("SELECT size FROM fills ORDER BY id", (), 10).rows == [(6.0,), (6.0,)]
    driver.close()


def test_a_hang_up_ends_a_query_that_cannot_be_called_off(postgres_dsn: str) -> None:
    driver = Kit("postgres", postgres_dsn).driver()
    errors: list[Exception] = []

    def work() -> None:
        try:
            driver.query("SELECT pg_sleep(60)", (), 10)
        except DatabaseLostError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        driver.kill()
        thread.join(0.01)

    assert len(errors) == 1
    driver.close()


def test_a_server_that_is_not_there_cannot_be_connected_to() -> None:
    driver = PostgresDriver("postgresql://nobody@127.0.0.1:1/none")

    with pytest.raises(DatabaseLostError, match=r"^cannot connect: "):
        driver.open()
