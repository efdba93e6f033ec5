"""A store of files on real disks that are full, or can only be read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest

from duenna.storage import Change, FileStore, StateWriteError
from tests.runtime.storage.mounts import mounted, needs, remount
from tests.runtime.storage.programs.numbered import States, changes_of, number_in
from tests.runtime.storage.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = "full disks on a tmpfs of 1 MiB"
BALLAST = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 1 MiB."""
    needs(FULL)
    with mounted(FULL, tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        yield disk


def fill(disk: Path) -> Path:
    """Write a file that leaves no byte of *disk*."""
    path = disk / "others"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


@attrs.define
class Writer:
    """Makes one commit after the other; what could not be saved is given again with the next.

    Attributes:
        store: Where.
        number: The last one that was tried.
        acknowledged: The last one that was.
        failed: How many were not.
    """

    store: FileStore
    number: int = 0
    acknowledged: int = 0
    failed: int = 0
    _pending: dict[str, Change] = attrs.field(factory=dict[str, Change], init=False)

    def commit(self) -> bool:
        """Make one; return whether it was acknowledged."""
        self.number += 1
        self._pending |= {change.key: change for change in changes_of(self.number)}
        try:
            self.store.commit(tuple(self._pending.values()), float(self.number))
        except StateWriteError:
            self.failed += 1
            return False
        self.acknowledged = self.number
        self._pending.clear()
        return True


def writer_on(disk: Path) -> Writer:
    """Open the store; the commits go on from what it holds."""
    store = FileStore(str(disk / "state"), ballast=BALLAST)
    loaded = store.open()
    number = number_in(loaded.entries)
    assert dict(loaded.entries) == States().advance(number)
    assert not loaded.damages
    return Writer(store, number, number)


def number_on(disk: Path) -> int:
    """Return the number of the commit that a store there holds."""
    writer = writer_on(disk)
    writer.store.close(0.0, is_clean=False)
    return writer.number


def test_a_disk_that_runs_full_loses_nothing_and_its_ballast_keeps_it_going(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = writer_on(small_disk)
    assert writer.commit()
    others = fill(small_disk)

    until_full = sum(iter(writer.commit, False))
    on_ballast = sum(iter(writer.commit, False))
    while_full = [writer.commit() for _ in range(20)]

    assert not any(while_full)
    assert on_ballast > BALLAST // 1000
    assert not (small_disk / "state" / "BALLAST").exists()
    others.unlink()
    assert writer.commit()
    writer.store.close(0.0, is_clean=True)
    assert number_on(small_disk) == writer.acknowledged == writer.number
    tell(
        capsys,
        f"{FULL}: {writer.number} commits, {until_full} before it said so, {on_ballast} on ballast, {writer.failed} "
        "refused, none lost",
    )


@pytest.mark.parametrize("has_ballast", [True, False])
def test_a_store_starts_on_a_full_disk(small_disk: Path, has_ballast: bool) -> None:
    """With what it holds; it saves again as soon as there is room."""
    first = writer_on(small_disk)
    assert [first.commit() for _ in range(3)] == [True] * 3
    first.store.close(0.0, is_clean=True)
    if not has_ballast:
        (small_disk / "state" / "BALLAST").unlink()
    others = fill(small_disk)

    writer = writer_on(small_disk)

    assert writer.number == 3
    assert [writer.commit() for _ in range(3)] == [False, has_ballast, has_ballast]
    others.unlink()
    assert writer.commit()
    writer.store.close(0.0, is_clean=False)
    assert number_on(small_disk) == 7


def test_a_store_that_never_was_starts_on_a_full_disk(small_disk: Path) -> None:
    others = fill(small_disk)
    writer = writer_on(small_disk)

    assert not writer.commit()
    others.unlink()
    assert writer.commit()
    writer.store.close(0.0, is_clean=True)
    assert number_on(small_disk) == 2


@pytest.mark.parametrize("is_new", [True, False])
def test_a_store_starts_on_a_disk_that_can_only_be_read(small_disk: Path, is_new: bool) -> None:
    if not is_new:
        first = writer_on(small_disk)
        first.commit()
        first.store.close(0.0, is_clean=False)
    remount(small_disk, "ro")

    writer = writer_on(small_disk)

    assert writer.number == (0 if is_new else 1)
    assert not writer.commit()
    remount(small_disk, "rw")
    assert writer.commit()
    writer.store.close(0.0, is_clean=True)
    assert number_on(small_disk) == writer.number
