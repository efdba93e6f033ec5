"""What failing and slow checks lead to: restarts within the incarnation, quiet times, and a hand in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import ChildExited, ChildParked, ErrorReported
from duenna.connection import ConnectionChanged, ConnectionLostError, ConnectionState

from .scripted import PATH, Journal, in_turn, journal, raises, running, sleeps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trio.testing import MockClock

__all__ = ["journal"]

DEAD = ValueError("dead")
FIRST = 30.0 + 10 * 5.0
"""When the eleventh check in a row fails: the first at 30 s, the others 5 s apart."""


def dead_from(time: float, until: float = 1e9) -> Callable[[], Awaitable[None]]:
    """Fail from *time* on, and no more from *until* on."""

    async def hook() -> None:
        if time <= trio.current_time() < until:
            raise DEAD

    return hook


async def passes() -> None:
    """Find nothing wrong."""


# -- when ------------------------------------------------------------------------------


async def test_ten_failing_checks_in_a_row_are_borne(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=dead_from(30, FIRST), recover=passes) as (_, seen):
        await trio.sleep(FIRST + 1)

        assert journal.times("recover dead") == []
        assert seen.moves[2:] == ["operational -> degraded", "degraded -> operational"]


async def test_a_check_that_passes_forgets_those_that_failed(journal: Journal, autojump_clock: MockClock) -> None:
    """Ten failures, a success, ten failures: nothing is recovered."""
    checks = in_turn(None, *[DEAD] * 10, None, *[DEAD] * 10, None)
    async with running(journal, check=checks, recover=passes) as (_, _):
        await trio.sleep(300)

        assert journal.times("recover dead") == []


async def test_the_eleventh_starts_a_recovery(journal: Journal, autojump_clock: MockClock) -> None:
    """It is believed only after a check."""
    checks = in_turn(None, *[DEAD] * 11, None)
    async with running(journal, check=checks, recover=passes) as (_, seen):
        await trio.sleep(FIRST + 1)

        assert journal.calls[-2:] == [(FIRST, "recover dead"), (FIRST, "check")]
        assert seen.moves[-1] == "recovering -> operational"
        assert seen.of(ChildExited) == []


@pytest.mark.parametrize(("borne", "time"), [(0, 30.0), (1, 35.0), (2, 40.0)])
async def test_a_class_may_bear_less(borne: int, time: float, journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=dead_from(30), recover=passes, max_check_failures=borne) as (_, _):
        await trio.sleep(41)

        assert journal.times("recover dead")[0] == time


# -- what ------------------------------------------------------------------------------


async def test_unless_overridden_recovery_connects_anew_within_the_incarnation(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, check=dead_from(30, FIRST + 1), close=sleeps(2)) as (_, seen):
        await trio.sleep(FIRST + 10)

        assert journal.calls[-5:] == [
            (FIRST, "check"),
            (FIRST, "recover dead"),
            (FIRST, "close"),
            (FIRST + 2, "connect"),
            (FIRST + 2, "check"),
        ]
        assert seen.moves[2:] == ["operational -> degraded", "degraded -> recovering", "recovering -> operational"]
        assert seen.of(ChildExited) == []


async def test_the_new_link_has_a_session_and_the_old_one_has_not(journal: Journal, autojump_clock: MockClock) -> None:
    async def session() -> None:
        journal.note("session")
        try:
            await trio.sleep_forever()
        finally:
            journal.note("session ended")

    async with running(journal, check=dead_from(30, FIRST + 1), session=session, close=sleeps(2)) as (_, _):
        await trio.sleep(FIRST + 10)

        assert journal.times("session") == [0.0, FIRST + 2]
        assert journal.times("session ended") == [FIRST]


async def test_a_reconnect_that_fails_is_a_crash(journal: Journal, autojump_clock: MockClock) -> None:
    """It is the supervisor's then, with its backoff and its budget."""
    async with running(journal, connect=in_turn(None, OSError("refused")), check=dead_from(30)) as (_, seen):
        await trio.sleep(FIRST + 1)

        assert [event.reason for event in seen.of(ChildExited)] == ["OSError: refused"]
        assert seen.moves[-2:] == ["degraded -> recovering", "recovering -> cooldown"]


# -- how often -------------------------------------------------------------------------


@pytest.mark.parametrize("is_overridden", [True, False])
async def test_three_attempts_with_60_120_and_240_seconds_of_quiet(
    is_overridden: bool, journal: Journal, autojump_clock: MockClock
) -> None:
    """When the last quiet time is over, a hand is needed: the child is parked, whatever budget it has left."""
    hooks: dict[str, Any] = {"recover": passes} if is_overridden else {}
    child = {"unpark_after": None}
    async with running(journal, check=dead_from(30), child=child, **hooks) as (_, seen):
        await trio.sleep(FIRST + 421)

        assert journal.times("recover dead") == [FIRST, FIRST + 60, FIRST + 180]
        assert seen.moves[2:] == [
            "operational -> degraded",
            *["degraded -> recovering", "recovering -> cooldown"],
            *["cooldown -> recovering", "recovering -> cooldown"] * 2,
            "cooldown -> failed",
        ]
        (parked,) = seen.of(ChildParked)
        assert parked.time == FIRST + 420
        assert parked.reason.startswith("ManualInterventionError: manual intervention required: ")
        assert "3 restarts did not help: ValueError: dead" in parked.reason


async def test_an_attempt_that_raises_is_followed_by_quiet_and_the_next(
    journal: Journal, autojump_clock: MockClock
) -> None:
    recover = in_turn(OSError("no"), None)
    async with running(journal, check=dead_from(30, FIRST + 60), recover=recover) as (_, seen):
        await trio.sleep(FIRST + 61)

        assert [event.time for event in seen.of(ErrorReported) if event.error == "OSError: no"] == [FIRST]
        assert journal.times("recover dead") == [FIRST, FIRST + 60]
        assert seen.moves[-1] == "recovering -> operational"
        assert seen.of(ChildExited) == []


async def test_an_attempt_that_hangs_is_called_off(journal: Journal, autojump_clock: MockClock) -> None:
    hooks: dict[str, Any] = {"recover": trio.sleep_forever, "recover_timeout": 4.0}
    async with running(journal, check=dead_from(30), **hooks) as (_, seen):
        await trio.sleep(FIRST + 5)

        changed = seen.of(ConnectionChanged)[-1]
        assert (changed.time, changed.state) == (FIRST + 4, ConnectionState.COOLDOWN)
        assert changed.why == "ConnectionTimeoutError: recover took longer than 4.0 s; left alone for 60 s"


async def test_an_attempt_that_knows_better_is_a_crash(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=dead_from(30), recover=raises(ConnectionLostError("gone"))) as (_, seen):
        await trio.sleep(FIRST + 1)

        assert [event.reason for event in seen.of(ChildExited)] == ["ConnectionLostError: gone"]
        assert journal.times("close") == [FIRST]


async def test_checks_go_on_in_the_quiet_time_and_one_that_passes_ends_it(
    journal: Journal, autojump_clock: MockClock
) -> None:
    """At their ordinary pace. All attempts are there again for the next time."""
    async with running(journal, check=dead_from(30, FIRST + 50), recover=passes, restart_cooldown=70.0) as (_, seen):
        await trio.sleep(FIRST + 100)

        assert [time for time in journal.times("check") if time > FIRST] == [FIRST + 30, FIRST + 60, FIRST + 90]
        assert journal.times("recover dead") == [FIRST]
        assert seen.moves[-1] == "cooldown -> operational"
        changes = seen.of(ConnectionChanged)
        assert [(each.attempt, each.attempts) for each in changes[-3:]] == [(1, 3), (1, 3), (0, 0)]
        assert changes[-3].text() == (
            "connection degraded -> recovering (restart 1 of 3): 11 checks in a row have failed"
        )
        assert changes[-1].text() == "connection cooldown -> operational: check passed"


async def test_a_check_can_be_asked_for_in_the_quiet_time(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=dead_from(30, FIRST + 1), recover=passes) as (runtime, seen):
        await trio.sleep(FIRST + 7)
        runtime.ref(PATH).tell("check soon")
        await trio.sleep(1)

        assert seen.of(ConnectionChanged)[-1].time == FIRST + 7
        assert seen.moves[-1] == "cooldown -> operational"


async def test_no_attempts_at_all_can_be_asked_for(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=dead_from(30), recover=passes, max_restarts=0) as (_, seen):
        await trio.sleep(FIRST + 1)

        assert journal.times("recover dead") == []
        assert [event.time for event in seen.of(ChildParked)] == [FIRST]


async def test_a_class_may_be_left_alone_for_longer(journal: Journal, autojump_clock: MockClock) -> None:
    hooks: dict[str, Any] = {"recover": passes, "restart_cooldown": 100.0, "max_restarts": 2}
    async with running(journal, check=dead_from(30), **hooks) as (_, seen):
        await trio.sleep(FIRST + 301)

        assert journal.times("recover dead") == [FIRST, FIRST + 100]
        assert [event.time for event in seen.of(ChildParked)] == [FIRST + 300]


# -- stops and suspensions in between --------------------------------------------------


@pytest.mark.parametrize("where", ["recover", "close", "connect", "check", "quiet"])
async def test_a_stop_in_the_middle_of_a_recovery_closes(
    where: str, journal: Journal, autojump_clock: MockClock
) -> None:
    """Whatever it is busy with, it ends closed, and nothing is left behind."""
    slow = {"recover": passes} if where in {"recover", "quiet"} else {}
    hooks: dict[str, Any] = {"check": dead_from(30), **slow}
    if where == "recover":
        hooks["recover"] = trio.sleep_forever
    elif where == "close":
        hooks["close"] = sleeps(1.5)
    elif where == "connect":
        hooks["connect"] = sleeps(0.0, 5.0)
    elif where == "check":
        hooks["check"] = _fails_then_hangs()
    async with running(journal, **hooks) as (runtime, seen):
        await trio.sleep(FIRST + 1)
        await runtime.stop()

        assert seen.of(ConnectionChanged)[-1].state is ConnectionState.CLOSED
        assert seen.moves[-1].endswith("-> closed")
        assert journal.names[-1] == "close"
        assert [event.reason for event in seen.of(ChildExited) if event.path == PATH] == ["shutdown"]


def _fails_then_hangs() -> Callable[[], Awaitable[None]]:
    fails = in_turn(None, *[DEAD] * 11, None)
    calls = 0

    async def hook() -> None:
        nonlocal calls
        calls += 1
        await fails()
        if calls > 12:
            await trio.sleep(5)

    return hook


@pytest.mark.parametrize("is_quiet", [True, False])
async def test_suspended_during_a_recovery_it_closes_and_begins_anew_when_resumed(
    is_quiet: bool, journal: Journal, autojump_clock: MockClock
) -> None:
    hooks: dict[str, Any] = {"recover": passes} if is_quiet else {"connect": sleeps(0.0, 5.0)}
    async with running(journal, check=dead_from(30, FIRST + 10), **hooks) as (runtime, seen):
        await trio.sleep(FIRST + 1)
        await runtime.suspend(PATH)
        await trio.sleep(20)
        assert seen.of(ConnectionChanged)[-1].state is ConnectionState.CLOSED

        await runtime.resume(PATH)
        await runtime.ref(PATH).ask("until up", timeout=20.0)

        assert seen.moves[-2:] == ["closed -> connecting", "connecting -> operational"]
        assert seen.of(ChildExited) == []


async def test_a_recovery_that_takes_five_minutes_is_reported(journal: Journal, autojump_clock: MockClock) -> None:
    hooks: dict[str, Any] = {"recover": sleeps(400.0), "recover_timeout": 1000.0}
    async with running(journal, check=dead_from(30, FIRST + 1), **hooks) as (_, seen):
        await trio.sleep(FIRST + 500)

        stuck = [event for event in seen.of(ErrorReported) if "still recovering" in event.error]
        assert [(event.time, event.error) for event in stuck] == [
            (FIRST + 300, "RecoveryStuckError: still recovering after 300 s")
        ]
        assert seen.moves[-1] == "recovering -> operational"


async def test_a_recovery_that_ends_in_time_is_not(journal: Journal, autojump_clock: MockClock) -> None:
    """Neither is the sum of several, each in time."""
    hooks: dict[str, Any] = {"recover": sleeps(299.0), "recover_timeout": 1000.0}
    async with running(journal, check=dead_from(30), **hooks) as (_, seen):
        await trio.sleep(FIRST + 2000)

        assert not [event for event in seen.of(ErrorReported) if "still recovering" in event.error]


# -- slow checks -----------------------------------------------------------------------


async def test_a_slow_check_degrades_although_it_has_passed(journal: Journal, autojump_clock: MockClock) -> None:
    """Slow is more than half of the deadline; no failure is counted, and nothing is hurried."""
    async with running(journal, check=sleeps(0.0, 5.0, 5.1, 0.0)) as (_, seen):
        await trio.sleep(110)

        assert seen.moves[2:] == ["operational -> degraded", "degraded -> operational"]
        assert seen.of(ConnectionChanged)[2].why == "check passed after 5.1 s"
        assert journal.times("check") == [0.0, 30.0, 65.0, pytest.approx(100.1)]
        assert seen.of(ErrorReported) == []


async def test_a_slow_first_check_connects_degraded(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(6.0, 0.0)) as (_, seen):
        await trio.sleep(40)

        assert seen.moves == ["closed -> connecting", "connecting -> degraded", "degraded -> operational"]


@pytest.mark.parametrize(("slow", "moves"), [(2.0, 1), (3.0, 0), (float("inf"), 0)])
async def test_what_is_slow_can_be_said(slow: float, moves: int, journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, check=sleeps(0.0, 3.0), slow_check=slow) as (_, seen):
        await trio.sleep(40)

        assert len(seen.moves) == 2 + moves


async def test_a_slow_check_after_a_recovery_has_helped(journal: Journal, autojump_clock: MockClock) -> None:
    checks = in_turn(None, *[DEAD] * 11, None)

    async def check() -> None:
        await checks()
        if trio.current_time() == FIRST and journal.names[-2] == "recover dead":
            await trio.sleep(6)

    async with running(journal, check=check, recover=passes) as (_, seen):
        await trio.sleep(FIRST + 7)

        assert seen.moves[-1] == "recovering -> degraded"
