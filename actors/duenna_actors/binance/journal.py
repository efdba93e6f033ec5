"""What has been sent, and what is known of it: the memory that keeps an order from being sent twice."""

from __future__ import annotations

from enum import StrEnum
from math import inf

import attrs
import trio

from duenna_actors.binance.orders import PlaceOrder

_MOST = 1_000


class Fate(StrEnum):
    """What is known of an order."""

    NOT_SENT = "not_sent"
    """It is not at the exchange and cannot get there: never sent, refused, or proven not to be there."""
    UNKNOWN = "unknown"
    """It has left, and nobody knows what became of it."""
    PLACED = "placed"
    """It is at the exchange, or was."""


@attrs.define(eq=False)
class SentOrder:
    """One order under its client order id.

    Attributes:
        order: As it was asked for.
        fate: What is known of it.
        dead_at: When the exchange can take it no more, by the exchange's clock, in seconds since 1970.
        left_at: When it left last, in monotonic seconds.
        is_withdrawn: Whether somebody cancels it: it is not sent (again).
        done: Set when nobody is at work on it.
    """

    order: PlaceOrder
    fate: Fate = Fate.NOT_SENT
    dead_at: float = -inf
    left_at: float = -inf
    is_withdrawn: bool = False
    done: trio.Event = attrs.field(factory=trio.Event)

    @property
    def is_busy(self) -> bool:
        """Whether somebody is at work on it."""
        return not self.done.is_set()

    @property
    def is_unsettled(self) -> bool:
        """Whether it may yet get to the exchange, or be there, without anybody's knowing."""
        return self.is_busy or self.fate is Fate.UNKNOWN

    def leaves(self, now: float, dead_at: float) -> None:
        """Note that it leaves for the exchange now, which may take it until *dead_at*."""
        self.fate = Fate.UNKNOWN
        self.left_at = now
        self.dead_at = max(self.dead_at, dead_at)


@attrs.define(eq=False)
class OrderJournal:
    """The orders of one account, by client order id; the last 1,000 that nobody is at work on, at least.

    It belongs to the runtime: restarts of the client lose nothing of it. The end of the
    process does.
    """

    _orders: dict[str, SentOrder] = attrs.field(factory=dict[str, SentOrder], init=False)

    def begin(self, order: PlaceOrder) -> SentOrder:
        """Return the entry of an order that is about to be placed, marked as busy.

        Raises:
            ValueError: It is being placed, or its id is that of another order.
        """
        name = order.client_order_id
        entry = self._orders.get(name)
        if entry is None:
            self._make_room()
            entry = self._orders[name] = SentOrder(order)
            return entry
        if entry.is_busy:
            message = f"client_order_id must not be in use, {name!r} is being placed"
            raise ValueError(message)
        if not _is_same(entry.order, order):
            message = f"client_order_id must not be in use, {name!r} is that of another order: {entry.order}"
            raise ValueError(message)
        entry.done = trio.Event()
        entry.is_withdrawn = False
        return entry

    def get(self, client_order_id: str | None) -> SentOrder | None:
        """Return the entry of an order, if there is one."""
        return None if client_order_id is None else self._orders.get(client_order_id)

    def unsettled(self, symbol: str) -> list[SentOrder]:
        """Return the orders of a contract that somebody is at work on, or whose fate nobody knows."""
        return [each for each in self._orders.values() if each.is_unsettled and each.order.symbol == symbol]

    def orphans(self) -> list[SentOrder]:
        """Return the orders whose fate nobody knows, and nobody looks for."""
        return [entry for entry in self._orders.values() if entry.fate is Fate.UNKNOWN and not entry.is_busy]

    def _make_room(self) -> None:
        if len(self._orders) < _MOST:
            return
        settled = (name for name, entry in self._orders.items() if not entry.is_busy and entry.fate is not Fate.UNKNOWN)
        oldest = next(settled, None)
        if oldest is not None:
            del self._orders[oldest]


def _is_same(one: PlaceOrder, other: PlaceOrder) -> bool:
    """Return whether both would have the exchange do the same."""
    return one.request() == other.request()
