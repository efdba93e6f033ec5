"""What was acknowledged is there again, whatever the disk does and whoever crashes; and each planted bug is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio

from duenna import Actor, Backoff, Child, NotDurableError, Supervisor, persistent
from duenna.faults import DatabaseLost, DiskFull, FaultPlan, Planned
from duenna.state._owner import Owner
from duenna.state._restoring import Restoring
from duenna.testing import Outcome, Scenario, World
from duenna.testing.invariants import Acknowledged

if TYPE_CHECKING:
    from duenna.storage import Entry

SECONDS = 900.0
SEEDS = range(1, 9)


@attrs.define
class Saver(Actor):
    """Counts, saves, and crashes now and then, in the middle too."""

    count: int = persistent(default=0)
    wrong: int = 0

    async def run(self) -> None:
        """Never be at rest."""
        context = self.context
        while True:
            await trio.sleep(context.rng.random() * 4.0)
            self.count += 1
            try:
                await context.save()
            except NotDurableError:
                self.wrong += 1
            if context.rng.random() < 0.05:
                self.count = -1  # what a crashed instance leaves is nobody's
                raise RuntimeError("a crash on purpose")


def plan() -> FaultPlan:
    """Return a disk that is full, then lost, then both."""
    full, lost = DiskFull(), DatabaseLost()
    return FaultPlan(
        faults=(
            Planned(at=60.0, target="*/state/*", fault=full, duration=30.0, every=200.0, times=4),
            Planned(at=120.0, target="jour-*", fault=lost, duration=20.0, every=150.0, times=4),
            Planned(at=400.0, target="*", fault=lost, duration=15.0),
        )
    )


def scenario() -> Scenario:
    """Return the bot, which keeps its state on the world's disk."""
    children = [Child(f"saver{number}", Saver, backoff=Backoff.none()) for number in range(4)]
    return Scenario(tree=Supervisor("bot", children, intensity=10_000, period=1.0), state="state")


def lives(seed: int, **options: Any) -> tuple[World, list[dict[str, Entry]]]:
    """Run the bot twice in one world, the second time on what the first has left; return what each left."""
    world = World(seed, faults=plan(), **options)
    left: list[dict[str, Entry]] = []

    async def main() -> None:
        world.watch((Acknowledged(),))
        for _ in range(2):
            async with world.open_runtime(attrs.evolve(scenario(), checkers=())) as runtime:
                world.watch((Acknowledged(),)) if not left else None
                await trio.sleep(SECONDS / 2)
            left.append(dict(runtime.state.entries))

    world.run(main)
    return world, left


def simulated(seed: int) -> Outcome:
    return World(seed, faults=plan()).simulate(scenario(), SECONDS)


def acknowledged(outcome: Outcome) -> list[str]:
    return [str(violation) for violation in outcome.violations if violation.checker == "acknowledged"]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_acknowledged_is_restored(seed: int) -> None:
    outcome = simulated(seed)

    assert acknowledged(outcome) == []
    assert outcome.strikes >= 9


def test_the_next_runtime_begins_where_the_last_ended() -> None:
    """In one world, on one disk."""
    _, (first, second) = lives(5)

    for key, entry in first.items():
        if key.startswith("actor:"):
            assert second[key].version > entry.version


def test_the_same_seed_leaves_the_same_state() -> None:
    assert simulated(3).sha256 == simulated(3).sha256


@pytest.mark.parametrize("bug", ["acknowledges what the store refused", "restores what was there at the start"])
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rule, in one of these worlds."""
    if bug.startswith("acknowledges"):
        original = Owner.write

        async def write(self: Any) -> Any:
            waiting = dict(self.commits.waiting)
            batch = await original(self)
            if batch.error is not None:  # tells everybody that all is well, and forgets it
                batch.error = None
                for key in waiting:
                    self.commits.waiting.pop(key, None)
                    self.entries.pop(key, None)
            return batch

        monkeypatch.setattr(Owner, "write", write)
    else:

        def restored(self: Any, cell: Any, actor: Any, codec: Any) -> None:
            self._state.captures.track(cell, actor, codec)

        monkeypatch.setattr(Restoring, "restore", restored)

    assert any(acknowledged(simulated(seed)) for seed in SEEDS)
