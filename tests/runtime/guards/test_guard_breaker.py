"""The breaker of a guard: when it opens, whom it refuses, and when it trusts again. Both forms, on exact times."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Backoff
from duenna.guards import (
    AdaptiveThrottle,
    Breaker,
    CircuitOpenError,
    Guard,
    Retry,
)
from tests.runtime.guards.far_end import HANGS, BoomError, Draws, FarEnd, HttpError, no_other_guards, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock

FORMS = [
    pytest.param(Breaker(window=4, open_for=10.0, open_jitter=0.0), id="rate"),
    pytest.param(Breaker.consecutive(4, open_for=10.0, success_threshold=1), id="consecutive"),
    pytest.param(Breaker(window=60.0, per="seconds", minimum_calls=4, open_for=10.0, open_jitter=0.0), id="seconds"),
]


class OtherError(Exception):
    """Another failure."""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(breaker: Breaker | AdaptiveThrottle, **policies: Any) -> Guard:
    """Return a guard that has a breaker and tries once."""
    return Guard("api", breaker=breaker, **({"retry": None} | policies))


async def trip(guarded: Guard) -> None:
    """Fail until it opens, ten times at most."""
    for _ in range(10):
        if guarded.state == "closed":
            await play(guarded, BoomError)
    assert guarded.state == "open"


class TestBothForms:
    @pytest.mark.parametrize("breaker", FORMS)
    async def test_it_opens_when_so_many_fail(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        assert await play(guard(breaker), *[BoomError] * 4) == ["closed", "closed", "closed", "open"]

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_open_it_lets_nothing_through(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        guarded, far = guard(breaker), FarEnd(["up"])
        await trip(guarded)
        await trio.sleep(9.75)

        with pytest.raises(CircuitOpenError) as caught:
            await guarded.call(far.fetch)

        assert far.calls == 0
        assert (caught.value.guard, caught.value.state, caught.value.retry_after) == ("api", "open", 0.25)
        assert caught.value.last_error == "BoomError"
        assert str(caught.value) == (
            "guard 'api' refused the call: its breaker is open for another 0.25 s, the last error was BoomError"
        )

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_after_exactly_its_time_it_lets_a_probe_through(
        self, autojump_clock: MockClock, breaker: Breaker
    ) -> None:
        guarded = guard(breaker)
        await trip(guarded)
        await trio.sleep(10.0)

        assert await guarded.call(FarEnd(["up"]).fetch) == "up"

        assert guarded.state == "closed"

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_a_probe_that_fails_opens_it_again(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        guarded, far = guard(breaker), FarEnd()
        await trip(guarded)
        await trio.sleep(10.0)

        with pytest.raises(BoomError):
            await guarded.call(far.fetch)

        assert guarded.state == "open"
        with pytest.raises(CircuitOpenError) as caught:
            await guarded.call(far.fetch)
        assert caught.value.retry_after == 10.0

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_nobody_needs_to_come_for_it_to_stay_open(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        guarded = guard(breaker)
        await trip(guarded)

        await trio.sleep(3600.0)

        assert guarded.state == "open"
        assert await play(guarded, "up") == ["closed"]

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_closed_again_it_forgets_what_failed(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        guarded = guard(breaker)
        await trip(guarded)
        await trio.sleep(10.0)

        assert await play(guarded, "up", *[BoomError] * 4) == ["closed"] * 4 + ["open"]

    @pytest.mark.parametrize("breaker", FORMS)
    async def test_plain_functions_have_the_same(self, autojump_clock: MockClock, breaker: Breaker) -> None:
        guarded, far = guard(breaker), FarEnd([BoomError] * 4 + ["up"])
        for _ in range(4):
            with suppress(BoomError):
                guarded.call_sync(far.get)
        assert guarded.state == "open"
        await trio.sleep(10.0)

        assert guarded.call_sync(far.get) == "up"
        assert guarded.state == "closed"


class TestRateForm:
    async def test_the_share_of_the_last_calls_opens_it(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker(failure_rate=0.5, window=4))

        assert await play(guarded, 1, 1, 1, 1, 1, BoomError, 1, BoomError) == ["closed"] * 7 + ["open"]

    async def test_a_success_may_open_it_when_the_window_fills(self) -> None:
        assert await play(guard(Breaker(window=4)), BoomError, BoomError, 1, 1) == ["closed"] * 3 + ["open"]

    async def test_the_default_is_half_of_the_last_twenty(self, autojump_clock: MockClock) -> None:
        guarded = Guard("default", retry=None, rng=Draws(0.5))

        states = await play(guarded, *[1, BoomError] * 10)

        assert states == ["closed"] * 19 + ["open"]
        opened = guarded.dependency.circuit
        assert 4.0 <= opened.until - trio.current_time() <= 6.0

    async def test_fewer_calls_than_the_minimum_are_not_judged(self) -> None:
        guarded = guard(Breaker(window=20, minimum_calls=5))

        assert await play(guarded, *[BoomError] * 5) == ["closed"] * 4 + ["open"]

    async def test_a_window_over_seconds_forgets(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker(window=60.0, per="seconds", minimum_calls=2))

        await play(guarded, BoomError)
        await trio.sleep(60.0)

        assert await play(guarded, BoomError, BoomError) == ["closed", "open"]

    async def test_slow_calls_open_it_though_they_succeed(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker(window=2, slow_call=1.0))
        slow, at_the_limit = FarEnd(["up"], takes=1.25), FarEnd(["up"], takes=1.0)

        for far in (slow, at_the_limit, slow, slow):
            assert await guarded.call(far.fetch) == "up"

        assert guarded.state == "open"
        assert guarded.statistics().slow == 3

    async def test_what_a_call_waits_for_does_not_make_it_slow(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker(window=2, slow_call=1.0), bulkhead=1)
        far = FarEnd(["up"], takes=0.75)

        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(guarded.call, far.fetch)

        assert trio.current_time() == 1.5
        assert guarded.statistics().slow == 0


class TestConsecutiveForm:
    async def test_a_success_in_between_begins_the_count_again(self) -> None:
        guarded = guard(Breaker.consecutive(3))

        states = await play(guarded, BoomError, BoomError, 1, BoomError, BoomError, BoomError)

        assert states == ["closed"] * 5 + ["open"]

    async def test_an_ignored_error_in_between_does_not(self) -> None:
        guarded = guard(Breaker.consecutive(3))

        states = await play(guarded, BoomError, BoomError, HttpError(404), BoomError)

        assert states == ["closed"] * 3 + ["open"]

    async def test_the_default_is_five_for_a_minute_and_two_probes_to_close(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive())
        assert await play(guarded, *[BoomError] * 5) == ["closed"] * 4 + ["open"]

        await trio.sleep(59.75)
        assert await play(guarded, "up") == ["open"]
        await trio.sleep(0.25)

        assert await play(guarded, "up", "up") == ["half_open", "closed"]

    async def test_one_that_has_a_jitter_is_open_for_a_drawn_time(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=10.0, open_jitter=0.5))
        await play(guarded, BoomError)

        with pytest.raises(CircuitOpenError) as caught:
            await guarded.call(FarEnd().fetch)

        assert 5.0 <= caught.value.retry_after <= 15.0


class TestHalfOpen:
    @pytest.mark.parametrize(("open_for", "seconds"), [(60.0, 25.0), (7.0, 7.0)])
    async def test_who_finds_the_place_taken_is_told_when_to_come_back(
        self, autojump_clock: MockClock, open_for: float, seconds: float
    ) -> None:
        """When the probe's time is over, or sooner: it may end at any time."""
        guarded = guard(Breaker.consecutive(1, open_for=open_for, probe_timeout=30.0))
        await play(guarded, BoomError)
        await trio.sleep(open_for)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([HANGS]).fetch)
            await trio.sleep(5.0)
            with pytest.raises(CircuitOpenError) as caught:
                await guarded.call(FarEnd().fetch)
            nursery.cancel_scope.cancel()

        assert (caught.value.state, caught.value.retry_after) == ("half_open", seconds)
        assert f"its breaker is half_open for another {seconds:.0f} s" in str(caught.value)

    async def test_a_probe_that_never_ends_loses_its_place(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=1.0, success_threshold=1, probe_timeout=30.0))
        await play(guarded, BoomError)
        await trio.sleep(1.0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd([HANGS]).fetch)
            await trio.sleep(30.0)
            assert await guarded.call(FarEnd(["up"]).fetch) == "up"
            nursery.cancel_scope.cancel()

        assert guarded.state == "closed"

    @pytest.mark.parametrize("error", [HttpError(404), HttpError(429, 1.0), CircuitOpenError("another", "open", 1.0)])
    async def test_an_ignored_error_gives_the_permit_back(self, autojump_clock: MockClock, error: Exception) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=1.0, success_threshold=1, probe_timeout=math.inf))
        await play(guarded, BoomError)
        await trio.sleep(1.0)

        assert await play(guarded, error, error, "up") == ["half_open", "half_open", "closed"]

    async def test_so_many_probes_at_once(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=1.0, probes=3, success_threshold=5))
        await play(guarded, BoomError)
        await trio.sleep(1.0)
        far = FarEnd(["up"], takes=1.0)

        async def call() -> None:
            with suppress(CircuitOpenError):
                await guarded.call(far.fetch)

        for _ in range(2):
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(call)

        assert (far.most, far.calls) == (3, 6)
        assert guarded.state == "closed"

    async def test_the_open_time_may_grow(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=1.0, growth=2.0, longest_open=5.0))
        waits = []
        for _ in range(5):
            await play(guarded, BoomError)
            with pytest.raises(CircuitOpenError) as caught:
                await guarded.call(FarEnd().fetch)
            waits.append(caught.value.retry_after)
            await trio.sleep(caught.value.retry_after)

        assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]


class TestGenerations:
    async def test_a_late_success_does_not_close(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=10.0, success_threshold=1))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, FarEnd(["late"], takes=5.0).fetch)
            await wait_all_tasks_blocked()
            await play(guarded, BoomError)
            await trio.sleep(6.0)

        assert guarded.state == "open"
        assert guarded.statistics().late == 1

    async def test_a_late_failure_does_not_open(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1, open_for=1.0, success_threshold=1))

        async def late() -> None:
            with suppress(BoomError):
                await guarded.call(FarEnd(takes=5.0).fetch)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(late)
            await wait_all_tasks_blocked()
            await play(guarded, BoomError)
            await trio.sleep(1.0)
            assert await play(guarded, "up") == ["closed"]

        assert guarded.state == "closed"
        assert guarded.statistics().late == 1

    async def test_a_wait_that_ends_at_an_open_breaker_is_not_begun(self, autojump_clock: MockClock) -> None:
        error = BoomError()
        guarded = guard(Breaker.consecutive(1, open_for=10.0), retry=Retry(3, backoff=Backoff.steps(9.75)))

        with pytest.raises(BoomError):
            await guarded.call(FarEnd([error]).fetch)

        assert trio.current_time() == 0.0
        assert error.__notes__ == [
            "duenna: guard 'api' gave up after 1 attempt, 0 s after the first one failed: the guard refuses more"
        ]

    async def test_a_wait_that_ends_at_a_half_open_breaker_makes_the_probe(self, autojump_clock: MockClock) -> None:
        guarded = guard(
            Breaker.consecutive(1, open_for=10.0, success_threshold=1), retry=Retry(3, backoff=Backoff.steps(10.0))
        )

        assert await guarded.call(FarEnd([BoomError, "up"]).fetch) == "up"

        assert (guarded.state, trio.current_time()) == ("closed", 10.0)

    async def test_a_retry_that_comes_back_to_an_open_breaker_gives_up(self, autojump_clock: MockClock) -> None:
        error = BoomError()
        guarded = guard(Breaker.consecutive(2), retry=Retry(3, backoff=Backoff.steps(1.0)))
        far = FarEnd([error])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.caught, guarded, far, error)
            await trio.sleep(0.5)
            with suppress(OtherError):
                await guarded.with_(retry=None).call(FarEnd([OtherError]).fetch)

        assert far.calls == 1
        assert error.__notes__ == [
            "duenna: guard 'api' gave up after 1 attempt, 1 s after the first one failed: the guard refuses more"
        ]

    @staticmethod
    async def caught(guarded: Guard, far: FarEnd, error: Exception) -> None:
        with pytest.raises(BoomError) as caught:
            await guarded.call(far.fetch)
        assert caught.value is error

    @pytest.mark.parametrize("way", ["decorated", "called"])
    def test_a_late_success_of_a_plain_call(self, way: str) -> None:
        guarded = guard(Breaker())
        guarded.call_sync(int)  # the first call of all takes the long way

        def slow() -> str:
            guarded.force_open()
            return "up"

        assert (guarded(slow)() if way == "decorated" else guarded.call_sync(slow)) == "up"

        assert guarded.state == "forced_open"
        assert (guarded.statistics().late, guarded.statistics().successes) == (1, 2)
