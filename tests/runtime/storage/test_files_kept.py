"""What stays of the past, and when it is time to make it short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from duenna.storage import FileStore, OsFs
from tests.runtime.storage.store_contract import entry, put

if TYPE_CHECKING:
    from pathlib import Path


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_latest_snapshots_stay_and_all_journals_after_the_oldest_of_them(tmp_path: Path) -> None:
    store = FileStore(tmp_path, keep=2, ballast=0)
    store.open()
    for version in range(1, 6):
        store.commit([put("a", version)], 1.0)
        assert store.compact(1.0) is not None
    store.commit([put("a", 6)], 1.0)
    store.close(1.0, is_clean=True)

    assert names_in(tmp_path) == [
        "jour-00000009.bin",
        "jour-00000011.bin",
        "snap-00000008.bin",
        "snap-00000010.bin",
    ]


@pytest.mark.parametrize("bad", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_as_long_as_one_snapshot_is_whole_nothing_is_lost(tmp_path: Path, bad: tuple[int, ...]) -> None:
    store = FileStore(tmp_path)
    store.open()
    for version in range(1, 8):
        store.commit([put("a", version), put(f"b{version}")], 1.0)
        store.compact(1.0)
        store.commit([put("c", version)], 1.0)
    store.close(1.0, is_clean=True)
    snapshots = sorted(tmp_path.glob("snap-*.bin"))
    for index in bad:
        snapshots[index].write_bytes(snapshots[index].read_bytes()[:-3])

    loaded = FileStore(tmp_path).open()

    assert len(snapshots) == 3
    assert dict(loaded.entries) == {
        "a": entry(7),
        "c": entry(7),
        **{f"b{version}": entry() for version in range(1, 8)},
    }
    assert (loaded.seq, loaded.is_complete, loaded.was_clean) == (14, True, True)


def test_journals_that_outgrow_the_snapshot_want_compacting(tmp_path: Path) -> None:
    store = FileStore(tmp_path, compact_at=10_000)
    store.open()
    assert not store.wants_compacting
    store.commit([put("a", 1, bytes(9_000))], 1.0)
    assert not store.wants_compacting
    store.commit([put("b", 1, bytes(30_000))], 1.0)
    assert store.wants_compacting
    store.compact(1.0)
    store.commit([put("a", 1, bytes(20_000))], 1.0)
    assert not store.wants_compacting
    store.close(1.0, is_clean=True)

    store.open()
    assert not store.wants_compacting
    store.commit([put("a", 1, bytes(20_000))], 1.0)

    assert store.wants_compacting


def test_many_short_lives_want_compacting(tmp_path: Path) -> None:
    """Each begins a journal, however little it writes."""
    wanted = []
    store = FileStore(tmp_path, ballast=0)
    for number in range(34):
        store.open()
        store.commit([put("a", number)], 1.0)
        wanted.append(store.wants_compacting)
        store.close(1.0, is_clean=True)
    store.open()
    assert store.wants_compacting
    store.compact(1.0)

    assert wanted == [False] * 32 + [True] * 2
    assert not store.wants_compacting


def test_there_is_nothing_to_compact_twice(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()
    store.commit([put("a")], 1.0)

    assert store.compact(1.0) is not None
    assert store.compact(1.0) is None
    store.close(1.0, is_clean=True)
    store.open()
    assert store.compact(1.0) is None


def test_what_a_crash_left_unfinished_goes_with_the_first_write(tmp_path: Path) -> None:
    tmp_path.joinpath("snap-00000007.bin.tmp").write_bytes(b"half of it")
    store = FileStore(tmp_path, ballast=0)
    loaded = store.open()
    store.commit([put("a")], 1.0)
    store.close(1.0, is_clean=True)

    assert (loaded.existed, loaded.damages) == (False, ())
    assert names_in(tmp_path) == ["jour-00000008.bin"]


@attrs.frozen
class Watched(OsFs):
    """Remembers how much was written at once."""

    sizes: list[int] = attrs.field(factory=list[int])

    def write(self, file: int, data: bytes | memoryview) -> int:
        self.sizes.append(len(data))
        return super().write(file, data)


def test_a_snapshot_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    """What is written at once is a block of small entries, or one large one, which is not copied."""
    disk = Watched()
    store = FileStore(tmp_path, fs=disk, ballast=0)
    store.open()
    for number in range(40):
        store.commit([put(f"{number}-{part}", 1, bytes(1_000)) for part in range(100)], 1.0)
    store.commit([put("large", 1, bytes(3_000_000))], 1.0)
    disk.sizes.clear()

    store.compact(1.0)
    store.close(1.0, is_clean=True)

    assert sum(disk.sizes) > 7_000_000
    assert sorted(disk.sizes)[-2:] == [pytest.approx(256 * 1024, rel=0.05), 3_000_000]
    assert len(FileStore(tmp_path).open().entries) == 4_001
