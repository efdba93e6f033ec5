"""Recovery actions: who answers an error, in which order, what is told of it, and what stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna.error_events import Source
from duenna.guard_events import BreakerChanged, FallbackUsed
from duenna.machines.breaker import BreakerState, Cause
from duenna.machines.classification import Category, Severity
from duenna.recovery import Conditions, DataFallbackUsed, Incident, Recovery, RecoveryAction, TradingModeChanged
from duenna.settings import ErrorHandling, RecoveryActionSettings, Settings

from .kit import Recorder, classified, made

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from duenna.error_events import ErrorClassified


class Bot:
    """Hands errors to a recovery as `/system/recovery` does."""

    def __init__(self, recovery: Recovery, nursery: trio.Nursery) -> None:
        self.recovery = recovery
        self.nursery = nursery

    def spawn(self, function: Callable[[Incident], Any], incident: Incident) -> None:
        self.nursery.start_soon(function, incident)

    def hit(self, *args: Any, **options: Any) -> ErrorClassified:
        event = classified(*args, **options)
        self.recovery.classified(event, self.spawn)
        return event


def actions_of(recovery: Recovery) -> list[str]:
    return [action.name for action in recovery.actions]


def noted(calls: list[str], name: str, answer: object = True) -> Callable[[Incident], object]:
    """Return an action that notes its call, and answers; an exception is raised."""

    def action(incident: Incident) -> object:
        calls.append(name)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return action


def own(calls: list[str], name: str, answer: object = True, **options: Any) -> RecoveryAction:
    return RecoveryAction(name, noted(calls, name, answer), **options)  # type: ignore[arg-type]


# -- which actions ---------------------------------------------------------------------


async def test_four_are_there_from_the_start_in_this_order() -> None:
    recovery = made()

    assert [(action.name, action.priority) for action in recovery.actions] == [
        ("network_retry", 1),
        ("rate_limit_wait", 2),
        ("data_fallback", 3),
        ("exchange_fallback", 4),
    ]
    assert all(recovery.is_enabled(action.name) for action in recovery.actions)


@pytest.mark.parametrize(
    ("category", "severity", "source", "first"),
    [
        (Category.NETWORK, Severity.MEDIUM, Source.CRASH, "network_retry"),
        (Category.NETWORK, Severity.MEDIUM, Source.REPORT, None),  # no connection: there is nothing to see
        (Category.RATE_LIMIT, Severity.LOW, Source.GUARD, "rate_limit_wait"),
        (Category.DATA, Severity.MEDIUM, Source.REPORT, "data_fallback"),
        (Category.EXCHANGE, Severity.LOW, Source.GUARD, None),  # one refused order
        (Category.EXCHANGE, Severity.MEDIUM, Source.GUARD, None),
        (Category.EXCHANGE, Severity.HIGH, Source.GUARD, "exchange_fallback"),
        (Category.EXCHANGE, Severity.CRITICAL, Source.CRASH, "exchange_fallback"),
        (Category.STRATEGY, Severity.CRITICAL, Source.CRASH, None),
        (Category.DATABASE, Severity.HIGH, Source.CRASH, None),
        (Category.AUTH, Severity.CRITICAL, Source.CRASH, None),
    ],
)
async def test_each_is_meant_for_its_category(
    category: Category, severity: Severity, source: Source, first: str | None
) -> None:
    event = classified(category, severity, source=source)

    meant = made().runner.candidates(Incident(event.report, event.verdict))

    assert [action.name for action in meant] == ([first] if first else [])


async def test_the_lowest_number_goes_first_and_the_next_if_it_does_not_help(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    calls: list[str] = []
    recovery = made(recorder)
    recovery.add(own(calls, "third", None, priority=7))
    recovery.add(own(calls, "second", ValueError("no"), priority=6))
    recovery.add(own(calls, "first", False, priority=5))
    recovery.add(own(calls, "never", priority=8))

    async with trio.open_nursery() as nursery:
        event = Bot(recovery, nursery).hit(Category.STRATEGY)

    assert calls == ["first", "second", "third"]
    assert [(of.action, of.status, of.attempt, of.attempts, of.error) for of in recorder.attempts] == [
        ("first", "started", 1, 1, "TimeoutError: Connection timeout"),
        ("first", "failed", 1, 1, "it did not help"),
        ("second", "started", 1, 1, "TimeoutError: Connection timeout"),
        ("second", "failed", 1, 1, "no"),
        ("third", "started", 1, 1, "TimeoutError: Connection timeout"),
        ("third", "success", 1, 1, ""),
    ]
    assert {of.report_id for of in recorder.attempts} == {event.report.id}
    assert {of.path for of in recorder.attempts} == {"/bot/api"}


async def test_actions_are_switched_off_and_on_and_removed(autojump_clock: MockClock) -> None:
    calls: list[str] = []
    recovery = made(actions=[own(calls, "mine", priority=0)])

    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        for change in (recovery.disable, recovery.enable, recovery.remove):
            change("mine")
            bot.hit(Category.STRATEGY)
            await wait_all_tasks_blocked()
            calls.append("|")

    assert "".join(call[0] for call in calls) == "|m||"
    assert "mine" not in actions_of(recovery)


async def test_settings_switch_and_sort_actions_while_they_run(autojump_clock: MockClock) -> None:
    recovery = made()

    def follow(**actions: RecoveryActionSettings) -> list[str]:
        recovery.configure(Settings(error_handling=ErrorHandling(recovery_actions=actions)))
        return [action.name for action in recovery.actions if recovery.is_enabled(action.name)]

    assert follow(network_retry=RecoveryActionSettings(enabled=False)) == actions_of(made())[1:]
    assert follow(network_retry=RecoveryActionSettings(priority=9)) == [*actions_of(made())[1:], "network_retry"]
    assert recovery.priority("network_retry") == 9
    assert follow() == actions_of(made())


async def test_settings_may_name_the_users_own_actions_and_no_others() -> None:
    settings = Settings(error_handling=ErrorHandling(recovery_actions={"mine": RecoveryActionSettings(priority=0)}))

    assert actions_of(made(settings=settings, actions=[own([], "mine")]))[0] == "mine"
    with pytest.raises(ValueError, match=r"^recovery_actions: there is no recovery action 'mine': there is network_"):
        made(settings=settings)
    with pytest.raises(ValueError, match=r"^recovery_actions: there is no recovery action 'mine'"):
        made().check(settings)


@pytest.mark.parametrize(
    ("settings", "kind", "calls"),
    [
        (Settings(auto_recovery_enabled=False), "api", []),
        (Settings(database_auto_reconnect=False), "database", []),
        (Settings(database_auto_reconnect=False), "api", ["mine"]),
    ],
)
async def test_nothing_is_done_about_what_is_left_to_a_hand(
    settings: Settings, kind: str, calls: list[str], autojump_clock: MockClock
) -> None:
    called: list[str] = []

    async with trio.open_nursery() as nursery:
        Bot(made(settings=settings, actions=[own(called, "mine")]), nursery).hit(Category.STRATEGY, kind=kind)

    assert called == calls


async def test_the_runtimes_own_actors_are_left_alone(autojump_clock: MockClock) -> None:
    """An error of the recovery itself must not have recovery answer it, and so on."""
    calls: list[str] = []

    async with trio.open_nursery() as nursery:
        Bot(made(actions=[own(calls, "mine")]), nursery).hit(Category.STRATEGY, path="/system/recovery")

    assert calls == []


async def test_a_condition_may_be_a_function_and_one_that_raises_does_not_hold(
    lines: list[tuple[str, str]], autojump_clock: MockClock
) -> None:
    calls: list[str] = []
    actions = [
        own(calls, "broken", priority=0, conditions=lambda incident: 1 / 0),
        own(calls, "for orders", priority=1, conditions=lambda incident: incident.path == "/bot/orders"),
        own(calls, "for feeds", priority=2, conditions=Conditions(kinds="websocket")),
    ]

    async with trio.open_nursery() as nursery:
        bot = Bot(made(actions=actions), nursery)
        bot.hit(Category.STRATEGY, path="/bot/orders")
        bot.hit(Category.STRATEGY, path="/bot/feed", kind="websocket")

    assert sorted(calls) == ["for feeds", "for orders"]
    text = "recovery action broken: its condition raised, it does not hold: division by zero"
    assert ("ERROR", text) in lines


async def generator(incident: Incident) -> Any:
    yield


async def coroutine(incident: Incident) -> bool:
    return False


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"name": ""}, ValueError, "RecoveryAction: name must be printable, not empty, without '/' "),
        ({"action": 5}, TypeError, "recovery action 'x': action must be a function of an Incident, got 5"),
        ({"action": int}, TypeError, "recovery action 'x': action must be a function of an Incident, got <class "),
        ({"action": generator}, TypeError, "recovery action 'x': action must be `def` or `async def` without yield, "),
        (
            {"conditions": coroutine},
            TypeError,
            "RecoveryAction: conditions must be a plain `def`, for nobody awaits it, ",
        ),
        ({"conditions": 5}, TypeError, "RecoveryAction: conditions must be Conditions, categories, a function "),
        ({"conditions": "NETWROK"}, ValueError, "Conditions: categories must be one of 'NETWORK', "),
        ({"priority": -1}, ValueError, "recovery action 'x': priority must be >= 0, got -1"),
        ({"enabled": 1}, TypeError, "recovery action 'x': enabled must be True or False, got 1"),
        ({"timeout": 0}, ValueError, "recovery action 'x': timeout must be > 0 seconds, got 0"),
        ({"observes": 1}, TypeError, "recovery action 'x': observes must be True or False, got 1"),
        ({"narrates": 1}, TypeError, "recovery action 'x': narrates must be True or False, got 1"),
    ],
)
def test_an_action_that_cannot_run_is_refused_where_it_is_made(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        RecoveryAction(**{"name": "x", "action": print, **given})

    assert str(caught.value).startswith(message)


def test_wrong_use_of_the_list_is_told() -> None:
    recovery = Recovery()

    with pytest.raises(TypeError, match=r"^recovery: a RecoveryAction is needed, got 5$"):
        recovery.add(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^recovery action 'network_retry' is there already: remove it first$"):
        recovery.add(RecoveryAction("network_retry", print))
    changes: list[Callable[[str], object]] = [recovery.enable, recovery.disable, recovery.remove, recovery.priority]
    for change in changes:
        with pytest.raises(
            ValueError, match=r"there is no recovery action 'network_rety', did you mean 'network_retry'"
        ):
            change("network_rety")


# -- incidents -------------------------------------------------------------------------


async def test_errors_like_one_that_is_being_answered_join_it(recorder: Recorder, autojump_clock: MockClock) -> None:
    seen: list[Incident] = []

    async def slow(incident: Incident) -> None:
        seen.append(incident)
        await trio.sleep(10)

    async with trio.open_nursery() as nursery:
        bot = Bot(made(recorder, actions=[RecoveryAction("slow", slow, Category.STRATEGY)]), nursery)
        first = bot.hit(Category.STRATEGY)
        for _ in range(4):
            bot.hit(Category.STRATEGY)
        last = bot.hit(Category.STRATEGY)
        bot.hit(Category.STRATEGY, path="/bot/other")
        bot.hit(Category.MEMORY)
        await trio.sleep(11)
        bot.hit(Category.STRATEGY)

    assert sorted((of.path, of.joined) for of in seen) == [("/bot/api", 0), ("/bot/api", 5), ("/bot/other", 0)]
    joined = next(of for of in seen if of.joined)
    assert (joined.report, joined.latest) == (first.report, last)
    assert recorder.steps[-1] == (21.0, "slow", "success", 1)


async def test_code_outside_any_actor_is_told_apart_by_its_service(autojump_clock: MockClock) -> None:
    calls: list[str] = []

    async def slow(incident: Incident) -> None:
        calls.append(incident.source)
        await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        bot = Bot(made(actions=[RecoveryAction("slow", slow, priority=0)]), nursery)
        for service in ("orders", "prices", "orders"):
            bot.hit(Category.STRATEGY, path="/", kind="", service=service, source=Source.HANDLER)

    assert sorted(calls) == ["orders", "prices"]


async def test_an_error_that_was_answered_before_it_was_reported_again_is_not_answered_twice(
    autojump_clock: MockClock,
) -> None:
    calls: list[str] = []

    async with trio.open_nursery() as nursery:
        bot = Bot(made(actions=[own(calls, "mine")]), nursery)
        bot.hit(Category.STRATEGY, source=Source.HANDLER, repeats=1)

    assert calls == []


async def test_a_slow_action_delays_no_other_incident(recorder: Recorder, autojump_clock: MockClock) -> None:
    async def slow(incident: Incident) -> None:
        await trio.sleep(60)

    async with trio.open_nursery() as nursery:
        recovery = made(recorder, actions=[RecoveryAction("slow", slow, Category.STRATEGY)])
        bot = Bot(recovery, nursery)
        bot.hit(Category.STRATEGY)
        bot.hit(Category.EXCHANGE, Severity.HIGH)
        await wait_all_tasks_blocked()

        assert recovery.trading.is_paper
        assert [incident.path for incident in recovery.runner.open] == ["/bot/api"]


async def test_so_many_act_at_a_time_and_so_many_are_open_and_more_are_counted(autojump_clock: MockClock) -> None:
    """100 at work, 900 wait for them, the rest is refused, and counted."""
    busy = [0, 0]

    async def slow(incident: Incident) -> None:
        busy[0] += 1
        busy[1] = max(busy)
        await trio.sleep(1)
        busy[0] -= 1

    recovery = made(actions=[RecoveryAction("slow", slow, Category.STRATEGY)])
    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        for number in range(1050):
            bot.hit(Category.STRATEGY, path=f"/bot/{number}")

    statistics = recovery.statistics()
    assert (busy, trio.current_time()) == ([0, 100], 10.0)
    assert (statistics.successful, statistics.refused) == (1000, 50)


async def test_an_action_that_takes_too_long_has_failed(recorder: Recorder, autojump_clock: MockClock) -> None:
    async def stuck(incident: Incident) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        recovery = made(recorder, actions=[RecoveryAction("stuck", stuck, timeout=7.0)])
        Bot(recovery, nursery).hit(Category.STRATEGY)

    assert recorder.steps[-1] == (7.0, "stuck", "failed", 1)
    assert recorder.attempts[-1].error == "took longer than 7.0 s"


async def test_an_action_may_tell_attempts_of_its_own(recorder: Recorder, autojump_clock: MockClock) -> None:
    async def twice(incident: Incident) -> None:
        incident.begin(1, of=2, wait=3.0)
        await trio.sleep(3)
        incident.begin(2, of=2, wait=4.0)
        await trio.sleep(4)

    async with trio.open_nursery() as nursery:
        recovery = made(recorder, actions=[RecoveryAction("twice", twice, narrates=True)])
        Bot(recovery, nursery).hit(Category.STRATEGY)

    assert recorder.steps == [
        (0.0, "twice", "started", 1),
        (3.0, "twice", "failed", 1),
        (3.0, "twice", "started", 2),
        (7.0, "twice", "success", 2),
    ]


@pytest.mark.parametrize("after", [0.0, 5.0])
async def test_cancelled_an_incident_is_open_no_more_and_its_attempt_counts_for_nothing(
    after: float, autojump_clock: MockClock
) -> None:
    async def slow(incident: Incident) -> None:
        await trio.sleep(10)

    recovery = made(actions=[RecoveryAction("slow", slow, Category.STRATEGY)])
    async with trio.open_nursery() as nursery:
        Bot(recovery, nursery).hit(Category.STRATEGY)
        await trio.sleep(after)
        nursery.cancel_scope.cancel()

    statistics = recovery.statistics()
    assert recovery.runner.open == []
    assert statistics.total == 0
    assert {attempt.outcome for attempt in statistics.recent} <= {"cancelled"}


async def test_when_the_runtime_stops_what_is_under_way_is_called_off(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    """No recovery has failed then: nobody must be woken for it."""

    async def slow(incident: Incident) -> None:
        await trio.sleep(10)

    recovery = made(recorder, actions=[RecoveryAction("slow", slow, Category.STRATEGY)])
    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        bot.hit(Category.STRATEGY)
        await trio.sleep(1)
        recovery.runner.close()
        bot.hit(Category.STRATEGY, path="/bot/late")

    assert (trio.current_time(), recorder.steps) == (1.0, [(0.0, "slow", "started", 1)])
    assert [attempt.outcome for attempt in recovery.statistics().recent] == ["cancelled"]


# -- rate_limit_wait -------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "wait"), [(None, 10.0), (45.0, 45.0), (1e9, 86_400.0)])
async def test_a_far_end_is_left_alone_for_as_long_as_it_asks(
    asked: float | None, wait: float, recorder: Recorder, autojump_clock: MockClock
) -> None:
    """At least 10 s if it does not say, at most a day at a time; whoever calls it can ask."""
    async with trio.open_nursery() as nursery:
        recovery = made(recorder)
        Bot(recovery, nursery).hit(Category.RATE_LIMIT, service="exchange", retry_after=asked)
        await wait_all_tasks_blocked()
        assert recovery.pause_left("exchange") == wait

    assert recorder.steps == [(0.0, "rate_limit_wait", "started", 1), (wait, "rate_limit_wait", "success", 1)]
    assert [(of.wait, of.attempts) for of in recorder.attempts] == [(wait, 3)] * 2
    assert recovery.pause_left("exchange") == recovery.pause_left("another") == 0.0


async def test_errors_that_go_on_have_it_wait_again_and_in_the_end_fail(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        bot = Bot(made(recorder), nursery)
        bot.hit(Category.RATE_LIMIT, retry_after=10.0)
        for at, wait in ((5.0, 20.0), (15.0, 30.0), (35.0, 40.0)):
            await trio.sleep(at - trio.current_time())
            bot.hit(Category.RATE_LIMIT, retry_after=wait)

    assert recorder.steps == [
        (0.0, "rate_limit_wait", "started", 1),
        (10.0, "rate_limit_wait", "failed", 1),
        (10.0, "rate_limit_wait", "started", 2),
        (30.0, "rate_limit_wait", "failed", 2),
        (30.0, "rate_limit_wait", "started", 3),
        (60.0, "rate_limit_wait", "failed", 3),
    ]


async def test_pauses_are_bounded_and_the_longer_stands(autojump_clock: MockClock) -> None:
    recovery = made()
    recovery.pause("a", 5.0)
    recovery.pause("a", 1.0)
    longest = recovery.pause_left("a")
    for number in range(1000):
        recovery.pause(f"{number}", 5.0)

    assert (longest, recovery.pause_left("a")) == (5.0, 0.0)


# -- data_fallback ---------------------------------------------------------------------


async def test_a_source_stands_on_its_last_good_value_until_a_good_one_comes(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)
    recovery.data.put("/bot/api", 101.5)
    await trio.sleep(30)

    async with trio.open_nursery() as nursery:
        Bot(recovery, nursery).hit(Category.DATA, message="price is not a number")
    remembered = recovery.data.get("/bot/api")

    assert [step[1:3] for step in recorder.steps] == [("data_fallback", "started"), ("data_fallback", "success")]
    assert remembered is not None
    assert (remembered.value, remembered.time) == (101.5, 0.0)
    assert recovery.data.is_fallen_back("/bot/api")
    (used,) = recorder.of(DataFallbackUsed)
    assert used.text() == "/bot/api: the last good value, 30.0 s old, stands in: TimeoutError: price is not a number"

    recovery.data.put("/bot/api", 102.0)
    assert not recovery.data.is_fallen_back("/bot/api")


async def test_without_a_good_value_there_is_nothing_to_fall_back_on(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        Bot(made(recorder), nursery).hit(Category.DATA)

    assert recorder.steps[-1][1:3] == ("data_fallback", "failed")


@pytest.mark.parametrize(("source", "status"), [("last_good", "success"), ("value", "failed")])
async def test_a_guard_that_answered_with_its_own_last_good_value_has_done_it(
    source: str, status: str, recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)

    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        used = FallbackUsed(time=0.0, path="/bot/api", guard="prices", source=source, age=5.0, error="bad data")
        recovery.heard(used, bot.spawn)
        bot.hit(Category.DATA, service="prices", source=Source.GUARD)

    assert recorder.steps[-1][1:3] == ("data_fallback", status)
    for number in range(1000):
        recovery.data.stood_in(str(number), 0.0)
    assert not recovery.data.has_stood_in("prices", 0.0)


async def test_values_may_be_too_old_and_are_bounded(autojump_clock: MockClock) -> None:
    data = made().data
    data.put("old", 1)
    await trio.sleep(10)
    too_old = data.get("old", max_age=9.9), data.get("old", max_age=10.0) is not None
    data.fall_back("old", "x")
    data.fall_back("old", "again")
    for number in range(1000):
        data.put(str(number), number)

    assert too_old == (None, True)
    assert (len(data), data.get("old"), data.is_fallen_back("old")) == (1000, None, False)


# -- exchange_fallback -----------------------------------------------------------------


async def test_orders_go_to_paper_until_an_operator_ends_it(recorder: Recorder, autojump_clock: MockClock) -> None:
    recovery = made(recorder)
    await trio.sleep(5)

    async with trio.open_nursery() as nursery:
        Bot(recovery, nursery).hit(Category.EXCHANGE, Severity.HIGH, path="/bot/orders", message="maintenance")

    trading = recovery.trading
    assert (trading.is_paper, trading.mode, trading.since, trading.why) == (
        True,
        "paper",
        5.0,
        "TimeoutError: maintenance",
    )
    assert trading.causes == {"/bot/orders": "TimeoutError: maintenance"}
    trading.use_live()
    assert [event.text() for event in recorder.of(TradingModeChanged)] == [
        "trading: live -> paper (by exchange_fallback): TimeoutError: maintenance",
        "trading: paper -> live (by operator)",
    ]


async def test_one_refused_order_changes_nothing(autojump_clock: MockClock) -> None:
    recovery = made()

    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        bot.hit(Category.EXCHANGE, Severity.LOW, message="insufficient balance")
        bot.hit(Category.EXCHANGE, Severity.MEDIUM)

    assert not recovery.trading.is_paper


async def test_it_is_live_again_when_every_cause_has_been_checked(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    trading = made(recorder).trading
    trading.use_paper("down", cause="/bot/orders")
    trading.use_paper("also down", cause="binance")
    trading.use_paper("still down", cause="binance")

    trading.healthy("/bot/orders")
    trading.healthy("another")
    still = trading.is_paper
    trading.healthy("binance", by="gateway")

    assert (still, trading.is_paper) == (True, False)
    assert [event.text() for event in recorder.of(TradingModeChanged)] == [
        "trading: live -> paper (by /bot/orders): down",
        "trading: paper -> live (by gateway): binance is healthy",
    ]


async def test_causes_are_bounded_and_never_lost(autojump_clock: MockClock) -> None:
    trading = made().trading
    for number in range(150):
        trading.use_paper("down", cause=str(number))

    for number in range(150):
        trading.healthy(str(number))

    assert trading.causes == {"operator": "down"}


def breaker(state: BreakerState, guard: str = "orders") -> BreakerChanged:
    return BreakerChanged(
        time=trio.current_time(),
        path="/bot/trader",
        guard=guard,
        previous=BreakerState.CLOSED,
        state=state,
        cause=next(iter(Cause)),
        open_for=60.0,
        calls=5,
        failures=5,
        error="503",
    )


async def test_an_open_breaker_of_a_gateway_sends_orders_to_paper_until_it_closes(
    recorder: Recorder, autojump_clock: MockClock
) -> None:
    recovery = made(recorder)
    recovery.add_gateway("orders")
    modes: list[str] = []

    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        for state, guard in (
            (BreakerState.OPEN, "prices"),
            (BreakerState.OPEN, "orders"),
            (BreakerState.HALF_OPEN, "orders"),
            (BreakerState.CLOSED, "orders"),
        ):
            recovery.heard(breaker(state, guard), bot.spawn)
            await wait_all_tasks_blocked()
            modes.append(recovery.trading.mode)

    assert modes == ["live", "paper", "paper", "live"]
    assert recorder.steps == [(0.0, "exchange_fallback", "started", 1), (0.0, "exchange_fallback", "success", 1)]
    assert recorder.attempts[0].error == "the breaker of gateway orders is open: 503"


async def test_disabled_it_leaves_orders_live_whatever_breaks(autojump_clock: MockClock) -> None:
    recovery = made()
    recovery.add_gateway("orders")
    recovery.disable("exchange_fallback")

    async with trio.open_nursery() as nursery:
        bot = Bot(recovery, nursery)
        recovery.heard(breaker(BreakerState.OPEN), bot.spawn)
        bot.hit(Category.EXCHANGE, Severity.CRITICAL)

    assert not recovery.trading.is_paper


def test_gateways_are_named_once_and_bounded() -> None:
    recovery = Recovery()
    for number in range(1000):
        recovery.add_gateway(str(number))
    recovery.add_gateway("0")

    assert len(recovery.gateways) == 1000
    with pytest.raises(ValueError, match=r"^recovery watches at most 1000 gateways, 'one more' is one more$"):
        recovery.add_gateway("one more")
    with pytest.raises(TypeError, match=r"^add_gateway: the name of a guard is needed, got 5$"):
        recovery.add_gateway(5)  # type: ignore[arg-type]


async def test_what_is_done_goes_to_the_record_with_the_kind(autojump_clock: MockClock) -> None:
    kept: list[tuple[str, str]] = []

    async with trio.open_nursery() as nursery:
        recovery = made(sink=lambda event, kind: kept.append((event.status, kind)), actions=[own([], "mine")])
        bot = Bot(recovery, nursery)
        bot.hit(Category.STRATEGY)
        bot.hit(Category.STRATEGY, kind="", path="/bot/x")

    assert sorted(kept) == [("started", "api"), ("started", "strategy"), ("success", "api"), ("success", "strategy")]
