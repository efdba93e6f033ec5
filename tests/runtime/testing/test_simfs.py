"""The simulated disk: what a program sees, and what a crash leaves."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

from duenna.testing import SimFs, SimulatedCrash
from tests.runtime.testing.simulated_disks import FOLDER, MANY, bytes_left, chance_of, disk_with, left, save

if TYPE_CHECKING:
    from collections.abc import Callable

# What a program sees.


def test_a_program_reads_what_it_wrote() -> None:
    disk = disk_with(b=b"2")
    save(disk, "a", b"one", b" two")

    assert disk.read(f"{FOLDER}/a") == b"one two"
    assert disk.names(FOLDER) == ["a", "b"]
    assert disk.names("/data") == ["state"]
    assert disk.is_at_rest


def test_creating_a_file_that_is_there_empties_it() -> None:
    disk = disk_with(a=b"before")
    save(disk, "a", b"x")

    assert disk.files() == {f"{FOLDER}/a": b"x"}


def test_a_name_is_replaced_and_removed() -> None:
    disk = disk_with(a=b"1", b=b"2")
    disk.replace(f"{FOLDER}/a", f"{FOLDER}/b")

    assert disk.files() == {f"{FOLDER}/b": b"1"}

    disk.replace(f"{FOLDER}/b", f"{FOLDER}/b")
    disk.remove(f"{FOLDER}/b")

    assert disk.names(FOLDER) == []


def test_an_open_file_can_be_written_after_its_name_is_gone() -> None:
    disk = disk_with()
    file = disk.create(f"{FOLDER}/a")
    disk.remove(f"{FOLDER}/a")

    assert disk.write(file, b"x") == 1
    assert not disk.is_at_rest


@pytest.mark.parametrize(
    "call",
    [
        lambda disk: disk.names("/nowhere"),
        lambda disk: disk.read(f"{FOLDER}/a"),
        lambda disk: disk.create("/nowhere/a"),
        lambda disk: disk.replace(f"{FOLDER}/a", f"{FOLDER}/b"),
        lambda disk: disk.remove(f"{FOLDER}/a"),
        lambda disk: disk.sync_directory("/nowhere"),
        lambda disk: disk.lock("/nowhere"),
    ],
)
def test_what_is_not_there_cannot_be_used(call: Callable[[SimFs], object]) -> None:
    with pytest.raises(FileNotFoundError):
        call(disk_with())


def test_a_descriptor_that_is_closed_cannot_be_used() -> None:
    disk = disk_with()
    file = disk.create(f"{FOLDER}/a")
    disk.close(file)
    lock = disk.lock(FOLDER)
    assert lock is not None
    disk.unlock(lock)

    for call in (lambda: disk.write(file, b"x"), lambda: disk.sync(file), lambda: disk.close(file)):
        with pytest.raises(OSError, match=r"^\[Errno 9\] Bad file descriptor: '\d+'$"):
            call()
    with pytest.raises(OSError, match=r"^\[Errno 9\] Bad file descriptor: '\d+'$"):
        disk.unlock(lock)


def test_a_directory_is_locked_once() -> None:
    disk = disk_with()
    lock = disk.lock(FOLDER)
    assert lock is not None

    assert disk.lock(FOLDER) is None
    disk.unlock(lock)
    assert disk.lock(FOLDER) is not None


# What a power cut leaves.


def test_what_was_synced_is_left() -> None:
    disk = disk_with()
    save(disk, "a", b"one", b"two", syncs=True)
    disk.sync_directory(FOLDER)

    assert left(disk) == {(("a", b"onetwo"),)}


def test_a_file_whose_directory_was_not_synced_may_have_no_name() -> None:
    disk = disk_with()
    save(disk, "a", b"one", syncs=True)

    assert left(disk) == {(), (("a", b"one"),)}


def test_a_write_that_was_not_synced_is_there_cut_zero_filled_or_missing() -> None:
    disk = disk_with()
    save(disk, "a", b"abc")
    disk.sync_directory(FOLDER)

    zeros = {b"\0\0\0", b"\0\0c", b"\0bc", b"a\0\0", b"a\0c", b"ab\0"}
    assert bytes_left(disk) == {b"abc", b"ab", b"a", b""} | zeros


def test_each_write_fares_for_itself() -> None:
    """A later one may get through where an earlier one did not: what is between reads as zeros."""
    disk = disk_with()
    save(disk, "a", b"ab", b"cd")
    disk.sync_directory(FOLDER)

    first = {b"ab", b"a\0", b"\0b", bytes(2)}
    second = {b"cd", b"c", b"c\0", b"\0d", bytes(2)}
    alone = {b"", b"a", *first}
    assert bytes_left(disk) == {one + two for one in first for two in second} | alone


def test_the_blocks_of_a_removed_file_may_turn_up_in_a_write_that_was_not_synced() -> None:
    disk = disk_with(old=b"12345", a=b"")
    disk.remove(f"{FOLDER}/old")
    disk.sync_directory(FOLDER)
    save(disk, "a", b"abc", syncs=True)
    save(disk, "b", b"abc")
    disk.sync_directory(FOLDER)

    assert bytes_left(disk, "a") == {b"abc"}
    assert b"123" in bytes_left(disk, "b")


def test_a_file_that_was_emptied_may_have_its_bytes_again() -> None:
    disk = disk_with(a=b"before")
    save(disk, "a", b"x")

    found = bytes_left(disk)
    assert {b"before", b"xefore", b"x", b""} <= found

    save(disk, "a", b"x", syncs=True)
    assert bytes_left(disk) == {b"x"}


def test_each_name_fares_for_itself() -> None:
    """Of a file that was renamed both names may be left, or neither."""
    disk = disk_with(a=b"1")
    disk.replace(f"{FOLDER}/a", f"{FOLDER}/b")

    assert left(disk) == {(("a", b"1"),), (("b", b"1"),), (("a", b"1"), ("b", b"1")), ()}
    disk.sync_directory(FOLDER)
    assert left(disk) == {(("b", b"1"),)}


def test_of_the_changes_of_one_name_some_first_ones_are_left() -> None:
    disk = disk_with(a=b"1", b=b"2", c=b"3")
    disk.replace(f"{FOLDER}/b", f"{FOLDER}/a")
    disk.replace(f"{FOLDER}/c", f"{FOLDER}/a")
    disk.remove(f"{FOLDER}/a")

    assert bytes_left(disk) == {b"1", b"2", b"3", None}


def test_a_file_with_two_names_left_is_one_file() -> None:
    disk = disk_with(a=b"1")
    disk.replace(f"{FOLDER}/a", f"{FOLDER}/b")
    cut = next(cut for cut in map(disk.after_power_cut, map(chance_of, range(MANY))) if len(cut.files()) == 2)
    save(cut, "a", b"new")

    assert cut.files() == {f"{FOLDER}/a": b"new", f"{FOLDER}/b": b"new"}


def test_the_same_seed_leaves_the_same() -> None:
    disk = disk_with()
    save(disk, "a", bytes(range(200)), b"123")

    assert [disk.after_power_cut(chance_of(7)).files() for _ in range(2)] == [
        disk.after_power_cut(chance_of(7)).files()
    ] * 2


def test_after_a_power_cut_all_is_durable_and_nobody_holds_anything() -> None:
    disk = disk_with(a=b"1")
    disk.lock(FOLDER)
    disk.create(f"{FOLDER}/b")
    disk.fail("read", times=inf)
    cut = disk.after_power_cut()

    assert cut.is_at_rest
    assert cut.read(f"{FOLDER}/a") == b"1"
    assert len(left(cut)) == 1


def test_after_a_kill_all_is_there_but_no_more_durable_than_it_was() -> None:
    disk = disk_with(a=b"1")
    disk.lock(FOLDER)
    save(disk, "b", b"2")
    disk.replace(f"{FOLDER}/a", f"{FOLDER}/c")
    killed = disk.after_kill()
    save(disk, "later", b"3")

    assert killed.files() == {f"{FOLDER}/b": b"2", f"{FOLDER}/c": b"1"}
    assert killed.is_at_rest
    assert {None, b"", b"\0", b"2"} == bytes_left(killed, "b")
    assert {None, b"1"} == bytes_left(killed, "c") == bytes_left(killed, "a")


# The end of the program.


def test_the_program_ends_before_the_chosen_call_and_nothing_of_it_runs_on() -> None:
    disk = disk_with()
    disk.crash_at(3)
    file = disk.create(f"{FOLDER}/a")
    disk.write(file, b"1")

    for call in (
        lambda: disk.write(file, b"2"),
        lambda: disk.close(file),
        lambda: disk.names(FOLDER),
        lambda: disk.lock(FOLDER),
    ):
        with pytest.raises(SimulatedCrash):
            call()
    assert disk.after_kill().files() == {f"{FOLDER}/a": b"1"}
    assert disk.calls == 1 + 3


def test_who_watches_sees_the_disk_before_each_call() -> None:
    seen: list[tuple[str, str, dict[str, bytes]]] = []
    disk = disk_with()
    disk.before = lambda call, path: seen.append((call, path, dict(disk.files())))
    save(disk, "a", b"1", syncs=True)

    path = f"{FOLDER}/a"
    assert seen == [
        ("create", path, {}),
        ("write", path, {path: b""}),
        ("sync", path, {path: b"1"}),
        ("close", path, {path: b"1"}),
    ]
    assert disk.after_power_cut().before is None


def test_the_program_ends_before_the_chosen_call_of_a_kind() -> None:
    disk = disk_with()
    disk.crash_at(2, "sync")
    save(disk, "a", b"1", syncs=True)

    with pytest.raises(SimulatedCrash):
        save(disk, "b", b"2", syncs=True)
    assert disk.after_kill().names(FOLDER) == ["a", "b"]


def test_the_number_of_a_call_is_counted_from_one() -> None:
    with pytest.raises(ValueError, match=r"^number must be at least 1, got 0$"):
        disk_with().crash_at(0)
