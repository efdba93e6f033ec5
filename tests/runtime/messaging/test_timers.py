"""Timers: exact, bound to their incarnation, and free of tasks."""

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Mailbox

from .support import (
    AsyncPuppet,
    BoomError,
    Puppet,
    Recorder,
    bot,
    child,
    crash,
    node,
    settle,
    task_count,
)


@attrs.define
class Clocked(Actor):
    """Runs functions of itself, and writes the time of every other message down."""

    log: list[tuple[object, float]]

    def receive(self, message: Any) -> object:
        if callable(message):
            return message(self)
        self.log.append((message, trio.current_time()))
        return None


def after(delay: float, message: object = "tick") -> Callable[[Actor], object]:
    return lambda actor: actor.context.tell_after(delay, message)


def every(period: float, message: object = "tick") -> Callable[[Actor], object]:
    return lambda actor: actor.context.tell_every(period, message)


async def test_tell_after_is_exact(autojump_clock: MockClock) -> None:
    """The message arrives *delay* seconds later, once."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(after(7))
        await trio.sleep(100)

    assert log == [("tick", 7.0)]


async def test_tell_after_zero_is_the_next_message(autojump_clock: MockClock) -> None:
    """A delay of 0 is allowed: the message comes at once, behind what is in the mailbox."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        runtime.ref("/bot/a").tell(after(0))
        runtime.ref("/bot/a").tell("waiting")
        await trio.sleep(1)

    assert log == [("waiting", 0.0), ("tick", 0.0)]


async def test_tell_every_first_ticks_after_one_period(autojump_clock: MockClock) -> None:
    """The first tick comes one period from now, and every period after that without drift."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(every(2))
        await trio.sleep(9)

    assert log == [("tick", 2.0), ("tick", 4.0), ("tick", 6.0), ("tick", 8.0)]


async def test_timers_fire_in_due_order_then_in_the_order_made(autojump_clock: MockClock) -> None:
    """Earlier due times first; at one instant, the timer made first fires first."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        for delay, name in [(3, "late"), (1, "one"), (2, "two"), (1, "other one"), (2, "other two")]:
            await runtime.ref("/bot/a").ask(after(delay, name))
        await trio.sleep(3)
        await settle()

    assert [name for name, _ in log] == ["one", "other one", "two", "other two", "late"]


async def test_timer_to_another_actor(autojump_clock: MockClock) -> None:
    """`to=` sends the message to another ref."""
    log: list[tuple[object, float]] = []

    def arm(actor: Actor) -> None:
        actor.context.tell_after(1, "once", to=actor.context.lookup("b"))
        actor.context.tell_every(2, "often", to=actor.context.lookup("b"))

    async with bot(child("a", Puppet), child("b", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(arm)
        await trio.sleep(5)

    assert log == [("once", 1.0), ("often", 2.0), ("often", 4.0)]


async def test_cancelled_timers_do_not_fire(autojump_clock: MockClock) -> None:
    """After `cancel()` nothing comes; cancelling twice, or after the message came, does nothing."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        once: Any = await runtime.ref("/bot/a").ask(after(2, "once"))
        often: Any = await runtime.ref("/bot/a").ask(every(1, "often"))
        done: Any = await runtime.ref("/bot/a").ask(after(1, "done"))

        await trio.sleep(1.5)
        for timer in (once, often, done, once, often, done):
            timer.cancel()
        await trio.sleep(10)

    assert sorted(log) == [("done", 1.0), ("often", 1.0)]


async def test_timers_die_with_their_incarnation(autojump_clock: MockClock) -> None:
    """A restart cancels the timers of the old incarnation; those of the new one are its own."""
    log: list[tuple[object, float]] = []

    @attrs.define
    class Armed(Clocked):
        def started(self) -> None:
            self.context.tell_after(5, f"once {self.context.incarnation}")
            self.context.tell_every(4, f"often {self.context.incarnation}")

    async with bot(child("a", lambda: Armed(log))) as runtime:
        await trio.sleep(3)
        runtime.ref("/bot/a").tell(crash())
        await trio.sleep(6)

    assert log == [("often 2", 7.0), ("once 2", 8.0)]


async def test_timers_to_another_actor_die_with_their_maker(autojump_clock: MockClock) -> None:
    """A timer belongs to the incarnation that made it, not to the actor that it tells."""
    log: list[tuple[object, float]] = []

    def arm(actor: Actor) -> None:
        actor.context.tell_every(2, "tick", to=actor.context.lookup("b"))

    async with bot(child("a", Puppet), child("b", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(arm)
        await trio.sleep(3)
        await runtime.stop_child("/bot/a")
        await trio.sleep(10)

    assert log == [("tick", 2.0)]


async def test_tick_that_waited_through_the_crash_is_not_kept(autojump_clock: MockClock) -> None:
    """A stopped incarnation's tick that was due during the backoff never comes."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log), backoff=Backoff.steps(10))) as runtime:
        await runtime.ref("/bot/a").ask(every(1))
        runtime.ref("/bot/a").tell(crash())
        await trio.sleep(30)

    assert log == []


async def test_ticks_missed_by_a_stalled_loop_are_skipped(autojump_clock: MockClock) -> None:
    """No burst after a stall: however many ticks the loop missed, one comes."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(every(1))
        await trio.sleep(1.5)

        autojump_clock.jump(100)
        await settle()
        stalled = list(log)
        await trio.sleep(2.25)

    assert stalled == [("tick", 1.0), ("tick", 101.5)]
    assert [name for name, _ in log[2:]] == ["tick", "tick"]
    assert all(later - earlier <= 1.0 for (_, earlier), (_, later) in itertools.pairwise(log[1:]))


@pytest.mark.parametrize("number", [1_000])
async def test_timers_cost_no_tasks(autojump_clock: MockClock, number: int) -> None:
    """One heap for everything: neither a timer nor the timeout of an ask has a task of its own."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(after(0))
        await trio.sleep(1)
        before = task_count()

        for _ in range(number // 2):
            await runtime.ref("/bot/a").ask(after(5))
            await runtime.ref("/bot/a").ask(every(100))
        await settle()
        armed = task_count()
        await trio.sleep(6)

        assert armed <= before + 1
        assert len(log) == 1 + number // 2


async def test_timer_to_a_stopped_actor_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """A timer's message to nobody is a dead letter like any other."""

    def arm(actor: Actor) -> None:
        actor.context.tell_after(1, "tick", to=actor.context.lookup("b"))

    async with bot(child("a", Puppet), child("b", lambda: Recorder([]))) as runtime:
        await runtime.ref("/bot/a").ask(arm)
        await runtime.stop_child("/bot/b")
        await trio.sleep(2)

        assert runtime.dead_letters == 1


async def test_timer_of_a_suspended_actor_waits_in_its_mailbox(autojump_clock: MockClock) -> None:
    """A suspended actor's timers go on; their messages wait with the others."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(after(1))
        await runtime.suspend("/bot/a")
        await trio.sleep(5)
        await runtime.resume("/bot/a")
        await settle()

    assert log == [("tick", 5.0)]


async def test_timer_message_may_crash_the_actor(autojump_clock: MockClock) -> None:
    """A crash on a timer's message is the actor's; the timers of others go on."""
    log: list[Any] = []
    times: list[tuple[object, float]] = []

    @attrs.define
    class Fragile(Recorder):
        def started(self) -> None:
            self.context.tell_after(2, BoomError())

    async with bot(child("a", lambda: Fragile(log)), child("b", lambda: Clocked(times))) as runtime:
        await runtime.ref("/bot/b").ask(every(3))
        await trio.sleep(5)

        assert node(runtime, "/bot/a").restarts == 2
        assert times == [("tick", 3.0)]


async def test_timers_made_in_run_and_in_background_tasks(autojump_clock: MockClock) -> None:
    """`tell_after` works wherever the actor's code runs, and always comes through the mailbox."""
    log: list[tuple[object, float]] = []

    @attrs.define
    class Host(Clocked):
        def started(self) -> None:
            self.context.start_soon(self.later)

        async def later(self) -> None:
            self.context.tell_after(2, "background")

        async def run(self) -> None:
            self.context.tell_after(1, "run")
            await trio.sleep_forever()

    async with bot(child("a", lambda: Host(log))):
        await trio.sleep(5)

    assert log == [("run", 1.0), ("background", 2.0)]


async def test_very_late_timer_does_not_delay_an_earlier_one(autojump_clock: MockClock) -> None:
    """The ticker sleeps until the earliest due time, also when that came in last."""
    log: list[tuple[object, float]] = []
    async with bot(child("a", lambda: Clocked(log))) as runtime:
        await runtime.ref("/bot/a").ask(after(1_000_000, "late"))
        await settle()
        await runtime.ref("/bot/a").ask(after(1, "soon"))
        await trio.sleep(2)

    assert log == [("soon", 1.0)]


async def test_cancelled_timers_do_not_pile_up(autojump_clock: MockClock) -> None:
    """Asks answered in time cancel their timers; a million virtual seconds later nothing of them is left to fire."""
    async with bot(child("a", AsyncPuppet)) as runtime:

        async def answer(_: Actor) -> int:
            return 1

        for _ in range(2_000):
            await runtime.ref("/bot/a").ask(answer, timeout=1_000)
        before = runtime.dead_letters
        await trio.sleep(2_000)

        assert runtime.dead_letters == before


@pytest.mark.parametrize("way", ["timer", "publish"])
async def test_message_that_a_key_function_refuses_hurts_nobody_else(autojump_clock: MockClock, way: str) -> None:
    """A timer or a publication that a `Mailbox.latest` cannot take is no end of the runtime: others go on."""
    log: list[tuple[object, float]] = []

    @attrs.define
    class Listener(Actor):
        def started(self) -> None:
            self.context.subscribe(int)

        def receive(self, message: object) -> None:
            pass

    def arm(actor: Actor) -> None:
        if way == "timer":
            actor.context.tell_after(1, 7, to=actor.context.lookup("latest"))
        else:
            actor.context.publish(7)

    box = Mailbox.latest(key=lambda message: message[0])
    specs = (child("a", Puppet), child("latest", Listener, mailbox=box), child("b", lambda: Clocked(log)))
    async with bot(*specs) as runtime:
        await runtime.ref("/bot/b").ask(every(2))
        runtime.ref("/bot/a").tell(arm)
        await trio.sleep(5)

        assert log == [("tick", 2.0), ("tick", 4.0)]
        assert node(runtime, "/bot/a").restarts == 0


async def test_ticks_to_oneself_are_conflated_by_no_key(autojump_clock: MockClock) -> None:
    """In a `Mailbox.latest` the actor's own ticks arrive whatever the key function makes of them."""
    log: list[tuple[object, float]] = []
    box = Mailbox.latest(key=lambda message: message[0])
    async with bot(child("a", lambda: Clocked(log), mailbox=box)) as runtime:
        await runtime.ref("/bot/a").ask(after(1, 7))
        await trio.sleep(2)

    assert log == [(7, 1.0)]


async def test_tick_in_the_mailbox_dies_with_its_incarnation(autojump_clock: MockClock) -> None:
    """A tick that waited behind the message on which the actor crashed is not delivered to the next incarnation."""
    got: list[str] = []

    async def crash_later(actor: Actor) -> None:
        actor.context.tell_after(1, mark)
        await trio.sleep(2)
        raise BoomError

    async def mark(actor: Actor) -> None:
        got.append(f"tick in {actor.context.incarnation}")

    async with bot(child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(crash_later)
        await trio.sleep(1.5)
        waiting = node(runtime, "/bot/a").mailbox.depth
        await trio.sleep(5)

        assert (waiting, got) == (1, [])
        assert node(runtime, "/bot/a").incarnation == 2
