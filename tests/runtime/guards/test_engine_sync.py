"""Plain functions: in a thread a retry keeps it waiting, inside an event loop nothing ever does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Backoff
from duenna._thread_clock import ThreadClock
from duenna.guards import (
    Breaker,
    Bulkhead,
    BulkheadFullError,
    DeadlineExceededError,
    Guard,
    RateLimit,
    RateLimitedError,
    Retry,
)
from duenna.guards import _sync_engine as engine
from tests.runtime.guards import virtual_asyncio
from tests.runtime.guards.far_end import BoomError, FarEnd, HttpError, no_other_guards

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with no_other_guards():
        yield


@attrs.define
class Naps(ThreadClock):
    """Writes down how long a thread would be kept waiting."""

    seconds: list[float] = attrs.field(factory=list[float])

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> Naps:
    naps = Naps()
    monkeypatch.setattr(engine, "THREADS", naps)
    return naps


def guard(wait: float = 60.0, attempts: int = 3, **policies: Any) -> Guard:
    return Guard("api", retry=Retry(attempts, backoff=Backoff.steps(wait)), **policies)


class TestInAThread:
    def test_it_waits_between_attempts(self, naps: Naps) -> None:
        assert guard(wait=60.0).call_sync(FarEnd([BoomError, BoomError, "up"]).get) == "up"

        assert naps.seconds == [60.0, 60.0]

    def test_it_waits_as_long_as_the_far_end_asks(self, naps: Naps) -> None:
        assert guard(wait=1.0).call_sync(FarEnd([HttpError(503, 30.0), BoomError, "up"]).get) == "up"

        assert naps.seconds == [30.0, 1.0]

    def test_no_wait_is_no_sleep(self, naps: Naps) -> None:
        guard(wait=0.0).call_sync(FarEnd([BoomError, "up"]).get)

        assert naps.seconds == []

    def test_a_thread_of_a_loop_may_wait(self, naps: Naps) -> None:
        async def in_trio() -> Any:
            return await trio.to_thread.run_sync(guard().call_sync, FarEnd([BoomError, "up"]).get)

        async def in_asyncio() -> Any:
            return await asyncio.to_thread(guard().call_sync, FarEnd([BoomError, "up"]).get)

        assert trio.run(in_trio) == "up"
        assert asyncio.run(in_asyncio()) == "up"
        assert naps.seconds == [60.0, 60.0]

    def test_a_real_wait_is_real(self) -> None:
        read = ThreadClock().reader()
        before = read()

        guard(wait=0.02).call_sync(FarEnd([BoomError, "up"]).get)

        assert 0.02 <= read() - before < 10.0


class TestInALoop:
    """Here nothing may block: a retry happens at once or not at all."""

    async def test_a_retry_without_a_wait_is_made(self) -> None:
        assert guard(wait=0.0).call_sync(FarEnd([BoomError, BoomError, "up"]).get) == "up"

    async def test_a_retry_with_a_wait_is_not(self, naps: Naps, autojump_clock: MockClock) -> None:
        error = BoomError()
        far = FarEnd([error, "up"])

        with pytest.raises(BoomError) as caught:
            guard().call_sync(far.get)

        assert caught.value is error
        assert (far.calls, naps.seconds, trio.current_time()) == (1, [], 0.0)
        (note,) = error.__notes__
        assert note.endswith("after 1 attempt, 0 s after the first one failed: a wait would block the event loop")

    async def test_retry_after_is_a_wait(self, naps: Naps) -> None:
        with pytest.raises(HttpError):
            guard(wait=0.0).call_sync(FarEnd([HttpError(503, 0.001), "up"]).get)

        assert naps.seconds == []

    async def test_a_decorated_method_does_the_same(self, naps: Naps) -> None:
        far = FarEnd([BoomError, "up"])

        with pytest.raises(BoomError):
            guard()(far.get)()

        assert naps.seconds == []

    def test_the_same_under_asyncio(self, naps: Naps) -> None:
        far = FarEnd([BoomError, "up"])

        async def main() -> None:
            with pytest.raises(BoomError, match="a wait would block the event loop"):
                guard().call_sync(far.get)
            assert asyncio.get_running_loop().time() == 0.0

        virtual_asyncio.run(main())

        assert naps.seconds == []

    async def test_a_full_bulkhead_refuses_at_once(self, autojump_clock: MockClock) -> None:
        guarded = guard(bulkhead=Bulkhead(1, max_wait=60.0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(guarded.call, trio.sleep_forever)
            await wait_all_tasks_blocked()
            with pytest.raises(BulkheadFullError):
                guarded.call_sync(FarEnd(["up"]).get)
            nursery.cancel_scope.cancel()

        assert guarded.statistics().in_flight == 0

    async def test_a_rate_limit_refuses_at_once(self, autojump_clock: MockClock) -> None:
        guarded = guard(rate_limit=RateLimit(1, 10.0, max_wait=60.0), breaker=None)
        guarded.call_sync(FarEnd(["up"]).get)

        with pytest.raises(RateLimitedError) as caught:
            guarded.call_sync(FarEnd(["up"]).get)

        assert caught.value.retry_after == 10.0

    async def test_the_budget_pays_for_no_retry_that_is_not_made(self, naps: Naps) -> None:
        guarded = guard()

        for _ in range(20):
            with pytest.raises(BoomError):
                guarded.with_().call_sync(FarEnd().get)

        assert guarded.statistics().budget_left == 10.0

    async def test_a_breaker_is_judged_by_plain_calls_too(self) -> None:
        guarded = guard(attempts=1, breaker=Breaker.consecutive(2))
        for _ in range(2):
            with pytest.raises(BoomError):
                guarded.call_sync(FarEnd().get)

        assert guarded.state == "open"


class TestInterruptions:
    """Ctrl-C, an exit, or the end of a generator: neither success nor failure, and nothing is kept."""

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
    @pytest.mark.parametrize(
        "policies", [{}, {"bulkhead": 1}, {"deadline": 5.0}], ids=["short", "bulkhead", "deadline"]
    )
    def test_they_come_out_at_once_and_leave_nothing(self, error: type[BaseException], policies: Any) -> None:
        guarded = guard(**policies)
        guarded.call_sync(int)

        with pytest.raises(error):
            guarded.call_sync(FarEnd([error]).get)

        counted = guarded.statistics()
        assert (counted.calls, counted.attempts, counted.ignored) == (1, 2, 1)
        assert counted.in_flight in {None, 0}
        assert guarded.dependency.budget.retrying == 0

    def test_an_interrupted_wait_leaves_the_budget(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Interrupted(ThreadClock):
            def sleep(self, seconds: float) -> None:
                raise KeyboardInterrupt

        monkeypatch.setattr(engine, "THREADS", Interrupted())
        guarded = guard()

        with pytest.raises(KeyboardInterrupt):
            guarded.call_sync(FarEnd().get)

        assert guarded.dependency.budget.retrying == 0


def test_what_is_called_after_the_deadline_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every real sleep ends a little late."""

    class Late(ThreadClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(2 * seconds)

    monkeypatch.setattr(engine, "THREADS", Late())
    far = FarEnd([BoomError, "up"])

    with pytest.raises(DeadlineExceededError) as caught:
        guard(wait=0.015, deadline=0.02).call_sync(far.get)

    assert (far.calls, caught.value.attempts) == (1, 1)


def test_threads_wait_for_a_slot() -> None:
    guarded = guard(bulkhead=Bulkhead(1, max_wait=20.0))
    inside, go = threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        go.wait(20.0)

    thread = threading.Thread(target=guarded.call_sync, args=(hold,))
    thread.start()
    inside.wait(20.0)
    waiting = threading.Thread(target=guarded.call_sync, args=(int,))
    waiting.start()
    while not guarded.statistics().waiting:
        waiting.join(0.001)
    go.set()
    for each in (thread, waiting):
        each.join(20.0)

    assert guarded.statistics().successes == 2
