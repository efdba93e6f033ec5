"""What the tests of the monitors share: a bot on virtual time, and accounts and engines that do as told."""

from __future__ import annotations

from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import trio

from duenna import Actor, Supervisor, open_runtime
from duenna.testing import fresh_guards
from duenna_actors.monitors import PendingClose, Position, PositionsReading
from tests.actors.support import Bot, Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from duenna.settings import Settings


class Worker(Actor):
    """Answers with what it is asked."""

    def receive(self, message: object) -> object:
        return message


@asynccontextmanager
async def bot(*, settings: Settings | None = None, strategy: str = "one_for_one") -> AsyncIterator[Bot]:
    """Run a bot without children, with guards of its own."""
    tree = Supervisor("bot", intensity=100_000, period=1.0, strategy=strategy)
    with fresh_guards():
        async with open_runtime(tree, log_level=None, seed=1, settings=settings) as runtime:
            with runtime.events(capacity=100_000) as stream:
                yield Bot(runtime, Seen(stream))


def position(quantity: int | str, symbol: str = "BTCUSDT", price: int | str = 100, **options: Any) -> Position:
    return Position(symbol=symbol, quantity=Decimal(quantity), price=Decimal(price), **options)


class NotPlacedError(ValueError):
    """The order is not there, for certain, and there is no use in sending it again as it is."""

    outcome_unknown = False


@attrs.define(eq=False)
class Account:
    """A fake account: a close is one order per id, however often it is sent.

    Attributes:
        held: The positions, by their ids.
        sent: The calls: position, id, whether it may exist.
        orders: The ids that were carried out, with the quantity that was closed.
        answers: What becomes of the next calls: an error raised before, or after, the order is
            carried out (a pair of it and True), or seconds that it takes; then all go well.
        reading_fails: What reading raises.
        as_of: When readings are of; None: now.
    """

    held: dict[str, Position] = attrs.field(factory=dict[str, Position])
    sent: list[tuple[str, str, bool]] = attrs.field(factory=list[tuple[str, str, bool]])
    orders: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal])
    answers: list[Any] = attrs.field(factory=list[Any])
    reading_fails: Exception | None = None
    as_of: float | None = None
    reads: int = 0

    def hold(self, *positions: Position) -> None:
        for each in positions:
            self.held[each.id] = each

    async def positions(self) -> PositionsReading | Sequence[Position]:
        self.reads += 1
        await trio.lowlevel.checkpoint()
        if self.reading_fails is not None:
            raise self.reading_fails
        return PositionsReading(tuple(self.held.values()), self.as_of)

    async def close(self, position: Position, order_id: str, *, may_exist: bool) -> None:
        self.sent.append((position.id, order_id, may_exist))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await trio.sleep(answer)
        if order_id not in self.orders:
            self.orders[order_id] = position.quantity
            self.held.pop(position.id, None)
        if isinstance(answer, tuple):
            raise answer[0]


class FileLikeStore:
    """A store that outlives a runtime, and remembers what it was given.

    Attributes:
        closes: What was saved last.
        saves: All that was, by ids.
        fails: What saving raises.
    """

    def __init__(self) -> None:
        self.closes: tuple[PendingClose, ...] = ()
        self.saves: list[list[str]] = []
        self.fails: Exception | None = None

    async def load(self) -> Sequence[PendingClose]:
        await trio.lowlevel.checkpoint()
        return self.closes

    async def save(self, closes: Sequence[PendingClose]) -> None:
        await trio.lowlevel.checkpoint()
        if self.fails is not None:
            raise self.fails
        self.closes = tuple(closes)
        self.saves.append([each.order_id for each in closes])
