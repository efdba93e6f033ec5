"""A store of files in real processes that are killed, and on a real disk whose power goes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from duenna.storage import FileStore
from tests.runtime.storage.lives import Lives, Told
from tests.runtime.storage.mounts import make_image, mounted, needs
from tests.runtime.storage.programs.lives import Order
from tests.runtime.storage.programs.numbered import States, digest, number_in
from tests.runtime.storage.simulated_programs import chance_of
from tests.runtime.storage.telling import tell

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

KILLS = 30
CUTS = 12
IMAGE_SIZE = 8 << 20
POWER = "power cuts on a loop-mounted ext4"


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    with Lives() as started:
        yield started


def test_a_process_that_is_killed_at_random_loses_nothing(
    lives: Lives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed with `SIGKILL` in one life after the other of the same state: while it opens, commits or compacts."""
    chance = chance_of(6)
    told = Told()
    for _ in range(KILLS):
        told.begin()
        patience = chance.randrange(60)
        for number, line in enumerate(lives.begin(Order(directory=str(tmp_path / "state"), compact_every=7))):
            told.hear(line)
            if number == patience:
                lives.kill()

    assert told.acknowledged > KILLS
    tell(capsys, f"kill -9 at random: {KILLS} lives of one state, {told.acknowledged} commits acknowledged, none lost")


def test_a_process_that_is_killed_before_any_of_its_calls_loses_nothing(
    lives: Lives, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The k-th write, sync, rename, removal or creation is never made, for each k there is."""
    order = Order(directory="", commits=6, compact_every=2)
    number = 0
    told = Told()
    while not told.is_closed:
        number += 1
        told = Told()
        order.directory = str(tmp_path / str(number))
        for kill_before in (number, 0):
            order.kill_before = kill_before
            live(lives, order, told)
            if kill_before and told.is_closed:
                break  # that was all that it does
        else:
            assert told.is_closed
            told.is_closed = False

    assert number > 40
    tell(capsys, f"SIGKILL before the k-th call that changes the disk: k = 1 to {number - 1}, which is all, none lost")


def cut_the_power(lives: Lives, order: Order, folder: Path, image: Path, cuts: int) -> tuple[int, int]:
    """Copy *image*, on which a life goes on, at *cuts* random moments; see what a machine finds in the copies.

    Returns:
        How many copies lacked something that was acknowledged, and how many commits were acknowledged in all.
    """
    chance = chance_of(12)
    told = Told()
    lines = lives.begin(order)
    lost = 0
    for cut in range(cuts):
        for _ in range(10 + chance.randrange(60)):
            told.hear(next(lines))
        for line in lives.freeze():
            told.hear(line)
        copy = folder / f"copy-{cut}.img"
        shutil.copyfile(image, copy)
        with mounted(POWER, folder / f"cut-{cut}", "-o", "loop", str(copy)) as found:
            store = FileStore(str(found / "state"))
            entries = store.open().entries
            store.close(0.0, is_clean=False)
        number = number_in(entries)
        assert number <= told.tried
        assert digest(entries) == digest(States().advance(number)), f"the state after commit {number} is torn"
        lost += number < told.acknowledged
        lives.thaw()
    lives.kill()
    for line in lines:
        told.hear(line)
    return lost, told.acknowledged


@pytest.mark.parametrize("skips_syncs", [False, True])
def test_what_was_acknowledged_outlives_a_power_cut(
    lives: Lives, tmp_path: Path, capsys: pytest.CaptureFixture[str], skips_syncs: bool
) -> None:
    """And the proof that these power cuts are ones: without syncs something is lost."""
    needs(POWER, "mkfs.ext4")
    image = tmp_path / "disk.img"
    make_image(image, IMAGE_SIZE)
    with mounted(POWER, tmp_path / "disk", "-o", "loop", str(image)) as disk:
        order = Order(directory=str(disk / "state"), compact_every=9, skip_syncs=skips_syncs)
        lost, acknowledged = cut_the_power(lives, order, tmp_path, image, 2 if skips_syncs else CUTS)

    if skips_syncs:
        assert lost > 0
    else:
        assert lost == 0
        tell(capsys, f"{POWER}: {CUTS} cuts, {acknowledged} commits acknowledged, none lost")


def test_a_sync_that_fails_is_told_and_never_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`EIO` from the n-th fsync below Python, for each n there is; the process ends if it uses the same file again."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("EIO from fsync below Python not tried: there is no C compiler")
    library = tmp_path / "failing_sync.so"
    source = Path(__file__).parent / "programs" / "failing_sync.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)  # noqa: S603
    with Lives({"LD_PRELOAD": str(library)}) as lives:
        order = Order(directory=str(tmp_path / "0"), commits=6, compact_every=3)
        told = Told()
        live(lives, order, told)
        for number in range(1, told.syncs + 1):
            order.directory = str(tmp_path / str(number))
            fail_a_sync(lives, order, number)

    assert told.syncs > 10
    tell(
        capsys, f"EIO from the n-th fsync: n = 1 to {told.syncs}, which is all; each told, none lost, none tried again"
    )


def live(lives: Lives, order: Order, told: Told) -> None:
    """Carry out one *order* to its end."""
    told.begin()
    for line in lives.begin(order):
        told.hear(line)


def fail_a_sync(lives: Lives, order: Order, number: int) -> None:
    """Live twice; in the first life the sync *number* fails."""
    told = Told()
    order.environ = {"FSYNC_FAIL_AT": str(number)}
    live(lives, order, told)

    assert len(told.failed) == 1
    assert told.is_closed != told.failed[0].startswith("REFUSED")

    order.environ = {}
    live(lives, order, told)

    assert told.is_closed
    assert not told.failed
    assert told.acknowledged == (told.recovered or 0) + 6
