"""The calls of the operating system, on a real disk."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import attrs
import pytest

from duenna.storage import OsFs

FS = OsFs()


def test_directories_are_made_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FS.make_directory(str(tmp_path / "a" / "b" / "c"))
        FS.make_directory(str(tmp_path / "a" / "b" / "c"))
    finally:
        os.umask(before)

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")} == dict.fromkeys("abc", 0o700)


@attrs.frozen
class Watched(OsFs):
    """Remembers which directories were made durable."""

    durable: list[str] = attrs.field(factory=list[str])

    def sync_directory(self, directory: str) -> None:
        super().sync_directory(directory)
        self.durable.append(Path(directory).name)


def test_a_name_is_durable_before_anything_is_made_below_it(tmp_path: Path) -> None:
    """And also if it is there: whoever made it may have been killed before it was."""
    disk = Watched()

    disk.make_directory(str(tmp_path / "a" / "b"))
    disk.make_directory(str(tmp_path / "a" / "b"))

    assert disk.durable == [tmp_path.parent.name, tmp_path.name, "a", "a"]


def test_a_relative_directory_is_made_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    FS.make_directory("data/state")

    assert tmp_path.joinpath("data", "state").is_dir()


def test_no_directory_is_made_of_a_file(tmp_path: Path) -> None:
    tmp_path.joinpath("data").write_bytes(b"")

    with pytest.raises(FileExistsError):
        FS.make_directory(str(tmp_path / "data"))
    with pytest.raises(OSError, match=r"(Not a directory|File exists)"):
        FS.make_directory(str(tmp_path / "data" / "state"))


def test_names_are_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        tmp_path.joinpath(name).write_bytes(b"")

    assert FS.names(str(tmp_path)) == ["a", "b", "c"]
    with pytest.raises(FileNotFoundError):
        FS.names(str(tmp_path / "missing"))


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    tmp_path.joinpath("file").write_bytes(b"something longer than that")

    file = FS.create(path)
    written = FS.write(file, b"one ") + FS.write(file, memoryview(b"two"))
    FS.sync(file)
    FS.close(file)

    assert written == 7
    assert FS.read(path) == b"one two"


def test_a_file_is_its_owners_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FS.close(FS.create(str(tmp_path / "file")))
    finally:
        os.umask(before)

    assert tmp_path.joinpath("file").stat().st_mode & 0o777 == 0o600


def test_a_file_that_changes_its_name_can_still_be_written_to(tmp_path: Path) -> None:
    file = FS.create(str(tmp_path / "old"))
    FS.write(file, b"one")
    FS.replace(str(tmp_path / "old"), str(tmp_path / "new"))
    FS.sync_directory(str(tmp_path))
    FS.write(file, b" two")
    FS.close(file)

    assert FS.names(str(tmp_path)) == ["new"]
    assert FS.read(str(tmp_path / "new")) == b"one two"
    FS.remove(str(tmp_path / "new"))
    assert FS.names(str(tmp_path)) == []


def test_nothing_is_handed_to_other_programs(tmp_path: Path) -> None:
    file, lock = FS.create(str(tmp_path / "file")), FS.lock(str(tmp_path))
    assert lock is not None

    flags = [fcntl.fcntl(opened, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for opened in (file, lock)]
    FS.close(file)
    FS.unlock(lock)

    assert all(flags)


def test_a_directory_is_locked_once(tmp_path: Path) -> None:
    lock = FS.lock(str(tmp_path))
    assert lock is not None

    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # numbers
    refused = [FS.lock(str(tmp_path)) for _ in range(3)]
    after = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    FS.unlock(lock)
    again = FS.lock(str(tmp_path))

    assert refused == [None, None, None]
    assert len(after) == len(before)
    assert again is not None
    FS.unlock(again)
    with pytest.raises(FileNotFoundError):
        FS.lock(str(tmp_path / "missing"))


def test_only_a_directory_can_be_locked_or_made_durable(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_bytes(b"")

    for call in (FS.lock, FS.sync_directory):
        with pytest.raises(OSError) as caught:  # noqa: PT011  # its number follows
            call(str(tmp_path / "file"))
        assert caught.value.errno == errno.ENOTDIR
