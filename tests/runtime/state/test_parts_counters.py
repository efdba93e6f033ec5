"""Failures in a row, the counts of errors and of recovery, and pauses go on in the next process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna import Actor, Backoff, Child, GaveUpError, ManualInterventionError, Supervisor
from duenna._failing import FailureMemory

from .lives import Lives, idle, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna import Runtime

STEPS = Backoff.steps(10.0, 30.0, 60.0)


class Fragile(Actor):
    """Crashes when it is told to."""

    def receive(self, message: str) -> None:
        raise ValueError(message)


def fragile(name: str = "a", **options: Any) -> Child:
    given: dict[str, Any] = {"backoff": STEPS, "max_failures": 3, "on_give_up": "park"} | options
    return Child(name, Fragile, **given)


def tree(*children: Child) -> Supervisor:
    return Supervisor("bot", list(children or [fragile()]), intensity=1000)


def crashes(*waits: float, path: str = "/bot/a") -> Callable[[Runtime], Awaitable[None]]:
    """Return a life in which the child crashes, then again after each wait."""

    async def body(runtime: Runtime) -> None:
        for wait in (0.0, *waits):
            await trio.sleep(wait)
            runtime.ref(path).tell("crash")
            await trio.testing.wait_all_tasks_blocked()

    return body


def left(runtime: Runtime, path: str = "/bot/a") -> tuple[str, int | None]:
    """Return the state of the child, and the restarts that are left to it."""
    node = runtime.tree(path)
    return node.state, node.budget_left


async def crash(runtime: Runtime, path: str = "/bot/a") -> tuple[str, int | None]:
    runtime.ref(path).tell("crash")
    await trio.testing.wait_all_tasks_blocked()
    return left(runtime, path)


# -- failures in a row ------------------------------------------------------------------


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_round_of_attempts_goes_on_in_the_next_process(is_killed: bool) -> None:
    """Killed or stopped while it waits for its third restart: the next failure parks it."""
    lives = Lives()
    lives.live(crashes(10.0, 30.0), tree(), is_killed=is_killed)
    lives.later(5.0)

    async def body(runtime: Runtime) -> list[Any]:
        return [left(runtime), await crash(runtime)]

    assert lives.live(body, tree()) == [("running", 0), ("failed", 0)]


def test_the_wait_goes_on_growing() -> None:
    lives = Lives()
    lives.live(crashes(10.0), tree())

    async def body(runtime: Runtime) -> list[str]:
        await crash(runtime)
        await trio.sleep(59.0)
        before = left(runtime)[0]
        await trio.sleep(2.0)
        return [before, left(runtime)[0]]

    assert lives.live(body, tree()) == ["backoff", "running"]


@pytest.mark.parametrize(("pause", "restarts"), [(69.0, 2), (71.0, 3)])
def test_failures_are_forgotten_after_the_time_in_which_it_would_be_well(pause: float, restarts: int) -> None:
    """60 s after its restart was due, which is 10 s after its crash."""
    lives = Lives()
    lives.live(crashes(), tree(), is_killed=True)
    lives.later(pause)

    async def body(runtime: Runtime) -> int | None:
        return left(runtime)[1]

    assert lives.live(body, tree()) == restarts


def test_a_wall_clock_that_was_set_back_forgets_none() -> None:
    lives = Lives()
    lives.live(crashes(), tree())
    lives.later(-1e6)

    async def body(runtime: Runtime) -> int | None:
        return left(runtime)[1]

    assert lives.live(body, tree()) == 2


def test_what_has_held_out_begins_a_new_round() -> None:
    lives = Lives()

    async def recovers(runtime: Runtime) -> None:
        await crashes()(runtime)
        await trio.sleep(71.0)
        await settle(runtime)
        assert "part:failures" not in lives.store._entries

    lives.live(recovers, tree())


def test_a_parked_child_begins_a_new_round() -> None:
    """Its round was over."""
    lives = Lives()
    lives.live(crashes(10.0, 30.0, 60.0), tree())

    async def body(runtime: Runtime) -> list[Any]:
        return [left(runtime), await crash(runtime)]

    assert lives.live(body, tree()) == [("running", 3), ("backoff", 2)]


def test_a_supervisor_that_gave_up_has_ended_the_round_of_its_child() -> None:
    """Else the next process would get one attempt, at once, and the one after it, too."""
    lives = Lives()

    async def gives_up(runtime: Runtime) -> None:
        await crashes(10.0)(runtime)
        await trio.sleep(1.0)

    escalates = tree(fragile(max_failures=1, on_give_up="escalate"))
    with pytest.raises(GaveUpError):
        lives.live(gives_up, escalates)
    assert "part:failures" not in lives.store._entries


def test_a_round_goes_on_through_more_than_one_process() -> None:
    """The one between was killed before anything happened."""
    lives = Lives()
    lives.live(crashes(10.0), tree())

    async def nothing(runtime: Runtime) -> None:
        await settle(runtime)

    lives.live(nothing, tree(), is_killed=True)

    async def body(runtime: Runtime) -> int | None:
        return left(runtime)[1]

    assert lives.live(body, tree()) == 1


def test_one_that_a_hand_must_start_begins_a_new_round_in_the_next_process() -> None:
    """Whatever was left of the old one."""
    lives = Lives()

    class Refused(Actor):
        def receive(self, message: str) -> None:
            if message == "crash":
                raise ValueError(message)
            raise ManualInterventionError("the key is wrong")

    one = Supervisor("bot", [Child("a", Refused, backoff=STEPS, max_failures=3, on_give_up="park")])

    async def body(runtime: Runtime) -> list[Any]:
        seen = [left(runtime), await crash(runtime)]
        await trio.sleep(10.0)
        runtime.ref("/bot/a").tell("by hand")
        await trio.testing.wait_all_tasks_blocked()
        return [*seen, left(runtime)]

    assert lives.live(body, one) == [("running", 3), ("backoff", 2), ("failed", 1)]
    assert lives.live(body, one) == [("running", 3), ("backoff", 2), ("failed", 1)]


def test_a_child_that_is_added_later_goes_on_with_its_round() -> None:
    lives = Lives()

    async def first(runtime: Runtime) -> None:
        await runtime.start_child("/bot", fragile("late"))
        await crashes(10.0, path="/bot/late")(runtime)

    lives.live(first)

    async def body(runtime: Runtime) -> tuple[str, int | None]:
        await settle(runtime)  # it is not there yet, and must not be forgotten
        await runtime.start_child("/bot", fragile("late"))
        return left(runtime, "/bot/late")

    assert lives.live(body) == ("running", 1)


def test_a_child_that_is_deleted_is_forgotten() -> None:
    lives = Lives()

    async def deletes(runtime: Runtime) -> None:
        await crashes()(runtime)
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")
        await settle(runtime)

    lives.live(deletes, tree())

    assert "part:failures" not in lives.store._entries


def test_of_children_that_never_come_back_nothing_is_kept_for_more_than_an_hour() -> None:
    lives = Lives()
    lives.live(crashes(), tree())
    lives.later(3700.0)

    async def body(runtime: Runtime) -> None:
        await settle(runtime)

    lives.live(body, Supervisor("bot", [Child("other", idle)]))

    assert "part:failures" not in lives.store._entries


def test_at_most_a_thousand_children_are_stored() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> list[int]:
        failing = runtime.system.failing
        memory = FailureMemory(1, 1.0, runtime.state.wall())
        failing.load({f"/bot/x{number}": memory for number in range(1200)})
        return [len(failing.dump() or {})]

    assert lives.live(body) == [1000]


def test_a_crash_of_a_thousand_children_is_bounded() -> None:
    lives = Lives()
    many = [fragile(f"c{number}", max_failures=None) for number in range(1005)]

    async def body(runtime: Runtime) -> tuple[int, bool]:
        for child in many:
            runtime.ref(f"/bot/{child.name}").tell("crash")
        await trio.testing.wait_all_tasks_blocked()
        stored = runtime.system.failing.dump() or {}
        return len(stored), "/bot/c0" in stored

    assert lives.live(body, Supervisor("bot", many, intensity=10_000)) == (1000, False)


# -- errors -----------------------------------------------------------------------------


def test_errors_are_counted_over_all_processes() -> None:
    lives = Lives()
    lives.live(crashes(10.0), tree())

    async def body(runtime: Runtime) -> tuple[int, int, dict[str, int], bool, bool]:
        await crash(runtime)
        summary = runtime.errors.summary()
        some = runtime.errors.summary(service="/bot/a")
        return (
            summary.total_errors,
            some.total_errors,
            summary.errors_by_type,
            some.complete,
            runtime.errors.rate() < summary.total_errors,
        )

    total, kept, by_type, is_complete, is_less = lives.live(body, tree())
    assert (total, kept, by_type["ValueError"]) == (3, 1, 3)
    assert not is_complete
    assert is_less


def test_errors_of_the_time_since_the_start_are_complete() -> None:
    lives = Lives()
    lives.live(crashes(), tree())

    async def body(runtime: Runtime) -> bool:
        await trio.sleep(10.0)
        await crash(runtime)
        return runtime.errors.summary(since=5.0).complete

    assert lives.live(body, tree())


def test_repetitions_are_counted_over_all_processes() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> int:
        runtime.errors.repeated += 2
        return runtime.errors.repeated

    assert [lives.live(body), lives.live(body)] == [2, 4]


def test_errors_that_were_cleared_are_forgotten() -> None:
    lives = Lives()
    lives.live(crashes(), tree())

    async def clears(runtime: Runtime) -> None:
        runtime.errors.clear()

    lives.live(clears, tree())
    assert "part:errors" not in lives.store._entries


# -- recovery ---------------------------------------------------------------------------


def test_attempts_are_counted_over_all_processes() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> tuple[int, int, int, int, dict[str, int]]:
        await runtime.recovery.recover("api", "lost", lambda: True)
        await runtime.recovery.recover("database", "lost", lambda: None)
        statistics = runtime.recovery.statistics()
        kinds = {name: each.total for name, each in statistics.by_type.items()}
        return statistics.total, statistics.successful, statistics.gave_up, len(statistics.recent), kinds

    first, second = lives.live(body), lives.live(body)

    assert first == (2, 2, 0, 2, {"api": 1, "database": 1})
    assert second == (4, 4, 0, 2, {"api": 2, "database": 2})


def test_a_history_that_was_cleared_is_forgotten() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> None:
        await runtime.recovery.recover("api", "lost", lambda: True)
        await settle(runtime)
        runtime.recovery.clear_history()

    lives.live(body)
    assert "part:recovery" not in lives.store._entries


def test_a_pause_lasts_on() -> None:
    lives = Lives()

    async def pauses(runtime: Runtime) -> None:
        runtime.recovery.pause("api", 100.0)
        runtime.recovery.pause("over", 1.0)
        await trio.sleep(10.0)

    lives.live(pauses)
    lives.later(30.0)

    async def body(runtime: Runtime) -> tuple[float, float]:
        return runtime.recovery.pause_left("api"), runtime.recovery.pause_left("over")

    assert lives.live(body) == pytest.approx((60.0, 0.0))


def test_a_pause_that_is_over_by_now_is_none() -> None:
    lives = Lives()

    async def pauses(runtime: Runtime) -> None:
        runtime.recovery.pause("api", 100.0)

    lives.live(pauses)
    lives.later(101.0)

    async def body(runtime: Runtime) -> float:
        return runtime.recovery.pause_left("api")

    assert lives.live(body) == 0.0


def test_a_wall_clock_that_was_wrong_lengthens_no_pause_beyond_three_days() -> None:
    lives = Lives()

    async def pauses(runtime: Runtime) -> None:
        runtime.recovery.pause("api", 100.0)

    lives.live(pauses)
    lives.later(-1e8)

    async def body(runtime: Runtime) -> float:
        return runtime.recovery.pause_left("api")

    assert lives.live(body) == 3 * 86_400.0


def test_nothing_is_stored_of_a_bot_to_which_nothing_happens() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> None:
        await trio.sleep(200.0)

    lives.live(body, Supervisor("bot", [Child("idle", idle)]))

    assert [key for key in lives.store._entries if key.startswith("part:")] == []
