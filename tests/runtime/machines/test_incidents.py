"""Errors, verdicts, actions and outcomes, joined into one line per incident."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines import incidents as module
from duenna.machines.classification import Category, Severity, Verdict
from duenna.machines.incident_chain import Action, Chain, Outcome
from duenna.machines.incidents import Incidents

FEED = "/bot/feed"
NETWORK = Verdict(category=Category.NETWORK, severity=Severity.MEDIUM, transient=True, rule="closed/other")
AUTH = Verdict(category=Category.AUTH, severity=Severity.HIGH, transient=False)
WORSE = Verdict(category=Category.AUTH, severity=Severity.CRITICAL, transient=False)
DATA = Verdict(category=Category.DATA, severity=Severity.LOW, transient=True)
ORDER = Verdict(category=Category.API, severity=Severity.HIGH, transient=True, outcome_unknown=True)
CLOSED = "FeedClosedError: code 1006"


def texts(chains: list[Chain]) -> list[str]:
    return [f"{chain.path} {chain.text()}" for chain in chains]


def test_an_error_that_a_restart_ends() -> None:
    incidents = Incidents()
    assert incidents.error(3.0, FEED, CLOSED, NETWORK, number=7, is_crash=True) == []
    assert incidents.action(3.0, FEED, "network_retry", "started", number=7) == []
    assert incidents.due is None
    assert incidents.action(4.3, FEED, "network_retry", "success", number=7) == []
    assert incidents.due == 5.3
    assert incidents.advance(5.2) == []
    (chain,) = incidents.advance(5.3)

    assert chain == Chain(
        path=FEED,
        began=3.0,
        took=4.3 - 3.0,
        error=CLOSED,
        errors=1,
        ids=(7,),
        verdicts=(NETWORK,),
        actions=(Action("network_retry", 1, "success"),),
        outcome=Outcome.RECOVERED,
    )
    assert chain.text() == f"{CLOSED} -> NETWORK/MEDIUM transient -> network_retry -> ok after 1.3 s"
    assert chain.level == "INFO"
    assert msgspec.json.decode(msgspec.json.encode(chain), type=Chain) == chain
    assert len(incidents) == 0
    assert incidents.due is None


def test_errors_that_come_meanwhile_join_it() -> None:
    incidents = Incidents()
    for number, at in enumerate((0.0, 10.0, 40.0), 1):
        incidents.error(at, FEED, f"TimeoutError: number {number}", NETWORK, number=number, is_crash=True)
        if number > 1:
            incidents.action(at, FEED, "network_retry", "failed", attempt=number - 1, number=1)
        incidents.action(at, FEED, "network_retry", "started", attempt=number, number=1)
    incidents.action(100.0, FEED, "network_retry", "success", attempt=3, number=1)

    (chain,) = incidents.advance(101.0)
    assert chain.ids == (1, 3)
    assert chain.text() == (
        "TimeoutError: number 1 x3 -> NETWORK/MEDIUM transient -> network_retry (attempt 3) -> ok after 100.0 s"
    )


def test_what_comes_back_only_to_fail_again_is_one_incident() -> None:
    """A strategy that crashes as soon as it is started, until it is parked."""
    incidents = Incidents()
    at = 0.0
    for attempt in (1, 2, 3):
        incidents.error(at, FEED, "KeyError: 'ema'", AUTH, number=attempt, is_crash=True)
        incidents.action(at, FEED, "restart", "started", attempt=attempt, number=1)
        at += 5.0
        assert incidents.action(at, FEED, "restart", "success", attempt=attempt, number=1) == []
    incidents.error(at, FEED, "KeyError: 'ema'", AUTH, number=4, is_crash=True)
    incidents.action(at, FEED, "restart", "gave_up", attempt=3, number=1)

    (chain,) = incidents.advance(at + 1.0)
    assert chain.outcome is Outcome.GAVE_UP
    assert chain.level == "CRITICAL"
    assert chain.text() == (
        "KeyError: 'ema' x4 -> AUTH/HIGH not transient -> restart gave up after 3 attempts"
        " -> parked after 15.0 s, a person is needed"
    )


def test_what_is_parked_at_once_says_so() -> None:
    incidents = Incidents()
    incidents.error(1.0, FEED, "AuthError: bad key", AUTH, number=1, is_crash=True)
    incidents.link(1.0, FEED, is_well=False)
    incidents.action(1.0, FEED, "restart", "gave_up", attempt=0, number=1)

    assert texts(incidents.advance(2.0)) == [
        "/bot/feed AuthError: bad key -> AUTH/HIGH not transient -> no restart -> parked, a person is needed"
    ]


def test_a_new_round_after_it_gave_up_goes_on_with_it() -> None:
    incidents = Incidents()
    incidents.error(1.0, FEED, CLOSED, NETWORK, number=1, is_crash=True)
    incidents.action(1.0, FEED, "restart", "gave_up", attempt=1, number=1)
    incidents.action(1.5, FEED, "restart", "started", attempt=1, number=1)
    assert incidents.due is None
    incidents.action(2.5, FEED, "restart", "success", attempt=1, number=1)

    assert [chain.outcome for chain in incidents.advance(9.0)] == [Outcome.RECOVERED]


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([], "no action -> goes on"),
        ([("data_fallback", "failed")], "data_fallback failed -> nothing helped, goes on"),
        (
            [("data_fallback", "failed"), ("exchange_fallback", "success")],
            "data_fallback failed, exchange_fallback -> ok after 0.0 s",
        ),
        ([("restart", "gave_up")], "restart gave up after 1 attempt -> parked, a person is needed"),
    ],
)
def test_what_came_of_an_error_that_was_survived(steps: list[tuple[str, str]], end: str) -> None:
    incidents = Incidents()
    incidents.error(1.0, FEED, "ValueError: x", DATA, number=1)
    for action, status in steps:
        incidents.action(1.0, FEED, action, "started", number=1)
        incidents.action(1.0, FEED, action, status, number=1)

    assert texts(incidents.advance(2.0)) == [f"/bot/feed ValueError: x -> DATA/LOW transient -> {end}"]


@pytest.mark.parametrize(("verdict", "level"), [(DATA, "WARNING"), (AUTH, "ERROR")])
def test_what_nothing_helped_against_is_as_bad_as_its_verdict(verdict: Verdict, level: str) -> None:
    incidents = Incidents()
    incidents.error(1.0, FEED, "ValueError: x", verdict, number=1)
    incidents.action(1.0, FEED, "mine", "started", number=1)
    assert incidents.due is None
    incidents.action(31.0, FEED, "mine", "failed", number=1)

    (chain,) = incidents.advance(32.0)
    assert (chain.took, chain.level) == (30.0, level)
    assert chain.text().endswith("-> mine failed -> nothing helped, goes on")


def test_a_crash_of_which_nobody_says_what_came_is_not_told_as_well() -> None:
    incidents = Incidents()
    incidents.error(1.0, FEED, "ValueError: x", DATA, number=1, is_crash=True)

    assert texts(incidents.advance(2.0)) == [
        "/bot/feed ValueError: x -> DATA/LOW transient -> no action -> outcome not known"
    ]


def test_a_burst_is_one_incident_and_an_endless_one_is_told_in_parts() -> None:
    incidents = Incidents(settle=1.0, longest=5.0)
    told = [chain for at in range(13) for chain in incidents.error(at * 0.5, FEED, "A: b", DATA, number=at + 1)]

    assert [(chain.began, chain.errors, chain.ids) for chain in told] == [(0.0, 11, (1, 11))]
    assert [chain.errors for chain in incidents.advance(60.0)] == [2]


def test_a_link_that_comes_back_by_itself() -> None:
    """It is degraded before its error is judged, and nothing is over while it is."""
    incidents = Incidents()
    incidents.link(9.0, FEED, is_well=False)
    incidents.error(9.0, FEED, "StaleFeedError: silent", NETWORK, number=1)
    incidents.error(12.0, FEED, "StaleFeedError: silent", NETWORK, number=2)
    assert incidents.due is None
    incidents.link(13.0, FEED, is_well=True)
    incidents.link(13.5, "/bot/other", is_well=True)

    assert texts(incidents.advance(14.0)) == [
        "/bot/feed StaleFeedError: silent x2 -> NETWORK/MEDIUM transient -> no action -> ok by itself after 4.0 s"
    ]


def test_an_error_that_harms_nobody_is_no_part_of_what_has_just_ended_well() -> None:
    incidents = Incidents()
    incidents.error(0.0, FEED, CLOSED, NETWORK, number=1, is_crash=True)
    incidents.action(0.0, FEED, "restart", "started", number=1)
    incidents.action(2.0, FEED, "restart", "success", number=1)
    told = incidents.error(2.5, FEED, "BadFrameError: x", DATA, number=2)

    assert [(chain.outcome, chain.took) for chain in told] == [(Outcome.RECOVERED, 2.0)]
    assert [chain.outcome for chain in incidents.advance(9.0)] == [Outcome.SURVIVED]


def test_an_action_that_helped_is_not_the_end_while_the_link_is_not_well() -> None:
    incidents = Incidents()
    incidents.link(0.0, FEED, is_well=False)
    incidents.error(0.0, FEED, CLOSED, NETWORK, number=1, is_crash=True)
    incidents.action(0.0, FEED, "network_retry", "started", number=1)
    incidents.action(2.0, FEED, "network_retry", "success", number=1)
    assert incidents.advance(50.0) == []
    incidents.link(60.0, FEED, is_well=True)

    assert [chain.took for chain in incidents.advance(61.0)] == [60.0]


def test_a_link_that_was_well_all_along_does_not_end_anything() -> None:
    incidents = Incidents()
    incidents.error(0.0, FEED, "A: b", DATA, number=1)
    incidents.link(0.5, FEED, is_well=True)

    assert [chain.outcome for chain in incidents.advance(9.0)] == [Outcome.SURVIVED]


def test_the_worst_verdict_of_each_category_is_told_and_three_at_most() -> None:
    incidents = Incidents()
    for number, verdict in enumerate((NETWORK, AUTH, NETWORK, ORDER, DATA, WORSE), 1):
        incidents.error(0.0, FEED, "A: b", verdict, number=number)

    (chain,) = incidents.advance(1.0)
    assert chain.text() == (
        "A: b x6 -> NETWORK/MEDIUM transient, then AUTH/CRITICAL not transient,"
        " then API/HIGH transient, outcome unknown -> no action -> goes on"
    )


def test_of_many_actions_five_are_told() -> None:
    incidents = Incidents()
    incidents.error(0.0, FEED, "A: b", DATA, number=1)
    for number in range(7):
        incidents.action(0.0, FEED, f"a{number}", "success", number=1)

    (chain,) = incidents.advance(1.0)
    assert [action.name for action in chain.actions] == ["a0", "a1", "a2", "a3", "a4"]


def test_one_exception_that_is_reported_twice_counts_once() -> None:
    """A guard reports what fails for good; then the caller crashes of it, under another name."""
    incidents = Incidents()
    incidents.error(0.0, "prices", "A: b", DATA, number=1)
    incidents.error(0.0, FEED, "A: b", DATA, number=2, repeats=1, is_crash=True)
    incidents.error(0.0, "/bot/x", "C: d", DATA, number=3, repeats=99)

    assert [(chain.path, chain.errors) for chain in incidents.advance(1.0)] == [("prices", 1), ("/bot/x", 1)]


def test_an_action_for_no_known_error_begins_an_incident() -> None:
    incidents = Incidents()
    incidents.action(0.0, "/", "reconnect", "started", error="refused")
    incidents.action(10.0, "/", "reconnect", "success")
    incidents.action(10.0, "/bot/x", "restart", "success")

    assert texts(incidents.advance(11.0)) == ["/ refused -> not judged -> reconnect -> ok after 10.0 s"]


def test_an_action_is_found_by_the_number_of_its_report() -> None:
    incidents = Incidents()
    incidents.error(0.0, "prices", "A: b", DATA, number=4)
    incidents.action(0.0, "/", "data_fallback", "success", number=4)

    assert [chain.path for chain in incidents.advance(1.0)] == ["prices"]


def test_what_is_stopped_by_hand_is_over() -> None:
    incidents = Incidents()
    incidents.link(0.0, FEED, is_well=False)
    incidents.error(0.0, FEED, CLOSED, NETWORK, number=1, is_crash=True)
    incidents.action(0.0, FEED, "data_fallback", "failed", number=1)
    incidents.action(0.0, FEED, "restart", "started", number=1)
    incidents.stopped(5.0, FEED)
    incidents.stopped(5.0, "/bot/other")

    (chain,) = incidents.advance(6.0)
    assert chain.actions == (Action("data_fallback", 1, "failed"), Action("restart", 1, "dropped"))
    assert chain.text().endswith("data_fallback failed, restart -> stopped after 5.0 s")


def test_after_lost_events_nothing_is_waited_for() -> None:
    incidents = Incidents()
    incidents.link(0.0, FEED, is_well=False)
    incidents.error(0.0, FEED, CLOSED, NETWORK, number=1, is_crash=True)
    incidents.action(0.0, FEED, "restart", "started", number=1)
    incidents.lost(5.0)

    assert [chain.outcome for chain in incidents.advance(6.0)] == [Outcome.UNKNOWN]


def test_what_is_left_at_the_end_is_told_as_it_stands() -> None:
    incidents = Incidents()
    incidents.error(0.0, "/bot/a", "A: b", DATA, number=1)
    incidents.error(0.5, FEED, CLOSED, NETWORK, number=2, is_crash=True)
    incidents.action(0.5, FEED, "restart", "started", number=2)
    assert [chain.path for chain in incidents.open(0.75)] == ["/bot/a", FEED]

    assert texts(incidents.finish(0.75)) == [
        "/bot/a A: b -> DATA/LOW transient -> no action -> goes on",
        f"/bot/feed {CLOSED} -> NETWORK/MEDIUM transient -> restart -> not over after 0.2 s",
    ]
    assert len(incidents) == 0
    assert incidents.finish(9.0) == []


def test_the_text_is_one_bounded_line_without_causes_and_without_local_names() -> None:
    incidents = Incidents()
    incidents.error(0.0, FEED, f"main.<locals>.AuthError: a\nb {'x' * 100} <- OSError: c", AUTH)

    (chain,) = incidents.finish(0.0)
    assert chain.ids == ()
    assert chain.text(20).partition(" -> ")[0] == "AuthError: a b xx..."


def test_of_too_many_the_oldest_is_told_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over as what it is, what is not as open; and what is forgotten does no harm."""
    for bound in ("MOST", "MOST_LINKS", "MOST_IDS"):
        monkeypatch.setattr(module, bound, 2)
    incidents = Incidents()
    incidents.link(0.0, "/a", is_well=False)
    incidents.error(0.0, "/a", "A: b", DATA, number=1)
    incidents.error(0.0, "/b", "A: b", DATA, number=2)

    (first,) = incidents.error(0.0, "/c", "A: b", DATA, number=3)
    assert (first.path, first.outcome) == ("/a", Outcome.OPEN)
    (second,) = incidents.error(0.0, "/d", "A: b", DATA, number=4)
    assert (second.path, second.outcome) == ("/b", Outcome.SURVIVED)
    for path in ("/x", "/y", "/z"):
        incidents.link(0.0, path, is_well=False)
    assert len(incidents) == 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"settle": 0.0}, "settle must be > 0 seconds, got 0.0"),
        ({"settle": float("inf")}, "settle must be a finite number of seconds, got inf"),
        ({"longest": -1.0}, "longest must be >= 0 seconds, got -1.0"),
    ],
)
def test_times_that_are_none_are_refused(options: dict[str, float], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Incidents(**options)


STEP = st.one_of(
    st.tuples(st.just("error"), st.sampled_from("abc"), st.sampled_from([NETWORK, AUTH, DATA]), st.booleans()),
    st.tuples(
        st.just("action"),
        st.sampled_from("abc"),
        st.sampled_from(["retry", "restart"]),
        st.sampled_from(["started", "success", "failed", "gave_up"]),
    ),
    st.tuples(st.just("link"), st.sampled_from("abc"), st.booleans()),
    st.tuples(st.just("stopped"), st.sampled_from("abc")),
    st.tuples(st.just("lost")),
)


@given(st.lists(st.tuples(st.floats(0.0, 3.0), STEP), max_size=60))
def test_every_error_is_told_exactly_once(steps: list[tuple[float, tuple]]) -> None:  # type: ignore[type-arg]
    """Whatever happens; and in the end nothing is left, no incident took negative time, and what is due is not past."""
    incidents, now, told, errors = Incidents(), 0.0, [], 0
    for wait, step in steps:
        now += wait
        match step:
            case ("error", path, verdict, is_crash):
                errors += 1
                told += incidents.error(now, path, "A: b", verdict, number=errors, is_crash=is_crash)
            case ("action", path, action, status):
                told += incidents.action(now, path, action, status)
            case ("link", path, is_well):
                told += incidents.link(now, path, is_well=is_well)
            case ("stopped", path):
                told += incidents.stopped(now, path)
            case _:
                told += incidents.lost(now)
        assert incidents.due is None or now < incidents.due <= now + incidents.settle
    told += incidents.finish(now)

    judged = [chain for chain in told if chain.verdicts]
    assert sum(chain.errors for chain in judged) == errors
    assert len(incidents) == 0
    assert all(chain.took >= 0.0 for chain in told)
    assert all("\n" not in chain.text() for chain in told)


def test_of_many_that_are_open_the_newest_are_shown() -> None:
    """Whoever shows a few need not make all; they come oldest first all the same."""
    incidents = Incidents()
    for number in range(5):
        incidents.error(0.0, f"/bot/{number}", CLOSED, NETWORK, is_crash=True)

    assert [chain.path for chain in incidents.open(5.0, 2)] == ["/bot/3", "/bot/4"]
    assert len(incidents.open(5.0)) == 5
