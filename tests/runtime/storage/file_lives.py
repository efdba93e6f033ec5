"""Lives of a state in files, and what can happen to the files between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duenna.storage import FileStore, Loaded, Loss
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from pathlib import Path


def store_in(directory: Path) -> FileStore:
    return FileStore(directory, ballast=0)


def life(directory: Path, *keys: str, is_compacted: bool = False, is_clean: bool = False) -> Loaded:
    """Live once: load, commit each of *keys* by itself, and end; return what was loaded."""
    store = store_in(directory)
    loaded = store.open()
    for key in keys:
        store.commit([put(key)], 1.0)
    if is_compacted:
        store.compact(1.0)
    store.close(1.0, is_clean=is_clean)
    return loaded


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def cut(path: Path, size: int) -> None:
    """Take *size* bytes off the end of *path*, or leave it so many."""
    path.write_bytes(path.read_bytes()[:-size])


def flip(path: Path, offset: int) -> None:
    """Flip a bit of *path*."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def of_loss(loaded: Loaded, loss: Loss) -> list[str]:
    return [damage.where for damage in loaded.damages if damage.loss is loss]
