"""The shell of a connection, on a virtual clock: hooks and their deadlines, checks, loss, suspension, stability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from duenna import ChildExited, ChildRestarting, ErrorReported
from duenna.connection import ConnectionChanged, ConnectionLostError, ConnectionState

if TYPE_CHECKING:
    from trio.testing import MockClock


from .scripted import PATH, Journal, in_turn, journal, raises, running, sleeps

__all__ = ["journal"]


# -- connecting ------------------------------------------------------------------------


async def test_a_connection_is_ready_while_it_connects(journal: Journal, autojump_clock: MockClock) -> None:
    """A bot must start while its exchange is down: the boot does not wait for the far end."""
    async with running(journal, connect=trio.sleep_forever) as (runtime, _):
        assert trio.current_time() == 0.0
        assert await runtime.ref(PATH).ask("state") is ConnectionState.CONNECTING


async def test_it_is_operational_once_the_first_check_has_passed(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(3)) as (runtime, seen):
        assert await runtime.ref(PATH).ask("until up") == 3.0

        assert journal.calls == [(0.0, "connect"), (0.0, "check")]
        assert seen.moves == ["closed -> connecting", "connecting -> operational"]


async def test_a_failed_connect_is_a_crash_under_backoff(journal: Journal, autojump_clock: MockClock) -> None:
    """Nothing reconnects behind the supervisor's back, and what was half open is closed."""
    async with running(journal, connect=in_turn(OSError("refused"), None)) as (_, seen):
        await seen.becomes(ConnectionState.OPERATIONAL)

        assert journal.calls == [(0.0, "connect"), (0.0, "close"), (5.0, "connect"), (5.0, "check")]
        assert [event.reason for event in seen.of(ChildExited)] == ["OSError: refused"]
        assert seen.moves == [
            "closed -> connecting",
            "connecting -> cooldown",
            "cooldown -> connecting",
            "connecting -> operational",
        ]


async def test_a_connect_that_takes_too_long_is_called_off(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=trio.sleep_forever, connect_timeout=7.0) as (_, seen):
        await trio.sleep(8)

        assert journal.times("close") == [7.0]
        assert [event.reason for event in seen.of(ChildExited)] == [
            "ConnectionTimeoutError: connect took longer than 7.0 s"
        ]


async def test_a_first_check_that_fails_is_a_failed_connect(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=raises(ValueError("no data"))) as (_, seen):
        await trio.sleep(1)

        assert journal.names == ["connect", "check", "close"]
        assert seen.moves == ["closed -> connecting", "connecting -> cooldown"]


async def test_retry_after_is_a_floor_under_the_backoff(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, connect=raises(ConnectionLostError("banned", retry_after=120.0))) as (_, seen):
        await trio.sleep(1)

        assert [event.delay for event in seen.of(ChildRestarting)] == [120.0]


# -- checks ----------------------------------------------------------------------------


async def test_checks_come_at_their_period(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (_, _):
        await trio.sleep(100)

        assert journal.times("check") == [0.0, 30.0, 60.0, 90.0]


async def test_a_failing_check_degrades_and_a_passing_one_restores(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=in_turn(None, ValueError("slow"), None)) as (_, seen):
        await trio.sleep(70)

        assert seen.moves[2:] == ["operational -> degraded", "degraded -> operational"]
        assert [event.error for event in seen.of(ErrorReported)] == ["ValueError: slow"]


async def test_a_failing_check_is_repeated_sooner(journal: Journal, autojump_clock: MockClock) -> None:
    """Never later than ``check_every`` would have it; a passing one restores the old pace."""
    checks = in_turn(None, ValueError("slow"), ValueError("slow"), None)
    async with running(journal, check=checks) as (_, _):
        await trio.sleep(71)

        assert journal.times("check") == [0.0, 30.0, 35.0, 40.0, 70.0]


async def test_rechecks_are_never_rarer_than_checks(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=in_turn(None, ValueError("slow"), None), check_every=2.0) as (_, _):
        await trio.sleep(5)

        assert journal.times("check") == [0.0, 2.0, 4.0]


async def test_a_check_that_takes_too_long_has_failed(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(0.0, 11.0, 0.0), check_timeout=10.0) as (_, seen):
        await trio.sleep(45)

        assert [event.error for event in seen.of(ErrorReported)] == [
            "ConnectionTimeoutError: check took longer than 10.0 s"
        ]


async def test_a_check_that_knows_better_ends_the_link_at_once(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=in_turn(None, ConnectionLostError("gone"))) as (_, _):
        await trio.sleep(31)

        assert journal.calls[-2:] == [(30.0, "check"), (30.0, "close")]


async def test_a_check_can_be_asked_for(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal) as (runtime, _):
        await trio.sleep(12)
        runtime.ref(PATH).tell("check soon")
        await trio.sleep(31)

        assert journal.times("check") == [0.0, 12.0, 42.0]


async def test_a_check_asked_for_during_a_check_follows_it(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(2)) as (runtime, _):
        await trio.sleep(33)  # the second check runs until 34
        runtime.ref(PATH).tell("check soon")
        await trio.sleep(2)

        assert journal.times("check") == [0.0, 32.0, 34.0]


# -- the session -----------------------------------------------------------------------


async def test_a_session_that_raises_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    """The crash is the session's own exception, out of all groups."""
    lost = in_turn(ConnectionLostError("reset by peer"))

    async def session() -> None:
        await trio.sleep(4)
        await lost()

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(5)

        assert journal.times("close") == [4.0]
        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: reset by peer"]


async def test_two_tasks_that_fail_at_once_are_one_crash(journal: Journal, autojump_clock: MockClock) -> None:
    async def session() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raises(ValueError("a")))
            nursery.start_soon(raises(KeyError("b")))

    async with running(journal, session=session) as (_, seen):
        await trio.sleep(1)

        (exited,) = seen.of(ChildExited)
        assert "ValueError: a" in exited.reason
        assert "KeyError: 'b'" in exited.reason


async def test_a_session_that_returns_renews_the_link_without_a_restart(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, session=sleeps(40)) as (_, seen):
        await trio.sleep(50)

        assert journal.calls[:6] == [
            (0.0, "connect"),
            (0.0, "check"),
            (30.0, "check"),
            (40.0, "close"),
            (40.0, "connect"),
            (40.0, "check"),
        ]
        assert seen.of(ChildExited) == []
        assert [event.why for event in seen.of(ConnectionChanged) if event.state is ConnectionState.CLOSED] == [
            "renewed"
        ]


async def test_a_session_that_returns_at_once_is_a_lost_link(journal: Journal, autojump_clock: MockClock) -> None:
    """Renewing without end would keep the far end and the loop busy."""
    async with running(journal, session=sleeps(0.5)) as (_, seen):
        await trio.sleep(1)

        assert [event.reason for event in seen.of(ChildExited)] == [
            "ConnectionLostError: session ended after 0.500 s, before the 1.0 s it must last"
        ]
