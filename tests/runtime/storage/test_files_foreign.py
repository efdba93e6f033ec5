"""Files whose records are right and whose contents are not: written by another program, or by a defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.storage import Damage, Loss
from duenna.storage._contents import Snapshot, encode_snapshot
from duenna.storage._format import Header, Kind, encode_changes, encode_header, encode_record, seed_of
from tests.runtime.storage.file_lives import life
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def journal_of(number: int, first: int, *payloads: bytes) -> bytes:
    """Return a journal whose records are right, whatever is in them."""
    header = encode_header(Header("jour", number, first, 1.0, 7))
    records = [
        piece
        for seq, payload in enumerate(payloads, first)
        for piece in encode_record(Kind.COMMIT, seq, 1.0, [payload], seed_of(header))
    ]
    return b"".join((header, *records))


def test_a_commit_that_cannot_be_understood_is_a_loss(tmp_path: Path) -> None:
    good = b"".join(encode_changes([put("a")], 1))
    tmp_path.joinpath("jour-00000001.bin").write_bytes(journal_of(1, 1, good, b"\x93\x01\x02\x03", good))

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.seq) == ({"a"}, 1)
    assert loaded.damages == (
        Damage(
            "jour-00000001.bin",
            "commit 2 cannot be decoded: Expected `object`, got `int` - at `$[0]`",
            Loss.ACKNOWLEDGED,
            "jour-00000001.bin.corrupt",
        ),
    )


def blocks(*payloads: bytes, end: bytes) -> Iterator[bytes]:
    """Give the pieces of a snapshot whose records are right, whatever is in them."""
    header = encode_header(Header("snap", 1, 1, 1.0, 7))
    yield header
    for number, payload in enumerate((*payloads, end), 1):
        kind = Kind.END if number > len(payloads) else Kind.BLOCK
        yield from map(bytes, encode_record(kind, number, 1.0, [payload], seed_of(header)))


@pytest.mark.parametrize(
    ("payload", "end", "what"),
    [
        (b"\x91\x82\xa3key\xa1a\xa5entry\xc0", b"\x92\x01\x00", "has 'a' without an entry"),
        (b"\x90", b"\x92\x00\x00", "has 0 entries in 77 bytes, which its end denies"),
        (b"\x91\x01", b"\x92\x00\x00", "cannot be decoded: Expected `object`, got `int` - at `$[0]`"),
        (
            b"\x91\x82\xa3key\xa1\xff\xa5entry\xc0",
            b"\x92\x00\x00",
            "cannot be decoded: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (b"\x90", b"\xc1", "cannot be decoded: MessagePack data is malformed: invalid opcode '\\xc1' (byte 0)"),
    ],
)
def test_a_snapshot_that_cannot_be_understood_is_damaged(tmp_path: Path, payload: bytes, end: bytes, what: str) -> None:
    tmp_path.joinpath("snap-00000001.bin").write_bytes(b"".join(blocks(payload, end=end)))

    loaded = life(tmp_path)

    assert [(damage.what, damage.loss) for damage in loaded.damages] == [(what, Loss.ACKNOWLEDGED)]


def test_a_file_under_anothers_name_is_damaged(tmp_path: Path) -> None:
    life(tmp_path, "a", is_compacted=True, is_clean=True)
    snapshot = tmp_path / "snap-00000002.bin"
    snapshot.rename(tmp_path / "snap-00000009.bin")

    loaded = life(tmp_path)

    assert loaded.damages[0].what == "its header is of another file: format 1, kind 1, number 2"


def test_an_empty_snapshot_can_be_read(tmp_path: Path) -> None:
    pieces = encode_snapshot(Header("snap", 1, 5, 1.0, 7), Snapshot(5, {}, 4.5))
    tmp_path.joinpath("snap-00000001.bin").write_bytes(b"".join(pieces))

    loaded = life(tmp_path)

    assert (dict(loaded.entries), loaded.seq, loaded.saved_at, loaded.damages) == ({}, 5, 4.5, ())
