"""A kind of database and its dialect, for the tests of drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna_actors._postgres import PostgresDriver
from duenna_actors._sqlite import SqliteDriver
from duenna_actors.database_messages import Write

if TYPE_CHECKING:
    from duenna_actors._driver import Driver

TABLES = ("CREATE TABLE IF NOT EXISTS fills (id INTEGER PRIMARY KEY, size REAL NOT NULL)",)
KINDS = ["file", "memory", "postgres"]


class Kit:
    """A kind of database, and its dialect."""

    def __init__(self, kind: str, address: str) -> None:
        self.kind = kind
        self.address = address
        self.drivers: list[Driver] = []

    def driver(self) -> Driver:
        """Connect once more to the same database."""
        driver: Driver = PostgresDriver(self.address) if self.kind == "postgres" else SqliteDriver(self.address)
        driver.open()
        driver.prepare(TABLES)
        self.drivers.append(driver)
        return driver

    def fill(self, number: int, size: float | None = 1.0) -> Write:
        mark = "%s" if self.kind == "postgres" else "?"
        return Write(f"INSERT INTO fills VALUES ({mark}, {mark})", (number, size))  # noqa: S608 - a mark is no value

    def fills(self, *numbers: int) -> list[tuple[int, Write]]:
        return [(number, self.fill(number)) for number in numbers]


def stored(driver: Driver) -> list[int]:
    """Return what is in the table."""
    return [row[0] for row in driver.query("SELECT id FROM fills ORDER BY id", (), 100).rows]
