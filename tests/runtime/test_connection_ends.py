"""How links end: background tasks, stops, suspension, failures that are not forgotten too soon, parking."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Child, ChildExited, ChildRestarting, ErrorReported, Supervisor, open_runtime
from duenna.connection import ConnectionChanged, ConnectionLostError, ConnectionState

from .scripted import PATH, Journal, Scripted, in_turn, journal, raises, running, sleeps

__all__ = ["journal"]


# -- background ------------------------------------------------------------------------


async def test_background_tasks_live_until_the_link_is_closed(journal: Journal, autojump_clock: MockClock) -> None:
    """A closing handshake needs the task that reads the answer."""

    async def reader() -> None:
        try:
            await trio.sleep_forever()
        finally:
            journal.note("reader ended")

    async def connect() -> None:
        journal.connection().background(reader)

    async with running(journal, connect=connect) as (runtime, _):
        await trio.sleep(1)
        await runtime.stop()

        assert journal.names == ["connect", "check", "close", "reader ended"]


async def test_a_background_task_that_raises_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    async def connect() -> None:
        journal.connection().background(raises(ConnectionLostError("gone")))

    async with running(journal, connect=connect) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: gone"]


async def test_a_background_task_that_fails_is_not_held_up_by_the_others(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """They are shielded, and end only when the link is closed."""

    async def session() -> None:
        journal.connection().background(trio.sleep_forever)
        await trio.sleep(3)
        journal.connection().background(raises(ConnectionLostError("gone")))
        await trio.sleep_forever()

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(4)

        assert journal.times("close") == [3.0]
        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: gone"]


async def test_what_background_tasks_raise_because_of_the_closing_is_no_crash(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """A reader whose connection we close reads an error."""
    closing = trio.Event()

    async def reader() -> None:
        await closing.wait()
        raise ConnectionLostError("closed under me")

    async def connect() -> None:
        journal.connection().background(reader)

    async def close() -> None:
        closing.set()
        await trio.sleep(1)

    async with running(journal, connect=connect, close=close) as (runtime, seen):
        await trio.sleep(1)
        await runtime.suspend(PATH)
        await trio.sleep(2)

        assert seen.moves[-1] == "operational -> closed"
        assert seen.of(ChildExited) == []
        assert [event.error for event in seen.of(ErrorReported)] == ["ConnectionLostError: closed under me"]


async def test_a_background_task_that_comes_late_is_cancelled_at_once(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async def close() -> None:
        journal.connection().background(trio.sleep_forever)

    async with running(journal, close=close) as (runtime, _):
        await trio.sleep(1)
        await runtime.stop()

        assert trio.current_time() == 1.0


def test_a_background_task_needs_a_link() -> None:
    with pytest.raises(RuntimeError, match=r"^Scripted.background\(\) needs a link, the connection is connecting$"):
        Scripted(Journal()).background(trio.sleep_forever)


# -- stopping and suspending -----------------------------------------------------------


@pytest.mark.parametrize("where", ["connect", "check", "session", "recover"])
async def test_a_stop_closes_wherever_it_comes(where: str, journal: Journal, autojump_clock: MockClock) -> None:
    hooks: dict[str, Any] = {where: trio.sleep_forever, "check_timeout": 500.0, "connect_timeout": 500.0}
    if where == "recover":
        hooks |= {"check": in_turn(None, ValueError("dead")), "recover_timeout": 500.0}
    async with running(journal, **hooks) as (runtime, seen):
        await trio.sleep(100)
        await runtime.stop()

        assert journal.times("close") == [100.0]
        assert trio.current_time() == 100.0
        assert seen.of(ConnectionChanged)[-1].state is ConnectionState.CLOSED


async def test_close_has_a_deadline_and_is_not_cancelled_before_it(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, close=trio.sleep_forever, close_timeout=2.5) as (runtime, seen):
        await wait_all_tasks_blocked()
        await runtime.stop()

        assert trio.current_time() == 2.5
        assert [event.error for event in seen.of(ErrorReported)] == [
            "ConnectionTimeoutError: close took longer than 2.5 s"
        ]


async def test_a_close_that_raises_does_not_hide_why_the_link_ended(
    journal: Journal, autojump_clock: MockClock
) -> None:
    hooks: dict[str, Any] = {"connect": raises(OSError("refused")), "close": raises(ValueError("bad close"))}
    async with running(journal, **hooks) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == ["OSError: refused"]
        assert [event.error for event in seen.of(ErrorReported)] == ["ValueError: bad close"]


async def test_suspended_it_closes_and_resumed_it_connects(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (runtime, seen):
        await trio.sleep(10)
        await runtime.suspend(PATH)
        await trio.sleep(50)
        assert journal.calls == [(0.0, "connect"), (0.0, "check"), (10.0, "close")]

        await runtime.resume(PATH)
        await runtime.ref(PATH).ask("until up")

        assert journal.calls[3:] == [(60.0, "connect"), (60.0, "check")]
        assert seen.moves[2:] == ["operational -> closed", "closed -> connecting", "connecting -> operational"]
        assert seen.of(ChildExited) == []


async def test_suspended_while_it_connects_it_gives_that_up(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=sleeps(5)) as (runtime, _):
        await trio.sleep(1)
        await runtime.suspend(PATH)
        await trio.sleep(20)

        assert journal.calls == [(0.0, "connect"), (1.0, "close")]


# -- stability -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "failures"),
    [(69.0, [1, 2, 3]), (70.0, [1, 1, 1])],
    ids=["not long enough", "60 s to be stable and 10 s of uptime"],
)
async def test_failures_are_forgotten_only_after_the_link_has_held(
    held: float, failures: list[int], journal: Journal, autojump_clock: MockClock
) -> None:
    """A far end that accepts and then throws out must not pin the backoff to its first step."""

    async def session() -> None:
        await trio.sleep(held)
        raise ConnectionLostError("thrown out")

    async with running(journal, session=session, check_every=1000.0, child={"reset_after": 10.0}) as (_, seen):
        await trio.sleep(3 * (held + 5) - 1)

        assert [event.failures for event in seen.of(ChildRestarting)] == failures


async def test_time_spent_connecting_is_no_uptime(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=trio.sleep_forever, connect_timeout=300.0, child={"reset_after": 10.0}) as (
        _,
        seen,
    ):
        await trio.sleep(650)

        assert [event.failures for event in seen.of(ChildRestarting)] == [1, 2]


# -- what its supervisor does to it while it is down -----------------------------------


async def test_a_connection_that_is_parked_has_failed(journal: Journal, autojump_clock: MockClock) -> None:
    """Nobody is there to say so any more, so it is said for it; a hand brings it back."""
    child = {"max_failures": 1, "on_give_up": "park", "unpark_after": None}
    refused = OSError("refused")
    async with running(journal, connect=in_turn(refused, refused, None), child=child) as (runtime, seen):
        await seen.becomes(ConnectionState.FAILED)
        assert seen.of(ConnectionChanged)[-1].why == "OSError: refused"

        await runtime.restart_child(PATH)
        await seen.becomes(ConnectionState.OPERATIONAL)

        assert seen.moves[-3:] == ["cooldown -> failed", "failed -> connecting", "connecting -> operational"]


async def test_a_connection_that_cannot_even_be_made_stays_failed(journal: Journal, autojump_clock: MockClock) -> None:
    """Parked again before it could report anything: that is no news, and no defect."""
    made = 0

    class Fragile(Scripted):
        def started(self) -> None:
            nonlocal made
            made += 1
            if made > 1:
                raise ValueError("no settings")

    child = Child(
        "link",
        lambda: Fragile(journal, connect=raises(OSError("refused"))),
        max_failures=0,
        on_give_up="park",
        unpark_after=10.0,
    )
    async with open_runtime(Supervisor("bot", intensity=1000, period=1.0), log_level=None) as runtime:
        with runtime.events() as events:
            await runtime.start_child("/bot", child)
            await trio.sleep(35)
            moves = [event.state for event in events.drain() if isinstance(event, ConnectionChanged)]

    assert made == 4
    assert moves == ["connecting", "cooldown", "failed"]


async def test_a_connection_that_is_stopped_while_it_waits_is_closed(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, connect=raises(OSError("refused"))) as (runtime, seen):
        await trio.sleep(1)
        await runtime.stop_child(PATH)

        assert seen.moves[-1] == "cooldown -> closed"


async def test_a_connection_that_is_stopped_while_it_holds_is_closed_once(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal) as (runtime, seen):
        await trio.sleep(1)
        await runtime.stop_child(PATH)
        await runtime.delete_child(PATH)

        assert seen.moves[2:] == ["operational -> closed"]
