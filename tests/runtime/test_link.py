"""The connection's life cycle: the table, and the count of failing checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.link import RESTING, TRANSITIONS, UP, ConnectionState, Link, LinkEvent

S = ConnectionState
E = LinkEvent


def link_after(*events: LinkEvent, max_check_failures: int = 3) -> Link:
    link = Link(max_check_failures)
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


def test_recovery_is_due_at_the_nth_failing_check_in_a_row() -> None:
    link = link_after(E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.CHECK_FAILED)
    assert not link.is_recovery_due

    link.apply(E.CHECK_FAILED)

    assert link.is_recovery_due


@pytest.mark.parametrize(
    "forgiving",
    [[E.PASSED], [E.RECOVER, E.RECOVERED], [E.LOST, E.CONNECT]],
    ids=["passed", "recovered", "connected anew"],
)
def test_success_forgets_failing_checks(forgiving: list[LinkEvent]) -> None:
    link = link_after(E.CONNECT, E.CONNECTED, E.CHECK_FAILED, E.CHECK_FAILED, *forgiving)

    assert link.check_failures == 0


def test_at_least_one_check_must_be_allowed_to_fail() -> None:
    with pytest.raises(ValueError, match="must be >= 1"):
        Link(0)


@given(st.lists(st.sampled_from(LinkEvent), max_size=50))
def test_no_sequence_leaves_the_table(events: list[LinkEvent]) -> None:
    """Whatever is tried, the state is one the table led to, and a refused move changes nothing."""
    link = Link()
    for event in events:
        before = (link.state, link.check_failures)
        if (link.state, event) in TRANSITIONS:
            link.apply(event)
            assert link.state is TRANSITIONS[before[0], event]
        else:
            with pytest.raises(ValueError, match="cannot be told"):
                link.apply(event)
            assert (link.state, link.check_failures) == before
        assert link.is_up is (link.state in UP)


def test_every_state_can_be_left_and_reached() -> None:
    assert {state for state, _ in TRANSITIONS} == set(ConnectionState)
    assert set(TRANSITIONS.values()) == set(ConnectionState)
    assert {event for _, event in TRANSITIONS} == set(LinkEvent)


def test_connecting_begins_from_rest_and_only_there() -> None:
    assert {state for state, event in TRANSITIONS if event is E.CONNECT} == set(RESTING)
    assert not RESTING & UP
