"""The course of a child's recovery: restarts and repairs as attempts with a beginning and an end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duenna.machines.link import ConnectionState
from duenna.machines.recovery_course import Course, Status, Step

S = ConnectionState


def told(steps: list[Step]) -> list[tuple[str, int, float]]:
    return [(str(step.status), step.attempt, step.elapsed) for step in steps]


# -- restarts --------------------------------------------------------------------------


def test_a_restart_that_brings_the_child_up_is_a_success() -> None:
    course = Course()

    assert course.restarting(1.0, 1, 10.0, "lost") == [Step(Status.STARTED, 1.0, 1, 10.0, 0.0, "lost")]
    assert course.outcome is None
    assert course.up(12.0) == [Step(Status.SUCCESS, 12.0, 1, 10.0, 11.0, "")]
    assert course.outcome is True


def test_each_failure_ends_an_attempt_and_the_time_runs_from_the_first() -> None:
    course = Course()

    course.restarting(0.0, 1, 10.0, "a")
    second = course.restarting(11.0, 2, 30.0, "b")
    third = course.restarting(42.0, 3, 60.0, "c")
    end = course.parked(103.0, 4, "d")

    assert told(second) == [("failed", 1, 11.0), ("started", 2, 11.0)]
    assert told(third) == [("failed", 2, 42.0), ("started", 3, 42.0)]
    assert told(end) == [("failed", 3, 103.0), ("gave_up", 3, 103.0)]
    assert course.outcome is False


def test_a_child_that_is_parked_at_its_first_failure_had_no_attempt() -> None:
    """A key is wrong: the supervisor does not even try. The attempts of an earlier round do not count."""
    course = Course()
    course.restarting(0.0, 3, 60.0, "lost")
    course.up(61.0)

    assert course.parked(1000.0, 1, "bad key") == [Step(Status.GAVE_UP, 1000.0, 0, 60.0, 0.0, "bad key")]


def test_a_success_begins_the_time_anew() -> None:
    course = Course()
    course.restarting(0.0, 1, 10.0, "a")
    course.up(10.0)

    assert told(course.restarting(100.0, 2, 30.0, "b")) == [("started", 2, 0.0)]


def test_to_be_up_without_an_attempt_is_no_success() -> None:
    assert Course().up(1.0) == []


def test_what_a_hand_ends_counts_for_nothing() -> None:
    course = Course()
    course.restarting(0.0, 1, 10.0, "a")

    course.dropped()

    assert course.outcome is False
    assert course.up(5.0) == []
    assert course.outcome is True


# -- connections -----------------------------------------------------------------------


def test_a_connection_is_recovered_when_the_far_end_is_reached() -> None:
    course = Course()
    course.moved(0.0, S.COOLDOWN, "refused")
    course.restarting(0.0, 1, 10.0, "refused")

    assert course.moved(10.0, S.CONNECTING, "") == []
    assert course.outcome is None
    assert told(course.moved(11.0, S.OPERATIONAL, "")) == [("success", 1, 11.0)]
    assert course.outcome is True


def test_one_that_is_reached_slowly_is_recovered_too_but_not_well_yet() -> None:
    course = Course()
    course.restarting(0.0, 1, 10.0, "refused")
    course.moved(10.0, S.CONNECTING, "")

    assert told(course.moved(12.0, S.DEGRADED, "slow")) == [("success", 1, 12.0)]
    assert course.outcome is None


def test_repairs_are_attempts_of_their_own() -> None:
    """Failing checks: three repairs, then the child is parked."""
    course = Course()
    course.moved(0.0, S.OPERATIONAL, "")

    first = course.moved(1.0, S.RECOVERING, "checks fail")
    quiet = course.moved(2.0, S.COOLDOWN, "still")
    second = course.moved(62.0, S.RECOVERING, "again", 2)
    course.moved(63.0, S.COOLDOWN, "still")
    end = course.parked(183.0, 1, "needs a hand")

    assert told(first) == [("started", 1, 0.0)]
    assert first[0].is_repair
    assert told(quiet) == [("failed", 1, 1.0)]
    assert told(second) == [("started", 2, 61.0)]
    assert told(end) == [("gave_up", 2, 182.0)]


def test_a_repair_that_helped_is_a_success() -> None:
    course = Course()
    course.moved(0.0, S.RECOVERING, "checks fail")

    assert told(course.moved(5.0, S.OPERATIONAL, "")) == [("success", 1, 5.0)]
    assert course.repairs == 0


def test_a_repair_that_crashes_has_failed_and_the_restart_is_another_attempt() -> None:
    course = Course()
    course.moved(0.0, S.RECOVERING, "checks fail")

    assert told(course.moved(1.0, S.COOLDOWN, "lost")) == [("failed", 1, 1.0)]
    steps = course.restarting(1.0, 1, 10.0, "lost")

    assert told(steps) == [("started", 1, 1.0)]
    assert not steps[0].is_repair
    assert course.repairs == 0


def test_a_repair_that_begins_while_another_is_open_ends_that() -> None:
    course = Course()
    course.moved(0.0, S.RECOVERING, "a")

    assert told(course.moved(1.0, S.RECOVERING, "b")) == [("failed", 1, 1.0), ("started", 2, 1.0)]


def test_a_repair_that_is_closed_by_a_hand_counts_for_nothing() -> None:
    course = Course()
    course.moved(0.0, S.RECOVERING, "a")

    assert course.moved(1.0, S.CLOSED, "suspended") == []
    assert course.outcome is False
    assert course.moved(2.0, S.OPERATIONAL, "") == []


def test_while_a_connection_is_between_two_states_nothing_is_decided() -> None:
    course = Course()
    outcomes = {}
    for state in S:
        course.state = state
        outcomes[str(state)] = course.outcome

    assert outcomes == {
        "connecting": None,
        "operational": True,
        "degraded": None,
        "recovering": None,
        "cooldown": None,
        "failed": False,
        "closed": False,
    }


happenings = st.one_of(
    st.tuples(st.just("restarting"), st.integers(1, 5)),
    st.tuples(st.just("moved"), st.sampled_from(list(S))),
    st.tuples(st.just("up"), st.none()),
    st.tuples(st.just("parked"), st.integers(1, 5)),
    st.tuples(st.just("dropped"), st.none()),
)


@given(st.lists(st.tuples(happenings, st.floats(0, 100)), max_size=50))
def test_no_attempt_ends_that_has_not_begun_and_none_has_two_ends(
    happened: list[tuple[tuple[str, object], float]],
) -> None:
    course, now, is_open = Course(), 0.0, False
    for (what, how), pause in happened:
        now += pause
        match what, how:
            case "restarting", int(failures):
                steps = course.restarting(now, failures, 1.0, "x")
            case "moved", ConnectionState() as state:
                steps = course.moved(now, state, "x")
            case "up", _:
                steps = course.up(now)
            case "parked", int(failures):
                steps = course.parked(now, failures, "x")
            case _:
                course.dropped()
                steps = []
        for step in steps:
            assert step.elapsed >= 0.0
            if step.status is Status.STARTED:
                assert not is_open
                is_open = True
            elif step.status is not Status.GAVE_UP:
                assert is_open
                is_open = False
        is_open = course.is_open  # a hand may have ended it in silence
