"""Where a runtime keeps its state, from what its user said."""

import os
from random import Random
from typing import Any, cast

from duenna.storage import FileStore, MemoryStore, Store

FOLDER = "data/state"
"""Of the directory that a runtime is given."""


def store_of(state: Any, directory: str | os.PathLike[str] | None, rng: Random) -> Store:
    """Return the store that *state* names: a store, a folder, or None for the one in *directory*, or in memory.

    Raises:
        TypeError: It is none of these.
    """
    if state is None and directory is not None:
        state = os.path.join(os.fspath(directory), FOLDER)  # noqa: PTH118  # text, as the port of files has it
    if state is None:
        return MemoryStore()
    if isinstance(state, str | os.PathLike):
        return FileStore(os.fspath(cast("str", state)), rng=rng)
    for name in ("open", "commit", "compact", "close"):
        if not callable(getattr(state, name, None)):
            message = f"state must be a folder or a Store, got {state!r}"
            raise TypeError(message)
    store: Store = state
    return store
