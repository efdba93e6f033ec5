"""The same guards under asyncio: exact times, cancellation, and no task left behind."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
    AttemptTimeoutError,
    BadResultError,
    Breaker,
    Bulkhead,
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    Fallback,
    Guard,
    Hedge,
    RateLimit,
    RateLimitedError,
    Retry,
    ThrottledError,
)
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import HANGS, BoomError, FarEnd, HttpError, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def steady(attempts: int, wait: float = 1.0, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(wait), **settings)


def guard(**policies: Any) -> Guard:
    """Return a guard with these policies and no other."""
    return Guard("api", **({"retry": None, "breaker": None} | policies))


def virtually(main: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float]:
    """Run *main*; return what it gives and how long it took."""

    async def timed() -> tuple[Any, float]:
        value = await main()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return value, asyncio.get_running_loop().time()

    return virtual_asyncio.run(timed())


class TestPolicies:
    def test_waits(self) -> None:
        far = FarEnd([BoomError, HttpError(503, 7.0), BoomError, "up"])

        assert virtually(lambda: guard(retry=steady(4)).call(far.fetch)) == ("up", 9.0)

        assert far.at == [0.0, 1.0, 8.0, 9.0]

    def test_the_error_and_its_note(self) -> None:
        error = BoomError()

        with pytest.raises(BoomError) as caught:
            virtually(lambda: guard(retry=steady(3)).call(FarEnd([error]).fetch))

        assert caught.value is error
        assert error.__notes__ == [
            "duenna: guard 'api' gave up after 3 attempts, 2 s after the first one failed: no attempts are left"
        ]

    def test_an_attempt_that_hangs(self) -> None:
        far = FarEnd([HANGS, HANGS, "up"])

        assert virtually(lambda: guard(retry=steady(3), attempt_timeout=2.0).call(far.fetch)) == ("up", 6.0)

        assert far.cancelled == 2

    def test_a_timeout_of_the_functions_own_is_its_own(self) -> None:
        with pytest.raises(TimeoutError) as caught:
            virtually(lambda: guard(attempt_timeout=2.0).call(FarEnd([TimeoutError("its own")]).fetch))

        assert str(caught.value) == "its own"

    def test_a_deadline(self) -> None:
        async def main() -> None:
            with pytest.raises(DeadlineExceededError) as caught:
                await guard(retry=steady(9), deadline=2.5).call(FarEnd([BoomError, HANGS]).fetch)
            assert isinstance(caught.value.__cause__, BoomError)

        assert virtually(main) == (None, 2.5)

    def test_an_attempt_that_would_begin_after_the_deadline_is_not_made(self) -> None:
        far = FarEnd([BoomError, "up"])

        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, virtual_asyncio.VirtualLoop)
            loop.call_at(0.5, setattr, loop, "_now", 5.0)
            with pytest.raises(DeadlineExceededError):
                await guard(retry=steady(2), deadline=2.5).call(far.fetch)

        virtually(main)

        assert far.calls == 1

    def test_a_result_that_is_not_accepted(self) -> None:
        retry = steady(2, on_result=lambda value: value is None)

        assert virtually(lambda: guard(retry=retry).call(FarEnd([None, 5]).fetch)) == (5, 1.0)
        with pytest.raises(BadResultError):
            virtually(lambda: guard(retry=retry).call(FarEnd([None]).fetch))

    def test_a_bulkhead(self) -> None:
        far = FarEnd(["up"], takes=0.75)
        guarded = guard(bulkhead=Bulkhead(2, queue=2, max_wait=1.0))

        async def main() -> list[Any]:
            return await asyncio.gather(*(guarded.call(far.fetch) for _ in range(5)), return_exceptions=True)

        results, took = virtually(main)

        assert (far.most, took) == (2, 1.5)
        assert [type(result) for result in results] == [str, str, str, str, BulkheadFullError]

    def test_a_rate_limit(self) -> None:
        guarded = guard(rate_limit=RateLimit(1, 0.5, max_wait=0.75))
        far = FarEnd(["up"])

        async def main() -> list[Any]:
            return await asyncio.gather(*(guarded.call(far.fetch) for _ in range(3)), return_exceptions=True)

        results, _ = virtually(main)

        assert far.at == [0.0, 0.5]
        assert isinstance(results[2], RateLimitedError)

    def test_a_hedge(self) -> None:
        far = FarEnd([HANGS, "up"], takes=0.25)

        assert virtually(lambda: guard(hedge=Hedge(after=0.5)).call(far.fetch)) == ("up", 0.75)

        assert (far.at, far.cancelled) == ([0.0, 0.5], 1)

    def test_fallbacks(self) -> None:
        async def replica() -> str:
            await asyncio.sleep(3.0)
            return "replica"

        guarded = guard(fallback=Fallback.call(replica), deadline=1.0)

        assert virtually(lambda: guarded.call(FarEnd([HANGS]).fetch)) == ("replica", 4.0)

    def test_all_of_them(self) -> None:
        far = FarEnd([HANGS, BoomError, "up", BoomError], takes=0.25)
        guarded = Guard(
            "all",
            retry=steady(3),
            breaker=Breaker(),
            attempt_timeout=1.0,
            deadline=30.0,
            fallback=Fallback.last_good(60.0),
            bulkhead=5,
            rate_limit=RateLimit(1000, 1.0),
            hedge=Hedge(after=5.0),
        )

        async def main() -> list[Any]:
            return [await guarded.call(far.fetch), await guarded.call(far.fetch)]

        assert virtually(main) == (["up", "up"], 1.0 + 1.0 + 0.25 + 1.0 + 0.25 + (0.25 + 1.0) * 2 + 0.25)
        assert guarded.statistics().in_flight == 0


class TestBreaker:
    def test_it_opens_waits_and_closes(self) -> None:
        guarded = guard(breaker=Breaker.consecutive(3, open_for=10.0, success_threshold=1))
        far = FarEnd([BoomError, BoomError, BoomError, "up"])

        async def main() -> list[str]:
            states = []
            for _ in range(4):
                with suppress(BoomError, CircuitOpenError):
                    await guarded.call(far.fetch)
                states.append(str(guarded.state))
            await asyncio.sleep(9.75)
            with pytest.raises(CircuitOpenError, match=r"for another 0\.25 s"):
                await guarded.call(far.fetch)
            await asyncio.sleep(0.25)
            assert await guarded.call(far.fetch) == "up"
            return states

        assert virtually(main) == (["closed", "closed", "open", "open"], 10.0)
        assert guarded.state == "closed"

    @pytest.mark.parametrize("way", ["decorated", "called"])
    def test_a_late_success_is_counted_and_closes_nothing(self, way: str) -> None:
        guarded = guard(breaker=Breaker.consecutive(1, open_for=60.0))
        far = FarEnd(["up"], takes=5.0)
        decorated = guarded(far.fetch)

        async def main() -> str:
            await guarded.call(FarEnd([1]).fetch)  # the first call of all takes the long way
            task = asyncio.create_task(decorated() if way == "decorated" else guarded.call(far.fetch))
            await asyncio.sleep(1.0)
            with suppress(BoomError):
                await guarded.call(FarEnd().fetch)
            return str(await task)

        assert virtually(main) == ("up", 5.0)
        assert guarded.state == "open"
        assert (guarded.statistics().late, guarded.statistics().successes) == (1, 2)

    def test_one_probe(self) -> None:
        guarded = guard(breaker=Breaker.consecutive(1, open_for=10.0))
        far = FarEnd([BoomError, "up"], takes=1.0)

        async def main() -> list[Any]:
            with suppress(BoomError):
                await guarded.call(far.fetch)
            await asyncio.sleep(10.0)
            return await asyncio.gather(*(guarded.call(far.fetch) for _ in range(50)), return_exceptions=True)

        results, _ = virtually(main)

        assert far.calls == 2
        assert [type(result) for result in results] == [str] + [CircuitOpenError] * 49


class TestOnceItIsKnownThatTimeIsReal:
    """From the second call on the short way is taken, but only where no policy needs the long one."""

    @pytest.mark.parametrize(
        ("policies", "error"),
        [
            ({"attempt_timeout": 1.0}, AttemptTimeoutError),
            ({"deadline": 1.0}, DeadlineExceededError),
            ({"rate_limit": RateLimit(1, 60.0)}, RateLimitedError),
            ({"retry": Retry(1, on_result=lambda value: value == "slow")}, BadResultError),
            ({"breaker": Breaker(window=1, slow_call=1.0)}, CircuitOpenError),
            (
                {"breaker": Breaker(window=60.0, per="seconds", minimum_calls=1, slow_call=1.0, slow_rate=0.5)},
                CircuitOpenError,
            ),
        ],
        ids=str,
    )
    def test_every_policy_still_holds(self, policies: Any, error: type[Exception]) -> None:
        guarded, far = guard(**policies), FarEnd(["quick", "slow"])

        async def main() -> None:
            await guarded.call(far.fetch)
            far.takes = 5.0
            await asyncio.gather(guarded.call(far.fetch), return_exceptions=True)
            with pytest.raises(error):
                await guarded.call(far.fetch)

        virtually(main)

    def test_a_bulkhead_still_holds(self) -> None:
        guarded, far = guard(bulkhead=Bulkhead(1)), FarEnd(["up"], takes=0.25)

        async def main() -> None:
            await guarded.call(far.fetch)
            await asyncio.gather(*(guarded.call(far.fetch) for _ in range(3)))

        virtually(main)

        assert far.most == 1

    def test_a_hedge_is_still_made(self) -> None:
        guarded, far = guard(hedge=Hedge(after=0.5)), FarEnd(["up", HANGS, "up"])

        async def main() -> None:
            for _ in range(2):
                assert await guarded.call(far.fetch) == "up"

        virtually(main)

        assert far.calls == 3

    def test_a_throttle_still_refuses(self) -> None:
        guarded, far = guard(breaker=AdaptiveThrottle(minimum_calls=1)), FarEnd(["up", BoomError])

        async def main() -> None:
            for _ in range(100):
                with suppress(BoomError, ThrottledError):
                    await guarded.call(far.fetch)

        virtually(main)

        assert far.calls < 90

    def test_answers_are_still_remembered(self) -> None:
        guarded, far = guard(fallback=Fallback.last_good(60.0)), FarEnd([1, 2, BoomError])

        async def main() -> list[int]:
            return [await guarded.call(far.fetch) for _ in range(3)]

        assert virtually(main)[0] == [1, 2, 2]


POLICIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "retry": {"retry": Retry(3)},
    "attempt timeout": {"attempt_timeout": 60.0},
    "deadline": {"deadline": 60.0},
    "bulkhead": {"bulkhead": 1},
    "hedge": {"hedge": Hedge(after=0.5)},
    "breaker": {"breaker": Breaker()},
    "fallback": {"fallback": Fallback.value(1)},
}


class TestCancellation:
    @pytest.mark.parametrize("policies", POLICIES.values(), ids=POLICIES)
    def test_it_comes_out_as_it_is_and_nothing_is_kept(self, policies: Any) -> None:
        guarded, far = guard(**policies), FarEnd([HANGS])

        async def main() -> None:
            task = asyncio.create_task(guarded.call(far.fetch))
            await asyncio.sleep(1.0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert virtually(main) == (None, 1.0)
        assert (far.under_way, far.cancelled) == (0, far.calls)
        counted = guarded.statistics()
        assert (counted.calls, counted.ignored, counted.attempts) == (0, far.calls, far.calls)
        assert counted.in_flight in {None, 0}

    def test_of_a_wait_between_attempts(self) -> None:
        guarded = guard(retry=steady(3, 60.0))

        async def main() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(5.0):
                    await guarded.call(FarEnd().fetch)

        assert virtually(main) == (None, 5.0)
        assert guarded.dependency.budget.retrying == 0

    def test_a_timeout_of_the_callers_is_no_timeout_of_ours(self) -> None:
        guarded = guard(attempt_timeout=5.0, breaker=Breaker.consecutive(1))

        async def main() -> None:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(1.0):
                    await guarded.call(FarEnd([HANGS]).fetch)
            assert not isinstance(caught.value, AttemptTimeoutError)

        assert virtually(main) == (None, 1.0)
        assert guarded.state == "closed"


class TestBothAtOnce:
    def test_one_guard_in_a_trio_loop_and_an_asyncio_loop(self) -> None:
        """Each in a thread of its own, they share a bulkhead of one slot."""
        guarded = guard(bulkhead=Bulkhead(1, max_wait=30.0))
        inside, most = list[str](), list[int]()
        together = threading.Barrier(2)

        async def in_trio() -> None:
            together.wait()
            for _ in range(20):
                await guarded.call(visit, "trio", trio.sleep)

        async def in_asyncio() -> None:
            together.wait()
            for _ in range(20):
                await guarded.call(visit, "asyncio", asyncio.sleep)

        async def visit(who: str, sleep: Any) -> None:
            inside.append(who)
            most.append(len(inside))
            await sleep(0)
            inside.remove(who)

        thread = threading.Thread(target=trio.run, args=(in_trio,))
        thread.start()
        asyncio.run(in_asyncio())
        thread.join(60.0)

        assert set(most) == {1}
        assert guarded.statistics().successes == 40

    def test_a_library_that_is_none_of_the_two(self) -> None:
        coroutine = guard(deadline=1.0).call(FarEnd().fetch)

        with pytest.raises(Exception, match=r"unknown async library|async library"):
            coroutine.send(None)
