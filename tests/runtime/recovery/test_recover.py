"""``recover``: reconnection for code that is no actor, with its waits, its words, its counts and its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.machines.classification import Category, Severity, Verdict
from duenna.recovery import Recovery
from duenna.settings import ErrorHandling, Settings

from .kit import Recorder, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

Lines = list[tuple[str, str]]


class Gateway:
    """Reconnects as told: each answer is returned, or raised; the last one repeats. Notes when."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.times: list[float] = []

    async def __call__(self) -> object:
        self.times.append(trio.current_time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await trio.lowlevel.checkpoint()
        if isinstance(answer, BaseException):
            raise answer
        return answer


ERROR = TimeoutError("Connection timeout")
FALSE = "the reconnection returned False"


# -- the waits and the words -----------------------------------------------------------


async def test_it_waits_10_30_and_60_seconds_and_then_needs_a_hand(
    recorder: Recorder, lines: Lines, autojump_clock: MockClock
) -> None:
    gateway = Gateway(False)

    assert not await made(recorder).recover("api", ERROR, gateway, context="market_fetch")

    assert gateway.times == [10.0, 40.0, 100.0]
    assert lines == [
        ("WARNING", "API error detected (attempt 1/3): Connection timeout [market_fetch] - attempting recovery in 10s"),
        ("ERROR", "API recovery failed (attempt 1/3): the reconnection returned False [market_fetch]"),
        (
            "WARNING",
            f"API error detected (attempt 2/3): {FALSE} [market_fetch] - attempting recovery in 30s",
        ),
        ("ERROR", "API recovery failed (attempt 2/3): the reconnection returned False [market_fetch]"),
        (
            "WARNING",
            f"API error detected (attempt 3/3): {FALSE} [market_fetch] - attempting recovery in 60s",
        ),
        ("ERROR", "API recovery failed (attempt 3/3): the reconnection returned False [market_fetch]"),
        ("CRITICAL", "API recovery failed after 3 attempts - manual intervention required"),
    ]
    assert recorder.steps == [
        (0.0, "reconnect", "started", 1),
        (10.0, "reconnect", "failed", 1),
        (10.0, "reconnect", "started", 2),
        (40.0, "reconnect", "failed", 2),
        (40.0, "reconnect", "started", 3),
        (100.0, "reconnect", "failed", 3),
        (100.0, "reconnect", "gave_up", 3),
    ]
    assert recorder.unlogged == recorder.attempts, "one event, one log line"
    assert [(event.attempts, event.wait, event.elapsed) for event in recorder.attempts][-2:] == [
        (3, 60.0, 100.0),
        (3, 0.0, 100.0),
    ]


async def test_a_success_says_so(lines: Lines, autojump_clock: MockClock) -> None:
    assert await made().recover("api", ERROR, Gateway(OSError("refused"), True), context="market_fetch")

    assert lines[1:] == [
        ("ERROR", "API recovery failed (attempt 1/3): refused [market_fetch]"),
        ("WARNING", "API error detected (attempt 2/3): refused [market_fetch] - attempting recovery in 30s"),
        ("INFO", "API recovered (attempt 2/3) [market_fetch] after 40s"),
    ]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("api", "API"),
        ("balance", "Balance"),
        ("websocket", "WebSocket"),
        ("database", "Database"),
        ("trade_engine", "Trade engine"),
        ("_", "Connection"),
    ],
)
async def test_each_kind_has_the_name_that_operators_know(
    kind: str, shown: str, lines: Lines, autojump_clock: MockClock
) -> None:
    await made().recover(kind, "lost", lambda: True)

    assert lines == [
        ("WARNING", f"{shown} error detected (attempt 1/3): lost - attempting recovery in 10s"),
        ("INFO", f"{shown} recovered (attempt 1/3) after 10s"),
    ]


async def test_secrets_do_not_reach_the_log(recorder: Recorder, lines: Lines, autojump_clock: MockClock) -> None:
    """Neither those in an exception nor those in a text."""
    leak = "https://x.test/?api_key=Sup3rS3cretValue"

    await made(recorder).recover("api", f"refused by {leak}", Gateway(OSError(leak), True))

    assert lines
    assert "Sup3rS3cretValue" not in str(lines)
    assert "Sup3rS3cretValue" not in str(recorder.events)


async def test_an_error_without_text_is_called_by_its_type(lines: Lines, autojump_clock: MockClock) -> None:
    await made().recover("api", TimeoutError(), lambda: None)

    assert lines[0][1] == "API error detected (attempt 1/3): TimeoutError - attempting recovery in 10s"


async def test_nothing_is_logged_below_the_level(lines: Lines, autojump_clock: MockClock) -> None:
    await made(log_level="ERROR").recover("api", ERROR, lambda: True)
    await made(log_level=None).recover("api", ERROR, lambda: False)

    assert lines == []


# -- what counts as connected ----------------------------------------------------------


@pytest.mark.parametrize(
    ("reconnect", "connected"),
    [(lambda: True, True), (lambda: None, True), (lambda: 0, True), (lambda: False, False), (lambda: 1 / 0, False)],
)
async def test_a_plain_function_may_reconnect(
    reconnect: Callable[[], object], connected: bool, autojump_clock: MockClock
) -> None:
    """False or an exception says that it is not connected; anything else that it is."""
    assert await made().recover("api", ERROR, reconnect) is connected


async def test_a_reconnection_that_takes_too_long_has_failed(lines: Lines, autojump_clock: MockClock) -> None:
    assert not await made().recover("api", ERROR, trio.sleep_forever, timeout=5.0)

    assert trio.current_time() == 10 + 5 + 30 + 5 + 60 + 5
    assert lines[1] == ("ERROR", "API recovery failed (attempt 1/3): the reconnection took longer than 5.0 s")


async def test_without_a_timeout_it_may_take_as_long_as_it_likes(autojump_clock: MockClock) -> None:
    async def slow() -> None:
        await trio.sleep(80_000)

    assert await made().recover("api", ERROR, slow, timeout=float("inf"))


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((1, ERROR, print), {}, TypeError, "recover: kind and context must be texts, got 1 and ''"),
        (("", ERROR, print), {}, ValueError, "recover: kind must not be empty, got ''"),
        (("api", 5, print), {}, TypeError, "recover: error must be an exception or a text, got 5"),
        (("api", ERROR, 5), {}, TypeError, "recover: reconnect must be a function without arguments, got 5"),
        (("api", ERROR, print), {"timeout": 0}, ValueError, "recover: timeout must be > 0 seconds, got 0"),
    ],
)
async def test_wrong_use_is_told(args: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        await made().recover(*args, **options)

    assert str(caught.value) == message


# -- the counts ------------------------------------------------------------------------


async def test_each_kind_and_context_has_a_count_of_its_own(recorder: Recorder, autojump_clock: MockClock) -> None:
    recovery = made(recorder)
    await recovery.recover("api", ERROR, lambda: False)

    assert not await recovery.recover("api", ERROR, lambda: True)
    assert await recovery.recover("database", ERROR, lambda: True)
    assert await recovery.recover("api", ERROR, lambda: True, context="orders")

    assert [step[2:] for step in recorder.steps[-4:]] == [
        ("started", 1),
        ("success", 1),
        ("started", 1),
        ("success", 1),
    ]


@pytest.mark.parametrize(("held", "attempt"), [(59.0, 2), (60.0, 1)])
async def test_a_success_resets_the_count_once_it_has_held(
    held: float, attempt: int, recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)
    await recovery.recover("api", ERROR, lambda: True)
    await trio.sleep(held)

    await recovery.recover("api", ERROR, lambda: True)

    assert recorder.steps[-1][3] == attempt


async def test_after_giving_up_it_returns_at_once_until_a_new_round(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)
    gateway = Gateway(False)
    await recovery.recover("api", ERROR, gateway)
    told = len(recorder.events)

    assert not await recovery.recover("api", ERROR, gateway)
    assert (trio.current_time(), len(recorder.events)) == (100.0, told)

    await trio.sleep(300)
    assert await recovery.recover("api", ERROR, lambda: True)
    assert trio.current_time() == 410.0


async def test_a_hand_begins_a_new_round(autojump_clock: MockClock) -> None:
    recovery = made()
    await recovery.recover("api", ERROR, lambda: False)
    await recovery.recover("balance", ERROR, lambda: False)

    recovery.reset_counters("api")

    assert await recovery.recover("api", ERROR, lambda: True)
    assert not await recovery.recover("balance", ERROR, lambda: True)


def by_type(error: BaseException, kind: str) -> Verdict:
    """Judge by the type."""
    match error:
        case PermissionError():
            return Verdict(category=Category.AUTH, severity=Severity.CRITICAL, transient=False)
        case BlockingIOError():
            return Verdict(category=Category.RATE_LIMIT, severity=Severity.MEDIUM, transient=True, retry_after=45.0)
        case _:
            return Verdict(category=Category.NETWORK, severity=Severity.MEDIUM, transient=True)


async def test_a_wrong_key_needs_a_hand_at_once_and_time_does_not_help(
    recorder: Recorder, lines: Lines, autojump_clock: MockClock
) -> None:
    recovery = made(recorder, classify=by_type)

    assert not await recovery.recover("api", PermissionError("invalid key"), lambda: True)
    assert (trio.current_time(), recorder.steps) == (0.0, [(0.0, "reconnect", "gave_up", 0)])
    assert lines == [("CRITICAL", "API recovery failed after 0 attempts - manual intervention required")]

    await trio.sleep(80_000)
    assert not await recovery.recover("api", ERROR, lambda: True)

    recovery.reset_counters()
    assert await recovery.recover("api", ERROR, lambda: True)


async def test_a_wrong_key_that_shows_in_an_attempt_ends_the_round(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder, classify=by_type)

    assert not await recovery.recover("api", ERROR, Gateway(PermissionError("invalid key")))

    assert [step[2:] for step in recorder.steps] == [("started", 1), ("failed", 1), ("gave_up", 1)]
    assert recorder.attempts[-1].attempts == 0, "not their number: a hand is needed"


async def test_what_the_far_end_asks_for_is_a_floor(autojump_clock: MockClock) -> None:
    gateway = Gateway(True)

    await made(classify=by_type).recover("api", BlockingIOError("slow down"), gateway)

    assert gateway.times == [45.0]


# -- settings --------------------------------------------------------------------------


async def test_waits_and_attempts_are_those_of_the_settings(autojump_clock: MockClock) -> None:
    handling = ErrorHandling(max_retries=2, base_delay=1.0, max_delay=1.5, backoff_factor=2.0)
    gateway = Gateway(False)

    await made(settings=Settings(error_handling=handling)).recover("api", ERROR, gateway)

    assert gateway.times == [1.0, 2.5]


async def test_settings_change_what_is_under_way_from_the_next_attempt_on(autojump_clock: MockClock) -> None:
    recovery = made()
    gateway = Gateway(False)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recovery.recover, "api", ERROR, gateway)
        await trio.sleep(5)
        recovery.configure(Settings(error_handling=ErrorHandling(max_retries=2, base_delay=1.0, max_delay=1.0)))

    assert gateway.times == [10.0, 11.0]


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        (Settings(auto_recovery_enabled=False), []),
        (Settings(database_auto_reconnect=False), ["api", "trade_engine"]),
        (Settings(trade_engine_auto_restart=False), ["api", "database"]),
    ],
)
async def test_what_is_left_to_a_hand_is_not_recovered(
    settings: Settings, kinds: list[str], lines: Lines, autojump_clock: MockClock
) -> None:
    recovery = made(settings=settings)

    done = [kind for kind in ("api", "database", "trade_engine") if await recovery.recover(kind, ERROR, lambda: True)]

    assert done == kinds
    assert ("WARNING", "Database is not recovered: the settings leave it to a hand") in lines or "database" in kinds


async def test_jitter_is_drawn_from_the_generator(autojump_clock: MockClock) -> None:
    class Half:
        def random(self) -> float:
            return 0.5

    gateway = Gateway(True)
    settings = Settings(error_handling=ErrorHandling(jitter=True))

    await made(settings=settings, rng=Half()).recover("api", ERROR, gateway)

    assert gateway.times == [7.5]


# -- together --------------------------------------------------------------------------


async def test_calls_for_one_thing_join_one_recovery(autojump_clock: MockClock) -> None:
    recovery = made()
    gateway = Gateway(True)
    results: list[bool] = []

    async def call() -> None:
        results.append(await recovery.recover("api", ERROR, gateway))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(call)

    assert (results, gateway.times) == ([True] * 5, [10.0])


async def test_when_the_first_caller_is_cancelled_another_goes_on(autojump_clock: MockClock) -> None:
    recovery = made()
    gateway = Gateway(True)
    results: list[bool] = []

    async def call(scope: trio.CancelScope) -> None:
        with scope:
            results.append(await recovery.recover("api", ERROR, gateway))

    async with trio.open_nursery() as nursery:
        scopes = [trio.CancelScope() for _ in range(4)]
        for scope in scopes:
            nursery.start_soon(call, scope)
            await wait_all_tasks_blocked()
        await trio.sleep(4)
        scopes[0].cancel()
        scopes[3].cancel()

    assert (results, gateway.times) == ([True, True], [14.0])
    assert recovery.statistics().counters[0].attempts == 1


@pytest.mark.parametrize("at", [0.0, 5.0, 10.5, 15.0, 41.0])
async def test_cancelled_anywhere_the_attempt_under_way_counts_for_nothing(
    at: float, recorder: Recorder, autojump_clock: MockClock
) -> None:
    """At every checkpoint: before the wait, in the waits, in the reconnections."""
    recovery = made(recorder)

    async def slow() -> bool:
        await trio.sleep(1)
        return False

    with trio.move_on_at(at) if at else trio.CancelScope() as scope:
        if not at:
            scope.cancel()
        await recovery.recover("api", ERROR, slow)

    statistics = recovery.statistics()
    failed = 0 if at < 11 else 1
    counter = statistics.counters[0]
    assert scope.cancelled_caught
    assert (counter.attempts, counter.is_open, counter.has_given_up) == (failed, False, False)
    assert (statistics.total, statistics.failed) == (failed, failed)
    assert [attempt.outcome for attempt in statistics.recent] == ["failed"] * failed + ["cancelled"]
    assert await recovery.recover("api", ERROR, lambda: True)
    assert recorder.steps[-1][2:] == ("success", failed + 1)


async def test_what_is_no_exception_passes_and_leaves_the_count_as_it_was() -> None:
    recovery = made(settings=Settings(error_handling=ErrorHandling(base_delay=1e-9, max_delay=1e-9)))

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await recovery.recover("api", ERROR, interrupted)

    assert recovery.statistics().counters[0].attempts == 0


async def test_a_reset_in_the_middle_begins_the_round_anew(recorder: Recorder, autojump_clock: MockClock) -> None:
    recovery = made(recorder)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recovery.recover, "api", ERROR, Gateway(False, True))
        await trio.sleep(5)
        recovery.reset_counters()

    assert [step[3] for step in recorder.steps] == [1, 1, 1, 1]


# -- alone -----------------------------------------------------------------------------


async def test_it_needs_no_runtime(autojump_clock: MockClock) -> None:
    assert await Recovery().recover("api", ERROR, lambda: True)
    assert trio.current_time() == 10.0


def test_it_serves_an_asyncio_program() -> None:
    """With waits too short to notice: asyncio has no virtual clock."""
    recovery = Recovery(settings=Settings(error_handling=ErrorHandling(base_delay=0.001, max_delay=0.001)))
    calls: list[int] = []

    async def reconnect() -> bool:
        calls.append(1)
        await asyncio.sleep(0)
        return len(calls) > 1

    async def both() -> list[bool]:
        one, other = recovery.recover("api", ERROR, reconnect), recovery.recover("api", ERROR, reconnect)
        return list(await asyncio.gather(one, other))

    assert asyncio.run(both()) == [True, True]
    assert len(calls) == 2


# -- statistics ------------------------------------------------------------------------


async def test_the_statistics_count_and_remember_every_attempt(autojump_clock: MockClock) -> None:
    recovery = made()
    await recovery.recover("api", ERROR, Gateway(False, True), context="market_fetch")
    await recovery.recover("database", "lost", lambda: False)

    statistics = recovery.statistics()

    assert (statistics.total, statistics.successful, statistics.failed, statistics.gave_up) == (5, 1, 4, 1)
    assert statistics.success_rate == 0.2
    assert {kind: (of.total, of.success_rate) for kind, of in statistics.by_type.items()} == {
        "api": (2, 0.5),
        "database": (3, 0.0),
    }
    assert statistics.by_action["reconnect"].total == 5
    first = statistics.recent[0]
    assert (first.time, first.type, first.context, first.wait, first.outcome, first.error) == (
        10.0,
        "api",
        "market_fetch",
        10.0,
        "failed",
        "the reconnection returned False",
    )
    assert [(of.type, of.attempts, of.has_given_up) for of in statistics.counters] == [
        ("api", 0, False),
        ("database", 3, True),
    ], "api has been up for 100 s"


async def test_history_is_cleared_and_counters_are_kept(autojump_clock: MockClock) -> None:
    recovery = made()
    await recovery.recover("api", ERROR, lambda: False)

    recovery.clear_history()

    statistics = recovery.statistics()
    assert (statistics.total, statistics.recent, statistics.by_type, statistics.success_rate) == (0, (), {}, 0.0)
    assert statistics.counters[0].has_given_up


async def test_memory_is_bounded_for_any_number_of_kinds(autojump_clock: MockClock) -> None:
    """1,000 counters, 1,000 attempts, 1,000 kinds; totals stay exact."""
    recovery = made(log_level=None)
    for number in range(1200):
        await recovery.recover(f"kind {number}", "lost", lambda: True)

    statistics = recovery.statistics()

    assert statistics.total == 1200
    assert len(statistics.counters) == len(statistics.recent) == 1000
    assert len(statistics.by_type) == 1001
    assert statistics.by_type["(other)"].total == 200


async def test_what_is_under_way_is_never_forgotten(autojump_clock: MockClock) -> None:
    recovery = made(log_level=None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(recovery.recover, "slow", "lost", lambda: True)
        await wait_all_tasks_blocked()
        with trio.move_on_after(1):
            for number in range(1100):
                with trio.CancelScope() as scope:
                    scope.cancel()
                    await recovery.recover(f"kind {number}", "lost", lambda: True)
        assert "slow" in {counter.type for counter in recovery.statistics().counters}


async def test_a_secret_in_the_context_goes_nowhere(
    lines: list[tuple[str, str]], recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)
    context = "https://bot:hunter2@exchange.com/v1?signature=deadbeefdeadbeef"
    await recovery.recover("api", ERROR, Gateway(False, True), context=context)
    before = recovery.statistics()
    recovery.reset_counters(context=context)

    assert not [text for text in (*lines, before, *recorder.events) if "hunter2" in repr(text) or "dead" in repr(text)]
    assert "https://" in before.recent[0].context
    assert (before.counters[0].attempts, recovery.statistics().counters[0].attempts) == (2, 0)


async def test_a_counter_is_back_at_0_once_the_success_has_held(autojump_clock: MockClock) -> None:
    recovery = made()
    await recovery.recover("api", ERROR, Gateway(False, True))
    counts: list[int] = []
    for wait in (0.0, 59.0, 1.0):
        await trio.sleep(wait)
        counts.append(recovery.statistics().counters[0].attempts)

    assert counts == [2, 2, 0]
