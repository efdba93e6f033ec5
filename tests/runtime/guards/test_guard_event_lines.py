"""What guards have to say, as lines of the log; and what of a flood of them is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import trio
from loguru import logger

from duenna import Child, Context, Supervisor, open_runtime
from duenna.guard_events import (
    BreakerChanged,
    CallGaveUp,
    CallHedged,
    CallRejected,
    CallRetried,
    FallbackUsed,
    GuardEvent,
    GuardHealthChanged,
)
from duenna.guards import Breaker, CircuitOpenError, Guard
from duenna.guards._registry import registry
from duenna.machines.breaker import BreakerState, Cause
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():
        yield


async def idle(_: Context) -> None:
    await trio.sleep_forever()


def tree() -> Supervisor:
    return Supervisor("bot", [Child("idle", idle)])


def reject(guard: Guard) -> None:
    with pytest.raises(CircuitOpenError):
        guard.call_sync(lambda: None)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    sink = logger.add(lambda line: written.append(line.record["message"]), level="DEBUG")
    yield written
    logger.remove(sink)


class TestTheLog:
    async def test_of_a_flood_every_power_of_two_is_logged(self, autojump_clock: MockClock, lines: list[str]) -> None:
        first, second = (Guard(name, retry=None, breaker=Breaker()) for name in ("one", "two"))
        async with open_runtime(tree(), log_level="WARNING", watchdog=None) as runtime:
            first.force_open()
            second.force_open()
            with runtime.events(CallRejected) as stream:
                for _ in range(10):
                    reject(first)
                reject(second)

                assert len(list(stream.drain())) == 11

        flood = [line for line in lines if "rejected" in line]
        assert flood == ["/ guard one: call rejected by its breaker"] * 4 + [
            "/ guard two: call rejected by its breaker"
        ]

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [
            (CallRejected, {"by": "breaker", "retry_after": 1.0}),
            (CallRetried, {"attempt": 1, "delay": 1.0, "error": "e"}),
            (FallbackUsed, {"source": "value", "age": 0.0, "error": "e"}),
        ],
    )
    async def test_each_kind_of_flood(
        self, autojump_clock: MockClock, lines: list[str], kind: type[GuardEvent], fields: dict[str, Any]
    ) -> None:
        guard = Guard("api")
        async with open_runtime(tree(), log_level="INFO", watchdog=None):
            for _ in range(7):
                registry.emit(guard.dependency, kind, **fields)

        assert len([line for line in lines if "guard api" in line]) == 3

    async def test_changes_are_all_logged(self, autojump_clock: MockClock, lines: list[str]) -> None:
        guard = Guard("api")
        async with open_runtime(tree(), log_level="WARNING", watchdog=None):
            for _ in range(3):
                guard.force_open()
                guard.close()

        assert len([line for line in lines if "breaker" in line]) == 6


ABOUT: dict[str, Any] = {"time": 1.0, "path": "/bot/a", "guard": "api"}
MOVE: dict[str, Any] = {
    "previous": BreakerState.CLOSED,
    "state": BreakerState.OPEN,
    "cause": Cause.FAILURES,
    "open_for": 5.0,
    "calls": 20,
    "failures": 10,
    "error": "BoomError: no",
}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            BreakerChanged(**ABOUT, **MOVE),
            "guard api: breaker closed -> open (failures) for 5.0 s, 10 of 20 calls failed: BoomError: no",
        ),
        (
            BreakerChanged(**ABOUT, **MOVE | {"state": BreakerState.FORCED_OPEN, "open_for": float("inf")}),
            "guard api: breaker closed -> forced_open (failures)",
        ),
        (
            BreakerChanged(**ABOUT, **MOVE | {"cause": Cause.PROBE_FAILED, "calls": 0, "failures": 0, "error": ""}),
            "guard api: breaker closed -> open (probe_failed) for 5.0 s",
        ),
        (
            CallRetried(**ABOUT, attempt=2, delay=0.25, error="BoomError: no"),
            "guard api: attempt 2 failed, the next in 0.2 s: BoomError: no",
        ),
        (
            CallGaveUp(**ABOUT, attempts=3, elapsed=2.0, why="budget", error="BoomError"),
            "guard api: gave up after 3 attempts, 2.0 s after the first one failed (budget): BoomError",
        ),
        (
            CallGaveUp(**ABOUT, attempts=1, elapsed=0.0, why="patience", error="BoomError"),
            "guard api: gave up after 1 attempt, 0.0 s after the first one failed (patience): BoomError",
        ),
        (
            CallRejected(**ABOUT, by="rate_limit", retry_after=1.5),
            "guard api: call rejected by its rate limit, retry after 1.5 s",
        ),
        (CallRejected(**ABOUT, by="throttle", retry_after=0.0), "guard api: call rejected by its throttle"),
        (CallHedged(**ABOUT, attempt=1), "guard api: attempt 1 takes long, sent once more"),
        (
            FallbackUsed(**ABOUT, source="last_good", age=12.0, error="BoomError"),
            "guard api: answered by fallback (last good, 12.0 s old): BoomError",
        ),
        (
            FallbackUsed(**ABOUT, source="value", age=0.0, error="BoomError"),
            "guard api: answered by fallback (value): BoomError",
        ),
        (
            GuardHealthChanged(**ABOUT, previous="ok", health="degraded", why="a fallback stands in"),
            "guard api: ok -> degraded: a fallback stands in",
        ),
        (GuardHealthChanged(**ABOUT, previous="degraded", health="ok", why=""), "guard api: degraded -> ok"),
    ],
)
def test_texts(event: GuardEvent, text: str) -> None:
    assert event.text() == text
    assert msgspec.json.decode(msgspec.json.encode(event))["guard"] == "api"
