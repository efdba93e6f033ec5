"""A database file is replaced on a simulated disk, whose power goes at every call: it is the old one or the new one."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from duenna.testing import SimFs, SimulatedCrash
from duenna_actors.stores._in_place import free_name, new_name, put_in_place
from tests.runtime.storage.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "/data/state.db"
OLD, LOG, NEW, NEXT = b"old" * 50, b"log" * 50, b"new" * 80, b"next" * 60


def what_is_read(files: Mapping[str, bytes]) -> bytes:
    """Return the content of the file that a store would read; an `AssertionError` if another one's log is with it."""
    if new_name(PATH) in files:
        return files[new_name(PATH)]
    assert (f"{PATH}-wal" in files) == (files[PATH] == OLD), "a log is carried over into whatever has the name"
    return files[PATH]


def disk_with_state(seed: int) -> SimFs:
    disk = SimFs(Random(seed), has_short_writes=True)  # noqa: S311  # nothing is secret
    disk.make_directory("/data")
    disk.put(PATH, OLD)
    disk.put(f"{PATH}-wal", LOG)
    disk.put(f"{PATH}-shm", b"")
    return disk


@pytest.mark.parametrize("keep_as", ["", "state.db.corrupt"])
def test_whenever_the_power_goes(keep_as: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And the next life, whatever it found, replaces that in the same way."""
    cases, seen, is_done = 0, set[bytes](), False
    for seed in range(25):
        number, is_done = 0, False
        while not is_done:
            number += 1
            disk = disk_with_state(seed)
            disk.crash_at(disk.calls + number)
            try:
                put_in_place(disk, PATH, NEW, keep_as)
                is_done = True
            except SimulatedCrash:
                pass
            disk = disk.after_power_cut()
            cases += 1
            found = what_is_read(disk.files())
            seen.add(found)
            assert found == NEW if is_done else found in (OLD, NEW)
            if keep_as and is_done:
                assert (disk.files()["/data/state.db.corrupt"], disk.files()["/data/state.db.corrupt-wal"]) == (
                    OLD,
                    LOG,
                )
            put_in_place(disk, PATH, NEXT, keep_as)
            disk = disk.after_power_cut()
            assert what_is_read(disk.files()) == NEXT
            assert f"{PATH}.new" not in disk.files()

    assert seen == {OLD, NEW}
    tell(capsys, f"power cuts while an SQLite file is replaced{' and kept' if keep_as else ''}: {cases}, all well")


def test_a_name_for_what_is_kept_is_free() -> None:
    assert free_name(PATH, []) == "state.db.corrupt"
    assert free_name(PATH, ["state.db.corrupt"]) == "state.db.2.corrupt"
    assert free_name(PATH, ["state.db.corrupt-wal", "state.db.2.corrupt"]) == "state.db.3.corrupt"
