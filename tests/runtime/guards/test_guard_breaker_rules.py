"""What counts for the breaker of a guard, what a hand does with it, and the throttle in its place."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.guards import (
    AdaptiveThrottle,
    Aimd,
    Breaker,
    CircuitOpenError,
    Guard,
    RejectedError,
    ThrottledError,
)
from tests.runtime.guards.far_end import HANGS, BoomError, FarEnd, HttpError, no_other_guards, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


class OtherError(Exception):
    """Another failure."""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(breaker: Breaker | AdaptiveThrottle, **policies: Any) -> Guard:
    """Return a guard that has a breaker and tries once."""
    return Guard("api", breaker=breaker, **({"retry": None} | policies))


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "error", "counts"),
        [
            ({}, BoomError(), True),
            ({}, OSError(), True),
            ({}, TypeError(), True),
            ({}, HttpError(500), True),
            ({}, HttpError(408), True),
            ({}, HttpError(400), False),
            ({}, HttpError(404), False),
            ({}, HttpError(429), False),
            ({}, HttpError(503, retry_after=3.0), False),
            ({}, ExceptionGroup("", [HttpError(404), BoomError()]), True),
            ({}, ExceptionGroup("", [HttpError(404), HttpError(429)]), False),
            ({}, RejectedError("another", "why"), False),
            ({"ignore": BoomError}, BoomError(), False),
            ({"ignore": BoomError}, OtherError(), True),
            ({"ignore": (BoomError, OtherError)}, OtherError(), False),
            ({"ignore": lambda error: "fine" in str(error)}, BoomError("fine"), False),
            ({"ignore": lambda error: "fine" in str(error)}, BoomError("bad"), True),
            ({"record": OtherError}, BoomError(), False),
            ({"record": OtherError}, OtherError(), True),
            ({"record": OtherError}, ExceptionGroup("", [OtherError()]), True),
            ({"record": HttpError}, HttpError(404), True),
            ({"record": Exception, "ignore": BoomError}, BoomError(), False),
        ],
    )
    async def test_what_counts_as_a_failure(self, rules: Any, error: Exception, *, counts: bool) -> None:
        for breaker in (Breaker.consecutive(1, **rules), Breaker(window=1, **rules)):
            with no_other_guards():
                assert await play(guard(breaker), error) == ["open" if counts else "closed"]

    async def test_a_failure_whose_cause_has_a_status(self) -> None:
        error = BoomError()
        error.__cause__ = HttpError(404)

        assert await play(guard(Breaker.consecutive(1)), error) == ["closed"]


class TestByHand:
    async def test_forced_open_it_stays_open(self, autojump_clock: MockClock) -> None:
        guarded, far = guard(Breaker()), FarEnd(["up"])
        guarded.force_open()
        await trio.sleep(3600.0)

        with pytest.raises(CircuitOpenError, match=r"^guard 'api' refused the call: its breaker is forced_open$") as c:
            await guarded.call(far.fetch)

        assert (c.value.state, c.value.retry_after, c.value.last_error) == ("forced_open", math.inf, None)
        guarded.close()
        assert await play(guarded, "up") == ["closed"]

    async def test_disabled_it_lets_all_pass_and_judges_nothing(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(1))
        guarded.disable()

        assert await play(guarded, *[BoomError] * 5) == ["disabled"] * 5

        assert (guarded.statistics().failures, guarded.statistics().window) == (5, None)

    async def test_metrics_only_keeps_the_window_and_never_opens(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(2))
        guarded.metrics_only()

        assert await play(guarded, *[BoomError] * 5, 1) == ["metrics_only"] * 6

        assert guarded.statistics().window == (2, 1, 0)
        assert guarded.statistics().failure_rate == 0.5

    async def test_reset_begins_anew(self, autojump_clock: MockClock) -> None:
        guarded = guard(Breaker.consecutive(2))
        await play(guarded, BoomError, BoomError, BoomError)

        guarded.reset()

        assert (guarded.state, guarded.last_error) == ("closed", None)
        counted = guarded.statistics()
        assert (counted.calls, counted.attempts, counted.rejected, counted.opened) == (0, 0, 0, 0)
        assert await play(guarded, BoomError, BoomError) == ["closed", "open"]

    async def test_a_hand_reaches_all_guards_of_the_name(self, autojump_clock: MockClock) -> None:
        first, second = guard(Breaker()), guard(Breaker())

        first.force_open()

        with pytest.raises(CircuitOpenError):
            await second.call(FarEnd(["up"]).fetch)

    def test_where_there_is_no_breaker_a_hand_makes_none(self) -> None:
        guarded = Guard("api", retry=None, breaker=None)
        assert guarded.state == "disabled"

        guarded.force_open()
        with pytest.raises(CircuitOpenError):
            guarded.call_sync(FarEnd().get)
        guarded.close()

        for _ in range(30):
            with suppress(BoomError):
                guarded.call_sync(FarEnd().get)
        assert guarded.state == "disabled"

    def test_the_last_error_is_kept_in_words(self) -> None:
        guarded = guard(Breaker())
        with suppress(BoomError):
            guarded.call_sync(FarEnd([BoomError("no route")]).get)

        assert guarded.last_error == "BoomError: no route"
        guarded.call_sync(FarEnd([1]).get)
        assert guarded.last_error == "BoomError: no route"


class TestThrottle:
    async def test_it_stands_in_place_of_the_breaker(self, autojump_clock: MockClock) -> None:
        guarded = guard(AdaptiveThrottle(minimum_calls=10))
        far = FarEnd()
        chances = []
        for _ in range(300):
            try:
                await guarded.call(far.fetch)
            except ThrottledError as error:
                chances.append(error.chance)
            except BoomError:
                pass

        assert len(chances) == 300 - far.calls
        assert 0 < min(chances) <= max(chances) <= 0.9
        assert 0.5 < len(chances) / 300 < 0.95
        assert (guarded.state, guarded.statistics().rejected) == ("disabled", len(chances))

    async def test_its_refusals_say_how_probable_they_are(self) -> None:
        guarded = guard(AdaptiveThrottle(minimum_calls=1))

        errors: list[ThrottledError] = []
        while not errors:
            try:
                await guarded.call(FarEnd().fetch)
            except ThrottledError as error:
                errors.append(error)
            except BoomError:
                pass

        chance = f"{errors[0].chance:.0%}"
        assert str(errors[0]) == f"guard 'api' refused the call: its throttle refuses {chance} of the calls"

    async def test_an_answer_that_says_no_is_an_answer(self) -> None:
        guarded = guard(AdaptiveThrottle(minimum_calls=1))

        for _ in range(300):
            with pytest.raises(HttpError):
                await guarded.call(FarEnd([HttpError(404)]).fetch)

    async def test_a_cancelled_call_tells_it_nothing(self, autojump_clock: MockClock) -> None:
        guarded = guard(AdaptiveThrottle(minimum_calls=1))

        for _ in range(300):
            with trio.move_on_after(0.125):
                await guarded.call(FarEnd([HANGS]).fetch)

        throttle = guarded.dependency.throttle
        assert throttle is not None
        assert throttle.requests(trio.current_time()) == 0


class TestWhatABulkheadLearns:
    """An `Aimd` limit falls with what the far end drops, and not with what it says no to."""

    @pytest.mark.parametrize(
        ("error", "limit"),
        [(BoomError(), 4), (HttpError(503), 4), (HttpError(429), 4), (HttpError(404), 8), (HttpError(503, 1.0), 8)],
    )
    async def test_of_an_error(self, error: Exception, limit: int) -> None:
        guarded = guard(Breaker(), bulkhead=Aimd(8, decrease=0.5))

        with suppress(BoomError, HttpError):
            await guarded.call(FarEnd([error]).fetch)

        slots = guarded.dependency.slots
        assert slots is not None
        assert slots.limit == limit
