"""The actors of the busy tree: each kind uses other hooks."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import trio

from duenna import Actor, Context, DuennaError

from .town import Hand, News, Order, Tick, Town, left_of


@attrs.define(eq=False)
class Clerk(Actor):
    """All hooks plain: no task of its own."""

    town: Town
    hand: Hand = attrs.field(init=False)

    def started(self) -> None:
        """Begin with a timer and a subscription; or fail."""
        self.hand = begun(self.town, self.context)

    def receive(self, message: Any) -> object:
        """Do one thing."""
        return self.hand.act(message)

    def stopping(self, reason: Any) -> None:
        """Fail at times."""
        self.town.crash(self.context, 0.05)


@attrs.define(eq=False)
class Statue(Actor):
    """Nothing but a handler: it is stopped and started in one go."""

    town: Town

    def receive(self, message: Any) -> None:
        """Crash at times."""
        self.town.crash(self.context, 0.02)


@attrs.define(eq=False)
class Porter(Actor):
    """An async handler, and a slow end."""

    town: Town
    hand: Hand = attrs.field(init=False)

    def started(self) -> None:
        """Begin with a timer and a subscription; or fail."""
        self.hand = begun(self.town, self.context)

    async def receive(self, message: Any) -> object:
        """Do one thing that may block, and one that does not."""
        await act_slowly(self.hand, message)
        return self.hand.act(message)

    async def stopping(self, reason: Any) -> None:
        """Take a while; fail at times."""
        await trio.sleep(1.5 * self.town.rng.random())
        self.town.crash(self.context, 0.05)


@attrs.define(eq=False)
class Miller(Actor):
    """A task of its own, which acts without being told; a slow start."""

    town: Town
    hand: Hand = attrs.field(init=False)

    async def started(self) -> None:
        """Take a while; or fail."""
        await trio.sleep(0.5 * self.town.rng.random())
        self.hand = begun(self.town, self.context)

    def receive(self, message: Any) -> object:
        """Do one thing."""
        return self.hand.act(message)

    async def run(self) -> None:
        """Tell, ask and crash; return at times, which is a normal end."""
        while not self.town.may_fail(self.context, 0.01):
            await trio.sleep(3 * self.town.rng.random())
            await act_slowly(self.hand, Order(2))
            self.town.crash(self.context, 0.02)

    def stopping(self, reason: Any) -> None:
        """Fail at times."""
        self.town.crash(self.context, 0.05)


def walker(town: Town) -> Callable[[Context], Awaitable[None]]:
    """Make a function actor that says when it is ready, or never does."""

    async def walk(context: Context) -> None:
        if town.may_fail(context, 0.05):
            await trio.sleep_forever()  # start_timeout must end it
        await trio.sleep(0.2 * town.rng.random())
        hand = begun(town, context)
        context.ready(context.incarnation)
        async for message in context.messages():
            await act_slowly(hand, message)
            if town.draw(0.8):
                context.reply(hand.town.rng.random())
            else:
                hand.act(message)

    return walk


@attrs.define(eq=False)
class Mule(Actor):
    """Overruns its shutdown time now and then; nothing may replace it before it has ended."""

    town: Town

    async def receive(self, message: Any) -> None:
        """Be slow, and stubborn when it is cut short."""
        try:
            await trio.sleep(0.3)
        finally:
            if self.town.may_fail(self.context, 0.2):
                with trio.CancelScope(shield=True):
                    await trio.sleep(3.0)


def begun(town: Town, context: Context) -> Hand:
    """Begin an incarnation: a timer, a subscription; a background task at times.

    Raises:
        BusyError: It is one of those that do not start.
    """
    town.crash(context, 0.05)
    hand = Hand(town, context)
    hand.timers.append(context.tell_every(2.0 + 6.0 * town.rng.random(), Tick(context.incarnation)))
    if town.draw(0.5):
        context.subscribe(News)
    if town.draw(0.3):
        context.start_soon(_errand, town, context)
    return hand


async def _errand(town: Town, context: Context) -> None:
    """Run beside the actor for a while; its crash is the actor's."""
    for _ in range(town.rng.randrange(4)):
        await trio.sleep(5 * town.rng.random())
        to = town.other(context)
        if to is not None:
            with trio.move_on_after(1.0):
                await to.send(Order(1))
    town.crash(context, 0.1)


async def act_slowly(hand: Hand, message: object) -> None:
    """Do one thing that may block: wait, ask, or send."""
    town, context = hand.town, hand.context
    left = left_of(message)
    draw = town.rng.random()
    to = town.other(context)
    if draw < 0.3:
        await trio.sleep(0.3 * town.rng.random())
    elif to is None or left <= 0:
        await trio.lowlevel.checkpoint()
    elif draw < 0.6:
        with suppress(DuennaError):
            await to.ask(Order(left - 1), timeout=town.one_of((0.1, 1.0, 5.0)), wait=town.draw(0.7))
    elif draw < 0.8:
        with trio.move_on_after(town.one_of((0.05, 2.0))):
            await to.send(Order(left - 1))
