"""Where the state is kept: entries, the port of all stores, and the stores that need nothing but files."""

from duenna.storage.entries import Change, Entry
from duenna.storage.errors import (
    NotDurableError,
    StateError,
    StateFormatError,
    StateLockedError,
    StateRefusedError,
    StateUnreadableError,
    StateWriteError,
)
from duenna.storage.files import FileStore
from duenna.storage.fs import Fs
from duenna.storage.memory import MemoryStore
from duenna.storage.os_fs import OsFs
from duenna.storage.reading import read_state
from duenna.storage.store import Compacted, Damage, Loaded, Loss, Store
from duenna.storage.verify import FileReport, StateReport, verify_state

__all__ = [
    "Change",
    "Compacted",
    "Damage",
    "Entry",
    "FileReport",
    "FileStore",
    "Fs",
    "Loaded",
    "Loss",
    "MemoryStore",
    "NotDurableError",
    "OsFs",
    "StateError",
    "StateFormatError",
    "StateLockedError",
    "StateRefusedError",
    "StateReport",
    "StateUnreadableError",
    "StateWriteError",
    "Store",
    "read_state",
    "verify_state",
]
