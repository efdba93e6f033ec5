"""A bot with a database, and an operator's own way to the same database."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from duenna import ActorDiedError
from duenna_actors.database import (
    DatabaseConnection,
    DatabaseStatus,
    GetDatabaseStatus,
    Query,
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
"""Opens a `Shop`; use it with ``async with``."""


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
