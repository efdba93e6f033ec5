"""Stash: put a message aside, take all of them up again in order."""

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import Actor, Mailbox, MailboxFullError

from .support import BoomError, bot, child, node, settle, timed


@attrs.define
class Gatekeeper(Actor):
    """Stashes everything until "open", handles it then, and writes down what it handled."""

    log: list[Any]
    is_open: bool = False

    def receive(self, message: Any) -> Any:
        if isinstance(message, BoomError):
            raise message
        if message == "open":
            self.is_open = True
            self.context.unstash_all()
        elif message == "close":
            self.is_open = False
        elif not self.is_open:
            self.context.stash()
        else:
            self.log.append(message)
        return message


async def test_unstashed_messages_come_back_in_order(autojump_clock: MockClock) -> None:
    """What was stashed is handled in the order in which it first came."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        for message in [1, 2, 3, "open"]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert log == [1, 2, 3]


async def test_unstashed_messages_come_before_those_that_wait(autojump_clock: MockClock) -> None:
    """Stashed messages are older than those in the mailbox, and go to its front."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        for message in [1, 2, "open", 3, 4]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert log == [1, 2, 3, 4]


async def test_stash_can_be_used_again(autojump_clock: MockClock) -> None:
    """A message that is unstashed may be stashed once more."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        for message in [1, "open", "close", 2, "open", 3]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert log == [1, 2, 3]


async def test_unstash_of_an_empty_stash_does_nothing(autojump_clock: MockClock) -> None:
    """`unstash_all` with nothing stashed is no error."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        for message in ["open", "open", 1]:
            runtime.ref("/bot/a").tell(message)
        await settle()

        assert log == [1]
        assert node(runtime, "/bot/a").restarts == 0


async def test_stashed_ask_is_answered_when_it_is_handled(autojump_clock: MockClock) -> None:
    """Stashing a question does not answer it; the asker waits until it is taken up again."""
    async with bot(child("a", lambda: Gatekeeper([]))) as runtime, trio.open_nursery() as nursery:
        results: list[tuple[object, float]] = []

        async def ask() -> None:
            results.append(await timed(runtime.ref("/bot/a").ask("question")))

        nursery.start_soon(ask)
        await trio.sleep(3)
        early = list(results)
        runtime.ref("/bot/a").tell("open")
        await settle()

        assert (early, results) == ([], [("question", 3.0)])


async def test_stash_in_an_async_handler(autojump_clock: MockClock) -> None:
    """An async handler stashes the message that it is handling, also after a checkpoint."""
    log: list[Any] = []

    @attrs.define
    class Slow(Actor):
        is_open: bool = False

        async def receive(self, message: Any) -> None:
            await trio.lowlevel.checkpoint()
            if message == "open":
                self.is_open = True
                self.context.unstash_all()
            elif not self.is_open:
                self.context.stash()
            else:
                log.append(message)

    async with bot(child("a", Slow)) as runtime:
        for message in [1, 2, "open", 3]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert log == [1, 2, 3]


async def test_stashed_messages_survive_a_crash(autojump_clock: MockClock) -> None:
    """A stashed message was accepted, so a restart gives it back: before the mailbox, in order, and once."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        for message in [1, 2, BoomError(), 3, "open"]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert log == [1, 2, 3]


async def test_stashed_messages_of_a_stopped_child_are_dead_letters(autojump_clock: MockClock) -> None:
    """What an actor had put aside when it was stopped is counted, never silently gone; asks among it fail."""
    async with bot(child("a", lambda: Gatekeeper([]))) as runtime, trio.open_nursery() as nursery:
        results: list[tuple[object, float]] = []

        async def ask() -> None:
            results.append(await timed(runtime.ref("/bot/a").ask("question", timeout=60)))

        nursery.start_soon(ask)
        runtime.ref("/bot/a").tell(1)
        await settle()
        await runtime.stop_child("/bot/a")
        await settle()

        assert runtime.dead_letters >= 1
        assert [type(result).__name__ for result, _ in results] == ["ActorDiedError"]


async def test_stash_is_bounded_by_the_mailbox(autojump_clock: MockClock) -> None:
    """Bounded by default: more stashed messages than the mailbox may hold are refused."""
    refused: list[MailboxFullError] = []

    @attrs.define
    class Hoarder(Actor):
        def receive(self, message: Any) -> None:
            try:
                self.context.stash()
            except MailboxFullError as error:
                refused.append(error)

    async with bot(child("a", Hoarder, mailbox=Mailbox(capacity=3))) as runtime:
        for number in range(5):
            await runtime.ref("/bot/a").send(number)
            await settle()

    assert len(refused) == 2


async def test_stash_outside_of_a_message_is_refused(autojump_clock: MockClock) -> None:
    """Nothing to put aside: a `RuntimeError` that says so."""
    seen: list[str] = []

    @attrs.define
    class Eager(Actor):
        def started(self) -> None:
            with pytest.raises(RuntimeError, match=r"stash"):
                self.context.stash()
            seen.append("refused")

    async with bot(child("a", Eager)):
        await settle()

    assert seen == ["refused"]


async def test_message_stashed_twice_comes_back_once(autojump_clock: MockClock) -> None:
    """Double use: the second `stash` of one message is refused or does nothing, and doubles nothing."""
    log: list[Any] = []

    @attrs.define
    class Twice(Actor):
        is_open: bool = False

        def receive(self, message: Any) -> None:
            if message == "open":
                self.is_open = True
                self.context.unstash_all()
            elif self.is_open:
                log.append(message)
            else:
                self.context.stash()
                try:
                    self.context.stash()
                except RuntimeError:
                    log.append("refused")

    async with bot(child("a", Twice)) as runtime:
        for message in [1, "open"]:
            runtime.ref("/bot/a").tell(message)
        await settle()

    assert [entry for entry in log if entry != "refused"] == [1]


@pytest.mark.parametrize("message", [None, False, 0, ""], ids=repr)
async def test_false_values_can_be_put_aside(autojump_clock: MockClock, message: object) -> None:
    """None and other false values are messages like any other."""
    log: list[Any] = []
    async with bot(child("a", lambda: Gatekeeper(log))) as runtime:
        runtime.ref("/bot/a").tell(message)
        runtime.ref("/bot/a").tell("open")
        await settle()

        assert log == [message]
        assert node(runtime, "/bot/a").restarts == 0


async def test_unstash_into_a_latest_mailbox(autojump_clock: MockClock) -> None:
    """`Mailbox.latest`: stashed messages go to the front, but for one whose key has a newer message waiting."""
    log: list[Any] = []
    box = Mailbox.latest(key=lambda message: message[0])
    async with bot(child("a", lambda: Gatekeeper(log), mailbox=box)) as runtime:
        ref = runtime.ref("/bot/a")
        for message in [("btc", 1), ("eth", 1), ("sol", 1)]:
            ref.tell(message)
        await settle()
        later: list[Any] = ["open", ("xrp", 1), ("eth", 2)]
        for each in later:
            ref.tell(each)
        await settle()

        assert log == [("btc", 1), ("sol", 1), ("xrp", 1), ("eth", 2)]
        assert node(runtime, "/bot/a").mailbox.dropped == 1
