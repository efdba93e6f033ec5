"""A bot that does nothing but guarded calls: every policy, at random, to a far end that has bad times."""

from random import Random

import attrs
import trio

from duenna import Actor, Child, Supervisor
from duenna.guards import (
    AdaptiveThrottle,
    Aimd,
    Breaker,
    Bulkhead,
    Fallback,
    Guard,
    Hedge,
    RateLimit,
    Retry,
    RetryBudget,
)
from duenna.machines.backoff import Backoff
from duenna.testing import Scenario, World

SECONDS = 120.0
CALLERS = 10


class FarError(Exception):
    """What the far end answers.

    Attributes:
        retry_after: Seconds for which it wants to be left alone.
        outcome_unknown: Whether it may have done what it was asked.
    """

    def __init__(self, *, retry_after: float = 0.0, outcome_unknown: bool = True) -> None:
        super().__init__("no")
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown


class RefusalError(FarError):
    """What the far end says of a request that it does not like: 400."""

    status = 400


def make_guards() -> list[Guard]:
    """Make one of every kind."""
    short = Backoff.exponential(0.2, maximum=3.0)
    strict = RetryBudget(0.2, 3.0, free=0)
    gate = RateLimit(8.0, per=1.0, burst=4.0, max_wait=2.0)
    crowded = Bulkhead(2, max_wait=3.0)
    growing = Breaker(window=8, open_for=2.0, growth=2.0, longest_open=9.0, probe_timeout=3.0)
    return [
        Guard("plain"),
        Guard("growing", retry=Retry(4, backoff=short), breaker=growing, attempt_timeout=1.0, bulkhead=crowded),
        Guard("steps", retry=Retry(4, backoff=Backoff.steps(0.5, 1.0)), breaker=CONSECUTIVE, deadline=4.0),
        Guard("orders", retry=Retry(3, backoff=short), idempotent=False, deadline=6.0),
        Guard("hedged", retry=Retry(2, backoff=short), breaker=growing, hedge=Hedge(0.3, most=2)),
        Guard("limited", retry=Retry(5, backoff=Backoff.decorrelated(0.1, 2.0)), rate_limit=gate, weight=2.0),
        Guard("throttled", breaker=AdaptiveThrottle(window=10.0, minimum_calls=3), rate_limit=gate),
        Guard("slow", breaker=Breaker(window=5.0, per="seconds", slow_call=0.6, slow_rate=0.5, minimum_calls=4)),
        Guard("strict", retry=Retry(3, backoff=short, budget=strict), breaker=None, fallback=Fallback.value(0)),
        Guard("strict too", retry=Retry(3, backoff=short, budget=strict), bulkhead=Aimd(4, minimum=1)),
        Guard("once", retry=None, breaker=CONSECUTIVE, fallback=Fallback.last_good(5.0)),
    ]


ASYNC_ONLY = {"growing", "hedged"}
CONSECUTIVE = Breaker.consecutive(3, open_for=3.0, probes=2, success_threshold=2)


@attrs.define(eq=False)
class Town:
    """The far end, the guards before it, and chance.

    Attributes:
        rng: One for all.
        guards: All of them.
        hands: Whether operators move breakers.
        heard: What came of each call: when, of which guard, and what, with all notes.
    """

    rng: Random
    guards: list[Guard] = attrs.field(factory=make_guards)
    hands: bool = True
    heard: list[tuple[float, str, str]] = attrs.field(factory=list[tuple[float, str, str]])

    def is_bad(self) -> bool:
        """Return whether these are bad times: 8 s of every 20 s."""
        return trio.current_time() % 20.0 >= 12.0

    def outcome(self, errors: float) -> int:
        """Answer, with an error so often."""
        draw = self.rng.random()
        if draw < errors:
            if draw < 0.03:
                raise RefusalError
            raise FarError(
                retry_after=self.rng.choice((0.0, 0.0, 0.0, 0.5, 100.0)),
                outcome_unknown=self.rng.random() < 0.7,
            )
        return 1

    async def ask(self, _what: int) -> int:
        """Answer after a while."""
        await trio.sleep(self.rng.expovariate(2.0 if self.is_bad() else 10.0))
        return self.outcome(0.9 if self.is_bad() else 0.1)

    def ask_at_once(self, _what: int) -> int:
        """Answer at once, in a thread too."""
        return self.outcome(0.4)

    async def call(self, guard: Guard) -> None:
        """Call, and give up after a while at times."""
        came = "cancelled"
        with trio.move_on_after(self.rng.choice((0.05, 0.5, 3.0, 1000.0, 1000.0, 1000.0))):
            try:
                came = str(await self._call(guard, self.rng.randrange(3)))
            except Exception as error:  # noqa: BLE001  # it is what came of it
                came = "\n".join([repr(error), *getattr(error, "__notes__", ())])
        self.heard.append((trio.current_time(), guard.name, came))

    async def move(self) -> None:
        """Move a breaker by hand, and let go of it again."""
        guard = self.rng.choice(self.guards)
        self.rng.choice([guard.force_open, guard.disable, guard.metrics_only, guard.reset])()
        await trio.sleep(self.rng.expovariate(1.0))
        self.rng.choice([guard.close, guard.reset])()

    async def _call(self, guard: Guard, what: int) -> int:
        """Call, in one of the ways that there are."""
        draw = self.rng.random()
        if draw < 0.1:
            return await guard.with_(retry=Retry(2), deadline=self.rng.uniform(0.1, 3.0)).call(self.ask, what)
        if draw < 0.8 or guard.name in ASYNC_ONLY:
            return await guard.call(self.ask, what)
        if draw < 0.9:
            return guard.call_sync(self.ask_at_once, what)
        return await trio.to_thread.run_sync(guard.call_sync, self.ask_at_once, what)


@attrs.define(eq=False)
class Caller(Actor):
    """Calls this and that."""

    town: Town

    async def run(self) -> None:
        """Call for ever."""
        rng = self.town.rng
        while True:
            await self.town.call(rng.choice(self.town.guards))
            await trio.sleep(rng.expovariate(4.0))


@attrs.define(eq=False)
class Hand(Actor):
    """Moves breakers."""

    town: Town

    async def run(self) -> None:
        """Move one now and then, and let go of it again."""
        rng = self.town.rng
        while self.town.hands:
            await trio.sleep(rng.expovariate(0.3))
            await self.town.move()


def scenario(world: World, *, hands: bool = True) -> Scenario:
    """Make a bot of callers."""
    town = Town(world.chance("town"), hands=hands)
    callers = [Child(f"caller{number}", lambda: Caller(town), shutdown=60.0) for number in range(CALLERS)]
    return Scenario(tree=Supervisor("bot", [*callers, Child("hand", lambda: Hand(town), restart="temporary")]))


def calm(world: World) -> Scenario:
    """Make one without operators."""
    return scenario(world, hands=False)
