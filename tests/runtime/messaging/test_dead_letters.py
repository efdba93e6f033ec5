"""Messages to nobody: counted, visible, never silent."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from duenna import DeadLetter, UnknownPathError

from .support import AsyncPuppet, BoomError, Puppet, Recorder, bot, caught, child, hold, nap, settle


def stop(actor: Any) -> None:
    actor.context.stop()


@pytest.mark.parametrize("state", ["stopped", "finished", "deleted", "removed"])
async def test_tell_to_nobody_is_a_dead_letter(autojump_clock: MockClock, state: str) -> None:
    """A tell to a child that ended neither raises nor vanishes: it is counted."""
    restart: Any = "temporary" if state == "removed" else "transient"
    async with bot(child("a", Puppet, restart=restart)) as runtime:
        ref = runtime.ref("/bot/a")
        if state in {"stopped", "deleted"}:
            await runtime.stop_child("/bot/a")
        else:
            ref.tell(stop)
        if state == "deleted":
            await runtime.delete_child("/bot/a")
        await settle()

        ref.tell("one")
        ref.tell("two")
        await settle()

        assert runtime.dead_letters == 2


async def test_dead_letter_is_an_event(autojump_clock: MockClock) -> None:
    """`DeadLetter` names the address, the type of the message and why nobody got it."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.stop_child("/bot/a")
        with runtime.events(DeadLetter) as stream:
            runtime.ref("/bot/a").tell(3.5)
            events = await caught(stream)

    assert [(event.path, event.message_type, event.count) for event in events] == [("/bot/a", "float", 1)]
    assert "stopped" in events[0].why


async def test_what_is_left_in_the_mailbox_is_dead_letters(autojump_clock: MockClock) -> None:
    """A stopped child's unread messages are counted, one by one."""
    gate = trio.Event()
    async with bot(child("a", AsyncPuppet)) as runtime:
        runtime.ref("/bot/a").tell(hold(gate))
        await settle()
        for _ in range(7):
            runtime.ref("/bot/a").tell(nap(0))
        await runtime.stop_child("/bot/a")
        await settle()

        assert runtime.dead_letters == 7


async def test_what_was_left_is_not_delivered_after_a_manual_restart(autojump_clock: MockClock) -> None:
    """A dead letter stays dead: an operator's restart begins with an empty mailbox."""
    got: list[Any] = []
    async with bot(child("a", lambda: Recorder(got))) as runtime:
        await runtime.suspend("/bot/a")
        runtime.ref("/bot/a").tell("before")
        await runtime.stop_child("/bot/a")
        runtime.ref("/bot/a").tell("while stopped")
        await runtime.restart_child("/bot/a")
        runtime.ref("/bot/a").tell("after")
        await settle()

        assert got in (["after"], [])
        assert runtime.dead_letters == 2


async def test_crashed_actors_message_is_not_a_dead_letter(autojump_clock: MockClock) -> None:
    """The message that crashed its actor was delivered."""
    async with bot(child("a", lambda: Recorder([]))) as runtime:
        runtime.ref("/bot/a").tell(BoomError())
        await settle()

        assert runtime.dead_letters == 0


async def test_orderly_end_counts_what_nobody_read(autojump_clock: MockClock) -> None:
    """After the runtime's end its count is still there, with what the stop left unread."""
    async with bot(child("a", AsyncPuppet)) as runtime:
        ref = runtime.ref("/bot/a")
        ref.tell(hold(trio.Event()))
        await settle()
        ref.tell(nap(0))
        ref.tell(nap(0))

    ref.tell(nap(0))

    assert runtime.dead_letters == 3


async def test_unknown_path_is_refused_not_dropped(autojump_clock: MockClock) -> None:
    """A path that never was is an error of the caller, at the call."""
    async with bot(child("a", Puppet)) as runtime:
        with pytest.raises(UnknownPathError, match=r"/bot/nobody") as refused:
            runtime.ref("/bot/nobody")

    assert refused.value.path == "/bot/nobody"


async def test_flood_of_dead_letters_costs_no_memory_and_loses_no_count(autojump_clock: MockClock) -> None:
    """However many messages go to nobody, each is counted and none is kept."""
    async with bot(child("a", Puppet)) as runtime:
        await runtime.stop_child("/bot/a")
        with runtime.events(DeadLetter, capacity=5_000) as stream:
            for number in range(5_000):
                runtime.ref("/bot/a").tell(number)
            events = await caught(stream)

        assert runtime.dead_letters == 5_000
        assert sum(event.count for event in events) == 5_000
