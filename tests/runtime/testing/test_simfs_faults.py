"""The simulated disk: what fails when it is told to."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from tests.runtime.testing.simulated_disks import FOLDER, MANY, bytes_left, disk_with, save

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_failed_sync_loses_what_was_written_and_the_next_one_does_not_say_so() -> None:
    disk = disk_with()
    file = disk.create(f"{FOLDER}/a")
    disk.sync_directory(FOLDER)
    disk.write(file, b"ab")
    disk.sync(file)
    disk.write(file, b"cd")
    disk.fail("sync")
    with pytest.raises(OSError, match=r"^\[Errno 5\] Input/output error: '/data/state/a'$"):
        disk.sync(file)
    disk.sync(file)

    assert disk.read(f"{FOLDER}/a") == b"abcd"
    assert bytes_left(disk) == {b"ab", b"abc", b"ab\0\0", b"ab\0d", b"abc\0"}
    disk.write(file, b"ef")
    disk.sync(file)
    assert bytes_left(disk) == {b"ab\0\0ef", b"abc\0ef", b"ab\0def"}


def test_names_are_never_certain_after_a_failed_sync_of_their_directory() -> None:
    disk = disk_with(a=b"1")
    disk.remove(f"{FOLDER}/a")
    disk.fail("sync_directory")
    with pytest.raises(OSError, match=r"^\[Errno 5\] Input/output error: '/data/state'$"):
        disk.sync_directory(FOLDER)
    disk.sync_directory(FOLDER)

    assert bytes_left(disk) == bytes_left(disk.after_kill()) == {b"1", None}
    save(disk, "a", b"2", syncs=True)
    disk.sync_directory(FOLDER)
    assert bytes_left(disk) == {b"2"}


def test_a_full_disk_takes_what_fits() -> None:
    disk = disk_with(old=b"12")
    disk.capacity = 5
    file = disk.create(f"{FOLDER}/a")

    assert [disk.write(file, b"abcd"), disk.free] == [3, 0]
    calls: list[Callable[[], int]] = [lambda: disk.write(file, b"d"), lambda: disk.create(f"{FOLDER}/b")]
    for call in calls:
        with pytest.raises(OSError, match=r"^\[Errno 28\] No space left on device: '/data/state/[ab]'$"):
            call()
    disk.remove(f"{FOLDER}/old")
    assert [disk.write(file, b"d"), disk.free] == [1, 1]


def test_a_disk_that_was_full_still_is() -> None:
    disk = disk_with(old=b"12", a=b"345")
    disk.capacity = 5

    assert disk.after_kill().free == disk.after_power_cut().free == 0


def test_room_is_free_when_the_last_descriptor_is_closed() -> None:
    disk = disk_with()
    disk.capacity = 3
    file = disk.create(f"{FOLDER}/a")
    disk.write(file, b"123")
    disk.remove(f"{FOLDER}/a")

    assert disk.free == 0
    disk.close(file)
    assert disk.free == 3


def test_a_short_write_takes_a_part() -> None:
    disk = disk_with()
    disk.has_short_writes = True
    file = disk.create(f"{FOLDER}/a")

    taken = {disk.write(file, b"1234") for _ in range(MANY)}

    assert taken == {1, 2, 3, 4}
    assert disk.write(file, b"") == 0


def test_a_read_only_disk_can_be_read_and_locked() -> None:
    disk = disk_with(a=b"1")
    disk.is_read_only = True

    assert disk.read(f"{FOLDER}/a") == b"1"
    assert disk.lock(FOLDER) is not None
    for call in (
        lambda: disk.create(f"{FOLDER}/b"),
        lambda: disk.remove(f"{FOLDER}/a"),
        lambda: disk.sync_directory(FOLDER),
    ):
        with pytest.raises(OSError, match=r"^\[Errno 30\] Read-only file system: "):
            call()


def test_the_chosen_calls_fail() -> None:
    disk = disk_with(a=b"1", b=b"2")
    disk.fail("read", where="*/a", nth=2, times=2, code=errno.EACCES)

    assert disk.read(f"{FOLDER}/b") == b"2"
    assert disk.read(f"{FOLDER}/a") == b"1"
    for _ in range(2):
        with pytest.raises(PermissionError):
            disk.read(f"{FOLDER}/a")
    assert disk.read(f"{FOLDER}/a") == b"1"


@pytest.mark.parametrize("call", ["reed", "files", "_begin"])
def test_only_calls_of_the_port_can_fail_or_be_the_last(call: str) -> None:
    message = rf"^call must be one of the port Fs, got '{call}'$"
    with pytest.raises(ValueError, match=message):
        disk_with().fail(call)
    with pytest.raises(ValueError, match=message):
        disk_with().crash_at(1, call)
