"""In which ways a guard is used: round one call, with other policies, under a shared name."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import MockClock, assert_no_checkpoints

from duenna import Backoff
from duenna.guards import Breaker, Fallback, Guard, Hedge, Outcome, Retry
from tests.runtime.guards.far_end import BoomError, FarEnd, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


def guard(**policies: Any) -> Guard:
    """Return a guard that makes two attempts, one right after the other."""
    guarded = Guard("api", **({"retry": Retry(2, backoff=Backoff.none())} | policies))
    if not policies.keys() & {"attempt_timeout", "hedge", "fallback"}:
        guarded.call_sync(int)  # the first call of all takes the long way
    return guarded


class TestCall:
    async def test_an_async_function_with_its_arguments(self) -> None:
        far = FarEnd([BoomError, "up"])

        assert await guard().call(far.fetch, 1, limit=2) == "up"

    @pytest.mark.parametrize("policies", [{}, {"deadline": 60.0}], ids=["short", "long"])
    async def test_a_function_that_returns_an_awaitable(self, policies: Any) -> None:
        far = FarEnd([BoomError, "up"])

        def fetch() -> Coroutine[Any, Any, Any]:
            return far.fetch()

        assert await guard(**policies).call(fetch) == "up"
        assert await guard(**policies).call(Ready, "up") == "up"
        assert far.calls == 2

    async def test_arguments_that_are_called_as_ours_are(self) -> None:
        async def fetch(**kwargs: Any) -> Any:
            return kwargs

        assert await guard().call(fetch, function=1, self=2) == {"function": 1, "self": 2}
        assert guard().call_sync(dict, function=1, self=2) == {"function": 1, "self": 2}

    async def test_a_success_is_no_checkpoint_of_ours(self) -> None:
        async def fetch() -> int:
            return 7

        guarded = guard()
        with assert_no_checkpoints():
            for _ in range(2):
                assert await guarded.call(fetch) == 7
                assert await guarded(fetch)() == 7

    async def test_an_outcome_says_where_a_value_comes_from(self) -> None:
        far = FarEnd(["up", BoomError])
        guarded = guard(fallback=Fallback.last_good(60.0))

        fresh, old = await guarded.outcome(far.fetch), await guarded.outcome(far.fetch)

        assert fresh == Outcome("up")
        assert (old.value, old.is_degraded, old.source) == ("up", True, "last_good")
        assert isinstance(old.error, BoomError)

    def test_an_outcome_of_a_plain_function(self) -> None:
        far = FarEnd(["up", BoomError])
        guarded = guard(fallback=Fallback.last_good(60.0))

        fresh, old = guarded.outcome_sync(far.get), guarded.outcome_sync(far.get)

        assert fresh == Outcome("up")
        assert (old.value, old.is_degraded, old.source) == ("up", True, "last_good")

    async def test_an_outcome_without_a_fallback(self) -> None:
        assert guard().outcome_sync(FarEnd(["up"]).get) == Outcome("up")
        with pytest.raises(BoomError):
            await guard().outcome(FarEnd().fetch)


class TestWith:
    def test_other_policies_of_the_same_dependency(self) -> None:
        guarded, far = guard(breaker=Breaker.consecutive(5)), FarEnd()

        with suppress(BoomError):
            guarded.with_(retry=Retry(5, backoff=Backoff.none())).call_sync(far.get)

        assert far.calls == 5
        assert guarded.state == "open"

    async def test_the_others_stay(self, autojump_clock: MockClock) -> None:
        guarded = guard(attempt_timeout=1.0, fallback=Fallback.value("old"))
        far = FarEnd(["up"], takes=2.0)

        assert await guarded.with_(retry=None).call(far.fetch) == "old"
        assert await guarded.with_(attempt_timeout=None).call(far.fetch) == "up"

        assert trio.current_time() == 1.0 + 2.0

    def test_the_guard_itself_does_not_change(self) -> None:
        guarded, far = guard(), FarEnd()
        guarded.with_(retry=None)

        with suppress(BoomError):
            guarded.call_sync(far.get)

        assert far.calls == 2

    @pytest.mark.parametrize(
        ("policies", "why"),
        [
            ({"breaker": None}, "breaker is shared by all guards of a name"),
            ({"bulkhead": 3}, "bulkhead is shared by all guards of a name"),
            ({"retries": 3}, "retries is not one of them"),
            ({"name": "b"}, "name is not one of them"),
        ],
    )
    def test_what_is_shared_cannot_be_changed_for_one(self, policies: Any, why: str) -> None:
        with pytest.raises(TypeError, match=rf"^guard 'api': with_\(\) takes retry, attempt_timeout, .*rng; {why}$"):
            guard().with_(**policies)

    def test_what_is_given_is_checked(self) -> None:
        with pytest.raises(ValueError, match=r"^Guard 'api': deadline must be > 0 seconds, got 0$"):
            guard().with_(deadline=0)
        with pytest.raises(ValueError, match=r"hedge needs calls that may be made twice"):
            guard(hedge=Hedge(1.0)).with_(idempotent=False)


class TestSharing:
    async def test_guards_of_one_name_share_breaker_budget_bulkhead_and_counters(
        self, autojump_clock: MockClock
    ) -> None:
        breaker = Breaker.consecutive(4)
        first, second = (Guard("shared", breaker=breaker, bulkhead=2, deadline=each) for each in (None, 60.0))

        assert first.dependency is second.dependency
        for guarded in (first, second):
            with suppress(BoomError):
                await guarded.with_(retry=None).call(FarEnd().fetch)
        assert first.statistics() == second.statistics()
        assert first.statistics().failures == 2
        with suppress(BoomError):
            await second.with_(retry=Retry(2, backoff=Backoff.none())).call(FarEnd().fetch)
        assert first.state == "open"
        first.reset()
        assert (second.state, second.statistics().calls, second.last_error) == ("closed", 0, None)

    async def test_an_async_and_a_plain_guard_share_a_breaker(self, autojump_clock: MockClock) -> None:
        guarded = guard(retry=None, breaker=Breaker.consecutive(2, open_for=10.0, success_threshold=1))

        for call in (guarded.call_sync, guarded.call_sync):
            with suppress(BoomError):
                call(FarEnd().get)
        await trio.sleep(10.0)

        assert await guarded.call(FarEnd(["up"]).fetch) == "up"
        assert guarded.state == "closed"

    def test_it_says_who_it_is(self) -> None:
        assert repr(guard()) == "<Guard 'api', closed>"
        assert guard().name == "api"


class Ready(Awaitable[str]):
    """An awaitable that is no coroutine."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, str]:
        yield from ()
        return self.value
