"""The stores keep the contract of all stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.storage import FileStore, MemoryStore
from duenna_actors.stores import PostgresStore, ReplicatedStore, SqliteStore
from tests.runtime.storage.store_contract import StoreContract

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.storage.store_contract import Place


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return lambda: SqliteStore(tmp_path / "data" / "state.db")


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def place(self, postgres_dsn: str) -> Place:
        return lambda: PostgresStore(postgres_dsn, lock_within=0.05)


class TestReplicatedStore(StoreContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        remote = MemoryStore()
        return lambda: ReplicatedStore(FileStore(tmp_path / "state"), remote)
