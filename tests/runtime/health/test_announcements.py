"""`HealthChanged`: what `/system/health` announces, when, and when it does not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from duenna import Actor, Backoff, Breaker, Child, Guard, Runtime, Supervisor, open_runtime
from duenna.error_events import HealthChanged
from duenna.settings import AlertSettings, Settings
from duenna.testing import fresh_guards

from .test_report import Feed, Worker, feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from trio.testing import MockClock

    from duenna import EventStream


@pytest.fixture(autouse=True)
def guards_begin_anew() -> Iterator[None]:
    with fresh_guards():
        yield


class Heard:
    """What was announced."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream

    def new(self) -> list[tuple[float, str, str, str]]:
        found = [event for event in self._stream.drain() if isinstance(event, HealthChanged)]
        return [(event.time, event.service, event.previous, event.health) for event in found]


@asynccontextmanager
async def running(*children: Child | Supervisor, **options: Any) -> AsyncIterator[tuple[Runtime, Heard]]:
    async with open_runtime(Supervisor("bot", intensity=1000), log_level=None, **options) as runtime:
        with runtime.events(HealthChanged) as stream:
            for child in children:
                await runtime.start_child("/bot", child)
            yield runtime, Heard(stream)


async def test_a_bot_that_starts_well_announces_nothing(autojump_clock: MockClock) -> None:
    async with running(feed("a"), Child("b", Worker)) as (_, heard):
        await trio.sleep(100)

        assert heard.new() == []


async def test_an_exchange_that_is_down_from_the_beginning_is_announced(autojump_clock: MockClock) -> None:
    async with running(feed("a", refuses=lambda: trio.current_time() < 5), feed("b")) as (_, heard):
        await trio.sleep(5)
        assert heard.new() == [
            (0.0, "/bot/a", "operational", "unavailable"),
            (0.0, "", "healthy", "degraded"),
        ]

        await trio.sleep(6)
        assert heard.new() == [
            (10.0, "/bot/a", "unavailable", "operational"),
            (10.0, "", "degraded", "healthy"),
        ]


async def test_failing_checks_are_announced(autojump_clock: MockClock) -> None:
    def fails() -> bool:
        return 30 <= trio.current_time() < 120

    async with running(feed("a", fails=fails), feed("b")) as (_, heard):
        await trio.sleep(150)

        assert [each for each in heard.new() if each[1]] == [
            (30.0, "/bot/a", "operational", "degraded"),
            (80.0, "/bot/a", "degraded", "unavailable"),
            (140.0, "/bot/a", "unavailable", "operational"),
        ]


async def test_a_crash_and_a_restart_are_announced(autojump_clock: MockClock) -> None:
    async with running(Child("a", Worker, backoff=Backoff.steps(10.0))) as (runtime, heard):
        runtime.ref("/bot/a").tell("oops")
        await trio.sleep(11)

        assert heard.new() == [
            (0.0, "/bot/a", "operational", "unavailable"),
            (0.0, "", "healthy", "degraded"),
            (10.0, "/bot/a", "unavailable", "operational"),
            (10.0, "", "degraded", "healthy"),
        ]


async def test_parked_and_started_by_hand(autojump_clock: MockClock) -> None:
    refuses = True
    async with running(feed("a", refuses=lambda: refuses), feed("b")) as (runtime, heard):
        await trio.sleep(101)
        assert heard.new()[-1] == (100.0, "", "degraded", "unhealthy")

        refuses = False
        await runtime.restart_child("/bot/a")
        await trio.sleep(1)

        assert heard.new() == [
            (101.0, "/bot/a", "unavailable", "operational"),
            (101.0, "", "unhealthy", "healthy"),
        ]


async def test_a_link_that_is_renewed_is_no_news(autojump_clock: MockClock) -> None:
    """Nor is a connect that takes a while after it."""

    class Renewing(Feed):
        async def connect(self) -> None:
            await trio.sleep(3)

        async def session(self) -> None:
            await trio.sleep(20)

    async with running(Child("a", Renewing)) as (_, heard):
        await trio.sleep(100)

        assert heard.new() == []


async def test_stopped_suspended_resumed_and_deleted(autojump_clock: MockClock) -> None:
    async with running(feed("a"), Child("b", Worker)) as (runtime, heard):
        await runtime.suspend("/bot/b")
        await trio.sleep(1)
        await runtime.resume("/bot/b")
        await trio.sleep(1)
        await runtime.stop_child("/bot/a")
        await trio.sleep(1)
        await runtime.delete_child("/bot/a")
        await trio.sleep(1)

        assert [each for each in heard.new() if each[1]] == [
            (0.0, "/bot/b", "operational", "unavailable"),
            (1.0, "/bot/b", "unavailable", "operational"),
            (2.0, "/bot/a", "operational", "unavailable"),
            (3.0, "/bot/a", "unavailable", "operational"),
        ]


async def test_what_is_below_a_supervisor_changes_with_it(autojump_clock: MockClock) -> None:
    children = [feed("a"), Child("b", Worker)]
    feeds = Supervisor("feeds", children, intensity=0, max_failures=0, on_give_up="park", unpark_after=50.0)
    async with running(feeds, feed("c")) as (runtime, heard):
        await trio.sleep(10)
        runtime.ref("/bot/feeds/b").tell("oops")
        await trio.sleep(10)
        assert {each[1:] for each in heard.new()} >= {
            ("/bot/feeds", "operational", "unavailable"),
            ("/bot/feeds/a", "operational", "unavailable"),
            ("/bot/feeds/b", "operational", "unavailable"),
        }

        await trio.sleep(50)
        assert {each[1:] for each in heard.new()} == {
            ("/bot/feeds", "unavailable", "operational"),
            ("/bot/feeds/a", "unavailable", "operational"),
            ("/bot/feeds/b", "unavailable", "operational"),
            ("", "unhealthy", "healthy"),
        }


async def test_breakers_are_announced(autojump_clock: MockClock) -> None:
    guard = Guard("announced_orders", retry=None, breaker=Breaker.consecutive(1, open_for=10.0, success_threshold=1))

    @guard
    async def order(fails: bool) -> None:
        await trio.lowlevel.checkpoint()
        if fails:
            raise OSError("no route")

    async with running(feed("a")) as (_, heard):
        with pytest.raises(OSError, match="no route"):
            await order(fails=True)
        await trio.sleep(60)
        await order(fails=False)
        await trio.sleep(1)

        found = [each for each in heard.new() if each[1]]
        assert found[0] == (0.0, "announced_orders", "operational", "unavailable")
        assert found[-1][0] == 60.0  # half-open in between, if anybody looked just then
        assert found[-1][1::2] == ("announced_orders", "operational")


async def test_too_many_errors_are_announced_and_their_end_too(autojump_clock: MockClock) -> None:
    """They get old without an event."""

    class Noisy(Actor):
        def receive(self, message: int) -> None:
            self.context.report(ValueError("bad tick"), number=message)

    settings = Settings(alerts=AlertSettings(error_rate=2))
    async with running(Child("a", Noisy), settings=settings) as (runtime, heard):
        for number in range(3):
            runtime.ref("/bot/a").tell(number)
        await trio.sleep(200)

        assert heard.new() == [(0.0, "", "healthy", "degraded"), (60.0, "", "degraded", "healthy")]


async def test_an_orderly_stop_is_no_news(autojump_clock: MockClock) -> None:
    async with running(feed("a"), Child("b", Worker)) as (runtime, heard):
        await trio.sleep(1)
        await runtime.stop()

        assert heard.new() == []


async def test_a_stop_that_takes_its_time_is_waited_for(autojump_clock: MockClock) -> None:
    """While something goes down, nothing is looked for, again and again."""

    class Slow(Actor):
        async def stopping(self, reason: Any) -> None:
            await trio.sleep(3)

    async with running(Child("a", Slow), feed("b")) as (runtime, heard):
        await trio.sleep(1)
        await runtime.stop()

        assert trio.current_time() == 4.0
        assert heard.new() == []


async def test_what_goes_with_its_supervisor_is_no_trouble_any_more(autojump_clock: MockClock) -> None:
    """And what is there again under the same name is not forgotten with it."""
    async with running(feed("c")) as (runtime, heard):
        feeds = Supervisor("feeds", [feed("a", refuses=lambda: trio.current_time() < 5), Child("b", Worker)])
        await runtime.start_child("/bot", feeds)
        await runtime.suspend("/bot/feeds/b")
        await trio.sleep(1)
        assert len(heard.new()) == 3

        await runtime.stop_child("/bot/feeds")
        await runtime.delete_child("/bot/feeds")
        await runtime.start_child("/bot", feeds)
        await trio.sleep(1)

        assert runtime.health().services["/bot/feeds/a"] == "unavailable"
        assert runtime.health().issues == (
            "/bot/feeds/a is in cooldown: OSError: connection refused; 2 of 3 attempts left",
        )

        await runtime.stop_child("/bot/feeds")
        await runtime.delete_child("/bot/feeds")
        await trio.sleep(1)

        assert runtime.health().overall == "healthy"
        assert heard.new()[-1][1:] == ("", "degraded", "healthy")


async def test_short_lived_actors_leave_nothing_behind(autojump_clock: MockClock) -> None:
    """However many come and go, and whether anybody announces anything or not."""

    async def once(_context: Any) -> None:
        await trio.lowlevel.checkpoint()

    async with running() as (runtime, heard):
        await runtime.stop_child("/system/health")
        for first in range(0, 10_500, 500):
            names = [f"a{number}" for number in range(first, first + 500)]
            await runtime.start_children("/bot", [Child(name, once, restart="temporary") for name in names])
            await wait_all_tasks_blocked()
        await runtime.restart_child("/system/health")
        await trio.sleep(1)

        assert runtime.health().services == {}
        assert [each for each in heard.new() if each[1].startswith("/bot")] == []


async def test_what_was_announced_outlives_a_crash_of_the_announcer(autojump_clock: MockClock) -> None:
    """What changed meanwhile is announced by its next incarnation, once."""
    async with running(feed("a")) as (runtime, heard):
        await trio.sleep(1)
        await runtime.stop_child("/system/health")
        await runtime.start_child("/bot", feed("c", refuses=lambda: True))
        await trio.sleep(1)
        assert heard.new() == []

        await runtime.restart_child("/system/health")
        await trio.sleep(1)
        assert [each[1:] for each in heard.new()] == [
            ("/bot/c", "operational", "unavailable"),
            ("", "healthy", "degraded"),
        ]

        await runtime.restart_child("/system/health")
        await trio.sleep(1)
        assert heard.new() == []


async def test_many_changes_at_once_are_one_look(autojump_clock: MockClock) -> None:
    """More than are kept one by one: the whole tree is gone over, and nothing is missed."""
    tree = [Child(f"a{number}", Worker) for number in range(10_050)]
    async with running() as (runtime, _):
        await runtime.start_children("/bot", tree)
        await wait_all_tasks_blocked()
        with runtime.events(HealthChanged, capacity=20_000) as stream:
            await runtime.suspend("/bot")
            await wait_all_tasks_blocked()
            found = [service for _, service, _, _ in Heard(stream).new()]

    assert sorted(found) == sorted(["", *(f"/bot/a{number}" for number in range(10_050))])


async def test_it_sleeps_when_nothing_happens(autojump_clock: MockClock) -> None:
    """No timer of its own: an idle bot has no wake-up in a year."""
    async with running(Child("b", Worker)) as (_, heard):
        await trio.sleep(100)  # the time that a start may take is over

        assert trio.lowlevel.current_statistics().seconds_to_next_deadline > 365 * 86_400.0
        assert heard.new() == []
