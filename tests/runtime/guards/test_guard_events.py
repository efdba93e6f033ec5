"""What guards tell a runtime: which events, of whom, from which threads, and what of a flood is logged."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from duenna import Actor, Backoff, Child, Context, Event, EventStream, Supervisor, open_runtime
from duenna.guard_events import (
    BreakerChanged,
    CallHedged,
    CallRetried,
    FallbackUsed,
    GuardEvent,
    GuardHealthChanged,
)
from duenna.guards import Breaker, CircuitOpenError, Fallback, Guard, Hedge, Retry
from duenna.guards._registry import registry
from duenna.machines.breaker import BreakerState, Cause
from duenna.testing import World, fresh_guards

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIPPY = Breaker.consecutive(2, open_for=10.0, success_threshold=1)


class BoomError(Exception):
    """What the calls fail with."""


class ToldError(Exception):
    """Says when it is asked for its text."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked

    def __str__(self) -> str:
        self.asked.append("asked")
        return "told"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    with fresh_guards():
        yield


def boom(*_: object) -> None:
    raise BoomError("no")


async def aboom(*_: object) -> int | None:
    raise BoomError("no")


def tree(*children: Child | Supervisor) -> Supervisor:
    return Supervisor("bot", children or [Child("idle", idle)])


async def idle(_: Context) -> None:
    await trio.sleep_forever()


def silent(*children: Child) -> Any:
    return open_runtime(tree(*children), seed=1, log_level=None, watchdog=None)


def seen(stream: EventStream) -> list[Any]:
    return list(stream.drain())


def reject(guard: Guard) -> None:
    with pytest.raises(CircuitOpenError):
        guard.call_sync(boom)


class TestWhatIsTold:
    async def test_a_call_that_is_retried_trips_recovers_and_gives_up(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=Retry(2, backoff=Backoff.steps(1.0)), breaker=TRIPPY)
        start = trio.current_time()
        async with silent() as runtime:
            with runtime.events(GuardEvent) as stream:
                with pytest.raises(BoomError):
                    await guard.call(aboom)
                reject(guard)
                await trio.sleep(10.0)
                await guard.call(trio.sleep, 0)
                events = seen(stream)

        assert [(type(event).__name__, event.time - start) for event in events] == [
            ("CallRetried", 0.0),
            ("BreakerChanged", 1.0),
            ("CallGaveUp", 1.0),
            ("CallRejected", 1.0),
            ("BreakerChanged", 11.0),
            ("BreakerChanged", 11.0),
        ]
        assert {(event.guard, event.path) for event in events} == {("api", "/")}
        retried, opened, gave_up, rejected, half, closed = events
        assert (retried.attempt, retried.delay, retried.error) == (1, 1.0, "BoomError: no")
        assert (opened.previous, opened.state, opened.cause, opened.open_for, opened.calls, opened.failures) == (
            BreakerState.CLOSED,
            BreakerState.OPEN,
            Cause.FAILURES,
            10.0,
            2,
            2,
        )
        assert opened.error == "BoomError: no"
        assert (gave_up.attempts, gave_up.elapsed, gave_up.why, gave_up.error) == (2, 1.0, "attempts", "BoomError: no")
        assert (rejected.by, rejected.retry_after) == ("breaker", 10.0)
        assert (half.state, closed.state) == (BreakerState.HALF_OPEN, BreakerState.CLOSED)

    async def test_a_fallback_and_the_health(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, fallback=Fallback.value(None))
        async with silent() as runtime:
            with runtime.events(FallbackUsed, GuardHealthChanged) as stream:
                assert await guard.call(aboom) is None
                await guard.call(trio.sleep, 0)
                events = seen(stream)

        used = [event for event in events if isinstance(event, FallbackUsed)]
        changed = [(e.previous, e.health) for e in events if isinstance(e, GuardHealthChanged)]
        assert [(event.source, event.age, event.error) for event in used] == [("value", 0.0, "BoomError: no")]
        assert changed == [("ok", "degraded"), ("degraded", "ok")]

    async def test_a_hedge(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, hedge=Hedge(after=0.5))
        async with silent() as runtime:
            with runtime.events(CallHedged) as stream:
                await guard.call(trio.sleep, 0.8)
                events = seen(stream)

        assert [event.attempt for event in events] == [1]

    async def test_a_hand(self, autojump_clock: MockClock) -> None:
        guard = Guard("api")
        async with silent() as runtime:
            with runtime.events(BreakerChanged) as stream:
                runtime.guards["api"].force_open()
                guard.disable()
                guard.reset()
                events = seen(stream)

        assert [(event.state, event.cause, event.open_for) for event in events] == [
            (BreakerState.FORCED_OPEN, Cause.FORCE_OPEN, float("inf")),
            (BreakerState.DISABLED, Cause.DISABLE, 0.0),
            (BreakerState.CLOSED, Cause.RESET, 0.0),
        ]

    def test_a_guard_without_a_runtime_does_the_same(self) -> None:
        guard = Guard("api", retry=None, breaker=TRIPPY)
        assert not registry.is_heard

        for _ in range(2):
            with pytest.raises(BoomError):
                guard.call_sync(boom)

        reject(guard)

    async def test_after_the_end_nothing_is_told(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, breaker=TRIPPY)
        async with silent() as runtime:
            heard: list[Event] = []
            runtime.bus.attach(_Ear(1, runtime.bus, (), runtime.clock, heard))

        with pytest.raises(BoomError):
            await guard.call(aboom)
        guard.force_open()

        assert [event for event in heard if isinstance(event, GuardEvent)] == []
        assert not registry.is_heard

    async def test_what_nobody_wants_is_not_built(self, autojump_clock: MockClock) -> None:
        texts: list[str] = []
        error = ToldError(texts)
        async with silent() as runtime:
            registry.emit(Guard("api").dependency, CallRetried, attempt=1, delay=0.0, error=error)
            assert texts == []
            with runtime.events(CallRetried) as stream:
                registry.emit(Guard("api").dependency, CallRetried, attempt=1, delay=0.0, error=error)

                assert [event.error for event in seen(stream)] == ["ToldError: told"]
        assert texts == ["asked"]


@attrs.define(eq=False)
class _Ear(EventStream):
    """Hears everything at once."""

    heard: list[Event]

    def offer(self, event: Event) -> None:
        self.heard.append(event)


# -- of whom ------------------------------------------------------------------------------


def fail(guard: Guard) -> None:
    with pytest.raises(BoomError):
        guard.call_sync(boom)


class Handler(Actor):
    def receive(self, message: Guard) -> None:
        fail(message)


class AsyncHandler(Actor):
    async def receive(self, message: Guard) -> None:
        await trio.sleep(0.1)
        fail(message)


class Body(Actor):
    async def run(self) -> None:
        fail(Guard("api", retry=None, breaker=TRIPPY))
        await trio.sleep_forever()


class Background(Actor):
    def receive(self, message: Guard) -> None:
        self.context.start_soon(self.work, message)

    async def work(self, guard: Guard) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.deeper, guard)

    async def deeper(self, guard: Guard) -> None:
        fail(guard)


async def function(context: Context) -> None:
    async for message in context.messages():
        fail(message)


class TestOfWhom:
    @pytest.mark.parametrize("start", [Handler, AsyncHandler, Background, function])
    async def test_an_event_is_about_the_actor_that_called(self, autojump_clock: MockClock, start: Any) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1))
        async with silent(Child("caller", start), Child("other", Handler)) as runtime:
            with runtime.events(BreakerChanged) as stream:
                runtime.ref("/bot/caller").tell(guard)
                await trio.sleep(1.0)

                assert [event.path for event in seen(stream)] == ["/bot/caller"]

    async def test_the_body_of_an_actor(self, autojump_clock: MockClock) -> None:
        Guard("api", retry=None, breaker=TRIPPY)
        async with silent() as runtime:
            with runtime.events(BreakerChanged) as stream:
                await runtime.start_child("/bot", Child("one", Body))
                await runtime.start_child("/bot", Child("two", Body))
                await trio.sleep(1.0)

                assert [event.path for event in seen(stream)] == ["/bot/two"]


class Between(trio.abc.Instrument):
    """Fails a call while no task runs."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def before_io_wait(self, timeout: float) -> None:
        if self._guard.state == "closed":
            fail(self._guard)


# -- from where ---------------------------------------------------------------------------


class TestFromWhere:
    async def test_another_thread(self) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1))
        async with silent() as runtime:
            with runtime.events(GuardEvent) as stream:
                before = trio.current_time()
                await trio.to_thread.run_sync(fail, guard)
                event = await anext(stream)

        assert isinstance(event, BreakerChanged)
        assert (event.path, event.guard) == ("/", "api")
        assert before <= event.time <= trio.current_time()

    async def test_between_two_tasks(self, autojump_clock: MockClock) -> None:
        """What the loop itself calls belongs to no task, and so to no actor."""
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1))
        async with silent() as runtime:
            with runtime.events(GuardEvent) as stream:
                between = Between(guard)
                trio.lowlevel.add_instrument(between)
                await wait_all_tasks_blocked()
                trio.lowlevel.remove_instrument(between)

                assert [event.path for event in seen(stream)] == ["/"]

    async def test_every_runtime_is_told(self, autojump_clock: MockClock) -> None:
        guard = Guard("api", retry=None, breaker=Breaker.consecutive(1))
        async with silent() as first, silent() as second:
            with first.events(GuardEvent) as one, second.events(GuardEvent) as two:
                fail(guard)

                assert [len(seen(one)), len(seen(two))] == [1, 1]

    def test_runtimes_of_other_threads_are_told_and_those_that_end_are_not_missed(self) -> None:
        guard = Guard("api", retry=None, breaker=None)
        ready, over, told = threading.Event(), threading.Event(), list[Any]()

        async def elsewhere() -> None:
            async with silent() as runtime:
                with runtime.events(BreakerChanged) as stream:
                    ready.set()
                    async for event in stream:
                        told.append(event)
                        if len(told) == 2:
                            break
            over.set()

        thread = threading.Thread(target=trio.run, args=(elsewhere,))
        thread.start()
        ready.wait()

        guard.force_open()
        guard.disable()
        over.wait()
        thread.join()
        guard.force_open()

        assert [event.state for event in told] == [BreakerState.FORCED_OPEN, BreakerState.DISABLED]

    def test_a_loop_that_has_ended_is_not_told(self) -> None:
        """A runtime whose loop is gone, as after a crash of trio itself."""
        link: list[Any] = []

        async def main() -> None:
            async with silent():
                link.extend(registry._links)

        trio.run(main)
        link[0].runtime.bus.attach(EventStream(1, link[0].runtime.bus, (), link[0].runtime.clock))

        link[0].post(CallHedged, "api", {"attempt": 1})

    def test_a_worker_thread_of_a_world(self) -> None:
        """There it runs in the loop's own thread, but not in the loop."""
        guard = Guard("world", retry=None, breaker=Breaker.consecutive(1))
        world = World(1)

        async def main() -> list[tuple[str, float]]:
            async with world.open_runtime(tree()) as runtime:
                with runtime.events(GuardEvent) as stream:
                    await trio.sleep(5.0)
                    await trio.to_thread.run_sync(fail, guard)
                    await trio.sleep(5.0)
                    return [(event.path, round(event.time, 1)) for event in seen(stream)]

        assert world.run(main) == [("/", 5.0)]
