"""Files that are damaged or gone: what it costs is said, what is well is read, and what is damaged is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from duenna.storage import Damage, Loss
from tests.runtime.storage.file_lives import cut, flip, life, names_in, of_loss, store_in
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from pathlib import Path


# Snapshots.


def test_an_older_snapshot_takes_a_damaged_ones_place(tmp_path: Path) -> None:
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b", is_compacted=True)
    life(tmp_path, "c", is_clean=True)
    snapshot = tmp_path / "snap-00000004.bin"
    cut(snapshot, 1)
    damaged = snapshot.read_bytes()

    loaded = life(tmp_path)

    size = len(damaged)
    offset = size + 1 - 24 - 4
    assert loaded.damages == (
        Damage(
            "snap-00000004.bin",
            f"is not whole, at byte {offset} of {size}",
            Loss.NOTHING,
            "snap-00000004.bin.corrupt",
        ),
    )
    assert (set(loaded.entries), loaded.was_clean) == ({"a", "b", "c"}, True)
    assert loaded.source == "snap-00000002.bin and 2 journals"
    assert "snap-00000004.bin" in names_in(tmp_path)

    life(tmp_path, "d")

    assert tmp_path.joinpath("snap-00000004.bin.corrupt").read_bytes() == damaged
    loaded = life(tmp_path)
    assert (set(loaded.entries), loaded.damages) == ({"a", "b", "c", "d"}, ())


def test_damage_wants_compacting_once_there_is_a_commit(tmp_path: Path) -> None:
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b", is_compacted=True)
    cut(tmp_path / "snap-00000004.bin", 1)
    store = store_in(tmp_path)
    store.open()

    assert store.wants_compacting
    assert store.compact(1.0) is not None
    assert not store.wants_compacting
    assert "snap-00000004.bin.corrupt" in names_in(tmp_path)


def test_the_empty_state_is_what_the_first_journal_starts_from(tmp_path: Path) -> None:
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b")
    cut(tmp_path / "snap-00000002.bin", 1)

    loaded = life(tmp_path)

    assert (set(loaded.entries), of_loss(loaded, Loss.NOTHING)) == ({"a", "b"}, ["snap-00000002.bin"])


def test_with_nothing_to_start_from_there_is_nothing_and_it_is_said(tmp_path: Path) -> None:
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b")
    cut(tmp_path / "snap-00000002.bin", 1)
    tmp_path.joinpath("jour-00000001.bin").unlink()

    loaded = life(tmp_path)

    assert (dict(loaded.entries), loaded.seq, loaded.existed, loaded.is_complete) == ({}, 0, True, False)
    assert [(damage.where, damage.what) for damage in loaded.damages] == [
        ("jour-00000003.bin", "commits from 2 on cannot be used, for commit 1 is missing"),
        ("snap-00000002.bin", loaded.damages[1].what),
    ]
    assert of_loss(loaded, Loss.ACKNOWLEDGED) == ["jour-00000003.bin", "snap-00000002.bin"]


def test_a_snapshot_without_a_header_and_nothing_else_is_a_loss(tmp_path: Path) -> None:
    tmp_path.joinpath("snap-00000002.bin").write_bytes(bytes(500))

    loaded = life(tmp_path)

    assert (dict(loaded.entries), loaded.existed) == ({}, True)
    assert of_loss(loaded, Loss.ACKNOWLEDGED) == ["snap-00000002.bin"]


def test_a_snapshot_that_nothing_leads_to_is_missed_by_its_own_header(tmp_path: Path) -> None:
    """There is no journal behind it that would miss a commit."""
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b", "c", is_compacted=True)
    cut(tmp_path / "snap-00000004.bin", 1)
    assert life(tmp_path).is_complete
    cut(tmp_path / "jour-00000003.bin", 1)
    assert of_loss(life(tmp_path), Loss.UNKNOWN) == ["jour-00000003.bin"]
    assert of_loss(life(tmp_path), Loss.ACKNOWLEDGED) == ["snap-00000004.bin"]


def test_a_snapshot_that_can_be_read_again_is_not_gone_back_to(tmp_path: Path) -> None:
    """It could not be read, its journals neither; the count went on from an earlier commit, and that is the state."""
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b", is_compacted=True)
    snapshot, journal = tmp_path / "snap-00000004.bin", tmp_path / "jour-00000003.bin"
    whole = snapshot.read_bytes()
    cut(snapshot, 1)
    journal.unlink()
    life(tmp_path, "c")
    snapshot.write_bytes(whole)

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.seq) == ({"a", "c"}, 2)
    assert loaded.damages == (
        Damage(
            "snap-00000004.bin",
            "was given up: the journals after it begin with an earlier commit",
            Loss.NOTHING,
            "snap-00000004.bin.corrupt",
        ),
    )


# Journals.


def test_a_torn_end_costs_nothing_that_anybody_can_name(tmp_path: Path) -> None:
    life(tmp_path, "a", "b")
    journal = tmp_path / "jour-00000001.bin"
    cut(journal, 1)
    torn = journal.read_bytes()

    loaded = life(tmp_path)

    offset = 52 + (len(torn) + 1 - 52) // 2
    assert loaded.damages == (
        Damage(
            "jour-00000001.bin", f"cannot be read behind commit 1, from byte {offset} of {len(torn)} on", Loss.UNKNOWN
        ),
    )
    assert (set(loaded.entries), loaded.is_complete, loaded.was_clean) == ({"a"}, True, False)

    life(tmp_path, "c")
    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.damages) == ({"a", "c"}, ())
    assert journal.read_bytes() == torn


def test_a_torn_mark_is_no_mark(tmp_path: Path) -> None:
    life(tmp_path, "a", is_clean=True)
    cut(tmp_path / "jour-00000001.bin", 1)

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.was_clean, loaded.is_complete) == ({"a"}, False, True)


@pytest.mark.parametrize("is_clean", [False, True])
def test_damage_with_something_behind_it_costs_what_was_acknowledged(tmp_path: Path, is_clean: bool) -> None:
    """A record is written after the one before it became durable: a write under way does not look like that."""
    life(tmp_path, "a", "b", *([] if is_clean else ["c"]), is_clean=is_clean)
    journal = tmp_path / "jour-00000001.bin"
    flip(journal, 52 + (journal.read_bytes()[52 + 4] + 24) + 30)

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.seq) == ({"a"}, 1)
    assert [(damage.loss, damage.kept_as) for damage in loaded.damages] == [
        (Loss.ACKNOWLEDGED, "jour-00000001.bin.corrupt")
    ]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 51, 52, 53, 100])
def test_a_journal_without_its_first_record_is_damaged(tmp_path: Path, size: int) -> None:
    """It gets its name only once its first record is durable: no crash leaves it without."""
    life(tmp_path, "a", is_clean=True)
    life(tmp_path, "b", is_clean=True)
    journal = tmp_path / "jour-00000002.bin"
    journal.write_bytes(journal.read_bytes()[:size])

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.was_clean) == ({"a"}, False)
    assert of_loss(loaded, Loss.ACKNOWLEDGED) == ["jour-00000002.bin"]


def test_a_journal_that_is_gone_is_missed_by_the_next(tmp_path: Path) -> None:
    """But for its last commit, which the next one repeats."""
    life(tmp_path, "a")
    life(tmp_path, "b", "bb", is_clean=True)
    life(tmp_path, "c", is_clean=True)
    life(tmp_path, "d", is_clean=True)
    tmp_path.joinpath("jour-00000002.bin").unlink()

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.seq, loaded.was_clean) == ({"a"}, 1, False)
    assert loaded.damages == (
        Damage(
            "jour-00000004.bin",
            "commits from 5 on cannot be used, for commit 2 is missing",
            Loss.ACKNOWLEDGED,
            "jour-00000004.bin.corrupt",
        ),
    )


def test_after_a_loss_the_count_goes_on_from_what_there_is(tmp_path: Path) -> None:
    """What stood behind it is set aside; what stands before it is read from a file that was set aside, too."""
    life(tmp_path, "a", "b", "c")
    life(tmp_path, "d")
    flip(tmp_path / "jour-00000001.bin", 52 + 40)
    journal = tmp_path / "jour-00000001.bin"
    flip(journal, 52 + 40)
    length = journal.read_bytes()[52 + 4] + 24
    flip(journal, 52 + length + 30)

    loaded = life(tmp_path, "e")

    assert (set(loaded.entries), loaded.is_complete) == ({"a"}, False)
    assert names_in(tmp_path) == ["jour-00000001.bin.corrupt", "jour-00000002.bin.corrupt", "jour-00000003.bin"]
    loaded = life(tmp_path)
    assert (set(loaded.entries), loaded.seq, loaded.damages) == ({"a", "e"}, 2, ())


def test_a_damaged_journal_that_nothing_is_missing_from_costs_nothing(tmp_path: Path) -> None:
    """A file that nobody wrote, between two that follow each other; of one that was set aside, it was said before."""
    life(tmp_path, "a", is_clean=True)
    tmp_path.joinpath("jour-00000003.bin.corrupt").write_bytes(b"")
    life(tmp_path, "b", is_clean=True)
    tmp_path.joinpath("jour-00000002.bin").write_bytes(b"nothing like a journal")

    loaded = life(tmp_path)

    assert (set(loaded.entries), loaded.was_clean) == ({"a", "b"}, True)
    assert [(damage.where, damage.loss) for damage in loaded.damages] == [("jour-00000002.bin", Loss.NOTHING)]


def test_files_that_were_set_aside_are_no_new_state(tmp_path: Path) -> None:
    tmp_path.joinpath("snap-00000003.bin.corrupt").write_bytes(b"")

    loaded = life(tmp_path)

    assert (dict(loaded.entries), loaded.existed) == ({}, True)
    assert loaded.damages == (Damage("the directory", "has nothing but files that were set aside", Loss.ACKNOWLEDGED),)


@pytest.mark.parametrize(("size", "loss"), [(1, Loss.NOTHING), (-20, Loss.ACKNOWLEDGED)])
def test_a_hole_behind_a_damaged_snapshot_may_have_been_in_it(tmp_path: Path, size: int, loss: Loss) -> None:
    """Unless its header still says that it was not."""
    life(tmp_path, "a", is_compacted=True)
    life(tmp_path, "b", is_compacted=True)
    life(tmp_path, "c", "cc")
    life(tmp_path, "d", "dd")
    cut(tmp_path / "snap-00000004.bin", size)
    tmp_path.joinpath("jour-00000005.bin").unlink()

    loaded = life(tmp_path)

    assert set(loaded.entries) == {"a", "b"}
    assert [(damage.where, damage.loss) for damage in loaded.damages] == [
        ("jour-00000006.bin", Loss.ACKNOWLEDGED),
        ("snap-00000004.bin", loss),
    ]


# A loss is not hidden.


@pytest.mark.parametrize("before", [(), ("a",)])
def test_a_loss_is_told_until_a_commit_comes_after_it(tmp_path: Path, before: tuple[str, ...]) -> None:
    """No mark, no snapshot: a runtime that only looked, and ended in order, leaves it to the next to see."""
    life(tmp_path, *before, is_clean=True)
    life(tmp_path, "b", "bb", is_clean=True)
    life(tmp_path, "c")
    sorted(tmp_path.glob("jour-*"))[-2].unlink()
    names = names_in(tmp_path)
    store = store_in(tmp_path)
    for _ in range(2):
        assert not store.open().is_complete
        assert not store.wants_compacting
        assert store.compact(1.0) is None
        store.close(1.0, is_clean=True)
    assert names_in(tmp_path) == names

    store.open()
    store.commit([put("d")], 1.0)
    assert store.wants_compacting
    store.close(1.0, is_clean=True)

    loaded = life(tmp_path)
    assert (set(loaded.entries), loaded.is_complete, loaded.was_clean) == ({*before, "d"}, True, True)
