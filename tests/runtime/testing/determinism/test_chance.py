"""Chance in a world: all of it comes from the seed."""

from __future__ import annotations

import importlib
import os
import random
import secrets
import ssl
import subprocess
import sys
import tempfile
import uuid
from os import urandom as copied_urandom
from pathlib import Path
from random import random as copied_random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from .support import Bare, run

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS: dict[str, Callable[[], Any]] = {
    "os.urandom": lambda: os.urandom(8),
    "copied urandom": lambda: copied_urandom(8),
    "os.getrandom": lambda: os.getrandom(8),
    "ssl.RAND_bytes": lambda: ssl.RAND_bytes(8),
    "uuid4": uuid.uuid4,
    "uuid1": uuid.uuid1,
    "secrets": lambda: (secrets.token_hex(), secrets.choice("abcdefgh"), secrets.randbelow(1000)),
    "random": lambda: (random.random(), copied_random(), random.gauss(), random.choice("abcdefgh")),
    "Random()": lambda: random.Random().random(),
    "Random.seed()": lambda: seeded_anew(random.Random(1)),
    "random.seed()": lambda: (random.seed(), random.random()),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "tempfile": lambda: tempfile.mktemp(),
}


def seeded_anew(rng: random.Random) -> float:
    rng.seed()
    return rng.random()


@pytest.mark.parametrize("name", DRAWS)
def test_the_same_seed_gives_the_same_chance_and_another_one_another(name: str) -> None:
    draw = DRAWS[name]

    seen = [Bare(seed).call(lambda: (draw(), draw())) for seed in (7, 7, 8)]

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert seen[0][0] != seen[0][1]


def test_twenty_runs_in_one_process_draw_the_same() -> None:
    async def draw_in_turn(seen: list[Any]) -> None:
        async def draw(number: int) -> None:
            for _ in range(3):
                await trio.sleep(0.1)
                seen.append((number, uuid.uuid4(), random.random(), await trio.to_thread.run_sync(os.urandom, 3)))

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(draw, number)

    runs: list[list[Any]] = [[] for _ in range(20)]
    for seen in runs:
        run(draw_in_turn, seen)

    assert all(seen == runs[0] for seen in runs)
    assert [number for number, *_ in runs[0]] != sorted(number for number, *_ in runs[0])


PROGRAM = """
import os, random, secrets, sys, uuid
sys.path.insert(0, {tests!r})
import trio
from tests.runtime.testing.determinism.support import run

seen = []

async def main():
    async def draw(number):
        for _ in range(3):
            await trio.sleep(0.1)
            seen.append((number, os.urandom(4), str(uuid.uuid4()), secrets.token_hex(4), random.random()))
            await trio.to_thread.run_sync(random.random)
            seen.append((number, trio.current_time(), repr(random.Random().random())))
    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(draw, number)

junk = [object() for _ in range({junk})]
if {hypothesis}:
    import hypothesis
run(main)
print(seen)
"""


def test_processes_with_other_hash_seeds_and_heaps_draw_the_same() -> None:
    root = str(Path(__file__).parents[4])

    def output(hash_seed: str, junk: int, *, hypothesis: bool) -> str:
        program = PROGRAM.format(tests=root, junk=junk, hypothesis=hypothesis)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        return done.stdout

    outputs = {
        output("0", 0, hypothesis=False),
        output("1", 12_345, hypothesis=False),
        output("random", 999, hypothesis=True),
    }

    assert len(outputs) == 1
    assert len(outputs.pop()) > 1000


def test_random_goes_on_where_it_was_after_the_world() -> None:
    random.seed(1)
    expected = [random.random(), random.random()]
    random.seed(1)

    first = random.random()
    Bare().call(lambda: [random.random(), random.seed(5), random.Random().random()])

    assert [first, random.random()] == expected


def test_real_chance_is_back_after_the_world() -> None:
    before = [os.urandom, random.seed, random.Random.seed, uuid.getnode()]

    Bare().call(uuid.uuid1)

    assert [os.urandom, random.seed, random.Random.seed, uuid.getnode()] == before
    assert os.urandom(8) != Bare().call(lambda: os.urandom(8))
    assert random.Random().random() != random.Random().random()


def test_who_draws_more_changes_nothing_for_other_consumers() -> None:
    plain = Bare().call(lambda: random.random())

    assert Bare().call(lambda: (os.urandom(99), random.Random(), random.random())[2]) == plain
    assert Bare().call(lambda: (random.Random(), os.urandom(9))[1]) == Bare().call(lambda: os.urandom(9))


def test_a_generator_with_a_seed_of_its_own_is_left_alone() -> None:
    assert Bare().call(lambda: random.Random(3).random()) == random.Random(3).random()


def test_an_import_draws_from_streams_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run in a process imports the module, the second does not."""
    module = "import os, random, uuid\nvalues = os.urandom(8), random.random(), random.Random().random()\n"
    (tmp_path / "drawing_module.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)

    def draw() -> Any:
        values = importlib.import_module("drawing_module").values
        return values, os.urandom(8), random.random(), random.Random().random()

    seen = [Bare().call(draw), Bare().call(draw)]
    monkeypatch.delitem(sys.modules, "drawing_module")
    seen.append(Bare().call(draw))

    assert seen[1:] == seen[:2]
    assert not set(seen[0][0]) & set(seen[0][1:])
