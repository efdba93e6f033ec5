"""Changes a state while no bot has it: removes what is no longer wanted, moves it, writes it anew."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from duenna.state._chosen import chosen, is_at_or_below, is_note, moved, path_of
from duenna.state._lines import damage_line
from duenna.state.work import INTENT
from duenna.storage import Change, FileStore, StateError
from duenna.storage.entries import ASIDE, NOTE, PART, key_of, split_key

if TYPE_CHECKING:
    from duenna.storage import Compacted, Entry, Loaded
    from duenna.wallclock import WallTime

_NOTHING: Final = key_of(NOTE, "nothing")


class DamagedStateError(StateError):
    """A state must not be changed by hand, for something that was acknowledged is missing in it.

    Whatever is written next covers that up: only a bot that starts with it holds its trading back.
    """


@contextmanager
def owned(folder: str, wall: WallTime) -> Generator[tuple[FileStore, Loaded]]:
    """Have the state in *folder* to oneself; whether its last owner ended in order is left as it was.

    Raises:
        DamagedStateError: Something that was acknowledged is missing in it.
        StateError: It is in use, cannot be read, or is a later version's.
    """
    store = FileStore(folder, wall_time=wall)
    loaded = store.open()
    was_clean = False
    try:
        if not loaded.is_complete:
            lost = "; ".join(map(damage_line, loaded.damages))
            raise DamagedStateError(
                f"the state in {folder} is not changed, for some of it is lost: {lost}. Start the bot with it "
                "first: it holds its trading until somebody has said what is right"
            )
        yield store, loaded
        was_clean = loaded.was_clean
    finally:
        store.close(wall(), is_clean=was_clean)


# -- prune -------------------------------------------------------------------


@attrs.frozen
class Pruning:
    """What is to be removed.

    Attributes:
        wanted: Paths, patterns or keys; empty: all paths.
        is_aside: Whether only what was set aside goes.
        older_than: How many seconds ago it must have been saved, at least; None: whenever.
        has_money: Whether what is marked as money may go, too, and intents, whose effects may be out.
    """

    wanted: Sequence[str]
    is_aside: bool = False
    older_than: float | None = None
    has_money: bool = False

    def keys(self, entries: Mapping[str, Entry], now: float) -> list[str]:
        """Return the keys of what is meant, sorted.

        Raises:
            ValueError: There is nothing for one of the paths, or money among it that was not asked for.
        """
        keys: set[str] = set()
        for wanted in self.wanted or [""]:
            of_it = chosen(entries, wanted) if wanted else entries
            found = [key for key in of_it if self._is_meant(key, entries[key], now)]
            if not found:
                raise ValueError(f"nothing is stored{self._said(wanted)}")
            keys.update(found)
        money = sorted(key for key in keys if entries[key].money or entries[key].kind == INTENT)
        if money and not self.has_money:
            raise ValueError(
                f"{', '.join(money)}: money, or an intent whose effect may be out, goes with --money only; nothing was "
                "removed"
            )
        return sorted(keys)

    def _is_meant(self, key: str, entry: Entry, now: float) -> bool:
        if is_note(key) or (self.is_aside and split_key(key)[0] != ASIDE):
            return False
        return self.older_than is None or now - entry.at >= self.older_than

    def _said(self, wanted: str) -> str:
        of = f" of {wanted}" if wanted else ""
        aside = " that was set aside" if self.is_aside else ""
        if self.older_than is None:
            return of + aside
        return f"{of}{aside}{' and' if aside else ' that'} is {self.older_than:g} s old or older"


def remove(store: FileStore, loaded: Loaded, keys: Iterable[str], now: float) -> None:
    """Remove *keys* from what was *loaded*.

    Raises:
        StateWriteError: They may be there or not.
    """
    store.commit([Change(key, None) for key in keys], _dated(loaded, now))


# -- migrate -----------------------------------------------------------------


@attrs.frozen
class Move:
    """A path that has got another name, with all below it.

    Attributes:
        old: The path as it was.
        new: As it is.
    """

    old: str
    new: str

    def carried_out(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return *entries* with all of the old path under the new one.

        Raises:
            ValueError: Nothing is stored of the old path, or something of the new one.
        """
        renamed = {key: to for key, entry in entries.items() if (to := moved(key, entry.kind, self.old, self.new))}
        if not renamed:
            raise ValueError(f"nothing is stored of {self.old}, so it cannot be moved to {self.new}")
        others = {key: entry for key, entry in entries.items() if key not in renamed}
        taken = [
            key
            for key, entry in others.items()
            if key in renamed.values()
            or (split_key(key)[0] != ASIDE and is_at_or_below(path_of(key, entry.kind), self.new))
        ]
        if taken:
            raise ValueError(f"{self.old} cannot be moved to {self.new}: {min(taken)} is there, prune it first")
        named = {key: _renamed(entry, self) if split_key(key)[0] == PART else entry for key, entry in entries.items()}
        return {renamed.get(key, key): entry for key, entry in named.items()}


def _renamed(entry: Entry, move: Move) -> Entry:
    """Return *entry*, which is a part, with the paths that are keys in it as they are now: operator stops, counts."""
    try:
        before = msgspec.msgpack.decode(entry.data)
        after = _with_paths(before, move)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return entry
    if after == before:
        return entry
    data = msgspec.msgpack.encode(after)
    return msgspec.structs.replace(entry, data=data, version=entry.version + 1)


def _with_paths(value: Any, move: Move) -> Any:
    if isinstance(value, list):
        return [_with_paths(item, move) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, dict):
        return value
    known: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
    shown: dict[Any, Any] = {}
    for key, item in known.items():
        is_meant = isinstance(key, str) and is_at_or_below(key, move.old)
        name = move.new + key[len(move.old) :] if is_meant else key
        shown[key if name in known else name] = _with_paths(item, move)  # what has that name already stays
    return shown


def rewrite(store: FileStore, loaded: Loaded, moves: Iterable[Move], now: float) -> Compacted | None:
    """Write all that was *loaded* anew, after *moves*, into a generation of its own.

    Raises:
        StateWriteError: It failed; what was there still is.
        ValueError: A move is not possible; nothing was written.
    """
    entries = _after(loaded, moves)
    changes = [Change(key, entry) for key, entry in entries.items() if loaded.entries.get(key) != entry]
    changes += [Change(key, None) for key in loaded.entries if key not in entries]
    if not changes:  # a commit there must be, or there is nothing to make a new generation of
        changes = [Change(key, entry) for key, entry in entries.items()][:1] or [Change(_NOTHING, None)]
    store.commit(changes, _dated(loaded, now))
    return store.compact(now)


def copy(target: FileStore, loaded: Loaded, moves: Iterable[Move], now: float) -> Compacted | None:
    """Write all that was *loaded*, after *moves*, to *target*, which is open and empty.

    Raises:
        StateWriteError: It failed.
        ValueError: A move is not possible; nothing was written.
    """
    entries = _after(loaded, moves)
    target.commit(
        [Change(key, entry) for key, entry in entries.items()] or [Change(_NOTHING, None)], _dated(loaded, now)
    )
    return target.compact(now)


def _after(loaded: Loaded, moves: Iterable[Move]) -> dict[str, Entry]:
    entries = dict(loaded.entries)
    for move in moves:
        entries = move.carried_out(entries)
    return entries


def _dated(loaded: Loaded, now: float) -> float:
    """Return when the state was saved last: it is none the fresher for what is done here."""
    return now if loaded.saved_at is None else loaded.saved_at
