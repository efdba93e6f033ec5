"""What an SQLite file is worth when it is opened: what it holds, what is missing in it, and how to go on."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from duenna.storage import Damage, Loaded, Loss, StateFormatError, StateUnreadableError
from duenna_actors.stores._in_place import free_name, new_name
from duenna_actors.stores._rows import FORMAT, Ledger, Mark, NewerFormatError
from duenna_actors.stores._sqlite_file import ForeignDatabaseError, Reading, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.storage import Fs
    from duenna_actors.stores._lock_file import Witness


class Anew(StrEnum):
    """Why the next commit writes the whole file anew; `NO`: it does not."""

    NO = ""
    MISSING = "there is no file"
    UNFINISHED = "the last time that it was written anew did not come to its end"
    DAMAGED = "the file is damaged"
    DOUBTFUL = "the disk failed to write to the file"


@attrs.frozen
class Recovered:
    """What was found, and how to go on from it.

    Attributes:
        loaded: For whoever opens the store.
        anew: Why the first commit writes a new file.
        ledger: What the first commit goes on from.
    """

    loaded: Loaded
    anew: Anew
    ledger: Ledger


def recover(fs: Fs, path: str, *, store: str, witness: Witness) -> Recovered:
    """Read the state at *path*, called *store*, of which *witness* says what was acknowledged; changes nothing.

    Raises:
        StateFormatError: It was written by a later version.
        StateUnreadableError: It cannot be read, or is another program's.
    """
    folder, _, name = path.rpartition("/")
    names = _names(fs, folder)
    source = next((each for each in (new_name(name), name) if each in names), "")
    reading = _read(f"{folder}/{source}", store, source, witness) if source else Reading()
    damages = tuple(_damages(reading, witness, source or name, free_name(name, names) if source else ""))
    mark = reading.mark
    anew = Anew.NO if source == name else Anew.UNFINISHED if source else Anew.MISSING
    if damages and source:
        anew = Anew.DAMAGED
    loaded = Loaded(
        entries=reading.found.entries,
        seq=mark.seq if mark else 0,
        existed=bool(source or witness.seq),
        was_clean=mark is not None and mark.is_clean and not damages,
        saved_at=mark.saved_at if mark else None,
        damages=damages,
        source=source,
        size=reading.found.size,
    )
    return Recovered(loaded, anew, _ledger(reading, witness, anew))


def _names(fs: Fs, folder: str) -> list[str]:
    try:
        return fs.names(folder)
    except FileNotFoundError:
        return []


def _read(path: str, store: str, where: str, witness: Witness) -> Reading:
    try:
        return read(path)
    except NewerFormatError as error:
        raise StateFormatError(store, where, error.format, FORMAT) from None
    except ForeignDatabaseError as error:
        if witness.seq:  # it was ours, and now it looks like somebody else's
            return Reading(wrong=str(error))
        raise StateUnreadableError(store, where, str(error)) from None
    except (OSError, sqlite3.Error) as exc:
        raise StateUnreadableError(store, where, str(exc)) from exc


def _damages(reading: Reading, witness: Witness, where: str, keep_as: str) -> Iterator[Damage]:
    """Yield what is wrong with the file, or else with what it holds."""
    mark = reading.mark
    if reading.wrong:
        wrong = reading.wrong
    elif mark is None:
        wrong = f"it is gone, with {witness.seq} commits that were acknowledged" if witness.seq else ""
    elif witness.origin not in ("", mark.origin):
        wrong = f"it is not the file that was here, of which {witness.seq} commits were acknowledged"
    elif mark.seq < witness.seq:
        wrong = f"it ends with commit {mark.seq}, and {witness.seq} were acknowledged"
    else:
        wrong = ""
    if wrong:
        yield Damage(where, wrong, Loss.ACKNOWLEDGED, keep_as)


def _ledger(reading: Reading, witness: Witness, anew: Anew) -> Ledger:
    mark = reading.mark
    if anew is Anew.NO:
        return Ledger(mark, reading.row, reading.found.crcs)
    if mark is None and witness.seq:
        mark = Mark(witness.origin, "", witness.seq, 0.0, is_clean=False, rows=0, digest=0)
    elif mark is not None and mark.seq < witness.seq:
        mark = attrs.evolve(mark, seq=witness.seq)
    return Ledger(mark)
