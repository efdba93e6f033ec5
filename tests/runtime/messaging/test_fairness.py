"""Fairness: nobody starves, and workers are counted."""

from time import perf_counter
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Context, Supervisor

from .support import AsyncPuppet, Puppet, Recorder, bot, child, hold, nap, settle, task_count


@attrs.define
class Flood(Actor):
    """Tells itself the next message before it is done with this one, without end."""

    handled: list[int]
    spin: float = 0.0

    def receive(self, message: object) -> None:
        self.context.ref.tell(message)
        self.handled[0] += 1
        if self.spin:
            until = perf_counter() + self.spin
            while perf_counter() < until:
                pass


async def test_flooding_actor_does_not_starve_its_sibling(autojump_clock: MockClock) -> None:
    """A cell that never runs dry gives the others of its supervisor their turn."""
    handled = [0]
    async with bot(child("flood", lambda: Flood(handled)), child("a", Puppet), child("b", AsyncPuppet)) as runtime:
        runtime.ref("/bot/flood").tell("on and on")

        for _ in range(20):
            assert await runtime.ref("/bot/a").ask(lambda _: "here") == "here"
            await runtime.ref("/bot/b").ask(nap_free)

    assert handled[0] > 0


async def nap_free(_: Actor) -> None:
    await trio.lowlevel.checkpoint()


async def test_flooding_actor_does_not_starve_another_supervisor(autojump_clock: MockClock) -> None:
    """Nor does it starve the children of another supervisor, nor the runtime's own operations."""
    handled = [0]
    async with bot(
        Supervisor("one", [child("flood", lambda: Flood(handled))]),
        Supervisor("two", [child("a", Puppet)]),
    ) as runtime:
        runtime.ref("/bot/one/flood").tell("on and on")

        assert await runtime.ref("/bot/two/a").ask(lambda _: "here") == "here"
        await runtime.restart_child("/bot/two/a")
        await runtime.stop_child("/bot/one/flood")
        stopped_at = handled[0]
        for _ in range(5):
            await trio.lowlevel.checkpoint()

        assert handled[0] == stopped_at


class Steps(trio.abc.Instrument):
    """Counts how many messages each step of each task handles."""

    def __init__(self, handled: list[int]) -> None:
        self.most = 0
        self._handled = handled
        self._before = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._before = self._handled[0]

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.most = max(self.most, self._handled[0] - self._before)


async def test_tick_has_a_count(autojump_clock: MockClock) -> None:
    """A worker begins no turn (64 messages) after 2,048 messages without a checkpoint, however quick they are."""
    handled = [0]
    steps = Steps(handled)
    async with bot(child("flood", lambda: Flood(handled))) as runtime:
        trio.lowlevel.add_instrument(steps)
        runtime.ref("/bot/flood").tell("on and on")
        while handled[0] < 20_000:
            await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)

    assert 64 <= steps.most < 2_048 + 64


async def test_tick_has_a_time() -> None:
    """A tick ends after half a millisecond, looked up every 16 messages, though its count is not used up."""
    handled = [0]
    steps = Steps(handled)
    async with bot(child("flood", lambda: Flood(handled, 0.0002))) as runtime:
        trio.lowlevel.add_instrument(steps)
        runtime.ref("/bot/flood").tell("on and on")
        while handled[0] < 200:
            await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)

    assert steps.most <= 16


async def test_slow_handlers_of_many_actors_share_one_time_budget() -> None:
    """The time budget is of the tick, not of the actor: ten busy actors do not make it ten times as long."""
    handled = [0]
    steps = Steps(handled)
    async with bot(*(child(f"flood{one}", lambda: Flood(handled, 0.0002)) for one in range(10))) as runtime:
        trio.lowlevel.add_instrument(steps)
        for one in range(10):
            runtime.ref(f"/bot/flood{one}").tell("on and on")
        while handled[0] < 300:
            await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)

    assert steps.most <= 32


async def test_flooded_mailbox_does_not_starve_trio(autojump_clock: MockClock) -> None:
    """Ten thousand messages that wait are worked off in turns between which other tasks run."""
    got: list[int] = []
    async with bot(*(child(f"a{number}", lambda: Recorder(got)) for number in range(10))) as runtime:
        for name in range(10):
            for number in range(1_000):
                runtime.ref(f"/bot/a{name}").tell(number)
        turns = 0
        while len(got) < 10_000:
            await trio.lowlevel.checkpoint()
            turns += 1

    assert turns >= 5


async def test_blocked_handler_blocks_only_its_own_actor(autojump_clock: MockClock) -> None:
    """An async handler that waits holds up its mailbox and no other."""
    async with bot(child("a", AsyncPuppet), child("b", AsyncPuppet), child("c", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(nap(1_000))
        await settle()

        await runtime.ref("/bot/b").ask(nap(0))
        answer = await runtime.ref("/bot/c").ask(lambda _: "here")

        assert answer == "here"
        assert trio.current_time() == 0.0


@pytest.mark.parametrize("number", [1, 50, 300])
async def test_workers_are_blocked_handlers_and_at_most_eight_spares(autojump_clock: MockClock, number: int) -> None:
    """Workers <= blocked handlers + 8, while they are blocked and after they were let go."""
    gate = trio.Event()
    async with bot(*(child(f"a{one}", AsyncPuppet) for one in range(number))) as runtime:
        await settle()
        before = task_count()

        for _ in range(3):
            for one in range(number):
                runtime.ref(f"/bot/a{one}").tell(hold(gate))
            await settle()
            blocked = task_count()
            gate.set()
            await settle()
            freed = task_count()
            gate = trio.Event()

            assert blocked <= before + number + 8
            assert freed <= before + 8


async def test_workers_do_not_grow_with_traffic(autojump_clock: MockClock) -> None:
    """Handlers that suspend over and over reuse the spare workers."""
    async with bot(*(child(f"a{one}", AsyncPuppet) for one in range(20))) as runtime:
        await settle()
        before = task_count()
        peak = before

        async def work(_: Actor) -> None:
            nonlocal peak
            peak = max(peak, task_count())
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()

        for _ in range(30):
            for one in range(20):
                runtime.ref(f"/bot/a{one}").tell(work)
        await settle()

        assert peak <= before + 20 + 8
        assert task_count() <= before + 8


async def test_one_message_at_a_time_whatever_the_workers(autojump_clock: MockClock) -> None:
    """However many workers there are, no actor ever handles two messages at once."""
    inside: dict[str, int] = {}
    worst = [0]

    async def work(actor: Any) -> None:
        name = actor.context.name
        inside[name] = inside.get(name, 0) + 1
        worst[0] = max(worst[0], inside[name])
        await trio.lowlevel.checkpoint()
        inside[name] -= 1

    async with bot(*(child(f"a{one}", AsyncPuppet) for one in range(10))) as runtime:
        async with trio.open_nursery() as nursery:
            for one in range(10):
                for _ in range(20):
                    runtime.ref(f"/bot/a{one}").tell(work)
                    nursery.start_soon(runtime.ref(f"/bot/a{one}").ask, work)
        await settle()

    assert worst == [1]


async def test_tell_never_runs_the_handler_of_its_own_accord(autojump_clock: MockClock) -> None:
    """A tell puts the message into the mailbox; the handler runs later, never inside the tell."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        runtime.ref("/bot/a").tell(1)
        inside = list(got)
        await settle()

    assert (inside, got) == ([], [1])


async def test_function_actor_with_slow_messages_has_a_time_budget_too() -> None:
    """`messages()` gives way after half a millisecond, not only after 64 messages."""
    handled = [0]
    steps = Steps(handled)

    async def serve(context: Context) -> None:
        async for _ in context.messages():
            handled[0] += 1
            until = perf_counter() + 0.0002
            while perf_counter() < until:
                pass

    async with bot(child("a", serve)) as runtime:
        trio.lowlevel.add_instrument(steps)
        for number in range(300):
            runtime.ref("/bot/a").tell(number)
        while handled[0] < 300:
            await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)

    assert steps.most <= 32
