"""Bytes of headers and records: what was written comes back, and nothing else does."""

from __future__ import annotations

import errno
from itertools import pairwise
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.storage._contents import BLOCK_SIZE, Snapshot, decode_journal, decode_snapshot, encode_snapshot
from duenna.storage._format import (
    HEADER_SIZE,
    LARGE,
    RECORD_SIZE,
    DamagedError,
    Header,
    Kind,
    NewerFormatError,
    decode_changes,
    decode_header,
    encode_changes,
    encode_header,
    encode_record,
    end_of,
    joined,
    payload_at,
    resumes,
    seed_of,
    time_at,
    walk,
)
from duenna.storage._layout import File
from duenna.storage.entries import Change, Entry
from tests.runtime.storage.store_contract import entries, entry, gone, keys, put

HEADER = Header("jour", 12, 345, 1_764_000_000.25, 2**64 - 3)
JOURNAL = File(12, "jour")
SNAPSHOT = File(7, "snap")


def headers() -> st.SearchStrategy[Header]:
    big = st.integers(0, 2**64 - 1)
    return st.builds(Header, st.sampled_from(["snap", "jour"]), big, big, st.floats(allow_nan=False), big)


def changes() -> st.SearchStrategy[list[Change]]:
    return st.lists(st.builds(Change, keys(), st.none() | entries()), max_size=5)


def journal(*records: tuple[Kind, int, bytes], header: Header = HEADER) -> bytes:
    """Return a journal of *records*: kind, seq, payload; each made at the second of its seq."""
    data = encode_header(header)
    pieces = [
        piece
        for kind, seq, payload in records
        for piece in encode_record(kind, seq, float(seq), [payload], seed_of(data))
    ]
    return b"".join((data, *pieces))


def commits(first: int, count: int, header: Header = HEADER) -> bytes:
    return journal(*((Kind.COMMIT, first + number, b"payload") for number in range(count)), header=header)


def snapshot(state: Snapshot) -> bytes:
    return b"".join(encode_snapshot(Header("snap", 7, state.seq, 9.0, 1), state))


# Headers.


@given(headers())
def test_a_header_comes_back(header: Header) -> None:
    data = encode_header(header)

    assert len(data) == HEADER_SIZE
    assert decode_header(data + b"more", header.kind, header.number) == header


def test_every_flipped_bit_of_a_header_is_seen() -> None:
    """Also in its format's number: it is damaged then, and not of a later format."""
    data = encode_header(HEADER)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            decode_header(bytes(flipped), "jour", 12)


def test_every_cut_of_a_header_is_seen() -> None:
    data = encode_header(HEADER)
    for size in range(len(data)):
        with pytest.raises(DamagedError, match=rf"^ends within its header, after {size} bytes$"):
            decode_header(data[:size], "jour", 12)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "ends within its header, after 0 bytes"),
        (bytes(100), "does not begin as a file of a state does"),
        (encode_header(HEADER).replace(b"\r\n", b"\n") + b"x", "does not begin as a file of a state does"),
        (encode_header(HEADER)[:-1] + b"\0", "its header is damaged"),
    ],
)
def test_what_is_no_header_is_said(data: bytes, what: str) -> None:
    with pytest.raises(DamagedError, match=rf"^{what}$"):
        decode_header(data, "jour", 12)


@pytest.mark.parametrize(("kind", "number"), [("snap", 12), ("jour", 13)])
def test_a_header_belongs_to_one_name(kind: str, number: int) -> None:
    with pytest.raises(DamagedError, match=r"^its header is of another file: format 1, kind 2, number 12$"):
        decode_header(encode_header(HEADER), kind, number)


@pytest.mark.parametrize("version", [2, 3, 65_535])
@pytest.mark.parametrize("size", [16, 17, 52, 1_000])
def test_a_later_format_is_known_by_the_first_16_bytes(version: int, size: int) -> None:
    """Whatever it makes of the rest."""
    data = with_format(encode_header(HEADER), version).ljust(size, b"?")[:size]

    with pytest.raises(NewerFormatError, match=rf"^format {version}$") as caught:
        decode_header(data, "snap", 99)

    assert caught.value.format == version


def test_there_was_no_format_0() -> None:
    data = with_format(encode_header(HEADER), 0)
    data = data[:-4] + crc(data[:-4])

    with pytest.raises(DamagedError, match=r"^its header is of another file: format 0, kind 2, number 12$"):
        decode_header(data, "jour", 12)


# Records.


@given(st.sampled_from(Kind), st.integers(0, 2**56 - 1), st.floats(allow_nan=False), st.binary(min_size=1))
def test_a_record_comes_back(kind: Kind, seq: int, at: float, payload: bytes) -> None:
    header = encode_header(HEADER)
    data = header + b"".join(encode_record(kind, seq, at, [payload[:3], payload[3:]], seed_of(header)))

    assert walk(data, HEADER_SIZE, kind, seq) == ([HEADER_SIZE], len(data))
    assert len(data) == HEADER_SIZE + RECORD_SIZE + len(payload)
    assert (payload_at(data, HEADER_SIZE), time_at(data, HEADER_SIZE)) == (payload, at)


def test_records_are_followed_as_far_as_they_follow_each_other() -> None:
    data = journal(
        (Kind.COMMIT, 345, b"a"), (Kind.COMMIT, 346, b"b"), (Kind.CLEAN, 346, b"c"), (Kind.COMMIT, 348, b"d")
    )

    starts, end = walk(data, HEADER_SIZE, Kind.COMMIT, 345)

    assert [payload_at(data, start) for start in starts] == [b"a", b"b"]
    assert walk(data, HEADER_SIZE, Kind.COMMIT, 346) == ([], HEADER_SIZE)
    assert walk(data, end, Kind.CLEAN, 346)[0] == [end]
    assert [end_of(data, HEADER_SIZE, kind, seq) for kind, seq in [(Kind.COMMIT, 345), (Kind.COMMIT, 346)]] == [
        starts[1],
        None,
    ]
    assert end_of(data, HEADER_SIZE, Kind.REPEAT, 345) is None
    assert end_of(data, HEADER_SIZE + 1, Kind.COMMIT, 345) is None


@pytest.mark.parametrize("tail", [1, 23, 24, 25, 48, 1_000])
def test_zeros_are_no_records(tail: int) -> None:
    """The crc of nothing is 0, so that a file that was made longer before its bytes arrived looks like many records."""
    data = commits(345, 2)

    assert walk(data + bytes(tail), HEADER_SIZE, Kind.COMMIT, 345)[1] == len(data)
    assert walk(encode_header(HEADER) + bytes(tail), HEADER_SIZE, Kind.COMMIT, 0) == ([], HEADER_SIZE)


def test_a_record_of_nothing_is_no_record() -> None:
    data = journal((Kind.COMMIT, 345, b""))

    assert walk(data, HEADER_SIZE, Kind.COMMIT, 345) == ([], HEADER_SIZE)
    assert walk(data + b"more", HEADER_SIZE, Kind.COMMIT, 345) == ([], HEADER_SIZE)


def test_records_of_another_file_are_no_records() -> None:
    """Not even of a file of the same name, kind and numbers: the salt is another."""
    stale = commits(345, 3, Header("jour", 12, 345, 1_764_000_000.25, 99))
    data = commits(345, 2)

    assert walk(data + stale[len(data) :], HEADER_SIZE, Kind.COMMIT, 345)[1] == len(data)


def test_nothing_is_seen_behind_a_torn_end() -> None:
    data = commits(345, 3)
    last = HEADER_SIZE + 2 * (RECORD_SIZE + 7)

    for size in range(last, len(data)):
        assert not resumes(data[:size], last, 347)
        assert not resumes(data[:size] + bytes(500), last, 347)


def test_a_record_is_seen_behind_a_damaged_one() -> None:
    data = journal(
        (Kind.COMMIT, 345, b"a" * 50), (Kind.COMMIT, 346, b"b" * 50), (Kind.COMMIT, 347, b"c"), (Kind.CLEAN, 347, b"d")
    )
    second = HEADER_SIZE + RECORD_SIZE + 50

    for bit in range(8 * second, 8 * (second + RECORD_SIZE + 50)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert resumes(bytes(flipped), second, 346)
    assert resumes(data[:second] + bytes(20) + data[second + RECORD_SIZE + 50 :], second, 346)


class Huge(bytes):
    """Says that it is 4 GiB."""

    def __len__(self) -> int:
        return 2**32


def test_a_record_has_less_than_4_gib() -> None:
    with pytest.raises(OSError, match=r"4294967296 bytes at once, 4294967295 is the most") as caught:
        encode_record(Kind.COMMIT, 1, 1.0, [Huge()], 1)

    assert caught.value.errno == errno.EFBIG


# Changes.


@given(changes())
def test_changes_come_back(given: list[Change]) -> None:
    assert decode_changes(b"".join(encode_changes(given, len(given)))) == given


@pytest.mark.parametrize("size", [LARGE - 1, LARGE, LARGE + 1, 3 * LARGE])
def test_a_large_entry_is_written_from_where_it_is(size: int) -> None:
    change = put("large", 2, bytes(size))
    assert change.entry is not None

    changes = [put("a"), change, gone("b"), change]

    pieces = encode_changes(changes, 4)

    assert b"".join(pieces) == b"\xdd\0\0\0\4" + b"".join(map(msgspec.msgpack.encode, changes))
    assert decode_changes(b"".join(pieces)) == changes
    assert [piece is change.entry.data for piece in pieces].count(True) == (0 if size < LARGE else 2)


@given(st.lists(st.sampled_from([0, 1, 100, LARGE - 1, LARGE, LARGE + 5])))
def test_small_pieces_are_put_together(sizes: list[int]) -> None:
    pieces = [bytes([number % 256]) * size for number, size in enumerate(sizes)]

    together = list(joined(pieces))

    assert b"".join(together) == b"".join(pieces)
    assert all(together)
    small = [len(piece) < LARGE for piece in together]
    assert not any(one and next_ for one, next_ in pairwise(small))


# Snapshots.


@given(st.dictionaries(keys(), entries()))
def test_a_snapshot_comes_back(state: dict[str, Entry]) -> None:
    whole = Snapshot(5, state, 4.5)

    assert decode_snapshot(snapshot(whole), SNAPSHOT) == Snapshot(5, whole.entries, 4.5, 1 if state else 0)


def test_a_snapshot_is_made_of_blocks() -> None:
    state = {f"actor:/{number}": entry(number, bytes(1_000)) for number in range(1_000)}
    whole = Snapshot(5, state, 4.5)

    data = snapshot(whole)

    found = decode_snapshot(data, SNAPSHOT)
    assert found.entries == state
    assert list(found.entries) == list(state)
    assert found.blocks == 5
    assert max(map(len, joined(encode_snapshot(Header("snap", 7, 5, 9.0, 1), whole)))) < BLOCK_SIZE + 4_000


def test_a_snapshot_is_whole_or_nothing() -> None:
    """Every cut, every flipped bit, and anything behind its end."""
    data = snapshot(Snapshot(5, {"a": entry(), "b": entry(2, b"\x81\xa1x\x01")}, 4.5))

    for size in range(len(data)):
        with pytest.raises(DamagedError):
            decode_snapshot(data[:size], SNAPSHOT)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            decode_snapshot(bytes(flipped), SNAPSHOT)
    for more in (b"\0", bytes(100), data[HEADER_SIZE:]):
        with pytest.raises(DamagedError):
            decode_snapshot(data + more, SNAPSHOT)


def test_a_key_that_stands_twice_is_damage() -> None:
    header = encode_header(Header("snap", 7, 5, 9.0, 1))
    block = encode_record(Kind.BLOCK, 1, 1.0, encode_changes([put("a"), put("a", 2)], 2), seed_of(header))
    size = len(header) + sum(map(len, block))
    end = encode_record(Kind.END, 2, 1.0, [b"\x92\x02" + bytes([0xCC, size])], seed_of(header))

    with pytest.raises(DamagedError, match=rf"^has 1 entries in {size} bytes, which its end denies$"):
        decode_snapshot(b"".join((header, *block, *end)), SNAPSHOT)


# Journals.


def test_a_journal_comes_back() -> None:
    data = journal(
        (Kind.REPEAT, 344, b"before"), (Kind.COMMIT, 345, b"one"), (Kind.COMMIT, 346, b"two"), (Kind.CLEAN, 346, b"x")
    )

    found = decode_journal(data, JOURNAL)

    assert (found.link.start, found.link.commits, found.link.repeats) == (345, 2, True)
    assert (found.link.is_clean, found.link.fault) == (True, "")
    assert list(found.payloads(0, 2)) == [b"one", b"two"]
    assert list(found.payloads(1, 2)) == [b"two"]
    assert list(found.payloads(-1, 0)) == [b"before"]
    assert [time_at(data, found.record(index)) for index in (-1, 0, 1)] == [344.0, 345.0, 346.0]


@given(headers(), st.binary(max_size=100))
def test_whatever_stands_behind_a_header_is_read_or_a_fault(header: Header, data: bytes) -> None:
    link = decode_journal(encode_header(header) + data, File(header.number, "jour")).link

    assert (link.commits, link.is_clean) == (0, False)
    assert link.fault


@pytest.mark.parametrize(
    ("records", "commits", "fault", "is_torn"),
    [
        ([], 0, "ends before its first commit, 345", False),
        ([(Kind.REPEAT, 344, b"r")], 0, "ends before its first commit, 345", False),
        ([(Kind.COMMIT, 346, b"x")], 0, "cannot be read behind commit 344, from byte 52 of 77 on", False),
        ([(Kind.BLOCK, 345, b"x")], 0, "cannot be read behind commit 344, from byte 52 of 77 on", False),
        (
            [(Kind.COMMIT, 345, b"x"), (Kind.COMMIT, 345, b"x")],
            1,
            "cannot be read behind commit 345, from byte 77 of 102 on",
            True,
        ),
        (
            [(Kind.COMMIT, 345, b"x"), (Kind.CLEAN, 345, b"x"), (Kind.CLEAN, 345, b"x")],
            1,
            "cannot be read behind commit 345, from byte 102 of 127 on",
            True,
        ),
        (
            [(Kind.REPEAT, 344, b"x"), (Kind.REPEAT, 345, b"x")],
            0,
            "cannot be read behind commit 344, from byte 77 of 102 on",
            False,
        ),
    ],
)
def test_records_out_of_order_are_damage(
    records: list[tuple[Kind, int, bytes]], commits: int, fault: str, is_torn: bool
) -> None:
    link = decode_journal(journal(*records), JOURNAL).link

    assert (link.commits, link.fault, link.is_torn, link.is_clean) == (commits, fault, is_torn, False)


def with_format(header: bytes, version: int) -> bytes:
    """Return *header* as if a program of another *version* had written its first 16 bytes."""
    front = header[:8] + version.to_bytes(2, "little") + header[10:12]
    return front + crc(front) + header[16:]


def crc(data: bytes) -> bytes:
    return crc32(data).to_bytes(4, "little")
