"""The mailbox: always bounded, with a stated rule for a tell that finds it full."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Down, Mailbox, MailboxFullError, MessageDropped

from .support import (
    AsyncPuppet,
    AsyncRecorder,
    BoomError,
    Puppet,
    Recorder,
    bot,
    caught,
    child,
    hold,
    nap,
    node,
    settle,
    timed,
)


async def test_default_mailbox_holds_a_thousand(autojump_clock: MockClock) -> None:
    """Without options a mailbox holds 1,000 messages and refuses the next tell."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        ref = runtime.ref("/bot/a")

        for number in range(1_000):
            ref.tell(number)
        with pytest.raises(MailboxFullError) as refused:
            ref.tell(1_000)
        await settle()

        assert got == list(range(1_000))
        assert (refused.value.path, refused.value.capacity) == ("/bot/a", 1_000)


async def test_fail_keeps_what_it_has(autojump_clock: MockClock) -> None:
    """Overflow "fail": the tell that finds the mailbox full raises, the messages in it stay."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got), mailbox=Mailbox(capacity=2))) as runtime:
        ref = runtime.ref("/bot/a")

        ref.tell(1)
        ref.tell(2)
        with pytest.raises(MailboxFullError, match=r"(?=.*/bot/a)(?=.*2)"):
            ref.tell(3)
        await settle()
        ref.tell(4)
        await settle()

        assert got == [1, 2, 4]


async def test_drop_oldest_keeps_the_newest(autojump_clock: MockClock) -> None:
    """Overflow "drop_oldest": the oldest message makes room for the new one, and is counted."""
    got: list[int] = []
    box = Mailbox(capacity=2, overflow="drop_oldest")
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        for number in range(5):
            runtime.ref("/bot/a").tell(number)
        await settle()

        assert got == [3, 4]
        assert node(runtime, "/bot/a").mailbox.dropped == 3


async def test_drop_newest_keeps_the_oldest(autojump_clock: MockClock) -> None:
    """Overflow "drop_newest": the message that finds the mailbox full is dropped, and is counted."""
    got: list[int] = []
    box = Mailbox(capacity=2, overflow="drop_newest")
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        for number in range(5):
            runtime.ref("/bot/a").tell(number)
        await settle()

        assert got == [0, 1]
        assert node(runtime, "/bot/a").mailbox.dropped == 3


async def test_latest_keeps_the_newest_message_of_each_key(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: a new message replaces the waiting one of its key, and the replaced one is counted."""
    got: list[tuple[str, int]] = []
    box = Mailbox.latest(key=lambda message: message[0])
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        ref = runtime.ref("/bot/a")

        for message in [("btc", 1), ("eth", 1), ("btc", 2), ("btc", 3), ("eth", 2)]:
            ref.tell(message)
        await settle()
        ref.tell(("btc", 4))
        await settle()

        assert got == [("btc", 3), ("eth", 2), ("btc", 4)]
        assert node(runtime, "/bot/a").mailbox.dropped == 3


async def test_latest_full_with_a_new_key_drops_the_oldest_key(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: capacity counts keys; a new key pushes the oldest key out."""
    got: list[tuple[str, int]] = []
    box = Mailbox.latest(key=lambda message: message[0], capacity=2)
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        for message in [("btc", 1), ("eth", 1), ("sol", 1)]:
            runtime.ref("/bot/a").tell(message)
        await settle()

        assert got == [("eth", 1), ("sol", 1)]
        assert node(runtime, "/bot/a").mailbox.dropped == 1


async def test_latest_key_function_that_raises_is_the_tellers_error(autojump_clock: MockClock) -> None:
    """A message that the key function cannot take is refused at the tell; the actor does not notice."""
    got: list[Any] = []
    box = Mailbox.latest(key=lambda message: message[0])
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        with pytest.raises(TypeError):
            runtime.ref("/bot/a").tell(7)
        runtime.ref("/bot/a").tell(("btc", 1))
        await settle()

        assert got == [("btc", 1)]
        assert node(runtime, "/bot/a").restarts == 0


@pytest.mark.parametrize(("overflow", "dropped"), [("drop_oldest", "str"), ("drop_newest", "int")])
async def test_drop_is_an_event(autojump_clock: MockClock, overflow: Any, dropped: str) -> None:
    """A drop is visible: `MessageDropped` names the actor, the rule and the type of what was dropped."""
    box = Mailbox(capacity=1, overflow=overflow)
    async with bot(child("a", lambda: Recorder([]), mailbox=box)) as runtime:
        with runtime.events(MessageDropped) as stream:
            runtime.ref("/bot/a").tell("old")
            runtime.ref("/bot/a").tell(1)
            events = await caught(stream)

    assert [(event.path, event.message_type, event.policy) for event in events] == [("/bot/a", dropped, overflow)]


async def test_a_burst_of_drops_is_counted_in_full(autojump_clock: MockClock) -> None:
    """However drops are grouped into events, the last count is the number of drops so far."""
    box = Mailbox(capacity=1, overflow="drop_newest")
    async with bot(child("a", lambda: Recorder([]), mailbox=box)) as runtime:
        with runtime.events(MessageDropped) as stream:
            for number in range(11):
                runtime.ref("/bot/a").tell(number)
            events = await caught(stream)

        assert events[-1].count == 10
        assert node(runtime, "/bot/a").mailbox.dropped == 10


async def test_stats_tell_depth_age_and_traffic(autojump_clock: MockClock) -> None:
    """The tree shows how many wait, for how long the oldest has, and how many came."""
    gate = trio.Event()
    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=7))) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(hold(gate))
        await settle()

        ref.tell(nap(0))
        await trio.sleep(2)
        ref.tell(nap(0))
        await trio.sleep(3)
        busy = node(runtime, "/bot/a").mailbox
        gate.set()
        await settle()
        idle = node(runtime, "/bot/a").mailbox

        assert (busy.capacity, busy.depth, busy.oldest_age, busy.dropped) == (7, 2, 5.0, 0)
        assert (idle.depth, idle.oldest_age, idle.received) == (0, 0.0, 3)


async def test_mailbox_survives_a_restart(autojump_clock: MockClock) -> None:
    """C87: what waited behind the crash is handled by the next incarnation; what crashed it is not."""
    got: list[Any] = []
    error = BoomError("poison")
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        for message in [1, error, 2, 3]:
            runtime.ref("/bot/a").tell(message)
        await settle()

        assert got == [1, error, 2, 3]
        assert node(runtime, "/bot/a").incarnation == 2


async def test_poison_met_in_an_async_handler_is_not_delivered_again(autojump_clock: MockClock) -> None:
    """C87 for a handler that crashes after a checkpoint."""
    got: list[Any] = []
    error = BoomError("poison")
    async with bot(child("a", lambda: AsyncRecorder(got))) as runtime:
        for message in [1, error, 2, 3]:
            runtime.ref("/bot/a").tell(message)
        await settle()

        assert got == [1, error, 2, 3]


async def test_messages_wait_while_the_child_is_in_backoff(autojump_clock: MockClock) -> None:
    """A tell to a child in backoff is kept, in order, for its next incarnation."""
    got: list[Any] = []
    async with bot(child("a", lambda: Recorder(got), backoff=Backoff.steps(10))) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(BoomError())
        await settle()
        del got[:]

        ref.tell(1)
        ref.tell(2)
        await trio.sleep(9)
        before = list(got)
        await trio.sleep(1)
        await settle()

        assert (before, got) == ([], [1, 2])


async def test_drop_counter_survives_a_restart(autojump_clock: MockClock) -> None:
    """The counters belong to the mailbox, which survives, and not to the incarnation."""
    box = Mailbox(capacity=1, overflow="drop_newest")
    async with bot(child("a", lambda: Recorder([]), mailbox=box)) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(BoomError())
        ref.tell(1)
        await settle()
        ref.tell(2)
        ref.tell(3)
        await settle()

        assert node(runtime, "/bot/a").incarnation == 2
        assert node(runtime, "/bot/a").mailbox.dropped == 2


async def test_stop_passes_a_full_mailbox(autojump_clock: MockClock) -> None:
    """C89: an operator's stop does not queue behind messages."""
    gate = trio.Event()
    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=1))) as runtime:
        runtime.ref("/bot/a").tell(hold(gate))
        await settle()
        runtime.ref("/bot/a").tell(nap(0))

        _, took = await timed(runtime.stop_child("/bot/a"))

        assert took == 0.0
        assert node(runtime, "/bot/a").state == "stopped"


async def test_restart_and_suspend_pass_a_full_mailbox(autojump_clock: MockClock) -> None:
    """C89: an operator's restart and suspend do not queue behind messages."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got), mailbox=Mailbox(capacity=1))) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell(1)

        await runtime.resume("/bot/a")
        await settle()
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell(2)
        await runtime.restart_child("/bot/a")

        assert got[0] == 1
        assert node(runtime, "/bot/a").incarnation == 2


async def test_down_passes_a_full_mailbox(autojump_clock: MockClock) -> None:
    """C89: a watcher whose mailbox is full learns of the death all the same, and loses nothing for it."""
    got: list[Any] = []

    @attrs.define
    class Watcher(Actor):
        async def receive(self, message: Any) -> None:
            if isinstance(message, trio.Event):
                self.context.watch("/bot/a")
                await message.wait()
            else:
                got.append(message)

    gate = trio.Event()
    specs = (child("a", Puppet, restart="temporary"), child("w", Watcher, mailbox=Mailbox(capacity=1)))
    async with bot(*specs) as runtime:
        runtime.ref("/bot/w").tell(gate)
        await settle()
        runtime.ref("/bot/w").tell("fills it")
        runtime.ref("/bot/a").tell(lambda actor: actor.context.stop())
        await settle()
        gate.set()
        await settle()

        assert "fills it" in got
        assert [message.reason for message in got if isinstance(message, Down)] == ["normal"]


async def test_reply_passes_a_full_mailbox(autojump_clock: MockClock) -> None:
    """An actor whose mailbox filled up while it asked gets its answer."""

    async def ask_b(actor: Actor) -> object:
        return await actor.context.lookup("b").ask(answer, timeout=10)

    async def answer(_: Actor) -> str:
        await trio.sleep(1)
        return "answer"

    specs = (child("a", AsyncPuppet, mailbox=Mailbox(capacity=1)), child("b", AsyncPuppet))
    async with bot(*specs) as runtime, trio.open_nursery() as nursery:
        answers: list[object] = []

        async def ask_a() -> None:
            answers.append(await runtime.ref("/bot/a").ask(ask_b, timeout=10))

        nursery.start_soon(ask_a)
        await settle()
        runtime.ref("/bot/a").tell(nap(0))
        await trio.sleep(1)
        await settle()

        assert answers == ["answer"]


async def test_timer_that_meets_a_full_mailbox_is_a_counted_drop(autojump_clock: MockClock) -> None:
    """A timer has nobody to raise to: its message follows the rule, and "fail" counts it as dropped."""
    gate = trio.Event()

    async def arm(actor: Actor) -> None:
        actor.context.tell_after(1, nap(0))
        await gate.wait()

    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=1))) as runtime:
        runtime.ref("/bot/a").tell(arm)
        await settle()
        runtime.ref("/bot/a").tell(nap(0))
        await trio.sleep(1)
        await settle()

        stats = node(runtime, "/bot/a").mailbox
        gate.set()
        assert (stats.depth, stats.dropped) == (1, 1)


async def test_everything_told_is_received_dropped_or_waiting(autojump_clock: MockClock) -> None:
    """No message leaves the books: told == received + dropped, once the mailbox is empty."""
    boxes = {
        "oldest": Mailbox(capacity=3, overflow="drop_oldest"),
        "newest": Mailbox(capacity=3, overflow="drop_newest"),
        "latest": Mailbox.latest(key=lambda message: message % 5, capacity=3),
    }
    got: dict[str, list[int]] = {name: [] for name in boxes}

    def maker(name: str) -> Any:
        return lambda: Recorder(got[name])

    async with bot(*(child(name, maker(name), mailbox=box) for name, box in boxes.items())) as runtime:
        for name in boxes:
            for number in range(20):
                runtime.ref(f"/bot/{name}").tell(number)
        await settle()

        for name in boxes:
            assert len(got[name]) + node(runtime, f"/bot/{name}").mailbox.dropped == 20


async def test_one_mailbox_spec_can_serve_many_children(autojump_clock: MockClock) -> None:
    """A `Mailbox` is a specification: two children of one spec do not share a queue."""
    box = Mailbox(capacity=1)
    one: list[int] = []
    two: list[int] = []
    specs = (child("a", lambda: Recorder(one), mailbox=box), child("b", lambda: Recorder(two), mailbox=box))
    async with bot(*specs) as runtime:
        runtime.ref("/bot/a").tell(1)
        runtime.ref("/bot/b").tell(2)
        await settle()

        assert (one, two) == ([1], [2])


async def test_counters_survive_a_stop(autojump_clock: MockClock) -> None:
    """Drops, replacements included, are counted from the beginning, through an operator's stop and start."""
    boxes = {
        "oldest": Mailbox(capacity=1, overflow="drop_oldest"),
        "latest": Mailbox.latest(key=lambda _: "one"),
    }
    async with bot(*(child(name, lambda: Recorder([]), mailbox=box) for name, box in boxes.items())) as runtime:
        counts: list[int] = []
        for name in boxes:
            path = f"/bot/{name}"
            for _ in range(2):
                for number in range(4):
                    runtime.ref(path).tell(number)
                await runtime.stop_child(path)
                counts.append(node(runtime, path).mailbox.dropped)
                await runtime.restart_child(path)
                await settle()

    assert counts == [3, 6, 3, 6]
