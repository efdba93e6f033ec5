"""What needs the operator: plain sentences, the most urgent first, at most five."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from duenna_actors.console.view.model import Bot, BreakerRow, Budget, DataRow, Loop, MailboxRow, Need, Row, StateRow
from duenna_actors.console.view.needs import Situation, needs
from duenna_actors.console.view.texts import brief, counted, lasting, two_digits
from duenna_actors.console.view.urgency import Troubles, urgency

NOW = 1000.0

BOT = Bot(
    name="bot",
    version="1",
    phase="running",
    started_at=0.0,
    pid=1,
    host="h",
    duenna="1",
    python="3",
    trio="1",
    trading="live",
    trading_why="",
)
QUIET_LOOP = Loop(lag=0.0, lag_max=0.0, blocked=0, blocked_by="", blocked_at=None)
DURABLE = StateRow(store="file", is_durable=True, problem="", saved_at=1.0, size=1, is_reconciling=False)


def row(path: str = "/bot/feeds/kraken", state: str = "running", **more: Any) -> Row:
    given: dict[str, Any] = {"kind": "feed", "mailbox": MailboxRow(0, 1000, None, 0, 0), **more}
    return Row(path=path, name=path.rpartition("/")[2], depth=path.count("/") - 1, state=state, **given)


def group(left: int, of: int = 3, path: str = "/bot/feeds", **more: Any) -> Row:
    return row(path, kind="supervisor", mailbox=None, strategy="one_for_one", budget=Budget(left, of, 60.0), **more)


def breaker(name: str, state: str, **more: Any) -> BreakerRow:
    given: dict[str, Any] = {
        "health": "ok",
        "since": 962.0,
        "retry_at": None,
        "calls": 9,
        "successes": 1,
        "failures": 8,
        "rejected": 3,
        "fallbacks": 0,
        "failure_rate": 0.9,
        "last_error": "",
        **more,
    }
    return BreakerRow(name=name, state=state, **given)


def told(
    *rows: Row,
    since: dict[str, float] | None = None,
    bears: tuple[str, ...] = (),
    lasts: tuple[str, ...] = (),
    **more: Any,
) -> tuple[Need, ...]:
    """Return the needs; the crashes of *bears* are not counted, one more of *lasts* is one too many in a row."""
    given: dict[str, Any] = {"breakers": (), "loop": QUIET_LOOP, "bot": BOT, "state": DURABLE, **more}
    situation = Situation(
        now=NOW,
        since=(since or {}).get,
        **given,
    )
    troubles = Troubles()
    for each in rows:
        counts = each.state in {"running", "starting", "backoff"} and each.path not in bears
        troubles.add(each, urgency(each, NOW), counts=counts, is_last=each.path in lasts)
    return needs(troubles, situation)


def test_a_bot_that_is_well_needs_nobody() -> None:
    """Neither do children that start, have finished or wait for their turn."""
    states = ("running", "starting", "pending", "finished", "stopping")

    assert told(*(row(f"/bot/{state}", state) for state in states), group(3)) == ()


@pytest.mark.parametrize(
    ("given", "severity", "text", "actions"),
    [
        (
            row(state="failed", failures=4, last_error="AuthError: bad key"),
            "critical",
            "kraken is parked after 4 failures, restart it when the cause is gone: AuthError: bad key",
            ("restart",),
        ),
        (
            row(state="failed", failures=1, retry_at=1300.0),
            "critical",
            "kraken is parked after 1 failure, restart it when the cause is gone, next try in 5 min",
            ("restart",),
        ),
        (
            row(link="failed", why="has failed, manual intervention required: no route"),
            "critical",
            "kraken has failed, manual intervention required: no route",
            ("restart",),
        ),
        (
            group(0, state="failed"),
            "critical",
            "feeds and all below it are parked, restart it when the cause is gone",
            ("restart",),
        ),
        (
            row(data=DataRow(959.0, 5.0, True)),
            "warning",
            "kraken silent 41 s (expects 5 s)",
            ("restart",),
        ),
        (
            row(data=DataRow(959.0, 5.0, True), is_critical=True),
            "critical",
            "kraken silent 41 s (expects 5 s)",
            ("restart",),
        ),
        (
            row(state="backoff", failures=3, retry_at=1008.0, last_error="ConnectionResetError"),
            "warning",
            "kraken is down, retry in 8 s (failure 3): ConnectionResetError",
            ("restart",),
        ),
        (
            group(3, state="backoff", failures=1),
            "warning",
            "feeds gave up and is down with all below it (failure 1)",
            ("restart",),
        ),
        (row(link="degraded", why="is degraded: slow"), "warning", "kraken is degraded: slow", ()),
        (row(link="recovering"), "warning", "kraken is recovering", ()),
        (
            row(mailbox=MailboxRow(950, 1000, None, 0, 0)),
            "warning",
            "kraken: mailbox nearly full, 950 of 1000 messages wait",
            (),
        ),
        (
            row(mailbox=MailboxRow(1, 1000, 940.0, 0, 0)),
            "warning",
            "kraken: 1 message waits, the oldest for 60 s",
            (),
        ),
        (row(state="stopped"), "notice", "kraken was stopped by hand", ("start",)),
        (row(state="suspended", is_suspended=True), "notice", "kraken is suspended by hand", ("resume",)),
    ],
)
def test_what_an_actor_needs(given: Row, severity: str, text: str, actions: tuple[str, ...]) -> None:
    """One sentence, and what helps."""
    (need,) = told(given)

    assert (need.path, need.severity, need.text, need.actions) == (given.path, severity, text, actions)


def test_a_child_of_a_supervisor_that_bears_no_more_says_so() -> None:
    """It is the one that would stop all of them."""
    found = told(group(0), row(data=DataRow(959.0, 5.0, True)))

    assert [each.path for each in found] == ["/bot/feeds", "/bot/feeds/kraken"]
    assert found[1].text == "kraken silent 41 s (expects 5 s); one more crash stops all of /bot/feeds"


ONE = "feeds: 3 of 3 restarts used within 60 s, one more crash"


@pytest.mark.parametrize(
    ("children", "bears", "text"),
    [
        ({"a": "running", "b": "running"}, (), f"{ONE} stops all of /bot/feeds"),
        ({"a": "running", "b": "stopped", "c": "failed"}, (), f"{ONE} stops all of /bot/feeds"),
        ({"a": "running", "b": "running"}, ("a",), f"{ONE} of b stops all of /bot/feeds"),
        ({"a": "running", "b": "running", "c": "backoff"}, ("a",), f"{ONE} of b or c stops all of /bot/feeds"),
        (dict.fromkeys("abcdef", "running"), ("a",), f"{ONE} of b, c, d and 2 more stops all of /bot/feeds"),
        ({"a": "running", "b": "stopped"}, ("a",), ""),
        ({}, (), ""),
    ],
)
def test_whose_crash_would_stop_all(children: dict[str, str], bears: tuple[str, ...], text: str) -> None:
    """Not that of a child whose restarts are not counted; and if there is no other, there is no need."""
    rows = [row(f"/bot/feeds/{name}", state) for name, state in children.items()]
    found = told(group(0), *rows, bears=tuple(f"/bot/feeds/{name}" for name in bears))

    assert [each.text for each in found if each.path == "/bot/feeds"] == ([text] if text else [])


@pytest.mark.parametrize("state", ["backoff", "stopped", "stopping", "starting", "pending"])
def test_a_supervisor_that_does_not_run_has_no_budget_to_spend(state: str) -> None:
    """It gave up already, or begins anew with all of it."""
    assert "one more" not in "".join(each.text for each in told(group(0, state=state), row()))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (row(failures=3, budget=Budget(0, 3)), "kraken has had 3 failures in a row"),
        (row(state="backoff", failures=3, budget=Budget(0, 3)), "kraken is down (failure 3)"),
        (group(2, path="/bot/feeds/kraken", failures=1), "kraken has had 1 failure in a row"),
    ],
)
def test_one_failure_too_many_in_a_row_stops_all_as_well(given: Row, text: str) -> None:
    """Whatever is left of the supervisor's own budget."""
    (need,) = told(group(3), given, lasts=("/bot/feeds/kraken",))

    assert (need.severity, need.text) == ("critical", f"{text}, one more crash stops all of /bot/feeds")


def test_an_actor_that_never_failed_is_no_need_however_little_it_bears() -> None:
    """Somebody wanted it so."""
    assert told(group(3), row(budget=Budget(0, 0)), lasts=("/bot/feeds/kraken",)) == ()


def test_a_child_whose_crash_is_not_counted_does_not_say_that_it_would_stop_all() -> None:
    """It would not."""
    silent = row(data=DataRow(959.0, 5.0, True))

    assert told(group(0), silent, bears=(silent.path,))[-1].text == "kraken silent 41 s (expects 5 s)"


@pytest.mark.parametrize("state", ["stopped", "finished", "pending", "stopping"])
def test_nobody_waits_for_data_of_who_was_stopped(state: str) -> None:
    """Or has finished, or is down with its supervisor, which says so."""
    silent = row(state=state, data=DataRow(1.0, 5.0, True), is_critical=True)

    assert "silent" not in "".join(each.text for each in told(silent))


def test_who_is_down_and_silent_says_both() -> None:
    """In one sentence; as urgent as the silence if the bot is not ready without it."""
    silent = row(state="backoff", failures=2, retry_at=1008.0, data=DataRow(959.0, 5.0, True))
    critical = msgspec.structs.replace(silent, is_critical=True)

    assert [(each.severity, each.text) for each in (*told(silent), *told(critical))] == [
        ("warning", "kraken is down, silent 41 s (expects 5 s), retry in 8 s (failure 2)"),
        ("critical", "kraken is down, silent 41 s (expects 5 s), retry in 8 s (failure 2)"),
    ]


def test_an_actor_may_call_itself_a_supervisor() -> None:
    """It is none: it has a mailbox."""
    given = row(kind="supervisor", state="failed", failures=1, budget=Budget(0, 1))

    assert told(given)[0].text == "kraken is parked after 1 failure, restart it when the cause is gone"
    assert told(msgspec.structs.replace(given, state="running")) == ()


def test_a_link_that_was_lost_is_a_need() -> None:
    """While it connects again; not while it connects for the first time."""
    lost = row(link="connecting", status="unavailable", why="was lost, and is connecting again")

    assert [each.text for each in told(lost)] == ["kraken was lost, and is connecting again"]
    assert told(row(link="connecting", status="degraded", why="is connecting")) == ()


def test_an_unhealthy_bot_is_never_without_a_need() -> None:
    """If there is no better sentence, it is one of its health's; with one, that is enough."""
    issues = ("/bot/x is odd", "no path here", *("more",) * 9)

    found = told(issues=issues)
    assert [(each.path, each.text, each.severity) for each in found[:2]] == [
        ("/bot/x", "/bot/x is odd", "critical"),
        ("/", "no path here", "critical"),
    ]
    assert len(found) == 5
    assert [each.path for each in told(row(state="backoff"), issues=issues)] == ["/bot/feeds/kraken"]


@pytest.mark.parametrize(
    ("more", "severity", "text"),
    [
        (
            {"loop": msgspec.structs.replace(QUIET_LOOP, blocked=1, blocked_by="/bot/x", blocked_at=990.0)},
            "critical",
            "the event loop was blocked by /bot/x, 10 s ago",
        ),
        (
            {"loop": msgspec.structs.replace(QUIET_LOOP, blocked=1, blocked_at=999.0)},
            "critical",
            "the event loop was blocked by code outside any actor, 1 s ago",
        ),
        (
            {"state": msgspec.structs.replace(DURABLE, problem="disk full")},
            "critical",
            "the state is not saved, a restart of the process would lose it: disk full",
        ),
        (
            {"state": msgspec.structs.replace(DURABLE, is_reconciling=True)},
            "critical",
            "state was lost: the bot reconciles with the exchange before it trades",
        ),
        (
            {"bot": msgspec.structs.replace(BOT, trading="paper", trading_why="breaker of orders")},
            "warning",
            "orders go to paper trading: breaker of orders",
        ),
        (
            {"breakers": (breaker("rest", "open", retry_at=1012.0, last_error="429"),)},
            "warning",
            "rest: breaker open for 38 s, next probe in 12 s: 429",
        ),
        ({"breakers": (breaker("rest", "half_open"),)}, "warning", "rest: breaker half open for 38 s"),
        (
            {"breakers": (breaker("rest", "forced_open"),)},
            "notice",
            "rest: breaker held open by hand for 38 s, no call passes",
        ),
        (
            {"breakers": (breaker("alerts:pager", "open", last_error="timeout"),)},
            "warning",
            "alerts do not reach pager since 38 s: timeout",
        ),
    ],
)
def test_what_the_whole_needs(more: dict[str, Any], severity: str, text: str) -> None:
    """What no actor is to blame for."""
    (need,) = told(**more)

    assert (need.severity, need.text) == (severity, text)


def test_what_was_long_ago_is_no_need() -> None:
    """A loop that was blocked an hour ago; a breaker that is closed or off."""
    loop = msgspec.structs.replace(QUIET_LOOP, blocked=1, blocked_by="/bot/x", blocked_at=100.0)

    assert told(loop=loop, breakers=(breaker("a", "closed"), breaker("b", "disabled"))) == ()


def test_what_was_done_a_moment_ago_is_no_news() -> None:
    """Whoever stopped it knows; ten minutes later it may be forgotten."""
    stopped = row(state="stopped")

    assert told(stopped, since={stopped.path: 900.0}) == ()
    (need,) = told(stopped, since={stopped.path: 100.0})
    assert (need.text, need.since) == ("kraken was stopped by hand since 15 min", 100.0)


def test_the_most_urgent_five_come_first() -> None:
    """Whatever their order in the tree."""
    found = told(
        row("/bot/a", "stopped"),
        row("/bot/b", "backoff"),
        row("/bot/c", "failed"),
        row("/bot/d", "failed", is_critical=True),
        row("/bot/e", link="recovering"),
        row("/bot/f", data=DataRow(1.0, 1.0, True)),
        breakers=(breaker("rest", "open"),),
    )

    assert [each.path for each in found] == ["/bot/d", "/bot/c", "rest", "/bot/f", "/bot/b"]


def test_many_of_one_supervisor_are_one_sentence() -> None:
    """A thousand parked actors leave room for what else is wrong."""
    found = told(*(row(f"/bot/feeds/f{number}", "failed") for number in range(1000)), row("/bot/x", "backoff"))

    assert [(each.path, each.text) for each in found] == [
        ("/bot/feeds", "1000 of /bot/feeds are parked, a person is needed: f0, f1, f2 and 997 more"),
        ("/bot/x", "x is down (failure 0)"),
    ]


def test_sentences_are_bounded() -> None:
    """Whatever an exchange says."""
    (need,) = told(row(state="failed", last_error="x" * 100_000))

    assert len(need.text) <= 240


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    """As exact as a person wants it."""
    assert lasting(seconds) == text


def test_texts() -> None:
    """Short, in one line, and without noise."""
    assert brief("a\n b\tc", 10) == "a b c"
    assert brief("x" * 50, 10) == "xxxxxxx..."
    assert brief(" " * 100 + "x", 10) == "..."
    assert (counted(1, "message"), counted(2, "message")) == ("1 message", "2 messages")
    assert (two_digits(412.3), two_digits(0.0123), two_digits(0.0)) == (410.0, 0.012, 0.0)
