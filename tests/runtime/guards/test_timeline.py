"""One time for trio, asyncio and threads; and another world where a clock is virtual."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock

from duenna._thread_clock import THREADS
from duenna.guards import Aimd, Breaker, Fallback, Guard, RateLimit, RateLimitedError, Retry
from duenna.guards._timeline import Timeline
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import BoomError, FarEnd, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


class Worlds:
    """Counts them."""

    def __init__(self) -> None:
        self.begun = 0
        self.timeline = Timeline(self.begin)

    def begin(self) -> None:
        self.begun += 1

    async def now(self) -> float:
        return self.timeline.now()


def virtually(main: Callable[[], Awaitable[Any]], start: float = 0.0) -> Any:
    """Run *main* on a virtual clock of its own."""
    clock = MockClock(autojump_threshold=0)
    clock.jump(start)
    return trio.run(main, clock=clock)


class TestOneTime:
    async def test_in_one_trio_run_it_is_exactly_trios(self, autojump_clock: MockClock) -> None:
        timeline = Timeline()
        assert timeline.now() == trio.current_time() == 0.0

        await trio.sleep(1.1)

        assert timeline.now() == trio.current_time() == 1.1

    def test_in_threads_alone_it_is_theirs(self) -> None:
        read = THREADS.reader()
        before, now, after = read(), Timeline().now(), read()

        assert before <= now <= after

    def test_in_one_asyncio_loop_it_is_exactly_the_loops(self) -> None:
        async def main() -> None:
            timeline = Timeline()
            await asyncio.sleep(1.5)
            assert timeline.now() == asyncio.get_running_loop().time() == 1.5

        virtual_asyncio.run(main())

    def test_it_goes_on_from_one_library_to_the_next(self) -> None:
        worlds = Worlds()
        times = [worlds.timeline.now()]
        times.append(trio.run(worlds.now))
        times.append(asyncio.run(worlds.now()))
        times.append(trio.run(worlds.now))
        times.append(worlds.timeline.now())

        assert times == sorted(times)
        assert times[-1] - times[0] < 60.0
        assert worlds.begun == 0

    def test_a_loop_that_begins_at_another_time_is_brought_in_line(self) -> None:
        worlds = Worlds()
        before = worlds.timeline.now()

        async def main() -> tuple[float, float]:
            first = worlds.timeline.now()
            await asyncio.sleep(100.0)
            return first, worlds.timeline.now()

        first, second = virtual_asyncio.run(main())

        assert before <= first < before + 60.0
        assert second == pytest.approx(first + 100.0)
        assert worlds.begun == 0

    async def test_threads_of_a_trio_run_have_its_time(self) -> None:
        worlds = Worlds()

        before = worlds.timeline.now()
        between = await trio.to_thread.run_sync(worlds.timeline.now)
        after = worlds.timeline.now()

        assert before <= between <= after
        assert worlds.begun == 0

    def test_many_loops_are_not_kept(self) -> None:
        worlds = Worlds()
        times = [asyncio.run(worlds.now()) for _ in range(20)]

        assert times == sorted(times)
        assert len(worlds.timeline._known) <= 8

    def test_threads_that_meet_it_at_once_agree(self) -> None:
        worlds = Worlds()
        trio.run(worlds.now)
        together, times = threading.Barrier(16), list[float]()

        def ask() -> None:
            together.wait()
            times.append(worlds.timeline.now())

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert max(times) - min(times) < 60.0
        assert worlds.begun == 0


class TestWorlds:
    def test_each_virtual_clock_is_a_world(self) -> None:
        worlds = Worlds()

        assert [virtually(worlds.now, start) for start in (0.0, 50.0, 7.0)] == [0.0, 50.0, 7.0]

        assert worlds.begun == 2

    def test_from_real_time_to_a_virtual_clock_and_back(self) -> None:
        worlds = Worlds()
        trio.run(worlds.now)
        assert virtually(worlds.now) == 0.0
        assert worlds.begun == 1

        trio.run(worlds.now)

        assert worlds.begun == 2

    def test_a_thread_that_looks_at_a_virtual_world_does_not_end_it(self) -> None:
        worlds = Worlds()
        virtually(worlds.now, 50.0)

        assert 50.0 <= worlds.timeline.now() < 110.0

        assert worlds.begun == 0

    def test_the_same_clock_again_is_the_same_world(self) -> None:
        worlds = Worlds()

        async def main() -> None:
            worlds.timeline.now()
            await trio.to_thread.run_sync(worlds.timeline.now)
            worlds.timeline.now()

        virtually(main)

        assert worlds.begun == 0


class TestAGuardOfAModule:
    """It is used in many trio runs, each with a virtual clock of its own, as tests do."""

    def test_its_breaker_begins_anew(self) -> None:
        guard = Guard("module", retry=None, breaker=Breaker.consecutive(3, open_for=10.0))

        async def main() -> tuple[int, str]:
            far = FarEnd()
            for _ in range(5):
                with suppress(Exception):
                    await guard.call(far.fetch)
            return far.calls, str(guard.state)

        assert [virtually(main, start) for start in (0.0, 100.0, 3.0)] == [(3, "open")] * 3

    def test_its_window_and_its_counters_begin_anew(self) -> None:
        guard = Guard("module", retry=None, breaker=Breaker.consecutive(3))

        async def fails_twice() -> tuple[str, int]:
            for _ in range(2):
                with suppress(BoomError):
                    await guard.call(FarEnd().fetch)
            return str(guard.state), guard.statistics().failures

        async def succeeds() -> tuple[str, int]:
            for _ in range(3):
                await guard.call(FarEnd([1]).fetch)
            return str(guard.state), guard.statistics().successes

        assert [virtually(main) for main in (fails_twice, fails_twice, succeeds, succeeds, fails_twice)] == [
            ("closed", 2),
            ("closed", 2),
            ("closed", 3),
            ("closed", 3),
            ("closed", 2),
        ]

    def test_decorated_functions_begin_anew_too(self) -> None:
        far = FarEnd([1, 1, BoomError])

        @Guard("module", retry=None, breaker=Breaker.consecutive(2))
        async def fetch() -> Any:
            return await far.fetch()

        async def main() -> int:
            far.at.clear()
            for _ in range(9):
                with suppress(Exception):
                    await fetch()
            return far.calls

        assert [virtually(main) for _ in range(3)] == [4, 4, 4]

    def test_its_budget_its_bulkhead_and_its_gate_begin_anew(self) -> None:
        gate = RateLimit(2, 1000.0, burst=1, max_wait=0.0)
        guard = Guard("module", retry=Retry(2), bulkhead=1, breaker=None, rate_limit=gate)

        async def main() -> tuple[int, float]:
            await guard.call(FarEnd([1]).fetch)
            with pytest.raises(RateLimitedError):
                await guard.call(FarEnd([1]).fetch)
            guard.dependency.budget.withdraw(5.0)
            statistics = guard.statistics()
            return statistics.successes, statistics.budget_left

        assert [virtually(main, start) for start in (900.0, 0.0, 50.0)] == [(1, 5.0)] * 3

    def test_a_limit_that_has_fallen_begins_anew(self) -> None:
        guard = Guard("module", retry=None, breaker=None, bulkhead=Aimd(8, decrease=0.5))

        async def main() -> int:
            with suppress(BoomError):
                await guard.call(FarEnd().fetch)
            slots = guard.dependency.slots
            assert slots is not None
            return slots.limit

        assert [virtually(main) for _ in range(3)] == [4, 4, 4]

    def test_the_health_begins_anew(self) -> None:
        guard = Guard("module", retry=None, fallback=Fallback.value(1))

        async def main() -> list[str]:
            seen = []
            for far in (FarEnd([2]), FarEnd()):
                await guard.call(far.fetch)
                seen.append(str(guard.health))
            return seen

        assert [virtually(main) for _ in range(2)] == [["ok", "degraded"]] * 2

    def test_the_last_good_answer_is_forgotten(self) -> None:
        far = FarEnd([1, BoomError])
        guard = Guard("module", retry=None, fallback=Fallback.last_good(1000.0))

        async def main() -> int:
            return int(await guard.call(far.fetch))

        assert virtually(main, 50.0) == 1
        with pytest.raises(BoomError):
            virtually(main)

    def test_from_real_time_to_a_virtual_clock_the_first_failure_counts(self) -> None:
        guard = Guard("module", retry=None, breaker=Breaker.consecutive(2))
        for _ in range(3):
            guard.call_sync(int)
        assert not guard.dependency.circuit.permit.gated

        async def main() -> str:
            for _ in range(2):
                with suppress(BoomError):
                    await guard.call(FarEnd().fetch)
            return str(guard.state)

        assert virtually(main) == "open"

    def test_real_runs_share_what_is_known(self) -> None:
        guard = Guard("module", retry=None, breaker=Breaker.consecutive(2))

        async def main() -> str:
            with suppress(BoomError):
                await guard.call(FarEnd().fetch)
            return str(guard.state)

        assert [trio.run(main), asyncio.run(main())] == ["closed", "open"]
