"""A first bot: prices that break off now and then, and a trader who never notices. Ctrl-C ends it."""

import attrs
import trio

import duenna
from duenna import Actor, Backoff, Child, Context, Supervisor

CHEAP, DEAR, TROUBLE = 98.0, 102.0, 0.1


async def feed(context: Context) -> None:
    """Tell a price twice a second, and crash now and then: the supervisor starts it again."""
    while True:
        await trio.sleep(0.5)
        if context.rng.random() < TROUBLE:
            raise ConnectionError("the exchange hung up")
        context.lookup("/bot/trader").tell((context.name, context.rng.gauss(100, 2)))


@attrs.define
class Trader(Actor):
    """Buys low and sells high. One message at a time: no locks, no races."""

    bought: dict[str, float] = attrs.field(factory=dict[str, float])

    def receive(self, message: tuple[str, float]) -> None:
        """Act on a price."""
        name, price = message
        if price < CHEAP and name not in self.bought:
            self.bought[name] = price
            self.context.log.info("bought {} at {:.2f}", name, price)
        elif price > DEAR and name in self.bought:
            self.context.log.info("sold {} at {:.2f}, gain {:.2f}", name, price, price - self.bought.pop(name))


feeds = [Child(name, feed, backoff=Backoff.steps(1, 2, 5)) for name in ("btc", "eth")]
bot = Supervisor("bot", [Child("trader", Trader), Supervisor("feeds", feeds, intensity=20, period=60)])
if __name__ == "__main__":
    duenna.run(bot)
