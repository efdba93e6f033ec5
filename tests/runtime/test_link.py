"""The connection's life cycle: the table, and the count of failing checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.link import RESTING, TRANSITIONS, UP, ConnectionState, Link, LinkEvent

S = ConnectionState
E = LinkEvent


ATTEMPT = (E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.RECOVER)


def link_after(*events: LinkEvent) -> Link:
    link = Link()
    for event in events:
        link.apply(event)
    return link


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], S.CLOSED),
        ([E.CONNECT], S.CONNECTING),
        ([E.CONNECT, E.CONNECTED], S.OPERATIONAL),
        ([E.CONNECT, E.LOST], S.COOLDOWN),
        ([E.CONNECT, E.LOST, E.CONNECT], S.CONNECTING),
        ([E.CONNECT, E.LOST, E.GAVE_UP], S.FAILED),
        ([E.CONNECT, E.LOST, E.GAVE_UP, E.CONNECT], S.CONNECTING),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED], S.DEGRADED),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.PASSED], S.OPERATIONAL),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.RECOVER], S.RECOVERING),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.RECOVER, E.RECOVERED], S.OPERATIONAL),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.RECOVER, E.LOST], S.COOLDOWN),
        ([E.CONNECT, E.SLOW], S.DEGRADED),
        ([E.CONNECT, E.CONNECTED, E.SLOW], S.DEGRADED),
        ([E.CONNECT, E.CONNECTED, E.SLOW, E.PASSED], S.OPERATIONAL),
        ([*ATTEMPT], S.RECOVERING),
        ([*ATTEMPT, E.SLOW], S.DEGRADED),
        ([*ATTEMPT, E.NOT_RECOVERED], S.COOLDOWN),
        ([*ATTEMPT, E.NOT_RECOVERED, E.CHECK_FAILED], S.COOLDOWN),
        ([*ATTEMPT, E.NOT_RECOVERED, E.PASSED], S.OPERATIONAL),
        ([*ATTEMPT, E.NOT_RECOVERED, E.RECOVER], S.RECOVERING),
        ([*ATTEMPT, E.NOT_RECOVERED, E.LOST, E.CONNECT], S.CONNECTING),
        ([*ATTEMPT, E.NOT_RECOVERED, E.GAVE_UP], S.FAILED),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.GAVE_UP], S.FAILED),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.GAVE_UP, E.CHECK_FAILED], S.FAILED),
        ([E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.GAVE_UP, E.PASSED], S.OPERATIONAL),
        ([E.CONNECT, E.CONNECTED, E.CLOSE], S.CLOSED),
    ],
)
def test_the_table_leads_where_it_says(events: list[LinkEvent], state: ConnectionState) -> None:
    assert link_after(*events).state is state


def test_a_move_tells_which_state_was_left() -> None:
    link = link_after(E.CONNECT)

    assert link.apply(E.CONNECTED) is S.CONNECTING


def test_staying_is_no_move() -> None:
    """A check that passes on a healthy link is not news."""
    link = link_after(E.CONNECT, E.CONNECTED)

    assert link.apply(E.PASSED) is None
    assert link.state is S.OPERATIONAL


def test_what_the_table_does_not_allow_is_refused() -> None:
    link = link_after(E.CONNECT)

    with pytest.raises(ValueError, match=r"^a connection that is connecting cannot be told recovered$"):
        link.apply(E.RECOVERED)
    assert link.state is S.CONNECTING


@pytest.mark.parametrize(("borne", "due"), [(0, [False, True, True]), (1, [False, False, True]), (2, [False] * 3)])
def test_a_restart_is_due_when_more_checks_have_failed_than_are_borne(borne: int, due: list[bool]) -> None:
    link = link_after(E.CONNECT, E.CONNECTED)
    found = [link.is_restart_due(borne)]
    for _ in range(2):
        link.apply(E.CHECK_FAILED)
        found.append(link.is_restart_due(borne))

    assert found == due


@pytest.mark.parametrize("forgiving", [E.PASSED, E.SLOW, E.RECOVERED, E.CONNECT])
def test_success_forgets_failing_checks_and_attempts(forgiving: LinkEvent) -> None:
    """A slow check has passed, and a new link begins anew."""
    link = link_after(*ATTEMPT)
    if forgiving is not E.RECOVERED:
        link.apply(E.NOT_RECOVERED)
    assert (link.check_failures, link.attempts) == (1, 1)

    link.apply(forgiving)

    assert (link.check_failures, link.attempts) == (0, 0)


def test_quiet_times_double_and_attempts_run_out() -> None:
    """Three attempts: 60, 120 and 240 s of quiet after them."""
    link = link_after(*ATTEMPT)
    quiet, spent = [link.cooldown(60.0)], [link.is_spent(3)]
    for _ in range(2):
        link.apply(E.NOT_RECOVERED)
        link.apply(E.RECOVER)
        quiet.append(link.cooldown(60.0))
        spent.append(link.is_spent(3))

    assert quiet == [60.0, 120.0, 240.0]
    assert spent == [False, False, True]


@pytest.mark.parametrize(
    ("first", "attempts", "quiet"),
    [(60.0, 0, 60.0), (60.0, 6, 1920.0), (60.0, 7, 3600.0), (60.0, 5000, 3600.0), (7200.0, 3, 7200.0), (0.0, 9, 0.0)],
)
def test_quiet_times_end_growing(first: float, attempts: int, quiet: float) -> None:
    """An hour is enough, unless the first was longer already; no number of attempts overflows."""
    link = Link()
    link.attempts = attempts

    assert link.cooldown(first) == quiet


@given(st.lists(st.sampled_from(LinkEvent), max_size=50))
def test_no_sequence_leaves_the_table(events: list[LinkEvent]) -> None:
    """Whatever is tried, the state is one the table led to, and a refused move changes nothing."""
    link = Link()
    for event in events:
        before = (link.state, link.check_failures, link.attempts)
        if (link.state, event) in TRANSITIONS:
            link.apply(event)
            assert link.state is TRANSITIONS[before[0], event]
        else:
            with pytest.raises(ValueError, match="cannot be told"):
                link.apply(event)
            assert (link.state, link.check_failures, link.attempts) == before
        assert link.is_up is (link.state in UP)


def test_every_state_can_be_left_and_reached() -> None:
    assert {state for state, _ in TRANSITIONS} == set(ConnectionState)
    assert set(TRANSITIONS.values()) == set(ConnectionState)
    assert {event for _, event in TRANSITIONS} == set(LinkEvent)


def test_connecting_begins_from_rest_and_only_there() -> None:
    assert {state for state, event in TRANSITIONS if event is E.CONNECT} == set(RESTING)
    assert not RESTING & UP
