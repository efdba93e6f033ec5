"""Watches, notices and timers: what was put on, what came of it, and for whom."""

from typing import Any

import attrs
import trio
from trio.testing import MockClock

from duenna import Actor, Down, Mailbox
from tests.runtime.messaging.support import Puppet, child, crash, nap, settle
from tests.worlds.planted_kernel import lost_down, old_timer

from .support import Book, Entry, tapped


def watch(path: str) -> Any:
    return lambda actor: actor.context.watch(path)


def unwatch(path: str) -> Any:
    return lambda actor: actor.context.unwatch(path)


def told(book: Book) -> list[tuple[str, int]]:
    """Give kinds and numbers of all that concerns watches."""
    entries = book.of("watch", "unwatch", "down", "down_received")
    return [(entry.kind, entry.fields["number"]) for entry in entries]


@attrs.define
class Watcher(Actor):
    """Does what it is told, and keeps its notices."""

    downs: list[Any]

    def receive(self, message: Any) -> None:
        if isinstance(message, Down):
            self.downs.append(message)
        else:
            message(self)


async def test_a_watch_has_one_number_until_its_notice(autojump_clock: MockClock) -> None:
    """A second watch of the same target changes nothing; one after the notice is new."""
    downs: list[Any] = []
    async with tapped(child("a", Puppet), child("w", lambda: Watcher(downs))) as (runtime, book):
        for message in (watch("a"), watch("a")):
            runtime.ref("/bot/w").tell(message)
        await settle()
        runtime.ref("/bot/a").tell(crash())
        await settle()
        runtime.ref("/bot/w").tell(watch("a"))
        await settle()

    assert told(book) == [("watch", 1), ("down", 1), ("down_received", 1), ("watch", 2)]
    assert book.of("down")[0].fields == {
        "number": 1,
        "target": "/bot/a",
        "target_incarnation": 1,
        "reason": "BoomError",
    }
    assert [entry.fields["target_incarnation"] for entry in book.of("watch")] == [1, 2]


async def test_a_watch_of_nobody_is_told_at_once(autojump_clock: MockClock) -> None:
    async with tapped(child("a", Puppet), child("w", lambda: Watcher([]))) as (runtime, book):
        await runtime.stop_child("/bot/a")
        runtime.ref("/bot/w").tell(watch("a"))
        await settle()

    assert told(book) == [("watch", 1), ("down", 1), ("down_received", 1)]
    assert book.of("watch")[0].fields["target_incarnation"] == 0
    assert book.of("down")[0].fields["reason"] == "noproc"


async def test_an_unwatch_takes_back_what_was_not_received(autojump_clock: MockClock) -> None:
    """Before the end, and after it when the notice waits in the mailbox."""
    async with tapped(child("a", Puppet), child("w", lambda: Watcher([]))) as (runtime, book):
        ref = runtime.ref("/bot/w")
        ref.tell(watch("a"))
        ref.tell(unwatch("a"))
        ref.tell(watch("a"))
        await settle()
        await runtime.suspend("/bot/w")
        await runtime.restart_child("/bot/a")
        runtime.roots[-1].children["w"].context.unwatch("a")  # type: ignore[union-attr]  # it runs
        await runtime.resume("/bot/w")
        await settle()

    assert told(book) == [("watch", 1), ("unwatch", 1), ("watch", 2), ("down", 2), ("unwatch", 2)]


async def test_a_notice_that_is_stashed_is_received_once(autojump_clock: MockClock) -> None:
    """It is no message: the books of the others are not disturbed."""
    downs: list[Any] = []

    @attrs.define
    class Hoarder(Actor):
        def receive(self, message: Any) -> None:
            if isinstance(message, Down):
                downs.append(message)
                if len(downs) == 1:
                    self.context.stash()
            elif message == "open":
                self.context.unstash_all()
            else:
                message(self)

    async with tapped(child("a", Puppet), child("w", Hoarder)) as (runtime, book):
        runtime.ref("/bot/w").tell(watch("a"))
        await settle()
        await runtime.restart_child("/bot/a")
        await settle()
        runtime.ref("/bot/w").tell("open")
        await settle()

    assert len(downs) == 2
    assert told(book) == [("watch", 1), ("down", 1), ("down_received", 1)]
    assert book.lives("/bot/w") == [["sent", "received", "done"]] * 2


async def test_a_lost_notice_leaves_no_record(autojump_clock: MockClock) -> None:
    """The record is of the notice, not of the wish."""
    with lost_down():
        children = [child("a", Puppet), child("w", lambda: Watcher([]), mailbox=Mailbox(1))]
        async with tapped(*children) as (runtime, book):
            runtime.ref("/bot/w").tell(watch("a"))
            await settle()
            await runtime.suspend("/bot/w")
            runtime.ref("/bot/w").tell(watch("a"))
            await runtime.restart_child("/bot/a")

    assert told(book) == [("watch", 1)]


def timers(book: Book) -> list[Entry]:
    return book.of("timer", "timer_received")


async def test_a_timer_fires_for_the_incarnation_that_armed_it(autojump_clock: MockClock) -> None:
    """To itself and to another; both are messages of the owner's."""

    def arm(actor: Actor) -> None:
        actor.context.tell_after(1.0, lambda _: None)
        actor.context.tell_after(2.0, lambda _: None, to=actor.context.lookup("b"))

    async with tapped(child("a", Puppet), child("b", Puppet)) as (runtime, book):
        runtime.ref("/bot/a").tell(arm)
        await trio.sleep(3)

    assert timers(book) == [
        Entry("timer", "/bot/a", 1, {"to": "/bot/a"}),
        Entry("timer_received", "/bot/a", 1, {"receiver_incarnation": 1}),
        Entry("timer", "/bot/a", 1, {"to": "/bot/b"}),
    ]
    assert book.lives("/bot/a", "/bot/a") == [["sent", "received", "done"]]
    assert book.lives("/bot/b", "/bot/a") == [["sent", "received", "done"]]


async def test_the_tick_of_an_old_incarnation_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """It waited in the mailbox when its incarnation ended."""
    book = await _restart_with_a_tick_in_the_mailbox()

    assert [entry.kind for entry in timers(book)] == ["timer"]
    assert book.lives("/bot/a", "/bot/a") == [["sent", "dead_letter"]]


async def test_the_tick_of_an_old_incarnation_is_seen_if_it_is_delivered(autojump_clock: MockClock) -> None:
    """The record says what happened, not what should have."""
    with old_timer():
        book = await _restart_with_a_tick_in_the_mailbox()

    assert timers(book)[1] == Entry("timer_received", "/bot/a", 1, {"receiver_incarnation": 2})


async def _restart_with_a_tick_in_the_mailbox() -> Book:
    def arm(actor: Actor) -> None:
        actor.context.tell_after(1.0, lambda _: None)

    async with tapped(child("a", Puppet)) as (runtime, book):
        runtime.ref("/bot/a").tell(arm)
        await settle()
        await runtime.suspend("/bot/a")
        await trio.sleep(2)
        await runtime.restart_child("/bot/a")
        await runtime.resume("/bot/a")
        await settle()
    return book


async def test_a_cancelled_timer_is_forgotten(autojump_clock: MockClock) -> None:
    def arm(actor: Actor) -> None:
        actor.context.tell_every(1.0, lambda _: None).cancel()

    async with tapped(child("a", Puppet)) as (runtime, book):
        runtime.ref("/bot/a").tell(arm)
        await trio.sleep(3)

    assert timers(book) == []


async def test_nap_keeps_ticks_in_order(autojump_clock: MockClock) -> None:
    """Ticks that wait behind a slow handler keep their numbers."""

    @attrs.define
    class Ticker(Actor):
        def started(self) -> None:
            self.context.tell_every(1.0, nap(0))

        async def receive(self, message: Any) -> None:
            await message(self)

    async with tapped(child("a", Ticker)) as (runtime, book):
        runtime.ref("/bot/a").tell(nap(3.5))
        await trio.sleep(5.5)

    received = [entry.fields["number"] for entry in book.of("received") if entry.fields["sender"] == "/bot/a"]
    assert received == [1, 2, 3, 4, 5]
