"""What an actor finds in its context."""

from contextvars import ContextVar
from typing import Any

import attrs
import pytest
import trio
from loguru import logger
from trio.testing import MockClock

from duenna import (
    Actor,
    ActorDiedError,
    Backoff,
    ChildExited,
    Context,
    ErrorReported,
    StoppedError,
    Supervisor,
    UnknownPathError,
    open_runtime,
)

from .support import AsyncPuppet, BoomError, Puppet, bot, caught, child, crash, node, settle, task_count, tree

VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="unset")


async def test_context_says_who_one_is(autojump_clock: MockClock) -> None:
    """Path, name, incarnation, own ref, runtime and clock."""

    def introduce(actor: Actor) -> object:
        context = actor.context
        return context.path, context.name, context.incarnation, context.ref, context.runtime, context.now()

    async with bot(Supervisor("sub", [child("a", Puppet)])) as runtime:
        await trio.sleep(2)
        answer = await runtime.ref("/bot/sub/a").ask(introduce)

        assert answer == ("/bot/sub/a", "a", 1, runtime.ref("/bot/sub/a"), runtime, 2.0)


async def test_context_before_the_start_is_an_error(autojump_clock: MockClock) -> None:
    """An instance that the runtime has not started has no context: a `RuntimeError` that says so."""
    with pytest.raises(RuntimeError, match=r"context"):
        _ = Puppet().context


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/bot/sub/a", "/bot/sub/a"),
        ("a", "/bot/sub/a"),
        ("b", "/bot/sub/b"),
        ("../top", "/bot/top"),
        ("../other/c", "/bot/other/c"),
        ("/bot/other/c", "/bot/other/c"),
        ("deep/d", "/bot/sub/deep/d"),
    ],
)
async def test_lookup_is_absolute_or_from_the_parent(autojump_clock: MockClock, path: str, found: str) -> None:
    """A path that begins with a slash is absolute; any other starts at the actor's parent."""
    specs = (
        Supervisor(
            "sub",
            [child("a", Puppet), child("b", Puppet), Supervisor("deep", [child("d", Puppet)])],
        ),
        Supervisor("other", [child("c", Puppet)]),
        child("top", Puppet),
    )
    async with bot(*specs) as runtime:
        ref: Any = await runtime.ref("/bot/sub/a").ask(lambda actor: actor.context.lookup(path))

        assert ref.path == found
        assert ref is runtime.ref(found)


@pytest.mark.parametrize("path", ["nobody", "/bot/nobody", "../nobody", "../../..", "", "/", "b/below"])
async def test_lookup_of_nobody_is_refused(autojump_clock: MockClock, path: str) -> None:
    """A path at which there is no child raises `UnknownPathError`, with the path."""

    def probe(actor: Actor) -> str:
        with pytest.raises(UnknownPathError):
            actor.context.lookup(path)
        return "refused"

    async with bot(child("a", Puppet), child("b", Puppet)) as runtime:
        assert await runtime.ref("/bot/a").ask(probe) == "refused"


async def test_ref_is_the_same_across_restarts(autojump_clock: MockClock) -> None:
    """The ref is the address: a restart of the child or of its parent does not change it."""
    async with bot(Supervisor("sub", [child("a", Puppet)])) as runtime:
        ref = runtime.ref("/bot/sub/a")
        ref.tell(crash())
        await settle()
        after_own = runtime.ref("/bot/sub/a")
        await runtime.restart_child("/bot/sub")
        answer = await ref.ask(lambda actor: actor.context.incarnation)

        assert after_own is ref
        assert runtime.ref("/bot/sub/a") is ref
        assert isinstance(answer, int)


async def test_report_is_an_event_and_no_crash(autojump_clock: MockClock) -> None:
    """`report(error, **details)` posts `ErrorReported` with text of the error and the details."""

    def report(actor: Actor) -> None:
        actor.context.report(ValueError("bad frame"), symbol="btc", frame=7)

    async with bot(child("a", Puppet)) as runtime:
        with runtime.events(ErrorReported) as stream:
            await runtime.ref("/bot/a").ask(report)
            events = await caught(stream)

        [event] = events
        assert (event.path, event.incarnation) == ("/bot/a", 1)
        assert "bad frame" in str(event.error)
        assert {key: value.strip("'") for key, value in event.details.items()} == {"symbol": "btc", "frame": "7"}
        assert node(runtime, "/bot/a").restarts == 0


async def test_crash_of_a_background_task_is_the_actors(autojump_clock: MockClock) -> None:
    """`start_soon`: the task's exception crashes its actor, with that exception itself as the reason."""

    @attrs.define
    class Host(Actor):
        def started(self) -> None:
            if self.context.incarnation == 1:
                self.context.start_soon(self.fail_later, 3)

        async def fail_later(self, seconds: float) -> None:
            await trio.sleep(seconds)
            raise BoomError("background")

        def receive(self, message: object) -> object:
            return message

    async with bot(child("a", Host, backoff=Backoff.steps(2))) as runtime:
        with runtime.events(ChildExited) as stream:
            await trio.sleep(4)
            waiting = node(runtime, "/bot/a").state
            await trio.sleep(2)
            events = await caught(stream)

        assert waiting == "backoff"
        assert [(event.time, event.reason) for event in events] == [(3.0, "BoomError: background")]
        assert node(runtime, "/bot/a").incarnation == 2


async def test_background_tasks_end_with_their_actor(autojump_clock: MockClock) -> None:
    """A crash, a stop and a normal end all cancel the background tasks."""
    ended: list[str] = []

    @attrs.define
    class Host(Puppet):
        def started(self) -> None:
            self.context.start_soon(self.background, f"{self.context.name} {self.context.incarnation}")

        async def background(self, name: str) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

    specs = (child("crashed", Host), child("stopped", Host), child("finished", Host, restart="transient"))
    async with bot(*specs) as runtime:
        runtime.ref("/bot/crashed").tell(crash())
        await runtime.stop_child("/bot/stopped")
        runtime.ref("/bot/finished").tell(lambda actor: actor.context.stop())
        await settle()

        assert sorted(ended) == ["crashed 1", "finished 1", "stopped 1"]


async def test_background_task_that_returns_is_no_exit(autojump_clock: MockClock) -> None:
    """A background task may end; its actor goes on."""
    async with bot(child("a", Puppet)) as runtime:

        async def nothing() -> None:
            await trio.lowlevel.checkpoint()

        await runtime.ref("/bot/a").ask(lambda actor: actor.context.start_soon(nothing))
        await trio.sleep(1)

        assert node(runtime, "/bot/a").state == "running"
        assert node(runtime, "/bot/a").incarnation == 1


async def test_background_task_started_in_a_handler(autojump_clock: MockClock) -> None:
    """An actor that starts a background task late gets its own task then; its crash is the actor's."""

    async def fail() -> None:
        await trio.sleep(1)
        raise BoomError

    async with bot(child("a", Puppet), child("b", Puppet)) as runtime:
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.start_soon(fail))
        await trio.sleep(2)

        assert node(runtime, "/bot/a").restarts == 1
        assert node(runtime, "/bot/b").restarts == 0


async def test_message_only_actors_cost_no_task(autojump_clock: MockClock) -> None:
    """A cell is no task: 1,000 message-only actors add none, idle or after they have worked."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.ref("/bot/a").ask(lambda _: None)
        await settle()
        before = task_count()

        refs = await runtime.start_children("/bot", [child(f"x{number}", Puppet) for number in range(1_000)])
        for ref in refs:
            ref.tell(lambda _: None)
        await settle()

        assert task_count() <= before + 8


async def test_context_variable_of_a_handler_is_not_seen_by_the_next_cell(autojump_clock: MockClock) -> None:
    """A handler's `ContextVar.set` stays in its turn: neither another cell nor the asker sees it."""

    def put(_: Actor) -> str:
        VARIABLE.set("set by a")
        return VARIABLE.get()

    async def put_async(_: Actor) -> str:
        VARIABLE.set("set by the async one")
        await trio.lowlevel.checkpoint()
        return VARIABLE.get()

    async def get_async(_: Actor) -> str:
        await trio.lowlevel.checkpoint()
        return VARIABLE.get()

    def get(_: Actor) -> str:
        return VARIABLE.get()

    seen: list[object] = []
    async with bot(child("a", Puppet), child("b", Puppet), child("c", AsyncPuppet), child("d", AsyncPuppet)) as runtime:
        seen.append(await runtime.ref("/bot/a").ask(put))
        seen.append(VARIABLE.get())
        for name in "bd":
            runtime.ref("/bot/a").tell(put)
            runtime.ref("/bot/c").tell(put_async)
            seen.append(await runtime.ref(f"/bot/{name}").ask(get_async if name == "d" else get))
        seen.append(await runtime.ref("/bot/c").ask(put_async))
        seen.append(await runtime.ref("/bot/d").ask(get_async))

    assert seen == ["set by a", "unset", "unset", "unset", "set by the async one", "unset"]


async def test_context_variable_of_the_teller_is_not_seen_by_the_handler(autojump_clock: MockClock) -> None:
    """A handler runs in its supervisor's context, never in the teller's or the asker's."""
    seen: list[str] = []

    def get(_: Actor) -> None:
        seen.append(VARIABLE.get())

    async with bot(child("a", Puppet)) as runtime:
        token = VARIABLE.set("the teller's")
        runtime.ref("/bot/a").tell(get)
        await runtime.ref("/bot/a").ask(get)
        VARIABLE.reset(token)

    assert seen == ["unset", "unset"]


async def test_generator_is_seeded(autojump_clock: MockClock) -> None:
    """One seed, one run: the draws of actors are repeated from the seed of the runtime."""

    async def draws(seed: int) -> list[Any]:
        async with open_runtime(tree(child("a", Puppet)), seed=seed, log_level=None, watchdog=None) as runtime:
            return [await runtime.ref("/bot/a").ask(lambda actor: actor.context.rng.random()) for _ in range(5)]

    first, again, other = await draws(1), await draws(1), await draws(2)

    assert first == again
    assert first != other
    assert len(set(first)) == 5


async def test_bound_log_carries_the_path(autojump_clock: MockClock) -> None:
    """`context.log` is a loguru logger that knows whose it is."""
    records: list[Any] = []
    sink = logger.add(lambda message: records.append(message.record), level="DEBUG", format="{message}")
    try:
        async with bot(child("a", Puppet)) as runtime:
            await runtime.ref("/bot/a").ask(lambda actor: actor.context.log.warning("the book is crossed"))
    finally:
        logger.remove(sink)

    [record] = [record for record in records if record["message"] == "the book is crossed"]
    assert "/bot/a" in record["extra"].values()


async def test_stop_is_a_normal_exit(autojump_clock: MockClock) -> None:
    """`context.stop()`: the message under way is finished, then the actor ends "normal"."""
    log: list[str] = []

    @attrs.define
    class Leaver(Puppet):
        def stopping(self, reason: object) -> None:
            log.append(f"stopping: {reason}")

    def leave(actor: Actor) -> str:
        actor.context.stop()
        log.append("after stop()")
        return "answer"

    async with bot(child("a", Leaver, restart="transient")) as runtime:
        with runtime.events(ChildExited) as stream:
            answer = await runtime.ref("/bot/a").ask(leave)
            events = await caught(stream)

        assert answer == "answer"
        assert log == ["after stop()", "stopping: normal"]
        assert [event.reason for event in events] == ["normal"]
        assert node(runtime, "/bot/a").state == "finished"


async def test_stop_of_a_permanent_child_restarts_it(autojump_clock: MockClock) -> None:
    """C11: a permanent child that ends normally is restarted."""
    async with bot(child("a", Puppet)) as runtime:
        runtime.ref("/bot/a").tell(lambda actor: actor.context.stop())
        await settle()

        assert node(runtime, "/bot/a").incarnation == 2


async def test_run_and_receive_interleave(autojump_clock: MockClock) -> None:
    """Messages are served while `run` waits, and `started` comes before both."""
    log: list[str] = []

    @attrs.define
    class Host(Actor):
        async def started(self) -> None:
            await trio.sleep(1)
            log.append("started")

        async def run(self) -> None:
            log.append("run")
            await trio.sleep(2)
            log.append("run again")
            await trio.sleep_forever()

        def receive(self, message: str) -> None:
            log.append(message)

    async with bot(child("a", Host)) as runtime:
        await trio.sleep(1)
        runtime.ref("/bot/a").tell("message")
        await trio.sleep(5)

    assert log == ["started", "run", "message", "run again"]


async def test_messages_wait_for_started(autojump_clock: MockClock) -> None:
    """`started` is over before the first message is served, also at a restart."""
    log: list[object] = []

    @attrs.define
    class Slow(Actor):
        async def started(self) -> None:
            await trio.sleep(2)
            log.append(f"started {self.context.incarnation}")

        def receive(self, message: Any) -> None:
            log.append(message)
            if isinstance(message, BoomError):
                raise message

    error = BoomError()
    async with bot(child("a", Slow)) as runtime:
        runtime.ref("/bot/a").tell(error)
        runtime.ref("/bot/a").tell("next")
        await trio.sleep(1)
        early = list(log)
        await trio.sleep(4)

    assert early == ["started 1", error]
    assert log == ["started 1", error, "started 2", "next"]


async def test_now_is_trios_clock(autojump_clock: MockClock) -> None:
    """`context.now()` is virtual when the clock is."""
    seen: list[float] = []

    async def poll(context: Context) -> None:
        for _ in range(3):
            seen.append(context.now())
            await trio.sleep(100)

    async with bot(child("a", poll, restart="transient")):
        await trio.sleep(500)

    assert seen == [0.0, 100.0, 200.0]


async def test_context_of_an_ended_incarnation_cannot_speak(autojump_clock: MockClock) -> None:
    """W11: what an old incarnation's context still arms after its end never reaches the new one."""
    kept: list[Context] = []
    got: list[object] = []

    @attrs.define
    class Keeper(Actor):
        def started(self) -> None:
            kept.append(self.context)

        def receive(self, message: Any) -> None:
            if isinstance(message, BoomError):
                raise message
            got.append(message)

    async with bot(child("a", Keeper)) as runtime:
        runtime.ref("/bot/a").tell(BoomError())
        await settle()
        try:
            kept[0].tell_after(1, "stale")
        except StoppedError:
            got.append("refused")
        await trio.sleep(2)

    assert got in ([], ["refused"])


async def test_asker_from_outside_sees_no_group(autojump_clock: MockClock) -> None:
    """None of the runtime's errors comes wrapped in an exception group."""

    @attrs.define
    class Nursed(Actor):
        async def receive(self, message: object) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)

        async def fail(self) -> None:
            raise BoomError

    async with bot(child("a", Nursed)) as runtime:
        with pytest.raises(ActorDiedError) as died:
            await runtime.ref("/bot/a").ask("question")

    assert died.value.__cause__ is not None


async def test_every_background_task_ends_with_its_actor(autojump_clock: MockClock) -> None:
    """Several background tasks, made in `started` and in handlers, all end with the incarnation."""
    alive: set[str] = set()

    @attrs.define
    class Host(Puppet):
        def started(self) -> None:
            for number in range(3):
                self.context.start_soon(self.background, f"started {number}")

        async def background(self, name: str) -> None:
            alive.add(f"{self.context.incarnation} {name}")
            try:
                await trio.sleep_forever()
            finally:
                alive.discard(f"{self.context.incarnation} {name}")

    def more(actor: Any) -> None:
        for number in range(3):
            actor.context.start_soon(actor.background, f"handler {number}")

    async with bot(child("a", Host)) as runtime:
        await settle()
        await runtime.ref("/bot/a").ask(more)
        await settle()
        first = len(alive)
        runtime.ref("/bot/a").tell(crash())
        await settle()
        second = set(alive)
        with trio.fail_after(10):
            await runtime.stop_child("/bot/a")

        assert first == 6
        assert second == {f"2 started {number}" for number in range(3)}
        assert alive == set()


async def test_crash_of_the_first_of_several_background_tasks_is_the_actors(autojump_clock: MockClock) -> None:
    """Whichever background task crashes, the actor does, once."""

    async def fail() -> None:
        await trio.sleep(1)
        raise BoomError

    @attrs.define
    class Host(Actor):
        def started(self) -> None:
            if self.context.incarnation == 1:
                self.context.start_soon(fail)
                self.context.start_soon(trio.sleep_forever)
                self.context.start_soon(fail)

    async with bot(child("a", Host)) as runtime:
        await trio.sleep(5)

        assert node(runtime, "/bot/a").incarnation == 2
        assert node(runtime, "/bot/a").restarts == 1


@pytest.mark.parametrize("kind", [Puppet, AsyncPuppet])
async def test_stop_ends_the_actor_after_the_message_at_hand(autojump_clock: MockClock, kind: Any) -> None:
    """`context.stop()`: what waits behind the message at hand is not handled any more."""
    handled: list[int] = []

    def leave(actor: Actor) -> None:
        actor.context.stop()

    async def leave_async(actor: Actor) -> None:
        actor.context.stop()
        await trio.lowlevel.checkpoint()

    def mark(actor: Actor) -> None:
        handled.append(actor.context.incarnation)

    async def mark_async(actor: Actor) -> None:
        handled.append(actor.context.incarnation)

    messages: list[Any] = [leave, mark, mark] if kind is Puppet else [leave_async, mark_async, mark_async]
    async with bot(child("t", kind, restart="transient"), child("p", kind)) as runtime:
        for name in "tp":
            for message in messages:
                runtime.ref(f"/bot/{name}").tell(message)
        await settle()

        assert handled == [2, 2]
        assert runtime.dead_letters == 2


async def test_actor_without_receive_refuses_messages_visibly(autojump_clock: MockClock) -> None:
    """An actor that handles no messages: a tell is a dead letter, an ask fails at once."""

    @attrs.define
    class Mute(Actor):
        async def run(self) -> None:
            await trio.sleep_forever()

    async with bot(child("a", Mute)) as runtime:
        runtime.ref("/bot/a").tell("to nobody")
        with pytest.raises(ActorDiedError):
            await runtime.ref("/bot/a").ask("nobody?")

        assert runtime.dead_letters >= 1
        assert trio.current_time() == 0.0


async def test_twelve_thousand_cells_are_all_served(autojump_clock: MockClock) -> None:
    """Many cells share few workers, and each gets its messages."""
    got: list[int] = []

    @attrs.define
    class Counter(Actor):
        def receive(self, message: int) -> int:
            got.append(message)
            return message

    async with bot() as runtime:
        refs = await runtime.start_children("/bot", [child(f"a{number}", Counter) for number in range(12_000)])
        for number, ref in enumerate(refs):
            ref.tell(number)
        await settle()
        for number in (0, 5_000, 11_999):
            assert await refs[number].ask(number) == number
            refs[number].tell(-1)
        await settle()

    assert sorted(got) == sorted([*range(12_000), 0, 5_000, 11_999, -1, -1, -1])


async def test_another_thread_may_tell_through_trio(autojump_clock: MockClock) -> None:
    """`trio.from_thread.run_sync(ref.tell, message)` is the way in from another thread."""
    got: list[str] = []

    def thread(tell: Any) -> None:
        for number in range(10):
            trio.from_thread.run_sync(tell, lambda _, number=number: got.append(f"{number}"))

    async with bot(child("a", Puppet)) as runtime:
        await trio.to_thread.run_sync(thread, runtime.ref("/bot/a").tell)
        await settle()

    assert got == [f"{number}" for number in range(10)]
