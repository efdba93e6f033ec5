"""What the actors of the busy tree share: chance, each other's paths, and a way to crash that the trace explains."""

from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Any, Protocol, TypeVar

import attrs
import msgspec

from duenna import Context, DuennaError, MailboxFullError, Ref, Reply, UnknownPathError

CALM_AFTER = 420.0
"""Seconds after which nobody crashes, and operators put right what they have done."""

BOOTED_AFTER = 5.0
"""Seconds after which a start may fail: before that, it would be the end of everything."""

T = TypeVar("T")


class Order(msgspec.Struct, frozen=True):
    """Have an actor do something at random; it has *left* more to give to others."""

    left: int = 2


class Tick(msgspec.Struct, frozen=True):
    """From a timer."""

    armed: int


class News(msgspec.Struct, frozen=True):
    """Is published."""

    key: int


class Flash(News, frozen=True):
    """Is published too, to those who want any `News`."""


class BusyError(Exception):
    """A crash on purpose."""


class Stage(Protocol):
    """What a scenario needs of its world."""

    def chance(self, name: str) -> Random:
        """Return a generator for *name*."""
        ...

    def record(self, kind: str, path: str = "", incarnation: int = 0, **fields: Any) -> None:
        """Add a record to the trace."""
        ...


@attrs.define(eq=False)
class Town:
    """The common ground.

    Attributes:
        stage: The world.
        paths: Of all actors that the tree begins with.
        rng: One for all: who acts when is decided by the seed, too.
        crashes: Whether anybody crashes at all.
    """

    stage: Stage
    paths: list[str] = attrs.field(factory=list[str])
    crashes: bool = True
    rng: Random = attrs.field(init=False)
    _numbers: "count[int]" = attrs.field(factory=lambda: count(1_000_000), init=False)

    def __attrs_post_init__(self) -> None:
        """Draw from the stage."""
        self.rng = self.stage.chance("town")

    def draw(self, share: float) -> bool:
        """Return True so often."""
        return self.rng.random() < share

    def one_of(self, things: Sequence[T]) -> T:
        """Return any of *things*."""
        return things[self.rng.randrange(len(things))]

    def other(self, context: Context) -> Ref | None:
        """Return anybody's ref; None if there is nobody of the name that was drawn."""
        try:
            return context.lookup(self.one_of(self.paths))
        except UnknownPathError:
            return None

    def may_fail(self, context: Context, share: float) -> bool:
        """Return True so often, while it is time for crashes; the trace then says that it is on purpose."""
        if not self.crashes or not BOOTED_AFTER < context.now() < CALM_AFTER or not self.draw(share):
            return False
        self.own_up(context.path)
        return True

    def own_up(self, path: str) -> None:
        """Say in the trace that the failure which follows at *path* is on purpose."""
        number = next(self._numbers)
        self.stage.record("fault_begin", path, number=number, fault={"kind": "own"}, duration=0.0)

    def crash(self, context: Context, share: float) -> None:
        """Crash so often.

        Raises:
            BusyError: It is time.
        """
        if self.may_fail(context, share):
            raise BusyError(f"{context.path} on purpose")


@attrs.define(eq=False)
class Hand:
    """What one incarnation does at random, and remembers of it."""

    town: Town
    context: Context
    timers: list[Any] = attrs.field(factory=list[Any])
    owed: list[Reply] = attrs.field(factory=list[Reply])

    def act(self, message: object) -> object:
        """Do one thing that does not block.

        Raises:
            BusyError: That was the thing.
        """
        town, context = self.town, self.context
        left = left_of(message)
        things: tuple[tuple[float, Callable[[int], object]], ...] = (
            (0.30, self._tell),
            (0.08, self._publish),
            (0.08, self._watch),
            (0.04, self._unwatch),
            (0.10, self._arm),
            (0.05, self._disarm),
            (0.08, self._stash),
            (0.08, self._unstash),
            (0.06, self._defer),
            (0.05, self._settle),
        )
        draw = town.rng.random()
        for share, thing in things:
            draw -= share
            if draw < 0:
                thing(left)
                break
        if town.may_fail(context, 0.006):
            context.stop()
        town.crash(context, 0.02)
        return left

    def _tell(self, left: int) -> None:
        to = self.town.other(self.context)
        if to is None or left <= 0:
            return
        try:
            for _ in range(self.town.one_of((1, 1, 1, 1, 4))):
                to.tell(Order(left - 1))
        except MailboxFullError:
            pass

    def _publish(self, left: int) -> None:
        if left < 2:
            return
        kind = self.town.one_of((News, News, Flash))
        self.context.publish(kind(self.town.rng.randrange(6)))

    def _watch(self, _left: int) -> None:
        to = self.town.other(self.context)
        if to is not None:
            self.context.watch(to)

    def _unwatch(self, _left: int) -> None:
        to = self.town.other(self.context)
        if to is not None:
            self.context.unwatch(to)

    def _arm(self, _left: int) -> None:
        rng, context = self.town.rng, self.context
        tick = Tick(context.incarnation)
        if len(self.timers) < 3 and self.town.draw(0.3):
            self.timers.append(context.tell_every(0.5 + 4 * rng.random(), tick))
        elif self.town.draw(0.5):
            self.timers = [*self.timers[-4:], context.tell_after(3 * rng.random(), tick)]
        else:
            context.tell_after(3 * rng.random(), Order(1), to=self.town.other(context))

    def _disarm(self, _left: int) -> None:
        if self.timers:
            self.timers.pop(self.town.rng.randrange(len(self.timers))).cancel()

    def _stash(self, _left: int) -> None:
        try:
            self.context.stash()
        except MailboxFullError:
            self.context.unstash_all()

    def _unstash(self, _left: int) -> None:
        self.context.unstash_all()

    def _defer(self, _left: int) -> None:
        self.owed.append(self.context.defer_reply())

    def _settle(self, _left: int) -> None:
        for reply in self.owed:
            if self.town.draw(0.2):
                reply.fail(DuennaError("no"))
            else:
                reply.send("late")
        self.owed.clear()


def left_of(message: object) -> int:
    """Return how much *message* has an actor give to others: chains must come to an end."""
    if isinstance(message, Order):
        return message.left
    return 1 if isinstance(message, Tick) else 0
