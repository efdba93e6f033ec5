"""The store of files: what is where, who may write it, what stays of the past."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import pytest

from duenna._random import generator
from duenna.storage import Compacted, FileStore, OsFs, StateLockedError, StateWriteError
from duenna.testing import SimFs
from tests.runtime.storage.store_contract import StoreContract, entry, put

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runtime.storage.store_contract import Place

NOON = 1_764_072_000.0  # 2025-11-25T12:00:00Z


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


# One owner.

HOLDER = """
import sys
from duenna.storage import FileStore
store = FileStore(sys.argv[1])
store.open()
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_is_named_and_leaves_no_lock_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603  # ours
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        store = FileStore(tmp_path)
        with pytest.raises(StateLockedError) as caught:
            store.open()
        holder.kill()
        holder.wait()
        store.open()
        store.close(1.0, is_clean=True)

    assert caught.value.owner.startswith(f"process {holder.pid} on {os.uname().nodename}, since 20")
    assert str(caught.value) == (
        f"the state in {tmp_path} is in use by {caught.value.owner}: one at a time may write it"
    )


def test_who_has_it_is_written_down_for_as_long_as_it_is_true(tmp_path: Path) -> None:
    store = FileStore(tmp_path, wall_time=lambda: NOON)
    store.open()
    text = tmp_path.joinpath("LOCK").read_text()
    store.close(1.0, is_clean=True)

    assert text == f"process {os.getpid()} on {os.uname().nodename}, since 2025-11-25T12:00:00+00:00"
    assert names_in(tmp_path) == []


def test_the_lock_is_not_the_text(tmp_path: Path) -> None:
    """What a killed process wrote down locks nobody out; what cannot be read names nobody."""
    tmp_path.joinpath("LOCK").write_bytes(b"process 1 on nowhere, since ever")
    store = FileStore(tmp_path)
    store.open()
    tmp_path.joinpath("LOCK").unlink()

    with pytest.raises(
        StateLockedError, match=rf"^the state in {tmp_path} is in use by another process: one at a time may write it$"
    ):
        FileStore(tmp_path).open()


def test_others_may_open_and_close_its_files(tmp_path: Path) -> None:
    """As `lockf` would not have it: there, the first to close any descriptor of the file lets go for all."""
    store = FileStore(tmp_path)
    store.open()
    os.close(os.open(tmp_path, os.O_RDONLY))
    tmp_path.joinpath("LOCK").read_bytes()

    with pytest.raises(StateLockedError):
        FileStore(tmp_path).open()
    store.close(1.0, is_clean=True)


FORKING = """
import os, sys
from duenna.storage import FileStore
store = FileStore(sys.argv[1])
store.open()
until, tell = os.pipe()
child = os.fork()
if not child:
    os.close(tell)
    os.read(until, 1)
    os._exit(0)
store.close(1.0, is_clean=True)
FileStore(sys.argv[1]).open()
print("open again", flush=True)
"""


def test_a_forked_child_does_not_keep_what_was_given_back(tmp_path: Path) -> None:
    ended = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-W", "ignore", "-c", FORKING, str(tmp_path)], check=True, capture_output=True, timeout=60
    )

    assert ended.stdout == b"open again\n"


# What stays.


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


# Late.


def test_a_directory_that_cannot_be_made_is_tried_again_with_each_commit() -> None:
    disk = SimFs(generator(1), is_read_only=True)
    store = FileStore("/data/state", fs=disk)
    loaded = store.open()

    with pytest.raises(StateWriteError, match=r"^commit 1 may not be in /data/state: Read-only file system.*$"):
        store.commit([put("a")], 1.0)
    disk.is_read_only = False
    number = store.commit([put("a")], 1.0)
    store.close(1.0, is_clean=True)

    assert (loaded.existed, number) == (False, 1)
    assert set(FileStore("/data/state", fs=disk).open().entries) == {"a"}


def test_a_store_that_never_got_a_directory_can_be_closed() -> None:
    store = FileStore("/data/state", fs=SimFs(generator(1), is_read_only=True))
    store.open()

    store.close(1.0, is_clean=True)


def test_a_state_that_turns_up_later_is_not_written_over() -> None:
    """A disk that was not mounted when the runtime started."""
    disk = SimFs(generator(1), is_read_only=True)
    late = FileStore("/data/state", fs=disk, ballast=0)
    late.open()
    disk.is_read_only = False
    first = FileStore("/data/state", fs=disk, ballast=0)
    first.open()
    with pytest.raises(StateWriteError, match=r"^commit 1 may not be in /data/state: in use by process \d+ on .*$"):
        late.commit([put("b")], 1.0)
    first.commit([put("a")], 1.0)
    first.close(1.0, is_clean=True)

    with pytest.raises(
        StateWriteError,
        match=r"^commit 1 may not be in /data/state: "
        r"it holds a state that was not there at the start: start again to read it$",
    ):
        late.commit([put("b")], 1.0)
    late.close(1.0, is_clean=True)

    assert set(first.open().entries) == {"a"}
