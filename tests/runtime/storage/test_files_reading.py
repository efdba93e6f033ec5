"""Reading a state without owning it, and looking all of it over."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import attrs
import pytest

from duenna.storage import (
    Damage,
    FileReport,
    FileStore,
    Loss,
    OsFs,
    StateUnreadableError,
    read_state,
    verify_state,
)
from tests.runtime.storage.golden.make import entry
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state of three snapshots, with a journal before each and one behind."""
    directory = tmp_path / "state"
    store = FileStore(directory, ballast=0)
    store.open()
    for number in range(4):
        store.commit([put("actor:/a", number + 1), put(f"actor:/{number}")], float(number))
        if number < 3:
            store.compact(float(number))
    store.close(9.0, is_clean=True)
    return directory


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_state_can_be_read_while_somebody_has_it(state: Path) -> None:
    owner = FileStore(state)
    owner.open()
    owner.commit([put("actor:/new")], 5.0)

    loaded = read_state(state)
    report = verify_state(str(state))
    owner.close(6.0, is_clean=True)

    assert "actor:/new" in loaded.entries
    assert report.loaded == loaded
    assert report.is_ok


def test_reading_leaves_no_trace(state: Path) -> None:
    cut(state / "snap-00000006.bin")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in state.iterdir()}

    read_state(state)
    verify_state(state)

    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in state.iterdir()} == before


@pytest.mark.parametrize("read", [read_state, verify_state])
def test_there_must_be_a_directory(tmp_path: Path, read: object) -> None:
    assert callable(read)
    directory = tmp_path / "missing"

    with pytest.raises(
        StateUnreadableError,
        match=rf"^the directory in {directory} cannot be read: No such file or directory \({directory}\); "
        r"nothing was changed, and nothing starts without it$",
    ):
        read(directory)
    assert not directory.exists()


@attrs.frozen
class Pruning(OsFs):
    """The owner removes what it superseded, between the listing and the reading, so often."""

    rest: list[str] = attrs.field(factory=list[str])

    def names(self, directory: str) -> list[str]:
        names = super().names(directory)
        return [*names, self.rest.pop()] if self.rest else names


def test_what_its_owner_removes_meanwhile_is_not_missed(state: Path) -> None:
    loaded = read_state(state, Pruning(["snap-00000097.bin", "snap-00000098.bin"]))

    assert loaded == read_state(state)


def test_what_always_vanishes_cannot_be_read(state: Path) -> None:
    names = [f"snap-{number:08d}.bin" for number in range(90, 99)]

    with pytest.raises(StateUnreadableError, match=r"^snap-00000094\.bin in .* No such file or directory"):
        read_state(state, Pruning(names))
    assert len(names) == 4


@attrs.frozen
class Growing(OsFs):
    """The owner commits whenever a journal is read."""

    owner: FileStore

    def read(self, path: str) -> bytes:
        if "jour-" in path:
            self.owner.commit([put("actor:/new")], 5.0)
        return super().read(path)


def test_what_its_owner_adds_meanwhile_is_no_fault(state: Path) -> None:
    owner = FileStore(state)
    owner.open()
    owner.commit([put("actor:/new")], 5.0)

    report = verify_state(state, Growing(owner))
    owner.close(6.0, is_clean=True)

    assert report.damages == ()
    assert report.files[-1].last == report.loaded.seq > 5


def test_all_files_are_told(state: Path) -> None:
    state.joinpath("snap-00000009.bin.tmp").write_bytes(b"half")
    sizes = {path.name: path.stat().st_size for path in state.iterdir()}

    report = verify_state(state)

    def told(name: str, kind: str, records: int, last: int, fault: str = "") -> FileReport:
        number = int(name[5:13])
        return FileReport(name, kind, number, sizes[name], records, last, fault, is_used=not fault)

    assert report.is_ok
    assert report.files == (
        told("snap-00000002.bin", "snapshot", 2, 1),
        told("jour-00000003.bin", "journal", 1, 2),
        told("snap-00000004.bin", "snapshot", 3, 2),
        told("jour-00000005.bin", "journal", 1, 3),
        told("snap-00000006.bin", "snapshot", 4, 3),
        told("jour-00000007.bin", "journal", 1, 4),
        told("snap-00000009.bin.tmp", "snapshot", 0, 0, "was never finished"),
    )


def test_what_was_set_aside_is_told_and_costs_nothing(state: Path) -> None:
    cut(state / "snap-00000006.bin")
    store = FileStore(state, ballast=0)
    store.open()
    store.commit([put("actor:/b")], 1.0)
    store.close(2.0, is_clean=True)

    report = verify_state(state)

    (aside,) = [file for file in report.files if file.name == "snap-00000006.bin.corrupt"]
    assert report.is_ok
    assert (aside.kind, aside.last, aside.is_used) == ("snapshot", 3, False)
    assert aside.fault.startswith("is not whole, at byte ")


def test_damage_that_does_no_harm_yet_is_found(state: Path) -> None:
    cut(state / "snap-00000002.bin")
    cut(state / "jour-00000005.bin")

    report = verify_state(state)

    assert report.loaded.damages == ()
    assert not report.is_ok
    assert [(damage.where, damage.loss, damage.kept_as) for damage in report.damages] == [
        ("snap-00000002.bin", Loss.NOTHING, "snap-00000002.bin.corrupt"),
        ("snap-00000004.bin", Loss.NOTHING, ""),
    ]
    assert report.damages[1].what == "leads to commit 2, the state is at commit 4"
    assert [file.fault.partition(",")[0] for file in report.files if file.fault] == [
        "is not whole",
        "cannot be read behind commit 2",
    ]


def test_snapshots_that_do_not_agree_are_found(state: Path, tmp_path: Path) -> None:
    other = FileStore(tmp_path / "other", ballast=0)
    other.open()
    other.commit([put("actor:/x")], 0.0)
    other.compact(0.0)
    other.close(0.0, is_clean=True)
    shutil.copy(tmp_path / "other" / "snap-00000002.bin", state)

    report = verify_state(state)

    assert report.damages == (
        Damage("snap-00000002.bin", "leads to another state than later snapshots do", Loss.NOTHING),
    )


def test_a_torn_end_is_no_fault(state: Path) -> None:
    """Somebody may just be writing it."""
    store = FileStore(state, ballast=0)
    store.open()
    store.commit([put("actor:/b")], 1.0)
    store.commit([put("actor:/c")], 1.0)
    store.close(1.0, is_clean=False)
    cut(state / "jour-00000008.bin")

    report = verify_state(state)

    assert report.is_ok
    assert [damage.loss for damage in report.damages] == [Loss.UNKNOWN]
    assert report.files[-1].fault.startswith("cannot be read behind commit 5, ")


def test_a_loss_is_a_fault(state: Path) -> None:
    for path in state.glob("snap-*"):
        cut(path)

    report = verify_state(state)

    assert not report.is_ok
    assert {damage.loss for damage in report.damages} == {Loss.ACKNOWLEDGED}
    assert dict(report.loaded.entries) == {}


def test_data_that_nobody_can_understand_is_found(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.open()
    good = entry(1, {"a": [1, None, "x"]}).data
    store.commit(
        [put("actor:/good", 1, good), put("actor:/bad", 1, b"\x92\x01"), put("actor:/text", 1, b"\xa1\xff")], 1.0
    )
    store.close(1.0, is_clean=True)

    report = verify_state(tmp_path)

    assert [(damage.where, damage.loss) for damage in report.damages] == [
        ("actor:/bad", Loss.ACKNOWLEDGED),
        ("actor:/text", Loss.ACKNOWLEDGED),
    ]
    assert report.damages[0].what == "its data is no MessagePack: Input data was truncated"
