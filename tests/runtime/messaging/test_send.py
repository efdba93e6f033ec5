"""`send`: back pressure, order, and a cancelled send that was never sent."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from duenna import ActorDiedError, Backoff, Mailbox

from .support import AsyncPuppet, AsyncRecorder, BoomError, Recorder, bot, child, hold, nap, node, settle, timed

BOXES = [
    pytest.param(Mailbox(capacity=2), id="fail"),
    pytest.param(Mailbox(capacity=2, overflow="drop_oldest"), id="drop_oldest"),
    pytest.param(Mailbox(capacity=2, overflow="drop_newest"), id="drop_newest"),
    pytest.param(Mailbox.latest(key=lambda message: message, capacity=2), id="latest"),
]


async def test_send_with_room_is_a_checkpoint(autojump_clock: MockClock) -> None:
    """A send that finds room does not wait, and is a checkpoint all the same."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        with assert_checkpoints():
            await runtime.ref("/bot/a").send(1)
        await settle()

    assert got == [1]


@pytest.mark.parametrize("box", BOXES)
async def test_send_waits_for_room_whatever_the_overflow_rule(autojump_clock: MockClock, box: Mailbox) -> None:
    """Overflow rules are for tells: a send that finds the mailbox full waits, and nothing is dropped."""
    gate = trio.Event()
    sent: list[float] = []
    async with bot(child("a", AsyncPuppet, mailbox=box)) as runtime, trio.open_nursery() as nursery:
        ref = runtime.ref("/bot/a")
        await ref.send(hold(gate))
        await settle()
        await ref.send(nap(0))
        await ref.send(nap(0))

        async def send() -> None:
            await ref.send(nap(0))
            sent.append(trio.current_time())

        nursery.start_soon(send)
        await trio.sleep(3)
        before = list(sent)
        gate.set()
        await settle()

        assert (before, sent) == ([], [3.0])
        assert node(runtime, "/bot/a").mailbox.dropped == 0
        assert node(runtime, "/bot/a").mailbox.received == 4


async def test_slow_receiver_slows_its_sender(autojump_clock: MockClock) -> None:
    """Back pressure: a sender is never more than the capacity ahead of the handler."""
    times: list[float] = []
    async with bot(child("a", AsyncPuppet, mailbox=Mailbox(capacity=1))) as runtime:
        for _ in range(5):
            await runtime.ref("/bot/a").send(nap(2))
            times.append(trio.current_time())

    assert times in ([0.0, 0.0, 2.0, 4.0, 6.0], [0.0, 2.0, 4.0, 6.0, 8.0])


async def test_waiting_senders_get_room_in_order(autojump_clock: MockClock) -> None:
    """Senders that wait for room are served first come, first served."""
    got: list[int] = []
    async with bot(child("a", lambda: AsyncRecorder(got), mailbox=Mailbox(capacity=1))) as runtime:
        await runtime.suspend("/bot/a")
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(runtime.ref("/bot/a").send, number)
                await settle()
            await runtime.resume("/bot/a")
        await settle()

    assert got == list(range(10))


async def test_tell_after_send_of_one_sender_keeps_the_order(autojump_clock: MockClock) -> None:
    """One sender's messages arrive in his order, however he sent them."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        ref = runtime.ref("/bot/a")

        for number in range(0, 30, 3):
            ref.tell(number)
            await ref.send(number + 1)
            await ref.ask(number + 2)

    assert got == list(range(30))


@pytest.mark.parametrize("box", BOXES)
async def test_send_cancelled_while_waiting_never_sends(autojump_clock: MockClock, box: Mailbox) -> None:
    """A send that raised `Cancelled` did not send, and leaves no place taken."""
    got: list[Any] = []
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        ref = runtime.ref("/bot/a")
        await runtime.suspend("/bot/a")
        await ref.send("one")
        await ref.send("two")

        with trio.move_on_after(1) as scope:
            await ref.send("cancelled")
        await runtime.resume("/bot/a")
        await settle()
        await ref.send("three")
        await settle()

    assert scope.cancelled_caught
    assert got == ["one", "two", "three"]


async def test_cancelled_sender_does_not_eat_the_room_of_the_next(autojump_clock: MockClock) -> None:
    """When the first of two waiting senders is cancelled, the room goes to the second."""
    got: list[str] = []
    async with bot(child("a", lambda: Recorder(got), mailbox=Mailbox(capacity=1))) as runtime:
        ref = runtime.ref("/bot/a")
        await runtime.suspend("/bot/a")
        await ref.send("zero")
        async with trio.open_nursery() as nursery:
            first = trio.CancelScope()

            async def send_first() -> None:
                with first:
                    await ref.send("first")

            nursery.start_soon(send_first)
            await settle()
            nursery.start_soon(ref.send, "second")
            await settle()
            await runtime.resume("/bot/a")
            first.cancel()
        await settle()

    assert got in (["zero", "second"], ["zero", "first", "second"])
    assert first.cancelled_caught == ("first" not in got)


async def test_send_in_a_cancelled_scope_does_not_send(autojump_clock: MockClock) -> None:
    """A send is a checkpoint before it sends: in a cancelled scope it raises and sends nothing."""
    got: list[int] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        with trio.CancelScope() as scope:
            scope.cancel()
            await runtime.ref("/bot/a").send(1)
        await settle()

    assert scope.cancelled_caught
    assert got == []


async def test_send_waits_out_a_restart(autojump_clock: MockClock) -> None:
    """A sender that waits for room waits on while the actor is restarted."""
    got: list[Any] = []
    spec = child("a", lambda: Recorder(got), mailbox=Mailbox(capacity=1), backoff=Backoff.steps(5))
    async with bot(spec) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(BoomError())
        await settle()
        ref.tell("one")

        _, took = await timed(ref.send("two"))
        await settle()

    assert took == 5.0
    assert got[1:] == ["one", "two"]


@pytest.mark.parametrize("end", ["stop", "finish", "runtime"])
async def test_waiting_sender_is_let_go_when_the_actor_ends(autojump_clock: MockClock, end: str) -> None:
    """A sender never waits for an actor that will not come back; his message is a dead letter."""
    took: list[float] = []
    async with trio.open_nursery() as nursery:
        async with bot(child("a", AsyncPuppet, restart="transient", mailbox=Mailbox(capacity=1))) as runtime:
            ref = runtime.ref("/bot/a")

            async def finish(actor: Any) -> None:
                await trio.sleep(1)
                actor.context.stop()

            async def send() -> None:
                result, seconds = await timed(ref.send(nap(0)))
                assert result is None or isinstance(result, ActorDiedError)
                took.append(seconds)

            ref.tell(finish if end == "finish" else nap(60))
            await settle()
            ref.tell(nap(0))
            nursery.start_soon(send)
            await trio.sleep(1)
            if end == "stop":
                await runtime.stop_child("/bot/a")
            await settle()
        with trio.fail_after(10):
            await settle()

    assert took == [1.0]
    assert runtime.dead_letters >= 1


async def test_send_to_a_stopped_child_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """A send to nobody does not wait: it is a dead letter, as a tell is."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        await runtime.stop_child("/bot/a")

        _, took = await timed(runtime.ref("/bot/a").send(nap(0)))

        assert (took, runtime.dead_letters) == (0.0, 1)


async def test_latest_send_of_a_waiting_key_does_not_wait(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: a send whose key is in the full mailbox replaces that message, for that needs no room."""
    got: list[tuple[str, int]] = []
    box = Mailbox.latest(key=lambda message: message[0], capacity=1)
    async with bot(child("a", lambda: Recorder(got), mailbox=box)) as runtime:
        await runtime.suspend("/bot/a")
        await runtime.ref("/bot/a").send(("btc", 1))

        _, took = await timed(runtime.ref("/bot/a").send(("btc", 2)))
        await runtime.resume("/bot/a")
        await settle()

    assert (got, took) == ([("btc", 2)], 0.0)
