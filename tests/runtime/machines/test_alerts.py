"""Alerts: from what is wrong to what each receiver is told, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from duenna.machines import alert_group, alerts
from duenna.machines.alert_inhibition import Inhibition
from duenna.machines.alert_matchers import matchers
from duenna.machines.alert_options import AlertOptions, Route
from duenna.machines.alert_outbox import HOUR
from duenna.machines.alert_words import Cleared, Condition, Notification, Reason
from duenna.machines.alerts import Alerts, Ended, Raised
from duenna.machines.classification import Severity

if TYPE_CHECKING:
    import pytest

INF = float("inf")


class Bench:
    """Alerts, and what came of them, told shortly: `(time, what, ...)`."""

    def __init__(self, *routes: Route, **options: Any) -> None:
        self.alerts = Alerts.of(AlertOptions(**options), routes or (Route("r"),))
        self.now = 0.0
        self.outcomes: list[tuple[float, Any]] = []

    def at(self, now: float) -> None:
        """Let time pass until *now*, doing what is due when it is."""
        while self.alerts.next_at() <= now:
            self.now = max(self.now, self.alerts.next_at())
            self._take(self.alerts.tick(self.now))
        self.now = now

    def met(self, now: float, target: str = "x", kind: str = "k", **fields: Any) -> None:
        self.at(now)
        given: dict[str, Any] = {"severity": Severity.HIGH, "summary": "s"} | fields
        self._take(self.alerts.apply(Condition(kind=kind, target=target, **given), now))

    def over(self, now: float, target: str = "x", kind: str = "k") -> None:
        self.at(now)
        self._take(self.alerts.apply(Cleared(kind=kind, target=target), now))

    def _take(self, outcomes: Any) -> None:
        self.outcomes.extend((self.now, outcome) for outcome in outcomes)

    def notes(self, receiver: str = "r") -> list[tuple[float, str, str, str]]:
        """Return what a receiver was told: time, reason, targets that fire, targets that are over."""
        return [
            (now, str(note.reason), targets(note.firing), targets(note.resolved))
            for now, note in self.outcomes
            if isinstance(note, Notification) and note.receiver == receiver
        ]

    def events(self) -> list[tuple[float, str, str]]:
        """Return the events: time, `raised` or `ended`, target."""
        return [
            (now, type(outcome).__name__.lower(), outcome.alert.target)
            for now, outcome in self.outcomes
            if not isinstance(outcome, Notification)
        ]


def targets(listed: Any) -> str:
    return " ".join(alert.target for alert in listed)


# -- one alert -------------------------------------------------------------------------


def test_an_alert_is_told_after_the_groups_wait_and_its_end_at_once() -> None:
    bench = Bench()
    bench.met(0)
    assert bench.alerts.next_at() == 10
    bench.over(130)

    assert bench.notes() == [(10, "firing", "x", ""), (130, "resolved", "", "x")]
    assert bench.events() == [(10, "raised", "x"), (130, "ended", "x")]
    assert bench.outcomes[-1][1].resolved[0].duration == 130
    assert bench.alerts.next_at() == INF


def test_a_critical_one_waits_for_nobody() -> None:
    bench = Bench()
    bench.met(5, severity=Severity.CRITICAL)

    assert bench.notes() == [(5, "firing", "x", "")]


def test_one_that_comes_and_goes_within_the_wait_is_told_once() -> None:
    bench = Bench()
    bench.met(0)
    bench.over(3)
    bench.at(100)

    assert bench.notes() == [(10, "resolved", "", "x")]
    assert bench.outcomes[-1][1].brief == (bench.outcomes[0][1].alert.id,)
    assert bench.events() == [(10, "raised", "x"), (10, "ended", "x")]


def test_a_condition_that_is_met_again_is_counted_and_not_told() -> None:
    bench = Bench()
    for now in range(100):
        bench.met(now)

    assert len(bench.notes()) == 1
    (state,) = bench.alerts.states(99)
    assert (state.alert.count, state.alert.last, state.is_waiting) == (100, 99, False)


def test_what_was_never_wrong_is_not_over() -> None:
    bench = Bench()
    bench.over(0)

    assert bench.outcomes == []


def test_a_condition_that_expires_is_over_when_it_is_not_met_again() -> None:
    bench = Bench(resolve_after=60)
    bench.met(0, expires=True)
    bench.met(50, expires=True)
    bench.at(200)

    assert bench.notes() == [(10, "firing", "x", ""), (110, "resolved", "", "x")]


def test_one_that_holds_after_all_does_not_expire() -> None:
    bench = Bench(resolve_after=60)
    bench.met(0, expires=True)
    bench.met(1)
    bench.met(2, expires=True)
    bench.at(1000)

    assert bench.events() == [(10, "raised", "x")]


def test_one_that_gets_worse_is_told_again() -> None:
    bench = Bench()
    bench.met(0, severity=Severity.LOW)
    bench.met(20, severity=Severity.MEDIUM)
    bench.met(21, severity=Severity.LOW)
    bench.met(330, severity=Severity.CRITICAL)

    assert bench.notes() == [(10, "firing", "x", ""), (310, "firing", "x", ""), (330, "firing", "x", "")]
    assert [note.severity for _, note in bench.outcomes if isinstance(note, Notification)] == [
        Severity.LOW,
        Severity.MEDIUM,
        Severity.CRITICAL,
    ]


def test_one_that_gets_critical_while_it_waits_is_told_at_once() -> None:
    bench = Bench()
    bench.met(0, severity=Severity.LOW)
    bench.met(1, severity=Severity.MEDIUM)
    bench.met(2, severity=Severity.CRITICAL)

    assert bench.notes() == [(2, "firing", "x", "")]


def test_what_fires_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "MOST", 2)
    bench = Bench()
    for target in "abc":
        bench.met(0, target)
    bench.at(10)

    assert bench.notes() == [(10, "firing", "a b", "")]
    assert bench.alerts.suppressed["overflow"] == 1


# -- cooldown --------------------------------------------------------------------------


def test_within_the_cooldown_there_is_no_second_alert() -> None:
    """Five minutes for each kind and target, from the beginning of the last one."""
    bench = Bench(group_wait=0)
    bench.met(0)
    bench.over(10)
    for now in (20, 120, 220):
        bench.met(now)
        bench.over(now + 5)
    bench.met(299)
    bench.over(299.5)
    bench.met(300)

    assert bench.notes() == [(0, "firing", "x", ""), (10, "resolved", "", "x"), (300, "firing", "x", "")]
    assert bench.alerts.suppressed["cooldown"] == 4


def test_what_still_holds_at_the_end_of_the_cooldown_is_told_then() -> None:
    bench = Bench(group_wait=0)
    bench.met(0)
    bench.over(10)
    bench.met(20)
    bench.at(400)

    assert bench.notes()[2:] == [(300, "firing", "x", "")]


def test_what_expired_in_the_cooldown_is_not() -> None:
    bench = Bench(group_wait=0, resolve_after=30)
    bench.met(0, expires=True)
    bench.met(100, expires=True)
    bench.at(400)
    assert len(bench.notes()) == 2
    assert bench.alerts.suppressed["cooldown"] == 1

    bench.met(500, "y", expires=True)
    bench.met(790, "y", expires=True)  # over by then, and met again: it holds at 800
    bench.at(1000)
    assert bench.notes()[2:] == [
        (500, "firing", "y", ""),
        (530, "resolved", "", "y"),
        (800, "firing", "y", ""),
        (830, "resolved", "", "y"),
    ]


def test_other_targets_have_a_cooldown_of_their_own() -> None:
    bench = Bench(group_wait=0, group_by=("target",))
    for target in "ab":
        bench.met(0, target)
        bench.over(1, target) if target == "b" else None

    assert bench.notes()[:2] == [(0, "firing", "a", ""), (0, "firing", "b", "")]


def test_without_a_cooldown_every_alert_is_one() -> None:
    bench = Bench(group_wait=0, cooldown=0)
    for now in range(3):
        bench.met(now)
        bench.over(now + 0.5)

    assert len(bench.notes()) == 6


def test_what_waits_for_the_cooldown_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duenna.machines.alert_cooldown.MOST_HELD", 1)
    bench = Bench(group_wait=0)
    for target in "ab":
        bench.met(0, target)
        bench.over(1, target)
        bench.met(2, target)

    assert bench.alerts.suppressed["cooldown"] == 1


# -- groups ----------------------------------------------------------------------------


def test_alerts_of_a_kind_are_one_message() -> None:
    bench = Bench()
    for number in range(5):
        bench.met(number, f"feed{number}", "feed_stale")
    bench.met(3, "binance", "breaker_open")
    bench.at(100)

    assert bench.notes() == [
        (10, "firing", "feed0 feed1 feed2 feed3 feed4", ""),
        (13, "firing", "binance", ""),
    ]


def test_news_of_a_group_are_collected_for_its_interval() -> None:
    bench = Bench()
    bench.met(0, "a")
    bench.met(20, "b")
    bench.over(100, "a")
    bench.at(309)
    assert bench.notes() == [(10, "firing", "a", "")]
    bench.at(310)

    assert bench.notes()[1:] == [(310, "firing", "b", "a")]
    assert bench.events()[1:] == [(30, "raised", "b"), (100, "ended", "a")]


def test_an_update_says_what_still_fires() -> None:
    bench = Bench()
    for target in "ab":
        bench.met(0, target)
    bench.over(20, "a")
    bench.at(400)

    assert bench.notes()[1:] == [(310, "updated", "b", "a")]


def test_when_nothing_fires_any_more_that_is_told_at_once() -> None:
    bench = Bench()
    for target in "ab":
        bench.met(0, target)
    bench.over(20, "a")
    bench.over(21, "b")

    assert bench.notes()[1:] == [(21, "resolved", "", "a b")]


def test_without_news_it_is_told_again_after_the_repeat_interval() -> None:
    bench = Bench()
    bench.met(0)
    bench.at(30_000)

    assert bench.notes() == [(10, "firing", "x", ""), (14_410, "repeated", "x", ""), (28_810, "repeated", "x", "")]


def test_a_group_waits_for_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_group, "MOST", 3)
    bench = Bench(cooldown=0)
    for number in range(3):
        bench.met(number, str(number))
    assert bench.notes() == [(2, "firing", "0 1 2", "")]

    for number in range(3, 5):  # as members too
        bench.met(20, str(number))
    bench.at(40)
    assert bench.notes()[1:] == [(30, "firing", "0 1 2 3 4", "")]


# -- inhibition and silences -----------------------------------------------------------


def feeds(bench: Bench, now: float, count: int = 3) -> None:
    for number in range(count):
        bench.met(now, f"feed{number}", "feed_stale", labels={"connection": "websocket"})


def down(bench: Bench, now: float, **fields: Any) -> None:
    bench.met(now, "exchange", "exchange_down", severity=Severity.CRITICAL, **fields)


def test_the_exchange_is_down_is_one_alert_whichever_came_first() -> None:
    for order in (0, 5):
        bench = Bench()
        down(bench, order) if order == 0 else feeds(bench, 0)
        feeds(bench, 5) if order == 0 else down(bench, 5)
        bench.at(1000)

        assert bench.notes() == [(order, "firing", "exchange", "")]
        assert bench.alerts.suppressed["inhibited"] == 3
        assert [state.inhibited_by is not None for state in bench.alerts.states(1000)].count(True) == 3


def test_what_is_over_with_the_exchange_is_never_told() -> None:
    bench = Bench()
    down(bench, 0)
    feeds(bench, 1)
    bench.over(100, "exchange", "exchange_down")
    for number in range(2):
        bench.over(105, f"feed{number}", "feed_stale")
    bench.at(500)

    assert bench.notes() == [
        (0, "firing", "exchange", ""),
        (100, "resolved", "", "exchange"),
        (110, "firing", "feed2", ""),  # the one that did not come back
    ]
    assert bench.events()[2:] == [(110, "raised", "feed2")]


def test_what_ends_while_it_is_inhibited_leaves_no_trace() -> None:
    bench = Bench()
    down(bench, 0)
    feeds(bench, 1, 1)
    bench.over(2, "feed0", "feed_stale")
    bench.over(50, "exchange", "exchange_down")
    bench.at(100)

    assert bench.notes() == [(0, "firing", "exchange", ""), (50, "resolved", "", "exchange")]


def test_one_that_was_held_begins_its_quiet_time_when_it_is_told() -> None:
    """Nobody had heard of it before: two in a row would be one too many."""
    bench = Bench()
    down(bench, 0)
    feeds(bench, 1, 1)
    bench.over(300, "exchange", "exchange_down")
    bench.at(320)
    bench.over(330, "feed0", "feed_stale")
    bench.met(340, "feed0", "feed_stale")
    bench.at(700)

    assert [event for event in bench.events() if event[2] == "feed0"] == [
        (310, "raised", "feed0"),
        (330, "ended", "feed0"),
        (620, "raised", "feed0"),
    ]


def test_what_was_told_before_it_was_inhibited_has_its_end_told() -> None:
    bench = Bench()
    feeds(bench, 0, 1)
    down(bench, 20)
    bench.over(400, "feed0", "feed_stale")

    assert bench.notes()[-1] == (400, "resolved", "", "feed0")


def test_an_inhibited_alert_is_not_repeated() -> None:
    bench = Bench(repeat_interval=1000, inhibitions=[Inhibition(["kind=a"], ["kind=b"])])
    bench.met(0, "t", "b")
    bench.met(20, "s", "a")
    bench.at(1500)

    assert [note[2] for note in bench.notes()] == ["t", "s", "s"]


def test_an_alert_that_begins_to_inhibit_by_its_severity_does() -> None:
    bench = Bench(inhibitions=[Inhibition(["severity=CRITICAL"], ["severity=LOW"])])
    bench.met(0, "source", "a", severity=Severity.LOW)
    bench.met(0, "target", "b", severity=Severity.LOW)
    bench.met(5, "source", "a", severity=Severity.CRITICAL)
    bench.at(100)

    assert bench.notes() == [(5, "firing", "source", "")]


def test_one_that_is_held_and_gets_worse_is_still_held() -> None:
    bench = Bench()
    down(bench, 0)
    feeds(bench, 1, 1)
    bench.met(20, "feed0", "feed_stale", severity=Severity.CRITICAL, labels={"connection": "websocket"})

    assert bench.notes() == [(0, "firing", "exchange", "")]


def test_a_new_alert_of_a_group_with_a_held_one_is_told() -> None:
    bench = Bench()
    down(bench, 0)
    feeds(bench, 1, 1)
    bench.met(2, "other", "feed_stale")
    bench.at(100)

    assert bench.notes() == [(0, "firing", "exchange", ""), (12, "firing", "other", "")]


def test_a_silence_hides_alerts_until_it_ends() -> None:
    bench = Bench()
    bench.alerts.silence(matchers("kind=k"), 100, 0, author="me", comment="deploy")
    bench.met(1)
    bench.met(2, "y", "other")
    bench.at(200)

    assert bench.notes() == [(12, "firing", "y", ""), (110, "firing", "x", "")]
    assert bench.alerts.suppressed["silenced"] == 1
    assert bench.alerts.silences(99) == ()


def test_a_silence_that_comes_while_an_alert_waits_hides_it() -> None:
    bench = Bench()
    bench.met(0)
    made = bench.alerts.silence(matchers("kind=k"), 100, 5, author="me", comment="")
    bench.at(50)
    assert (bench.notes(), bench.alerts.silences(50)) == ([], (made,))
    assert bench.alerts.states(50)[0].silenced_by == made.id

    was_there, outcomes = bench.alerts.unsilence(made.id, 50)
    assert (was_there, outcomes, bench.alerts.unsilence(made.id, 50)[0]) == (True, [], False)
    bench.at(100)
    assert bench.notes() == [(60, "firing", "x", "")]


def test_one_that_ended_while_it_waited_and_is_silenced_is_forgotten() -> None:
    bench = Bench()
    bench.met(0)
    bench.over(1)
    bench.alerts.silence(matchers("kind=k"), 100, 5, author="me", comment="")
    bench.at(50)

    assert bench.outcomes == []


def test_the_end_of_what_was_told_is_told_though_it_is_silenced() -> None:
    bench = Bench()
    bench.met(0)
    bench.at(20)
    bench.alerts.silence(matchers("kind=k"), 1000, 20, author="me", comment="")
    bench.over(100)

    assert bench.notes() == [(10, "firing", "x", ""), (100, "resolved", "", "x")]


def test_what_was_raised_and_silenced_before_it_was_told_is_told_when_the_silence_ends() -> None:
    bench = Bench()
    bench.met(0, "a")
    bench.met(20, "b")  # raised at 30, its message is due at 310
    bench.at(40)
    bench.alerts.silence(matchers("target=b"), 600, 40, author="me", comment="")
    bench.alerts.silence(matchers("target=a"), 1000, 40, author="me", comment="")
    bench.at(5000)

    assert bench.notes() == [(10, "firing", "a", ""), (640, "firing", "b", "")]


def test_the_end_of_what_was_raised_and_silenced_before_it_was_told_is_not() -> None:
    bench = Bench()
    bench.met(0, "a")
    bench.met(20, "b")  # raised at 30, its message is due at 310
    bench.at(40)
    bench.alerts.silence(matchers("target=b"), 1000, 40, author="me", comment="")
    bench.over(50, "b")
    bench.over(400, "a")

    assert bench.notes() == [(10, "firing", "a", ""), (400, "resolved", "", "a")]


# -- receivers, cap --------------------------------------------------------------------


def test_each_receiver_is_told_what_is_for_it() -> None:
    pager = Route("pager", least="CRITICAL")
    bench = Bench(Route("log"), pager)
    bench.met(0, "a")
    bench.met(0, "b", severity=Severity.CRITICAL)
    bench.over(50, "a")
    bench.over(51, "b")

    assert bench.notes("pager") == [(0, "firing", "b", ""), (51, "resolved", "", "b")]
    assert bench.notes("log") == [(0, "firing", "a b", ""), (51, "resolved", "", "a b")]


def storm(bench: Bench, count: int, begin: float = 0, apart: float = 1) -> None:
    for number in range(count):
        bench.met(begin + number * apart, f"t{number}", f"k{number}")


def test_a_receiver_gets_so_many_messages_an_hour_and_the_number_of_the_rest() -> None:
    bench = Bench(group_wait=0, cap_per_hour=3)
    storm(bench, 10)
    bench.at(HOUR - 1)
    assert len(bench.notes()) == 3
    bench.at(HOUR)

    assert bench.notes()[3] == (HOUR, "summary", "t3 t4 t5 t6 t7 t8 t9", "")
    assert [note.suppressed for _, note in bench.outcomes if isinstance(note, Notification)] == [0, 0, 0, 7]
    assert bench.alerts.capped() == {"r": 7}


def test_the_end_of_what_was_told_passes_the_cap_and_of_what_was_not_never_comes() -> None:
    bench = Bench(group_wait=0, cap_per_hour=2)
    storm(bench, 4)
    for number in range(4):
        bench.over(100 + number, f"t{number}", f"k{number}")
    bench.at(HOUR * 2)

    assert bench.notes()[2:] == [
        (100, "resolved", "", "t0"),
        (101, "resolved", "", "t1"),
        (HOUR, "summary", "", ""),
    ]


def test_what_came_and_went_is_held_back_too() -> None:
    bench = Bench(group_wait=5, cap_per_hour=1)
    storm(bench, 1)
    bench.met(10, "a", "ka")
    bench.over(11, "a", "ka")
    bench.at(HOUR * 2)

    assert bench.notes()[1:] == [(HOUR + 5, "summary", "", "")]
    assert bench.alerts.capped() == {"r": 1}


def test_a_message_that_finds_room_says_what_was_held_back() -> None:
    bench = Bench(group_wait=0, cap_per_hour=2, group_interval=50)
    bench.met(0, "a")
    bench.met(HOUR - 100, "b", "other")
    bench.met(HOUR - 50, "c", "third")
    bench.met(HOUR, "d", "fourth")

    assert bench.notes()[2:] == [(HOUR, "summary", "c", "")]  # at 3600 the first one's hour is over
    bench.at(2 * HOUR)
    assert bench.notes()[3:] == [(2 * HOUR - 100, "summary", "d", "")]


def test_a_repeat_beyond_the_cap_is_left_out() -> None:
    bench = Bench(group_wait=0, cap_per_hour=1, repeat_interval=600)
    bench.met(0)
    bench.at(HOUR)

    assert bench.notes() == [(0, "firing", "x", ""), (HOUR, "repeated", "x", "")]


def test_one_that_gets_worse_beyond_the_cap_is_in_the_summary() -> None:
    bench = Bench(group_wait=0, cap_per_hour=1)
    bench.met(0, severity=Severity.LOW)
    bench.met(10, severity=Severity.CRITICAL)
    bench.met(20, severity=Severity.CRITICAL)
    bench.at(2 * HOUR)
    bench.over(2 * HOUR + 1)

    assert bench.notes() == [(0, "firing", "x", ""), (HOUR, "summary", "x", ""), (2 * HOUR + 1, "resolved", "", "x")]
    assert bench.alerts.capped() == {"r": 1}


def test_a_group_beyond_the_cap_is_told_with_its_next_news() -> None:
    """Of a group that was held back, a later message has all that fires; nobody is told of it twice as new."""
    bench = Bench(group_wait=0, cap_per_hour=1, group_interval=10)
    bench.met(0, "a")
    bench.met(20, "b")
    bench.met(40, "c")
    bench.at(HOUR)

    assert bench.notes() == [(0, "firing", "a", ""), (HOUR, "summary", "b c", "")]
    assert bench.alerts.capped() == {"r": 2}


def test_a_receiver_may_have_a_cap_of_its_own() -> None:
    bench = Bench(Route("r"), Route("few", cap_per_hour=1), group_wait=0)
    storm(bench, 3)

    assert (len(bench.notes("r")), len(bench.notes("few"))) == (3, 1)


def test_the_summary_leaves_out_what_is_silenced() -> None:
    bench = Bench(group_wait=0, cap_per_hour=1)
    storm(bench, 3)
    bench.alerts.silence(matchers("target=t1"), 2 * HOUR, 10, author="me", comment="")
    bench.at(HOUR)

    assert bench.notes()[1:] == [(HOUR, "summary", "t2", "")]


# -- by hand ---------------------------------------------------------------------------


def test_a_flush_tells_at_once_what_waits() -> None:
    bench = Bench()
    bench.met(0, "a")
    bench.met(0, "b", "other")
    bench._take(bench.alerts.flush(1))

    assert [note[1:3] for note in bench.notes()] == [("firing", "a"), ("firing", "b")]
    assert bench.alerts.flush(2) == []


def test_a_test_goes_to_every_receiver_and_counts_nowhere() -> None:
    bench = Bench(Route("a"), Route("b"))
    notes = bench.alerts.test("hello", 5)

    assert [(note.receiver, note.reason) for note in notes if isinstance(note, Notification)] == [
        ("a", Reason.TEST),
        ("b", Reason.TEST),
    ]
    assert bench.alerts.states(5) == ()


def test_other_options_hold_at_once() -> None:
    bench = Bench()
    bench.met(0)
    bench.at(5)
    bench._take(bench.alerts.adjust(AlertOptions(group_wait=2), 5))
    assert bench.notes() == [(0.0 + 5, "firing", "x", "")]

    inhibitions = (Inhibition(["kind=k"], ["kind=other"]),)
    bench._take(bench.alerts.adjust(attrs.evolve(bench.alerts.options, inhibitions=inhibitions), 6))
    bench.met(7, "y", "other")
    bench.at(20)
    assert len(bench.notes()) == 1
    bench._take(bench.alerts.adjust(attrs.evolve(bench.alerts.options, inhibitions=()), 20))
    bench.at(22)
    assert bench.notes()[1:] == [(22, "firing", "y", "")]


# -- whatever happens ------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.floats(0, 400),
        st.sampled_from("abcd"),
        st.sampled_from(["met", "met", "expires", "critical", "over", "silence"]),
    ),
    max_size=40,
)
numbers = st.fixed_dictionaries(
    {
        "cooldown": st.sampled_from([0.0, 60.0, 300.0]),
        "group_wait": st.sampled_from([0.0, 10.0]),
        "group_interval": st.sampled_from([0.0, 100.0]),
        "cap_per_hour": st.integers(1, 4),
        "group_by": st.sampled_from([("kind",), ("target",), ()]),
    }
)


@hypothesis_settings(max_examples=200)
@given(steps, numbers)
def test_every_beginning_has_one_end_and_no_end_is_without_beginning(steps: Any, numbers: Any) -> None:
    """For events and for each receiver; and no receiver gets more beginnings an hour than its cap."""
    inhibitions = [Inhibition(["target=a"], ["target=b"])]
    bench = Bench(inhibitions=inhibitions, **numbers)
    now = 0.0
    for pause, target, what in steps:
        now += pause
        if what == "over":
            bench.over(now, target, target)
        elif what == "silence":
            bench.at(now)
            bench.alerts.silence(matchers(f"target={target}"), 200, now, author="me", comment="")
        else:
            severity = Severity.CRITICAL if what == "critical" else Severity.LOW
            bench.met(now, target, target, expires=what == "expires", severity=severity)
    for target in "abcd":
        bench.over(now + 1000, target, target)
    bench.at(now + 1000 + 3 * HOUR)

    assert bench.alerts.next_at() == INF
    assert bench.alerts.states(bench.now) == ()
    raised = [outcome.alert.id for _, outcome in bench.outcomes if isinstance(outcome, Raised)]
    ended = [outcome.alert.id for _, outcome in bench.outcomes if isinstance(outcome, Ended)]
    assert sorted(raised) == sorted(set(raised)) == sorted(ended)
    told: set[str] = set()
    beginnings: list[float] = []
    for time, note in bench.outcomes:
        if isinstance(note, Notification):
            over = {alert.id for alert in note.resolved}
            assert over - set(note.brief) <= told
            assert not told & set(note.brief)
            told |= {alert.id for alert in note.firing}
            told -= over
            if note.reason not in {Reason.RESOLVED, Reason.UPDATED} or note.brief:
                beginnings.append(time)
    assert not told
    cap = numbers["cap_per_hour"]
    assert all(first + HOUR <= later for first, later in zip(beginnings, beginnings[cap:], strict=False))
