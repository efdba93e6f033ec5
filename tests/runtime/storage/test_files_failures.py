"""A disk that fails: what is written next goes to a new file, and nothing that was acknowledged depends on the old."""

from __future__ import annotations

import pytest

from duenna._random import generator
from duenna.storage import StateWriteError
from duenna.testing import SimFs
from tests.runtime.storage.failing_disks import HOME, calls_of, names_on, new_disk, opened, store_on
from tests.runtime.storage.store_contract import entry, gone, put

# Writing.


@pytest.mark.parametrize("call", ["write", "sync"])
def test_after_an_error_the_journal_is_given_up_and_everything_is_written_anew(call: str) -> None:
    disk = new_disk()
    store = opened(disk)
    disk.fail(call)
    calls = calls_of(disk)

    with pytest.raises(
        StateWriteError,
        match=rf"^commit 2 may not be in {HOME}: Input/output error \({HOME}/jour-00000001\.bin\.tmp\)$",
    ) as caught:
        store.commit([put("b")], 2.0)
    number = store.commit([put("b"), put("c")], 3.0)

    assert (caught.value.what, number) == ("commit 2", 2)
    assert [path for name, path in calls if name == call] == [
        "jour-00000001.bin.tmp",
        "snap-00000002.bin.tmp",
        "jour-00000003.bin.tmp",
    ]
    loaded = store_on(disk.after_power_cut()).open()
    assert set(loaded.entries) == {"a", "b", "c"}
    assert (loaded.seq, loaded.source) == (2, "snap-00000002.bin and 1 journal")


@pytest.mark.parametrize("call", ["replace", "sync_directory"])
def test_after_a_doubtful_name_everything_is_written_anew(call: str) -> None:
    disk = new_disk()
    store = opened(disk)
    store.close(1.0, is_clean=False)
    store.open()
    disk.fail(call)
    with pytest.raises(StateWriteError):
        store.commit([put("b")], 2.0)
    store.commit([put("b")], 2.0)

    loaded = store_on(disk.after_power_cut()).open()

    assert set(loaded.entries) == {"a", "b"}
    assert loaded.source == "snap-00000003.bin and 1 journal"


def test_a_commit_that_failed_is_not_there_unless_it_is_given_again() -> None:
    """It stands in the old journal, whole; the new one takes it back, also for who starts from an older snapshot."""
    disk = new_disk()
    store = opened(disk)
    disk.fail("sync")
    with pytest.raises(StateWriteError):
        store.commit([put("b")], 2.0)
    store.commit([put("c")], 3.0)
    store.close(4.0, is_clean=True)

    disk = disk.after_kill()
    disk.put(f"{HOME}/snap-00000002.bin", b"damaged")
    loaded = store_on(disk).open()

    assert set(loaded.entries) == {"a", "c"}
    assert loaded.is_complete


@pytest.mark.parametrize("call", ["write", "sync", "replace", "sync_directory"])
@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_it_is_tried_with_new_files_until_it_works(call: str, times: int) -> None:
    disk = new_disk()
    store = opened(disk)
    disk.fail(call, times=times)
    failures = 0
    for _ in range(20):
        try:
            store.commit([put("b"), gone("a")], 2.0)
        except StateWriteError:
            failures += 1
        try:
            store.compact(2.0)
        except StateWriteError:
            failures += 1

    assert failures == times
    assert dict(store_on(disk.after_power_cut()).open().entries) == {"b": entry()}


def test_a_full_disk_costs_no_snapshot() -> None:
    """What the disk has is sound: the next commit begins a journal, for which the ballast has made room."""
    disk = new_disk()
    store = opened(disk, ballast=5_000)
    disk.capacity = sum(map(len, disk.files().values()))

    with pytest.raises(
        StateWriteError,
        match=rf"^commit 2 may not be in {HOME}: No space left on device \({HOME}/jour-00000001\.bin\.tmp\)$",
    ):
        store.commit([put("b")], 2.0)
    assert "BALLAST" not in names_on(disk)
    store.commit([put("b")], 2.0)

    assert names_on(disk) == ["LOCK", "jour-00000001.bin", "jour-00000002.bin"]
    assert set(store_on(disk.after_power_cut()).open().entries) == {"a", "b"}


def test_the_ballast_is_taken_again_with_the_next_snapshot() -> None:
    disk = new_disk()
    store = opened(disk, ballast=5_000)
    disk.capacity = sum(map(len, disk.files().values()))
    with pytest.raises(StateWriteError):
        store.commit([put("b")], 2.0)
    disk.capacity = None
    store.commit([put("b")], 2.0)
    assert "BALLAST" not in names_on(disk)

    store.compact(3.0)

    assert len(disk.files()[f"{HOME}/BALLAST"]) == 5_000


def test_ballast_of_another_size_is_taken_anew() -> None:
    """It was never made durable, or another was asked for."""
    disk = new_disk()
    disk.put(f"{HOME}/BALLAST", b"")

    opened(disk, ballast=5_000)

    assert len(disk.files()[f"{HOME}/BALLAST"]) == 5_000


def test_without_room_for_it_there_is_no_ballast() -> None:
    disk = new_disk()
    disk.capacity = 2_000
    store = opened(disk, ballast=5_000)

    assert names_on(disk) == ["LOCK", "jour-00000001.bin"]
    store.commit([put("b")], 2.0)


def test_a_full_disk_can_still_be_read_and_written_to_later() -> None:
    disk = new_disk()
    opened(disk).close(1.0, is_clean=False)
    disk.capacity = sum(map(len, disk.files().values()))
    store = store_on(disk)
    loaded = store.open()

    with pytest.raises(StateWriteError):
        store.commit([put("b")], 2.0)
    disk.capacity = None
    store.commit([put("b")], 2.0)

    assert set(loaded.entries) == {"a"}
    assert set(store_on(disk.after_power_cut()).open().entries) == {"a", "b"}


def test_short_writes_are_gone_on_with() -> None:
    disk = SimFs(generator(1), has_short_writes=True)
    store = opened(disk)
    store.commit([put("large", 1, bytes(range(256)) * 1_000)], 2.0)
    store.compact(3.0)
    store.commit([put("large", 2, bytes(range(256)) * 2_000)], 4.0)

    loaded = store_on(disk.after_power_cut()).open()

    assert dict(loaded.entries) == {"a": entry(), "large": entry(2, bytes(range(256)) * 2_000)}


# Compacting.


@pytest.mark.parametrize("call", ["create", "write", "sync"])
def test_a_snapshot_that_fails_harms_nobody(call: str) -> None:
    disk = new_disk()
    store = opened(disk)
    disk.fail(call, where="*/snap-*")
    calls = calls_of(disk)

    with pytest.raises(
        StateWriteError,
        match=rf"^the snapshot of commit 1 may not be in {HOME}: "
        rf"Input/output error \({HOME}/snap-00000002\.bin\.tmp\)$",
    ):
        store.compact(2.0)
    store.commit([put("b")], 2.0)

    assert names_on(disk) == ["LOCK", "jour-00000001.bin"]
    assert calls[-2:] == [("write", "jour-00000001.bin.tmp"), ("sync", "jour-00000001.bin.tmp")]
    assert set(store_on(disk.after_power_cut()).open().entries) == {"a", "b"}


@pytest.mark.parametrize("call", ["replace", "sync_directory"])
def test_a_snapshot_that_nobody_knows_to_be_there_ends_the_journal(call: str) -> None:
    """If it is, what went to the older journal would not be read."""
    disk = new_disk()
    store = opened(disk)
    disk.fail(call)

    with pytest.raises(StateWriteError, match=r"^the snapshot of commit 1 may not be in "):
        store.compact(2.0)
    store.commit([put("b")], 2.0)
    store.commit([put("c")], 2.0)

    for left in (disk.after_kill(), *(disk.after_power_cut() for _ in range(20))):
        loaded = store_on(left).open()
        assert set(loaded.entries) == {"a", "b", "c"}
        assert loaded.damages == ()


def test_old_files_that_cannot_be_removed_are_removed_next_time() -> None:
    disk = new_disk()
    store = store_on(disk, keep=1)
    store.open()
    disk.fail("remove", times=2)
    for version in range(3):
        store.commit([put("a", version)], 1.0)
        store.compact(1.0)

    assert names_on(disk) == ["LOCK", "snap-00000006.bin"]


def test_a_damaged_file_that_cannot_be_set_aside_is_not_counted_and_set_aside_next_time() -> None:
    disk = new_disk()
    store = opened(disk)
    store.compact(1.0)
    store.close(1.0, is_clean=True)
    disk.put(f"{HOME}/snap-00000002.bin", b"damaged")
    disk.fail("replace", where="*/snap-00000002.bin")
    store = store_on(disk, keep=2)
    store.open()
    store.commit([put("b")], 1.0)
    assert names_on(disk) == [
        "LOCK",
        "jour-00000001.bin",
        "jour-00000003.bin",
        "jour-00000004.bin",
        "snap-00000002.bin",
    ]

    store.compact(1.0)

    assert names_on(disk) == [
        "LOCK",
        "jour-00000001.bin",
        "jour-00000003.bin",
        "jour-00000004.bin",
        "snap-00000002.bin.corrupt",
        "snap-00000005.bin",
    ]


# The end.


def test_a_store_is_closed_also_if_its_mark_cannot_be_left() -> None:
    disk = new_disk()
    store = opened(disk)
    disk.fail("sync", times=3)

    with pytest.raises(StateWriteError, match=rf"^the mark of an orderly end may not be in {HOME}: Input/output error"):
        store.close(2.0, is_clean=True)

    assert disk.is_at_rest
    assert set(store_on(disk).open().entries) == {"a"}


def test_after_a_failed_commit_the_mark_is_of_what_was_acknowledged() -> None:
    disk = new_disk()
    store = opened(disk)
    disk.fail("sync")
    with pytest.raises(StateWriteError):
        store.commit([put("b")], 2.0)
    store.close(2.0, is_clean=True)

    loaded = store_on(disk).open()

    assert (set(loaded.entries), loaded.seq, loaded.was_clean) == ({"a"}, 1, True)


def test_a_snapshot_that_failed_is_followed_by_a_mark() -> None:
    """It may be there, and then the mark before it is not the last word."""
    disk = new_disk()
    opened(disk).close(1.0, is_clean=True)
    store = store_on(disk)
    assert store.open().was_clean
    disk.fail("sync_directory")
    with pytest.raises(StateWriteError):
        store.compact(2.0)
    store.close(2.0, is_clean=True)

    loaded = store_on(disk).open()

    assert (set(loaded.entries), loaded.was_clean) == ({"a"}, True)
