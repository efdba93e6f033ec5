"""Alerts in more than one process: nobody is told twice, everybody is told the end, and silences last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines import lasting_alerts
from duenna.machines.alert_inhibition import Inhibition
from duenna.machines.alert_matchers import matchers
from duenna.machines.alert_memory import AlertsMemory
from duenna.machines.alert_options import AlertOptions, Route
from duenna.machines.alert_words import Cleared, Condition, Notification
from duenna.machines.classification import Severity
from duenna.machines.lasting_alerts import LastingAlerts

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

AHEAD = 1_772_366_400.0  # of the clock on which it is stored, in the first process
LATER = 1_772_366_400.0  # the second process's clock begins at 0, too
OURS = frozenset({"ours"})


class Bench:
    """A process, and what it tells."""

    def __init__(self, *routes: Route, **options: Any) -> None:
        self.alerts = LastingAlerts.of(AlertOptions(**({"group_wait": 0.0} | options)), routes or (Route("r"),))
        self.told: list[tuple[float, str, str, str, str]] = []
        self.notes: list[Notification] = []
        self.now = 0.0

    def at(self, now: float) -> Bench:
        while self.alerts.next_at() <= now:
            self.now = max(self.now, self.alerts.next_at())
            self.take(self.alerts.tick(self.now))
        self.now = now
        return self

    def met(self, now: float, target: str = "x", kind: str = "k", **fields: Any) -> Bench:
        self.at(now)
        given_: dict[str, Any] = {"severity": Severity.HIGH, "summary": "s"} | fields
        self.take(self.alerts.apply(Condition(kind=kind, target=target, **given_), now))
        return self.at(now)

    def over(self, now: float, target: str = "x", kind: str = "k") -> Bench:
        self.at(now)
        self.take(self.alerts.apply(Cleared(kind=kind, target=target), now))
        return self.at(now)

    def take(self, outcomes: Iterable[Any]) -> None:
        for note in outcomes:
            if isinstance(note, Notification):
                self.notes.append(note)
                firing, resolved = (" ".join(each.target for each in listed) for listed in (note.firing, note.resolved))
                self.told.append((self.now, note.receiver, str(note.reason), firing, resolved))

    def dies(self, now: float, *doubtful: Notification) -> AlertsMemory:
        """End at *now*; return what comes out of the store."""
        self.at(now)
        stored = self.alerts.dump(now, AHEAD, doubtful)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=AlertsMemory)

    def lives(self, memory: AlertsMemory, began: float) -> Bench:
        """Begin *began* seconds after the first process began; the clock is at 0 then."""
        self.alerts.load(memory, 0.0, AHEAD + began, OURS)
        return self.at(0.0)


def again(first: Bench, died: float, began: float, *doubtful: Notification, **options: Any) -> Bench:
    routes = tuple(box.route for box in first.alerts._outboxes)
    return Bench(*routes, **options).lives(first.dies(died, *doubtful), began)


# -- what fires -------------------------------------------------------------------------


def test_what_was_told_is_not_told_again_and_its_end_is() -> None:
    second = again(Bench().met(0), 10, 60)
    second.met(5).at(100)
    assert second.told == []

    second.over(100)

    assert second.told == [(100, "r", "resolved", "", "x")]
    assert second.notes[0].resolved[0].since == -60
    assert second.notes[0].resolved[0].duration == 160


def test_it_is_the_same_alert_and_the_next_has_another_number() -> None:
    first = Bench().met(0)
    second = again(first, 10, 60).over(5).met(400, "y")

    (told,), (over,), (new,) = first.notes[0].firing, second.notes[0].resolved, second.notes[1].firing
    assert told.id == over.id
    assert new.id.endswith("-2")
    assert [note.number for note in (*first.notes, *second.notes)] == [1, 2, 3]


def test_it_is_repeated_when_that_was_due() -> None:
    second = again(Bench(repeat_interval=1000.0).met(0), 10, 60, repeat_interval=1000.0).met(5).at(939)
    assert second.told == []

    assert second.at(940).told == [(940, "r", "repeated", "x", "")]


def test_the_quiet_time_goes_on() -> None:
    """What was over before, and happens again, is kept back until its end."""
    first = Bench().met(0).over(5)
    second = again(first, 10, 60).met(10).at(239)
    assert second.told == []

    assert second.at(240).told == [(240, "r", "firing", "x", "")]


def test_quiet_times_that_are_over_are_not_stored() -> None:
    assert [each.target for each in Bench().met(0).met(100, "y").dies(301).quiet] == ["y"]


def test_what_is_not_noticed_again_has_ended() -> None:
    """An alert that this process would notice by itself counts as met at its beginning."""
    second = again(Bench().met(0, kind="ours"), 10, 60).at(299)
    assert second.told == []

    assert second.at(300).told == [(300, "r", "resolved", "", "x")]


def test_what_is_noticed_again_holds_until_it_is_cleared() -> None:
    second = again(Bench().met(0, kind="ours"), 10, 60).met(50, kind="ours").at(10_000)
    assert second.told == []

    assert second.over(10_000, kind="ours").told == [(10_000, "r", "resolved", "", "x")]


def test_an_alert_of_the_bots_own_holds_until_the_bot_says_otherwise() -> None:
    second = again(Bench().met(0), 10, 60).at(14_000)

    assert second.told == []
    assert [state.alert.target for state in second.alerts.states(14_000)] == ["x"]


def test_what_ends_by_itself_ends_when_it_would_have() -> None:
    first = Bench().met(0, expires=True)

    assert again(first, 10, 60).at(1000).told == [(240, "r", "resolved", "", "x")]


def test_what_ended_while_there_was_no_process_is_told_at_once() -> None:
    assert again(Bench().met(0, expires=True), 10, 1000).told == [(0, "r", "resolved", "", "x")]


def test_a_wall_clock_that_was_set_back_makes_nothing_from_the_future() -> None:
    second = again(Bench().met(0, expires=True), 10, -1_000_000)
    (state,) = second.alerts.states(0)
    assert (state.alert.since, state.alert.last) == (0, 0)

    assert second.at(300).told == [(300, "r", "resolved", "", "x")]
    second.met(301)
    assert second.told[-1] == (301, "r", "firing", "x", "")


def test_one_that_is_worse_than_was_told_is_told() -> None:
    """It got worse just before the end, and the group was waiting to say so."""
    first = Bench().met(0, "x").met(1, "y", severity=Severity.LOW).met(2, "y", severity=Severity.MEDIUM)

    second = again(first, 3, 60)

    assert second.told == [(0, "r", "firing", "x y", "")]


# -- what is not told yet ---------------------------------------------------------------


def test_what_waits_for_its_group_waits_again() -> None:
    first = Bench(group_wait=10.0).met(0)
    assert first.told == []

    assert again(first, 5, 60, group_wait=10.0).at(10).told == [(10, "r", "firing", "x", "")]


def test_what_came_and_went_is_told_once() -> None:
    first = Bench(group_wait=10.0).met(0).over(2)

    second = again(first, 5, 60, group_wait=10.0).at(10)

    assert second.told == [(10, "r", "resolved", "", "x")]
    assert second.notes[0].brief == (second.notes[0].resolved[0].id,)


def test_an_end_that_waited_for_its_groups_interval_is_told_at_once() -> None:
    first = Bench(group_wait=5.0).met(0, "x").met(0, "y").over(10, "x").at(20)
    assert [told[2] for told in first.told] == ["firing"]

    assert again(first, 20, 60).told == [(0, "r", "updated", "y", "x")]


def test_what_an_alert_inhibits_stays_held() -> None:
    options = {"inhibitions": [Inhibition(["kind=big"], ["kind=small"])]}
    first = Bench(**options).met(0, kind="big").met(1, kind="small", target="y")
    assert [told[3] for told in first.told] == ["x"]

    second = again(first, 2, 60, **options).at(100)
    assert second.told == []

    second.over(100, kind="big").at(101)
    assert [told[3:] for told in second.told] == [("", "x"), ("y", "")]
    assert second.alerts.suppressed["inhibited"] == 1


def test_what_is_held_and_hidden_no_longer_waits_to_be_told() -> None:
    """The silence ended while there was no process."""
    first = Bench()
    first.alerts.silence(matchers(["kind=k"]), 30.0, 0.0, author="me", comment="")
    first.met(1)
    assert first.told == []

    assert again(first, 2, 60).told == [(0, "r", "firing", "x", "")]


# -- silences ---------------------------------------------------------------------------


def test_a_silence_lasts_on() -> None:
    first = Bench()
    made = first.alerts.silence(matchers(["kind=k", 'target!~"a.*"']), 100.0, 10.0, author="me", comment="deploy")

    second = again(first, 20, 60)
    (silence,) = second.alerts.silences(0)
    assert (silence.id, silence.matchers, silence.author, silence.comment) == (made.id, made.matchers, "me", "deploy")
    assert (silence.since, silence.until) == (-50, 50)

    second.met(1).at(49)
    assert second.told == []
    assert second.at(50).told == [(50, "r", "firing", "x", "")]
    assert second.alerts.silence(matchers(["kind=z"]), 1.0, 51.0, author="me", comment="").id == "silence-2"


def test_a_silence_that_is_over_is_gone_and_its_name_is_not_used_again() -> None:
    first = Bench()
    first.alerts.silence(matchers(["kind=k"]), 30.0, 0.0, author="me", comment="")

    second = again(first, 20, 60)

    assert second.alerts.silences(0) == ()
    assert second.alerts.silence(matchers(["kind=k"]), 1.0, 0.0, author="me", comment="").id == "silence-2"


def test_no_wall_clock_makes_a_silence_longer() -> None:
    first = Bench()
    first.alerts.silence(matchers(["kind=k"]), 30.0, 0.0, author="me", comment="")

    (silence,) = again(first, 20, -1_000_000).alerts.silences(0)

    assert (silence.since, silence.until) == (0, 30)


def test_an_alert_that_was_silent_when_it_was_told_to_nobody_is_told_when_it_is_no_longer() -> None:
    first = Bench().met(0)
    first.alerts.silence(matchers(["target=y"]), 1000.0, 1.0, author="me", comment="")
    first.met(2, "y").met(3, "z")

    second = again(first, 400, 500).at(100)
    assert all("y" not in told[3].split() for told in (*first.told, *second.told))

    second.at(600)
    assert second.told[-1][3] == "x z y"


# -- what may not have arrived ----------------------------------------------------------


def test_what_may_not_have_arrived_is_told_again() -> None:
    first = Bench(Route("one"), Route("two")).met(0)
    (lost,) = [note for note in first.notes if note.receiver == "one"]

    second = again(first, 10, 60, lost)

    assert second.told == [(0, "one", "firing", "x", "")]
    assert second.over(5).told[1:] == [(5, "one", "resolved", "", "x"), (5, "two", "resolved", "", "x")]


def test_an_end_that_may_not_have_arrived_is_told_again_to_that_one_alone() -> None:
    first = Bench(Route("one"), Route("two")).met(0).over(5)
    (lost,) = [note for note in first.notes if note.receiver == "one" and note.resolved]

    second = again(first, 10, 60, lost)

    assert second.told == [(0, "one", "resolved", "", "x")]
    assert second.notes[0].brief == ()
    assert second.notes[0].resolved[0].duration == 5
    assert second.alerts.states(0) == ()


def test_if_the_beginning_may_not_have_arrived_either_both_are_told_in_one() -> None:
    first = Bench().met(0).over(5)

    second = again(first, 10, 60, *first.notes)

    assert second.told == [(0, "r", "resolved", "", "x")]
    assert second.notes[0].brief == (second.notes[0].resolved[0].id,)


def test_of_what_came_and_went_in_one_notification_both_are_told_again() -> None:
    first = Bench(group_wait=10.0).met(0).over(2).at(10)

    second = again(first, 11, 60, *first.notes)

    assert second.notes[0].brief == first.notes[0].brief


def test_an_end_that_was_followed_by_a_new_beginning_is_told_too() -> None:
    first = Bench(cooldown=0.0).met(0).over(5)
    lost = first.notes[-1]
    first.met(6)

    second = again(first, 10, 60, lost, cooldown=0.0)

    assert [told[2:] for told in second.told] == [("updated", "x", "x")]


def test_a_test_of_the_receivers_is_not_repeated() -> None:
    first = Bench()
    first.take(first.alerts.test("hello", 0.0))

    assert again(first, 1, 60, *first.notes).told == []


# -- receivers --------------------------------------------------------------------------


def test_what_the_cap_held_back_is_told_when_there_is_room() -> None:
    first = Bench(cap_per_hour=1, group_interval=0.0).met(0, "x").met(10, "y")
    assert [told[3] for told in first.told] == ["x"]

    second = again(first, 20, 60, cap_per_hour=1, group_interval=0.0).at(3539)
    assert second.told == []
    assert second.alerts.capped() == {"r": 1}

    assert second.at(3540).told == [(3540, "r", "summary", "y", "")]
    assert second.notes[0].suppressed == 1


def test_a_receiver_that_is_new_is_told_what_fires() -> None:
    memory = Bench(Route("one")).met(0).dies(10)

    second = Bench(Route("one"), Route("two")).lives(memory, 60)

    assert second.told == [(0, "two", "firing", "x", "")]


def test_a_receiver_is_not_told_what_is_not_for_it() -> None:
    second = again(Bench(Route("r", least=Severity.CRITICAL)).met(0), 10, 60)

    assert second.over(5).told == []


def test_a_receiver_that_is_gone_is_forgotten() -> None:
    memory = Bench(Route("one"), Route("two")).met(0).dies(10)

    second = Bench(Route("one")).lives(memory, 60)

    assert second.over(5).told == [(5, "one", "resolved", "", "x")]


def test_alerts_may_be_grouped_otherwise() -> None:
    memory = Bench(group_wait=5.0, repeat_interval=100.0).met(0, "x").met(0, "y").dies(10)

    second = Bench(group_by=("kind", "target"), repeat_interval=100.0).lives(memory, 60)
    assert second.told == []

    assert second.at(100).told == [(100, "r", "repeated", "x", ""), (100, "r", "repeated", "y", "")]


# -- numbers and bounds -----------------------------------------------------------------


def test_what_was_counted_is_counted_on() -> None:
    first = Bench().met(0).over(1).met(2).over(3)

    second = again(first, 10, 60)

    assert (second.alerts.raised, second.alerts.suppressed["cooldown"]) == (1, 1)


def test_a_condition_of_the_bots_own_that_waits_for_its_quiet_time_waits_on() -> None:
    first = Bench().met(0).over(5).met(6, details="d", labels={"a": "b"})
    first.met(0, "z", kind="ours").over(5, "z", kind="ours").met(6, "z", kind="ours")

    second = again(first, 10, 60).at(300)

    assert second.told == [(240, "r", "firing", "x", "")]
    (alert,) = second.notes[0].firing
    assert (alert.details, alert.labels["a"]) == ("d", "b")


def test_no_more_alerts_fire_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Bench().met(0, "x").met(0, "y").dies(10)
    monkeypatch.setattr(lasting_alerts, "MOST", 1)

    second = Bench().lives(memory, 60)

    assert [state.alert.target for state in second.alerts.states(0)] == ["x"]


def test_one_kind_and_target_has_one_alert() -> None:
    memory = Bench().met(0).dies(10)
    twice = msgspec.structs.replace(memory, alerts=memory.alerts * 2)

    assert len(Bench().lives(twice, 60).alerts.states(0)) == 1


def test_nothing_is_known_of_alerts_of_which_nothing_is_known() -> None:
    memory = Bench().dies(0)

    assert memory == AlertsMemory(
        outboxes={"r": memory.outboxes["r"]},
        suppressed={"cooldown": 0, "inhibited": 0, "silenced": 0, "overflow": 0},
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["met", "over", "wait", "silence", "restart"]),
        st.sampled_from("xyz"),
        st.sampled_from([Severity.LOW, Severity.HIGH, Severity.CRITICAL]),
        st.sampled_from([0.0, 1.0, 5.0, 60.0, 400.0]),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_whenever_it_is_restarted_every_beginning_has_one_end(steps: list[Any]) -> None:
    """Told as firing before it is told as over, each once, whatever the process that does it."""
    bench, began, clock = Bench(cooldown=10.0, group_wait=2.0, group_interval=20.0), 0.0, 0.0
    firing: set[str] = set()
    for what, target, severity, wait in steps:
        clock += wait
        now = clock - began
        if what == "met":
            bench.met(now, target, severity=severity)
        elif what == "over":
            bench.over(now, target)
        elif what == "silence":
            bench.at(now)
            bench.alerts.silence(matchers([f"target={target}"]), 30.0, now, author="me", comment="")
        elif what == "restart":
            memory = bench.dies(now)
            assert msgspec.msgpack.encode(bench.alerts.dump(now, AHEAD)) == msgspec.msgpack.encode(memory)
            check(bench, firing)
            began_before, began = began, clock
            bench = Bench(cooldown=10.0, group_wait=2.0, group_interval=20.0)
            bench.alerts.load(memory, 0.0, AHEAD + began - began_before, OURS)
            bench.at(0.0)
        else:
            bench.at(now)
    for target in "xyz":
        bench.over(clock - began + 1000, target)
    bench.at(clock - began + 5000)
    check(bench, firing)
    assert firing == set()


def check(bench: Bench, firing: set[str]) -> None:
    for note in bench.notes:
        for alert in note.resolved:
            assert alert.id in firing or alert.id in note.brief
            firing.discard(alert.id)
        firing |= {alert.id for alert in note.firing}
