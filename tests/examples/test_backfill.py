"""The example that is killed, and goes on: each trade counts once, whatever was attempted twice."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "backfill.py"
ITEMS, BATCH, KILLS = 20_000, 50, 10


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state"


def command(state: Path, items: int = ITEMS) -> list[str]:
    """Return how the example is called."""
    return [sys.executable, str(EXAMPLE), "--state", str(state), "--items", str(items), "--batch", str(BATCH)]


def kill_after(batches: int, state: Path, *, within: bool) -> int:
    """Run it until so many batches are durable, and kill it; return how many trades it had said were.

    Args:
        batches: How many, in this life.
        state: Where it keeps its state.
        within: Kill it when the next batch has begun, rather than when it likes.
    """
    attempts = state.with_name(f"{state.name}.attempts")
    with subprocess.Popen(command(state), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:  # noqa: S603  # our own interpreter, our own file
        assert process.stderr is not None
        told = list(islice(durable(process.stderr), batches))
        size = attempts.stat().st_size
        while within and attempts.stat().st_size == size and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
        told += durable(process.stderr)  # what it had written by then
    assert process.returncode == -signal.SIGKILL
    return told[-1]


def durable(log: Iterator[str]) -> Iterator[int]:
    """Yield how many trades each line of *log* says are durable."""
    for line in log:
        if found := re.search(r"- (\d+) of \d+ trades$", line):
            yield int(found[1])


def ended(state: Path, items: int = ITEMS) -> tuple[list[str], str]:
    """Run it to its end; return what it printed, and its log."""
    done = subprocess.run(command(state, items), capture_output=True, text=True, timeout=60, check=True)  # noqa: S603  # the same
    return done.stdout.splitlines(), done.stderr


@pytest.mark.slow
def test_killed_at_random_points_it_counts_each_trade_once(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = Random(6)  # noqa: S311  # the same points each time, as far as the machine lets them be
    told = [kill_after(rng.randint(1, 12), state, within=life % 2 == 0) for life in range(KILLS)]

    printed, log = ended(state)

    assert told == sorted(set(told))  # each life went on, and none fell behind what another had been told
    assert printed[0].startswith(f"applied: {ITEMS} of {ITEMS} trades, {{'")
    assert printed[1] == "each of them once"
    attempted = [[int(number) for number in re.findall(r"\d+", line)] for line in printed[2:]]
    assert sum(batches for _, batches in attempted) == ITEMS // BATCH
    repeated = sum((times - 1) * batches for times, batches in attempted)
    assert repeated <= KILLS  # a life repeats at most the batch that the last one was busy with
    assert f"attempt {KILLS + 1}, first begun " in log
    with capsys.disabled():
        sys.stdout.write(
            f"\n  backfill: {KILLS} kills at random points, {ITEMS} of {ITEMS} trades counted once, "
            f"{repeated} of {ITEMS // BATCH} batches begun again\n"
        )


def test_what_is_done_is_not_done_again(state: Path) -> None:
    first, _ = ended(state, 200)
    again, log = ended(state, 200)

    assert first[1:] == again[1:] == ["each of them once", "attempted 1x: 4 batches"]
    assert "operation" not in log.replace("0 unfinished operations", "").replace("no operation was under way", "")


def test_stopped_in_order_it_goes_on(state: Path) -> None:
    with subprocess.Popen(command(state), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:  # noqa: S603  # the same
        assert process.stderr is not None
        begun = next(durable(process.stderr))
        process.send_signal(signal.SIGINT)
        log = process.stderr.read()

    assert process.returncode == 0
    printed, _ = ended(state)

    assert begun >= BATCH
    assert "was cancelled, and can be resumed" in log
    assert printed[1] == "each of them once"
