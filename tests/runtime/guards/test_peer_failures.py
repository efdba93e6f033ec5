"""What other libraries get wrong, each measured there, and once more here, to show that we do not."""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Backoff
from duenna.guards import (
    AttemptTimeoutError,
    Breaker,
    CircuitOpenError,
    DeadlineExceededError,
    Guard,
    Retry,
)
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import HANGS, BoomError, Draws, FarEnd, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def steady(attempts: int, wait: float = 1.0, **settings: Any) -> Retry:
    return Retry(attempts, backoff=Backoff.steps(wait), **settings)


class TestHalfOpen:
    """circuitbreaker, aiobreaker, purgatory, hyx and pyresilience let all 50 callers through."""

    @pytest.mark.parametrize("probes", [1, 3])
    async def test_of_fifty_callers_only_the_probes_get_through(self, autojump_clock: MockClock, probes: int) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=10.0, probes=probes))
        far = FarEnd([BoomError, "up"], takes=1.0)
        with suppress(BoomError):
            await guard.call(far.fetch)
        await trio.sleep(10.0)
        refused: list[CircuitOpenError] = []

        async def call() -> None:
            try:
                assert await guard.call(far.fetch) == "up"
            except CircuitOpenError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(call)

        assert far.calls == 1 + probes
        assert [error.state for error in refused] == ["half_open"] * (50 - probes)

    def test_the_same_with_fifty_threads(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=1e-9))
        with suppress(BoomError):
            guard.call_sync(FarEnd().get)
        started, over = threading.Barrier(50), threading.Event()
        inside: list[int] = []
        refused: list[CircuitOpenError] = []

        def probe(number: int) -> None:
            inside.append(number)
            over.wait()

        def call(number: int) -> None:
            started.wait()
            try:
                guard.call_sync(probe, number)
            except CircuitOpenError as error:
                refused.append(error)
                if len(refused) == 49:
                    over.set()

        run_threads(call, 50)

        assert (len(inside), len(refused)) == (1, 49)


class TestLocks:
    """pybreaker holds its lock during the call, and never trips on ``async def``."""

    @pytest.mark.parametrize("retry", [None, Retry(3)])
    def test_no_lock_is_held_during_a_call(self, retry: Retry | None) -> None:
        guard = Guard("api", retry=retry, bulkhead=4, deadline=60.0, fallback=None)
        together = threading.Barrier(4)
        met: list[int] = []

        @guard
        def meet() -> None:
            met.append(together.wait(10.0))

        run_threads(lambda _: meet(), 4)

        assert sorted(met) == [0, 1, 2, 3]

    def test_no_lock_is_held_during_a_call_that_takes_the_short_way(self) -> None:
        guard = Guard("api")
        guard.call_sync(int)
        together = threading.Barrier(4)

        run_threads(lambda _: guard.call_sync(together.wait, 10.0), 4)

        assert guard.statistics().successes == 5

    async def test_a_breaker_trips_on_async_functions(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(3))
        for _ in range(3):
            with suppress(BoomError):
                await guard.call(FarEnd().fetch)

        assert guard.state == "open"


class TestNoSuccess:
    """circuitbreaker books unlisted exceptions and cancelled calls as successes; both close its half-open breaker."""

    async def test_an_unlisted_exception_closes_nothing(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, record=OSError, success_threshold=1))
        far = FarEnd([OSError, BoomError, "up"])
        with suppress(OSError):
            await guard.call(far.fetch)
        await trio.sleep(60.0)

        with pytest.raises(BoomError):
            await guard.call(far.fetch)

        assert guard.state == "half_open"
        assert (guard.statistics().ignored, guard.statistics().successes) == (1, 0)
        assert await guard.call(far.fetch) == "up"
        assert guard.state == "closed"

    async def test_an_unlisted_exception_does_not_water_the_window_down(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker(window=4, ignore=BoomError))
        far = FarEnd([OSError, BoomError, BoomError, BoomError, OSError, OSError, OSError])
        for _ in range(7):
            with suppress(OSError, BoomError):
                await guard.call(far.fetch)

        assert guard.state == "open"

    async def test_a_cancelled_call_closes_nothing(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, success_threshold=1))
        far = FarEnd([BoomError, HANGS])
        with suppress(BoomError):
            await guard.call(far.fetch)
        await trio.sleep(60.0)

        with trio.move_on_after(1.0):
            await guard.call(far.fetch)

        assert guard.state == "half_open"
        assert (guard.statistics().successes, guard.statistics().ignored) == (0, 1)

    async def test_a_cancelled_call_is_no_outcome_of_a_closed_breaker(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None)
        with trio.move_on_after(1.0):
            await guard.call(trio.sleep_forever)

        window = guard.statistics().window
        assert window is not None
        assert window.calls == 0


class TestCancelledProbe:
    """In trio, a breaker whose probe is cancelled stays wedged unless it gives the permit back."""

    async def test_its_permit_is_given_back_at_once(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, success_threshold=1, probe_timeout=math.inf))
        far = FarEnd([BoomError, HANGS, "up"])
        with suppress(BoomError):
            await guard.call(far.fetch)
        await trio.sleep(60.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guard.call, far.fetch)
            await wait_all_tasks_blocked()
            with pytest.raises(CircuitOpenError):
                await guard.call(far.fetch)
            nursery.cancel_scope.cancel()

        assert await guard.call(far.fetch) == "up"
        assert guard.state == "closed"

    def test_under_asyncio_too(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, success_threshold=1, probe_timeout=math.inf))
        far = FarEnd([BoomError, HANGS, "up"])

        async def main() -> str:
            with suppress(BoomError):
                await guard.call(far.fetch)
            await asyncio.sleep(60.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await guard.call(far.fetch)
            return str(await guard.call(far.fetch))

        assert virtual_asyncio.run(main()) == "up"

    def test_a_plain_call_that_is_interrupted_gives_it_back_too(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1, open_for=1e-9, probe_timeout=math.inf))
        far = FarEnd([BoomError, KeyboardInterrupt, "up"])
        with suppress(BoomError):
            guard.call_sync(far.get)
        with suppress(KeyboardInterrupt):
            guard.call_sync(far.get)

        assert guard.call_sync(far.get) == "up"


class TestTimeouts:
    """stamina ``timeout=0.5`` and tenacity ``stop_after_delay(.5)`` took 0.90 s: neither interrupts an attempt."""

    async def test_an_attempt_is_cut_off_at_the_very_moment(self, autojump_clock: MockClock) -> None:
        far = FarEnd([HANGS])

        with pytest.raises(AttemptTimeoutError, match=r"^guard 'api': the attempt took longer than 0\.5 s$"):
            await Guard("api", retry=None, attempt_timeout=0.5).call(far.fetch)

        assert trio.current_time() == 0.5
        assert (far.cancelled, far.under_way) == (1, 0)

    async def test_a_deadline_cuts_off_the_attempt_under_way(self, autojump_clock: MockClock) -> None:
        far = FarEnd(takes=0.45)

        with pytest.raises(DeadlineExceededError) as caught:
            await Guard("api", retry=steady(9, 0.0), deadline=0.5).call(far.fetch)

        assert str(caught.value) == "guard 'api': no result within 0.5 s, in 2 attempts"
        assert trio.current_time() == 0.5
        assert far.at == [0.0, 0.45]

    def test_under_asyncio_too(self) -> None:
        async def main() -> float:
            with pytest.raises(AttemptTimeoutError):
                await Guard("api", retry=None, attempt_timeout=0.5).call(FarEnd([HANGS]).fetch)
            return asyncio.get_running_loop().time()

        assert virtual_asyncio.run(main()) == 0.5


class TestGroups:
    """A nursery's ``ExceptionGroup`` is retried by neither tenacity nor stamina with ``on=Err``."""

    async def test_a_group_of_what_is_retried_is_retried(self, autojump_clock: MockClock) -> None:
        far = FarEnd([BoomError, BoomError, "a", "b"])

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(far.fetch)
                nursery.start_soon(far.fetch)

        await Guard("api", retry=steady(2, on=BoomError)).call(both)

        assert far.at == [0.0, 0.0, 1.0, 1.0]

    async def test_a_group_with_anything_else_in_it_is_not(self, autojump_clock: MockClock) -> None:
        group = ExceptionGroup("two", [BoomError(), ExceptionGroup("one", [KeyError()])])
        far = FarEnd([group])

        with pytest.raises(ExceptionGroup) as caught:
            await Guard("api", retry=steady(2, on=BoomError)).call(far.fetch)

        assert caught.value is group
        assert far.calls == 1


class TestLibraries:
    """backoff, hyx, pyresilience and redress fail under trio: no running event loop."""

    async def test_trio(self, autojump_clock: MockClock) -> None:
        assert await Guard("api", retry=steady(3)).call(FarEnd([BoomError, BoomError, 7]).fetch) == 7
        assert trio.current_time() == 2.0

    def test_asyncio(self) -> None:
        async def main() -> tuple[int, float]:
            value = await Guard("api", retry=steady(3)).call(FarEnd([BoomError, BoomError, 7]).fetch)
            return value, asyncio.get_running_loop().time()

        assert virtual_asyncio.run(main()) == (7, 2.0)


class TestCounting:
    """hyx ``attempts=3`` makes 4 calls; stamina's reported next wait was off by one."""

    @pytest.mark.parametrize("attempts", [1, 2, 3, 6])
    def test_attempts_are_calls(self, attempts: int) -> None:
        far = FarEnd()

        with pytest.raises(BoomError):
            Guard("api", retry=Retry(attempts, backoff=Backoff.none()), breaker=None).call_sync(far.get)

        assert far.calls == attempts

    async def test_the_waits_are_those_that_were_asked_for(self, autojump_clock: MockClock) -> None:
        far = FarEnd()
        retry = Retry(6, backoff=Backoff.exponential(1.0, jitter="none"))

        with pytest.raises(BoomError):
            await Guard("api", retry=retry).call(far.fetch)

        assert far.at == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0]


class TestOverflow:
    """stamina raised `OverflowError` in the backoff past attempt 1024."""

    @pytest.mark.parametrize("jitter", ["none", "equal", "full"])
    async def test_the_attempt_after_very_many_waits_the_cap(self, autojump_clock: MockClock, jitter: str) -> None:
        retry = Retry(3000, backoff=Backoff.exponential(1e-300, maximum=1.0, jitter=jitter), budget=None)
        far = FarEnd()

        with pytest.raises(BoomError):
            await Guard("api", retry=retry, breaker=None, rng=Draws(1.0)).call(far.fetch)

        assert far.calls == 3000
        assert far.at[-1] - far.at[-2] <= 1.0 + 1e-9

    def test_attempt_one_million(self) -> None:
        for jitter in "none", "equal", "full":
            assert Backoff.exponential(1.0, jitter=jitter).delay(10**6, 1.0) == 60.0
        assert Backoff.decorrelated(1.0).delay(10**6, 1.0, 60.0) == 60.0


class TestLimits:
    """stamina: ``timeout=0`` silently disabled retries, and it was unbounded when both limits were falsy."""

    @pytest.mark.parametrize("attempts", [0, -1, None, False, True, 2.0, "3", math.inf])
    def test_attempts_that_are_no_number_of_at_least_one(self, attempts: Any) -> None:
        with pytest.raises((TypeError, ValueError), match=r"^Retry: attempts must be "):
            Retry(attempts)

    @pytest.mark.parametrize("what", ["deadline", "attempt_timeout"])
    @pytest.mark.parametrize("seconds", [0, 0.0, -1.0, False, math.inf, math.nan, "1"])
    def test_times_that_mean_nothing(self, what: str, seconds: Any) -> None:
        with pytest.raises((TypeError, ValueError), match=f"^Guard 'api': {what} must be "):
            Guard("api", **{what: seconds})

    def test_no_retry_is_said_and_not_guessed(self) -> None:
        far = FarEnd()

        with pytest.raises(BoomError):
            Guard("api", retry=None).call_sync(far.get)

        assert far.calls == 1


class TestTheError:
    """tenacity hides the real exception in a `RetryError`."""

    @pytest.mark.parametrize("attempts", [1, 3])
    async def test_the_caller_gets_the_very_object(self, autojump_clock: MockClock, attempts: int) -> None:
        error = BoomError("mine")

        with pytest.raises(BoomError) as caught:
            await Guard("api", retry=steady(attempts)).call(FarEnd([error]).fetch)

        assert caught.value is error
        assert error.__cause__ is None
        assert error.__context__ is None

    async def test_it_is_the_last_and_not_a_refusal(self, autojump_clock: MockClock) -> None:
        errors = [BoomError(str(number)) for number in range(1, 4)]
        guard = Guard("api", retry=steady(9), breaker=Breaker.consecutive(3))

        with pytest.raises(BoomError) as caught:
            await guard.call(FarEnd(errors).fetch)

        assert caught.value is errors[-1]
        assert guard.state == "open"

    async def test_it_says_what_was_tried(self, autojump_clock: MockClock) -> None:
        error = BoomError()

        with suppress(BoomError):
            await Guard("api", retry=steady(3), deadline=60.0).call(FarEnd([error], takes=0.5).fetch)

        assert error.__notes__ == [
            "duenna: guard 'api' gave up after 3 attempts, 3 s after the first one failed: no attempts are left"
        ]

    def test_notes_do_not_pile_up_on_an_object_that_is_raised_again(self) -> None:
        error = BoomError()
        error.add_note("its own")
        guard = Guard("api", retry=Retry(2, backoff=Backoff.none()), breaker=None)

        for _ in range(5):
            with suppress(BoomError):
                guard.call_sync(FarEnd([error]).get)

        assert len(error.__notes__) == 2
        assert error.__notes__[0] == "its own"

    def test_guards_round_one_another_have_a_note_each(self) -> None:
        error = BoomError()
        inner, outer = (Guard(name, retry=Retry(2, backoff=Backoff.none()), breaker=None) for name in ("in", "out"))

        with suppress(BoomError):
            outer.call_sync(inner.call_sync, FarEnd([error]).get)

        assert [note.split("'")[1] for note in error.__notes__] == ["in", "out"]


def run_threads(call: Any, number: int) -> None:
    """Run *call* in so many threads, with the number of each, to their end."""
    threads = [threading.Thread(target=call, args=(each,)) for each in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert not any(thread.is_alive() for thread in threads)
