"""What cannot be read is no empty state: nothing starts, and nothing is changed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from duenna.storage import FileStore, StateFormatError, StateLockedError, StateUnreadableError
from tests.runtime.storage.failing_disks import HOME, new_disk, opened, store_on
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["snap-00000002.bin", "jour-00000003.bin"])
def test_a_disk_that_cannot_be_read_is_no_empty_state(name: str) -> None:
    disk = new_disk()
    store = opened(disk)
    store.compact(1.0)
    store.commit([put("b")], 1.0)
    store.close(1.0, is_clean=True)
    disk.fail("read", where=f"*/{name}")

    store = store_on(disk)
    with pytest.raises(
        StateUnreadableError,
        match=rf"^{name} in {HOME} cannot be read: Input/output error \({HOME}/{name}\); "
        r"nothing was changed, and nothing starts without it$",
    ):
        store.open()

    assert disk.is_at_rest
    assert set(store.open().entries) == {"a", "b"}


@pytest.mark.parametrize(("call", "code"), [("names", errno.EIO), ("lock", errno.EACCES), ("lock", errno.ENOLCK)])
def test_a_directory_that_cannot_be_read_is_no_empty_state(call: str, code: int) -> None:
    disk = new_disk()
    opened(disk).close(1.0, is_clean=True)
    disk.fail(call, code=code)

    with pytest.raises(StateUnreadableError, match=rf"^the directory in {HOME} cannot be read: .*$"):
        store_on(disk).open()

    assert disk.is_at_rest


def test_a_directory_that_may_not_be_read_is_no_empty_state() -> None:
    disk = new_disk()
    opened(disk).close(1.0, is_clean=True)
    for call in ("lock", "names"):
        disk.fail(call, code=errno.EACCES)

    with pytest.raises(StateUnreadableError, match=rf"^the directory in {HOME} cannot be read: Permission denied .*$"):
        store_on(disk).open()


def test_a_file_in_its_place_is_no_empty_state(tmp_path: Path) -> None:
    tmp_path.joinpath("state").write_bytes(b"")

    for path in (tmp_path / "state", tmp_path / "state" / "below"):
        with pytest.raises(StateUnreadableError, match=rf"^the directory in {path} cannot be read: .*$"):
            FileStore(path).open()


@pytest.mark.parametrize("name", ["snap-00000002.bin", "jour-00000003.bin"])
def test_a_later_format_is_refused_and_left_alone(name: str) -> None:
    """Older files are no way out: a later version has gone on from them."""
    disk = new_disk()
    store = opened(disk)
    store.compact(1.0)
    store.commit([put("b")], 1.0)
    store.close(1.0, is_clean=True)
    data = bytearray(disk.files()[f"{HOME}/{name}"])
    data[8] = 2
    data[12:16] = crc32(data[:12]).to_bytes(4, "little")
    disk.put(f"{HOME}/{name}", bytes(data))
    before = disk.files()

    store = store_on(disk)
    with pytest.raises(
        StateFormatError,
        match=rf"^{name} in {HOME} has format 2, this program reads formats up to 1: "
        r"start a later version of duenna, or point this one at another folder$",
    ):
        store.open()

    assert disk.is_at_rest
    assert disk.files() == before


def test_an_open_store_is_not_opened_again() -> None:
    store = opened(new_disk())

    with pytest.raises(StateLockedError, match=r"^the state in /data/state is in use by another runtime of this "):
        store.open()
