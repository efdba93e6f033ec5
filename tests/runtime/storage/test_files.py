"""The store of files: names, numbers, modes, and what opening leaves alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from duenna._random import generator
from duenna.storage import Compacted, FileStore
from duenna.testing import SimFs
from tests.runtime.storage.store_contract import StoreContract, put

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.storage.store_contract import Place


class TestFileStore(StoreContract):
    @pytest.fixture
    def place(self, tmp_path_factory: pytest.TempPathFactory) -> Place:
        directory = tmp_path_factory.mktemp("place") / "data" / "state"
        return lambda: FileStore(directory)


def files_in(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes of each file in *directory*, and when it was last written to."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


# Names.


def test_each_file_has_a_number_of_its_own(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()
    store.commit([put("a")], 1.0)
    store.commit([put("a", 2)], 2.0)
    assert store.compact(3.0) == Compacted(
        generation=2, entries=1, size=(tmp_path / "snap-00000002.bin").stat().st_size
    )
    store.commit([put("a", 3)], 4.0)
    store.close(5.0, is_clean=True)

    assert names_in(tmp_path) == ["BALLAST", "jour-00000001.bin", "jour-00000003.bin", "snap-00000002.bin"]
    assert FileStore(tmp_path).open().source == "snap-00000002.bin and 1 journal"


@pytest.mark.parametrize(
    "name", ["snap-00000041.bin.corrupt", "jour-00000041.bin.corrupt", "jour-00000041.bin.tmp", "snap-00000041.bin.tmp"]
)
def test_no_number_is_used_again(tmp_path: Path, name: str) -> None:
    tmp_path.joinpath(name).write_bytes(b"something")
    store = FileStore(tmp_path, ballast=0)
    store.open()
    store.commit([put("a")], 1.0)
    store.close(1.0, is_clean=True)

    assert "jour-00000042.bin" in names_in(tmp_path)


def test_what_is_not_the_states_is_left_alone(tmp_path: Path) -> None:
    others = ["system_state.json", "snap-1.bin", "jour-000000001.bin", "snap-00000001.bin.old", "x.tmp", "kept.corrupt"]
    for name in others:
        tmp_path.joinpath(name).write_bytes(b"mine")
    store = FileStore(tmp_path, keep=1)
    loaded = store.open()
    for _ in range(3):
        store.commit([put("a")], 1.0)
        store.compact(1.0)
    store.close(1.0, is_clean=True)

    assert not loaded.existed
    assert {name: tmp_path.joinpath(name).read_bytes() for name in others} == dict.fromkeys(others, b"mine")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    """Whatever the umask lets through: secrets do not belong into it, but positions are nobody's business either."""
    before = os.umask(0)
    try:
        store = FileStore(tmp_path / "data" / "state")
        store.open()
        store.commit([put("a")], 1.0)
        store.compact(1.0)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
        store.close(1.0, is_clean=True)
    finally:
        os.umask(before)

    directories = {name: modes.pop(name) for name in ("data", "state")}
    assert directories == {"data": 0o700, "state": 0o700}
    assert modes == dict.fromkeys(["BALLAST", "LOCK", "jour-00000001.bin", "snap-00000002.bin"], 0o600)


# Opening.


@pytest.mark.parametrize("is_clean", [False, True])
def test_opening_changes_nothing(tmp_path: Path, is_clean: bool) -> None:
    store = FileStore(tmp_path)
    store.open()
    store.commit([put("a")], 1.0)
    store.compact(1.0)
    store.commit([put("b")], 1.0)
    store.close(1.0, is_clean=False)
    torn, snapshot = tmp_path / "jour-00000003.bin", tmp_path / "snap-00000002.bin"
    torn.write_bytes(torn.read_bytes() + b"torn")
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    tmp_path.joinpath("snap-00000004.bin.tmp").write_bytes(b"unfinished")
    before = files_in(tmp_path)

    store = FileStore(tmp_path)
    loaded = store.open()
    during = files_in(tmp_path)
    store.close(1.0, is_clean=is_clean and loaded.was_clean)

    assert {name for name in during if name not in before} == {"LOCK"}
    assert {name: during[name] for name in before} == before == files_in(tmp_path)


def test_a_clean_state_that_nobody_changes_stays_as_it_is(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()
    store.commit([put("a")], 1.0)
    store.close(1.0, is_clean=True)
    before = files_in(tmp_path)

    for _ in range(3):
        assert store.open().was_clean
        store.close(1.0, is_clean=True)

    assert files_in(tmp_path) == before


def test_a_state_without_a_commit_is_no_state(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()
    assert store.compact(1.0) is None
    store.close(1.0, is_clean=True)

    assert names_in(tmp_path) == []


def test_a_commit_needs_a_change(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()

    with pytest.raises(ValueError, match=r"^a commit needs at least one change, got none$"):
        store.commit([], 1.0)


def test_a_store_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    store = FileStore("state", fs=SimFs(generator(1)))

    with pytest.raises(RuntimeError, match=r"^the store state is not open$"):
        store.commit([put("a")], 1.0)
    with pytest.raises(RuntimeError, match=r"^the store state is not open$"):
        store.compact(1.0)
    store.close(1.0, is_clean=True)


@pytest.mark.parametrize("option", ["keep", "compact_at", "ballast"])
def test_what_makes_no_sense_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=rf"^'{option}' must be >= [01]: -1$"):
        FileStore("state", **{option: -1})  # type: ignore[arg-type]


def test_it_needs_a_directory() -> None:
    with pytest.raises(ValueError, match=r"^Length of 'directory' must be >= 1: 0$"):
        FileStore("")


def test_it_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = FileStore("state", ballast=0)
    store.open()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.commit([put("a")], 1.0)
    store.close(1.0, is_clean=True)

    assert store.name == "state"
    assert names_in(tmp_path / "state") == ["jour-00000001.bin"]
    assert names_in(tmp_path / "elsewhere") == []
