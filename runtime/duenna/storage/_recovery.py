"""Reading a state: the newest snapshot that is whole, and what the journals after it add. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from duenna.storage._chain import Chain, can_start, follow
from duenna.storage._contents import Journal, Snapshot, decode_journal, decode_snapshot
from duenna.storage._format import (
    FORMAT,
    UNDECODABLE,
    DamagedError,
    NewerFormatError,
    decode_changes,
    decode_header,
    payload_at,
    time_at,
)
from duenna.storage._layout import File, Listing, list_files
from duenna.storage.entries import Entry
from duenna.storage.errors import StateFormatError, StateUnreadableError
from duenna.storage.fs import Fs
from duenna.storage.store import Damage, Loaded, Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@attrs.frozen
class LastCommit:
    """A commit as its record holds it.

    Attributes:
        seq: Its number.
        at: When it was made, in seconds since 1970.
        payload: Its changes, encoded.
    """

    seq: int
    at: float
    payload: bytes


@attrs.frozen
class Base:
    """What a state starts from: a snapshot, or nothing.

    Attributes:
        file: Which; None: the empty state.
        seq: The last commit in it.
        entries: What it holds.
        saved_at: When that commit was made, in seconds since 1970; None: there was none.
        size: Its bytes.
    """

    file: File | None = None
    seq: int = 0
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    saved_at: float | None = None
    size: int = 0


@attrs.frozen
class Unusable:
    """A snapshot that nothing can start from.

    Attributes:
        file: Which.
        what: What is wrong with it.
        seq: The last commit that was in it; 0: not known.
    """

    file: File
    what: str
    seq: int

    def damage(self, reached: int, *, has_hole: bool) -> Damage:
        """Say what it costs, if commit *reached* is the last that could be reached without it."""
        is_covered = reached >= self.seq if self.seq else reached > 0 and not has_hole
        loss = Loss.NOTHING if is_covered else Loss.ACKNOWLEDGED
        return Damage(self.file.name, self.what, loss, self.file.set_aside.name)


@attrs.frozen
class Found:
    """What there is in a directory.

    Attributes:
        loaded: The state.
        listing: Its files.
        base: What the state started from.
        journals: How many journals came after it.
        journal_size: Bytes of these.
        last: The last commit, if it was read from a journal: it may not be durable yet, whatever mark stands behind it,
            for its owner may have been killed in the middle of a sync, or have had one that failed.
    """

    loaded: Loaded
    listing: Listing = attrs.field(factory=lambda: list_files(()))
    base: Base = attrs.field(factory=Base)
    journals: int = 0
    journal_size: int = 0
    last: LastCommit | None = None


@attrs.define
class Replay:
    """A state on its way up to date.

    Attributes:
        entries: What it holds.
        seq: The last commit in it.
        at: When that was made.
        last: That commit, if it was read from a journal.
    """

    entries: dict[str, Entry]
    seq: int
    at: float | None
    last: LastCommit | None = None

    def carry_out(self, payloads: Iterable[bytes]) -> None:
        """Carry out the commits that *payloads* hold."""
        entries = self.entries
        for payload in payloads:
            for change in decode_changes(payload):
                if change.entry is None:
                    entries.pop(change.key, None)
                else:
                    entries[change.key] = change.entry
            self.seq += 1


@attrs.define
class Reader:
    """Reads the files of one directory; journals, which may be growing, once.

    Attributes:
        fs: Where it is.
        directory: Which.
        name: What errors call it.
        sizes: Bytes of what it read.
    """

    fs: Fs
    directory: str
    name: str
    sizes: dict[File, int] = attrs.field(factory=dict[File, int], init=False)
    _listing: Listing | None = attrs.field(default=None, init=False)
    _journals: dict[File, Journal] = attrs.field(factory=dict[File, Journal], init=False)

    def list(self) -> Listing:
        """Return the files that are there, or were when this was asked first.

        Raises:
            StateUnreadableError: The machine said no.
        """
        if self._listing is None:
            try:
                self._listing = list_files(self.fs.names(self.directory))
            except OSError as exc:
                raise StateUnreadableError(self.name, "the directory", reason(exc)) from exc
        return self._listing

    def read(self, file: File) -> bytes:
        """Return the bytes of *file*.

        Raises:
            StateUnreadableError: The machine said no.
        """
        try:
            data = self.fs.read(f"{self.directory}/{file.name}")
        except OSError as exc:
            raise StateUnreadableError(self.name, file.name, reason(exc)) from exc
        self.sizes[file] = len(data)
        return data

    def journal(self, file: File) -> Journal:
        """Return what can be read of the journal *file*.

        Raises:
            StateFormatError: It was written by a later version.
            StateUnreadableError: The machine said no.
        """
        if file not in self._journals:
            try:
                self._journals[file] = decode_journal(self.read(file), file)
            except NewerFormatError as exc:
                raise StateFormatError(self.name, file.name, exc.format, FORMAT) from exc
        return self._journals[file]

    def snapshot(self, file: File) -> Snapshot | Unusable:
        """Return the snapshot *file*, or what is wrong with it.

        Raises:
            StateFormatError: It was written by a later version.
            StateUnreadableError: The machine said no.
        """
        data = self.read(file)
        try:
            return decode_snapshot(data, file)
        except NewerFormatError as exc:
            raise StateFormatError(self.name, file.name, exc.format, FORMAT) from exc
        except DamagedError as exc:
            return Unusable(file, str(exc), _seq_of(data, file))


def recover(reader: Reader) -> Found:
    """Read the state in the *reader*'s directory.

    Raises:
        StateFormatError: A later version wrote it.
        StateUnreadableError: The machine could not read it.
    """
    listing = reader.list()
    base, journals, unusable = _base(reader, listing)
    chain = follow(base.seq, [journal.link for journal in journals])
    state, damages = carry_out(base, journals, chain)
    damages += [one.damage(state.seq, has_hole=chain.has_hole) for one in unusable]
    if not (listing.is_empty or state.seq or damages):
        left = "nothing but files that were set aside" if listing.set_aside else "no snapshot and no journal any more"
        damages.append(Damage("the directory", f"has {left}", Loss.ACKNOWLEDGED))
    journal_size = sum(len(journal.data) for journal in journals)
    loaded = Loaded(
        entries=state.entries,
        seq=state.seq,
        existed=not listing.is_empty,
        was_clean=chain.is_clean and all(damage.loss is Loss.NOTHING for damage in damages),
        saved_at=state.at,
        damages=tuple(damages),
        source=_source(base, len({run.link for run in chain.runs})),
        size=base.size + journal_size,
    )
    return Found(loaded, listing, base, len(journals), journal_size, state.last)


def reason(exc: OSError) -> str:
    """Return what the machine said, and of which file."""
    what = exc.strerror or str(exc) or type(exc).__name__
    return f"{what} ({exc.filename})" if exc.filename else what


def _base(reader: Reader, listing: Listing) -> tuple[Base, list[Journal], list[Unusable]]:
    """Return the newest snapshot that a state can start from, and the journals after it."""
    unusable: list[Unusable] = []
    for file in reversed(listing.snapshots):
        found = reader.snapshot(file)
        if isinstance(found, Unusable):
            unusable.append(found)
            continue
        journals = [reader.journal(other) for other in listing.journals if other.number > file.number]
        if can_start(found.seq, [journal.link for journal in journals]):
            return Base(file, found.seq, found.entries, found.saved_at, reader.sizes[file]), journals, unusable
        unusable.append(Unusable(file, "was given up: the journals after it begin with an earlier commit", 0))
    return Base(), [reader.journal(file) for file in listing.journals], unusable


def carry_out(base: Base, journals: Sequence[Journal], chain: Chain) -> tuple[Replay, list[Damage]]:
    """Bring *base*, whose entries are changed, up to date; also return what is wrong."""
    state = Replay(base.entries, base.seq, base.saved_at)
    for run in chain.runs:
        journal = journals[run.link]
        try:
            state.carry_out(journal.payloads(run.first, run.stop))
        except UNDECODABLE as exc:
            what = f"commit {state.seq + 1} cannot be decoded: {exc}"
            file = journal.file
            return state, [*chain.damages, Damage(file.name, what, Loss.ACKNOWLEDGED, file.set_aside.name)]
        record = journal.record(run.stop - 1)
        state.at = time_at(journal.data, record)
        state.last = LastCommit(state.seq, state.at, payload_at(journal.data, record))
    return state, list(chain.damages)


def _seq_of(data: bytes, file: File) -> int:
    """Return the commit of the damaged snapshot *file*, if its header still says so; else 0."""
    try:
        return decode_header(data, file.kind, file.number).seq
    except DamagedError:
        return 0


def _source(base: Base, journals: int) -> str:
    """Say where a state came from."""
    count = f"{journals} journal{'s' if journals > 1 else ''}" if journals else ""
    return " and ".join(filter(None, (base.file.name if base.file else "", count)))
