"""Whom a command takes down and starts, in which order; that the kernel does the same is shown in `test_dry_run`."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from duenna.machines.affected import Command, Family, Member, Plan, plan
from duenna.machines.lifecycle import ChildState
from duenna.machines.plan import Strategy

S = ChildState


def member(name: str, state: ChildState = S.RUNNING, **more: Any) -> Member:
    return Member(path=name, state=state, **more)


def branch(name: str, *children: Member, recipe: tuple[Member, ...] | None = None) -> Member:
    return Member(
        path=name,
        state=S.RUNNING,
        children=children,
        recipe=children if recipe is None else recipe,
        is_supervisor=True,
    )


def family(strategy: str, *members: Member, **more: Any) -> Family:
    return attrs.evolve(Family(strategy=Strategy(strategy), members=members), **more)


ABC = (member("a"), member("b"), member("c"))


@pytest.mark.parametrize(
    ("strategy", "stops", "starts"),
    [
        ("one_for_one", ("b",), ("b",)),
        ("one_for_all", ("c", "b", "a"), ("a", "b", "c")),
        ("rest_for_one", ("c", "b"), ("b", "c")),
    ],
)
def test_a_running_child_is_restarted_with_its_group(
    strategy: str, stops: tuple[str, ...], starts: tuple[str, ...]
) -> None:
    """Stopped from the last to the first, started from the first to the last."""
    assert plan(Command.RESTART, family(strategy, *ABC), 1) == Plan(stops, starts)


def test_of_a_group_who_is_down_for_good_stays_so() -> None:
    """Stopped by hand or parked; what is finished or waits is started with the others."""
    members = (
        member("a"),
        member("parked", S.FAILED),
        member("stopped", S.STOPPED),
        member("finished", S.FINISHED),
        member("waits", S.BACKOFF),
        member("goes", is_temporary=True),
        member("held", S.STOPPING, is_held=True),
    )

    assert plan(Command.RESTART, family("one_for_all", *members), 0) == Plan(
        ("held", "goes", "a"), ("a", "finished", "waits")
    )


def test_the_one_that_is_restarted_comes_back_whatever_it_is() -> None:
    """A temporary child goes when its group is stopped, but not when it is the one that was asked for."""
    assert plan(Command.RESTART, family("one_for_all", member("a", is_temporary=True)), 0) == Plan(("a",), ("a",))


def test_a_supervisor_takes_all_below_it_along() -> None:
    """It ends after its children and begins before them; only those of its recipe come back."""
    inner = branch("s", member("s/a"), member("s/added"), member("s/held", S.STOPPING, is_held=True))
    recipe = (inner.children[0], member("s/gone", S.PENDING), member("s/parked", S.FAILED), inner.children[2])
    inner = attrs.evolve(inner, recipe=recipe)

    assert plan(Command.RESTART, family("one_for_one", inner), 0) == Plan(
        ("s/held", "s/added", "s/a", "s"), ("s", "s/a", "s/gone")
    )


@pytest.mark.parametrize("state", [S.STOPPED, S.FINISHED, S.FAILED, S.BACKOFF])
@pytest.mark.parametrize("command", [Command.RESTART, Command.START])
def test_what_is_down_starts_alone(state: ChildState, command: Command) -> None:
    """Whatever the strategy: nobody else is disturbed."""
    assert plan(command, family("one_for_all", member("a"), member("b", state)), 1) == Plan((), ("b",))


def test_what_is_stopping_starts_when_it_has_ended() -> None:
    """The stop goes on."""
    assert plan(Command.RESTART, family("one_for_all", member("a", S.STOPPING)), 0) == Plan(("a",), ("a",))


@pytest.mark.parametrize(("state", "why"), [(S.STARTING, "is starting already"), (S.PENDING, "waits for its turn")])
def test_what_is_on_its_way_is_left_alone(state: ChildState, why: str) -> None:
    """There is nothing to do."""
    assert plan(Command.RESTART, family("one_for_one", member("a", state)), 0) == Plan(why_not=why)


def test_a_group_that_waits_begins_at_once() -> None:
    """Its members start as they would have, the one that was asked for too."""
    members = (member("a", S.BACKOFF), member("b", S.PENDING), member("c", S.STOPPED))
    waiting = family("one_for_all", *members, starts=("a", "gone", "b", "c"))

    assert plan(Command.RESTART, waiting, 1) == Plan((), ("a", "b"))
    assert plan(Command.START, waiting, 2) == Plan((), ("a", "b", "c"))


def test_a_group_that_is_being_stopped_goes_on() -> None:
    """Those that are left are stopped, and then all of them start."""
    under_way = family(
        "one_for_all",
        member("a", S.BACKOFF),
        member("b"),
        member("c", S.PENDING),
        stops=("a", "b", "gone"),
        starts=("a", "b", "c"),
    )

    assert plan(Command.RESTART, under_way, 1) == Plan(("b",), ("a", "b", "c"))


def test_a_group_that_is_being_started_goes_on() -> None:
    """Who has begun does not begin again."""
    under_way = family(
        "one_for_all", member("a", S.STARTING), member("b", S.PENDING), starts=("a", "b"), is_starting=True
    )

    assert plan(Command.RESTART, under_way, 1) == Plan((), ("b",))


def test_what_an_operator_stopped_meanwhile_starts_beside_the_group() -> None:
    """A group that has begun to start takes nobody along any more."""
    under_way = family(
        "one_for_all", member("a", S.STARTING), member("b", S.STOPPED), starts=("a", "b"), is_starting=True
    )

    assert plan(Command.RESTART, under_way, 1) == Plan((), ("b",))


def test_a_new_group_takes_over_who_waits_before_it() -> None:
    """A second restart, of one further on, does not forget those that the first has yet to start."""
    under_way = family("rest_for_one", member("a", S.PENDING), member("b"), member("c"), starts=("a",))

    assert plan(Command.RESTART, under_way, 1) == Plan(("c", "b"), ("a", "b", "c"))


def test_a_stop_takes_down_one_and_all_below_it() -> None:
    """The group stays: an operator's stop is not a failure."""
    inner = branch("s", member("s/a"), member("s/b"))

    assert plan(Command.STOP, family("one_for_all", member("a"), inner), 1) == Plan(("s/b", "s/a", "s"))
    assert plan(Command.STOP, family("one_for_all", member("a", S.BACKOFF)), 0) == Plan()
    assert plan(Command.STOP, family("one_for_all", member("a", S.STOPPED)), 0) == Plan(why_not="is stopped already")


def test_what_runs_is_not_started() -> None:
    """A start is for what is down."""
    assert plan(Command.START, family("one_for_one", *ABC), 0) == Plan(why_not="runs already")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (member("a"), ""),
        (member("a", S.BACKOFF), ""),
        (member("a", is_suspended=True), "is suspended already"),
        (member("a", S.STOPPED), "is stopped"),
        (member("a", S.FINISHED), "is finished"),
        (branch("s", member("s/a", S.STOPPED), member("s/b")), ""),
        (branch("s", member("s/a", S.STOPPED)), "has no child that could be suspended"),
        (attrs.evolve(branch("s", member("s/a")), serves=False), "has no child that could be suspended"),
    ],
)
def test_who_can_be_suspended(given: Member, why: str) -> None:
    """Who has a mailbox that is read; of a supervisor, whoever is below it."""
    assert plan(Command.SUSPEND, family("one_for_one", given), 0) == Plan(why_not=why)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (member("a", is_suspended=True), ""),
        (member("a"), "is not suspended"),
        (branch("s", member("s/a", is_suspended=True)), ""),
        (branch("s", member("s/a")), "is not suspended"),
        (attrs.evolve(branch("s", member("s/a", is_suspended=True)), serves=False), "is not suspended"),
    ],
)
def test_who_can_be_resumed(given: Member, why: str) -> None:
    """Who is suspended, or has somebody below it who is."""
    assert plan(Command.RESUME, family("one_for_one", given), 0) == Plan(why_not=why)
