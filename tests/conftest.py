"""What all tests share: hypothesis profiles, and a database of one's own on a real PostgreSQL server."""

from __future__ import annotations

import importlib
import itertools
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_CI = os.environ.get("CI") == "true"
POSTGRES = "host=127.0.0.1 port=5432 user=postgres connect_timeout=3"

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "dev")

_databases = (f"duenna_test_{os.getpid()}_{number}" for number in itertools.count())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that talks to PostgreSQL, so that ``-m "not integration"`` leaves them out."""
    for item in items:
        if "postgres_dsn" in getattr(item, "fixturenames", ()):
            item.add_marker("integration")


@pytest.fixture
def postgres_dsn() -> Iterator[str]:
    """Create an empty database and give its address; drop it at the end, whoever is still connected."""
    try:
        psycopg = importlib.import_module("psycopg")  # an extra: the other tests run without it
        server = psycopg.connect(f"{POSTGRES} dbname=test", autocommit=True)
    except Exception as exc:  # noqa: BLE001 - whatever the reason, there is no server
        why = f"no PostgreSQL at 127.0.0.1:5432: {' '.join(str(exc).split())}"
        (pytest.fail if IN_CI else pytest.skip)(why)
    name = next(_databases)
    with server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{POSTGRES} dbname={name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
