"""One process at a time has a state, and only where it was when it was opened."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from duenna._random import generator
from duenna.storage import FileStore, StateLockedError, StateWriteError
from duenna.testing import SimFs
from tests.runtime.storage.store_contract import put

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_764_072_000.0  # 2025-11-25T12:00:00Z


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


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
