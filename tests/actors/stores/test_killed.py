"""Processes that are killed in the middle of commits: what was acknowledged is there, and nothing is torn."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from duenna_actors.stores import SqliteStore
from tests.runtime.storage.lives import Told
from tests.runtime.storage.mounts import make_image, mounted, needs
from tests.runtime.storage.programs.numbered import States, digest, number_in
from tests.runtime.storage.telling import tell

from .lives import StoreLives
from .programs.lives import StoreOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duenna.storage import Entry

pytestmark = pytest.mark.slow

KILLS = 12
CUTS = 8
SYNCS = 24
POWER = "power cuts of an SQLite store on a loop-mounted ext4"
SHIM = Path(__file__).parents[2] / "runtime" / "storage" / "programs" / "failing_sync.c"


@pytest.fixture(scope="module")
def lives() -> Iterator[StoreLives]:
    with StoreLives() as started:
        yield started


def kill_at_random(lives: StoreLives, order: StoreOrder) -> Told:
    """Live and be killed, again and again, with the same state; return what was said."""
    chance = Random(6)  # noqa: S311 - any will do
    told = Told()
    for _ in range(KILLS):
        told.begin()
        patience = 2 + chance.randrange(40)
        for number, line in enumerate(lives.begin(order)):
            told.hear(line)
            if number == patience:
                lives.kill()
    assert told.acknowledged > KILLS
    return told


def test_sqlite(lives: StoreLives, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = kill_at_random(lives, StoreOrder(sqlite=str(tmp_path / "state.db"), compact_every=5))

    tell(capsys, f"kill -9 with SQLite: {KILLS} lives, {told.acknowledged} commits acknowledged, none lost")


def test_postgres(lives: StoreLives, postgres_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each life takes the lock over from the one before, whose connection the server may not have missed yet."""
    told = kill_at_random(lives, StoreOrder(postgres=postgres_dsn))

    tell(capsys, f"kill -9 with PostgreSQL: {KILLS} lives, {told.acknowledged} commits acknowledged, none lost")


def test_files_replicated_to_postgres(
    lives: StoreLives, tmp_path: Path, postgres_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = kill_at_random(lives, StoreOrder(directory=str(tmp_path / "state"), postgres=postgres_dsn))

    tell(capsys, f"kill -9 with files and a replica: {KILLS} lives, {told.acknowledged} acknowledged, none lost")


def test_sqlite_before_each_call_of_ours(lives: StoreLives, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is made by us and put in its place; the k-th of these calls is never made, for each k there is."""
    number, was_killed = 0, True
    while was_killed:
        number += 1
        order = StoreOrder(sqlite=str(tmp_path / str(number) / "state.db"), commits=2, kill_before=number)
        told = Told()
        told.begin()
        for line in lives.begin(order):
            told.hear(line)
        was_killed = not told.is_closed
        told.begin()
        order.kill_before = 0
        for line in lives.begin(order):
            told.hear(line)
        assert told.is_closed

    assert number > 7
    tell(capsys, f"SIGKILL before the k-th call that makes an SQLite file: k = 1 to {number - 1}, which is all")


def what_is_on(image: Path, folder: Path) -> dict[str, Entry]:
    """Return what a machine finds that starts with a copy of the disk *image*."""
    copy = folder.with_suffix(".img")
    shutil.copyfile(image, copy)
    with mounted(POWER, folder, "-o", "loop", str(copy)) as found:
        store = SqliteStore(found / "state" / "state.db")
        loaded = store.open()
        store.close(0.0, is_clean=False)
    copy.unlink()
    assert not loaded.damages
    return dict(loaded.entries)


def test_sqlite_and_a_power_cut(lives: StoreLives, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Copies of a disk at random moments, each as a machine would find it that starts again."""
    needs(POWER, "mkfs.ext4")
    image = tmp_path / "disk.img"
    make_image(image, 8 << 20)
    chance, told = Random(12), Told()  # noqa: S311
    with mounted(POWER, tmp_path / "disk", "-o", "loop", str(image)) as disk:
        told.begin()
        lines = lives.begin(StoreOrder(sqlite=str(disk / "state" / "state.db"), compact_every=9))
        try:
            for cut in range(CUTS):
                for _ in range(2 + chance.randrange(40)):
                    told.hear(next(lines))
                for line in lives.freeze():
                    told.hear(line)
                entries = what_is_on(image, tmp_path / f"cut-{cut}")
                number = number_in(entries)
                assert told.acknowledged <= number <= told.tried
                assert digest(entries) == digest(States().advance(number))
                lives.thaw()
        finally:
            lives.kill()
            for line in lines:
                told.hear(line)

    tell(capsys, f"{POWER}: {CUTS} cuts, {told.acknowledged} commits acknowledged, none lost")


def test_sqlite_and_a_sync_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`EIO` from the n-th fsync below SQLite and below us; the process ends if that file is synced once more."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("EIO from fsync below SQLite not tried: there is no C compiler")
    library = tmp_path / "failing_sync.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"], check=True)  # noqa: S603
    failures = 0
    with StoreLives({"LD_PRELOAD": str(library)}) as lives:
        for number in range(1, SYNCS + 1):
            order = StoreOrder(sqlite=str(tmp_path / f"{number}.db"), commits=6, compact_every=3)
            told = Told()
            for order.environ in ({"FSYNC_FAIL_AT": str(number)}, {}):
                told.begin()
                for line in lives.begin(order):
                    told.hear(line)
                assert told.is_closed != any(line.startswith("REFUSED") for line in told.failed)
                assert sum(line.startswith("FAILED") for line in told.failed) <= 1
                failures += len(told.failed)
            assert told.is_closed
            assert not told.failed
            assert told.acknowledged == (told.recovered or 0) + 6

    assert failures > SYNCS // 2
    tell(
        capsys, f"EIO from the n-th fsync below SQLite: n = 1 to {SYNCS}, {failures} told, none lost, none tried again"
    )
