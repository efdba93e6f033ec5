"""Database connections against real SQLite files and a real PostgreSQL server that is taken away."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import ActorDiedError, Backoff, ChildExited, ErrorReported, Mailbox
from duenna.connection import ConnectionState
from duenna_actors.database import (
    DatabaseConnection,
    DatabaseLostError,
    DatabaseStatus,
    GetDatabaseStatus,
    Query,
    QueryTimeoutError,
    StatementError,
    Write,
    WriteBufferFullError,
)

from .support import Bot, bot

TABLES = ("CREATE TABLE IF NOT EXISTS fills (id INTEGER PRIMARY KEY, size REAL)",)
FOREVER = 60.0


class Shop:
    """A bot with a database, and an operator's own way to the same database."""

    def __init__(self, kind: str, address: str, running: Bot) -> None:
        self.kind = kind
        self.address = address
        self.bot = running
        self.seen = running.seen
        self._server: Any = None

    @property
    def db(self) -> Any:
        return self.bot.ref("db")

    async def start(self, *, child: dict[str, Any] | None = None, **options: Any) -> None:
        def make() -> DatabaseConnection:
            return DatabaseConnection(self.address, **({"tables": TABLES} | options))

        await self.bot.start("db", make, **(child or {}))

    async def up(self) -> None:
        await self.seen.becomes("operational")

    def write(self, number: int, size: float | None = 1.0) -> Write:
        mark = "%s" if self.kind == "postgres" else "?"
        return Write(f"INSERT INTO fills VALUES ({mark}, {mark})", (number, size))  # noqa: S608 - a mark is no value

    async def ids(self) -> list[int]:
        """Return what is in the table, by the actor itself, once all that waits is written."""
        while (await self.status()).waiting:
            await trio.lowlevel.checkpoint()
        return [row[0] for row in (await self.db.ask(Query(sql="SELECT id FROM fills ORDER BY id"))).rows]

    async def status(self) -> DatabaseStatus:
        status = await self.db.ask(GetDatabaseStatus(), timeout=FOREVER)
        assert isinstance(status, DatabaseStatus)
        return status

    async def refusal(self, write: Write) -> WriteBufferFullError:
        """Ask for *write* until it is answered between two crashes; it is refused."""
        while True:
            try:
                await self.db.ask(write, timeout=FOREVER)
            except WriteBufferFullError as error:
                return error
            except ActorDiedError:
                continue

    @property
    def server(self) -> Any:
        """An operator's connection."""
        if self._server is None:
            if self.kind == "postgres":
                self._server = importlib.import_module("psycopg").connect(self.address, autocommit=True)
            else:
                self._server = sqlite3.connect(self.address, isolation_level=None)
        return self._server

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def kill(self) -> None:
        """Cut the actor off: end its backend, or take its file away."""
        if self.kind == "postgres":
            self.server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            for suffix in ("", "-wal", "-shm"):
                Path(self.address + suffix).unlink(missing_ok=True)


OpenShop = Callable[[], Any]


@pytest.fixture(params=["sqlite", "postgres"])
def open_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenShop]:
    kind = request.param
    address = str(tmp_path / "bot.db") if kind == "sqlite" else request.getfixturevalue("postgres_dsn")
    shops: list[Shop] = []

    @asynccontextmanager
    async def make() -> AsyncIterator[Shop]:
        async with bot() as running:
            shops.append(Shop(kind, address, running))
            yield shops[-1]

    yield make
    for shop in shops:
        shop.close()


# -- writes ----------------------------------------------------------------------------


async def test_a_write_that_is_asked_is_answered_when_it_is_committed(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()

        await shop.db.ask(shop.write(1), timeout=FOREVER)

        assert shop.server.execute("SELECT id FROM fills").fetchall() == [(1,)]


async def test_told_writes_keep_their_order(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start(tables=("CREATE TABLE IF NOT EXISTS log (at INTEGER)",), batch=7)
        for number in range(200):
            shop.db.tell(Write(f"INSERT INTO log SELECT {number}"))
        await shop.db.ask(Write("INSERT INTO log SELECT 200"), timeout=FOREVER)

        found = await shop.db.ask(Query(sql="SELECT at FROM log"))

        assert [row[0] for row in found.rows] == list(range(201))


async def test_writes_made_while_it_is_down_wait_and_are_written_once(open_shop: OpenShop) -> None:
    """Through crash after crash, with the connection cut under the writer again and again."""
    async with open_shop() as shop:
        await shop.start(batch=3)
        await shop.up()
        for round_ in range(5):
            for number in range(20):
                shop.db.tell(shop.write(round_ * 20 + number))
            if shop.kind == "postgres":
                shop.kill()
        assert await shop.ids() == list(range(100))

        status = await shop.status()

        assert (status.accepted, status.written, status.waiting) == (100, 100, 0)


async def test_writes_accepted_before_the_first_connect_are_not_lost(tmp_path: Path) -> None:
    """The directory is not there yet, the actor crashes each time, the buffer stays."""
    home = tmp_path / "later"
    async with bot() as running:
        shop = Shop("sqlite", str(home / "bot.db"), running)
        await shop.start(child={"backoff": Backoff.steps(0.02)})
        for number in range(10):
            shop.db.tell(shop.write(number))
            await shop.seen.next(ChildExited)
        home.mkdir()
        await shop.up()

        assert await shop.ids() == list(range(10))


async def test_a_full_buffer_refuses_and_says_so(tmp_path: Path) -> None:
    async with bot() as running:
        shop = Shop("sqlite", str(tmp_path / "nowhere" / "bot.db"), running)
        await shop.start(capacity=2, child={"backoff": Backoff.steps(0.02), "mailbox": Mailbox(100)})
        for number in range(5):
            shop.db.tell(shop.write(number))
        reported = await shop.seen.next(ErrorReported, lambda event: "WriteBufferFull" in event.error)
        assert reported.details == {"refused": "1"}
        answer = await shop.refusal(shop.write(9))
        assert answer.capacity == 2

        (tmp_path / "nowhere").mkdir()
        await shop.up()
        assert await shop.ids() == [0, 1]
        status = await shop.status()
        assert (status.accepted, status.written, status.dropped) == (2, 2, 0)
        assert status.refused >= 4


async def test_a_full_buffer_may_give_up_the_oldest_instead(tmp_path: Path) -> None:
    async with bot() as running:
        shop = Shop("sqlite", str(tmp_path / "nowhere" / "bot.db"), running)
        await shop.start(capacity=2, overflow="drop_oldest", child={"backoff": Backoff.steps(0.02)})
        for number in range(5):
            shop.db.tell(shop.write(number))
        while (await shop.status()).accepted < 5:
            await trio.lowlevel.checkpoint()
        (tmp_path / "nowhere").mkdir()
        await shop.up()

        assert await shop.ids() == [3, 4]
        assert (await shop.status()).dropped == 3


async def test_a_write_that_is_refused_for_good_does_not_hold_up_the_others(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        shop.db.tell(shop.write(1))
        shop.db.tell(Write("INSERT INTO fills VALUES (no, such, columns)"))
        with pytest.raises(StatementError):
            await shop.db.ask(shop.write(1), timeout=FOREVER)
        shop.db.tell(shop.write(2))

        assert await shop.ids() == [1, 2]
        status = await shop.status()
        assert (status.accepted, status.written, status.rejected) == (4, 2, 2)
        assert len([event for event in shop.seen.of(ErrorReported) if "write" in event.details]) == 2
        assert shop.seen.of(ChildExited) == []


async def test_a_write_that_only_its_commit_refuses_is_found(open_shop: OpenShop) -> None:
    """A deferred constraint does not say which write broke it: they are tried one by one."""
    async with open_shop() as shop:
        kin = (
            "CREATE TABLE IF NOT EXISTS parents (id INTEGER PRIMARY KEY)",
            "CREATE TABLE IF NOT EXISTS children"
            " (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
        )
        await shop.start(tables=kin if shop.kind == "postgres" else ("PRAGMA foreign_keys = ON", *kin))
        for parent in (1, 2, 3):
            shop.db.tell(Write(f"INSERT INTO parents VALUES ({parent})"))
            shop.db.tell(Write(f"INSERT INTO children VALUES ({9 if parent == 2 else parent})"))
        await shop.db.ask(Write("INSERT INTO parents VALUES (4)"), timeout=FOREVER)

        found = await shop.db.ask(Query(sql="SELECT parent FROM children ORDER BY parent"))

        assert found.rows == [(1,), (3,)]
        status = await shop.status()
        assert (status.written, status.rejected) == (6, 1)
        assert shop.seen.of(ChildExited) == []


async def test_tables_that_are_gone_are_made_again(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.db.ask(shop.write(1), timeout=FOREVER)
        shop.server.execute("DROP TABLE fills")
        shop.server.execute("DROP TABLE duenna_writes")

        await shop.db.ask(shop.write(2), timeout=FOREVER)

        assert await shop.ids() == [2]
        assert shop.seen.of(ChildExited) == []


async def test_a_query_makes_tables_that_are_gone(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.up()
        shop.server.execute("DROP TABLE fills")

        assert await shop.ids() == []


async def test_what_waits_is_written_before_an_orderly_stop(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.up()
        for number in range(50):
            shop.db.tell(shop.write(number))
        while (await shop.status()).accepted < 50:
            await trio.lowlevel.checkpoint()
        await shop.bot.runtime.stop_child("/bot/db")

        assert shop.server.execute("SELECT count(*) FROM fills").fetchall() == [(50,)]


async def test_what_could_not_be_written_before_a_stop_is_reported(tmp_path: Path) -> None:
    async with bot() as running:
        shop = Shop("sqlite", str(tmp_path / "bot.db"), running)
        await shop.start()
        await shop.up()
        other = sqlite3.connect(shop.address, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        shop.db.tell(shop.write(1))
        while (await shop.status()).accepted < 1:
            await trio.lowlevel.checkpoint()

        await running.runtime.stop_child("/bot/db")

        other.close()
        assert "1 accepted writes are not in the database" in shop.seen.of(ErrorReported)[-1].error


# -- loss ------------------------------------------------------------------------------


async def test_a_connection_that_was_cut_is_noticed_by_the_next_use(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.db.ask(shop.write(1), timeout=FOREVER)
        shop.kill()
        shop.db.tell(shop.write(2))

        change = await shop.seen.becomes("cooldown")
        await shop.up()

        assert "DatabaseLostError" in change.why
        assert (await shop.ids())[-1] == 2


async def test_or_by_the_next_check(open_shop: OpenShop) -> None:
    class Nervous(DatabaseConnection):
        check_every = 0.02

    async with open_shop() as shop:
        await shop.bot.start("db", lambda: Nervous(shop.address, tables=TABLES))
        await shop.up()
        shop.kill()

        await shop.seen.becomes("cooldown")
        await shop.up()


async def test_a_database_that_is_not_there_is_tried_again(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        good = shop.address
        shop.address = "/no/such/dir/bot.db" if shop.kind == "sqlite" else "postgresql://nobody@127.0.0.1:1/x"
        await shop.start(child={"backoff": Backoff.steps(0.02)})
        change = await shop.seen.becomes("cooldown")
        assert "cannot " in change.why

        shop.address = good
        await shop.up()


# -- queries ---------------------------------------------------------------------------


class Fill(msgspec.Struct):
    id: int
    size: float


async def test_rows_become_structs(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.db.ask(shop.write(1, 2.5), timeout=FOREVER)

        found = await shop.db.ask(Query(sql="SELECT id, size FROM fills"))

        assert found.to(Fill) == [Fill(1, 2.5)]


async def test_a_query_waits_for_the_connection_as_long_as_it_may(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()

        assert (await shop.db.ask(Query(sql="SELECT 1"), timeout=FOREVER)).rows == [(1,)]


async def test_a_bad_query_is_its_askers_business(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        with pytest.raises(StatementError, match="SELEC 1"):
            await shop.db.ask(Query(sql="SELEC 1"), timeout=FOREVER)

        assert shop.seen.of(ChildExited) == []


def slow_query(kind: str) -> str:
    if kind == "postgres":
        return "SELECT pg_sleep(60)"
    return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def test_a_query_that_takes_too_long_is_called_off(open_shop: OpenShop) -> None:
    """In the database too: the next one finds it free."""
    async with open_shop() as shop:
        await shop.start()
        await shop.up()

        with pytest.raises(QueryTimeoutError, match=r"^query called off after 0.1 s$"):
            await shop.db.ask(Query(sql=slow_query(shop.kind), timeout=0.1), timeout=FOREVER)

        assert (await shop.db.ask(Query(sql="SELECT 1"), timeout=FOREVER)).rows == [(1,)]
        assert shop.seen.of(ChildExited) == []


async def test_a_running_query_is_called_off_when_its_actor_is(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.up()
        running = (
            "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
            " AND datname = current_database()"
        )

        async def ask() -> None:
            with pytest.raises((ActorDiedError, DatabaseLostError)):
                await shop.db.ask(Query(sql=slow_query(shop.kind), timeout=FOREVER), timeout=FOREVER)

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                await wait_all_tasks_blocked(0.01)
                while shop.kind == "postgres" and not shop.server.execute(running).fetchall():
                    await trio.lowlevel.checkpoint()
                await shop.bot.runtime.stop_child("/bot/db")
            while shop.kind == "postgres" and shop.server.execute(running).fetchall():
                await trio.lowlevel.checkpoint()


async def test_suspended_it_disconnects_and_resumed_it_goes_on(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.db.ask(shop.write(1), timeout=FOREVER)
        await shop.bot.runtime.suspend("/bot/db")
        await shop.seen.becomes("closed")
        shop.db.tell(shop.write(2))
        await shop.bot.runtime.resume("/bot/db")
        await shop.up()

        assert await shop.ids() == [1, 2]


async def test_the_status_tells(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await shop.start()
        await shop.db.ask(shop.write(1), timeout=FOREVER)

        assert await shop.status() == DatabaseStatus(
            state=ConnectionState.OPERATIONAL, waiting=0, accepted=1, written=1, rejected=0, refused=0, dropped=0
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, r"^batch must be >= 1, got 0$"),
        ({"capacity": 0}, "must be >= 1"),
        ({"overflow": "panic"}, "'panic' is not a valid Overflow"),
    ],
)
def test_wrong_use_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DatabaseConnection("bot.db", **options)
