"""Format 1 of the files of a state: headers and records, from bytes to values and back.

A file is a header and records. All numbers are little-endian::

    header   8s magic | u16 format | u8 kind | u8 0 | u32 crc of these 12 bytes
             u64 number | u64 seq | f64 at | u64 salt | u32 crc of all 48 bytes before it
    record   u32 crc | u32 length of the payload | u56 seq | u8 kind | f64 at | payload

The first 16 bytes mean the same in every format, so that a flipped bit in the format's number is never
taken for a later format. A record's crc covers all that follows it, and starts from the header's: it holds
in no other file, not at another length, and not for bytes that are all zero (a payload of length 0 is
refused besides). The salt makes files of equal headers differ.
"""

from __future__ import annotations

import errno
import struct
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from duenna.storage._layout import JOURNAL, SNAPSHOT
from duenna.storage.entries import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FORMAT: Final = 1
"""The format that this program writes, and the latest that it reads."""

MAGIC: Final = b"\x89DUE\r\n\x1a\n"
"""What all files begin with: broken by whoever takes them for text."""

LARGE: Final = 64 * 1024
"""Bytes of an entry from which on they are written from where they are, without a copy."""

_KINDS: Final = {SNAPSHOT: 1, JOURNAL: 2}
_PREAMBLE: Final = struct.Struct("<8sHBBI")
_HEADER: Final = struct.Struct("<16sQQdQI")
_RECORD: Final = struct.Struct("<IIQd")
_FRONT: Final = struct.Struct("<IIQ")
_AT: Final = struct.Struct("<d")
_AT_OFFSET: Final = _FRONT.size
_SEQ_OFFSET: Final = 8
_SEQ_SIZE: Final = 7
_ARRAY: Final = struct.Struct(">BI")  # MessagePack's array of up to 2**32 - 1 items
_BIN: Final = struct.Struct(">BI")  # MessagePack's bytes, the same
_EMPTY_BIN: Final = b"\xa4data\xc4\x00"
_MAX_LENGTH: Final = 2**32 - 1

HEADER_SIZE: Final = _HEADER.size
"""Bytes of a header."""

RECORD_SIZE: Final = _RECORD.size
"""Bytes of a record before its payload."""

_encoder = msgspec.msgpack.Encoder()

decode_changes: Final = msgspec.msgpack.Decoder(list[Change]).decode
"""Return the changes that a payload holds; raises one of `UNDECODABLE` if it holds something else."""

UNDECODABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises, text that is no UTF-8 and maps in maps without end included."""

Piece = bytes | bytearray
"""Part of a file, in the order of writing."""


class Kind(IntEnum):
    """What a record is."""

    BLOCK = 1
    """Entries of a snapshot; counted from 1."""
    COMMIT = 2
    """A commit; its seq is its number."""
    REPEAT = 3
    """The commit before a journal's first, once more: in the file that had it, it may never have become durable."""
    CLEAN = 4
    """The mark of an orderly end; its seq is that of the last commit."""
    END = 5
    """The end of a snapshot; counted on from the blocks."""


class DamagedError(Exception):
    """Bytes are not what was written; says what is wrong with them."""


class NewerFormatError(Exception):
    """A file has a format that is later than `FORMAT`.

    Attributes:
        format: Which.
    """

    def __init__(self, format: int) -> None:  # noqa: A002  # the word for it
        """Name the *format*."""
        super().__init__(f"format {format}")
        self.format = format


@attrs.frozen
class Header:
    """How a file begins.

    Attributes:
        kind: `snap` or `jour`.
        number: The number in its name.
        seq: Of a snapshot, the last commit in it; of a journal, the number of its first commit.
        at: When it was begun, in seconds since 1970.
        salt: Any 64 bits.
    """

    kind: str
    number: int
    seq: int
    at: float
    salt: int


def encode_header(header: Header) -> bytes:
    """Return the bytes of *header*."""
    front = _PREAMBLE.pack(MAGIC, FORMAT, _KINDS[header.kind], 0, 0)[:-4]
    preamble = front + struct.pack("<I", zlib.crc32(front))
    body = _HEADER.pack(preamble, header.number, header.seq, header.at, header.salt, 0)[:-4]
    return body + struct.pack("<I", zlib.crc32(body))


def seed_of(data: bytes) -> int:
    """Return what the crcs of the records start from, in the file that begins with *data*."""
    return int.from_bytes(data[HEADER_SIZE - 4 : HEADER_SIZE], "little")


def decode_header(data: bytes, kind: str, number: int) -> Header:
    """Return the header that *data* begins with.

    Args:
        data: A file, or the beginning of one.
        kind: What its name says that it is.
        number: What its name says that its number is.

    Raises:
        DamagedError: It is not one, or not of that name.
        NewerFormatError: Its format is later than this program's.
    """
    if len(data) < _PREAMBLE.size:
        raise DamagedError(f"ends within its header, after {len(data)} bytes")
    magic, version, kind_id, _, crc = _PREAMBLE.unpack_from(data)
    if magic != MAGIC or zlib.crc32(data[: _PREAMBLE.size - 4]) != crc:
        raise DamagedError("does not begin as a file of a state does")
    if version > FORMAT:
        raise NewerFormatError(version)
    if len(data) < HEADER_SIZE:
        raise DamagedError(f"ends within its header, after {len(data)} bytes")
    _, found, seq, at, salt, crc = _HEADER.unpack_from(data)
    if zlib.crc32(data[: HEADER_SIZE - 4]) != crc:
        raise DamagedError("its header is damaged")
    if version != FORMAT or kind_id != _KINDS[kind] or found != number:
        raise DamagedError(f"its header is of another file: format {version}, kind {kind_id}, number {found}")
    return Header(kind, found, seq, at, salt)


def encode_record(kind: Kind, seq: int, at: float, payload: Sequence[Piece], seed: int) -> list[Piece]:
    """Return the bytes of a record whose payload is *payload*, one after the other.

    Raises:
        OSError: `EFBIG`: the payload has 4 GiB or more.
    """
    length = sum(map(len, payload))
    if length > _MAX_LENGTH:
        raise OSError(errno.EFBIG, f"{length} bytes at once, {_MAX_LENGTH} is the most")
    numbered = _numbered(kind, seq)
    crc = zlib.crc32(_RECORD.pack(0, length, numbered, at)[4:], seed)
    for piece in payload:
        crc = zlib.crc32(piece, crc)
    return [_RECORD.pack(crc, length, numbered, at), *payload]


def joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Put small *pieces* together, so that few calls write them."""
    buffer = bytearray()
    for piece in pieces:
        if len(piece) < LARGE:
            buffer += piece
        if buffer and (len(piece) >= LARGE or len(buffer) >= LARGE):
            yield buffer
            buffer = bytearray()
        if len(piece) >= LARGE:
            yield piece
    if buffer:
        yield buffer


def encode_changes(changes: Iterable[Change], count: int) -> list[Piece]:
    """Return the bytes of *changes*, which are *count*; large entries are not copied."""
    pieces: list[Piece] = []
    buffer = bytearray(_ARRAY.pack(0xDD, count))
    for change in changes:
        entry = change.entry
        if entry is None or len(entry.data) < LARGE:
            buffer += _encoder.encode(change)
            continue
        head = _encoder.encode(Change(change.key, msgspec.structs.replace(entry, data=b"")))
        if not head.endswith(_EMPTY_BIN):
            raise AssertionError("an entry's data is no longer its last field")
        buffer += head[:-2]
        buffer += _BIN.pack(0xC6, len(entry.data))
        pieces += (buffer, entry.data)
        buffer = bytearray()
    pieces.append(buffer)
    return pieces


def walk(data: bytes, offset: int, kind: Kind, seq: int) -> tuple[list[int], int]:
    """Find the records of *kind* that follow each other in *data* from *offset* on.

    Args:
        data: A whole file, whose header is right.
        offset: Where the first one would begin.
        kind: What they are.
        seq: The number of the first; each following one has the next.

    Returns:
        Where each of them begins, and where the last one ends.
    """
    # One call of each function a record: 100,000 of them are read at every start.
    size, seed, wanted = len(data), seed_of(data), _numbered(kind, seq)
    last = size - RECORD_SIZE
    unpack, crc32 = _FRONT.unpack_from, zlib.crc32
    starts: list[int] = []
    while offset < last:
        crc, length, found = unpack(data, offset)
        end = offset + RECORD_SIZE + length
        if found != wanted or end > size or not length or crc32(data[offset + 4 : end], seed) != crc:
            break
        starts.append(offset)
        offset = end
        wanted += 1
    return starts, offset


def end_of(data: bytes, offset: int, kind: Kind, seq: int) -> int | None:
    """Return where the record of *kind* and number *seq* ends that begins at *offset* of *data*; None: none does."""
    if not is_record(data, offset):
        return None
    _, length, found = _FRONT.unpack_from(data, offset)
    return offset + RECORD_SIZE + length if found == _numbered(kind, seq) else None


def is_record(data: bytes, offset: int) -> bool:
    """Whether a record of any kind begins at *offset* of *data*."""
    if offset < HEADER_SIZE or len(data) - offset <= RECORD_SIZE:
        return False
    crc, length, _ = _FRONT.unpack_from(data, offset)
    end = offset + RECORD_SIZE + length
    return bool(length) and end <= len(data) and zlib.crc32(data[offset + 4 : end], seed_of(data)) == crc


def resumes(data: bytes, offset: int, seq: int) -> bool:
    """Whether a record stands anywhere behind *offset* of *data*, where the one of number *seq* is damaged.

    Records are written one at a time, each after the one before it became durable: so if there is one
    behind, the damaged one had been acknowledged.
    """
    for number in range(seq, min(seq + 64, 1 << 8 * _SEQ_SIZE)):
        wanted = number.to_bytes(_SEQ_SIZE, "little")
        found = data.find(wanted, offset + 1)
        while found >= 0:
            if is_record(data, found - _SEQ_OFFSET) and found - _SEQ_OFFSET > offset:
                return True
            found = data.find(wanted, found + 1)
    return False


def payload_at(data: bytes, start: int) -> bytes:
    """Return the payload of the record that begins at *start* of *data*."""
    _, length, _ = _FRONT.unpack_from(data, start)
    return data[start + RECORD_SIZE : start + RECORD_SIZE + length]


def time_at(data: bytes, start: int) -> float:
    """Return when the record was made that begins at *start* of *data*, in seconds since 1970."""
    at: float = _AT.unpack_from(data, start + _AT_OFFSET)[0]
    return at


def _numbered(kind: Kind, seq: int) -> int:
    """Return the eight bytes of *seq* and *kind*, which a record of that kind, and the next, count up."""
    return (kind << 8 * _SEQ_SIZE) + seq
