"""Looking a whole state over: every file of it, and whether each snapshot leads to the same state as the latest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import attrs
import msgspec

from duenna.storage._chain import follow
from duenna.storage._contents import Snapshot
from duenna.storage._format import UNDECODABLE
from duenna.storage._layout import SNAPSHOT, TEMPORARY, File
from duenna.storage._recovery import Base, Reader, Unusable, carry_out, recover
from duenna.storage.os_fs import OsFs
from duenna.storage.reading import steadily
from duenna.storage.store import Damage, Loaded, Loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.storage.fs import Fs


@attrs.frozen
class FileReport:
    """What one file is.

    Attributes:
        name: What it is called.
        kind: `snapshot` or `journal`.
        number: The number in its name: a greater one is later.
        size: Its bytes.
        records: Commits of a journal, entries of a snapshot, as far as they can be read.
        last: The last commit in it; 0: there is none.
        fault: What is wrong with it; empty: nothing.
        is_used: Whether a state is read from it; if not, it was never finished, or was set aside.
    """

    name: str
    kind: str
    number: int
    size: int
    records: int
    last: int
    fault: str
    is_used: bool


@attrs.frozen
class StateReport:
    """What a state is.

    Attributes:
        files: All its files, oldest first.
        loaded: What its next owner would be given.
        damages: What is wrong, with the files that only matter if others fail too.
    """

    files: tuple[FileReport, ...]
    loaded: Loaded
    damages: tuple[Damage, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong but, at most, what a write under way leaves."""
        return all(damage.loss is Loss.UNKNOWN for damage in self.damages)


def verify_state(directory: str | os.PathLike[str], fs: Fs | None = None) -> StateReport:
    """Read and decode all of the state in *directory*; takes no lock and changes nothing.

    Every snapshot is brought up to date by the journals after it, and compared with what the next owner would be
    given: damage in what is needed only when something else fails is silent until then.

    Args:
        directory: Where it is.
        fs: The calls of the operating system; None: this machine's.

    Raises:
        StateFormatError: Some file was written by a later version.
        StateUnreadableError: The machine could not read it, or there is no such directory.
    """
    where = os.fspath(directory)
    return steadily(lambda: _verify(Reader(fs or OsFs(), where, where)))


def _verify(reader: Reader) -> StateReport:
    listing = reader.list()
    found = recover(reader)
    known = {damage.where for damage in found.loaded.damages}
    others = [file for file in listing.snapshots if file != found.base.file and file.name not in known]
    damages = [damage for file in others for damage in _fallback(reader, file, found.loaded)]
    files = sorted({*listing.snapshots, *listing.journals, *listing.set_aside, *listing.temporaries})
    return StateReport(
        files=tuple(_report(reader, file) for file in files),
        loaded=found.loaded,
        damages=(*found.loaded.damages, *damages, *_undecodable(found.loaded)),
    )


def _fallback(reader: Reader, file: File, loaded: Loaded) -> Iterator[Damage]:
    """Say in what the state that the older snapshot *file* leads to is another than what was *loaded*."""
    found = reader.snapshot(file)
    if isinstance(found, Unusable):
        yield Damage(file.name, found.what, Loss.NOTHING, file.set_aside.name)
        return
    journals = [reader.journal(other) for other in reader.list().journals if other.number > file.number]
    chain = follow(found.seq, [journal.link for journal in journals])
    state, _ = carry_out(Base(file, found.seq, found.entries, found.saved_at), journals, chain)
    if state.seq != loaded.seq:
        yield Damage(file.name, f"leads to commit {state.seq}, the state is at commit {loaded.seq}", Loss.NOTHING)
    elif state.entries != loaded.entries:
        yield Damage(file.name, "leads to another state than later snapshots do", Loss.NOTHING)


def _report(reader: Reader, file: File) -> FileReport:
    """Describe *file*."""
    records = last = 0
    fault = ""
    if file.suffix == TEMPORARY:
        size = len(reader.read(file))
        fault = "was never finished"
    elif file.kind == SNAPSHOT:
        match reader.snapshot(file):
            case Snapshot() as snapshot:
                records, last = len(snapshot.entries), snapshot.seq
            case Unusable() as unusable:
                fault, last = unusable.what, unusable.seq
        size = reader.sizes[file]
    else:
        link = reader.journal(file).link
        records, fault, size = link.commits, link.fault, reader.sizes[file]
        last = link.start + link.commits - 1 if link.start else 0
    kind = "snapshot" if file.kind == SNAPSHOT else "journal"
    return FileReport(file.name, kind, file.number, size, records, last, fault, is_used=not file.suffix)


def _undecodable(loaded: Loaded) -> Iterator[Damage]:
    """Find the entries whose data no owner can understand."""
    for key, entry in loaded.entries.items():
        try:
            msgspec.msgpack.decode(entry.data)
        except UNDECODABLE as exc:
            yield Damage(key, f"its data is no MessagePack: {exc}", Loss.ACKNOWLEDGED)
