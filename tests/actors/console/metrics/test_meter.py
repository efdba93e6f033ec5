"""The meter: what it counts of events, under which labels, and how little it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from duenna import Actor, Backoff, Breaker, Child, Guard, Supervisor, open_runtime
from duenna.error_events import ErrorClassified, HealthChanged, RecoveryAttempted
from duenna.events import ChildExited, ChildStarted, DeadLetter, MessageDropped
from duenna.guard_events import CallRejected, CallRetried, FallbackUsed
from duenna.testing import fresh_guards
from duenna_actors.alerts.events import NotificationDelayed, NotificationFailed, NotificationSent
from duenna_actors.binance.book_messages import BookDesynced
from duenna_actors.console.metrics.counts import MOST, OTHER, LabelCounts
from duenna_actors.console.metrics.histogram import Histogram
from duenna_actors.console.metrics.meter import Meter
from duenna_actors.feed_errors import StaleFeedError
from duenna_actors.feed_messages import FeedRotated
from tests.actors.console.metrics.support import Crasher, Line, Memory, Switch, measured

if TYPE_CHECKING:
    from trio.testing import MockClock

TEN = Backoff.steps(10.0)


def counted(counts: LabelCounts) -> dict[tuple[str, ...], int]:
    return dict(counts.items())


def crashers(*names: str, **options: Any) -> list[Child]:
    return [Child(name, Crasher, backoff=TEN, **options) for name in names]


async def test_a_crash_is_a_restart_an_error_and_an_outage(autojump_clock: MockClock) -> None:
    """Restarts are counted when they have happened, and the outage lasts from the crash until then."""
    async with measured(Supervisor("bot", crashers("a", "b"))) as bot:
        bot.runtime.ref("/bot/a").tell(ConnectionResetError("reset"))
        await trio.sleep(5)
        assert counted(bot.meter.restarts) == {}
        await trio.sleep(10)

        assert counted(bot.meter.restarts) == {("/bot/a", "crash"): 1}
        assert counted(bot.meter.errors) == {("/bot/a", "NETWORK", "MEDIUM"): 1}
        assert bot.meter.recovery.sum == 10.0
        assert dict(zip((*bot.meter.recovery.bounds, None), bot.meter.recovery.counts, strict=True))[10.0] == 1
        assert len(bot.meter.outages) == 0


class Teller(Crasher):
    """Reports what it is about to crash with."""

    def receive(self, message: Any) -> Any:
        self.context.report(message)
        return super().receive(message)


async def test_an_error_that_is_reported_again_is_one(autojump_clock: MockClock) -> None:
    """It was one exception, on its way up."""
    async with measured(Supervisor("bot", [Child("a", Teller, backoff=TEN)])) as bot:
        with bot.runtime.events(ErrorClassified) as events:
            bot.runtime.ref("/bot/a").tell(ConnectionResetError("reset"))
            await trio.sleep(5)
            told = [event.report.repeats is None for event in events.drain() if isinstance(event, ErrorClassified)]

        assert told == [True, False]
        assert counted(bot.meter.errors) == {("/bot/a", "NETWORK", "MEDIUM"): 1}


async def test_each_restart_has_its_reason(autojump_clock: MockClock) -> None:
    """Siblings that go down with one that crashed, and an operator's restart, are told apart from crashes."""
    tree = Supervisor(
        "bot",
        [
            Supervisor("group", crashers("a", "b", "c"), strategy="rest_for_one"),
            Child("ends", Ending, backoff=TEN),
            *crashers("d"),
        ],
    )
    async with measured(tree) as bot:
        bot.runtime.ref("/bot/group/b").tell(ValueError("bad"))
        await trio.sleep(11)
        assert counted(bot.meter.restarts) == {("/bot/group/b", "crash"): 1, ("/bot/group/c", "group"): 1}
        await bot.runtime.restart_child("/bot/d")
        bot.runtime.ref("/bot/ends").tell("end")
        await trio.sleep(11)
        await bot.runtime.restart_child("/bot/group")
        await trio.sleep(1)

        assert counted(bot.meter.restarts) == {
            ("/bot/group/b", "crash"): 1,
            ("/bot/group/c", "group"): 1,
            ("/bot/d", "operator"): 1,
            ("/bot/ends", "exit"): 1,
            ("/bot/group", "operator"): 1,
            ("/bot/group/a", "operator"): 1,
            ("/bot/group/b", "operator"): 1,
            ("/bot/group/c", "operator"): 1,
        }


class Ending(Actor):
    """Ends in good order when it is told to."""

    def receive(self, message: str) -> None:
        self.context.stop()


async def test_a_supervisor_that_gives_up_takes_its_children_along(autojump_clock: MockClock) -> None:
    """It is an escalation; the restarts below it are because of the supervisor."""
    tree = Supervisor("bot", [Supervisor("sub", crashers("a"), intensity=0, backoff=TEN)])
    async with measured(tree) as bot:
        bot.runtime.ref("/bot/sub/a").tell(ValueError("bad"))
        await trio.sleep(11)

        assert counted(bot.meter.escalations) == {("/bot/sub",): 1}
        assert counted(bot.meter.restarts) == {("/bot/sub/a", "supervisor"): 1, ("/bot/sub", "crash"): 1}
        assert bot.meter.recovery.sum == 10.0


async def test_a_failed_start_and_a_parked_child(autojump_clock: MockClock) -> None:
    """What is tried again because it did not start, or after it was parked, is counted as such."""
    fails = [False]

    class Moody(Crasher):
        def started(self) -> None:
            if fails[0]:
                raise OSError("no disk")

    child = Child("a", Moody, backoff=TEN, max_failures=2, on_give_up="park", unpark_after=100.0)
    async with measured(Supervisor("bot", [child])) as bot:
        fails[0] = True
        bot.runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(15)
        fails[0] = False
        await trio.sleep(15)
        assert counted(bot.meter.restarts) == {("/bot/a", "start_error"): 1}
        assert bot.meter.recovery.sum == 20.0
        fails[0] = True
        bot.runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(50)
        assert bot.runtime.tree().find("/bot/a").state == "failed"
        fails[0] = False
        await trio.sleep(100)

        assert counted(bot.meter.restarts) == {("/bot/a", "start_error"): 1, ("/bot/a", "parked"): 1}


async def test_what_an_operator_stops_is_no_outage(autojump_clock: MockClock) -> None:
    """Stopped while it is in backoff, it did not recover; started, it did not either."""
    async with measured(Supervisor("bot", crashers("a"))) as bot:
        bot.runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(1)
        await bot.runtime.stop_child("/bot/a")
        await trio.sleep(60)
        await bot.runtime.restart_child("/bot/a")

        assert sum(bot.meter.recovery.counts) == 0
        assert counted(bot.meter.restarts) == {("/bot/a", "operator"): 1}


async def test_a_feed_that_reconnects(autojump_clock: MockClock) -> None:
    """Each attempt counts, by why the link was lost; the outage ends when the link is up, not when the actor is."""
    switch = Switch()
    feed = Child("feed", lambda: Line(switch), backoff=TEN)
    async with measured(Supervisor("bot", [feed])) as bot:
        await trio.sleep(1)
        switch.cut(StaleFeedError(["btc"], "no data"))
        await trio.sleep(5)
        switch.error = OSError("refused")
        await trio.sleep(10)
        switch.error = None
        await trio.sleep(10)

        assert counted(bot.meter.reconnects) == {("/bot/feed", "stale"): 1, ("/bot/feed", "lost"): 1}
        assert bot.meter.recovery.sum == 20.0
        assert sum(bot.meter.recovery.counts) == 1


async def test_breakers_and_what_is_told_by_events(autojump_clock: MockClock) -> None:
    """Transitions of breakers, recovery actions, alerts, gaps: one event, one count."""

    async def fails() -> None:
        raise OSError("down")

    with fresh_guards():
        guard = Guard("api", breaker=Breaker.consecutive(1, open_for=5.0))
        async with measured() as bot:
            bus = bot.runtime.bus
            at: dict[str, Any] = {"time": 1.0, "path": "/bot/x"}
            with pytest.raises(OSError, match="down"):
                await guard.call(fails)
            for status in ("started", "failed", "success"):
                bus.post(RecoveryAttempted(**at, report_id=1, action="reconnect", status=status, attempt=1))
            bus.post(FeedRotated(**at, why="planned", age=3.0))
            bus.post(FeedRotated(**at, why="server shutdown", age=3.0))
            bus.post(BookDesynced(**at, symbol="BTCUSDT", why="gap"))
            bus.post(NotificationSent(**at, receiver="log", number=1, alerts=3, attempts=1, delay=0.0))
            bus.post(NotificationDelayed(**at, receiver="slack", number=2, error="no"))
            bus.post(NotificationFailed(**at, receiver="slack", number=2, alerts=2, attempts=5, error="no"))
            bus.post(HealthChanged(**at, service="", previous="healthy", health="degraded", why=""))
            bus.post(HealthChanged(**at, service="x", previous="operational", health="unavailable", why=""))
            bot.meter.count_dropped("viewer", 7)

            assert counted(bot.meter.transitions) == {("api", "closed", "open"): 1}
            assert counted(bot.meter.actions) == {("reconnect", "failed"): 1, ("reconnect", "success"): 1}
            assert counted(bot.meter.reconnects) == {("/bot/x", "planned"): 1, ("/bot/x", "server_shutdown"): 1}
            assert counted(bot.meter.gaps) == {("/bot/x",): 1}
            assert counted(bot.meter.alerts) == {("log", "sent"): 3, ("slack", "delayed"): 1, ("slack", "failed"): 2}
            assert counted(bot.meter.dropped) == {("viewer",): 7}
            assert bot.meter.health == "degraded"


async def test_no_flood_is_built_for_it(autojump_clock: MockClock) -> None:
    """What comes by the thousand, or tells of nothing unusual, is wanted no more than without a meter."""
    kinds = (MessageDropped, DeadLetter, CallRejected, CallRetried, FallbackUsed)
    async with open_runtime(Supervisor("bot"), log_level=None) as plain:
        before = [plain.bus.wants(kind) for kind in kinds]
    async with measured() as bot:
        assert [bot.runtime.bus.wants(kind) for kind in kinds] == before
        assert not any(bot.runtime.bus.wants_routine(kind) for kind in (ChildStarted, ChildExited))


async def test_it_is_attached_once(autojump_clock: MockClock) -> None:
    """Each start of the console attaches the meter; it must not count twice for that."""
    async with measured(Supervisor("bot", crashers("a"))) as bot:
        bot.meter.attach(bot.runtime)
        bot.runtime.ref("/bot/a").tell(ValueError("bad"))
        await trio.sleep(11)

        assert counted(bot.meter.restarts) == {("/bot/a", "crash"): 1}
        assert bot.runtime.timings.is_on


def test_labels_are_bounded() -> None:
    """Of a thousand and one actors, the last is another one; what it had by a few words stays."""
    counts = LabelCounts()
    for number in range(MOST):
        counts.add(f"/bot/{number}", "crash")
    counts.add("/bot/more", "crash", count=2)
    counts.add("/bot/more", "exit")
    counts.add("/bot/999", "crash")

    assert len(counts) == MOST + 2
    assert counts[OTHER, "crash"] == 2
    assert counts[OTHER, "exit"] == 1
    assert counts["/bot/999", "crash"] == 2


def test_labels_that_are_cut_are_one() -> None:
    """A name of 100 kB is kept in part, and counted on."""
    counts = LabelCounts()
    counts.add("x" * 100_000)
    counts.add("x" * 100_000)

    assert counted(counts) == {("x" * 200,): 2}


def test_buckets_hold_their_upper_bound() -> None:
    """`le` means less or equal; what is longer than all of them is in the last."""
    histogram = Histogram((1.0, 2.0))
    for seconds in (0.0, 1.0, 1.1, 2.0, 2.1, 100.0):
        histogram.observe(seconds)

    assert (histogram.counts, histogram.sum) == ([2, 2, 2], 106.2)


def test_a_memory_has_a_meter_before_there_is_a_runtime() -> None:
    """It is made with the console's spec."""
    assert isinstance(Memory().meter, Meter)
