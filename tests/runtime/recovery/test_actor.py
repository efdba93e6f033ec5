"""`/system/recovery` in a running bot: restarts are followed, never repeated, and told as attempts at one incident."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Breaker, Child, Connection, Guard, Supervisor, open_runtime
from duenna.error_events import RecoveryAttempted
from duenna.events import ChildStarting, ChildStopped
from duenna.machines.classification import Category, Severity
from duenna.machines.rules import Rule
from duenna.recovery import RecoveryAction, TradingModeChanged
from duenna.settings import ErrorHandling, HealthSettings, Settings
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from duenna import Runtime
    from duenna.events import Event
    from duenna.recovery import Incident

Lines = list[tuple[str, str]]


class Script:
    """What each connect or check does: None passes, an exception is raised; the last one repeats."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self.outcomes = list(outcomes)

    def play(self) -> None:
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if outcome is not None:
            raise type(outcome)(*outcome.args)  # the same one twice would be one error


class Api(Connection):
    """A connection that connects, and is checked, as a script says."""

    kind = "api"

    def __init__(self, connects: Script, checks: Script | None = None) -> None:
        self.connects = connects
        self.checks = checks or Script(None)

    async def connect(self) -> None:
        self.connects.play()

    async def check(self) -> None:
        self.checks.play()

    def receive(self, message: BaseException) -> None:
        if isinstance(message, ReportedError):
            self.context.report(message.error)
        else:
            raise message


class ReportedError(Exception):
    """Wraps an error that the actor reports and survives."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("report it")
        self.error = error


class OnMaintenance(Exception):  # noqa: N818  # as a library of the field calls it
    """The exchange does not trade."""


EXCHANGE_DOWN = Rule(
    name="down", types=("OnMaintenance",), category=Category.EXCHANGE, severity=Severity.HIGH, transient=True
)


class Plain(Actor):
    """An actor that is no connection."""

    def receive(self, message: BaseException) -> None:
        raise message


def lost() -> TimeoutError:
    """Return a new one each time: the same exception reported twice is one error."""
    return TimeoutError("Connection timeout")


@asynccontextmanager
async def bot(*children: Child, **options: Any) -> AsyncIterator[tuple[Runtime, Any]]:
    """Run *children*; give the runtime and the stream of its events."""
    tree = Supervisor("bot", children, intensity=1000)
    async with open_runtime(tree, seed=1, **options) as runtime:
        with runtime.events(RecoveryAttempted, ChildStarting, TradingModeChanged) as events:
            yield runtime, events


def steps(events: Any) -> list[tuple[float, str, str, int]]:
    drained: list[Event] = list(events.drain())
    return [(of.time, of.action, of.status, of.attempt) for of in drained if isinstance(of, RecoveryAttempted)]


def api(*outcomes: BaseException | None, checks: Script | None = None) -> Child:
    return Child.connection("api", partial(Api, Script(*outcomes), checks), shutdown=5.0)


# -- after a crash ---------------------------------------------------------------------


async def test_network_retry_is_the_supervisors_restart_and_never_a_second_one(
    lines: Lines, autojump_clock: MockClock
) -> None:
    async with bot(api(None, lost(), None)) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/api").tell(lost())
        await trio.sleep(100)
        drained = list(events.drain())

    attempts = [of for of in drained if isinstance(of, RecoveryAttempted)]
    starts = [of.time for of in drained if isinstance(of, ChildStarting) and of.path == "/bot/api"]
    assert [(of.time, of.action, of.status, of.attempt, of.attempts, of.wait) for of in attempts] == [
        (1.0, "network_retry", "started", 1, 3, 10.0),
        (11.0, "network_retry", "failed", 1, 3, 10.0),
        (11.0, "network_retry", "started", 2, 3, 30.0),
        (41.0, "network_retry", "success", 2, 3, 30.0),
    ]
    assert starts == [11.0, 41.0]
    assert len({of.report_id for of in attempts}) == 1, "a round is one incident"
    assert attempts[0].report_id > 0
    assert [line for line in lines if line[1].startswith("API ")] == [
        ("WARNING", "API error detected (attempt 1/3): Connection timeout [/bot/api] - attempting recovery in 10s"),
        ("ERROR", "API recovery failed (attempt 1/3): Connection timeout [/bot/api]"),
        ("WARNING", "API error detected (attempt 2/3): Connection timeout [/bot/api] - attempting recovery in 30s"),
        ("INFO", "API recovered (attempt 2/3) [/bot/api] after 40s"),
    ]
    assert not any("network_retry" in text for _, text in lines), "one event, one log line"


async def test_the_last_attempt_is_followed_by_manual_intervention_required(
    lines: Lines, autojump_clock: MockClock
) -> None:
    async with bot(api(lost())) as (runtime, events):
        await trio.sleep(110)
        told = steps(events)
        (counter,) = runtime.recovery.statistics().counters

    assert told == [
        (0.0, "network_retry", "started", 1),
        (10.0, "network_retry", "failed", 1),
        (10.0, "network_retry", "started", 2),
        (40.0, "network_retry", "failed", 2),
        (40.0, "network_retry", "started", 3),
        (100.0, "network_retry", "failed", 3),
        (100.0, "network_retry", "gave_up", 3),
    ]
    assert ("CRITICAL", "API recovery failed after 3 attempts - manual intervention required") in lines
    assert (counter.type, counter.path, counter.attempts, counter.max_attempts, counter.has_given_up) == (
        "api",
        "/bot/api",
        3,
        3,
        True,
    )


async def test_a_wrong_key_is_given_up_without_an_attempt(lines: Lines, autojump_clock: MockClock) -> None:
    class AuthenticationError(Exception):
        """As exchanges' libraries have it."""

    async with bot(api(AuthenticationError("Invalid API-key, IP, or permissions for action."))) as (_, events):
        await trio.sleep(1000)
        drained = list(events.drain())

    attempts = [of for of in drained if isinstance(of, RecoveryAttempted)]
    assert [(of.action, of.status, of.attempt, of.attempts) for of in attempts] == [("restart", "gave_up", 0, 0)]
    assert attempts[0].report_id > 0
    assert ("CRITICAL", "API recovery failed after 0 attempts - manual intervention required") in lines


async def test_a_crash_of_another_category_is_told_as_a_restart(autojump_clock: MockClock) -> None:
    child = Child("worker", Plain, backoff=Backoff.steps(2.0))
    async with bot(child) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/worker").tell(RuntimeError("logic"))
        await trio.sleep(10)
        told = steps(events)
        statistics = runtime.recovery.statistics()

    assert told == [(1.0, "restart", "started", 1), (3.0, "restart", "success", 1)]
    assert statistics.by_type["actor"].successful == 1


async def test_a_restart_without_a_wait_has_its_report_too(autojump_clock: MockClock) -> None:
    """Up again before the classifier had its turn."""
    child = Child("worker", Plain, backoff=Backoff.none())
    async with bot(child) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/worker").tell(lost())
        await trio.sleep(1)
        attempts = [of for of in events.drain() if isinstance(of, RecoveryAttempted)]

    assert [(of.action, of.status, of.attempt) for of in attempts] == [
        ("network_retry", "started", 1),
        ("network_retry", "success", 1),
    ]
    assert all(of.report_id > 0 for of in attempts)


async def test_if_the_restart_does_not_help_the_next_action_has_its_turn(autojump_clock: MockClock) -> None:
    calls: list[tuple[float, int]] = []

    def page(incident: Incident) -> None:
        calls.append((trio.current_time(), incident.joined))

    async with bot(api(lost()), recovery_actions=[RecoveryAction("page", page, "NETWORK")]) as (_, events):
        await trio.sleep(110)
        told = steps(events)

    assert calls == [(100.0, 3)]
    assert told[-2:] == [(100.0, "page", "started", 1), (100.0, "page", "success", 1)]


async def test_disabled_network_retry_leaves_the_restart_to_the_supervisor_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with bot(api(None)) as (runtime, events):
        runtime.recovery.disable("network_retry")
        runtime.ref("/bot/api").tell(lost())
        await trio.sleep(20)

        assert steps(events) == [(0.0, "restart", "started", 1), (10.0, "restart", "success", 1)]


async def test_without_automatic_recovery_nothing_is_tried(autojump_clock: MockClock) -> None:
    async with bot(api(lost()), settings=Settings(auto_recovery_enabled=False)) as (_, events):
        await trio.sleep(1000)

        assert [step[1:] for step in steps(events)] == [("restart", "gave_up", 0)]


async def test_a_child_that_an_operator_stops_has_not_failed_to_recover(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (runtime, events):
        await trio.sleep(1)
        await runtime.stop_child("/bot/api")
        await trio.sleep(1000)

        assert steps(events) == [(0.0, "network_retry", "started", 1)]
        assert runtime.recovery.statistics().total == 0
        assert runtime.recovery.runner.open == []


async def test_a_child_that_is_removed_is_forgotten(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (runtime, _):
        await trio.sleep(1)
        await runtime.stop_child("/bot/api")
        await runtime.delete_child("/bot/api")
        await trio.sleep(1)

        assert runtime.recovery.statistics().counters == ()


async def test_a_temporary_child_is_not_recovered(autojump_clock: MockClock) -> None:
    async with bot(Child("once", Plain, restart="temporary")) as (runtime, events):
        runtime.ref("/bot/once").tell(lost())
        await trio.sleep(1)

        assert steps(events) == []
        assert runtime.recovery.runner.open == []


async def test_when_a_supervisor_gives_up_so_does_the_recovery_below_it(autojump_clock: MockClock) -> None:
    feeds = Supervisor(
        "feeds", [Child("a", partial(Api, Script(None, lost())), backoff=Backoff.steps(1.0))], intensity=2
    )
    async with open_runtime(Supervisor("bot", [feeds], intensity=100), seed=1) as runtime:
        with runtime.events(RecoveryAttempted) as events:
            runtime.ref("/bot/feeds/a").tell(lost())
            await trio.sleep(2.5)
            told = steps(events)

    assert ("network_retry", "gave_up") in [step[1:3] for step in told]


# -- failing checks --------------------------------------------------------------------


async def test_a_connections_own_repairs_are_the_attempts_of_network_retry(
    lines: Lines, autojump_clock: MockClock
) -> None:
    health = HealthSettings(max_error_threshold=0, max_restart_attempts=2, restart_cooldown=60.0)
    checks = Script(None, TimeoutError("no answer"))
    async with bot(api(None, checks=checks), settings=Settings(health=health)) as (runtime, events):
        await trio.sleep(300)
        drained = [of for of in events.drain() if isinstance(of, RecoveryAttempted)]

        assert [(of.time, of.action, of.status, of.attempt, of.attempts) for of in drained] == [
            (30.0, "network_retry", "started", 1, 2),
            (30.0, "network_retry", "failed", 1, 2),
            (90.0, "network_retry", "started", 2, 2),
            (90.0, "network_retry", "failed", 2, 2),
            (210.0, "network_retry", "gave_up", 2, 2),
        ]
        assert {of.report_id for of in drained} == {drained[0].report_id} != {0}
        assert ("CRITICAL", "API recovery failed after 2 attempts - manual intervention required") in lines
        assert runtime.recovery.runner.open == []


async def test_one_failing_check_is_no_attempt(autojump_clock: MockClock) -> None:
    checks = Script(None, TimeoutError("no answer"), None)
    async with bot(api(None, checks=checks)) as (runtime, events):
        await trio.sleep(100)

        assert steps(events) == []
        assert runtime.recovery.runner.open == []


# -- errors that an actor survives -----------------------------------------------------


async def test_an_error_that_a_connection_survived_is_over_when_it_is_operational(autojump_clock: MockClock) -> None:
    """At once if it is; nothing is restarted."""
    async with bot(api(None)) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/api").tell(ReportedError(lost()))
        await trio.sleep(1)
        drained = list(events.drain())

    attempts = [of for of in drained if isinstance(of, RecoveryAttempted)]
    assert [(of.time, of.action, of.status) for of in attempts] == [
        (1.0, "network_retry", "started"),
        (1.0, "network_retry", "success"),
    ]
    assert not any(isinstance(of, ChildStarting) for of in drained)


async def test_one_that_it_does_not_recover_from_has_failed_when_it_is_parked(autojump_clock: MockClock) -> None:
    health = HealthSettings(max_error_threshold=2, max_restart_attempts=1, restart_cooldown=5.0)
    checks = Script(None, MemoryError("no room"))
    async with bot(api(None, checks=checks), settings=Settings(health=health)) as (runtime, events):
        await trio.sleep(31)
        runtime.ref("/bot/api").tell(ReportedError(lost()))
        await trio.sleep(69)

        assert [step for step in steps(events) if step[1] == "network_retry"] == [
            (31.0, "network_retry", "started", 1),
            (45.0, "network_retry", "failed", 1),
        ]
        assert runtime.recovery.runner.open == []


# -- trading ---------------------------------------------------------------------------


async def test_a_gateway_that_is_down_trades_on_paper_until_it_is_operational_again(autojump_clock: MockClock) -> None:
    class Orders(Api):
        kind = "orders"

    outcomes = (None, OnMaintenance("system under maintenance"), None)
    child = Child.connection("orders", partial(Orders, Script(*outcomes)))
    async with bot(child, rules=[EXCHANGE_DOWN]) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/orders").tell(OnMaintenance("system under maintenance"))
        await trio.sleep(60)
        drained = list(events.drain())

    changes = [(of.time, of.mode, of.by) for of in drained if isinstance(of, TradingModeChanged)]
    assert changes == [(1.0, "paper", "exchange_fallback"), (41.0, "live", "check")]


async def test_a_check_of_a_gateway_that_was_never_lost_ends_paper_trading_too(autojump_clock: MockClock) -> None:
    """No state has changed that would tell it: the check itself does."""
    async with bot(api(None), rules=[EXCHANGE_DOWN]) as (runtime, events):
        await trio.sleep(1)
        runtime.ref("/bot/api").tell(ReportedError(OnMaintenance("system under maintenance")))
        await trio.sleep(60)

        changes = [(of.time, of.mode, of.by) for of in events.drain() if isinstance(of, TradingModeChanged)]
    assert changes == [(1.0, "paper", "exchange_fallback"), (30.0, "live", "check")]


async def test_a_gateway_that_comes_back_while_nobody_listens_trades_again(autojump_clock: MockClock) -> None:
    async with bot(api(None), rules=[EXCHANGE_DOWN]) as (runtime, _):
        await trio.sleep(1)
        runtime.ref("/bot/api").tell(OnMaintenance("system under maintenance"))
        await trio.sleep(5)
        await runtime.stop_child("/system/recovery")
        paper = runtime.recovery.trading.is_paper
        await trio.sleep(6)
        await runtime.restart_child("/system/recovery")
        await wait_all_tasks_blocked()
        (counter,) = runtime.recovery.statistics().counters

        assert (paper, runtime.recovery.trading.is_paper) == (True, False)
        assert not counter.is_open, "it is up again, though nobody saw it"
        assert await runtime.recovery.courses.outcome("/bot/api")


@pytest.mark.parametrize("is_named_late", [False, True])
async def test_the_breaker_of_a_gateway_may_be_open_already(is_named_late: bool, autojump_clock: MockClock) -> None:
    """Guards are older than runtimes, and than whoever names them; and what happens while nobody listens counts."""
    with fresh_guards():
        guard = Guard("orders", breaker=Breaker.consecutive(1), retry=None)
        guard.force_open()
        async with bot(Child("w", Plain)) as (runtime, events):
            if is_named_late:
                await trio.sleep(1)
            runtime.recovery.add_gateway("orders")
            await wait_all_tasks_blocked()
            began = runtime.recovery.trading.causes
            await runtime.stop_child("/system/recovery")
            guard.close()
            await runtime.restart_child("/system/recovery")
            await wait_all_tasks_blocked()

            assert began == {"orders": "the breaker of gateway orders is open"}
            assert not runtime.recovery.trading.is_paper
            assert [step[1:3] for step in steps(events)] == [
                ("exchange_fallback", "started"),
                ("exchange_fallback", "success"),
            ]


# -- the actor itself ------------------------------------------------------------------


async def test_a_restart_of_the_recovery_forgets_no_count(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (runtime, events):
        await trio.sleep(11)
        await runtime.restart_child("/system/recovery")
        await trio.sleep(100)
        told = steps(events)

        assert [step[2:] for step in told] == [
            ("started", 1),
            ("failed", 1),
            ("started", 2),
            ("failed", 2),
            ("started", 3),
            ("failed", 3),
            ("gave_up", 3),
        ]
        assert runtime.recovery.statistics().failed == 3


@pytest.mark.parametrize("path", ["/system/classifier", "/system/recovery"])
async def test_a_message_that_is_not_meant_for_it_is_reported_and_survived(
    path: str, autojump_clock: MockClock
) -> None:
    async with bot(Child("w", Plain)) as (runtime, _):
        runtime.ref(path).tell("nonsense")
        await trio.sleep(1)

        assert runtime.tree(path).incarnation == 1
        assert runtime.errors.summary().errors_by_type == {"TypeError": 1}


async def test_what_happens_while_the_recovery_is_down_is_told_when_it_is_up(autojump_clock: MockClock) -> None:
    async with bot(api(None, None)) as (runtime, events):
        await runtime.stop_child("/system/recovery")
        await trio.sleep(1)
        runtime.ref("/bot/api").tell(lost())
        await trio.sleep(5)
        await runtime.restart_child("/system/recovery")
        await trio.sleep(100)

        assert [step[2:] for step in steps(events)] == [("started", 1), ("success", 1)]


async def test_a_breaker_that_was_open_for_a_moment_leaves_no_orders_on_paper(autojump_clock: MockClock) -> None:
    """Opened and closed before the recovery had its turn."""
    with fresh_guards():
        guard = Guard("orders", breaker=Breaker.consecutive(1), retry=None)
        async with bot(Child("w", Plain)) as (runtime, _):
            runtime.recovery.add_gateway("orders")
            await trio.sleep(1)
            guard.force_open()
            guard.close()
            await wait_all_tasks_blocked()

            assert not runtime.recovery.trading.is_paper


async def test_an_action_that_is_at_work_when_the_recovery_restarts_is_called_off(autojump_clock: MockClock) -> None:
    async def slow(incident: Incident) -> None:
        await trio.sleep(50)

    async with bot(Child("w", Plain), recovery_actions=[RecoveryAction("slow", slow)]) as (runtime, events):
        runtime.ref("/bot/w").tell(RuntimeError("x"))
        await trio.sleep(5)
        await runtime.restart_child("/system/recovery")
        await wait_all_tasks_blocked()
        open_after = list(runtime.recovery.runner.open)
        runtime.ref("/bot/w").tell(RuntimeError("y"))
        await trio.sleep(100)

    assert open_after == []
    assert [step[1:3] for step in steps(events)].count(("slow", "started")) == 2
    assert [step[1:3] for step in steps(events)].count(("slow", "success")) <= 1


async def test_a_storm_of_crashes_is_survived_and_bounded(autojump_clock: MockClock) -> None:
    """2,000 children crash in one tick: 1,000 are followed, the rest is restarted all the same."""
    children = [Child(f"c{number}", Plain, backoff=Backoff.steps(1.0)) for number in range(2000)]
    tree = Supervisor("bot", children, intensity=5000)
    async with open_runtime(tree, seed=1, log_level=None) as runtime:
        for child in children:
            runtime.ref(f"/bot/{child.name}").tell(lost())
        await trio.sleep(10)
        statistics = runtime.recovery.statistics()

        assert all(node.state == "running" for node in runtime.tree().children)
        assert len(statistics.counters) == 1000
        assert len(statistics.recent) <= 1000
        assert runtime.recovery.runner.open == []


async def test_a_stop_in_the_middle_is_no_failed_recovery(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (runtime, events):
        await trio.sleep(1)
        await runtime.stop()
        told = steps(events)

    assert told == [(0.0, "network_retry", "started", 1)]


async def test_events_that_are_lost_are_made_good_for(autojump_clock: MockClock) -> None:
    """A child whose start was not heard of is up all the same, and one that is gone is forgotten; incidents end."""
    child = Child("worker", Plain, backoff=Backoff.steps(5.0))
    async with bot(child, Child("other", Plain, backoff=Backoff.steps(5.0))) as (runtime, events):
        runtime.ref("/bot/worker").tell(lost())
        runtime.ref("/bot/other").tell(lost())
        await trio.sleep(1)
        runtime.recovery.courses.resync(1.0, {"/bot/worker": True}.get)
        await trio.sleep(1)

        assert runtime.recovery.runner.open == []
        assert [of.path for of in runtime.recovery.statistics().counters] == ["/bot/worker"]
        assert [step[1:3] for step in steps(events)] == [("network_retry", "started")] * 2


async def test_a_flood_of_events_leaves_the_recovery_right(autojump_clock: MockClock) -> None:
    """More events than it can hold, in one tick: it looks at the tree instead."""
    child = Child("worker", Plain, backoff=Backoff.steps(5.0))
    async with bot(child) as (runtime, _):
        runtime.ref("/bot/worker").tell(lost())
        await trio.sleep(1)
        for _ in range(11_000):
            runtime.bus.post(ChildStopped(time=1.0, path="/bot/ghost"))
        await trio.sleep(10)

        assert runtime.recovery.runner.open == []
        assert runtime.tree("/bot/worker").state == "running"


# -- counters --------------------------------------------------------------------------


async def test_each_actor_has_a_count_of_its_own_and_a_hand_resets_it(autojump_clock: MockClock) -> None:
    one = Child.connection("one", partial(Api, Script(lost())))
    two = Child.connection("two", partial(Api, Script(lost(), lost(), None)))
    async with bot(one, two) as (runtime, _):
        await trio.sleep(110)
        counters = {of.path: (of.attempts, of.has_given_up) for of in runtime.recovery.statistics().counters}
        runtime.recovery.reset_counters(path="/bot/one")
        await trio.sleep(50)
        after = {of.path: (of.attempts, of.has_given_up) for of in runtime.recovery.statistics().counters}

    assert counters == {"/bot/one": (3, True), "/bot/two": (2, False)}
    assert after == {"/bot/one": (0, False), "/bot/two": (0, False)}, "two has been up since 40 s"


async def test_a_counter_says_what_the_supervisor_will_count(autojump_clock: MockClock) -> None:
    """A connection's uptime counts from when it has been stable: 60 s, and then 60 s more."""
    async with bot(api(None)) as (runtime, events):
        for up, counted in ((90.0, 1), (125.0, 0)):
            runtime.recovery.reset_counters()
            runtime.ref("/bot/api").tell(lost())
            await trio.sleep(10.0 + up)
            (counter,) = runtime.recovery.statistics().counters
            runtime.ref("/bot/api").tell(lost())
            await wait_all_tasks_blocked()

            assert counter.attempts == counted
            assert steps(events)[-1][2:] == ("started", counted + 1)
            await runtime.restart_child("/bot/api")


async def test_counters_of_a_child_that_nothing_was_heard_of_are_reset_too(autojump_clock: MockClock) -> None:
    """Of more than 1,000 children, some are forgotten here, not by their supervisors."""
    async with bot(api(lost())) as (runtime, _):
        await runtime.stop_child("/system/recovery")
        await trio.sleep(45)
        runtime.recovery.courses.resync(45.0, lambda _: None)
        failures = runtime.tree("/bot/api").failures
        runtime.recovery.reset_counters(path="/bot/api")

        assert (failures, runtime.tree("/bot/api").failures) == (3, 0)


async def test_a_restart_by_hand_begins_a_new_round(autojump_clock: MockClock) -> None:
    outcomes = [lost()] * 4
    async with bot(api(*outcomes, None)) as (runtime, _):
        await trio.sleep(110)
        (before,) = runtime.recovery.statistics().counters
        await runtime.restart_child("/bot/api")
        await wait_all_tasks_blocked()
        (after,) = runtime.recovery.statistics().counters

    assert (before.attempts, before.has_given_up) == (3, True)
    assert (after.attempts, after.has_given_up) == (0, False)


async def test_after_its_time_a_parked_child_has_a_new_round(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (_, events):
        await trio.sleep(405)

        assert [(step[0], *step[2:]) for step in steps(events)][-2:] == [(100.0, "gave_up", 3), (400.0, "started", 1)]


async def test_a_reset_in_backoff_gives_the_supervisor_a_new_round(autojump_clock: MockClock) -> None:
    async with bot(api(lost())) as (runtime, events):
        await trio.sleep(45)
        runtime.recovery.reset_counters("api")
        await trio.sleep(80)

        assert [step[2:] for step in steps(events)][-2:] == [("failed", 1), ("started", 2)]


async def test_recover_of_a_runtime_is_judged_by_its_classifier(autojump_clock: MockClock) -> None:
    class InvalidKeyError(Exception):
        """A key is wrong."""

    async with bot(Child("w", Plain)) as (runtime, events):
        denied = await runtime.recovery.recover("api", InvalidKeyError("Invalid API key"), lambda: True)
        done = await runtime.recovery.recover("database", lost(), lambda: True)

        assert (denied, done) == (False, True)
        assert ("reconnect", "success") in [step[1:3] for step in steps(events)]


async def test_new_settings_count_from_the_next_attempt_on(autojump_clock: MockClock) -> None:
    fast = Settings(error_handling=ErrorHandling(max_retries=1, base_delay=1.0, max_delay=1.0))
    async with bot(api(lost()), settings=fast) as (_, events):
        await trio.sleep(10)

        assert [step[:1] + step[2:] for step in steps(events)] == [
            (0.0, "started", 1),
            (1.0, "failed", 1),
            (1.0, "gave_up", 1),
        ]
