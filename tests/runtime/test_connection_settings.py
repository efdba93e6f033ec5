"""What the settings say of checks and of restarts because of them, before and while a bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import trio

from duenna import Child, ChildExited, ChildParked, ErrorReported, Supervisor, open_runtime
from duenna.connection import ConnectionChanged, ConnectionState
from duenna.settings import HealthSettings, Settings

from .scripted import PATH, Journal, Scripted, in_turn, journal, running, sleeps

if TYPE_CHECKING:
    from trio.testing import MockClock

__all__ = ["journal"]

DEAD = ValueError("dead")


def health(**values: Any) -> Settings:
    return Settings(health=HealthSettings(**values))


def dead() -> Any:
    return in_turn(None, DEAD)


async def passes() -> None:
    """Find nothing wrong."""


async def test_the_interval_is_the_settings(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, settings=health(check_interval=7.0)):
        await trio.sleep(22)

        assert journal.times("check") == [0.0, 7.0, 14.0, 21.0]


async def test_what_a_class_says_wins(journal: Journal, autojump_clock: MockClock) -> None:
    async with running(journal, settings=health(check_interval=7.0), check_every=10.0):
        await trio.sleep(22)

        assert journal.times("check") == [0.0, 10.0, 20.0]


@pytest.mark.parametrize(
    ("interval", "times"),
    [
        (5.0, [0.0, 30.0, 42.0, 47.0]),
        (15.0, [0.0, 30.0, 45.0]),
        (20.0, [0.0, 30.0, 50.0]),
        (1000.0, [0.0, 30.0]),
    ],
)
async def test_the_wait_at_hand_follows_new_settings(
    interval: float, times: list[float], journal: Journal, autojump_clock: MockClock
) -> None:
    """The next check is due at its new interval from the last one; at once, if that is over."""
    async with running(journal) as (runtime, seen):
        await trio.sleep(42)
        runtime.apply_settings(health(check_interval=interval))
        await trio.sleep(9)

        assert journal.times("check") == times
        assert seen.of(ChildExited) == []


async def test_settings_may_change_while_nothing_waits(journal: Journal, autojump_clock: MockClock) -> None:
    """During a connect, during a check, and when the actor is gone."""
    async with running(journal, connect=sleeps(2), check=sleeps(4)) as (runtime, seen):
        for when in (1.0, 3.0, 33.0):
            await trio.sleep(when - trio.current_time())
            runtime.apply_settings(health(check_interval=20.0 + when))
        await runtime.stop_child(PATH)
        runtime.apply_settings(health(check_interval=5.0))
        await trio.sleep(100)

        assert journal.times("check") == [2.0, 29.0]
        assert [event.reason for event in seen.of(ChildExited)] == ["shutdown"]


async def test_threshold_attempts_and_cooldown_are_the_settings(journal: Journal, autojump_clock: MockClock) -> None:
    settings = health(max_error_threshold=2, max_restart_attempts=2, restart_cooldown=20.0)
    child = {"unpark_after": None}
    async with running(journal, check=dead(), recover=passes, settings=settings, child=child) as (_, seen):
        await trio.sleep(200)

        assert journal.times("recover dead") == [40.0, 60.0]
        assert [event.time for event in seen.of(ChildParked)] == [100.0]


async def test_threshold_and_attempts_follow_new_settings(journal: Journal, autojump_clock: MockClock) -> None:
    """More checks have failed than are borne now: the next one that fails starts the recovery."""
    async with running(journal, check=dead(), recover=passes) as (runtime, seen):
        await trio.sleep(46)
        runtime.apply_settings(health(max_error_threshold=1, restart_cooldown=5.0))
        await trio.sleep(15)
        assert journal.times("recover dead") == [50.0, 55.0]

        runtime.apply_settings(health(max_restart_attempts=2))
        await trio.sleep(20)

        assert journal.times("recover dead") == [50.0, 55.0]
        assert [event.time for event in seen.of(ChildParked)] == [65.0]


# -- without recovery ------------------------------------------------------------------


class Database(Scripted):
    kind: ClassVar[str] = "database"


@pytest.mark.parametrize(
    ("settings", "kind", "is_recovered"),
    [
        (Settings(), Scripted, True),
        (Settings(auto_recovery_enabled=False), Scripted, False),
        (Settings(database_auto_reconnect=False), Scripted, True),
        (Settings(database_auto_reconnect=False), Database, False),
        (Settings(trade_engine_auto_restart=False), Database, True),
    ],
)
async def test_recovery_can_be_switched_off(
    settings: Settings, kind: type[Scripted], is_recovered: bool, journal: Journal, autojump_clock: MockClock
) -> None:
    """For all, and for databases."""
    bot = Supervisor("bot", [Child("link", lambda: kind(journal, check=dead(), recover=passes))])
    async with open_runtime(bot, log_level=None, settings=settings):
        await trio.sleep(81)

        assert journal.times("recover dead") == ([80.0] if is_recovered else [])


async def test_without_recovery_detection_goes_on(journal: Journal, autojump_clock: MockClock) -> None:
    """The link has failed, once; it is still checked, and a check that passes says that it is back."""
    checks = in_turn(None, *[DEAD] * 14, None)
    settings = Settings(auto_recovery_enabled=False)
    async with running(journal, check=checks, recover=passes, settings=settings) as (_, seen):
        await trio.sleep(201)

        assert journal.times("check")[-4:] == [110.0, 140.0, 170.0, 200.0]
        assert seen.moves[2:] == ["operational -> degraded", "degraded -> failed", "failed -> operational"]
        assert seen.of(ConnectionChanged)[3].why == (
            "11 checks in a row have failed, automatic recovery is off: ValueError: dead"
        )
        by_hand = [event.error for event in seen.of(ErrorReported) if "manual" in event.error]
        why = "11 checks in a row have failed, automatic recovery is off: ValueError: dead"
        assert by_hand == [f"ManualInterventionError: manual intervention required: {why}"]
        assert seen.of(ChildExited) == []


async def test_recovery_that_is_switched_on_again_begins_with_the_next_failing_check(
    journal: Journal, autojump_clock: MockClock
) -> None:
    settings = Settings(auto_recovery_enabled=False)
    async with running(journal, check=dead(), recover=passes, settings=settings) as (runtime, seen):
        await trio.sleep(100)
        runtime.apply_settings(Settings())
        await trio.sleep(11)

        assert journal.times("recover dead") == [110.0]
        assert seen.moves[-2:] == ["failed -> recovering", "recovering -> cooldown"]


async def test_recovery_that_is_switched_off_in_a_quiet_time_makes_no_further_attempt(
    journal: Journal, autojump_clock: MockClock
) -> None:
    async with running(journal, check=dead(), recover=passes) as (runtime, seen):
        await trio.sleep(100)
        runtime.apply_settings(Settings(auto_recovery_enabled=False))
        await trio.sleep(500)

        assert journal.times("recover dead") == [80.0]
        changed = seen.of(ConnectionChanged)[-1]
        assert (changed.time, changed.state) == (140.0, ConnectionState.FAILED)
        assert seen.of(ChildParked) == []
