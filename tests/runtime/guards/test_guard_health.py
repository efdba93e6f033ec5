"""How a dependency does: ok, degraded while fallbacks stand in, unavailable when these fail, too."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna.guards import (
    AdaptiveThrottle,
    Breaker,
    CircuitOpenError,
    Fallback,
    Guard,
    Health,
    Retry,
    UnavailableError,
)
from tests.runtime.guards.far_end import BoomError, FarEnd, give, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trio.testing import MockClock


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(fallback: Fallback | None, **policies: Any) -> Guard:
    guarded = Guard("api", fallback=fallback, **({"retry": None} | policies))
    guarded.with_(fallback=None).call_sync(int)  # the first call of all takes the long way
    return guarded


VALUE = Fallback.value("old")
NONE = Fallback.call(lambda *_: give(KeyError("replica")))


class TestMoves:
    @pytest.mark.parametrize(
        "breaker", [Breaker(), None, AdaptiveThrottle()], ids=["breaker", "no breaker", "throttle"]
    )
    def test_degraded_until_the_next_success(self, breaker: Any) -> None:
        guarded, far = guard(VALUE, breaker=breaker), FarEnd([1, BoomError, BoomError, 1, 1])
        healths = []
        for _ in range(5):
            guarded.call_sync(far.get)
            healths.append(guarded.health)

        assert healths == [Health.OK, Health.DEGRADED, Health.DEGRADED, Health.OK, Health.OK]

    def test_the_short_way_is_taken_again(self) -> None:
        for breaker in Breaker(), None:
            with no_other_guards():
                guarded = guard(VALUE, breaker=breaker)
                guarded.call_sync(FarEnd().get)
                assert guarded.dependency.circuit.permit.gated

                for _ in range(2):
                    guarded.call_sync(FarEnd([1]).get)

                assert not guarded.dependency.circuit.permit.gated

    async def test_the_same_of_async_calls(self) -> None:
        guarded, far = guard(VALUE), FarEnd([BoomError, 1])
        healths = []
        for _ in range(2):
            await guarded.call(far.fetch)
            healths.append(guarded.health)

        assert healths == ["degraded", "ok"]

    def test_a_success_of_any_guard_of_the_name_ends_it(self) -> None:
        guarded = guard(VALUE)
        guarded.call_sync(FarEnd().get)

        Guard("api").call_sync(int)

        assert guarded.health == "ok"

    def test_a_failure_without_a_fallback_changes_nothing(self) -> None:
        guarded = guard(None)
        with suppress(BoomError):
            guarded.call_sync(FarEnd().get)

        assert guarded.health == "ok"

    def test_an_error_that_the_fallback_is_not_for_changes_nothing(self) -> None:
        guarded = guard(Fallback.value("old", on=OSError))
        with pytest.raises(BoomError):
            guarded.call_sync(FarEnd().get)

        assert guarded.health == "ok"

    def test_a_fallback_that_fails_makes_it_unavailable(self) -> None:
        guarded = guard(NONE)
        healths = []
        for each in (guarded, guarded.with_(fallback=VALUE)):
            with suppress(UnavailableError):
                each.call_sync(FarEnd().get)
            healths.append(guarded.health)

        assert healths == [Health.UNAVAILABLE, Health.DEGRADED]

    async def test_refused_calls_are_degraded_as_well(self, autojump_clock: MockClock) -> None:
        guarded = guard(VALUE, breaker=Breaker.consecutive(1, open_for=10.0, success_threshold=1))
        far = FarEnd([BoomError, "up"])

        assert await guarded.call(far.fetch) == "old"
        assert await guarded.call(far.fetch) == "old"
        assert (far.calls, guarded.health, guarded.state) == (1, "degraded", "open")
        await trio.sleep(10.0)
        assert await guarded.call(far.fetch) == "up"

        assert (guarded.health, guarded.state) == ("ok", "closed")

    @pytest.mark.parametrize("moves", [["force_open", "close"], ["disable"], ["metrics_only"], ["disable", "close"]])
    def test_a_hand_that_moves_the_breaker_does_not_hide_a_recovery(self, moves: list[str]) -> None:
        guarded = guard(VALUE)
        guarded.call_sync(FarEnd().get)
        for move in moves:
            getattr(guarded, move)()
        assert guarded.health == "degraded"

        guarded.call_sync(FarEnd([1]).get)

        assert guarded.health == "ok"

    def test_reset_makes_it_ok(self) -> None:
        guarded = guard(VALUE)
        guarded.call_sync(FarEnd().get)

        guarded.reset()

        assert guarded.health == guarded.dependency.health == guarded.statistics().health == "ok"


class TestBothFail:
    def test_the_caller_gets_both_errors(self) -> None:
        primary = BoomError("primary")

        with pytest.raises(UnavailableError) as caught:
            guard(NONE).call_sync(FarEnd([primary]).get)

        assert caught.value.primary is primary
        assert isinstance(caught.value.fallback, KeyError)
        assert caught.value.guard == "api"
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    async def test_of_async_calls_too(self) -> None:
        async def replica() -> None:
            raise KeyError("replica")

        with pytest.raises(UnavailableError) as caught:
            await guard(Fallback.call(replica)).outcome(FarEnd().fetch)

        assert [type(error) for error in caught.value.exceptions] == [BoomError, KeyError]

    def test_a_refusal_and_a_fallback_that_fails(self) -> None:
        guarded = guard(NONE)
        guarded.force_open()

        with pytest.raises(UnavailableError) as caught:
            guarded.call_sync(FarEnd().get)

        assert isinstance(caught.value.primary, CircuitOpenError)

    def test_an_interruption_of_the_fallback_comes_out_as_it_is(self) -> None:
        with pytest.raises(KeyboardInterrupt):
            guard(Fallback.call(lambda: give(KeyboardInterrupt))).call_sync(FarEnd().get)


class TestFallbackOfAGuard:
    """What the guard adds to `Fallback`, which has tests of its own."""

    def test_a_value_may_be_none(self) -> None:
        assert guard(Fallback.value(None)).call_sync(FarEnd().get) is None

    async def test_a_function_gets_the_arguments_of_the_call(self) -> None:
        def replica(symbol: str, *, limit: int) -> tuple[str, int]:
            return symbol, limit

        guarded = guard(Fallback.call(replica))

        assert await guarded.call(FarEnd().fetch, "SOL", limit=3) == ("SOL", 3)
        assert guarded(FarEnd().get)("SOL", limit=3) == ("SOL", 3)

    async def test_the_last_good_answer_is_for_the_same_arguments(self, autojump_clock: MockClock) -> None:
        far = FarEnd(["a", "b", BoomError])
        fetch = guard(Fallback.last_good(60.0))(far.fetch)
        assert [await fetch("A"), await fetch("B")] == ["a", "b"]
        await trio.sleep(59.75)

        assert [await fetch("A"), await fetch("B")] == ["a", "b"]
        with pytest.raises(BoomError):
            await fetch("C")
        await trio.sleep(0.25)
        with pytest.raises(BoomError):
            await fetch("A")

    def test_each_guard_remembers_for_itself(self) -> None:
        far = FarEnd([1, BoomError])
        first, second = guard(Fallback.last_good(60.0)), guard(Fallback.last_good(60.0))
        first.call_sync(far.get)

        assert first.call_sync(far.get) == 1
        with pytest.raises(BoomError):
            second.call_sync(far.get)

    async def test_what_cannot_be_remembered_is_refused_before_it_has_an_effect(self) -> None:
        far = FarEnd([1])

        with pytest.raises(TypeError, match=r"no hash"):
            guard(Fallback.last_good(60.0)).call_sync(far.get, [])
        with pytest.raises(TypeError, match=r"no hash"):
            await guard(Fallback.last_good(60.0)).call(far.fetch, [])

        assert far.calls == 0

    def test_a_call_answered_by_a_fallback_is_a_failure_all_the_same(self) -> None:
        guarded = guard(VALUE, retry=Retry(1), breaker=Breaker.consecutive(3))
        for _ in range(3):
            assert guarded.call_sync(FarEnd().get) == "old"

        counted = guarded.statistics()
        assert guarded.state == "open"
        assert (counted.failures, counted.fallbacks, counted.successes) == (3, 3, 1)
