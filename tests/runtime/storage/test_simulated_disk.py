"""A store of files loses nothing that it acknowledged, whatever the disk makes of a crash: random programs prove it."""

from __future__ import annotations

import errno
from collections import Counter
from functools import partial
from itertools import count
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING

import attrs
import pytest

from duenna.storage import Change, Entry, FileStore, StateUnreadableError, StateWriteError, _format
from duenna.testing import SimFs
from tests.runtime.storage.simulated_programs import (
    DIRECTORY,
    BrokenPromiseError,
    History,
    chance_of,
    for_seeds,
    live,
    run_everywhere,
    run_program,
)
from tests.runtime.storage.telling import tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PLAIN = Entry(kind="T", schema=1, version=1, at=1.0, data=b"\x80")
PROGRAMS = 20_000
EVERYWHERE = 40
WITH_FAULTS = 2_000
UNTIL_CAUGHT = 400
"""Programs of which one at least catches a store that is wrong; of those that crash at every call, a few do."""


class NamelessStore(FileStore):
    """Says always the same of who has it, so that a seed always runs the same program."""

    def _owner(self) -> str:
        return "somebody"


def files(disk: SimFs, chance: Random) -> FileStore:
    return NamelessStore(DIRECTORY, fs=disk, keep=1 + int(chance.random() * 3), ballast=100, rng=chance)


@pytest.mark.timeout(400)  # half a minute, on a core of its own
@pytest.mark.parametrize("programs", [300, pytest.param(PROGRAMS, marks=pytest.mark.slow)])
def test_no_crash_loses_what_was_acknowledged(capsys: pytest.CaptureFixture[str], programs: int) -> None:
    """Programs of three lives, of which each of the first two ends before a random one of its calls."""
    crashes: Counter[int] = Counter()
    for crashed in for_seeds(programs, partial(run_program, files)):
        crashes.update(crashed)

    ends = crashes.pop(0)
    everywhere_upto = next(number for number in count(1) if number not in crashes) - 1
    assert everywhere_upto >= 30
    tell(
        capsys,
        f"simulated disk: {programs} random programs, three lives each: {crashes.total()} crashes, each of the first "
        f"{everywhere_upto} calls of a life, and {ends} lives that ended by themselves; nothing lost or torn",
    )


@pytest.mark.slow
def test_no_call_is_a_bad_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """A power cut, and a kill, before each call of the first life: two lives more from each of them."""
    cases = sum(for_seeds(EVERYWHERE, partial(run_everywhere, files)))

    tell(capsys, f"simulated disk: {EVERYWHERE} programs, a cut and a kill before every call: {cases} cases")


@attrs.define(eq=False)
class StrictFs(SimFs):
    """A disk that does not let anybody go on with a file whose sync has failed."""

    spoilt: set[int] = attrs.field(factory=set[int], init=False)

    def write(self, file: int, data: bytes | memoryview) -> int:
        self._refuse(file)
        return super().write(file, data)

    def sync(self, file: int) -> None:
        self._refuse(file)
        try:
            super().sync(file)
        except OSError:
            self.spoilt.add(file)
            raise

    def _refuse(self, file: int) -> None:
        if file in self.spoilt:
            raise BrokenPromiseError("a file is used again whose sync has failed")


def trouble_with(chance: Random, seen: Counter[str]) -> Callable[[SimFs], bool]:
    """Return what lets something fail in a life."""

    def begin(disk: SimFs) -> bool:
        call = chance.choice(
            ("sync", "sync", "sync_directory", "write", "create", "replace", "remove", "close", "full")
        )
        disk.has_short_writes = chance.random() < 0.3
        disk.capacity = None
        if call == "full":
            disk.capacity = sum(map(len, disk.files().values())) + chance.randrange(3_000)
        else:
            disk.fail(
                call,
                nth=1 + chance.randrange(12),
                times=chance.choice((1, 1, 2, 5)),
                code=chance.choice((errno.EIO, errno.ENOSPC, errno.EDQUOT)),
            )
        seen[call] += 1
        return call == "sync_directory"

    return begin


@pytest.mark.slow
def test_no_failing_call_loses_what_was_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    """The same with calls that fail: what cannot be saved is not acknowledged, and saved with the next commit."""
    seen: Counter[str] = Counter()
    for_seeds(WITH_FAULTS, lambda chance: run_program(files, chance, StrictFs, trouble=trouble_with(chance, seen)))

    told = ", ".join(f"{call} {number}" for call, number in sorted(seen.items()))
    tell(capsys, f"simulated disk: {WITH_FAULTS} programs with calls that fail ({told}); nothing lost or torn")


def test_of_two_commits_of_one_number_the_one_that_was_read_counts() -> None:
    """The names of both journals are doubtful; the later one is read, built upon, and lost."""
    first, second, third = (Change(f"actor:/{name}", PLAIN) for name in ("first", "second", "third"))
    disk = SimFs(chance_of(1))
    disk.fail("sync_directory", times=2)
    store = files(disk, chance_of(1))
    store.open()
    for changes in ((first,), (first, second)):
        with pytest.raises(StateWriteError, match=r"^commit 1 may not be in /state: Input/output error \(/state\)$"):
            store.commit(changes, 1.0)
    store.close(1.0, is_clean=False)
    again = files(disk, chance_of(1))

    assert sorted(again.open().entries) == ["actor:/first", "actor:/second"]
    again.commit((third,), 2.0)
    for seed in range(40):
        left = files(disk.after_power_cut(chance_of(seed)), chance_of(1)).open()
        assert sorted(left.entries) == ["actor:/first", "actor:/second", "actor:/third"]


def test_an_orderly_end_after_a_failed_commit_is_one() -> None:
    disk, history = SimFs(chance_of(1)), History()
    live(disk, files, history, chance_of(9), steps=2)
    store = files(disk, chance_of(1))
    history.check(store.open())
    disk.fail("sync_directory")
    history.commit(store, chance_of(1))
    history.close(store, is_clean=True)

    assert history.acknowledged < history.tried
    assert history.is_clean
    history.check(files(disk, chance_of(1)).open())


def test_the_mark_of_an_orderly_end_makes_nothing_durable() -> None:
    """The first life could make no name durable, and said so; the second reads them all, and may not rely on them."""
    first, second = (Change(f"actor:/{name}", PLAIN) for name in ("first", "second"))
    disk = SimFs(chance_of(1))
    disk.fail("sync_directory", times=inf)
    store = files(disk, chance_of(1))
    store.open()
    with pytest.raises(StateWriteError, match=r"^commit 1 may not be in /state: Input/output error \(/state\)$"):
        store.commit((first,), 1.0)
    store.close(1.0, is_clean=False)
    store.open()
    with pytest.raises(StateWriteError, match=r"^the mark of an orderly end may not be in /state: Input/output error"):
        store.close(1.0, is_clean=True)
    disk = disk.after_kill()
    again = files(disk, chance_of(1))

    assert sorted(again.open().entries) == ["actor:/first"]
    again.commit((second,), 2.0)
    for seed in range(40):
        left = files(disk.after_power_cut(chance_of(seed)), chance_of(1)).open()
        assert sorted(left.entries) == ["actor:/first", "actor:/second"]


def used_disk(chance: Random) -> tuple[SimFs, History]:
    """Return a disk with a snapshot and journals on it."""
    disk, history = SimFs(chance), History()
    for _ in range(2):
        live(disk, files, history, chance, steps=6)
        disk = disk.after_kill()
    return disk, history


def test_nothing_starts_without_what_cannot_be_read() -> None:
    """Each file in turn cannot be read: that is no damage, and the next start finds all of it."""
    disk, history = used_disk(chance_of(3))
    before = disk.files()
    refused = 0
    for path in before:
        disk.fail("read", where=path, times=inf)
        try:
            history.copy().check(files(disk, chance_of(1)).open())
        except StateUnreadableError:
            refused += 1
        assert {name: data for name, data in disk.files().items() if name.endswith(".bin")} == {
            name: data for name, data in before.items() if name.endswith(".bin")
        }
        disk = disk.after_kill()

    assert refused > 1
    history.check(files(disk, chance_of(1)).open())


def test_what_is_on_a_disk_that_can_only_be_read_is_there() -> None:
    disk, history = used_disk(chance_of(3))
    disk.is_read_only = True
    store = files(disk, chance_of(1))
    history.check(store.open())

    history.commit(store, chance_of(1))
    assert history.acknowledged < history.tried
    disk.is_read_only = False
    history.commit(store, chance_of(1))
    assert history.acknowledged == history.tried


# What the proof is worth: each thing that a store of files cannot do without, taken out, is missed.


class WithoutDirectorySync(SimFs):
    def sync_directory(self, directory: str) -> None:
        self.names(directory)


class WithoutDataSync(SimFs):
    def sync(self, file: int) -> None:
        self.write(file, b"")


@pytest.mark.parametrize("kind", [WithoutDirectorySync, WithoutDataSync])
def test_a_missing_sync_is_caught(kind: type[SimFs]) -> None:
    with pytest.raises(BrokenPromiseError, match=r"^(lost|torn|taken for new|false alarm): commit \d+ was found"):
        for_seeds(UNTIL_CAUGHT, lambda chance: run_program(files, chance, kind))


def test_a_missing_checksum_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_format, "zlib", SimpleNamespace(crc32=lambda data, value=0: 1))

    with pytest.raises(BrokenPromiseError, match=r"^(lost|torn|false alarm): commit \d+ was found"):
        for_seeds(UNTIL_CAUGHT // 20, partial(run_everywhere, files))
