"""Random lives: stops, starts, deaths and questions in any order, with books that must balance at the end."""

from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, ActorDiedError, AskCycleError, ChildStateError, Down, Mailbox

from .support import AsyncRecorder, BoomError, Puppet, Recorder, bot, child, crash, node, settle


@pytest.mark.parametrize("recorder", [Recorder, AsyncRecorder])
async def test_every_message_is_handled_or_a_dead_letter(autojump_clock: MockClock, recorder: Any) -> None:
    """Under random stops, starts and crashes: accepted == handled + dead letters, and nothing twice."""
    rng = Random(3)  # noqa: S311  # a test that can be repeated
    got: list[Any] = []
    accepted = 0
    async with bot(child("a", lambda: recorder(got), mailbox=Mailbox(capacity=20))) as runtime:
        ref = runtime.ref("/bot/a")

        async def operate() -> None:
            while True:
                await trio.sleep(0.001)
                operation = rng.choice([runtime.stop_child, runtime.restart_child, runtime.suspend, runtime.resume])
                try:
                    await operation("/bot/a")
                except (ChildStateError, ActorDiedError):
                    continue

        async def send(sender: int) -> None:
            nonlocal accepted
            for number in range(2_000):
                await ref.send(BoomError(sender, number) if rng.random() < 0.02 else (sender, number))
                accepted += 1
                if rng.random() < 0.1:
                    await trio.sleep(0.001)

        async with trio.open_nursery() as operators:
            operators.start_soon(operate)
            async with trio.open_nursery() as nursery:
                for sender in range(4):
                    nursery.start_soon(send, sender)
            operators.cancel_scope.cancel()
        await runtime.stop_child("/bot/a")
        await settle()
        handled, buried = len(got), runtime.dead_letters

    assert accepted == 8_000
    assert handled + buried == accepted
    assert handled > 500
    assert buried > 500
    assert len({id(message) for message in got}) == len(got)


async def test_every_watch_is_told_exactly_once(autojump_clock: MockClock) -> None:
    """Under random crashes, stops and restarts: every watch brings one `Down`, for the incarnation it was put on."""
    rng = Random(4)  # noqa: S311  # a test that can be repeated
    put: list[int] = []
    told: list[int] = []

    @attrs.define
    class Watcher(Actor):
        is_watching: bool = False

        def receive(self, message: Any) -> None:
            if isinstance(message, Down):
                told.append(message.incarnation)
                self.is_watching = False
            elif not self.is_watching and node(self.context.runtime, "/bot/a").state == "running":
                put.append(node(self.context.runtime, "/bot/a").incarnation)
                self.context.watch("/bot/a")
                self.is_watching = True

    async with bot(child("a", Puppet), child("w", Watcher, mailbox=Mailbox(capacity=2))) as runtime:
        for _ in range(2_000):
            draw = rng.random()
            if draw < 0.4:
                await runtime.ref("/bot/w").send("watch")
            elif draw < 0.7:
                runtime.ref("/bot/a").tell(crash())
            elif draw < 0.8:
                await runtime.restart_child("/bot/a")
            if draw < 0.9:
                await trio.lowlevel.checkpoint()
        await runtime.restart_child("/bot/a")
        await settle()

    assert len(put) > 200
    assert told == put


async def test_no_deadlock_goes_unseen(autojump_clock: MockClock) -> None:
    """Actors that ask each other at random, for ever if need be: every cycle is caught, so all come to an end."""
    rng = Random(6)  # noqa: S311  # a test that can be repeated
    names = [f"a{number}" for number in range(6)]
    cycles: list[tuple[str, ...]] = []

    @attrs.define
    class Gossip(Actor):
        async def receive(self, message: int) -> int:
            if rng.random() < 0.3:
                await trio.sleep(rng.choice([0.0, 0.001]))
            if message == 0:
                return 0
            try:
                answer: int = await self.context.lookup(rng.choice(names)).ask(message - 1, timeout=float("inf"))
            except AskCycleError as error:
                cycles.append(error.paths)
                return 1
            return answer + 1

    answers: Counter[int] = Counter()
    async with bot(*(child(name, Gossip) for name in names)) as runtime, trio.open_nursery() as nursery:

        async def ask(name: str) -> None:
            for _ in range(300):
                answers[await runtime.ref(f"/bot/{name}").ask(4, timeout=float("inf"))] += 1

        for name in names:
            nursery.start_soon(ask, name)

    assert sum(answers.values()) == 1_800
    assert len(cycles) > 100
    for paths in cycles:
        assert paths[0] == paths[-1]
        assert len(set(paths)) == len(paths) - 1


async def test_timers_of_random_lives_never_cross(autojump_clock: MockClock) -> None:
    """Under random crashes every tick that arrives was armed by the incarnation that gets it."""
    rng = Random(8)  # noqa: S311  # a test that can be repeated
    ticks: list[tuple[int, int]] = []

    @attrs.define
    class Ticker(Actor):
        def started(self) -> None:
            for _ in range(3):
                self.context.tell_after(rng.random(), ("tick", self.context.incarnation))
            self.context.tell_every(0.25, ("tick", self.context.incarnation))

        def receive(self, message: Any) -> None:
            if isinstance(message, BoomError):
                raise message
            ticks.append((message[1], self.context.incarnation))

    async with bot(child("a", Ticker)) as runtime:
        for _ in range(1_000):
            await trio.sleep(rng.random())
            if rng.random() < 0.5:
                runtime.ref("/bot/a").tell(BoomError())
        incarnations = node(runtime, "/bot/a").incarnation

    assert incarnations > 300
    assert len(ticks) > 1_000
    assert all(armed == got for armed, got in ticks)
