"""Guards by name: who shares what, what is kept, and what a test or a world leaves behind."""

from __future__ import annotations

import gc
import re
import threading
from collections import ChainMap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff, Child, Context, DuennaError, Supervisor, open_runtime
from duenna.guards import AdaptiveThrottle, Breaker, Fallback, Guard, Retry, RetryBudget, UnknownGuardError
from duenna.guards._registry import MOST, GuardRegistry, registry
from duenna.testing import fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

TRIPPY = Breaker.consecutive(2, open_for=10.0, success_threshold=1)


class BoomError(Exception):
    """What the calls fail with."""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Leave out the guards of other tests' modules."""
    outside, registry._known = registry._known, ChainMap()
    yield
    registry._known = outside


def once(name: str = "api", **policies: Any) -> Guard:
    """Make a guard that tries once."""
    return Guard(name, **({"retry": None, "breaker": TRIPPY} | policies))


def fail(guard: Guard, times: int = 1) -> None:
    def boom() -> None:
        raise BoomError

    for _ in range(times):
        with pytest.raises(BoomError):
            guard.call_sync(boom)


def bot() -> Supervisor:
    async def idle(context: Context) -> None:
        await trio.sleep_forever()

    return Supervisor("bot", [Child("idle", idle)])


class TestNames:
    def test_one_name_is_one_dependency(self) -> None:
        first, second = once(), once()

        fail(first, 2)

        assert second.dependency is first.dependency
        assert second.state == "open"

    def test_equal_settings_are_the_same_settings(self) -> None:
        first = once(breaker=AdaptiveThrottle(k=1.5), bulkhead=3)

        second = once(breaker=AdaptiveThrottle(k=1.5), bulkhead=3, retry=Retry(5), deadline=1.0)

        assert second.dependency is first.dependency

    def test_other_settings_are_refused_while_a_guard_lives(self) -> None:
        kept = once("api", breaker=None, bulkhead=2)

        with pytest.raises(ValueError, match=r"^guard 'api': ") as caught:
            once("api", breaker=None, bulkhead=3)

        there, here = (f"bulkhead=Bulkhead(limit={limit}, queue=100, max_wait=1.0)" for limit in (2, 3))
        assert str(caught.value) == (
            f"guard 'api': there is one of this name with {there}, this one has {here}: guards of one name share one "
            "breaker and bulkhead, so give both the same settings (or use `with_` of the one that is there), or give "
            "this one another name"
        )
        assert once("api", breaker=None, bulkhead=2).dependency is kept.dependency

    def test_a_refused_guard_does_not_count_as_one_that_lives(self) -> None:
        once(bulkhead=2)
        refused = Guard.__new__(Guard)
        kept = once(bulkhead=2)
        with pytest.raises(ValueError, match="this one has"):
            refused.__init__("api", bulkhead=3)  # type: ignore[misc]  # held beyond its failure, as a traceback would

        del kept

        assert once(bulkhead=3).dependency.settings.bulkhead is not None

    def test_other_settings_replace_those_of_guards_that_are_gone(self) -> None:
        fail(once(), 2)

        second = once(breaker=None)

        assert second.state == "disabled"
        assert registry.guards["api"] is second.dependency

    def test_a_guard_that_is_garbage_does_not_live(self) -> None:
        cycle: list[Any] = [once()]
        cycle.append(cycle)
        gc.disable()
        try:
            del cycle

            second = once(breaker=None)
        finally:
            gc.enable()

        assert second.state == "disabled"

    def test_a_decorated_function_keeps_its_guard_alive(self) -> None:
        @once()
        def fetch() -> int:
            return 1

        with pytest.raises(ValueError, match="guard 'api': there is one"):
            once(breaker=None)
        assert fetch() == 1

    def test_a_guard_with_other_policies_is_one_of_its_name(self) -> None:
        derived = once().with_(deadline=3.0)

        with pytest.raises(ValueError, match="guard 'api': there is one"):
            once(breaker=None)
        assert derived.state == "closed"

    def test_what_guards_of_a_name_know_outlives_them(self) -> None:
        fail(once(), 2)

        assert once().state == "open"

    def test_threads_that_make_a_guard_at_once_get_one_dependency(self) -> None:
        barrier = threading.Barrier(8)
        guards: list[Guard] = []

        def make() -> None:
            barrier.wait()
            guards.extend(once(f"api{number}") for number in range(50))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len({id(guard.dependency) for guard in guards}) == 50


class TestKeeping:
    def test_the_one_that_nobody_asked_for_longest_goes_first(self) -> None:
        for number in range(MOST):
            once(f"api{number:04}")
        once("api0000")

        once("one more")

        assert len(registry.guards) == MOST
        assert "api0000" in registry.guards
        assert "api0001" not in registry.guards

    def test_a_guard_that_lives_is_never_forgotten(self) -> None:
        kept = [once(f"api{number:04}") for number in range(MOST + 5)]

        once("gone")

        assert len(registry.guards) == MOST + 5 + ("gone" in registry.guards)
        assert all(registry.guards[guard.name] is guard.dependency for guard in kept)


class TestLooking:
    async def test_a_runtime_shows_every_guard_by_name(self) -> None:
        beta, alpha = once("beta"), once("alpha")
        async with open_runtime(bot(), log_level=None, watchdog=None) as runtime:
            gamma = once("gamma")

            assert list(runtime.guards) == ["alpha", "beta", "gamma"]
            assert runtime.guards["gamma"] is gamma.dependency
            assert dict(runtime.guards) == {guard.name: guard.dependency for guard in (alpha, beta, gamma)}
            assert repr(runtime.guards) == "<guards: alpha, beta, gamma>"

    def test_an_iteration_sees_those_of_its_begin(self) -> None:
        for name in "ba":
            once(name)

        assert [once(2 * name).name for name in registry.guards] == ["aa", "bb"]
        assert len(registry.guards) == 4

    def test_an_unknown_name_is_told_with_those_there_are(self) -> None:
        with pytest.raises(UnknownGuardError, match=r"^no such guard: 'x', there is none at all$"):
            registry.guards["x"]
        guards = [once(f"api{number}") for number in range(12)]
        listed = ", ".join(sorted(guard.name for guard in guards)[:10])

        with pytest.raises(KeyError, match=f"^no such guard: 'x', there is {re.escape(listed)}, ...$") as caught:
            registry.guards["x"]

        assert isinstance(caught.value, DuennaError)
        assert registry.guards.get("x") is None

    def test_statistics_are_by_name(self) -> None:
        for name in "ba":
            fail(once(name))

        assert [(each.name, each.failures) for each in registry.guards.statistics()] == [("a", 1), ("b", 1)]
        assert repr(GuardRegistry().guards) == "<guards: none>"


class TestFresh:
    def test_a_guard_from_outside_begins_anew_inside_and_after(self) -> None:
        outside = once()
        fail(outside, 2)

        with fresh_guards():
            assert outside.state == "closed"
            assert outside.statistics().failures == 0
            fail(outside, 2)
            assert registry.guards["api"] is outside.dependency

        assert outside.state == "closed"
        assert outside.last_error is None

    def test_a_name_inside_is_another_dependency(self) -> None:
        outside = once()
        with fresh_guards():
            inside = once(breaker=None)

            assert registry.guards["api"] is inside.dependency

        assert registry.guards["api"] is outside.dependency
        assert once().dependency is outside.dependency

    def test_a_guard_that_is_gone_is_left_behind(self) -> None:
        with fresh_guards():
            once("mine")

        assert "mine" not in registry.guards

    def test_a_guard_that_is_garbage_is_left_behind_too(self) -> None:
        gc.disable()
        try:
            with fresh_guards():
                cycle: list[Any] = [once("mine")]
                cycle.append(cycle)
                del cycle

            assert "mine" not in registry.guards
        finally:
            gc.enable()

    def test_a_guard_that_outlives_it_stays_known(self) -> None:
        with fresh_guards():
            module = once("module")
            fail(module, 2)

        assert registry.guards["module"] is module.dependency
        assert module.state == "closed"

    def test_it_ends_with_an_error_too(self) -> None:
        with suppress(BoomError), fresh_guards():
            fail(once("mine"))
            raise BoomError

        assert "mine" not in registry.guards

    def test_all_that_a_guard_remembers_is_forgotten(self) -> None:
        budget = RetryBudget(cap=2.0, free=0)
        guard = once(retry=Retry(2, backoff=Backoff.none(), budget=budget), fallback=Fallback.last_good(60.0))
        answers = iter([5])

        def fetch() -> int:
            for answer in answers:
                return answer
            raise BoomError

        assert [guard.call_sync(fetch), guard.call_sync(fetch)] == [5, 5]

        with fresh_guards():
            with pytest.raises(BoomError):
                guard.call_sync(fetch)
            budget_left = budget.balance

        assert budget_left == 1.0
        assert budget.balance == 2.0


class TestChance:
    async def test_a_runtime_gives_its_own(self) -> None:
        assert registry.rng() is registry.rng()
        outside = registry.rng()
        async with open_runtime(bot(), seed=7, log_level=None, watchdog=None) as runtime:
            assert registry.rng() is runtime.rng
            seen: list[Random] = []
            await trio.to_thread.run_sync(lambda: seen.append(registry.rng()))
            assert seen == [runtime.rng]  # the only one there is

        assert registry.rng() is outside

    async def test_of_several_runtimes_the_one_that_runs_here(self) -> None:
        ready, over = threading.Event(), threading.Event()
        seen: list[Random] = []

        async def elsewhere() -> None:
            async with open_runtime(bot(), log_level=None, watchdog=None) as other:
                seen.append(other.rng)
                seen.append(registry.rng())
                ready.set()
                await trio.to_thread.run_sync(over.wait)

        thread = threading.Thread(target=trio.run, args=(elsewhere,))
        async with open_runtime(bot(), log_level=None, watchdog=None) as runtime:
            thread.start()
            await trio.to_thread.run_sync(ready.wait)
            try:
                in_no_loop: list[Random] = []
                await trio.to_thread.run_sync(lambda: in_no_loop.append(registry.rng()))

                assert registry.rng() is runtime.rng
                assert seen[0] is seen[1]
                assert in_no_loop[0] not in {runtime.rng, seen[0]}
            finally:
                over.set()
                thread.join()


def test_all_of_them_are_given_as_they_are_now() -> None:
    made = [once("b"), once("a")]

    items = registry.guards.items()
    once("c")

    assert list(items) == [("a", made[1].dependency), ("b", made[0].dependency)]
