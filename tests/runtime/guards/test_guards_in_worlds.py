"""Guards in simulated worlds: what a module of a bot has must behave the same in each of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from duenna import Actor, Child, Supervisor
from duenna.guards import Breaker, CircuitOpenError, Fallback, Guard, Retry
from duenna.guards._registry import registry
from duenna.testing import Scenario, Violation, World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from duenna.testing.trace import Record


class BoomError(Exception):
    """What the calls fail with."""


GUARD = Guard("module", retry=Retry(2), breaker=Breaker(window=4, open_for=5.0), fallback=Fallback.last_good(15.0))


@GUARD
async def fetch(symbol: str) -> str:
    """Answer for 20 seconds, then fail for 20 seconds."""
    await trio.sleep(0.1)
    if trio.current_time() % 40.0 >= 20.0:
        raise ConnectionError("the far end is gone")
    return symbol


class Poller(Actor):
    async def run(self) -> None:
        while True:
            for symbol in "abc":
                with suppress(ConnectionError, CircuitOpenError):
                    await fetch(symbol)
                await trio.sleep(1.0)


EARLY = Guard("early", retry=None, breaker=Breaker(window=2, open_for=5.0))


class Early(Actor):
    async def run(self) -> None:
        """Succeed, then fail, which opens: if the success were forgotten, it would not. In the end it is closed."""
        for answer in trio.sleep, boom, trio.sleep, trio.sleep:
            with suppress(BoomError):
                await EARLY.call(answer, 1.0)
            await trio.sleep(10.0)
        await trio.sleep_forever()


class Maker(Actor):
    async def run(self) -> None:
        """Make a guard that is known in this world alone, and trip it."""
        guard = Guard("made inside", retry=None, breaker=Breaker.consecutive(2, open_for=10.0))
        while True:
            with suppress(BoomError, CircuitOpenError):
                await guard.call(boom)
            await trio.sleep(3.0)


async def boom(*_: object) -> None:
    raise BoomError


def bot() -> Supervisor:
    return Supervisor("bot", [Child("poller", Poller), Child("maker", Maker), Child("early", Early)])


def simulate(seed: int, *, seconds: float = 200.0) -> str:
    outcome = World(seed).simulate(bot(), seconds)
    assert outcome.ok
    return outcome.sha256


class Ear:
    """Hears what kinds of records there are, and finds nothing wrong."""

    kinds: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.moves: list[tuple[str, str]] = []

    def apply(self, record: Record) -> Iterable[Violation]:
        self.heard.add(record.kind)
        if record.kind == "breaker_changed":
            self.moves.append((record.fields["guard"], record.fields["state"]))
        return ()

    def finish(self, now: float) -> Iterable[Violation]:
        return ()


def test_a_guard_of_a_module_does_the_same_in_world_after_world() -> None:
    first = simulate(1)
    other = simulate(2, seconds=77.0)
    GUARD.force_open()

    assert simulate(1) == first
    assert simulate(2, seconds=77.0) == other
    assert first != other


def test_a_world_tells_what_its_guards_did() -> None:
    ear = Ear()
    checkers: Any = (ear,)

    World(3).simulate(Scenario(tree=bot(), checkers=checkers), 100.0)

    assert {"breaker_changed", "call_retried", "call_gave_up", "call_rejected", "fallback_used"} <= ear.heard
    assert [state for guard, state in ear.moves if guard == "early"] == ["open", "half_open", "closed"]


def test_chance_comes_from_the_seed_without_a_runtime_too() -> None:
    async def draw() -> float:
        return registry.rng().random()

    before = registry.rng()

    assert World(5).run(draw) == World(5).run(draw) != World(6).run(draw)
    assert registry.rng() is not before


def test_a_world_leaves_nothing_behind() -> None:
    before = dict(registry.guards)

    simulate(4, seconds=60.0)

    assert dict(registry.guards) == before
    assert GUARD.state == "closed"
    assert GUARD.statistics().attempts == 0
