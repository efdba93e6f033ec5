"""Breakers outlive the process: open ones for the rest of their time, those that a hand has moved until a hand does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from duenna import Breaker, Guard, Supervisor
from duenna.guard_events import BreakerChanged
from duenna.guards import AdaptiveThrottle, CircuitOpenError
from duenna.guards._memory import BreakerMemory
from duenna.guards._registry import registry
from duenna.machines.breaker import BreakerState, Cause
from duenna.storage import MemoryStore
from duenna.testing import rehearse

from .kit import DurableStore
from .lives import WALL, Lives, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from duenna import Runtime
    from duenna.events import Event

S = BreakerState
QUICK = Breaker.consecutive(2, open_for=60.0, success_threshold=1)
GROWING = Breaker.consecutive(1, open_for=10.0, growth=2.0, success_threshold=1)


class BoomError(Exception):
    """What the calls fail with."""


def guard(name: str = "api", breaker: Any = QUICK) -> Guard:
    return Guard(name, retry=None, breaker=breaker)


def boom() -> None:
    raise BoomError


def fail(given: Guard, times: int = 2) -> None:
    for _ in range(times):
        with pytest.raises(BoomError):
            given.call_sync(boom)


def wait_of(given: Guard) -> float:
    """Return for how long *given* refuses calls."""
    with pytest.raises(CircuitOpenError) as caught:
        given.call_sync(lambda: None)
    return caught.value.retry_after


def breaks(given: Callable[[], Guard] = guard, times: int = 2) -> Callable[[Runtime], Awaitable[None]]:
    """Return a life in which a breaker opens."""

    async def body(runtime: Runtime) -> None:
        made = given()
        fail(made, times)
        await settle(runtime)

    return body


def test_an_open_breaker_is_open_for_the_rest_of_its_time() -> None:
    lives = Lives()
    lives.live(breaks())
    lives.later(20.0)

    async def body(runtime: Runtime) -> tuple[float, float]:
        made = guard()
        await trio.sleep(15.0)
        first = wait_of(made)
        await trio.sleep(25.0)
        made.call_sync(lambda: None)  # the probe
        return first, made.dependency.statistics().since

    assert lives.live(body) == pytest.approx((25.0, 40.0))


def test_it_is_stored_although_the_process_is_killed_at_once() -> None:
    """Nobody asked for a save, and the next one was a minute away."""
    lives = Lives()

    async def dies(runtime: Runtime) -> None:
        fail(guard())
        await trio.testing.wait_all_tasks_blocked()

    lives.live(dies, is_killed=True)

    async def body(runtime: Runtime) -> float:
        return wait_of(guard())

    assert lives.live(body) == pytest.approx(60.0)


def test_after_its_time_the_next_call_is_a_probe() -> None:
    lives = Lives()
    lives.live(breaks())
    lives.later(3600.0)

    async def body(runtime: Runtime) -> list[str]:
        made = guard()
        states: list[str] = [made.dependency.state]
        fail(made, 1)  # what fails now fails alone
        states.append(made.dependency.state)
        return states

    assert lives.live(body) == [S.OPEN, S.OPEN]


def test_a_half_open_one_lets_the_next_call_probe() -> None:
    lives = Lives()

    async def half(runtime: Runtime) -> None:
        made = guard()
        fail(made)
        await trio.sleep(61.0)

        async def hangs() -> None:
            await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.call, hangs)
            await trio.testing.wait_all_tasks_blocked()
            assert made.dependency.state is S.HALF_OPEN
            await settle(runtime)
            nursery.cancel_scope.cancel()

    lives.live(half, is_killed=True)

    async def body(runtime: Runtime) -> tuple[str, str]:
        made = guard()
        before = made.dependency.state
        made.call_sync(lambda: None)
        return before, made.dependency.state

    assert lives.live(body) == (S.OPEN, S.CLOSED)


def test_the_openings_in_a_row_go_on() -> None:
    """The third opening is the longest, whichever process has it."""
    lives = Lives()
    lives.live(breaks(lambda: guard(breaker=GROWING), 1))
    lives.later(10.0)

    async def body(runtime: Runtime) -> float:
        made = guard(breaker=GROWING)
        fail(made, 1)
        await settle(runtime)
        return wait_of(made)

    assert lives.live(body) == pytest.approx(20.0)
    lives.later(20.0)
    assert lives.live(body) == pytest.approx(40.0)


@pytest.mark.parametrize("step", [-1_000_000.0, 1_000_000.0])
def test_a_wall_clock_that_jumps_never_lengthens_it(step: float) -> None:
    lives = Lives()
    lives.live(breaks())
    lives.later(step)

    async def body(runtime: Runtime) -> float:
        await trio.sleep(60.0)
        made = guard()
        made.call_sync(lambda: None)
        return made.dependency.statistics().state == S.CLOSED

    assert lives.live(body)


@pytest.mark.parametrize(
    ("move", "state"),
    [("force_open", S.FORCED_OPEN), ("disable", S.DISABLED), ("metrics_only", S.METRICS_ONLY)],
)
def test_what_a_hand_did_stands_until_a_hand_says_otherwise(move: str, state: BreakerState) -> None:
    lives = Lives()

    async def by_hand(runtime: Runtime) -> None:
        made = guard()
        getattr(made.dependency, move)()

    lives.live(by_hand)
    lives.later(1_000_000.0)

    async def closes(runtime: Runtime) -> BreakerState:
        made = guard()
        before = made.dependency.state
        made.dependency.close()
        return before

    assert lives.live(closes) is state

    async def body(runtime: Runtime) -> BreakerState:
        return guard().dependency.state

    assert lives.live(body) is S.CLOSED


def test_what_is_closed_again_is_forgotten() -> None:
    lives = Lives()
    lives.live(breaks())

    async def heals(runtime: Runtime) -> None:
        made = guard()
        await trio.sleep(61.0)
        made.call_sync(lambda: None)

    lives.live(heals)

    assert "part:guards" not in lives.store._entries


def test_a_guard_that_was_not_made_in_one_process_is_remembered_for_the_next() -> None:
    lives = Lives()
    lives.live(breaks())

    async def without(runtime: Runtime) -> None:
        await settle(runtime)

    lives.live(without)

    async def body(runtime: Runtime) -> float:
        return wait_of(guard())

    assert lives.live(body) == pytest.approx(60.0)


def test_an_opening_of_a_guard_that_nobody_makes_any_more_is_forgotten_after_a_day() -> None:
    lives = Lives()
    lives.live(breaks())

    async def without(runtime: Runtime) -> None:
        await settle(runtime)

    lives.later(86_000.0)
    lives.live(without)
    assert "part:guards" in lives.store._entries

    lives.later(1_000.0)
    lives.live(without)
    assert "part:guards" not in lives.store._entries


def test_one_of_a_module_is_restored_when_the_runtime_opens() -> None:
    """It was made before there was a runtime, and before there was a loop."""
    lives = Lives()
    lives.live(breaks())
    made: list[Guard] = []

    async def body(runtime: Runtime) -> float:
        return wait_of(made[0])

    assert lives.live(body, before=lambda: made.append(guard())) == pytest.approx(60.0)


def test_a_dependency_that_was_used_stays_as_it_is() -> None:
    """What this process knows is newer than what was stored."""
    lives = Lives()
    lives.live(breaks())

    async def body(runtime: Runtime) -> BreakerState:
        memories = runtime.system.breakers
        assert memories is not None
        stored = dict(memories.pending)
        memories.pending.clear()
        made = guard()
        made.call_sync(lambda: None)
        memories.pending = stored

        assert memories.recall(made.dependency) is None
        return made.dependency.state

    assert lives.live(body) is S.CLOSED


@pytest.mark.parametrize("stored", [S.OPEN, S.FORCED_OPEN])
def test_what_this_program_moved_by_hand_stays_as_it_is(stored: BreakerState) -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> BreakerState:
        memories = runtime.system.breakers
        assert memories is not None
        made = guard()
        made.dependency.disable()
        until = WALL + 60.0 if stored is S.OPEN else None
        memories.pending["api"] = BreakerMemory(state=stored, since=WALL, until=until)

        assert memories.recall(made.dependency) is None
        return made.dependency.state

    assert lives.live(body) is S.DISABLED


def test_a_restored_breaker_is_announced() -> None:
    lives = Lives()
    lives.live(breaks())
    heard: list[Event] = []

    async def body(runtime: Runtime) -> tuple[str, float]:
        guard()
        report = runtime.health()
        return report.services["api"], next(kpi.value or 0.0 for kpi in report.kpis if "breaker" in kpi.name)

    assert lives.live(body, hear=[BreakerChanged], heard=heard) == ("unavailable", 0.0)
    (event,) = heard
    assert isinstance(event, BreakerChanged)
    assert (event.guard, event.previous, event.state, event.cause) == ("api", S.CLOSED, S.OPEN, Cause.RESTORED)
    assert event.open_for == pytest.approx(60.0)


def test_an_order_gateway_whose_breaker_was_open_trades_on_paper() -> None:
    lives = Lives()
    lives.live(breaks())

    async def body(runtime: Runtime) -> tuple[bool, bool]:
        runtime.recovery.add_gateway("api")
        await trio.testing.wait_all_tasks_blocked()
        before = runtime.recovery.trading.is_paper
        guard()
        await trio.testing.wait_all_tasks_blocked()
        return before, runtime.recovery.trading.is_paper

    assert lives.live(body) == (False, True)


def test_what_has_no_breaker_any_more_passes() -> None:
    lives = Lives()
    lives.live(breaks())

    async def body(runtime: Runtime) -> BreakerState:
        made = guard(breaker=AdaptiveThrottle())
        made.call_sync(lambda: None)
        return made.dependency.state

    assert lives.live(body) is S.DISABLED


def test_what_has_no_breaker_can_be_shut_by_a_hand() -> None:
    lives = Lives()

    async def by_hand(runtime: Runtime) -> None:
        guard(breaker=None).dependency.force_open()

    lives.live(by_hand)

    async def body(runtime: Runtime) -> BreakerState:
        return guard(breaker=None).dependency.state

    assert lives.live(body) is S.FORCED_OPEN


def test_a_rehearsal_knows_nothing_of_it() -> None:
    """It has names of its own, and must not use up what was stored."""
    lives = Lives()
    lives.live(breaks())

    async def body(runtime: Runtime) -> tuple[list[str], list[str]]:
        memories = runtime.system.breakers
        assert memories is not None
        made = guard()
        memories.pending["api"] = BreakerMemory(state=S.FORCED_OPEN, since=WALL)
        plan = rehearse(made, [1])
        return [str(step) for step in plan.steps], list(memories.pending)

    steps, pending = lives.live(body)
    assert not any("rejected" in step for step in steps)
    assert pending == ["api"]


def test_an_open_breaker_is_stored_once() -> None:
    """What has not changed is not written again, whatever the clocks' last digits are."""
    lives = Lives()

    async def body(runtime: Runtime) -> tuple[int, int]:
        runtime.state.wall = lambda: WALL + 1.000001 * trio.current_time()  # no two clocks are the same
        fail(guard())
        await settle(runtime)
        before = len(lives.store.commits)
        for _ in range(5):
            await trio.sleep(7.7)
            await settle(runtime)
        return before, len(lives.store.commits)

    before, after = lives.live(body)
    assert before == after


def test_a_runtime_whose_state_ends_with_it_restores_nothing() -> None:
    lives = Lives()
    lives.live(breaks())
    kept = MemoryStore()
    kept._entries, kept._seq = dict(lives.store._entries), 1
    lives.store = kept  # type: ignore[assignment]

    async def body(runtime: Runtime) -> BreakerState:
        return guard().dependency.state

    assert lives.live(body) is S.CLOSED


def test_of_another_world_it_remembers_nothing() -> None:
    """A guard of a module begins anew with the next virtual clock, as it does without a state."""
    lives, made = Lives(), list[Guard]()

    async def by_hand(runtime: Runtime) -> None:
        guard().dependency.disable()

    async def body(runtime: Runtime) -> BreakerState:
        return made[0].dependency.state

    async def elsewhere() -> None:
        await made[0].call(trio.lowlevel.checkpoint)

    lives.live(by_hand)
    assert lives.live(body, before=lambda: made.append(guard())) is S.DISABLED
    trio.run(elsewhere, clock=trio.testing.MockClock())

    assert made[0].dependency.state is S.CLOSED


@pytest.mark.parametrize("makes_another", [True, False])
def test_where_names_mean_new_guards_those_from_outside_are_restored_too(makes_another: bool) -> None:
    """A test's bot uses guards of modules that were imported outside; what moves them is remembered as everywhere."""
    lives, made = Lives(), list[Guard]()

    async def by_hand(runtime: Runtime) -> None:
        guard().dependency.force_open()

    lives.live(by_hand)

    async def body(runtime: Runtime) -> list[Any]:
        states = [made[0].dependency.state]
        if makes_another:
            states.append(guard().dependency.state)
        made[0].dependency.close()
        registry.guards["api"].close()
        await settle(runtime)
        return [*states, "part:guards" in lives.store._entries]

    states = [S.FORCED_OPEN] * (2 if makes_another else 1)
    assert lives.live(body, before=lambda: made.append(guard()), is_fresh=True) == [*states, False]


def test_two_runtimes_of_one_process_restore_it_once() -> None:
    """The second finds a dependency that was moved already, and takes it as it is."""
    lives = Lives()
    lives.live(breaks())
    other = DurableStore()
    other._entries = {"part:guards": lives.store._entries["part:guards"]}
    other._seq = 1

    async def body(runtime: Runtime) -> tuple[float, float]:
        made = guard()
        first = wait_of(made)
        from duenna import open_runtime  # noqa: PLC0415

        async with open_runtime(Supervisor("second"), log_level=None, state=other, watchdog=None):
            await trio.sleep(10.0)
            return first, wait_of(made)

    assert lives.live(body) == pytest.approx((60.0, 50.0))


def test_at_most_a_thousand_are_stored() -> None:
    lives = Lives()

    async def body(runtime: Runtime) -> int:
        memories = runtime.system.breakers
        assert memories is not None
        memories.load({f"g{n}": BreakerMemory(state=S.FORCED_OPEN, since=WALL) for n in range(1001)})
        return len(memories.dump() or {})

    assert lives.live(body) == 1000
