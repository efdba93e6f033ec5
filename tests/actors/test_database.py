"""Database connections against real SQLite files and a real PostgreSQL server that is taken away."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, ChildExited, ErrorReported, Mailbox
from duenna.connection import ConnectionState
from duenna_actors.database import (
    DatabaseConnection,
    DatabaseStatus,
    Query,
    StatementError,
    Write,
)

from .shop import FOREVER, TABLES, OpenShop, Shop, open_shop
from .support import bot

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_shop"]


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
            "CREATE TABLE IF NOT EXISTS children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
        )
        await shop.start(tables=kin if shop.kind == "postgres" else ("PRAGMA foreign_keys = ON", *kin))
        for parent in (1, 2, 3):
            shop.db.tell(Write(f"INSERT INTO parents SELECT {parent}"))
            shop.db.tell(Write(f"INSERT INTO children SELECT {9 if parent == 2 else parent}"))
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
