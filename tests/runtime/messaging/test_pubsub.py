"""Publish and subscribe by message type."""

from typing import Any

import attrs
import trio
from trio.testing import MockClock

from duenna import Actor, Backoff, Context, Mailbox

from .support import BoomError, Puppet, bot, child, crash, node, settle


@attrs.frozen
class Price:
    symbol: str
    value: float


@attrs.frozen
class Fill:
    size: float


@attrs.define
class Listener(Actor):
    """Subscribes when it starts, and writes down what comes."""

    types: tuple[type, ...]
    log: list[Any]

    def started(self) -> None:
        self.context.subscribe(*self.types)

    def receive(self, message: Any) -> object:
        if callable(message):
            return message(self)
        self.log.append(message)
        if isinstance(message, BoomError):
            raise message
        return None


def listener(name: str, log: list[Any], *types: type, **options: Any) -> Any:
    return child(name, lambda: Listener(types, log), **options)


async def test_subscriber_gets_its_type_and_no_other(autojump_clock: MockClock) -> None:
    """A subscription is to a message type: other types do not come."""
    prices: list[Any] = []
    fills: list[Any] = []
    async with bot(listener("p", prices, Price), listener("f", fills, Fill)) as runtime:
        runtime.publish(Price("btc", 1.0))
        runtime.publish(Fill(2.0))
        runtime.publish("text")
        await settle()

    assert (prices, fills) == ([Price("btc", 1.0)], [Fill(2.0)])


async def test_subscriber_of_many_types_gets_all_in_order(autojump_clock: MockClock) -> None:
    """One subscriber of several types sees them in the order of their publication."""
    log: list[Any] = []
    messages = [Price("btc", 1.0), Fill(1.0), Price("btc", 2.0), Fill(2.0)]
    async with bot(listener("a", log, Price, Fill)) as runtime:
        for message in messages:
            runtime.publish(message)
        await settle()

    assert log == messages


async def test_actor_publishes_to_every_subscriber(autojump_clock: MockClock) -> None:
    """`context.publish` reaches all subscribers, the publisher among them if it is one."""
    logs: list[list[Any]] = [[], [], []]
    specs = [listener(f"a{number}", log, Price) for number, log in enumerate(logs)]
    async with bot(*specs) as runtime:
        await runtime.ref("/bot/a0").ask(lambda actor: actor.context.publish(Price("btc", 1.0)))
        await settle()

    assert logs == [[Price("btc", 1.0)]] * 3


async def test_unsubscribe_ends_it(autojump_clock: MockClock) -> None:
    """After `unsubscribe` nothing of that type comes; the other subscriptions stay."""
    log: list[Any] = []
    async with bot(listener("a", log, Price, Fill)) as runtime:
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.unsubscribe(Price))
        runtime.publish(Price("btc", 1.0))
        runtime.publish(Fill(1.0))
        await settle()

    assert log == [Fill(1.0)]


async def test_subscribing_twice_delivers_once(autojump_clock: MockClock) -> None:
    """Double use: a subscription is a set, not a count."""
    log: list[Any] = []
    async with bot(listener("a", log, Price)) as runtime:
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.subscribe(Price, Price))
        runtime.publish(Price("btc", 1.0))
        await settle()
        await runtime.ref("/bot/a").ask(lambda actor: actor.context.unsubscribe(Price))
        runtime.publish(Price("btc", 2.0))
        await settle()

    assert log == [Price("btc", 1.0)]


async def test_publication_without_subscribers_is_no_error(autojump_clock: MockClock) -> None:
    """A publication is for whoever listens; that nobody does is normal."""
    async with bot(child("a", Puppet)) as runtime:
        runtime.publish(Price("btc", 1.0))
        await settle()

        assert runtime.dead_letters == 0


async def test_restarted_subscriber_is_subscribed_once(autojump_clock: MockClock) -> None:
    """An actor that subscribes in `started` gets each publication once, after any number of restarts."""
    log: list[Any] = []
    async with bot(listener("a", log, Price)) as runtime:
        for _ in range(3):
            runtime.ref("/bot/a").tell(crash())
            await settle()
        runtime.publish(Price("btc", 1.0))
        await settle()

        assert log == [Price("btc", 1.0)]
        assert node(runtime, "/bot/a").incarnation == 4


async def test_stopped_subscriber_is_no_subscriber(autojump_clock: MockClock) -> None:
    """A publication to an actor that was stopped is neither delivered nor a dead letter."""
    log: list[Any] = []
    async with bot(listener("a", log, Price)) as runtime:
        await runtime.stop_child("/bot/a")
        runtime.publish(Price("btc", 1.0))
        await settle()
        await runtime.restart_child("/bot/a")
        runtime.publish(Price("btc", 2.0))
        await settle()

        assert log == [Price("btc", 2.0)]
        assert runtime.dead_letters == 0


async def test_full_subscriber_does_not_stop_the_publisher(autojump_clock: MockClock) -> None:
    """A subscriber's full mailbox is its own affair: the others get the message, and its loss is counted."""
    full: list[Any] = []
    other: list[Any] = []
    specs = (listener("full", full, Price, mailbox=Mailbox(capacity=1)), listener("other", other, Price))
    async with bot(*specs) as runtime:
        await runtime.suspend("/bot/full")
        runtime.publish(Price("btc", 1.0))
        runtime.publish(Price("btc", 2.0))
        await settle()
        await runtime.resume("/bot/full")
        await settle()

        assert full == [Price("btc", 1.0)]
        assert other == [Price("btc", 1.0), Price("btc", 2.0)]
        assert node(runtime, "/bot/full").mailbox.dropped == 1


async def test_crash_of_one_subscriber_is_its_own(autojump_clock: MockClock) -> None:
    """A subscriber that crashes on a publication disturbs neither the publisher nor the others."""
    fragile: list[Any] = []
    sturdy: list[Any] = []
    error = BoomError()

    @attrs.define
    class Sturdy(Listener):
        def receive(self, message: Any) -> object:
            self.log.append(message)
            return None

    specs = (
        child("x", Puppet),
        listener("fragile", fragile, BoomError),
        child("sturdy", lambda: Sturdy((BoomError,), sturdy)),
    )
    async with bot(*specs) as runtime:
        await runtime.ref("/bot/x").ask(lambda actor: actor.context.publish(error))
        await settle()

        assert (fragile, sturdy) == ([error], [error])
        assert [node(runtime, f"/bot/{name}").restarts for name in ("x", "fragile", "sturdy")] == [0, 1, 0]


async def test_function_actor_subscribes(autojump_clock: MockClock) -> None:
    """A function actor's publications come among its messages."""
    log: list[Any] = []

    async def listen(context: Context) -> None:
        context.subscribe(Price)
        async for message in context.messages():
            log.append(message)  # noqa: PERF401

    async with bot(child("a", listen)) as runtime:
        await settle()
        runtime.publish(Price("btc", 1.0))
        await settle()

    assert log == [Price("btc", 1.0)]


async def test_subscriber_may_unsubscribe_while_it_is_served(autojump_clock: MockClock) -> None:
    """A change of the subscriptions during a publication breaks nothing and delivers nothing twice."""
    log: list[str] = []

    @attrs.define
    class Once(Actor):
        def started(self) -> None:
            self.context.subscribe(Price)

        def receive(self, message: Price) -> None:
            log.append(self.context.name)
            self.context.unsubscribe(Price)
            self.context.publish(message)

    async with bot(*(child(f"a{number}", Once) for number in range(5))) as runtime:
        runtime.publish(Price("btc", 1.0))
        await settle()

    assert set(log) == {f"a{number}" for number in range(5)}
    assert len(log) <= 1 + 2 + 4 + 8 + 16  # each may have been told by all that published before it unsubscribed


async def test_subscriber_in_backoff_misses_nothing_or_is_no_subscriber(autojump_clock: MockClock) -> None:
    """What is published during a backoff comes once or not at all, and leaves nothing behind."""
    log: list[Any] = []
    async with bot(listener("a", log, Price, backoff=Backoff.steps(5))) as runtime:
        runtime.ref("/bot/a").tell(crash())
        await settle()
        runtime.publish(Price("btc", 1.0))
        await trio.sleep(6)
        runtime.publish(Price("btc", 2.0))
        await settle()

        assert log in ([Price("btc", 2.0)], [Price("btc", 1.0), Price("btc", 2.0)])


async def test_subscription_covers_subclasses_once(autojump_clock: MockClock) -> None:
    """A message of a subclass comes too, and once, though both types were subscribed to."""

    class Base:
        pass

    class Derived(Base):
        pass

    log: list[Any] = []
    narrow: list[Any] = []
    message = Derived()
    async with bot(listener("a", log, Base, Derived), listener("b", narrow, Derived)) as runtime:
        runtime.publish(message)
        runtime.publish(Base())
        await settle()

    assert log[0] is message
    assert [type(one) for one in log] == [Derived, Base]
    assert narrow == [message]
