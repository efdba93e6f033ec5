"""The parts of alerting: words, matchers, silences, inhibition, rates, cooldown, routes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines import alert_cooldown, alert_rates, alert_silences
from duenna.machines.alert_cooldown import Cooldown
from duenna.machines.alert_delivery import MOST_LOST, Lost, Patience
from duenna.machines.alert_inhibition import Inhibition, Inhibitor, default_inhibitions
from duenna.machines.alert_matchers import Matcher, all_fit, matchers
from duenna.machines.alert_options import DELIVERY, AlertOptions, Route
from duenna.machines.alert_rates import Rates
from duenna.machines.alert_silences import Silences
from duenna.machines.alert_words import (
    LONGEST,
    MOST_LABELS,
    Alert,
    Cleared,
    Condition,
    Notification,
    Reason,
    alert_of,
    fingerprint,
    met_again,
    one_line,
    worst,
)
from duenna.machines.classification import Severity

INF = float("inf")


def condition(kind: str = "breaker_open", target: str = "binance", **fields: Any) -> Condition:
    return Condition(**({"kind": kind, "target": target, "severity": Severity.HIGH, "summary": "it is open"} | fields))


def alert(kind: str = "breaker_open", target: str = "binance", number: int = 1, **fields: Any) -> Alert:
    return alert_of(condition(kind, target, **fields), number, 0.0)


def note(*, firing: tuple[Alert, ...] = (), resolved: tuple[Alert, ...] = ()) -> Notification:
    return Notification(receiver="r", number=1, reason=Reason.FIRING, firing=firing, resolved=resolved, time=0.0)


# -- words -----------------------------------------------------------------------------


def test_a_condition_takes_the_name_of_a_severity() -> None:
    assert condition(severity="CRITICAL").severity is Severity.CRITICAL


def test_what_is_no_unicode_becomes_an_escape_that_can_be_sent() -> None:
    made = condition(
        target="a\udcff", summary="\ud800 é", details="\udc80", path="/b\udcff", labels={"x\udcff": "y\udcff"}
    )

    assert (made.target, made.summary, made.details, made.path) == ("a\\udcff", "\\ud800 é", "\\udc80", "/b\\udcff")
    assert made.labels == {"x\\udcff": "y\\udcff"}
    assert Cleared(kind="k", target="a\udcff").target == made.target


def test_a_target_is_bounded_in_its_beginning_and_its_end() -> None:
    assert condition(target="x" * 1000).target == Cleared(kind="k", target="x" * 1000).target == "x" * LONGEST


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"severity": "BAD"}, ValueError, r"^alert: severity must be one of 'LOW', .*, got 'BAD'$"),
        ({"kind": None}, TypeError, r"^alert: kind must be a str, got None$"),
        ({"target": 3}, TypeError, r"^alert: target must be a str, got 3$"),
        ({"summary": b"x"}, TypeError, r"^alert: summary must be a str, got b'x'$"),
        ({"expires": "no"}, TypeError, r"^alert: expires must be True or False, got 'no'$"),
        ({"labels": ["x"]}, TypeError, r"^alert: labels must be a dict of str to str, got \['x'\]$"),
        ({"labels": {"x": 3}}, TypeError, r"^alert: labels must be a str, got 3$"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_where_it_is_made(
    fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        condition(**fields)


def test_an_alert_has_the_labels_that_everything_goes_by() -> None:
    made = alert(path="/bot/api", labels={"exchange": "binance", "empty": ""})

    assert made.labels == {
        "kind": "breaker_open",
        "target": "binance",
        "path": "/bot/api",
        "severity": "HIGH",
        "exchange": "binance",
    }


def test_an_alert_is_bounded_whatever_the_condition_says() -> None:
    labels = {f"label{number}": "x" * 1000 for number in range(100)}
    made = alert(summary="a\nb " * 1000, details="d" * 5000, labels=labels)

    assert (len(made.summary), len(made.details), len(made.labels)) == (LONGEST, 1000, MOST_LABELS + 3)  # no path
    assert "\n" not in made.summary
    assert max(len(value) for value in made.labels.values()) == LONGEST


def test_labels_of_the_condition_never_replace_the_fixed_ones() -> None:
    assert alert(labels={"kind": "other", "severity": "LOW"}).labels["kind"] == "breaker_open"


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert fingerprint("breaker_open", "x") == "abd4255cfe7281a8"
    assert fingerprint("a", "bc") != fingerprint("ab", "c")
    assert len(fingerprint("\ud800", "x")) == 16


def test_an_alert_that_is_met_again_counts_and_keeps_the_highest_severity() -> None:
    first = alert()
    second = met_again(first, condition(severity=Severity.CRITICAL, summary="worse", details="stack"), 5.0)
    third = met_again(second, condition(severity=Severity.LOW, summary="worse"), 6.0)

    assert (second.count, second.last, second.severity, second.summary) == (2, 5.0, Severity.CRITICAL, "worse")
    assert (second.labels["severity"], second.details) == ("CRITICAL", "stack")
    assert (third.count, third.severity, third.details) == (3, Severity.CRITICAL, "stack")
    assert (first.is_firing, first.duration, third.duration) == (True, 0.0, 6.0)


def test_the_severity_of_a_notification_is_the_highest_of_what_fires() -> None:
    low, high = alert(severity=Severity.LOW), alert(severity=Severity.HIGH)

    assert note(firing=(low,), resolved=(high,)).severity is Severity.LOW
    assert note(resolved=(low, high)).severity is Severity.HIGH
    assert note().severity is Severity.LOW
    assert worst(Severity.MEDIUM, Severity.LOW) is Severity.MEDIUM


@given(st.text(), st.integers(2, 50))
def test_one_line_is_one_and_bounded(text: str, longest: int) -> None:
    line = one_line(text, longest)

    assert len(line) <= longest
    assert len(line.splitlines()) <= 1


# -- matchers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels", "fits"),
    [
        ('kind="feed_stale"', {"kind": "feed_stale"}, True),
        ("kind=feed_stale", {"kind": "feed_stale"}, True),
        (" kind = feed_stale ", {"kind": "feed"}, False),
        ("kind!=feed", {"kind": "other"}, True),
        ("kind!=feed", {}, True),
        ('exchange=""', {}, True),
        ('exchange!=""', {}, False),
        ("path=~/bot/feeds/.*", {"path": "/bot/feeds/btc"}, True),
        ("path=~/bot", {"path": "/bot/feeds"}, False),  # all of it must match
        ("path!~/bot/.*", {"path": "/bot/feeds"}, False),
        ("path!~/bot/.*", {"path": "/other"}, True),
        ('target="a \\"b\\""', {"target": 'a "b"'}, True),
    ],
)
def test_a_matcher_is_read_and_fits_as_alertmanagers_do(text: str, labels: dict[str, str], fits: bool) -> None:
    assert Matcher.parse(text).fits(labels) is fits


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind", r"^a matcher must be label=value, with =, !=, =~ or !~, got 'kind'$"),
        ("kind=~(", r"^matcher of kind: value must be a regular expression, got '\(': "),
        ("kind=" + "x" * 257, r"^matcher of kind: value must have at most 256 characters, got 257$"),
    ],
)
def test_what_is_no_matcher_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Matcher.parse(text)


def test_matchers_are_given_as_texts_or_as_themselves() -> None:
    made = Matcher("kind", "=", "x")

    assert matchers("kind=x") == matchers([made]) == (made,)
    assert all_fit((), {})
    with pytest.raises(TypeError, match=r"^a matcher must be a Matcher or a text such as 'kind=feed_stale', got 1$"):
        matchers([1])  # type: ignore[list-item]


@given(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.sampled_from(["=", "!="]), st.text(max_size=20))
def test_a_matcher_is_read_back_as_it_is_written(label: str, operator: str, value: str) -> None:
    if "\\" in value:
        return
    made = Matcher(label, operator, value)

    assert Matcher.parse(str(made)) == made


# -- silences --------------------------------------------------------------------------


def test_a_silence_hides_what_all_its_matchers_mean_until_it_ends() -> None:
    silences = Silences()
    made = silences.add(matchers(["kind=a", "target=b"]), 60.0, 100.0, author="me", comment="deploy")

    assert (made.id, made.since, made.until) == ("silence-1", 100.0, 160.0)
    assert silences.hiding({"kind": "a", "target": "b"}, 159.9) == made.id
    assert silences.hiding({"kind": "a"}, 110.0) is None
    assert silences.hiding({"kind": "a", "target": "b"}, 160.0) is None
    assert silences.next_at() == 160.0
    assert (silences.expire(159.9), silences.expire(160.0), silences.expire(161.0)) == (False, True, False)
    assert (silences.listed(), silences.next_at()) == ((), INF)


def test_a_silence_is_deleted_once() -> None:
    silences = Silences()
    made = silences.add(matchers("kind=a"), 60.0, 0.0, author="me", comment="")

    assert silences.listed() == (made,)
    assert (silences.delete(made.id), silences.delete(made.id)) == (True, False)


@pytest.mark.parametrize("duration", [0, -1.0, INF, float("nan")])
def test_a_silence_without_end_is_refused(duration: float) -> None:
    with pytest.raises(ValueError, match=r"^duration of a silence must be > 0 and finite seconds, got "):
        Silences().add(matchers("kind=a"), duration, 0.0, author="me", comment="")


def test_a_silence_of_everything_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a silence must have at least one matcher, got none"):
        Silences().add((), 1.0, 0.0, author="me", comment="")


def test_silences_are_bounded_and_make_room_when_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_silences, "MOST", 2)
    silences = Silences()
    for _ in range(2):
        silences.add(matchers("kind=a"), 10.0, 0.0, author="me", comment="")

    with pytest.raises(ValueError, match=r"^there must be at most 2 silences at a time: delete one first$"):
        silences.add(matchers("kind=a"), 10.0, 9.0, author="me", comment="")
    assert silences.add(matchers("kind=a"), 10.0, 10.0, author="me", comment="").id == "silence-3"


# -- inhibition ------------------------------------------------------------------------


def test_a_source_inhibits_targets_with_equal_labels() -> None:
    rule = Inhibition(["kind=down"], ["kind=stale"], ["exchange"])
    inhibitor = Inhibitor((rule,))
    down = alert("down", "x", labels={"exchange": "x"})

    assert inhibitor.add(down)
    assert inhibitor.inhibiting(alert("stale", "a", labels={"exchange": "x"})) == down.id
    assert inhibitor.inhibiting(alert("stale", "a", labels={"exchange": "y"})) is None
    assert inhibitor.inhibiting(alert("stale", "a")) is None
    assert inhibitor.inhibiting(alert("other", "a", labels={"exchange": "x"})) is None
    assert (inhibitor.remove(down), inhibitor.remove(down)) == (True, False)
    assert inhibitor.inhibiting(alert("stale", "a", labels={"exchange": "x"})) is None


def test_labels_that_are_in_neither_are_equal() -> None:
    inhibitor = Inhibitor((Inhibition(["kind=down"], ["kind=stale"], ["exchange"]),))
    inhibitor.add(alert("down", "x"))

    assert inhibitor.inhibiting(alert("stale", "a")) is not None


def test_one_of_two_sources_is_enough() -> None:
    inhibitor = Inhibitor((Inhibition(["kind=down"], ["kind=stale"]),))
    one, two = alert("down", "x", 1), alert("down", "y", 2)
    inhibitor.add(one)
    inhibitor.add(two)

    assert inhibitor.remove(one)
    assert inhibitor.inhibiting(alert("stale", "a")) == two.id


@pytest.mark.parametrize(
    ("path", "is_inhibited"),
    [("/bot/feeds/btc", True), ("/bot/feeds", True), ("/bot/feedsx", False), ("/bot", False), ("", False)],
)
def test_what_is_at_or_below_a_path_is_inhibited(path: str, is_inhibited: bool) -> None:
    inhibitor = Inhibitor((Inhibition(["kind=gave_up"], ["kind!=gave_up"], below=True),))
    inhibitor.add(alert("gave_up", "x", path="/bot/feeds"))

    assert (inhibitor.inhibiting(alert("stale", "a", path=path)) is not None) is is_inhibited


def test_a_source_without_a_path_has_nothing_below_it() -> None:
    inhibitor = Inhibitor((Inhibition(["kind=gave_up"], ["kind!=gave_up"], below=True),))

    assert not inhibitor.add(alert("gave_up", "x"))
    assert not inhibitor.remove(alert("gave_up", "x"))


def test_two_alerts_never_hide_each_other() -> None:
    """Source: Alertmanager, `inhibit_rule`: what both sides mean is not inhibited by its like, nor by itself."""
    inhibitor = Inhibitor((Inhibition(["kind=~a|b"], ["kind=~a|c"]),))
    one, two, other = alert("a", "1", 1), alert("a", "2", 2), alert("b", "3", 3)
    inhibitor.add(one)
    inhibitor.add(two)

    assert (inhibitor.inhibiting(one), inhibitor.inhibiting(two)) == (None, None)
    inhibitor.add(other)
    assert inhibitor.inhibiting(one) == other.id


def test_an_alert_does_not_inhibit_itself() -> None:
    rules = (Inhibition(["kind=a"], ["kind=a", "target=x"]),)
    inhibitor = Inhibitor(rules)
    mine = alert("a", "x")
    inhibitor.add(mine)

    assert inhibitor.inhibiting(mine) is None


@pytest.mark.parametrize(
    ("source", "target", "is_inhibited"),
    [
        (("exchange_down", {}), ("feed_stale", {"connection": "websocket"}), True),
        (("exchange_down", {}), ("service_status", {"connection": "database"}), False),
        (("exchange_down", {"exchange": "a"}), ("feed_stale", {"connection": "websocket", "exchange": "b"}), False),
        (("breaker_open", {}), ("feed_stale", {"connection": "websocket"}), False),  # of what is not said
        (("breaker_open", {"exchange": "a"}), ("feed_stale", {"connection": "websocket", "exchange": "a"}), True),
        (("service_status", {"connection": "api"}), ("child_parked", {"connection": "balance"}), True),
        (("service_status", {"connection": "database"}), ("feed_stale", {"connection": "websocket"}), False),
    ],
)
def test_an_exchange_that_is_down_is_one_alert_by_default(source: Any, target: Any, is_inhibited: bool) -> None:
    inhibitor = Inhibitor(default_inhibitions())
    inhibitor.add(alert(source[0], "s", 1, labels=source[1]))

    assert (inhibitor.inhibiting(alert(target[0], "t", 2, labels=target[1])) is not None) is is_inhibited


def test_a_parked_child_explains_what_else_is_wrong_with_it() -> None:
    inhibitor = Inhibitor(default_inhibitions())
    inhibitor.add(alert("child_parked", "/bot/a", 1, path="/bot/a"))

    assert inhibitor.inhibiting(alert("recovery_failed", "/bot/a", 2, path="/bot/a")) is not None
    assert inhibitor.inhibiting(alert("recovery_failed", "/bot/b", 3, path="/bot/b")) is None


# -- rates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "period", "times", "too_many"),
    [
        (2, 10, [0, 1, 2], [False, False, True]),
        (2, 10, [0, 5, 9.9], [False, False, True]),
        (2, 10, [0, 5, 10], [False, False, False]),  # one that is a period old does not count
        (1, 60, [0, 0, 100], [False, True, False]),
    ],
)
def test_more_than_so_many_within_the_period_are_too_many(
    limit: int, period: float, times: list[float], too_many: list[bool]
) -> None:
    rates = Rates(limit, period)

    assert [rates.record("a", now) for now in times] == too_many


def test_too_many_end_when_they_are_no_longer_within_the_period() -> None:
    rates = Rates(1, 10)
    assert (rates.next_at(), rates.record("a", 0), rates.record("a", 4)) == (INF, False, True)
    assert (rates.next_at(), rates.ended(9.9), rates.ended(10), rates.ended(11)) == (10, [], ["a"], [])

    assert rates.record("a", 13.9)  # the one at 4 is within the period still
    assert rates.next_at() == 14


def test_keys_are_counted_apart_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_rates, "MOST_KEYS", 2)
    rates = Rates(1, 10)
    for key in "abca":  # b and then c push out what was met longest ago
        assert not rates.record(key, 0.0)

    assert rates.record("a", 0.0)
    assert rates.record("b", 1.0) is False
    assert rates.record("b", 1.0)
    assert not rates.record("c", 2.0), "there is no room beside what somebody was told of"
    assert not rates.record("c", 2.0)
    assert sorted(rates.ended(100.0)) == ["a", "b"]


def test_other_numbers_hold_at_once() -> None:
    rates = Rates(3, 10)
    for now in (0.0, 1.0, 2.0):
        rates.record("a", now)

    rates.adjust(1, 100)
    assert rates.record("a", 3.0)
    rates.adjust(1, 0.5)
    assert rates.ended(3.0) == ["a"]
    rates.adjust(5, 100)
    assert not rates.record("a", 4.0)


@given(st.integers(1, 5), st.floats(0.5, 20), st.lists(st.floats(0, 100), max_size=30).map(sorted))
def test_rates_count_as_a_list_would(limit: int, period: float, times: list[float]) -> None:
    rates = Rates(limit, period)
    for position, now in enumerate(times):
        within = [then for then in times[: position + 1] if then + period > now]
        assert rates.record("a", now) is (len(within) > limit)


# -- cooldown --------------------------------------------------------------------------


def test_a_quiet_time_follows_an_alert_and_what_is_held_comes_after_it() -> None:
    cooldown, key = Cooldown(), ("breaker_open", "binance")
    assert not cooldown.is_quiet(key, 300, 0)
    cooldown.begin(key, 0)

    assert (cooldown.is_quiet(key, 300, 299.9), cooldown.is_quiet(key, 300, 300)) == (True, False)
    assert (cooldown.next_at(300), cooldown.hold(condition(), 10), cooldown.next_at(300)) == (INF, True, 300)
    assert cooldown.due(300, 299) == []
    assert cooldown.due(300, 300) == [(condition(), 10)]
    assert (cooldown.drop(key), cooldown.next_at(300)) == (False, INF)


def test_what_is_over_is_held_no_longer() -> None:
    cooldown, key = Cooldown(), ("breaker_open", "binance")
    cooldown.begin(key, 0)
    cooldown.hold(condition(), 1)

    assert cooldown.drop(key)
    assert cooldown.due(300, 1000) == []


def test_the_memory_of_quiet_times_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_cooldown, "MOST", 2)
    monkeypatch.setattr(alert_cooldown, "MOST_HELD", 1)
    cooldown = Cooldown()
    for name in "abc":
        cooldown.begin(("k", name), 0)

    assert [cooldown.is_quiet(("k", name), 300, 1) for name in "abc"] == [False, True, True]
    assert [cooldown.hold(condition("k", name), 1) for name in "bbc"] == [True, True, False]


# -- options, routes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cooldown": -1}, r"^alerts: cooldown must be >= 0 seconds, got -1$"),
        ({"repeat_interval": 0}, r"^alerts: repeat_interval must be > 0 seconds, got 0$"),
        ({"cap_per_hour": 0}, r"^alerts: cap_per_hour must be >= 1, got 0$"),
    ],
)
def test_numbers_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AlertOptions(**options)


def test_a_route_leads_by_severity_and_labels() -> None:
    route = Route("pager", least="HIGH", only=["kind=~a|alert_delivery"])

    assert route.leads(alert("a"))
    assert not route.leads(alert("b"))
    assert not route.leads(alert("a", severity=Severity.MEDIUM))
    assert route.leads(alert(DELIVERY, "slack"))
    assert not route.leads(alert(DELIVERY, "pager")), "it would not hear that it does not hear"


def test_a_cap_of_a_route_must_be_one() -> None:
    assert Route("a", cap_per_hour=1).cap_per_hour == 1
    with pytest.raises(ValueError, match=r"^route to a: cap_per_hour must be >= 1, got 0$"):
        Route("a", cap_per_hour=0)


# -- delivery --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "age", "is_final", "retry_after", "wait"),
    [
        (1, 0, False, 0, 5),
        (2, 0, False, 0, 10),
        (5, 0, False, 0, 60),
        (1000, 0, False, 0, 60),
        (1, 0, False, 35, 35),
        (1, 0, True, 0, None),
        (1, 3594.9, False, 0, 5),
        (1, 3595, False, 0, None),
        (1, 0, False, 4000, None),
    ],
)
def test_a_receiver_is_waited_for_until_the_notification_is_too_old(
    failures: int, age: float, is_final: bool, retry_after: float, wait: float | None
) -> None:
    assert Patience().wait(failures, age, is_final=is_final, retry_after=retry_after) == wait


def test_the_end_of_what_was_lost_is_pointless() -> None:
    lost, one, two = Lost(), alert("a", "1", 1), alert("a", "2", 2)
    lost.add(note(firing=(one,)))

    assert lost.is_pointless(note(resolved=(one,)))
    assert not lost.is_pointless(note(resolved=(one, two)))
    assert not lost.is_pointless(note(firing=(two,), resolved=(one,)))
    assert not lost.is_pointless(note())
    lost.came(note(firing=(one,)))
    assert not lost.is_pointless(note(resolved=(one,)))


def test_the_memory_of_what_was_lost_is_bounded() -> None:
    lost = Lost()
    many = tuple(alert("a", str(number), number) for number in range(MOST_LOST + 1))
    lost.add(note(firing=many))

    assert not lost.is_pointless(note(resolved=many[:1]))
    assert lost.is_pointless(note(resolved=many[1:]))
