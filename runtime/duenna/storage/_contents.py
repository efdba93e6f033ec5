"""A whole file of a state: a snapshot, which is read to its end or not at all, and a journal, as far as it is whole.

::

    snapshot = header, BLOCK 1, BLOCK 2, ..., END      (END says how many entries and bytes came before it)
    journal  = header, [REPEAT of commit n - 1], COMMIT n, COMMIT n + 1, ..., [CLEAN]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs
import msgspec

from duenna.storage._chain import Link
from duenna.storage._format import (
    HEADER_SIZE,
    RECORD_SIZE,
    UNDECODABLE,
    DamagedError,
    Header,
    Kind,
    Piece,
    decode_changes,
    decode_header,
    encode_changes,
    encode_header,
    encode_record,
    end_of,
    payload_at,
    resumes,
    seed_of,
    time_at,
    walk,
)
from duenna.storage._layout import SNAPSHOT, File
from duenna.storage.entries import Change, Entry

BLOCK_SIZE = 256 * 1024
"""Bytes from which on the entries of a snapshot make a record: so much of it is held at once, beside the entries."""


@attrs.frozen
class Snapshot:
    """All entries as they were after one commit.

    Attributes:
        seq: The number of that commit.
        entries: The state, by key.
        saved_at: When that commit was made, in seconds since 1970; None: there was none.
        blocks: Records that hold them.
    """

    seq: int = 0
    entries: dict[str, Entry] = attrs.field(factory=dict[str, Entry])
    saved_at: float | None = None
    blocks: int = 0


@attrs.frozen
class Journal:
    """What could be read of a journal.

    Attributes:
        file: Its name.
        data: Its bytes.
        repeat: Where the record of the commit before its first stands; None: it has none.
        bounds: Where the records of its commits begin, and where the last one ends.
        link: What it means for the others.
    """

    file: File
    data: bytes
    repeat: int | None
    bounds: Sequence[int]
    link: Link

    def record(self, index: int) -> int:
        """Return where the record of the commit *index* begins; -1 is the repeated one."""
        return self.repeat if index < 0 and self.repeat is not None else self.bounds[index]

    def payloads(self, first: int, stop: int) -> Iterator[bytes]:
        """Give the payloads of the commits from *first* to before *stop*; -1 is the repeated one."""
        if first < 0:
            yield payload_at(self.data, self.record(-1))
        data, bounds = self.data, self.bounds
        for index in range(max(first, 0), stop):
            yield data[bounds[index] + RECORD_SIZE : bounds[index + 1]]


def encode_snapshot(header: Header, snapshot: Snapshot) -> Iterator[Piece]:
    """Give the bytes of a snapshot, a block at a time.

    Raises:
        OSError: `EFBIG`: an entry has 4 GiB or more.
    """
    front = encode_header(header)
    seed, size, at = seed_of(front), len(front), snapshot.saved_at or 0.0
    yield front
    number = 1
    for block in _blocks(snapshot.entries):
        for piece in encode_record(Kind.BLOCK, number, at, encode_changes(block, len(block)), seed):
            size += len(piece)
            yield piece
        number += 1
    end = msgspec.msgpack.encode([len(snapshot.entries), size])
    yield from encode_record(Kind.END, number, at, [end], seed)


def decode_snapshot(data: bytes, file: File) -> Snapshot:
    """Return all that *data*, which is *file*, holds.

    Raises:
        DamagedError: Anything at all is wrong with it.
        NewerFormatError: It was written by a later version.
    """
    header = decode_header(data, SNAPSHOT, file.number)
    starts, offset = walk(data, HEADER_SIZE, Kind.BLOCK, 1)
    if end_of(data, offset, Kind.END, len(starts) + 1) != len(data):
        raise DamagedError(f"is not whole, at byte {offset} of {len(data)}")
    try:
        entries = dict(_entries(data, starts))
        told = msgspec.msgpack.decode(payload_at(data, offset))
    except UNDECODABLE as exc:
        raise DamagedError(f"cannot be decoded: {exc}") from exc
    if told != [len(entries), offset]:
        raise DamagedError(f"has {len(entries)} entries in {offset} bytes, which its end denies")
    return Snapshot(header.seq, entries, time_at(data, offset) if header.seq else None, len(starts))


def decode_journal(data: bytes, file: File) -> Journal:
    """Return what can be read of *data*, which is *file*.

    Raises:
        NewerFormatError: It was written by a later version.
    """
    try:
        header = decode_header(data, file.kind, file.number)
    except DamagedError as exc:
        return Journal(file, data, None, (), Link(file=file, start=None, fault=str(exc)))
    repeated = end_of(data, HEADER_SIZE, Kind.REPEAT, header.seq - 1)
    starts, offset = walk(data, repeated or HEADER_SIZE, Kind.COMMIT, header.seq)
    bounds = [*starts, offset]
    seq = header.seq + len(starts)
    mark = end_of(data, offset, Kind.CLEAN, seq - 1)
    offset = mark or offset
    fault = ""
    if offset < len(data):
        fault = f"cannot be read behind commit {seq - 1}, from byte {offset} of {len(data)} on"
    elif not starts and not mark:
        fault = f"ends before its first commit, {seq}"
    link = Link(
        file=file,
        start=header.seq,
        commits=len(starts),
        repeats=bool(repeated),
        is_clean=bool(mark) and not fault,
        fault=fault,
        is_torn=bool(starts or mark) and not resumes(data, offset, seq),
    )
    return Journal(file, data, HEADER_SIZE if repeated else None, bounds, link)


def _blocks(entries: Mapping[str, Entry]) -> Iterator[list[Change]]:
    """Part *entries* into blocks of about `BLOCK_SIZE` bytes, or of one entry that is larger."""
    block: list[Change] = []
    size = 0
    for key, entry in entries.items():
        block.append(Change(key, entry))
        size += len(key) + len(entry.data) + 64
        if size >= BLOCK_SIZE:
            yield block
            block, size = [], 0
    if block:
        yield block


def _entries(data: bytes, starts: Sequence[int]) -> Iterator[tuple[str, Entry]]:
    for start in starts:
        for change in decode_changes(payload_at(data, start)):
            if change.entry is None:
                raise DamagedError(f"has {change.key!r} without an entry")
            yield change.key, change.entry
