"""What each event means, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from duenna.connection_events import ConnectionChanged
from duenna.error_events import (
    ErrorClassified,
    ErrorReport,
    HealthChanged,
    RecoveryAttempted,
    SettingsRejected,
)
from duenna.events import (
    ChildParked,
    ChildRemoved,
    ChildStarted,
    ChildStopped,
    Event,
    LoopBlocked,
    RuntimeStarted,
    SupervisorGaveUp,
)
from duenna.guard_events import BreakerChanged
from duenna.machines.alert_words import Cleared, Condition
from duenna.machines.breaker import BreakerState, Cause
from duenna.machines.classification import Category, Facts, Link, Severity, Verdict
from duenna.machines.link import ConnectionState
from duenna.records.events import RecordsFailed, RecordsLost, RecordsResumed
from duenna.recovery.events import Mode, TradingModeChanged
from duenna_actors._subscriptions import SubscriptionState
from duenna_actors.alerts import _knowledge
from duenna_actors.alerts.events import NotificationFailed, NotificationSent
from duenna_actors.alerts.rules import Numbers, Rules
from duenna_actors.feed_messages import SubscriptionChanged

OWN = "/system/alerts"
LOW = Severity.LOW


def rules(**labels: dict[str, str]) -> Rules:
    return Rules(own=OWN, labels=labels, more={}, numbers=Numbers())


def raised(changes: list[Any]) -> list[tuple[str, str, str]]:
    return [(c.kind, c.target, str(c.severity)) for c in changes if isinstance(c, Condition)]


def cleared(changes: list[Any]) -> list[tuple[str, str]]:
    return [(c.kind, c.target) for c in changes if isinstance(c, Cleared)]


def error(path: str = "/bot/a", now: float = 0.0, severity: Severity = LOW, **fields: Any) -> ErrorClassified:
    category = fields.pop("category", Category.NETWORK)
    given: dict[str, Any] = {"id": 1, "error_type": "ConnectionError", "message": "reset", "service": path}
    facts = Facts(links=(Link(type="ConnectionError"),))
    report = ErrorReport(time=now, at=0.0, path=path, facts=facts, **(given | fields))
    verdict = Verdict(category=category, severity=severity, transient=True, rule="r")
    return ErrorClassified(time=now, path=path, report=report, verdict=verdict)


def recovery(status: str, attempt: int = 1, path: str = "/bot/a", action: str = "network_retry") -> RecoveryAttempted:
    return RecoveryAttempted(time=0.0, path=path, report_id=1, action=action, status=status, attempt=attempt, error="x")


def breaker(state: BreakerState, guard: str = "binance") -> BreakerChanged:
    return BreakerChanged(
        time=0.0,
        path="/",
        guard=guard,
        previous=BreakerState.CLOSED,
        state=state,
        cause=Cause.FAILURES,
        open_for=60.0 if state is BreakerState.OPEN else float("inf"),
        calls=5,
        failures=5,
        error="down" if state is BreakerState.OPEN else "",
    )


def connection(state: ConnectionState, path: str = "/bot/a", kind: str = "websocket") -> ConnectionChanged:
    return ConnectionChanged(time=0.0, path=path, kind=kind, previous=ConnectionState.CONNECTING, state=state, why="")


def parked(path: str = "/bot/a") -> ChildParked:
    return ChildParked(time=0.0, path=path, failures=3, reason="x", unpark_after=None)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (error(severity=Severity.CRITICAL), [("critical_error", "/bot/a", "CRITICAL")]),
        (error(severity=Severity.HIGH), []),
        (error(severity=Severity.HIGH, category=Category.EXCHANGE), [("exchange_down", "exchange", "CRITICAL")]),
        (error(severity=Severity.MEDIUM, category=Category.EXCHANGE), []),
        (error(error_type="duenna_actors.feed_errors.StaleFeedError"), [("feed_stale", "/bot/a", "HIGH")]),
        (error(severity=Severity.CRITICAL, repeats=7), []),
        (error(severity=Severity.CRITICAL, path=OWN + "/slack"), []),
        (error(severity=Severity.CRITICAL, service="alerts:slack"), []),
        (error(severity=Severity.CRITICAL, label="alert_delivery"), []),
        (breaker(BreakerState.OPEN), [("breaker_open", "binance", "HIGH")]),
        (breaker(BreakerState.FORCED_OPEN), [("breaker_open", "binance", "MEDIUM")]),
        (breaker(BreakerState.HALF_OPEN), []),
        (breaker(BreakerState.OPEN, "alerts:slack"), []),
        (
            HealthChanged(time=0.0, path="/", service="db", previous="operational", health="degraded", why="slow"),
            [("service_status", "db", "MEDIUM")],
        ),
        (
            HealthChanged(time=0.0, path="/", service="/bot/a", previous="operational", health="unavailable", why=""),
            [("service_status", "/bot/a", "HIGH")],
        ),
        (HealthChanged(time=0.0, path="/", service="", previous="healthy", health="unhealthy", why=""), []),
        (HealthChanged(time=0.0, path="/", service=OWN, previous="operational", health="unavailable", why=""), []),
        (recovery("started", 3), []),
        (recovery("started", 4), [("recovery_attempts", "/bot/a", "MEDIUM")]),
        (recovery("failed"), [("recovery_failed", "/bot/a", "HIGH")]),
        (recovery("gave_up"), [("recovery_failed", "/bot/a", "CRITICAL")]),
        (recovery("failed", path="/"), [("recovery_failed", "network_retry", "HIGH")]),
        (recovery("failed", path=OWN + "/slack"), []),
        (parked(), [("child_parked", "/bot/a", "CRITICAL")]),
        (parked(OWN + "/slack"), []),
        (
            SupervisorGaveUp(time=0.0, path="/bot/x", reason="r", restarts=3),
            [("supervisor_gave_up", "/bot/x", "CRITICAL")],
        ),
        (SupervisorGaveUp(time=0.0, path=OWN, reason="r", restarts=3), []),
        (
            SubscriptionChanged(time=0.0, path="/bot/f", keys=("btc",), state=SubscriptionState.STALE),
            [("feed_stale", "/bot/f", "HIGH")],
        ),
        (
            LoopBlocked(time=0.0, path="/", seconds=2.0, actor="/bot/a", stack="x"),
            [("loop_blocked", "/bot/a", "CRITICAL")],
        ),
        (LoopBlocked(time=0.0, path="/", seconds=2.0, actor="", stack="x"), [("loop_blocked", "loop", "CRITICAL")]),
        (
            RecordsFailed(time=0.0, path="/system/records", log="errors", file="f", error="ENOSPC", waiting=3),
            [("records_failed", "errors", "HIGH")],
        ),
        (RecordsLost(time=0.0, path="/", log="errors", lost=1), [("records_failed", "errors", "HIGH")]),
        (SettingsRejected(time=0.0, path="/", error="e"), [("settings_rejected", "settings", "MEDIUM")]),
        (
            NotificationFailed(time=0.0, path="/", receiver="slack", number=1, alerts=1, attempts=1, error="e"),
            [("alert_delivery", "slack", "MEDIUM")],
        ),
        (
            TradingModeChanged(time=0.0, path="/", previous=Mode.LIVE, mode=Mode.PAPER, why="w", by="b"),
            [("exchange_down", "exchange", "CRITICAL")],
        ),
        (RuntimeStarted(time=0.0, path="/"), []),
    ],
)
def test_what_is_wrong(event: Event, expected: list[tuple[str, str, str]]) -> None:
    assert raised(rules().read(event)) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (breaker(BreakerState.CLOSED), ("breaker_open", "binance")),
        (breaker(BreakerState.DISABLED), ("breaker_open", "binance")),
        (
            HealthChanged(time=0.0, path="/", service="db", previous="degraded", health="operational", why=""),
            ("service_status", "db"),
        ),
        (recovery("success"), ("recovery_failed", "/bot/a")),
        (recovery("success", path="/"), ("recovery_attempts", "network_retry")),
        (ChildStarted(time=0.0, path="/bot/a", incarnation=2), ("child_parked", "/bot/a")),
        (ChildStarted(time=0.0, path="/bot/a", incarnation=2), ("supervisor_gave_up", "/bot/a")),
        (connection(ConnectionState.OPERATIONAL), ("feed_stale", "/bot/a")),
        (connection(ConnectionState.OPERATIONAL), ("child_parked", "/bot/a")),
        (RecordsResumed(time=0.0, path="/", log="errors", duration=1.0, lost=0), ("records_failed", "errors")),
        (
            NotificationSent(time=0.0, path="/", receiver="slack", number=1, alerts=1, attempts=1, delay=0.0),
            ("alert_delivery", "slack"),
        ),
        (
            TradingModeChanged(time=0.0, path="/", previous=Mode.PAPER, mode=Mode.LIVE, why="", by="operator"),
            ("exchange_down", "exchange"),
        ),
    ],
)
def test_what_is_over(event: Event, expected: tuple[str, str]) -> None:
    assert expected in cleared(rules().read(event))


def test_a_breaker_that_lets_a_probe_through_is_open_still() -> None:
    assert rules().read(breaker(BreakerState.HALF_OPEN)) == []


def test_a_connection_that_is_started_is_not_well_yet() -> None:
    known = rules()
    known.read(connection(ConnectionState.COOLDOWN))

    assert cleared(known.read(ChildStarted(time=0.0, path="/bot/a", incarnation=2))) == [
        ("supervisor_gave_up", "/bot/a")
    ]


def test_an_actor_of_a_connections_kind_that_says_nothing_is_well_when_it_is_started() -> None:
    """Else nobody would ever end the alert that it was parked."""
    known = rules()
    known.read(error("/bot/a", kind="websocket"))
    (parking,) = known.read(parked("/bot/a"))

    assert isinstance(parking, Condition)
    assert parking.labels["connection"] == "websocket"
    assert ("child_parked", "/bot/a") in cleared(known.read(ChildStarted(time=0.0, path="/bot/a", incarnation=2)))


def test_a_child_that_is_removed_takes_its_attempts_with_it() -> None:
    known = rules()
    for attempt in (1, 2, 3):
        known.read(recovery("started", attempt))
    known.read(ChildRemoved(time=0.0, path="/bot/a"))

    assert raised(known.read(recovery("started", 1))) == []


def test_attempts_are_counted_until_one_succeeds() -> None:
    """A new round begins at attempt 1, and is the same trouble."""
    known = rules()
    told = [raised(known.read(recovery("started", attempt))) for attempt in (1, 2, 3, 1)]
    assert [bool(changes) for changes in told] == [False, False, False, True]

    known.read(recovery("success"))
    assert raised(known.read(recovery("started", 1))) == []


def test_an_actor_that_is_started_again_and_again_is_no_better_for_each_start() -> None:
    """What is no connection cannot say that it is well: its attempts are over when there are none for a while."""
    known = rules()
    (fourth,) = known.read(recovery("started", 4))
    assert isinstance(fourth, Condition)
    assert fourth.expires
    over = cleared(known.read(recovery("success"))) + cleared(
        known.read(ChildStarted(time=0.0, path="/bot/a", incarnation=2))
    )
    assert ("recovery_attempts", "/bot/a") not in over

    known.read(connection(ConnectionState.OPERATIONAL))
    assert ("recovery_attempts", "/bot/a") in cleared(known.read(recovery("success")))


def test_giving_up_on_a_connection_holds_until_it_is_well() -> None:
    known = rules()
    known.read(connection(ConnectionState.FAILED))
    (of_connection,) = known.read(recovery("gave_up"))
    (of_code,) = known.read(recovery("gave_up", path="/"))

    assert isinstance(of_connection, Condition)
    assert isinstance(of_code, Condition)
    assert (of_connection.expires, of_code.expires) == (False, True)


def test_a_feed_is_fresh_when_all_of_its_subscriptions_are() -> None:
    def changed(state: SubscriptionState, *keys: str) -> SubscriptionChanged:
        return SubscriptionChanged(time=0.0, path="/bot/f", keys=keys, state=state)

    known = rules()
    known.read(changed(SubscriptionState.STALE, *"abcdef"))
    (second,) = known.read(changed(SubscriptionState.STALE, "g"))
    assert isinstance(second, Condition)
    assert second.summary == "no fresh data of a, b, c, d, e and 2 more"
    assert known.read(changed(SubscriptionState.LIVE, *"abcdef")) == []
    assert cleared(known.read(changed(SubscriptionState.LIVE, "g"))) == [("feed_stale", "/bot/f")]


@pytest.mark.parametrize("kind", [ChildStopped, ChildRemoved])
def test_what_an_operator_stops_is_no_trouble_any_more_nor_what_is_below_it(kind: Any) -> None:
    known = rules()
    known.read(parked("/bot/a/b"))
    known.read(parked("/bot/ab"))
    known.read(breaker(BreakerState.OPEN))

    assert cleared(known.read(kind(time=0.0, path="/bot/a"))) == [("child_parked", "/bot/a/b")]
    assert known.holding("child_parked") == ["/bot/ab"]
    assert known.holding("breaker_open") == ["binance"]


def test_alerts_have_the_labels_of_their_path_and_of_what_is_above_it() -> None:
    known = rules(
        **{"/bot": {"team": "a", "exchange": "x"}, "/bot/kraken": {"exchange": "kraken"}, "api": {"exchange": "x"}}
    )
    known.read(connection(ConnectionState.COOLDOWN, "/bot/kraken/f"))
    (of_feed,) = known.read(parked("/bot/kraken/f"))
    (of_guard,) = known.read(breaker(BreakerState.OPEN, "api"))
    (down,) = known.read(error("/bot/kraken/f", severity=Severity.HIGH, category=Category.EXCHANGE))

    assert isinstance(of_feed, Condition)
    assert isinstance(of_guard, Condition)
    assert of_feed.labels == {"team": "a", "exchange": "kraken", "connection": "websocket"}
    assert of_guard.labels == {"exchange": "x"}
    assert down.target == "kraken"


def test_errors_are_counted_by_their_label() -> None:
    known = rules()
    changes = [known.read(error(now=float(number), label="order", error_type=f"E{number}")) for number in range(11)]

    assert raised(changes[-1]) == [("error_burst", "order", "HIGH"), ("error_rate", "bot", "HIGH")]
    assert known.next_at() == 60.0 + 5
    assert cleared(known.due(70.0)) == [("error_rate", "bot")]
    assert cleared(known.read(RuntimeStarted(time=300.0, path="/"))) == [("error_burst", "order")]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_knowledge, "MOST_KNOWN", 2)
    known = rules()
    for number in range(5):
        known.read(parked(f"/bot/{number}"))

    assert known.holding("child_parked") == ["/bot/3", "/bot/4"]


def test_every_event_that_has_a_meaning_is_subscribed_to() -> None:
    class Mine(Event, frozen=True):
        pass

    known = Rules(own=OWN, labels={}, more={Mine: lambda _: ()}, numbers=Numbers())
    assert set(known.events()) > {Mine, ErrorClassified, BreakerChanged}
