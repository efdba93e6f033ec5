"""`duenna state prune` and `migrate`: they take the lock, so no bot can have the state meanwhile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from duenna.state._editing import DamagedStateError, Move, Pruning, copy, owned, remove, rewrite
from duenna.state._lines import damage_line, entry_lines
from duenna.state._look import folder_of, look
from duenna.storage import FileStore
from duenna.storage._layout import list_files
from duenna.wallclock import wall_time

if TYPE_CHECKING:
    import argparse

    from duenna.storage import Compacted, Loaded

__all__ = ["DamagedStateError", "migrate", "prune"]


def prune(arguments: argparse.Namespace) -> int:
    """Remove what is stored of some paths, and say what that was.

    Raises:
        OSError: It cannot be looked at.
        StateError: It is in use, damaged, or cannot be read or written.
        ValueError: There is nothing to remove, or money that was not asked for.
    """
    if not (arguments.paths or arguments.aside):
        raise ValueError("a PATH is needed, or --aside for all that was set aside")
    folder, now = folder_of(arguments.directory), wall_time()
    pruning = Pruning(
        arguments.paths,
        is_aside=arguments.aside,
        older_than=arguments.older_than,
        has_money=arguments.money,
    )
    if arguments.dry_run:
        loaded = look(folder).loaded
        _tell("would be removed", loaded, pruning.keys(loaded.entries, now), now)
        return 0
    with owned(folder, wall_time) as (store, loaded):
        _warn("prune", loaded)
        keys = pruning.keys(loaded.entries, now)
        remove(store, loaded, keys, now)
    _tell("removed", loaded, keys, now)
    return 0


def migrate(arguments: argparse.Namespace) -> int:
    """Write the state anew, moved or in another folder.

    Raises:
        OSError: It cannot be looked at.
        StateError: It is in use, damaged, or cannot be read or written.
        ValueError: A move is not possible, or there is a state where it shall go.
    """
    folder, now, target = folder_of(arguments.directory), wall_time(), arguments.to
    moves = [Move(old, new) for old, new in arguments.move]
    if target is not None:
        _refuse_taken(target, folder)
    with owned(folder, wall_time) as (store, loaded):
        _warn("migrate", loaded)
        done = rewrite(store, loaded, moves, now) if target is None else _copied(target, loaded, moves, now)
    for move in moves:
        print(f"{move.old} is {move.new} now")
    count = len(loaded.entries) if done is None else done.entries
    number = "" if done is None else f", generation {done.generation}"
    print(f"{count} entries written to {target or folder}{number}")
    return 0


def _refuse_taken(target: str, folder: str) -> None:
    path = Path(target)
    if not path.exists():
        return
    if not path.is_dir():
        raise ValueError(f"--to must be a directory, {target!r} is none")
    if path.samefile(folder):
        raise ValueError(f"--to must be another directory than DIR, got {target!r}")
    if not list_files(os.listdir(target)).is_empty:  # noqa: PTH208  # names, not paths
        raise ValueError(f"--to must be without a state, there is one in {target!r}")


def _copied(target: str, loaded: Loaded, moves: list[Move], now: float) -> Compacted | None:
    store = FileStore(target)
    if store.open().existed:
        store.close(now, is_clean=False)
        raise ValueError(f"--to must be without a state, there is one in {target!r}")
    is_done = False
    try:
        done = copy(store, loaded, moves, now)
        is_done = True
    finally:
        store.close(now, is_clean=is_done and loaded.was_clean)
    return done


def _warn(verb: str, loaded: Loaded) -> None:
    """Tell what is damaged: who writes sets it aside, and the bot will not see it."""
    for damage in loaded.damages:
        print(f"duenna state {verb}: damaged: {damage_line(damage)}", file=sys.stderr)


def _tell(what: str, loaded: Loaded, keys: list[str], now: float) -> None:
    print("\n".join(entry_lines({key: loaded.entries[key] for key in keys}, now)))
    print(f"{len(keys)} {'entry' if len(keys) == 1 else 'entries'} {what}")
