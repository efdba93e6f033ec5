"""Operators and actors at once: restarts, suspensions and stops in the middle of traffic lose nothing either."""

from collections import Counter
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Actor,
    ActorDiedError,
    Backoff,
    ChildStateError,
    Context,
    Mailbox,
    Supervisor,
)

from .support import AsyncPuppet, BoomError, Puppet, Recorder, bot, child, nap, node, settle, task_count, timed

Message = tuple[int, int]


@attrs.define
class Link(Actor):
    """Passes every message on to the next of a chain, by send or by ask, and crashes now and then."""

    rng: Random
    seen: Counter[tuple[str, Message]]
    passed: set[tuple[str, Message]]

    async def receive(self, message: Message) -> str:
        name = self.context.name
        self.seen[name, message] += 1
        if self.rng.random() < 0.2:
            await trio.sleep(self.rng.choice([0.0, 0.001, 0.01]))
        if self.rng.random() < 0.01:
            raise BoomError
        place = int(name[1:])
        if place == 0:
            return "end"
        follower = self.context.lookup(f"l{place - 1}")
        if self.rng.random() < 0.5:
            await follower.send(message)
        else:
            try:
                await follower.ask(message, timeout=1.0)
            except ActorDiedError as died:
                if died.__cause__ is None:
                    return "unknown"
        self.passed.add((f"l{place - 1}", message))
        return "passed"


async def test_chain_under_random_restarts_loses_and_doubles_nothing(autojump_clock: MockClock) -> None:
    """Actors that send to and ask each other while an operator restarts and suspends them at random.

    What a send or an answered ask passed on is handled once; what was cut off by a restart, at most once.
    """
    rng = Random(11)  # noqa: S311  # a test that can be repeated
    seen: Counter[tuple[str, Message]] = Counter()
    passed: set[tuple[str, Message]] = set()
    names = [f"l{place}" for place in range(4)]
    specs = [child(name, lambda: Link(rng, seen, passed), mailbox=Mailbox(capacity=4)) for name in names]
    async with bot(*specs) as runtime:

        async def feed(sender: int) -> None:
            for number in range(1_500):
                with trio.move_on_after(rng.choice([0.002, 0.1, 10.0])):
                    await runtime.ref("/bot/l3").send((sender, number))
                    passed.add(("l3", (sender, number)))

        async def operate() -> None:
            while True:
                await trio.sleep(rng.choice([0.001, 0.01, 0.05]))
                path = f"/bot/{rng.choice(names)}"
                if rng.random() < 0.5:
                    await runtime.restart_child(path)
                else:
                    await runtime.suspend(path)
                    await trio.sleep(0.002)
                    await runtime.resume(path)

        async with trio.open_nursery() as operators:
            operators.start_soon(operate)
            async with trio.open_nursery() as nursery:
                for sender in range(4):
                    nursery.start_soon(feed, sender)
            operators.cancel_scope.cancel()
        for name in names:
            try:
                await runtime.resume(f"/bot/{name}")
            except ChildStateError:
                continue
        await trio.sleep(100)
        await settle()
        depths = [node(runtime, f"/bot/{name}").mailbox.depth for name in names]
        restarts = [node(runtime, f"/bot/{name}").incarnation for name in names]

    assert depths == [0, 0, 0, 0]
    assert min(restarts) > 20
    assert max(seen.values()) == 1
    assert {entry for entry in passed if seen[entry] != 1} == set()
    assert len(passed) > 5_000


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
async def test_group_restarts_lose_no_message(autojump_clock: MockClock, strategy: str) -> None:
    """A group restart stops actors that did not crash: their mailboxes survive it all the same."""
    rng = Random(5)  # noqa: S311  # a test that can be repeated
    got: list[int] = []

    @attrs.define
    class Crasher(Actor):
        async def run(self) -> None:
            await trio.sleep(rng.choice([0.01, 0.02, 0.05]))
            raise BoomError

    specs = (child("c", Crasher), child("a", lambda: Recorder(got), mailbox=Mailbox(capacity=8)))
    async with bot(*specs, strategy=strategy) as runtime:
        for number in range(5_000):
            await runtime.ref("/bot/a").send(number)
            if rng.random() < 0.1:
                await trio.sleep(0.001)
        await trio.sleep(1)

        assert got == list(range(5_000))
        assert node(runtime, "/bot/a").incarnation > 5


@pytest.mark.parametrize("operation", ["stop_child", "restart_child", "stop"])
@pytest.mark.parametrize("place", ["handler", "run", "function", "background"])
async def test_actor_may_operate_on_itself(autojump_clock: MockClock, operation: str, place: str) -> None:
    """C57: an actor that stops or restarts itself, or the runtime, through the runtime ends; nothing deadlocks."""
    calls: list[str] = []

    async def operate(context: Context) -> None:
        if calls:
            await trio.sleep_forever()
        calls.append(place)
        runtime = context.runtime
        await trio.sleep(1)
        await (runtime.stop() if operation == "stop" else getattr(runtime, operation)(context.path))

    @attrs.define
    class Handler(Actor):
        async def receive(self, message: object) -> None:
            await operate(self.context)

    @attrs.define
    class Body(Actor):
        async def run(self) -> None:
            await operate(self.context)
            await trio.sleep_forever()

    @attrs.define
    class Background(Actor):
        def started(self) -> None:
            self.context.start_soon(operate, self.context)

    starts: dict[str, Any] = {"handler": Handler, "run": Body, "function": operate, "background": Background}
    async with bot(child("a", starts[place])) as runtime:
        if place == "handler":
            runtime.ref("/bot/a").tell("go")
        with trio.fail_after(10):
            await trio.sleep(2)
            if operation == "stop":
                await runtime.stop()
        found = node(runtime, "/bot/a")

    assert calls == [place]
    assert found.incarnation == (2 if operation == "restart_child" else 1)
    if operation == "stop_child":
        assert found.state == "stopped"


SUB_ENDS = ["stopped", "deleted", "parked"]


async def end_of_sub(runtime: Any, how: str) -> None:
    if how == "parked":
        runtime.ref("/bot/sub/x").tell(lambda _: 1 / 0)
    else:
        await runtime.stop_child("/bot/sub")
        if how == "deleted":
            await runtime.delete_child("/bot/sub")
    await settle()


def sub_tree(**options: Any) -> Supervisor:
    children = [child("a", AsyncPuppet, mailbox=Mailbox(capacity=1)), child("x", Puppet)]
    return Supervisor("sub", children, intensity=0, max_failures=0, on_give_up="park", unpark_after=None, **options)


@pytest.mark.parametrize("how", SUB_ENDS)
async def test_ask_of_a_child_of_a_supervisor_that_is_down_fails_at_once(autojump_clock: MockClock, how: str) -> None:
    """A child whose supervisor was stopped, deleted or parked cannot answer: `ActorDiedError` at once."""
    async with bot(sub_tree()) as runtime:
        ref = runtime.ref("/bot/sub/a")
        await end_of_sub(runtime, how)

        error, took = await timed(ref.ask(nap(0)))

    assert isinstance(error, ActorDiedError)
    assert took == 0.0


@pytest.mark.parametrize("how", SUB_ENDS)
async def test_asks_and_senders_are_let_go_when_the_supervisor_ends(autojump_clock: MockClock, how: str) -> None:
    """Whoever waits in front of, or in, the mailbox of a child is told when its supervisor goes down for good.

    A sender to a parked one goes on waiting: it may come back, and its mailbox is kept.
    """
    results: dict[str, tuple[object, float]] = {}
    async with bot(sub_tree()) as runtime, trio.open_nursery() as nursery:
        ref = runtime.ref("/bot/sub/a")

        async def ask(name: str) -> None:
            results[name] = await timed(ref.ask(nap(0), timeout=1_000))

        async def send() -> None:
            results["sender"] = await timed(ref.send(nap(0)))

        ref.tell(nap(500))
        await settle()
        nursery.start_soon(ask, "in the mailbox")
        await settle()
        nursery.start_soon(ask, "in front of it")
        await settle()
        nursery.start_soon(send)
        await trio.sleep(1)
        await end_of_sub(runtime, how)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()

    waiters = ["in the mailbox", "in front of it"]
    expected = dict.fromkeys(waiters if how == "parked" else [*waiters, "sender"], 1.0)
    assert {name: took for name, (_, took) in results.items()} == expected
    assert all(isinstance(results[name][0], ActorDiedError) for name in waiters)


@pytest.mark.parametrize("how", ["stopped", "deleted"])
async def test_tell_to_a_child_of_a_supervisor_that_is_down_is_a_dead_letter(
    autojump_clock: MockClock, how: str
) -> None:
    """Messages to, and left with, the children of a supervisor that was stopped or deleted are dead letters."""
    async with bot(Supervisor("sub", [child("a", Puppet)])) as runtime:
        ref = runtime.ref("/bot/sub/a")
        await runtime.suspend("/bot/sub/a")
        ref.tell("left")
        await end_of_sub(runtime, how)
        left = runtime.dead_letters
        ref.tell("late")

        assert (left, runtime.dead_letters) == (1, 2)


async def test_messages_wait_while_the_supervisor_is_in_backoff(autojump_clock: MockClock) -> None:
    """A supervisor that gave up comes back: mailboxes of its static children wait for it, asks as well."""
    got: list[int] = []
    sub = Supervisor(
        "sub",
        [child("a", lambda: Recorder(got)), child("x", Puppet)],
        intensity=0,
        backoff=Backoff.steps(5),
    )
    async with bot(sub) as runtime:
        ref = runtime.ref("/bot/sub/a")
        runtime.ref("/bot/sub/x").tell(lambda _: 1 / 0)
        await settle()
        ref.tell(1)

        answer, took = await timed(ref.ask(2, timeout=60))

        assert (got, answer, took) == ([1, 2], 2, 5.0)
        assert runtime.ref("/bot/sub/a") is ref


async def test_crash_storm_leaves_no_worker_behind(autojump_clock: MockClock) -> None:
    """A thousand handlers that crash, and a thousand that are cancelled: the workers are back to the spares."""

    async def late_crash(_: Actor) -> None:
        await trio.sleep(1)
        raise BoomError

    names = [f"a{number}" for number in range(1_000)]
    async with bot(*(child(name, AsyncPuppet) for name in names)) as runtime:
        await settle()
        before = task_count()
        for name in names:
            runtime.ref(f"/bot/{name}").tell(late_crash)
        await trio.sleep(2)
        crashed = task_count()
        for name in names:
            runtime.ref(f"/bot/{name}").tell(nap(1_000))
        await settle()
        for name in names:
            await runtime.restart_child(f"/bot/{name}")
        await settle()

        assert crashed <= before + 9  # the spares of the bot, and the one that serves the classifier
        assert task_count() <= before + 9
        assert {node(runtime, f"/bot/{name}").incarnation for name in names} == {3}


async def test_handler_that_swallows_its_cancellation_leaves_no_cancelled_worker(autojump_clock: MockClock) -> None:
    """A worker whose scope was cancelled serves no other cell in that scope."""
    done: list[str] = []

    async def stubborn(_: Actor) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            done.append("swallowed")

    async def work(actor: Actor) -> None:
        await trio.sleep(1)
        done.append(actor.context.name)

    names = [f"b{number}" for number in range(5)]
    async with bot(child("a", AsyncPuppet), *(child(name, AsyncPuppet) for name in names)) as runtime:
        runtime.ref("/bot/a").tell(stubborn)
        await settle()
        for name in names:
            runtime.ref(f"/bot/{name}").tell(work)
        await runtime.restart_child("/bot/a")
        for name in names:
            runtime.ref(f"/bot/{name}").tell(work)
        runtime.ref("/bot/a").tell(work)
        await trio.sleep(10)

        assert sorted(done) == sorted(["swallowed", "a", *names, *names])
        assert [node(runtime, f"/bot/{name}").restarts for name in names] == [0] * 5


async def test_handler_that_ends_normally_when_cancelled_has_no_say(autojump_clock: MockClock) -> None:
    """W4: an operator's stop is a stop, though the handler swallowed the cancellation and returned an answer."""

    async def stubborn(_: Actor) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "an answer after all"

    async with bot(child("a", AsyncPuppet)) as runtime, trio.open_nursery() as nursery:
        results: list[object] = []

        async def ask() -> None:
            results.append((await timed(runtime.ref("/bot/a").ask(stubborn)))[0])

        nursery.start_soon(ask)
        await settle()
        await runtime.stop_child("/bot/a")
        await settle()

        assert node(runtime, "/bot/a").state == "stopped"
        assert len(results) == 1
        assert results[0] == "an answer after all" or isinstance(results[0], ActorDiedError)
