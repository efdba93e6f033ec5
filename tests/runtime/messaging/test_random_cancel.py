"""Random cancels and random crashes: no message is lost, none is handled twice, every sender's order is kept."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from duenna import (
    Actor,
    ActorDiedError,
    AskTimeoutError,
    Child,
    Context,
    Mailbox,
    MailboxFullError,
    Runtime,
)

from .support import BoomError, bot, child, node, settle

pytestmark = pytest.mark.slow

Message = tuple[int, int]  # sender, number
SENDERS = 8
MESSAGES = {"async": 5_100, "sync": 1_500, "function": 1_500}  # of each sender: of each mailbox kind over 60,000

BOXES: dict[str, Mailbox] = {
    "fail": Mailbox(capacity=16),
    "drop_oldest": Mailbox(capacity=16, overflow="drop_oldest"),
    "drop_newest": Mailbox(capacity=16, overflow="drop_newest"),
    "latest": Mailbox.latest(key=lambda message: message[0], capacity=4),
}


@attrs.define
class Books:
    """What became of every message, as its sender saw it and as the actor saw it."""

    delivered: list[Message] = attrs.field(factory=list)
    accepted: set[Message] = attrs.field(factory=set)  # told or sent: exactly once, or dropped and counted
    answered: set[Message] = attrs.field(factory=set)  # exactly once
    refused: set[Message] = attrs.field(factory=set)  # never
    pushed_out: set[Message] = attrs.field(factory=set)  # asks that overflow dropped: never, and counted
    unknown: set[Message] = attrs.field(factory=set)  # asks that stopped waiting: at most once


class Chance:
    """Seeded chance: how long a handler takes, when it crashes, when a sender is cancelled."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311  # a test that can be repeated

    def often(self, share: float) -> bool:
        return self.rng.random() < share

    def moment(self) -> float:
        return self.rng.choice([0.0, 0.001, 0.002, 0.01])


@attrs.define
class SyncTaker(Actor):
    """Writes every message down; crashes now and then."""

    books: Books
    chance: Chance

    def receive(self, message: Message) -> Message:
        self.books.delivered.append(message)
        if self.chance.often(0.005):
            raise BoomError
        return message


@attrs.define
class AsyncTaker(Actor):
    """The same, with checkpoints and naps before and after the crash may come."""

    books: Books
    chance: Chance

    async def receive(self, message: Message) -> Message:
        self.books.delivered.append(message)
        if self.chance.often(0.3):
            await trio.lowlevel.checkpoint()
        if self.chance.often(0.02):
            await trio.sleep(self.chance.moment())
        if self.chance.often(0.005):
            raise BoomError
        return message


def function_taker(books: Books, chance: Chance) -> Callable[[Context], Any]:
    async def serve(context: Context) -> None:
        async for message in context.messages():
            books.delivered.append(message)
            if chance.often(0.02):
                await trio.sleep(chance.moment())
            if chance.often(0.005):
                raise BoomError
            context.reply(message)

    return serve


async def use(runtime: Runtime, sender: int, count: int, books: Books, chance: Chance) -> None:
    """Tell, send and ask in turn, and be cancelled now and then."""
    ref = runtime.ref("/bot/a")
    for number in range(count):
        message = (sender, number)
        draw = chance.rng.random()
        if draw < 0.4:
            try:
                ref.tell(message)
                books.accepted.add(message)
            except MailboxFullError:
                books.refused.add(message)
                await trio.lowlevel.checkpoint()
        elif draw < 0.7:
            await use_send(ref, message, books, chance)
        else:
            await use_ask(ref, message, books, chance)
        if chance.often(0.05):
            await trio.lowlevel.checkpoint()


async def use_send(ref: Any, message: Message, books: Books, chance: Chance) -> None:
    with scope_of(chance) as scope:
        await ref.send(message)
        books.accepted.add(message)
    if scope.cancelled_caught:
        books.refused.add(message)


async def use_ask(ref: Any, message: Message, books: Books, chance: Chance) -> None:
    with scope_of(chance) as scope:
        try:
            assert await ref.ask(message, timeout=chance.rng.choice([0.001, 0.01, 60.0])) == message
            books.answered.add(message)
        except ActorDiedError as died:
            assert isinstance(died.__cause__, BoomError)  # noqa: PT017  # an answer is right too
            books.answered.add(message)
        except MailboxFullError:
            books.pushed_out.add(message)
        except AskTimeoutError:
            books.unknown.add(message)
    if scope.cancelled_caught:
        books.unknown.add(message)


def scope_of(chance: Chance) -> trio.CancelScope:
    """Make a scope that is cancelled now and then: before it begins, at once, or a moment later."""
    scope = trio.CancelScope()
    if chance.often(0.03):
        scope.cancel()
    elif chance.often(0.2):
        scope.deadline = trio.current_time() + chance.moment()
    return scope


def check(books: Books, dropped: int, kind: str) -> None:
    """Balance the books."""
    times = Counter(books.delivered)
    doubled = {message for message, count in times.items() if count > 1}
    assert doubled == set()

    delivered = set(times)
    assert books.refused & delivered == set()
    assert books.pushed_out & delivered == set()
    assert books.answered - delivered == set()
    missing = books.accepted - delivered
    unheard = books.unknown - delivered
    counted = len(missing) + len(books.pushed_out)
    if kind == "fail":
        assert missing == set()
    else:
        assert counted <= dropped <= counted + len(unheard)

    # In a `latest` mailbox a tell takes the place of an older one, ahead of a question that was given up meanwhile.
    skipped = books.unknown if kind == "latest" else set()
    for sender in range(SENDERS):
        numbers = [number for who, number in books.delivered if who == sender and (who, number) not in skipped]
        assert numbers == sorted(numbers)


def spec(kind: str, actor: str, books: Books, chance: Chance) -> Child:
    box = BOXES[kind]
    if actor == "function":
        return child("a", function_taker(books, chance), mailbox=box)
    taker = SyncTaker if actor == "sync" else AsyncTaker
    return child("a", lambda: taker(books, chance), mailbox=box)


@pytest.mark.parametrize("actor", ["sync", "async", "function"])
@pytest.mark.parametrize("kind", list(BOXES))
async def test_no_message_is_lost_or_doubled(autojump_clock: MockClock, kind: str, actor: str) -> None:
    """A returned send is delivered once, a cancelled one never, an answered ask once; every drop is counted.

    What one sender sent arrives in his order, through restarts, overflow and cancels.
    """
    books, chance = Books(), Chance(sum(map(ord, kind + actor)))
    async with bot(spec(kind, actor, books, chance)) as runtime:
        async with trio.open_nursery() as nursery:
            for sender in range(SENDERS):
                nursery.start_soon(use, runtime, sender, MESSAGES[actor], books, chance)
        await runtime.ref("/bot/a").send((SENDERS, 0))
        await trio.sleep(1)
        await settle()
        stats = node(runtime, "/bot/a")
        replaced_last = books.delivered.count((SENDERS, 0))

    assert replaced_last == 1
    books.delivered.remove((SENDERS, 0))
    assert stats.mailbox.depth == 0
    assert stats.restarts > 20
    check(books, stats.mailbox.dropped, kind)
    assert len(books.accepted | books.answered | books.refused | books.pushed_out | books.unknown) == (
        SENDERS * MESSAGES[actor]
    )


async def test_stash_of_a_crashing_actor_loses_nothing(autojump_clock: MockClock) -> None:
    """Messages that are put aside at random, with crashes in between, are all handled once."""
    chance = Chance(7)
    handled: list[Message] = []
    stashed: Counter[Message] = Counter()

    @attrs.define
    class Stasher(Actor):
        def receive(self, message: Any) -> None:
            if message == "unstash":
                self.context.unstash_all()
                if chance.often(0.1):
                    raise BoomError
            elif chance.often(0.3) and stashed[message] < 3:
                stashed[message] += 1
                self.context.stash()
            else:
                handled.append(message)
                if chance.often(0.01):
                    raise BoomError

    async with bot(child("a", Stasher, mailbox=Mailbox(capacity=1_000))) as runtime:
        ref = runtime.ref("/bot/a")
        for number in range(4_000):
            await ref.send((0, number))
            if number % 50 == 49:
                await ref.send("unstash")
                await settle()
        for _ in range(20):
            await ref.send("unstash")
            await settle()

    assert Counter(handled) == Counter((0, number) for number in range(4_000))
