"""Queries: rows, errors, and how they are called off, in SQLite and in PostgreSQL."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import ActorDiedError, ChildExited
from duenna_actors.database import (
    DatabaseLostError,
    Query,
    QueryTimeoutError,
    StatementError,
)

from .shop import FOREVER, OpenShop, open_shop

__all__ = ["open_shop"]


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
