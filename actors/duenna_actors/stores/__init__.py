"""Where a runtime's state may be kept besides in files of its own: SQLite, PostgreSQL, and one beside another.

Each is a `duenna.storage.Store`.
"""

from duenna_actors.stores._backlog import Lag
from duenna_actors.stores.postgres import PostgresStore
from duenna_actors.stores.replicated import ReplicatedStore
from duenna_actors.stores.sqlite import SqliteStore

__all__ = ["Lag", "PostgresStore", "ReplicatedStore", "SqliteStore"]
