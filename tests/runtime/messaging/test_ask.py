"""`ask`: one answer, or one reason why there is none, and never somebody else's."""

from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from duenna import (
    Actor,
    ActorDiedError,
    AskCycleError,
    AskTimeoutError,
    Backoff,
    Context,
    DuennaError,
    Mailbox,
    MailboxFullError,
    NoReplyError,
)

from .support import (
    AsyncPuppet,
    AsyncRecorder,
    BoomError,
    Puppet,
    Recorder,
    bot,
    child,
    crash,
    hold,
    nap,
    node,
    parrot,
    settle,
    timed,
)

FACTORIES = [
    pytest.param(lambda log: lambda: Recorder(log), id="sync"),
    pytest.param(lambda log: lambda: AsyncRecorder(log), id="async"),
    pytest.param(parrot, id="function"),
]


@pytest.mark.parametrize("make", FACTORIES)
@pytest.mark.parametrize("message", ["text", 0, None, "", False], ids=repr)
async def test_answer_is_what_the_handler_returns(autojump_clock: MockClock, make: Any, message: object) -> None:
    """The handler's return value is the answer; None and other false values are answers like any other."""
    async with bot(child("a", make([]))) as runtime:
        answer, took = await timed(runtime.ref("/bot/a").ask(message))

    assert (answer, took) == (message, 0.0)


@pytest.mark.parametrize("make", FACTORIES)
async def test_exception_object_can_be_an_answer(autojump_clock: MockClock, make: Any) -> None:
    """An exception that a handler *returns* is a value."""
    error = ValueError("a value")
    async with bot(child("a", make([]))) as runtime:
        assert await runtime.ref("/bot/a").ask(error) is error


@pytest.mark.parametrize("make", FACTORIES)
async def test_many_askers_each_get_their_own_answer(autojump_clock: MockClock, make: Any) -> None:
    """Answers never cross, whatever the number of asks under way."""
    answers: dict[int, object] = {}
    async with bot(child("a", make([]))) as runtime:

        async def ask(number: int) -> None:
            answers[number] = await runtime.ref("/bot/a").ask(number)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)

    assert answers == {number: number for number in range(100)}


async def test_ask_of_an_idle_actor_is_a_checkpoint(autojump_clock: MockClock) -> None:
    """An ask that is served inline keeps trio's rule: it is a checkpoint, so it never starves the caller's siblings."""
    async with bot(child("a", lambda: Recorder([]))) as runtime:
        with assert_checkpoints():
            await runtime.ref("/bot/a").ask(1)


async def test_ask_does_not_overtake_tells(autojump_clock: MockClock) -> None:
    """Served inline or not, an ask is handled after everything that was in the mailbox before it."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        ref = runtime.ref("/bot/a")

        ref.tell(1)
        ref.tell(2)
        await ref.ask(3)

        assert got == [1, 2, 3]


async def test_ask_waits_for_the_message_under_way(autojump_clock: MockClock) -> None:
    """One message at a time: an ask of a busy actor is not served inline."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(nap(3))
        await settle()

        _, took = await timed(runtime.ref("/bot/a").ask(nap(0)))

    assert took == 3.0


@pytest.mark.parametrize("make", FACTORIES)
async def test_crash_on_the_ask_is_told_at_once(autojump_clock: MockClock, make: Any) -> None:
    """C84: the asker gets `ActorDiedError` with the crash as its cause, not a timeout."""
    error = BoomError("on the ask")
    async with bot(child("a", make([]), backoff=Backoff.steps(10))) as runtime:
        died, took = await timed(runtime.ref("/bot/a").ask(error))

        assert isinstance(died, ActorDiedError)
        assert (died.path, died.__cause__, took) == ("/bot/a", error, 0.0)
        assert "/bot/a" in str(died)


@pytest.mark.parametrize("make", FACTORIES)
async def test_crash_on_the_ask_is_the_actors_and_is_supervised(autojump_clock: MockClock, make: Any) -> None:
    """An inline crash is charged to the actor: its supervisor restarts it, and the next ask is answered."""
    async with bot(child("a", make([]))) as runtime:
        with pytest.raises(ActorDiedError):
            await runtime.ref("/bot/a").ask(BoomError("once"))
        answer = await runtime.ref("/bot/a").ask("again")

        assert answer == "again"
        assert (node(runtime, "/bot/a").incarnation, node(runtime, "/bot/a").restarts) == (2, 1)
        assert "once" in (node(runtime, "/bot/a").last_error or "")


@pytest.mark.parametrize("make", FACTORIES)
async def test_asks_behind_a_crash_stay_queued(autojump_clock: MockClock, make: Any) -> None:
    """Only the ask that the actor crashed *on* fails; those behind it wait for the next incarnation."""
    results: dict[str, tuple[object, float]] = {}
    async with bot(child("a", make([]), backoff=Backoff.steps(2))) as runtime:

        async def ask(name: str, message: object) -> None:
            results[name] = await timed(runtime.ref("/bot/a").ask(message))

        async with trio.open_nursery() as nursery:
            runtime.ref("/bot/a").tell("keeps it busy")
            nursery.start_soon(ask, "poison", BoomError())
            await settle()
            nursery.start_soon(ask, "behind", "question")

    assert isinstance(results["poison"][0], ActorDiedError)
    assert results["poison"][1] == 0.0
    assert results["behind"] == ("question", 2.0)


async def test_crash_on_another_message_spares_the_queued_ask(autojump_clock: MockClock) -> None:
    """An ask that waits behind a tell on which the actor crashes is answered after the restart."""
    async with bot(child("a", Puppet, backoff=Backoff.steps(2))) as runtime:
        runtime.ref("/bot/a").tell(crash())

        answer, took = await timed(runtime.ref("/bot/a").ask(lambda _: "answer"))

    assert (answer, took) == ("answer", 2.0)


async def test_timeout_is_exact_and_says_who_and_how_long(autojump_clock: MockClock) -> None:
    """No answer within *timeout* seconds: `AskTimeoutError`, exactly then."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        error, took = await timed(runtime.ref("/bot/a").ask(nap(60), timeout=2.5))

    assert isinstance(error, AskTimeoutError)
    assert (error.path, error.timeout, took) == ("/bot/a", 2.5, 2.5)
    assert "/bot/a" in str(error)
    assert "2.5" in str(error)


async def test_default_timeout_is_five_seconds(autojump_clock: MockClock) -> None:
    """An ask without a timeout waits five seconds."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        error, took = await timed(runtime.ref("/bot/a").ask(nap(60)))

    assert isinstance(error, AskTimeoutError)
    assert took == 5.0


async def test_infinite_timeout_waits(autojump_clock: MockClock) -> None:
    """`timeout=inf` never times out."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        answer, took = await timed(runtime.ref("/bot/a").ask(nap(100_000), timeout=float("inf")))

    assert (answer, took) == (None, 100_000.0)


async def test_time_in_the_queue_counts(autojump_clock: MockClock) -> None:
    """The timeout runs from the ask, not from the moment when the handler starts."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(nap(4))
        await settle()

        error, took = await timed(runtime.ref("/bot/a").ask(nap(4), timeout=6))

    assert isinstance(error, AskTimeoutError)
    assert took == 6.0


async def test_late_answer_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """A late answer is counted as a dead letter and never answers the next question."""

    async def slow(_: Actor) -> str:
        await trio.sleep(2)
        return "late"

    async def quick(_: Actor) -> str:
        return "quick"

    async with bot(child("a", AsyncPuppet)) as runtime:
        ref = runtime.ref("/bot/a")
        with pytest.raises(AskTimeoutError):
            await ref.ask(slow, timeout=1)
        before = runtime.dead_letters
        answer = await ref.ask(quick)

        assert answer == "quick"
        assert runtime.dead_letters - before == 1


async def test_answer_after_the_asker_was_cancelled_goes_nowhere_else(autojump_clock: MockClock) -> None:
    """A cancelled asker leaves nothing behind that could take the next answer."""

    async def slow(_: Actor) -> str:
        await trio.sleep(2)
        return "late"

    async def quick(_: Actor) -> str:
        return "quick"

    async with bot(child("a", AsyncPuppet)) as runtime:
        with trio.move_on_after(1) as scope:
            await runtime.ref("/bot/a").ask(slow)
        answer, took = await timed(runtime.ref("/bot/a").ask(quick))

    assert scope.cancelled_caught
    assert (answer, took) == ("quick", 1.0)


async def test_cancelling_the_asker_does_not_cancel_the_handler(autojump_clock: MockClock) -> None:
    """The handler runs in the actor's scope, not in the asker's."""
    done: list[float] = []

    async def work(_: Actor) -> None:
        await trio.sleep(2)
        done.append(trio.current_time())

    async with bot(child("a", AsyncPuppet)) as runtime:
        with trio.move_on_after(1):
            await runtime.ref("/bot/a").ask(work)
        await trio.sleep(5)

        assert done == [2.0]
        assert node(runtime, "/bot/a").restarts == 0


async def test_ask_of_oneself_is_caught_at_once(autojump_clock: MockClock) -> None:
    """A handler that asks its own actor would wait for itself: `AskCycleError`, at once."""

    async def ask_self(actor: Actor) -> object:
        return await timed(actor.context.ref.ask(ask_self))

    async with bot(child("a", AsyncPuppet)) as runtime:
        error, took = await runtime.ref("/bot/a").ask(ask_self)

    assert isinstance(error, AskCycleError)
    assert took == 0.0
    assert "/bot/a" in str(error)


@pytest.mark.parametrize("size", [2, 3, 5])
async def test_ask_cycle_is_caught_at_once(autojump_clock: MockClock, size: int) -> None:
    """A -> B -> ... -> A: the ask that would close the ring fails, and the others are answered."""
    names = [f"a{number}" for number in range(size)]
    seen: list[object] = []

    async def forward(actor: Actor) -> object:
        here = names.index(actor.context.path.rpartition("/")[2])
        try:
            return await actor.context.lookup(names[(here + 1) % size]).ask(forward)
        except AskCycleError as error:
            seen.append(error)
            return "caught"

    async with bot(*(child(name, AsyncPuppet) for name in names)) as runtime:
        answer, took = await timed(runtime.ref("/bot/a0").ask(forward))

    assert (answer, took, len(seen)) == ("caught", 0.0, 1)
    assert all(f"/bot/{name}" in str(seen[0]) for name in names)


async def test_uncaught_ask_cycle_is_a_crash_of_its_maker(autojump_clock: MockClock) -> None:
    """An `AskCycleError` is an error like another: the actor that lets it go crashes, and is restarted."""

    async def ask_self(actor: Actor) -> object:
        return await actor.context.ref.ask(ask_self)

    async with bot(child("a", AsyncPuppet)) as runtime:
        with pytest.raises(ActorDiedError) as died:
            await runtime.ref("/bot/a").ask(ask_self)
        await settle()

        assert isinstance(died.value.__cause__, AskCycleError)
        assert node(runtime, "/bot/a").restarts == 1


async def test_two_asks_that_share_a_target_are_no_cycle(autojump_clock: MockClock) -> None:
    """A -> C and B -> C, and A -> B -> C: nobody waits for himself."""

    async def leaf(_: Actor) -> str:
        await trio.sleep(1)
        return "c"

    async def via_b(actor: Actor) -> object:
        return await actor.context.lookup("b").ask(ask_c)

    async def ask_c(actor: Actor) -> object:
        return await actor.context.lookup("c").ask(leaf)

    answers: list[object] = []
    async with bot(*(child(name, AsyncPuppet) for name in "abc")) as runtime, trio.open_nursery() as nursery:

        async def ask(name: str, message: Any) -> None:
            answers.append(await runtime.ref(f"/bot/{name}").ask(message))

        nursery.start_soon(ask, "a", via_b)
        nursery.start_soon(ask, "b", ask_c)

    assert answers == ["c", "c"]


async def test_run_may_ask_an_actor_that_asks_it_back(autojump_clock: MockClock) -> None:
    """`run` and `receive` interleave, so an ask from `run` that comes back is answered: no cycle."""
    answers: list[object] = []

    @attrs.define
    class Feed(Actor):
        async def run(self) -> None:
            answers.append(await self.context.lookup("b").ask(ask_feed))
            await trio.sleep_forever()

        def receive(self, message: Any) -> str:
            return f"feed says {message}"

    async def ask_feed(actor: Actor) -> object:
        return await actor.context.lookup("feed").ask("price")

    async with bot(child("b", AsyncPuppet), child("feed", Feed)):
        await settle()

    assert answers == ["feed says price"]


async def test_ask_that_timed_out_leaves_no_cycle_behind(autojump_clock: MockClock) -> None:
    """After A's ask of B timed out, B may ask A."""

    async def ask_b(actor: Actor) -> str:
        with pytest.raises(AskTimeoutError):
            await actor.context.lookup("b").ask(nap(3), timeout=1)
        return "gave up"

    async def ask_a(actor: Actor) -> object:
        return await actor.context.lookup("a").ask(nap(0))

    async with bot(child("a", AsyncPuppet), child("b", AsyncPuppet)) as runtime:
        first = await runtime.ref("/bot/a").ask(ask_b)
        second = await runtime.ref("/bot/b").ask(ask_a)

    assert (first, second) == ("gave up", None)


async def test_ask_of_a_suspended_actor_waits_for_the_resume(autojump_clock: MockClock) -> None:
    """A suspended actor's mailbox is held: the ask is answered when it is resumed."""
    async with bot(child("a", lambda: Recorder([]))) as runtime, trio.open_nursery() as nursery:
        await runtime.suspend("/bot/a")

        async def resume() -> None:
            await trio.sleep(3)
            await runtime.resume("/bot/a")

        nursery.start_soon(resume)
        answer, took = await timed(runtime.ref("/bot/a").ask("question"))

    assert (answer, took) == ("question", 3.0)


async def test_ask_of_a_suspended_actor_times_out(autojump_clock: MockClock) -> None:
    """An ask waits for a resume no longer than its timeout."""
    got: list[object] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        await runtime.suspend("/bot/a")

        error, took = await timed(runtime.ref("/bot/a").ask("question", timeout=2))

    assert isinstance(error, AskTimeoutError)
    assert (got, took) == ([], 2.0)


async def test_ask_of_a_child_in_backoff_waits(autojump_clock: MockClock) -> None:
    """C85: an ask of a restarting actor waits up to its timeout."""
    async with bot(child("a", lambda: Recorder([]), backoff=Backoff.steps(3))) as runtime:
        runtime.ref("/bot/a").tell(BoomError())
        await settle()

        late = await timed(runtime.ref("/bot/a").ask("late", timeout=1))
        answer, took = await timed(runtime.ref("/bot/a").ask("question"))

    assert isinstance(late[0], AskTimeoutError)
    assert (answer, took) == ("question", 2.0)


@pytest.mark.parametrize("state", ["backoff", "suspended", "parked", "stopped", "finished"])
async def test_no_wait_fails_at_once_when_the_actor_does_not_run(autojump_clock: MockClock, state: str) -> None:
    """C85: `wait=False` raises `ActorDiedError` at once unless the actor runs now."""
    options: dict[str, Any] = {"backoff": Backoff.steps(3), "restart": "transient"}
    if state == "parked":
        options.update(max_failures=0, on_give_up="park")
    async with bot(child("a", Puppet, **options)) as runtime:
        await bring_to(runtime, state)

        error, took = await timed(runtime.ref("/bot/a").ask(lambda _: "answer", wait=False))

    assert isinstance(error, ActorDiedError)
    assert (error.path, took) == ("/bot/a", 0.0)


async def test_no_wait_is_answered_when_the_actor_runs(autojump_clock: MockClock) -> None:
    """`wait=False` changes nothing for an actor that runs, busy or idle."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        idle = await timed(runtime.ref("/bot/a").ask(nap(0), wait=False))
        runtime.ref("/bot/a").tell(nap(2))
        await settle()
        busy = await timed(runtime.ref("/bot/a").ask(nap(0), wait=False))

    assert (idle, busy) == ((None, 0.0), (None, 2.0))


@pytest.mark.parametrize("state", ["parked", "stopped", "finished"])
async def test_ask_of_an_actor_that_will_not_come_back_fails_at_once(autojump_clock: MockClock, state: str) -> None:
    """A parked, stopped or finished actor cannot answer: `ActorDiedError` at once."""
    options: dict[str, Any] = {"restart": "transient"}
    if state == "parked":
        options.update(max_failures=0, on_give_up="park")
    async with bot(child("a", Puppet, **options)) as runtime:
        await bring_to(runtime, state)

        error, took = await timed(runtime.ref("/bot/a").ask(lambda _: "answer"))

    assert isinstance(error, ActorDiedError)
    assert took == 0.0


async def test_ask_of_a_deleted_child_fails_at_once(autojump_clock: MockClock) -> None:
    """A ref outlives its child; an ask through it says that the actor is gone."""
    async with bot(child("a", Puppet)) as runtime:
        ref = runtime.ref("/bot/a")
        await runtime.stop_child("/bot/a")
        await runtime.delete_child("/bot/a")

        error, took = await timed(ref.ask(lambda _: "answer"))

    assert isinstance(error, ActorDiedError)
    assert took == 0.0


async def test_ask_after_the_runtime_ended_fails_at_once(autojump_clock: MockClock) -> None:
    """No ask hangs on a runtime that has ended."""
    async with bot(child("a", Puppet)) as runtime:
        ref = runtime.ref("/bot/a")

    error, took = await timed(ref.ask(lambda _: "answer"))

    assert isinstance(error, DuennaError)
    assert took == 0.0


@pytest.mark.parametrize("end", ["stop", "finish"])
async def test_queued_asks_fail_when_the_child_ends(autojump_clock: MockClock, end: str) -> None:
    """What is left in the mailbox of a child that ends is dead letters; the asks among it fail at once."""
    results: list[tuple[object, float]] = []

    async def finish(actor: Actor) -> None:
        await trio.sleep(1)
        actor.context.stop()

    async with bot(child("a", AsyncPuppet, restart="transient")) as runtime:
        ref = runtime.ref("/bot/a")

        async def ask() -> None:
            results.append(await timed(ref.ask(nap(0), timeout=60)))

        async with trio.open_nursery() as nursery:
            ref.tell(finish if end == "finish" else nap(30))
            await settle()
            nursery.start_soon(ask)
            ref.tell(nap(0))
            await trio.sleep(1)
            if end == "stop":
                await runtime.stop_child("/bot/a")

        assert isinstance(results[0][0], ActorDiedError)
        assert results[0][1] == 1.0
        assert runtime.dead_letters >= 1


async def test_asker_whose_handler_is_cancelled_by_a_stop_is_told(autojump_clock: MockClock) -> None:
    """An async handler cancelled because its actor is stopped never answers: `ActorDiedError` at once."""
    async with bot(child("a", AsyncPuppet)) as runtime, trio.open_nursery() as nursery:
        results: list[tuple[object, float]] = []

        async def ask() -> None:
            results.append(await timed(runtime.ref("/bot/a").ask(nap(30), timeout=60)))

        nursery.start_soon(ask)
        await trio.sleep(2)
        await runtime.stop_child("/bot/a")
        await settle()

        error, took = results[0]
        assert isinstance(error, ActorDiedError)
        assert took == 2.0


async def test_asker_whose_handler_is_cancelled_by_a_restart_is_told(autojump_clock: MockClock) -> None:
    """An ask under way when a group restart stops the actor fails at once; a queued one is answered later."""
    results: dict[str, tuple[object, float]] = {}
    specs = (child("a", AsyncPuppet), child("b", Puppet, backoff=Backoff.steps(4)))
    async with bot(*specs, strategy="one_for_all") as runtime, trio.open_nursery() as nursery:

        async def ask(name: str, seconds: float) -> None:
            results[name] = await timed(runtime.ref("/bot/a").ask(nap(seconds), timeout=60))

        nursery.start_soon(ask, "under way", 30)
        await settle()
        nursery.start_soon(ask, "queued", 0)
        await trio.sleep(1)
        runtime.ref("/bot/b").tell(crash())

    assert isinstance(results["under way"][0], ActorDiedError)
    assert results["under way"][1] == 1.0
    assert results["queued"] == (None, 5.0)


async def test_ask_waits_for_room_within_its_timeout(autojump_clock: MockClock) -> None:
    """An ask that finds the mailbox full waits for room; a timeout there means that it was never delivered."""
    got: list[str] = []

    async def mark(_: Actor) -> None:
        got.append("delivered")

    gate = trio.Event()
    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=1))) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(hold(gate))
        await settle()
        ref.tell(nap(0))

        error, took = await timed(ref.ask(mark, timeout=3))
        gate.set()
        await settle()

    assert isinstance(error, AskTimeoutError)
    assert (took, got) == (3.0, [])


async def test_ask_that_found_the_mailbox_full_is_answered_when_there_is_room(autojump_clock: MockClock) -> None:
    """Waiting for room and waiting for the answer share one timeout."""
    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=1))) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(nap(2))
        await settle()
        ref.tell(nap(2))

        answer = await timed(ref.ask(nap(1), timeout=5))

    assert answer == (None, 5.0) or isinstance(answer[0], AskTimeoutError)
    assert answer[1] == 5.0


async def test_ask_dropped_by_drop_oldest_fails_at_once(autojump_clock: MockClock) -> None:
    """An ask that overflow pushed out of the mailbox fails at once and is counted like any drop."""
    gate = trio.Event()
    box = Mailbox(capacity=1, overflow="drop_oldest")
    async with bot(child("a", AsyncPuppet, mailbox=box)) as runtime, trio.open_nursery() as nursery:
        ref = runtime.ref("/bot/a")
        results: list[tuple[object, float]] = []

        async def ask() -> None:
            results.append(await timed(ref.ask(nap(0), timeout=60)))

        ref.tell(hold(gate))
        await settle()
        nursery.start_soon(ask)
        await settle()
        ref.tell(nap(0))
        await settle()
        gate.set()

        error, took = results[0]
        assert isinstance(error, MailboxFullError)
        assert (error.path, took) == ("/bot/a", 0.0)
        assert node(runtime, "/bot/a").mailbox.dropped == 1


async def test_ask_is_never_replaced_by_a_newer_message_of_its_key(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: a question is a key of its own, so a newer message of the same key leaves it in its place."""
    got: list[object] = []
    box = Mailbox.latest(key=lambda _: "same")
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime, trio.open_nursery() as nursery:
        ref = runtime.ref("/bot/a")
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await ref.ask("question"))

        await runtime.suspend("/bot/a")
        nursery.start_soon(ask)
        await settle()
        ref.tell("old")
        ref.tell("newer")
        await runtime.resume("/bot/a")
        await settle()

        assert (answers, got) == (["question"], ["question", "newer"])


async def test_ask_pushed_out_by_a_new_key_fails_at_once(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: when it is full, a new key drops what waited longest, a question like any other."""
    box = Mailbox.latest(key=lambda message: message, capacity=2)
    async with bot(child("a", lambda: Recorder([]), mailbox=box)) as runtime, trio.open_nursery() as nursery:
        ref = runtime.ref("/bot/a")
        results: list[tuple[object, float]] = []

        async def ask() -> None:
            results.append(await timed(ref.ask("question", timeout=60)))

        await runtime.suspend("/bot/a")
        nursery.start_soon(ask)
        await settle()
        ref.tell("one")
        ref.tell("two")
        await settle()

        error, took = results[0]
        assert isinstance(error, MailboxFullError)
        assert took == 0.0
        assert node(runtime, "/bot/a").mailbox.dropped == 1


async def test_function_actor_that_does_not_reply_is_told_on(autojump_clock: MockClock) -> None:
    """A function actor that goes on to the next message without a reply: `NoReplyError`, at once."""

    async def mute(context: Context) -> None:
        async for _ in context.messages():
            pass

    async with bot(child("a", mute)) as runtime:
        error, took = await timed(runtime.ref("/bot/a").ask("question"))

    assert isinstance(error, NoReplyError)
    assert (error.path, took) == ("/bot/a", 0.0)


async def test_nested_asks_inline(autojump_clock: MockClock) -> None:
    """A chain of asks through async handlers down to a sync one comes back whole."""
    depth = 50

    async def forward(actor: Actor) -> object:
        here = int(actor.context.path.rpartition("/a")[2])
        if here == depth - 1:
            return 0
        answer: Any = await actor.context.lookup(f"a{here + 1}").ask(forward)
        return answer + 1

    async with bot(*(child(f"a{number}", AsyncPuppet) for number in range(depth))) as runtime:
        answer = await runtime.ref("/bot/a0").ask(forward)

    assert answer == depth - 1


async def test_inline_handler_may_tell_its_asker_and_itself(autojump_clock: MockClock) -> None:
    """A handler that is served inline may tell anybody, itself included, without re-entrance."""
    got: list[str] = []

    def handle(actor: Actor) -> str:
        got.append("begin")
        actor.context.ref.tell(lambda _: got.append("told"))
        got.append("end")
        return "answer"

    async with bot(child("a", Puppet)) as runtime:
        answer = await runtime.ref("/bot/a").ask(handle)
        await settle()

    assert (answer, got) == ("answer", ["begin", "end", "told"])


async def test_ask_in_a_cancelled_scope_is_all_or_nothing(autojump_clock: MockClock) -> None:
    """In a cancelled scope an ask either raises `Cancelled` or answers; the message is never handled twice."""
    got: list[object] = []
    answers: list[object] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        with trio.CancelScope() as scope:
            scope.cancel()
            answers.append(await runtime.ref("/bot/a").ask("question"))
        await settle()

        assert len(got) <= 1
        assert got[: len(answers)] == answers


async def bring_to(runtime: Any, state: str) -> None:
    """Bring the `Puppet` at /bot/a to *state*."""
    if state in {"backoff", "parked"}:
        runtime.ref("/bot/a").tell(crash())
    elif state == "suspended":
        await runtime.suspend("/bot/a")
    elif state == "stopped":
        await runtime.stop_child("/bot/a")
    else:
        runtime.ref("/bot/a").tell(lambda actor: actor.context.stop())
    await settle()
    expected = "failed" if state == "parked" else state
    assert node(runtime, "/bot/a").state == expected


async def test_ask_of_oneself_while_starting_is_caught(autojump_clock: MockClock) -> None:
    """No message is served before `started` is over, so one that asks its own actor would wait for itself."""
    seen: list[tuple[object, float]] = []

    @attrs.define
    class Starts(Actor):
        async def started(self) -> None:
            seen.append(await timed(self.context.ref.ask("question")))

        def receive(self, message: object) -> object:
            return message

    async with bot(child("a", Starts)):
        await trio.sleep(10)

    [(error, took)] = seen
    assert isinstance(error, AskCycleError)
    assert took == 0.0


async def test_function_actors_that_ask_each_other_are_caught(autojump_clock: MockClock) -> None:
    """A function that asks while it has a message at hand waits like a handler: a cycle through it is caught."""
    seen: list[object] = []

    async def serve(other: str, context: Context) -> None:
        async for _ in context.messages():
            try:
                context.reply(await context.lookup(other).ask("question", timeout=60))
            except AskCycleError as error:
                seen.append(error)
                context.reply("caught")

    async with bot(child("a", partial(serve, "b")), child("b", partial(serve, "a"))) as runtime:
        answer, took = await timed(runtime.ref("/bot/a").ask("question"))

    assert (answer, took, len(seen)) == ("caught", 0.0, 1)


async def test_sync_handler_that_returns_an_awaitable_is_told_so(autojump_clock: MockClock) -> None:
    """A plain `receive` that returns a coroutine has forgotten its `async`: a TypeError that says so."""

    async def answer() -> str:
        return "never awaited"

    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(ActorDiedError) as died:
            await runtime.ref("/bot/a").ask(lambda _: answer())

    assert isinstance(died.value.__cause__, TypeError)
    assert "async def" in str(died.value.__cause__)
