"""How fresh the data of an actor is: the rule on literal times, and what the runtime tells of an actor, up or down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

import duenna
from duenna import Actor, Backoff, Child, Freshness, Supervisor, UnknownPathError

if TYPE_CHECKING:
    from trio.testing import MockClock


@pytest.mark.parametrize(
    ("at", "expect_every", "now", "is_stale", "is_fresh"),
    [
        (None, None, 9.0, False, True),
        (None, 5.0, 9.0, False, False),
        (4.0, None, 900.0, False, True),
        (4.0, 5.0, 9.0, False, True),
        (4.0, 5.0, 9.1, True, False),
    ],
)
def test_data_is_stale_when_more_is_overdue(
    at: float | None, expect_every: float | None, now: float, *, is_stale: bool, is_fresh: bool
) -> None:
    freshness = Freshness(at, expect_every)

    assert (freshness.is_stale(now), freshness.is_fresh(now)) == (is_stale, is_fresh)


class Ticker(Actor):
    """Has data when it is told of some; crashes when it is told to."""

    def __init__(self) -> None:
        self.at: float | None = None

    def receive(self, message: str) -> None:
        if message == "crash":
            raise ConnectionResetError
        self.at = self.context.now()

    def freshness(self) -> Freshness:
        return Freshness(self.at, 5.0)


class Broken(Actor):
    def freshness(self) -> Freshness:
        raise ZeroDivisionError


class Foolish(Actor):
    def freshness(self) -> Freshness:
        return 3  # type: ignore[return-value]


def tree() -> Supervisor:
    never = Backoff.exponential(1000.0, maximum=1000.0, jitter="none")
    children = [Child("ticker", Ticker, backoff=never), Child("broken", Broken), Child("foolish", Foolish)]
    return Supervisor("bot", [*children, Child("plain", Actor)])


async def test_the_actor_says_it(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(tree(), log_level=None) as runtime:
        assert runtime.freshness("/bot/ticker") == Freshness(None, 5.0)
        await trio.sleep(2.0)
        runtime.ref("/bot/ticker").tell("data")
        await trio.sleep(1.0)

        assert runtime.freshness("/bot/ticker") == Freshness(2.0, 5.0)


async def test_of_an_actor_that_is_down_it_is_what_it_was(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(tree(), log_level=None) as runtime:
        runtime.ref("/bot/ticker").tell("data")
        await trio.sleep(1.0)
        runtime.ref("/bot/ticker").tell("crash")
        await trio.sleep(10.0)

        assert runtime.tree("/bot/ticker").state == "backoff"
        assert runtime.freshness("/bot/ticker") == Freshness(0.0, 5.0)


@pytest.mark.parametrize("name", ["plain", "broken", "foolish"])
async def test_who_says_nothing_sensible_hurts_nobody(name: str, autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(tree(), log_level=None) as runtime:
        assert runtime.freshness(f"/bot/{name}") is None


async def test_a_path_that_is_not_there_is_refused(autojump_clock: MockClock) -> None:
    async with duenna.open_runtime(tree(), log_level=None) as runtime:
        with pytest.raises(UnknownPathError):
            runtime.freshness("/bot/nobody")
