"""The life cycle of a child: what the table allows, and what must hold of any such table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.lifecycle import ALIVE, GONE, TRANSITIONS, ChildState, Step, after

S = ChildState


def state_after(*steps: Step) -> ChildState:
    state = S.PENDING
    for step in steps:
        state = after(state, step)
    return state


UP = (Step.START, Step.READY)
DOWN = (*UP, Step.UNWIND)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), S.PENDING),
        ((Step.START,), S.STARTING),
        (UP, S.RUNNING),
        ((Step.START, Step.UNWIND), S.STOPPING),
        (DOWN, S.STOPPING),
        ((*DOWN, Step.RETRY), S.BACKOFF),
        ((*DOWN, Step.RETRY, *UP), S.RUNNING),
        ((*DOWN, Step.RETRY, Step.RESET, *UP), S.RUNNING),
        ((*DOWN, Step.HOLD), S.STOPPED),
        ((*DOWN, Step.HOLD, *UP), S.RUNNING),
        ((*DOWN, Step.FINISH), S.FINISHED),
        ((*DOWN, Step.FINISH, *UP), S.RUNNING),
        ((*DOWN, Step.FINISH, Step.RESET), S.PENDING),
        ((*DOWN, Step.PARK), S.FAILED),
        ((*DOWN, Step.PARK, *UP), S.RUNNING),
        ((*DOWN, Step.PARK, Step.HOLD), S.STOPPED),
        ((*DOWN, Step.RESET), S.PENDING),
        ((*DOWN, Step.REMOVE), S.REMOVED),
        ((*DOWN, Step.HOLD, Step.REMOVE), S.REMOVED),
    ],
)
def test_the_table_leads_where_it_says(steps: tuple[Step, ...], state: ChildState) -> None:
    assert state_after(*steps) is state


@pytest.mark.parametrize(
    ("state", "step", "message"),
    [
        (S.RUNNING, Step.START, "a child that is running cannot start"),
        (S.STOPPING, Step.START, "a child that is stopping cannot start"),
        (S.RUNNING, Step.REMOVE, "a child that is running cannot remove"),
        (S.FAILED, Step.READY, "a child that is failed cannot ready"),
        (S.STOPPED, Step.UNWIND, "a child that is stopped cannot unwind"),
        (S.REMOVED, Step.START, "a child that is removed cannot start"),
    ],
)
def test_what_the_table_does_not_allow_is_refused(state: ChildState, step: Step, message: str) -> None:
    """Two incarnations never overlap; the parked and the stopped are not swept up by a group restart."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        after(state, step)


def test_an_incarnation_begins_with_a_start_and_only_so() -> None:
    began = {step for (state, step), then in TRANSITIONS.items() if state not in ALIVE and then in ALIVE}

    assert began == {Step.START}


def test_an_incarnation_ends_by_unwinding_and_only_so() -> None:
    left = {state for (state, _), then in TRANSITIONS.items() if state in ALIVE and then not in ALIVE}

    assert left == {S.STOPPING}


def test_an_operator_can_start_whatever_is_down() -> None:
    startable = {state for state, step in TRANSITIONS if step is Step.START}

    assert startable == set(ChildState) - ALIVE - {S.REMOVED}


def test_only_what_is_down_for_good_gives_up_its_mailbox() -> None:
    assert {S.STOPPED, S.FINISHED, S.REMOVED} == GONE
    assert not GONE & ALIVE


def test_every_state_is_reached_and_only_the_removed_is_final() -> None:
    reached = {S.PENDING}
    while more := {then for (state, _), then in TRANSITIONS.items() if state in reached} - reached:
        reached |= more

    assert reached == set(ChildState)
    assert {state for state, _ in TRANSITIONS} == set(ChildState) - {S.REMOVED}
    assert {step for _, step in TRANSITIONS} == set(Step)


@given(st.lists(st.sampled_from(Step), max_size=50))
def test_no_sequence_leaves_the_table(steps: list[Step]) -> None:
    """Whatever is tried, there is at most one incarnation, and it was started and unwound in turn."""
    state, alive = S.PENDING, 0
    for step in steps:
        try:
            then = after(state, step)
        except ValueError:
            assert (state, step) not in TRANSITIONS
            continue
        alive += (then in ALIVE) - (state in ALIVE)
        state = then
        assert alive == (state in ALIVE)
