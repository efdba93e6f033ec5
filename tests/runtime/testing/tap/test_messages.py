"""Every message has one life, and the records tell it."""

from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, ActorDiedError, AskTimeoutError, Context, Mailbox, MailboxFullError, Reply
from tests.runtime.messaging.support import (
    AsyncPuppet,
    AsyncRecorder,
    BoomError,
    Puppet,
    Recorder,
    child,
    crash,
    hold,
    nap,
    parrot,
    settle,
)

from .support import tapped

DONE = ["sent", "received", "done"]


@pytest.mark.parametrize("recorder", [Recorder, AsyncRecorder])
async def test_messages_are_sent_received_and_handled_in_order(autojump_clock: MockClock, recorder: Any) -> None:
    """A batch in one turn: each message has its own records, and its number."""
    got: list[Any] = []
    async with tapped(child("a", lambda: recorder(got))) as (runtime, book):
        for number in range(5):
            runtime.ref("/bot/a").tell(number)
        await settle()

    assert book.lives("/bot/a") == [DONE] * 5
    assert [entry.fields["number"] for entry in book.of("received")] == [1, 2, 3, 4, 5]
    assert [entry.fields["length"] for entry in book.of("sent")] == [1, 2, 3, 4, 5]
    assert {entry.fields["message"] for entry in book.of("sent", "received", "handled")} == {"int"}


async def test_sender_is_the_actor_that_told(autojump_clock: MockClock) -> None:
    """Numbers are counted per sender: a handler's, a task's below an actor's, and nobody's."""

    async def walker(context: Context) -> None:
        async def below() -> None:
            context.lookup("a").tell("from below")

        context.start_soon(below)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(below)
        await trio.sleep_forever()

    @attrs.define
    class Passer(Actor):
        async def receive(self, message: Any) -> None:
            await trio.sleep(1)
            self.context.lookup("a").tell(message)

    async with tapped(child("a", lambda: Recorder([])), child("p", Passer), child("w", walker)) as (runtime, book):
        runtime.ref("/bot/a").tell("from outside")
        runtime.ref("/bot/p").tell("passed on")
        await trio.sleep(2)

    assert book.lives("/bot/a") == [DONE]
    assert book.lives("/bot/a", "/bot/p") == [DONE]
    assert book.lives("/bot/a", "/bot/w") == [DONE, DONE]


@pytest.mark.parametrize("puppet", [Puppet, AsyncPuppet])
async def test_a_crash_ends_only_the_message_at_hand(autojump_clock: MockClock, puppet: Any) -> None:
    """The others of the batch wait for the next incarnation."""

    async def boom(_: Actor) -> None:
        raise BoomError

    async def fine(_: Actor) -> None:
        await trio.lowlevel.checkpoint()

    bad: Any = crash() if puppet is Puppet else boom
    good: Any = (lambda _: None) if puppet is Puppet else fine
    async with tapped(child("a", puppet)) as (runtime, book):
        for message in (good, bad, good):
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert book.lives("/bot/a") == [DONE, ["sent", "received", "crashed"], DONE]
    assert [entry.incarnation for entry in book.of("received")] == [1, 1, 2]


async def test_a_handler_that_is_cut_short_is_cancelled(autojump_clock: MockClock) -> None:
    async with tapped(child("a", AsyncPuppet)) as (runtime, book):
        runtime.ref("/bot/a").tell(hold(trio.Event()))
        await settle()
        await runtime.restart_child("/bot/a")

    assert book.lives("/bot/a") == [["sent", "received", "cancelled"]]


@pytest.mark.parametrize(
    ("overflow", "lives"),
    [
        ("drop_newest", [DONE, DONE, DONE, ["sent", "dropped"]]),
        ("drop_oldest", [DONE, ["sent", "dropped"], DONE, DONE]),
    ],
)
async def test_overflow_drops_a_message_by_its_rule(
    autojump_clock: MockClock, overflow: str, lives: list[list[str]]
) -> None:
    async with tapped(child("a", AsyncPuppet, mailbox=Mailbox(2, overflow))) as (runtime, book):
        ref = runtime.ref("/bot/a")
        ref.tell(nap(1))
        await settle()
        for _ in range(3):
            ref.tell(nap(0))
        await trio.sleep(2)

    assert book.lives("/bot/a") == lives
    assert [entry.fields["policy"] for entry in book.of("dropped")] == [overflow]
    assert max(entry.fields["length"] for entry in book.of("sent")) == 2


async def test_a_message_that_was_refused_is_its_senders(autojump_clock: MockClock) -> None:
    """With the rule `fail`, `tell` raises: nothing was sent."""
    async with tapped(child("a", AsyncPuppet, mailbox=Mailbox(1))) as (runtime, book):
        ref = runtime.ref("/bot/a")
        ref.tell(nap(1))
        await settle()
        ref.tell(nap(0))
        with pytest.raises(MailboxFullError):
            ref.tell(nap(0))
        await trio.sleep(2)

    assert book.lives("/bot/a") == [DONE, DONE]


async def test_latest_drops_what_it_replaces(autojump_clock: MockClock) -> None:
    """An old message of the same key first, and the key that waited longest when there is no room."""

    def key(message: Any) -> Any:
        return message[0] if isinstance(message, tuple) else message

    got: list[Any] = []

    @attrs.define
    class Slow(Actor):
        async def receive(self, message: Any) -> None:
            got.append(message)
            await trio.sleep(1)

    async with tapped(child("a", Slow, mailbox=Mailbox.latest(key, 2))) as (runtime, book):
        ref = runtime.ref("/bot/a")
        ref.tell("first")
        await settle()
        for message in [("x", 1), ("y", 1), ("x", 2), ("z", 1)]:
            ref.tell(message)
        await trio.sleep(4)

    assert got == ["first", ("y", 1), ("z", 1)]
    assert book.lives("/bot/a") == [DONE, ["sent", "dropped"], DONE, ["sent", "dropped"], DONE]
    assert [entry.fields["number"] for entry in book.of("dropped")] == [2, 4]
    assert max(entry.fields["length"] for entry in book.of("sent")) == 2


async def test_a_stashed_message_is_received_again(autojump_clock: MockClock) -> None:
    """By the actor itself, and by the end of its incarnation; an ask among them is answered."""

    @attrs.define
    class Picky(Actor):
        seen: int = 0

        def receive(self, message: Any) -> object:
            self.seen += 1
            if message == "open":
                self.context.unstash_all()
            elif message == "boom":
                raise BoomError
            elif self.seen == 1:
                self.context.stash()
            return "answer"

    async with tapped(child("a", Picky)) as (runtime, book), trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await runtime.ref("/bot/a").ask("question"))

        nursery.start_soon(ask)
        await settle()
        runtime.ref("/bot/a").tell("boom")
        await settle()
        runtime.ref("/bot/a").tell("open")
        await settle()

    assert answers == ["answer"]
    assert " ".join(book.life("/bot/a", 1)) == (
        "sent received stashed redelivered received stashed redelivered received done"
    )


async def test_what_nobody_will_read_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """In the mailbox of a child that is stopped, and told to it later, and told to a supervisor."""
    async with tapped(child("a", AsyncPuppet)) as (runtime, book):
        ref = runtime.ref("/bot/a")
        ref.tell(hold(trio.Event()))
        ref.tell(nap(0))
        await settle()
        await runtime.stop_child("/bot/a")
        ref.tell(nap(0))
        runtime.ref("/bot").tell("anybody there?")

    assert book.lives("/bot/a") == [["sent", "received", "cancelled"], ["sent", "dead_letter"], ["sent", "dead_letter"]]
    assert book.lives("/bot") == [["sent", "dead_letter"]]
    assert len(book.of("dead_letter")) == runtime.dead_letters


async def test_send_and_ask_count_when_they_get_in(autojump_clock: MockClock) -> None:
    """Those that wait for room have no number yet; one that gives up never gets one."""
    async with tapped(child("a", AsyncPuppet, mailbox=Mailbox(1))) as (runtime, book):
        ref = runtime.ref("/bot/a")
        ref.tell(nap(2))
        await settle()
        ref.tell(nap(0))
        with trio.move_on_after(1):
            await ref.send(nap(0))
        with pytest.raises(AskTimeoutError):
            await ref.ask(nap(0), timeout=0.5)
        await ref.send(nap(0))
        await settle()

    assert book.lives("/bot/a") == [DONE] * 3


def pusher(*messages: Any) -> Any:
    """Make an actor that sends *messages* to `a`, and is done."""

    async def push(context: Context) -> None:
        for message in messages:
            await context.lookup("a").send(message)
        await trio.sleep_forever()

    return push


async def test_a_message_that_waited_for_room_is_its_senders(autojump_clock: MockClock) -> None:
    """The receiver lets it in; the next message is not taken for the same sender's."""
    children = [child("a", AsyncPuppet, mailbox=Mailbox(1)), child("p", pusher(nap(1), nap(1), nap(1)))]
    async with tapped(*children) as (runtime, book):
        await trio.sleep(5)
        runtime.ref("/bot/a").tell(nap(0))
        await settle()

    assert book.lives("/bot/a", "/bot/p") == [DONE] * 3
    assert book.lives("/bot/a") == [DONE]


async def test_a_message_that_never_got_room_leaves_no_trace(autojump_clock: MockClock) -> None:
    """Its sender waited when the receiver was stopped; the next message is not taken for the same sender's."""
    children = [child("a", AsyncPuppet, mailbox=Mailbox(1)), child("p", pusher(nap(9), nap(9), nap(9), nap(9)))]
    async with tapped(*children) as (runtime, book):
        await trio.sleep(1)
        await runtime.stop_child("/bot/a")
        await runtime.restart_child("/bot/a")
        runtime.ref("/bot/a").tell(nap(0))
        await trio.sleep(1)

    assert book.lives("/bot/a", "/bot/p")[:2] == [["sent", "received", "cancelled"], ["sent", "dead_letter"]]
    assert book.lives("/bot/a") == [DONE]


@pytest.mark.parametrize("crashes", [False, True])
async def test_an_ask_that_is_served_inline_is_a_message_too(autojump_clock: MockClock, crashes: bool) -> None:
    async with tapped(child("a", Puppet)) as (runtime, book):
        with suppress(ActorDiedError):
            await runtime.ref("/bot/a").ask(crash() if crashes else lambda _: 1)

    assert book.lives("/bot/a") == [["sent", "received", "crashed" if crashes else "done"]]


async def test_a_deferred_reply_leaves_the_message_handled(autojump_clock: MockClock) -> None:
    replies: list[Reply] = []

    def defer(actor: Actor) -> None:
        replies.append(actor.context.defer_reply())

    async with tapped(child("a", Puppet)) as (runtime, book), trio.open_nursery() as nursery:
        nursery.start_soon(runtime.ref("/bot/a").ask, defer)
        await settle()
        replies[0].send(1)

    assert book.lives("/bot/a") == [DONE]


async def test_a_function_actor_has_handled_a_message_when_it_takes_the_next(autojump_clock: MockClock) -> None:
    """The last one ends with the incarnation: crashed, cancelled, or done if the function returns."""
    got: list[Any] = []

    async def once(context: Context) -> None:
        async for message in context.messages():
            got.append(message)
            return

    children = [child("a", parrot(got)), child("b", parrot(got)), child("c", once, restart="transient")]
    async with tapped(*children) as (runtime, book):
        for message in (1, 2, BoomError()):
            runtime.ref("/bot/a").tell(message)
        await settle()
        runtime.ref("/bot/b").tell(3)
        runtime.ref("/bot/c").tell(4)
        await settle()

    assert book.lives("/bot/a") == [DONE, DONE, ["sent", "received", "crashed"]]
    assert book.lives("/bot/b") == [DONE]
    assert book.lives("/bot/c") == [DONE]
