"""Operations: what becomes of them, how many are kept, and the console's end in the middle."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna_actors.console.api.operations import (
    INTERRUPTED,
    MOST,
    MOST_RUNNING,
    KeyReusedError,
    Operation,
    Operations,
    TooManyError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

WALL = 1_772_366_400.0


def operations() -> Operations:
    return Operations(lambda: WALL + trio.current_time())


async def nothing() -> None:
    await trio.lowlevel.checkpoint()


async def fails() -> None:
    raise ValueError("no, \ud800 token=sk-live-0123456789abcdef0123456789abcdef")


async def test_one_that_succeeds(autojump_clock: trio.testing.MockClock) -> None:
    known = operations()
    async with trio.open_nursery() as nursery:
        begun = known.begin("stop", "/bot/a", partial(trio.sleep, 2.0), nursery.start_soon, by="ann", reason="why")
        assert known.running == (begun.id,)
        assert (begun.state, begun.ended_at) == ("running", None)

    done = known.find(begun.id)

    assert done == Operation(
        id="op-1",
        action="stop",
        path="/bot/a",
        state="succeeded",
        reason="why",
        by="ann",
        started_at=begun.started_at,
        ended_at=begun.started_at + 2.0,
        affected=(),
    )
    assert not known.running


async def test_one_that_fails_says_why_and_ends_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """Without secrets."""
    known = operations()
    async with trio.open_nursery() as nursery:
        begun = known.begin("start", "/bot/a", fails, nursery.start_soon, by="ann")

    done = known.find(begun.id)

    assert done is not None
    assert done.state == "failed"
    assert done.error.startswith("ValueError: no, ")
    assert "sk-live-0123456789" not in done.error


async def test_the_end_of_the_console_is_told(autojump_clock: trio.testing.MockClock) -> None:
    """Cancelled: what had been begun may go on, but nobody waits for it any more."""
    known = operations()
    async with trio.open_nursery() as nursery:
        begun = known.begin("restart", "/bot/a", trio.sleep_forever, nursery.start_soon, by="ann")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    done = known.find(begun.id)

    assert done is not None
    assert (done.state, done.error) == ("failed", INTERRUPTED)


async def test_one_that_ends_the_console_has_succeeded_by_that(autojump_clock: trio.testing.MockClock) -> None:
    known = operations()
    async with trio.open_nursery() as nursery:
        begin = partial(known.begin, "restart", "/system/console", by="ann", ends_console=True)
        begun = begin(partial(_cancel, nursery), nursery.start_soon)

    done = known.find(begun.id)

    assert done is not None
    assert (done.state, done.error) == ("succeeded", "")


async def _cancel(nursery: trio.Nursery) -> None:
    nursery.cancel_scope.cancel()
    await trio.sleep_forever()


async def test_where_nothing_can_be_begun_nothing_is_left_running() -> None:
    known = operations()

    def refuses(_work: Callable[[], Awaitable[Any]]) -> None:
        raise RuntimeError("the nursery is closed")

    with pytest.raises(RuntimeError, match="closed"):
        known.begin("stop", "/bot/a", nothing, refuses, by="ann")

    assert known.running == ()


async def test_the_oldest_that_are_over_are_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    """One that is under way is not, however old it is."""
    known = operations()
    async with trio.open_nursery() as nursery:
        first = known.begin("stop", "/bot/a", partial(trio.sleep, 9.0), nursery.start_soon, by="ann")
        for _ in range(MOST + 5):
            async with trio.open_nursery() as inner:
                known.begin("stop", "/bot/b", nothing, inner.start_soon, by="ann")
        assert len(known.all()) == MOST
        assert known.find(first.id) is not None
        assert known.find("op-2") is None
        assert known.all()[0].id == f"op-{MOST + 6}"


async def test_a_key_outlives_the_operation_that_it_began(autojump_clock: trio.testing.MockClock) -> None:
    """Else what was done once would be done again by a request that is only repeated."""
    known = operations()
    async with trio.open_nursery() as nursery:
        begun = known.begin("stop", "/bot/a", nothing, nursery.start_soon, by="ann", key="k", what="this")
    for _ in range(MOST):
        async with trio.open_nursery() as nursery:
            known.begin("stop", "/bot/b", nothing, nursery.start_soon, by="ann")

    assert known.find(begun.id) is None
    assert known.known_by("ann", "k", "this") == begun


async def test_only_so_many_are_under_way(autojump_clock: trio.testing.MockClock) -> None:
    known = operations()
    async with trio.open_nursery() as nursery:
        for _ in range(MOST_RUNNING):
            known.begin("stop", "/bot/a", trio.sleep_forever, nursery.start_soon, by="ann")

        with pytest.raises(TooManyError, match=r"^100 operations are under way$"):
            known.begin("stop", "/bot/a", nothing, nursery.start_soon, by="ann")

        nursery.cancel_scope.cancel()


async def test_a_key_belongs_to_its_owner_and_its_request(autojump_clock: trio.testing.MockClock) -> None:
    known = operations()
    async with trio.open_nursery() as nursery:
        begun = known.begin("stop", "/bot/a", nothing, nursery.start_soon, by="ann", key="k", what="this")

    assert known.known_by("ann", "k", "this") == begun
    assert known.known_by("bob", "k", "this") is None
    assert known.known_by("ann", "other", "this") is None
    with pytest.raises(KeyReusedError):
        known.known_by("ann", "k", "that")
